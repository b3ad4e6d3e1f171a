// Written by `weir bindgen`; do not edit. What generated types and maps stand on.

/** Bytes are no value. */
export class DecodeError extends Error {}

/** An entry has another version, which is `version`. */
export class Again extends Error {
  constructor(version) {
    super(`the entry has the version ${version}`);
    this.version = version;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const text = new TextEncoder();
const short = () => new DecodeError("the bytes end within a field");
const RANGES = {
  u8: [0, 0xff], u16: [0, 0xffff], u32: [0, 0xffffffff], u64: [0n, 2n ** 64n - 1n],
  i32: [-(2 ** 31), 2 ** 31 - 1], i64: [-(2n ** 63n), 2n ** 63n - 1n], s8: [-128, 127], s16: [-32768, 32767],
  s32: [-(2 ** 31), 2 ** 31 - 1], s64: [-(2n ** 63n), 2n ** 63n - 1n],
};
const KINDS = { text: 2, bytes: 2, message: 2, fixed32: 5, sfixed32: 5, f32: 5, fixed64: 1, sfixed64: 1, f64: 1 };
const FIXED = { fixed32: "Uint32", sfixed32: "Int32", f32: "Float32", fixed64: "BigUint64", sfixed64: "BigInt64", f64: "Float64" };
const BIG = ["u64", "i64", "s64", "fixed64", "sfixed64"];

class Reader {
  constructor(bytes, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
    this.end = end;
  }
  varint() {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (this.at >= this.end) throw short();
      const byte = this.bytes[this.at++];
      if (shift === 63n && byte > 1) throw new DecodeError("a number has more than 64 bits");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }
  piece() {
    const size = this.varint();
    if (size > BigInt(this.end - this.at)) throw short();
    const start = this.at;
    this.at += Number(size);
    return new Reader(this.bytes, start, this.at);
  }
  take(size) {
    if (size > this.end - this.at) throw short();
    this.at += size;
    return this.at - size;
  }
  tag() {
    const tag = this.varint();
    const kind = Number(tag & 7n);
    if (tag >> 32n || tag < 8n || ![0, 1, 2, 5].includes(kind)) {
      throw new DecodeError("a field begins with a number or kind that there is not");
    }
    return [Number(tag >> 3n), kind];
  }
  skip(kind) {
    if (kind === 0) this.varint();
    else if (kind === 2) this.piece();
    else this.take(kind === 1 ? 8 : 4);
  }
  slice(start = this.at) {
    return this.bytes.slice(start, this.end);
  }
}

class Writer {
  constructor() {
    this.bytes = [];
  }
  varint(value) {
    let left = BigInt.asUintN(64, BigInt(value));
    for (; left > 0x7fn; left >>= 7n) this.bytes.push(Number(left & 0x7fn) | 0x80);
    this.bytes.push(Number(left));
  }
  put(bytes) {
    for (const byte of bytes) this.bytes.push(byte);
  }
}

const outside = (field) => new DecodeError(`field ${field.name} is outside the range of its type`);

function fromVarint(field, value) {
  const low = Number(value & 0xffffffffn);
  switch (field.form) {
    case "bool": return value !== 0n;
    case "u64": return value;
    case "i64": return BigInt.asIntN(64, value);
    case "s64": return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n));
    case "u32": return low;
    case "i32": return low | 0;
    case "char":
      if (value > 0x10ffffn || value >> 11n === 0x1bn) throw outside(field);
      return String.fromCodePoint(low);
    default: {
      const number = field.form[0] === "s" ? (low >>> 1) ^ -(low & 1) : low;
      const [least, most] = RANGES[field.form];
      if (number < least || number > most) throw outside(field);
      return number;
    }
  }
}

/** A row of a message's table. */
export class Field {
  constructor(number, name, rule, form, of = null) {
    Object.assign(this, { number, name, rule, form, of });
    this.kind = KINDS[form] ?? 0;
    this.isPacked = rule === "repeated" && this.kind !== 2;
  }
  default() {
    if (this.form === "message") return new this.of();
    if (BIG.includes(this.form)) return 0n;
    return { text: "", bytes: new Uint8Array(), bool: false, char: "\0" }[this.form] ?? 0;
  }
  read(reader) {
    if (this.kind === 0) return fromVarint(this, reader.varint());
    if (this.kind !== 2) {
      const at = reader.take(this.kind === 1 ? 8 : 4);
      return reader.view[`get${FIXED[this.form]}`](at, true);
    }
    const piece = reader.piece();
    if (this.form === "message") return new this.of().merge(piece);
    if (this.form === "bytes") return piece.slice();
    try {
      return utf8.decode(piece.slice());
    } catch {
      throw new DecodeError(`field ${this.name} is not UTF-8`);
    }
  }
  write(writer, value) {
    if (this.kind === 2) {
      const bytes = this.form === "bytes" ? value : this.form === "text" ? text.encode(value) : value.encode();
      writer.varint(bytes.length);
      writer.put(bytes);
    } else if (this.kind === 0) {
      let number = this.form === "char" ? value.codePointAt(0) : this.form === "bool" ? Number(value) : value;
      const range = RANGES[this.form];
      if (range && (number < range[0] || number > range[1])) throw new RangeError(`field ${this.name}: ${number} is outside ${range[0]} to ${range[1]}`);
      number = BigInt(number);
      writer.varint(this.form[0] === "s" ? (number << 1n) ^ (number >> 63n) : number);
    } else {
      const bytes = new Uint8Array(this.kind === 1 ? 8 : 4);
      new DataView(bytes.buffer)[`set${FIXED[this.form]}`](0, value, true);
      writer.put(bytes);
    }
  }
}

