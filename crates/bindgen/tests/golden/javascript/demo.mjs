// Written by `weir bindgen`; do not edit.
import { Counters, DecodeError, Field, Message, TypedMap, Variant, layOut, pickUp, textCodec } from "./weir_map.mjs";

// Who somebody is.
export class User extends Message {
  static FIELDS = [
    // What they are called.
    new Field(1, "name", "plain", "text"),
    new Field(2, "id", "plain", "s32"),
  ];
}

export const Colour = Object.freeze({
  RED: 0,
  GREEN: 1,
  BLUE: 7,
});

export const Rights = Object.freeze({
  READ: 1n << 0n,
  WRITE: 1n << 1n,
  ADMIN: 1n << 40n,
});

export class Point extends Message {
  static FIELDS = [
    new Field(1, "x", "plain", "f64"),
    new Field(2, "y", "plain", "f64"),
  ];
}

export class ShapePolygonItems extends Message {
  static FIELDS = [
    new Field(1, "items", "repeated", "message", Point),
  ];
}

export class Shape extends Variant {
  static CASES = [
    new Field(1, "nothing", "unit", "bool"),
    new Field(2, "circle", "plain", "f32"),
    new Field(3, "polygon", "plain", "message", ShapePolygonItems),
    new Field(4, "label", "plain", "text"),
    new Field(5, "owner", "plain", "message", User),
  ];
}

export class SampleMaybeListItems extends Message {
  static FIELDS = [
    new Field(1, "items", "repeated", "u32"),
  ];
}

export class SampleGridItems extends Message {
  static FIELDS = [
    new Field(1, "items", "repeated", "u32"),
  ];
}

export class SamplePair extends Message {
  static FIELDS = [
    new Field(1, "f0", "plain", "u32"),
    new Field(2, "f1", "plain", "text"),
  ];
}

export class SampleOutcome extends Variant {
  static CASES = [
    new Field(1, "ok", "plain", "u32"),
    new Field(2, "err", "plain", "text"),
  ];
}

export class SampleDone extends Variant {
  static CASES = [
    new Field(1, "ok", "unit", "bool"),
    new Field(2, "err", "unit", "bool"),
  ];
}

// A value with a field of every type.
export class Sample extends Message {
  static FIELDS = [
    new Field(1, "flag", "plain", "bool"),
    new Field(2, "tiny", "plain", "s8"),
    new Field(3, "small", "plain", "s16"),
    new Field(4, "medium", "plain", "s32"),
    new Field(5, "big", "plain", "s64"),
    new Field(6, "utiny", "plain", "u8"),
    new Field(7, "usmall", "plain", "u16"),
    new Field(8, "umedium", "plain", "u32"),
    new Field(9, "ubig", "plain", "u64"),
    new Field(10, "single", "plain", "f32"),
    new Field(11, "double", "plain", "f64"),
    new Field(12, "letter", "plain", "char"),
    new Field(13, "text", "plain", "text"),
    new Field(14, "raw", "plain", "bytes"),
    new Field(15, "colour", "plain", "i32", Colour),
    new Field(16, "rights", "plain", "u64", Rights),
    new Field(17, "user", "plain", "message", User),
    new Field(18, "shape", "plain", "message", Shape),
    new Field(19, "maybeNumber", "optional", "u32"),
    new Field(20, "maybeText", "optional", "text"),
    new Field(21, "maybeUser", "optional", "message", User),
    new Field(22, "maybeList", "optional", "message", SampleMaybeListItems),
    new Field(23, "numbers", "repeated", "s64"),
    new Field(24, "ratios", "repeated", "f64"),
    new Field(25, "colours", "repeated", "i32", Colour),
    new Field(26, "texts", "repeated", "text"),
    new Field(27, "users", "repeated", "message", User),
    new Field(28, "shapes", "repeated", "message", Shape),
    new Field(29, "grid", "repeated", "message", SampleGridItems),
    new Field(30, "pair", "plain", "message", SamplePair),
    new Field(31, "outcome", "plain", "message", SampleOutcome),
    new Field(32, "done", "plain", "message", SampleDone),
    // Given later.
    new Field(100, "type", "plain", "text"),
  ];
}

