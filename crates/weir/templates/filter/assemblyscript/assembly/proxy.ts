// The part of the Proxy-Wasm ABI 0.2.1 that this filter uses. More of it, as you need it:
// https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1

export enum Level { Trace, Debug, Info, Warn, Error, Critical }
export enum Action { Continue, Pause }
export enum Headers { Request = 0, Response = 2 }
export enum Buffer { RequestBody = 0, ResponseBody = 1, PluginConfiguration = 7 }

@external("env", "proxy_log")
declare function proxy_log(level: u32, text: usize, size: usize): u32;
@external("env", "proxy_get_buffer_bytes")
declare function proxy_get_buffer_bytes(buffer: u32, start: usize, max: usize, bytes: usize, size: usize): u32;
@external("env", "proxy_get_header_map_value")
declare function proxy_get_header_map_value(map: u32, name: usize, nameSize: usize, value: usize, valueSize: usize): u32;
@external("env", "proxy_replace_header_map_value")
declare function proxy_replace_header_map_value(map: u32, name: usize, nameSize: usize, value: usize, valueSize: usize): u32;
@external("env", "proxy_send_local_response")
declare function proxy_send_local_response(
  status: u32, details: usize, detailsSize: usize, body: usize, bodySize: usize,
  headers: usize, headersSize: usize, grpcStatus: i32): u32;

// The host's way to hand over bytes: it asks for memory, and `taken` gives that back.
export function malloc(size: usize): usize { return heap.alloc(size); }

// Where the host writes address and size of what it hands over.
const slots = memory.data(8);

function taken(): string {
  const bytes = load<usize>(slots), size = load<usize>(slots, 4);
  const text = String.UTF8.decodeUnsafe(bytes, size);
  if (bytes) heap.free(bytes);
  return text;
}

export function log(level: Level, text: string): void {
  const bytes = String.UTF8.encode(text);
  proxy_log(level, changetype<usize>(bytes), bytes.byteLength);
}

/** The text of a buffer, whole; null if there is none. */
export function buffer(buffer: Buffer): string | null {
  return proxy_get_buffer_bytes(buffer, 0, u32.MAX_VALUE, slots, slots + 4) == 0 ? taken() : null;
}

/** The value of a header; null if it is not there. */
export function header(map: Headers, name: string): string | null {
  const key = String.UTF8.encode(name);
  const status = proxy_get_header_map_value(map, changetype<usize>(key), key.byteLength, slots, slots + 4);
  return status == 0 ? taken() : null;
}

/** Sets a header, whether it is there or not. */
export function setHeader(map: Headers, name: string, value: string): void {
  const key = String.UTF8.encode(name), bytes = String.UTF8.encode(value);
  proxy_replace_header_map_value(
    map, changetype<usize>(key), key.byteLength, changetype<usize>(bytes), bytes.byteLength);
}

/** Answers the client; the request goes no further. */
export function answer(status: u32, body: string): void {
  const bytes = String.UTF8.encode(body);
  proxy_send_local_response(status, 0, 0, changetype<usize>(bytes), bytes.byteLength, 0, 0, -1);
}

/** What the compiler calls before a trap. */
export function aborted(message: string | null, file: string | null, line: u32, column: u32): void {
  const what = message === null ? "aborted" : message, where = file === null ? "?" : file;
  log(Level.Critical, `${what} (${where}:${line}:${column})`);
}
