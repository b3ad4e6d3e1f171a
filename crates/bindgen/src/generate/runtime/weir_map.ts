// Written by `weir bindgen`; do not edit. What generated maps stand on, in AssemblyScript.

import { Decoded, Fault, isUtf8, text, utf8 } from "./weir_codec";

// @ts-ignore: decorator
@external("wasi_map_v1", "open")
declare function hostOpen(name: usize, size: i32, rights: u64, handle: usize): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "close")
declare function hostClose(handle: u32): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "get")
declare function hostGet(handle: u32, key: usize, keySize: i32, room: usize, roomSize: i32, size: usize, version: usize): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "set")
declare function hostSet(handle: u32, key: usize, keySize: i32, value: usize, size: i32): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "set_with")
declare function hostSetWith(handle: u32, key: usize, keySize: i32, value: usize, size: i32, options: usize, version: usize): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "delete")
declare function hostDelete(handle: u32, key: usize, keySize: i32): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "exists")
declare function hostExists(handle: u32, key: usize, keySize: i32, out: usize): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "compare_and_swap")
declare function hostCompareAndSwap(handle: u32, key: usize, keySize: i32, expected: u64, value: usize, size: i32, version: usize): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "increment")
declare function hostIncrement(handle: u32, key: usize, keySize: i32, delta: i64, value: usize): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "scan")
declare function hostScan(handle: u32, prefix: usize, prefixSize: i32, cursor: usize, room: usize, roomSize: i32, used: usize): i32;

/** What a handle allows. */
export namespace Access {
  export const READ: u64 = 1;
  export const WRITE: u64 = 2;
  export const DELETE: u64 = 4;
  export const LIST: u64 = 8;
  export const WATCH: u64 = 16;
}

/** Some of the host's answers: numbers of WASI preview 1. */
export namespace Errno {
  export const AGAIN: i32 = 6;
  export const BADF: i32 = 8;
  export const NOENT: i32 = 44;
  export const NOSPC: i32 = 51;
  export const OVERFLOW: i32 = 61;
  export const NOTCAPABLE: i32 = 76;
}

/** What a map answers. `errno` is 0, a number of WASI, or below 0 a `Fault`: the entry is no value. */
export class Answer<T> {
  constructor(public errno: i32, public value: T, public version: u64 = 0) {}

  get ok(): bool {
    return this.errno == 0;
  }
}

/** An entry of a scan. */
export class Entry<K, V> {
  constructor(public key: K, public value: V, public version: u64) {}
}

// Where the host writes small answers: nothing is called between writing and reading them.
const OUT: usize = memory.data(16, 8);
const OPTIONS: usize = memory.data(24, 8);
const CURSOR: usize = memory.data(16, 8);

/** A typed map of this use of the module. */
export abstract class TypedMap<K, V> {
  handle: u32 = 0;

  abstract keyToBytes(key: K): Uint8Array;
  abstract keyFromBytes(bytes: Uint8Array): Decoded<K>;
  abstract encode(value: V): Uint8Array;
  abstract decode(bytes: Uint8Array): Decoded<V>;

  /** Opens the map of a name: 0, or a number of WASI. */
  openAs(name: string, rights: u64): i32 {
    const bytes = utf8(name);
    const errno = hostOpen(bytes.dataStart, bytes.length, rights, OUT);
    if (errno == 0) this.handle = load<u32>(OUT);
    return errno;
  }

  close(): i32 {
    return hostClose(this.handle);
  }

  /** With the errno NOENT there is no such entry. */
  get(key: K): Answer<V> {
    const at = this.keyToBytes(key);
    let room = new Uint8Array(512);
    while (true) {
      const errno = hostGet(this.handle, at.dataStart, at.length, room.dataStart, room.length, OUT, OUT + 8);
      const size = load<u32>(OUT);
      const version = load<u64>(OUT + 8);
      if (errno == Errno.OVERFLOW && size > <u32>room.length) {
        room = new Uint8Array(size);
        continue;
      }
      const found = this.decode(errno == 0 ? room.slice(0, size) : new Uint8Array(0));
      return new Answer<V>(errno ? errno : <i32>found.fault, found.value, version);
    }
  }

  set(key: K, value: V): i32 {
    const at = this.keyToBytes(key);
    const bytes = this.encode(value);
    return hostSet(this.handle, at.dataStart, at.length, bytes.dataStart, bytes.length);
  }

  /** Stores a value that ends after some milliseconds; the answer is the new version. */
  setFor(key: K, value: V, ttlMs: u64): Answer<u64> {
    const at = this.keyToBytes(key);
    const bytes = this.encode(value);
    store<u64>(OPTIONS, 4);
    store<u64>(OPTIONS + 8, 0);
    store<u64>(OPTIONS + 16, ttlMs);
    const errno = hostSetWith(this.handle, at.dataStart, at.length, bytes.dataStart, bytes.length, OPTIONS, OUT);
    const version = load<u64>(OUT);
    return new Answer<u64>(errno, version, version);
  }