function tag(writer, field, kind = field.kind) {
  writer.varint((BigInt(field.number) << 3n) | BigInt(kind));
}

/** Fields with bytes. */
export class Message {
  static FIELDS = [];
  constructor(values = {}) {
    const fields = this.constructor.FIELDS;
    this.unknown = values.unknown ?? new Uint8Array();
    for (const field of fields) {
      const none = field.rule === "plain" ? field.default() : field.rule === "repeated" ? [] : null;
      this[field.name] = values[field.name] ?? none;
    }
    for (const name of Object.keys(values)) {
      if (!(name in this)) throw new TypeError(`${this.constructor.name} has no ${name}`);
    }
  }
  static decode(bytes) {
    return new this().merge(new Reader(bytes));
  }
  merge(reader) {
    const rows = new Map(this.constructor.FIELDS.map((field) => [field.number, field]));
    while (reader.at < reader.end) {
      const start = reader.at;
      const [number, kind] = reader.tag();
      const field = rows.get(number);
      if (!field) {
        reader.skip(kind);
        this.unknown = Uint8Array.from([...this.unknown, ...reader.bytes.subarray(start, reader.at)]);
      } else if (field.isPacked && kind === 2) {
        for (const piece = reader.piece(); piece.at < piece.end; ) this[field.name].push(field.read(piece));
      } else if (kind !== field.kind) {
        throw new DecodeError(`field ${field.name} is not written as its type is`);
      } else if (field.rule === "repeated") {
        this[field.name].push(field.read(reader));
      } else if (this[field.name] instanceof Message) {
        this[field.name].merge(reader.piece());
      } else {
        this[field.name] = field.read(reader);
      }
    }
    return this;
  }
  encode() {
    const writer = new Writer();
    for (const field of this.constructor.FIELDS) {
      const value = this[field.name];
      if (field.isPacked) {
        if (value.length === 0) continue;
        const packed = new Writer();
        for (const item of value) field.write(packed, item);
        tag(writer, field, 2);
        writer.varint(packed.bytes.length);
        writer.put(packed.bytes);
        continue;
      }
      for (const item of field.rule === "repeated" ? value : value === null ? [] : [value]) {
        const body = new Writer();
        field.write(body, item);
        const isEmpty = field.form === "message" ? item instanceof Message && body.bytes.length === 1 : body.bytes.every((byte) => byte === 0);
        if (field.rule === "plain" && isEmpty) continue;
        tag(writer, field);
        writer.put(body.bytes);
      }
    }
    writer.put(this.unknown);
    return Uint8Array.from(writer.bytes);
  }
}

/** One case: its name, and what it carries (null: nothing). The case null is one that a newer schema has. */
export class Variant {
  static CASES = [];
  constructor(name = undefined, value = undefined) {
    this.case = name === undefined ? (this.constructor.CASES[0]?.name ?? null) : name;
    this.unknown = new Uint8Array();
    const field = this.field();
    this.value = value !== undefined ? value : field && field.rule !== "unit" ? field.default() : null;
  }
  field() {
    if (this.case === null) return null;
    const found = this.constructor.CASES.find((field) => field.name === this.case);
    if (!found) throw new TypeError(`${this.constructor.name} has no case ${this.case}`);
    return found;
  }
  static decode(bytes) {
    return new this().merge(new Reader(bytes));
  }
  merge(reader) {
    const start = reader.at;
    Object.assign(this, { case: null, value: null, unknown: new Uint8Array() });
    while (reader.at < reader.end) {
      const [number, kind] = reader.tag();
      const field = this.constructor.CASES.find((row) => row.number === number);
      if (!field) {
        reader.skip(kind);
        continue;
      }
      if (kind !== field.kind) throw new DecodeError(`field ${field.name} is not written as its type is`);
      const value = field.read(reader);
      this.case = field.name;
      this.value = field.rule === "unit" ? null : value;
    }
    if (this.case === null) this.unknown = reader.slice(start);
    return this;
  }
  encode() {
    const field = this.field();
    if (!field) return this.unknown;
    const writer = new Writer();
    tag(writer, field);
    field.write(writer, field.rule === "unit" ? true : this.value);
    return Uint8Array.from(writer.bytes);
  }
}

