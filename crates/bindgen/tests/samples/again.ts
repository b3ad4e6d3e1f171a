// Hands over messages as bytes, and checks maps: again-assembly.mjs calls this.
import * as codec from "./weir_codec";
import * as weir from "./weir_map";
import * as gen from "./STEM";

let bytes = new Uint8Array(0);
let written = new Uint8Array(0);

export function room(size: i32): usize {
  bytes = new Uint8Array(size);
  return bytes.dataStart;
}

export function answer(): usize {
  return written.dataStart;
}

function again<T extends codec.Message>(): i32 {
  const read = codec.decode<T>(bytes);
  if (!read.ok) return -1;
  written = read.value.encode();
  return written.length;
}

/** The length of the answer; -1: the bytes are no value. */
export function message(at: i32): i32 {
  switch (at) {
CASES
  }
  return -2;
}
