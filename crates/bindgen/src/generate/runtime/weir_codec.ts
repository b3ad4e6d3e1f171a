// Written by `weir bindgen`; do not edit. How generated types are read and written, in AssemblyScript.

/** Why bytes are no value; 0: they are. */
export enum Fault {
  NONE = 0,
  SHORT = -1,
  LONG_NUMBER = -2,
  TAG = -3,
  KIND = -4,
  UTF8 = -5,
  RANGE = -6,
  LENGTH = -7,
}

/** A value if `ok`; a default one otherwise. */
export class Decoded<T> {
  constructor(public value: T, public fault: Fault, public field: u32) {}

  get ok(): bool {
    return this.fault == Fault.NONE;
  }
}

export function isChar(code: u64): bool {
  return code <= 0x10ffff && code >> 11 != 0x1b;
}

export function isUtf8(bytes: Uint8Array): bool {
  return isText(bytes.dataStart, bytes.dataStart + bytes.length);
}

function isText(at: usize, end: usize): bool {
  while (at < end) {
    const first = <u32>load<u8>(at++);
    if (first < 0x80) continue;
    if (first < 0xc2 || first > 0xf4) return false;
    const more: usize = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    if (more > end - at) return false;
    let code = first & (0x3f >> <u32>more);
    for (let left = more; left > 0; left--) {
      const byte = <u32>load<u8>(at++);
      if ((byte & 0xc0) != 0x80) return false;
      code = (code << 6) | (byte & 0x3f);
    }
    if ((more == 2 && code < 0x800) || (more == 3 && code < 0x10000) || !isChar(code)) return false;
  }
  return true;
}

export function utf8(text: string): Uint8Array {
  return Uint8Array.wrap(String.UTF8.encode(text));
}

export function text(bytes: Uint8Array): string {
  return String.UTF8.decodeUnsafe(bytes.dataStart, bytes.length);
}

/** Bytes that are being read. After a fault nothing more is read. */
export class Reader {
  fault: Fault = Fault.NONE;
  field: u32 = 0;
  kind: u32 = 0;
  private start: usize;
  private at: usize;

  constructor(private begin: usize, private end: usize) {
    this.start = begin;
    this.at = begin;
  }

  static of(bytes: Uint8Array): Reader {
    return new Reader(bytes.dataStart, bytes.dataStart + bytes.length);
  }

  fail(fault: Fault): void {
    if (this.fault == Fault.NONE) this.fault = fault;
    this.at = this.end;
  }

  get more(): bool {
    return this.at < this.end;
  }

  /** Reads the next field's number and kind into `field` and `kind`. */
  next(): bool {
    if (!this.more) return false;
    this.start = this.at;
    const tag = this.u64();
    this.kind = <u32>tag & 7;
    if (this.fault == Fault.NONE && (tag >> 32 != 0 || tag >> 3 == 0 || (this.kind > 2 && this.kind != 5))) this.fail(Fault.TAG);
    if (this.fault != Fault.NONE) return false;
    this.field = <u32>(tag >> 3);
    return true;
  }

  is(kind: u32): bool {
    if (this.kind != kind) this.fail(Fault.KIND);
    return this.kind == kind;
  }

  private take(size: u64): usize {
    if (size > <u64>(this.end - this.at)) {
      this.fail(Fault.SHORT);
      return 0;
    }
    const taken = this.at;
    this.at += <usize>size;
    return taken;
  }

  /** The piece that begins with its length. */
  piece(): Reader {
    const size = this.u64();
    const at = this.take(size);
    const inner = at ? new Reader(at, at + <usize>size) : new Reader(this.at, this.at);
    inner.field = this.field;
    return inner;
  }

  /** Takes over what went wrong in a piece. */
  close(inner: Reader): void {
    if (inner.fault == Fault.NONE) return;
    this.fail(inner.fault);
    this.field = inner.field;
  }

  skip(): void {
    if (this.kind == 0) this.u64();
    else if (this.kind == 2) this.take(this.u64());
    else this.take(this.kind == 1 ? 8 : 4);
  }

  /** Passes a field that is not known, and keeps it. */
  keep(unknown: Uint8Array): Uint8Array {
    this.skip();
    if (this.fault != Fault.NONE) return unknown;
    const size = <i32>(this.at - this.start);
    const grown = new Uint8Array(unknown.length + size);
    grown.set(unknown);
    memory.copy(grown.dataStart + unknown.length, this.start, size);
    return grown;
  }

  all(): Uint8Array {
    return copy(this.begin, this.end);
  }

  u64(): u64 {
    let value: u64 = 0;
    let shift: u64 = 0;
    while (true) {
      const at = this.take(1);
      if (at == 0) return 0;
      const byte = load<u8>(at);
      if (shift == 63 && byte > 1) {
        this.fail(Fault.LONG_NUMBER);
        return 0;
      }
      value |= (<u64>(byte & 0x7f)) << shift;
      if (byte < 0x80) return value;
      shift += 7;
    }
  }

  private within(value: i32, least: i32, most: i32): i32 {
    if (value < least || value > most) this.fail(Fault.RANGE);
    return value;
  }