/** Copies of members at their places, with zeros in between. */
export function layOut(size, members, value, out = new Uint8Array(size), base = 0) {
  const view = new DataView(out.buffer);
  for (const [name, at, method, inner] of members) {
    if (inner) layOut(inner.size, inner.members, value[name], out, base + at);
    else view[`set${method}`](base + at, method === "Uint32" && typeof value[name] === "string" ? value[name].codePointAt(0) : method.includes("Big") ? BigInt(value[name]) : Number(value[name]), true);
  }
  return out;
}

/** The members of a record that C laid out. */
export function pickUp(type, size, members, bytes, base = 0) {
  if (base === 0 && bytes.length !== size) throw new DecodeError("C's layout has another length");
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const values = {};
  for (const [name, at, method, inner, as] of members) {
    const value = inner ? null : view[`get${method}`](base + at, true);
    values[name] = inner ? pickUp(inner.type, inner.size, inner.members, bytes.subarray(base + at, base + at + inner.size)) : as ? as(value) : value;
  }
  return new type(values);
}

const INTEGER = /^[iu](8|16|32|64)$/;

/** The bytes of a key, in the order of keys. */
export function keyToBytes(form, key) {
  if (form === "text") return text.encode(key);
  if (form === "bytes") return key;
  if (form === "bool") return Uint8Array.of(key ? 1 : 0);
  const bits = Number(INTEGER.exec(form)[1]);
  let value = BigInt(key) + (form[0] === "i" ? 1n << BigInt(bits - 1) : 0n);
  if (value < 0n || value >> BigInt(bits)) throw new RangeError(`the key ${key} is outside the range of its type`);
  const out = new Uint8Array(bits / 8);
  for (let at = out.length - 1; at >= 0; at--, value >>= 8n) out[at] = Number(value & 0xffn);
  return out;
}

/** The key in these bytes. */
export function keyFromBytes(form, bytes) {
  if (form === "text") return utf8.decode(bytes);
  if (form === "bytes") return bytes;
  if (form === "bool") return bytes[0] === 1;
  const bits = Number(INTEGER.exec(form)[1]);
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  if (form[0] === "i") value -= 1n << BigInt(bits - 1);
  return bits === 64 ? value : Number(value);
}

/**
 * A typed map over a raw one: the resource `map` of `wasi-map:map`, or one of a test, with `get(key)` (undefined, or
 * value and version), `set(key, value)`, `delete(key)` (whether there was one), `exists(key)`,
 * `compareAndSwap(key, expected, value)` (whether it was done, and the version), `increment(key, delta)`,
 * `scan(prefix)` (keys, values, versions) and `watch(prefix)`.
 */
export class TypedMap {
  static NAME = "";
  static SCHEMA = 0n;
  static KEY = "bytes";
  constructor(raw) {
    this.raw = raw;
  }
  key(key) {
    return keyToBytes(this.constructor.KEY, key);
  }
  get(key) {
    const found = this.raw.get(this.key(key));
    return found && { value: this.decode(found[0]), version: found[1] };
  }
  set(key, value) {
    this.raw.set(this.key(key), this.encode(value));
  }
  delete(key) {
    return this.raw.delete(this.key(key));
  }
  has(key) {
    return this.raw.exists(this.key(key));
  }
  /** The new version; throws `Again` if the entry has another. */
  compareAndSwap(key, expected, value) {
    const [done, version] = this.raw.compareAndSwap(this.key(key), expected, this.encode(value));
    if (!done) throw new Again(version);
    return version;
  }
  *scan(prefix = new Uint8Array()) {
    for (const [key, value, version] of this.raw.scan(prefix)) {
      yield { key: keyFromBytes(this.constructor.KEY, key), value: this.decode(value), version };
    }
  }
  watch(prefix = new Uint8Array()) {
    return this.raw.watch(prefix);
  }
}

/** A map of counters. */
export class Counters extends TypedMap {
  encode(value) {
    const out = new Uint8Array(8);
    new DataView(out.buffer).setBigInt64(0, BigInt(value), true);
    return out;
  }
  decode(bytes) {
    if (bytes.length !== 8) throw new DecodeError("a counter has eight bytes");
    return new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0, true);
  }
  increment(key, delta) {
    return this.raw.increment(this.key(key), BigInt(delta));
  }
}

/** Text as it is. */
export const textCodec = { encode: (value) => text.encode(value), decode: (bytes) => utf8.decode(bytes) };