// Passed between languages byte for byte.
export class DataPacket extends Message {
  static FIELDS = [
    new Field(1, "id", "plain", "u32"),
    new Field(2, "value", "plain", "f64"),
  ];
}

// A record in a record, with padding in between.
export class Frame extends Message {
  static FIELDS = [
    new Field(1, "kind", "plain", "u8"),
    new Field(2, "packet", "plain", "message", DataPacket),
    new Field(3, "colour", "plain", "i32", Colour),
    new Field(4, "last", "plain", "bool"),
    new Field(5, "delta", "plain", "s16"),
  ];
}

export class ListsItems extends Message {
  static FIELDS = [
    new Field(1, "items", "repeated", "u32"),
  ];
}

// Everybody.
export class UsersMap extends TypedMap {
  static NAME = "users";
  static SCHEMA = 0x065edcd93956cb6bn;
  static KEY = "text";
  encode(value) {
    return value.encode();
  }
  decode(bytes) {
    return User.decode(bytes);
  }
}

export class SamplesMap extends TypedMap {
  static NAME = "samples";
  static SCHEMA = 0x01a66753f71967fan;
  static KEY = "u64";
  encode(value) {
    return value.encode();
  }
  decode(bytes) {
    return Sample.decode(bytes);
  }
}

export class ShapesMap extends TypedMap {
  static NAME = "shapes";
  static SCHEMA = 0xb9dda70369fcdd08n;
  static KEY = "i32";
  encode(value) {
    return value.encode();
  }
  decode(bytes) {
    return Shape.decode(bytes);
  }
}

export class PacketsMap extends TypedMap {
  static NAME = "packets";
  static SCHEMA = 0x27af3828d3c82eb8n;
  static KEY = "u32";
  static LAYOUT = { type: DataPacket, size: 16, members: [["id", 0, "Uint32", null], ["value", 8, "Float64", null]] };
  encode(value) {
    return layOut(PacketsMap.LAYOUT.size, PacketsMap.LAYOUT.members, value);
  }
  decode(bytes) {
    return pickUp(PacketsMap.LAYOUT.type, PacketsMap.LAYOUT.size, PacketsMap.LAYOUT.members, bytes);
  }
}

export class FramesMap extends TypedMap {
  static NAME = "frames";
  static SCHEMA = 0x308b764744f7946dn;
  static KEY = "u16";
  static LAYOUT = { type: Frame, size: 32, members: [["kind", 0, "Uint8", null], ["packet", 8, "", { type: DataPacket, size: 16, members: [["id", 0, "Uint32", null], ["value", 8, "Float64", null]] }], ["colour", 24, "Int32", null], ["last", 28, "Uint8", null, (value) => value !== 0], ["delta", 30, "Int16", null]] };
  encode(value) {
    return layOut(FramesMap.LAYOUT.size, FramesMap.LAYOUT.members, value);
  }
  decode(bytes) {
    return pickUp(FramesMap.LAYOUT.type, FramesMap.LAYOUT.size, FramesMap.LAYOUT.members, bytes);
  }
}

export class ThumbsMap extends TypedMap {
  static NAME = "thumbs";
  static SCHEMA = 0xd810e838a84e6698n;
  static KEY = "u64";
  encode(value) {
    return value;
  }
  decode(bytes) {
    return bytes;
  }
}

export class NotesMap extends TypedMap {
  static NAME = "notes";
  static SCHEMA = 0xb88d3a4fb89a2805n;
  static KEY = "bytes";
  encode(value) {
    return textCodec.encode(value);
  }
  decode(bytes) {
    return textCodec.decode(bytes);
  }
}

export class CountersMap extends Counters {
  static NAME = "counters";
  static SCHEMA = 0x0b40c6729ea1c9b8n;
  static KEY = "text";
}

export class ListsMap extends TypedMap {
  static NAME = "lists";
  static SCHEMA = 0x712244bfb64cf207n;
  static KEY = "bool";
  encode(value) {
    return value.encode();
  }
  decode(bytes) {
    return ListsItems.decode(bytes);
  }
}
