// Counts lines, words and bytes of what it is sent: a core module with the plain ABI, four kilobytes.

@external("weir_v1", "respond_header")
declare function respond_header(name: usize, nameSize: usize, value: usize, valueSize: usize): i32;
@external("weir_v1", "respond_write")
declare function respond_write(bytes: usize, size: usize): i32;

// The host asks for memory for what it hands over.
export function malloc(size: usize): usize { return heap.alloc(size); }

export function handle(
  method: usize, methodSize: usize, path: usize, pathSize: usize,
  headers: usize, headersSize: usize, body: usize, bodySize: usize): i32 {
  let lines = 0, words = 0, inWord = false;
  for (let i: usize = 0; i < bodySize; i++) {
    const byte = load<u8>(body + i);
    const isSpace = byte == 0x20 || (byte >= 0x09 && byte <= 0x0d);
    if (byte == 0x0a) lines++;
    if (!isSpace && !inWord) words++;
    inWord = !isSpace;
  }
  const name = String.UTF8.encode("content-type"), value = String.UTF8.encode("application/json");
  respond_header(changetype<usize>(name), name.byteLength, changetype<usize>(value), value.byteLength);
  const answer = String.UTF8.encode(`{"lines":${lines},"words":${words},"bytes":${bodySize}}`);
  respond_write(changetype<usize>(answer), answer.byteLength);
  return 200;
}
