// What a core module may call of the gateway, as far as this function does. The rest: docs/functions.md
// of Weir.

export enum Level { Trace, Debug, Info, Warn, Error, Critical }

@external("weir_v1", "respond_status")
declare function respond_status(status: u32): i32;
@external("weir_v1", "respond_header")
declare function respond_header(name: usize, nameSize: usize, value: usize, valueSize: usize): i32;
@external("weir_v1", "respond_write")
declare function respond_write(bytes: usize, size: usize): i32;
@external("weir_v1", "setting")
declare function host_setting(key: usize, keySize: usize, value: usize): i32;
@external("weir_v1", "log")
declare function host_log(level: u32, text: usize, size: usize): i32;

// The host asks for memory for what it hands over.
export function malloc(size: usize): usize { return heap.alloc(size); }

const slots = memory.data(8);

/** A text that the host has handed over. */
export function text(bytes: usize, size: usize): string { return String.UTF8.decodeUnsafe(bytes, size); }

/** What the configuration's `settings` say; null if there is no such key. */
export function setting(name: string): string | null {
  const key = String.UTF8.encode(name);
  if (host_setting(changetype<usize>(key), key.byteLength, slots) != 0) return null;
  return text(load<usize>(slots), load<usize>(slots, 4));
}

/** Answers with a text. */
export function respond(status: u32, body: string): void {
  const name = String.UTF8.encode("content-type"), value = String.UTF8.encode("text/plain; charset=utf-8");
  respond_status(status);
  respond_header(changetype<usize>(name), name.byteLength, changetype<usize>(value), value.byteLength);
  const bytes = String.UTF8.encode(body);
  respond_write(changetype<usize>(bytes), bytes.byteLength);
}

export function log(level: Level, line: string): void {
  const bytes = String.UTF8.encode(line);
  host_log(level, changetype<usize>(bytes), bytes.byteLength);
}

/** What the compiler calls before a trap. */
export function aborted(message: string | null, file: string | null, line: u32, column: u32): void {
  const what = message === null ? "aborted" : message, where = file === null ? "?" : file;
  log(Level.Critical, `${what} (${where}:${line}:${column})`);
}