  bool(): bool {
    return this.u64() != 0;
  }
  u8(): u8 {
    const value = this.u32();
    if (value > 0xff) this.fail(Fault.RANGE);
    return <u8>value;
  }
  u16(): u16 {
    const value = this.u32();
    if (value > 0xffff) this.fail(Fault.RANGE);
    return <u16>value;
  }
  u32(): u32 {
    return <u32>this.u64();
  }
  i32(): i32 {
    return <i32>this.u64();
  }
  i64(): i64 {
    return <i64>this.u64();
  }
  s8(): i8 {
    return <i8>this.within(this.s32(), -128, 127);
  }
  s16(): i16 {
    return <i16>this.within(this.s32(), -32768, 32767);
  }
  s32(): i32 {
    const value = this.u32();
    return <i32>(value >> 1) ^ -(<i32>(value & 1));
  }
  s64(): i64 {
    const value = this.u64();
    return <i64>(value >> 1) ^ -(<i64>(value & 1));
  }
  fixed32(): u32 {
    const at = this.take(4);
    return at ? load<u32>(at) : 0;
  }
  fixed64(): u64 {
    const at = this.take(8);
    return at ? load<u64>(at) : 0;
  }
  sfixed32(): i32 {
    return <i32>this.fixed32();
  }
  sfixed64(): i64 {
    return <i64>this.fixed64();
  }
  f32(): f32 {
    return reinterpret<f32>(this.fixed32());
  }
  f64(): f64 {
    return reinterpret<f64>(this.fixed64());
  }
  char(): u32 {
    const code = this.u64();
    if (!isChar(code)) this.fail(Fault.RANGE);
    return <u32>code;
  }
  data(): Uint8Array {
    const size = this.u64();
    const at = this.take(size);
    return at ? copy(at, at + <usize>size) : new Uint8Array(0);
  }
  text(): string {
    const size = this.u64();
    const at = this.take(size);
    if (at == 0) return "";
    if (!isText(at, at + <usize>size)) {
      this.fail(Fault.UTF8);
      return "";
    }
    return String.UTF8.decodeUnsafe(at, <usize>size);
  }
}

function copy(from: usize, to: usize): Uint8Array {
  const out = new Uint8Array(<i32>(to - from));
  memory.copy(out.dataStart, from, to - from);
  return out;
}

/** Bytes that are being written. */
export class Writer {
  private buffer: Uint8Array = new Uint8Array(64);
  size: i32 = 0;

  private room(size: i32): usize {
    if (this.buffer.length - this.size < size) {
      const grown = new Uint8Array(2 * (this.size + size));
      memory.copy(grown.dataStart, this.buffer.dataStart, this.size);
      this.buffer = grown;
    }
    this.size += size;
    return this.buffer.dataStart + this.size - size;
  }

  done(): Uint8Array {
    return this.buffer.slice(0, this.size);
  }

  tag(number: u32, kind: u32): void {
    this.u64(((<u64>number) << 3) | kind);
  }

  /** Bytes as they are. */
  put(bytes: Uint8Array): void {
    const at = this.room(bytes.length);
    memory.copy(at, bytes.dataStart, bytes.length);
  }

  u64(value: u64): void {
    for (; value > 0x7f; value >>= 7) store<u8>(this.room(1), <u8>value | 0x80);
    store<u8>(this.room(1), <u8>value);
  }
  bool(value: bool): void {
    this.u64(value ? 1 : 0);
  }
  u8(value: u8): void {
    this.u64(value);
  }
  u16(value: u16): void {
    this.u64(value);
  }
  u32(value: u32): void {
    this.u64(value);
  }
  i32(value: i32): void {
    this.u64(<u64>(<i64>value));
  }
  i64(value: i64): void {
    this.u64(<u64>value);
  }
  s8(value: i8): void {
    this.s64(value);
  }
  s16(value: i16): void {
    this.s64(value);
  }
  s32(value: i32): void {
    this.s64(value);
  }
  s64(value: i64): void {
    this.u64(<u64>((value << 1) ^ (value >> 63)));
  }
  fixed32(value: u32): void {
    store<u32>(this.room(4), value);
  }
  fixed64(value: u64): void {
    store<u64>(this.room(8), value);
  }
  sfixed32(value: i32): void {
    this.fixed32(<u32>value);
  }
  sfixed64(value: i64): void {
    this.fixed64(<u64>value);
  }
  f32(value: f32): void {
    this.fixed32(reinterpret<u32>(value));
  }
  f64(value: f64): void {
    this.fixed64(reinterpret<u64>(value));
  }
  char(value: u32): void {
    this.u64(value);
  }
  data(value: Uint8Array): void {
    this.u64(value.length);
    this.put(value);
  }
  text(value: string): void {
    this.data(utf8(value));
  }
  message(value: Message): void {
    this.data(value.encode());
  }
  /** What another has written, as a field of its own; nothing if that is nothing. */
  filled(number: u32, inner: Writer): void {
    if (inner.size == 0) return;
    this.tag(number, 2);
    this.data(inner.done());
  }
}

/** A value with bytes. */
export abstract class Message {
  /** Reads fields over what is there. */
  abstract merge(r: Reader): void;

  abstract write(w: Writer): void;

  encode(): Uint8Array {
    const w = new Writer();
    this.write(w);
    return w.done();
  }
}

/** Reads a message. */
export function decode<T extends Message>(bytes: Uint8Array): Decoded<T> {
  const value = instantiate<T>();
  const r = Reader.of(bytes);
  value.merge(r);
  return new Decoded<T>(value, r.fault, r.field);
}

/** Reads a message in one over what is there. */
export function read<T extends Message>(r: Reader, value: T): T {
  const inner = r.piece();
  value.merge(inner);
  r.close(inner);
  return value;
}
