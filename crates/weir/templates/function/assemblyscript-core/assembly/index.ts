// A function: greets, and says in capitals what it was sent.
import { respond, setting, text } from "./weir";
export { malloc } from "./weir";

// Headers are lines "name: value", each ended by a line feed.
export function handle(
  method: usize, methodSize: usize, path: usize, pathSize: usize,
  headers: usize, headersSize: usize, body: usize, bodySize: usize): i32 {
  const asked = text(method, methodSize);
  if (asked == "GET") {
    const greeting = setting("GREETING");
    respond(200, (greeting === null ? "Hello" : greeting) + " from {{name}}\n");
  } else if (asked == "POST") {
    respond(200, text(body, bodySize).toUpperCase());
  } else {
    respond(405, "GET or POST\n");
  }
  return 0; // The status that was set.
}
