# Written by `weir bindgen`; do not edit.
import struct

from weir_map import Counters, DecodeError, Field, IntEnum, IntFlag, Map, Message, Variant


# Who somebody is.
class User(Message):
    FIELDS = (
        # What they are called.
        Field(1, "name", "plain", "text"),
        Field(2, "id", "plain", "s32"),
    )


class Colour(IntEnum):
    RED = 0
    GREEN = 1
    BLUE = 7


class Rights(IntFlag):
    READ = 1 << 0
    WRITE = 1 << 1
    ADMIN = 1 << 40


class Point(Message):
    FIELDS = (
        Field(1, "x", "plain", "f64"),
        Field(2, "y", "plain", "f64"),
    )


class ShapePolygonItems(Message):
    FIELDS = (
        Field(1, "items", "repeated", "message", Point),
    )


class Shape(Variant):
    CASES = (
        Field(1, "nothing", "unit", "bool"),
        Field(2, "circle", "plain", "f32"),
        Field(3, "polygon", "plain", "message", ShapePolygonItems),
        Field(4, "label", "plain", "text"),
        Field(5, "owner", "plain", "message", User),
    )


class SampleMaybeListItems(Message):
    FIELDS = (
        Field(1, "items", "repeated", "u32"),
    )


class SampleGridItems(Message):
    FIELDS = (
        Field(1, "items", "repeated", "u32"),
    )


class SamplePair(Message):
    FIELDS = (
        Field(1, "f0", "plain", "u32"),
        Field(2, "f1", "plain", "text"),
    )


class SampleOutcome(Variant):
    CASES = (
        Field(1, "ok", "plain", "u32"),
        Field(2, "err", "plain", "text"),
    )


class SampleDone(Variant):
    CASES = (
        Field(1, "ok", "unit", "bool"),
        Field(2, "err", "unit", "bool"),
    )


# A value with a field of every type.
class Sample(Message):
    FIELDS = (
        Field(1, "flag", "plain", "bool"),
        Field(2, "tiny", "plain", "s8"),
        Field(3, "small", "plain", "s16"),
        Field(4, "medium", "plain", "s32"),
        Field(5, "big", "plain", "s64"),
        Field(6, "utiny", "plain", "u8"),
        Field(7, "usmall", "plain", "u16"),
        Field(8, "umedium", "plain", "u32"),
        Field(9, "ubig", "plain", "u64"),
        Field(10, "single", "plain", "f32"),
        Field(11, "double", "plain", "f64"),
        Field(12, "letter", "plain", "char"),
        Field(13, "text", "plain", "text"),
        Field(14, "raw", "plain", "bytes"),
        Field(15, "colour", "plain", "i32", Colour),
        Field(16, "rights", "plain", "u64", Rights),
        Field(17, "user", "plain", "message", User),
        Field(18, "shape", "plain", "message", Shape),
        Field(19, "maybe_number", "optional", "u32"),
        Field(20, "maybe_text", "optional", "text"),
        Field(21, "maybe_user", "optional", "message", User),
        Field(22, "maybe_list", "optional", "message", SampleMaybeListItems),
        Field(23, "numbers", "repeated", "s64"),
        Field(24, "ratios", "repeated", "f64"),
        Field(25, "colours", "repeated", "i32", Colour),
        Field(26, "texts", "repeated", "text"),
        Field(27, "users", "repeated", "message", User),
        Field(28, "shapes", "repeated", "message", Shape),
        Field(29, "grid", "repeated", "message", SampleGridItems),
        Field(30, "pair", "plain", "message", SamplePair),
        Field(31, "outcome", "plain", "message", SampleOutcome),
        Field(32, "done", "plain", "message", SampleDone),
        # Given later.
        Field(100, "type_", "plain", "text"),
    )


# Passed between languages byte for byte.
class DataPacket(Message):
    FIELDS = (
        Field(1, "id", "plain", "u32"),
        Field(2, "value", "plain", "f64"),
    )


# A record in a record, with padding in between.
class Frame(Message):
    FIELDS = (
        Field(1, "kind", "plain", "u8"),
        Field(2, "packet", "plain", "message", DataPacket),
        Field(3, "colour", "plain", "i32", Colour),
        Field(4, "last", "plain", "bool"),
        Field(5, "delta", "plain", "s16"),
    )


class ListsItems(Message):
    FIELDS = (
        Field(1, "items", "repeated", "u32"),
    )


# Everybody.
class UsersMap(Map):
    NAME = "users"
    SCHEMA = 0x065edcd93956cb6b
    KEY = "text"

    def encode(self, value):
        return value.encode()

    def decode(self, data):
        return User.decode(data)


class SamplesMap(Map):
    NAME = "samples"
    SCHEMA = 0x01a66753f71967fa
    KEY = "u64"

    def encode(self, value):
        return value.encode()

    def decode(self, data):
        return Sample.decode(data)


class ShapesMap(Map):
    NAME = "shapes"
    SCHEMA = 0xb9dda70369fcdd08
    KEY = "i32"

    def encode(self, value):
        return value.encode()

    def decode(self, data):
        return Shape.decode(data)


class PacketsMap(Map):
    NAME = "packets"
    SCHEMA = 0x27af3828d3c82eb8
    KEY = "u32"
    LAYOUT = struct.Struct("<I4xd")

    def encode(self, value):
        return self.LAYOUT.pack(value.id, value.value)

    def decode(self, data):
        return self.unpack(data)

    def unpack(self, data):
        if len(data) != self.LAYOUT.size:
            raise DecodeError("C's layout has another length")
        p = self.LAYOUT.unpack(data)
        return DataPacket(id=p[0], value=p[1])


class FramesMap(Map):
    NAME = "frames"
    SCHEMA = 0x308b764744f7946d
    KEY = "u16"
    LAYOUT = struct.Struct("<B7xI4xdi?1xh")

    def encode(self, value):
        return self.LAYOUT.pack(value.kind, value.packet.id, value.packet.value, value.colour, value.last, value.delta)

    def decode(self, data):
        return self.unpack(data)

    def unpack(self, data):
        if len(data) != self.LAYOUT.size:
            raise DecodeError("C's layout has another length")
        p = self.LAYOUT.unpack(data)
        return Frame(kind=p[0], packet=DataPacket(id=p[1], value=p[2]), colour=p[3], last=p[4], delta=p[5])


class ThumbsMap(Map):
    NAME = "thumbs"
    SCHEMA = 0xd810e838a84e6698
    KEY = "u64"

    def encode(self, value):
        return bytes(value)

    def decode(self, data):
        return bytes(data)


class NotesMap(Map):
    NAME = "notes"
    SCHEMA = 0xb88d3a4fb89a2805
    KEY = "bytes"

    def encode(self, value):
        return value.encode()

    def decode(self, data):
        return bytes(data).decode()


class CountersMap(Counters):
    NAME = "counters"
    SCHEMA = 0x0b40c6729ea1c9b8
    KEY = "text"


class ListsMap(Map):
    NAME = "lists"
    SCHEMA = 0x712244bfb64cf207
    KEY = "bool"

    def encode(self, value):
        return value.encode()

    def decode(self, data):
        return ListsItems.decode(data)