  /** The new version; with the errno AGAIN the one that the entry has. */
  compareAndSwap(key: K, expected: u64, value: V): Answer<u64> {
    const at = this.keyToBytes(key);
    const bytes = this.encode(value);
    const errno = hostCompareAndSwap(this.handle, at.dataStart, at.length, expected, bytes.dataStart, bytes.length, OUT);
    const version = load<u64>(OUT);
    return new Answer<u64>(errno, version, version);
  }

  /** With the errno NOENT there was none. */
  delete(key: K): i32 {
    const at = this.keyToBytes(key);
    return hostDelete(this.handle, at.dataStart, at.length);
  }

  exists(key: K): Answer<bool> {
    const at = this.keyToBytes(key);
    const errno = hostExists(this.handle, at.dataStart, at.length, OUT);
    return new Answer<bool>(errno, errno == 0 && load<u32>(OUT) != 0);
  }

  /** All entries whose keys begin with these bytes, in the order of their keys. */
  scan(prefix: Uint8Array): Answer<Array<Entry<K, V>>> {
    const entries = new Array<Entry<K, V>>();
    let room = new Uint8Array(4096);
    store<u64>(CURSOR, 0);
    store<u64>(CURSOR + 8, 0);
    while (true) {
      const errno = hostScan(this.handle, prefix.dataStart, prefix.length, CURSOR, room.dataStart, room.length, OUT);
      const used = load<u32>(OUT);
      if (errno == Errno.OVERFLOW && used > <u32>room.length) {
        room = new Uint8Array(used);
        continue;
      }
      const last = errno ? errno : this.page(room.slice(0, used), entries);
      const isDone = load<u64>(CURSOR) == 0 && load<u64>(CURSOR + 8) == 0;
      if (last || isDone) return new Answer<Array<Entry<K, V>>>(last, entries);
    }
  }

  // Entries are {u32 klen, u32 vlen, u64 version, key, value}, each padded to 8.
  private page(page: Uint8Array, entries: Array<Entry<K, V>>): i32 {
    let at: u64 = 0;
    const end = <u64>page.length;
    while (end - at >= 16) {
      const head = page.dataStart + <usize>at;
      const middle = at + 16 + load<u32>(head);
      const stop = middle + load<u32>(head, 4);
      if (stop > end) return Fault.SHORT;
      const key = this.keyFromBytes(page.slice(<i32>(at + 16), <i32>middle));
      const value = this.decode(page.slice(<i32>middle, <i32>stop));
      if (!key.ok) return key.fault;
      if (!value.ok) return value.fault;
      entries.push(new Entry<K, V>(key.value, value.value, load<u64>(head, 8)));
      at = min((stop + 7) & ~(<u64>7), end);
    }
    return 0;
  }
}

/** A map of numbers that can be added to. */
export abstract class Counters<K> extends TypedMap<K, i64> {
  encode(value: i64): Uint8Array {
    const out = new Uint8Array(8);
    store<i64>(out.dataStart, value);
    return out;
  }

  decode(bytes: Uint8Array): Decoded<i64> {
    if (bytes.length != 8) return new Decoded<i64>(0, Fault.LENGTH, 0);
    return new Decoded<i64>(load<i64>(bytes.dataStart), Fault.NONE, 0);
  }

  /** Adds to a counter, which begins at 0; the answer is what it is then. */
  increment(key: K, delta: i64): Answer<i64> {
    const at = this.keyToBytes(key);
    const errno = hostIncrement(this.handle, at.dataStart, at.length, delta, OUT);
    return new Answer<i64>(errno, errno ? 0 : load<i64>(OUT));
  }
}

// Keys, whose bytes are in the order of their values.

export function numberKey(value: u64, size: i32, isSigned: bool): Uint8Array {
  const out = new Uint8Array(size);
  if (isSigned) value ^= (<u64>1) << (8 * size - 1);
  for (let at = size - 1; at >= 0; at--, value >>= 8) out[at] = <u8>value;
  return out;
}

export function fromNumberKey(bytes: Uint8Array, size: i32, isSigned: bool): Decoded<u64> {
  if (bytes.length != size) return new Decoded<u64>(0, Fault.LENGTH, 0);
  let value: u64 = 0;
  for (let at = 0; at < size; at++) value = (value << 8) | bytes[at];
  if (isSigned) value ^= (<u64>1) << (8 * size - 1);
  return new Decoded<u64>(value, Fault.NONE, 0);
}

export function fromText(bytes: Uint8Array): Decoded<string> {
  if (!isUtf8(bytes)) return new Decoded<string>("", Fault.UTF8, 0);
  return new Decoded<string>(text(bytes), Fault.NONE, 0);
}
