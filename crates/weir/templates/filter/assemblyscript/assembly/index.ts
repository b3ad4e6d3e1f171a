// A filter: greets in responses, and asks who wants to see what is private.
//
// Configuration: the greeting, as it is.
import { Action, Buffer, Headers, answer, buffer, header, setHeader } from "./proxy";
export { malloc } from "./proxy";

let greeting = "";

export function proxy_abi_version_0_2_1(): void {}

export function proxy_on_context_create(context: u32, parent: u32): void {}

export function proxy_on_configure(root: u32, size: u32): u32 {
  const text = buffer(Buffer.PluginConfiguration);
  greeting = text === null ? "" : text;
  return 1;
}

export function proxy_on_request_headers(context: u32, count: u32, end: u32): u32 {
  const path = header(Headers.Request, ":path");
  if (path !== null && path.startsWith("/private") && header(Headers.Request, "authorization") === null) {
    answer(401, "Who are you?\n");
    return Action.Pause;
  }
  setHeader(Headers.Request, "x-seen-by", "{{name}}");
  return Action.Continue;
}

export function proxy_on_response_headers(context: u32, count: u32, end: u32): u32 {
  setHeader(Headers.Response, "x-greeting", greeting);
  return Action.Continue;
}
