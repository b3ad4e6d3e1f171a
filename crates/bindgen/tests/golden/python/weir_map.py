# Written by `weir bindgen`; do not edit. What generated types and maps stand on.
import struct
from enum import IntEnum, IntFlag


class DecodeError(ValueError):
    """Bytes are no value."""


class Again(Exception):
    """An entry has another version, which is `version`."""

    def __init__(self, version):
        super().__init__(f"the entry has the version {version}")
        self.version = version


def _varint(data, at, end):
    value = shift = 0
    while True:
        if at >= end:
            raise DecodeError("the bytes end within a field")
        byte = data[at]
        at += 1
        if shift == 63 and byte > 1:
            raise DecodeError("a number has more than 64 bits")
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _put_varint(out, value):
    value &= 0xFFFFFFFFFFFFFFFF
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _piece(data, at, end):
    size, at = _varint(data, at, end)
    if size > end - at:
        raise DecodeError("the bytes end within a field")
    return at, at + size


def _signed(value, bits):
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _ranged(value, low, high, name):
    if not low <= value <= high:
        raise DecodeError(f"field {name} is outside the range of its type")
    return value


def _unzigzag(value, bits):
    value &= (1 << bits) - 1
    return (value >> 1) ^ -(value & 1)


# form: kind, reader of a varint or None, format of a fixed number or None
_FIXED = {"fixed32": "<I", "fixed64": "<Q", "sfixed32": "<i", "sfixed64": "<q", "f32": "<f", "f64": "<d"}
_KIND = {"text": 2, "bytes": 2, "message": 2, "fixed32": 5, "sfixed32": 5, "f32": 5, "fixed64": 1, "sfixed64": 1, "f64": 1}
_RANGES = {
    "u8": (0, 0xFF), "u16": (0, 0xFFFF), "u32": (0, 0xFFFFFFFF), "u64": (0, 2**64 - 1),
    "i32": (-(2**31), 2**31 - 1), "i64": (-(2**63), 2**63 - 1), "s8": (-128, 127), "s16": (-(2**15), 2**15 - 1),
    "s32": (-(2**31), 2**31 - 1), "s64": (-(2**63), 2**63 - 1),
}


def _from_varint(form, value, name):
    if form == "bool":
        return value != 0
    if form in ("u8", "u16"):
        return _ranged(value & 0xFFFFFFFF, *_RANGES[form], name)
    if form == "u32":
        return value & 0xFFFFFFFF
    if form == "u64":
        return value
    if form in ("i32", "i64"):
        return _signed(value, int(form[1:]))
    if form == "char":
        if value > 0x10FFFF or 0xD800 <= value < 0xE000:
            raise DecodeError(f"field {name} is outside the range of its type")
        return chr(value)
    if form == "s64":
        return _unzigzag(value, 64)
    return _ranged(_unzigzag(value, 32), *_RANGES[form], name)


class Field:
    """A row of a message's table."""

    def __init__(self, number, name, rule, form, of=None):
        self.number, self.name, self.rule, self.form, self.of = number, name, rule, form, of
        self.kind = _KIND.get(form, 0)
        self.is_packed = rule == "repeated" and self.kind != 2

    def default(self):
        if self.form == "message":
            return self.of()
        return {"text": "", "bytes": b"", "bool": False, "char": "\0", "f32": 0.0, "f64": 0.0}.get(self.form, 0)

    def read(self, data, at, end):
        if self.kind == 0:
            value, at = _varint(data, at, end)
            value = _from_varint(self.form, value, self.name)
            return _named(self.of, value), at
        if self.kind == 2:
            at, stop = _piece(data, at, end)
            if self.form == "message":
                value = self.of()
                value._merge(data, at, stop)
                return value, stop
            value = bytes(data[at:stop])
            if self.form == "text":
                try:
                    value = value.decode()
                except UnicodeDecodeError as error:
                    raise DecodeError(f"field {self.name} is not UTF-8") from error
            return value, stop
        form = _FIXED[self.form]
        stop = at + struct.calcsize(form)
        if stop > end:
            raise DecodeError("the bytes end within a field")
        return struct.unpack(form, data[at:stop])[0], stop

    def write(self, out, value):
        form = self.form
        if form == "message":
            value = value.encode()
        if form == "text":
            value = value.encode()
        if self.kind == 2:
            _put_varint(out, len(value))
            out += value
        elif self.kind == 0:
            if form == "char":
                value = ord(value)
            elif form in _RANGES:
                low, high = _RANGES[form]
                value = int(value)
                if not low <= value <= high:
                    raise ValueError(f"field {self.name}: {value} is outside {low} to {high}")
            if form[0] == "s":
                value = (value << 1) ^ (value >> 63)
            _put_varint(out, int(value))
        else:
            out += struct.pack(_FIXED[form], value)


def _named(of, value):
    if of is None:
        return value
    try:
        return of(value)
    except ValueError:
        return value


def _skip(data, at, end, kind):
    if kind == 0:
        return _varint(data, at, end)[1]
    if kind == 2:
        return _piece(data, at, end)[1]
    at += 8 if kind == 1 else 4
    if at > end:
        raise DecodeError("the bytes end within a field")
    return at


def _tag(data, at, end):
    tag, at = _varint(data, at, end)
    if tag >> 32 or tag >> 3 == 0 or tag & 7 not in (0, 1, 2, 5):
        raise DecodeError("a field begins with a number or kind that there is not")
    return tag >> 3, tag & 7, at


class Message:
    """Fields with bytes."""

    FIELDS = ()

    def __init__(self, **values):
        self.unknown = b""
        for field in self.FIELDS:
            if field.name in values:
                value = values.pop(field.name)
            elif field.rule == "plain":
                value = field.default()
            else:
                value = [] if field.rule == "repeated" else None
            setattr(self, field.name, value)
        if values:
            raise TypeError(f"{type(self).__name__} has no {', '.join(values)}")

    def __eq__(self, other):
        return type(self) is type(other) and vars(self) == vars(other)

    def __repr__(self):
        parts = (f"{field.name}={getattr(self, field.name)!r}" for field in self.FIELDS)
        return f"{type(self).__name__}({', '.join(parts)})"

    def _merge(self, data, at, end):
        rows = {field.number: field for field in self.FIELDS}
        while at < end:
            start = at
            number, kind, at = _tag(data, at, end)
            field = rows.get(number)
            if field is None:
                at = _skip(data, at, end, kind)
                self.unknown += bytes(data[start:at])
            elif field.is_packed and kind == 2:
                at, stop = _piece(data, at, end)
                while at < stop:
                    value, at = field.read(data, at, stop)
                    getattr(self, field.name).append(value)
            elif kind != field.kind:
                raise DecodeError(f"field {field.name} is not written as its type is")
            elif field.rule == "repeated":
                value, at = field.read(data, at, end)
                getattr(self, field.name).append(value)
            else:
                there = getattr(self, field.name)
                if field.form == "message" and isinstance(there, Message):
                    at, stop = _piece(data, at, end)
                    there._merge(data, at, stop)
                    at = stop
                else:
                    value, at = field.read(data, at, end)
                    setattr(self, field.name, value)

    @classmethod
    def decode(cls, data):
        value = cls()
        value._merge(data, 0, len(data))
        return value

    def encode(self):
        out = bytearray()
        for field in self.FIELDS:
            value = getattr(self, field.name)
            if field.is_packed and value:
                packed = bytearray()
                for item in value:
                    field.write(packed, item)
                _put_varint(out, field.number << 3 | 2)
                _put_varint(out, len(packed))
                out += packed
                continue
            items = value if field.rule == "repeated" else [] if value is None else [value]
            for item in items:
                body = bytearray()
                field.write(body, item)
                if field.rule == "plain" and self._is_default(field, item, body):
                    continue
                _put_varint(out, field.number << 3 | field.kind)
                out += body
        return bytes(out + self.unknown)

    @staticmethod
    def _is_default(field, value, body):
        if field.form == "message":
            return isinstance(value, Message) and len(body) == 1
        return not any(body)


class Variant:
    """One case: its name, and what it carries (None: nothing). The case None is one that a newer schema has."""

    CASES = ()

    def __init__(self, case=None, value=None, unknown=b""):
        if case is None and not unknown and self.CASES:
            case = self.CASES[0].name
        self.case, self.unknown = case, unknown
        field = self._field(case)
        if field is not None and value is None and field.rule != "unit":
            value = field.default()
        self.value = value

    def _field(self, case):
        for field in self.CASES:
            if field.name == case:
                return field
        if case is not None:
            raise ValueError(f"{type(self).__name__} has no case {case}")
        return None

    def __eq__(self, other):
        return type(self) is type(other) and vars(self) == vars(other)

    def __repr__(self):
        return f"{type(self).__name__}({self.case!r}, {self.value!r})"

    def _merge(self, data, at, end):
        start, rows = at, {field.number: field for field in self.CASES}
        self.case, self.value, self.unknown = None, None, b""
        while at < end:
            number, kind, at = _tag(data, at, end)
            field = rows.get(number)
            if field is None:
                at = _skip(data, at, end, kind)
                continue
            if kind != field.kind:
                raise DecodeError(f"field {field.name} is not written as its type is")
            value, at = field.read(data, at, end)
            self.case, self.value = field.name, None if field.rule == "unit" else value
        if self.case is None:
            self.unknown = bytes(data[start:end])

    @classmethod
    def decode(cls, data):
        value = cls()
        value._merge(data, 0, len(data))
        return value

    def encode(self):
        field = self._field(self.case)
        if field is None:
            return self.unknown
        out = bytearray()
        _put_varint(out, field.number << 3 | field.kind)
        field.write(out, True if field.rule == "unit" else self.value)
        return bytes(out)


def key_to_bytes(form, key):
    """The bytes of a key, in the order of keys."""
    if form == "text":
        return key.encode()
    if form == "bytes":
        return bytes(key)
    if form == "bool":
        return bytes([bool(key)])
    bits = int(form[1:])
    return (key + (1 << (bits - 1)) if form[0] == "i" else key).to_bytes(bits // 8, "big")


def key_from_bytes(form, data):
    """The key in these bytes."""
    if form == "text":
        return data.decode()
    if form == "bytes":
        return data
    if form == "bool":
        return data != b"\0"
    bits = int(form[1:])
    value = int.from_bytes(data, "big")
    return value - (1 << (bits - 1)) if form[0] == "i" else value


class Map:
    """A typed map over a raw one: the resource `map` of `wasi-map:map`, or one of a test, with `get(key)` (None, or
    value and version), `set(key, value)`, `delete(key)` (whether there was one), `exists(key)`,
    `compare_and_swap(key, expected, value)` (whether it was done, and the version), `increment(key, delta)`,
    `scan(prefix)` (keys, values, versions) and `watch(prefix)`."""

    NAME = ""
    SCHEMA = 0
    KEY = "bytes"
    LAYOUT = None

    def __init__(self, raw):
        self.raw = raw

    def encode(self, value):
        raise NotImplementedError

    def decode(self, data):
        raise NotImplementedError

    def get(self, key):
        found = self.raw.get(key_to_bytes(self.KEY, key))
        return None if found is None else (self.decode(found[0]), found[1])

    def set(self, key, value):
        self.raw.set(key_to_bytes(self.KEY, key), self.encode(value))

    def delete(self, key):
        return self.raw.delete(key_to_bytes(self.KEY, key))

    def exists(self, key):
        return self.raw.exists(key_to_bytes(self.KEY, key))

    def compare_and_swap(self, key, expected, value):
        """The new version; `Again` if the entry has another."""
        done, version = self.raw.compare_and_swap(key_to_bytes(self.KEY, key), expected, self.encode(value))
        if not done:
            raise Again(version)
        return version

    def scan(self, prefix=b""):
        for key, value, version in self.raw.scan(prefix):
            yield key_from_bytes(self.KEY, key), self.decode(value), version

    def watch(self, prefix=b""):
        return self.raw.watch(prefix)

    def __getitem__(self, key):
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        return found[0]

    def __setitem__(self, key, value):
        self.set(key, value)

    def __delitem__(self, key):
        if not self.delete(key):
            raise KeyError(key)

    def __contains__(self, key):
        return self.exists(key)


class Counters(Map):
    """A map of counters."""

    def encode(self, value):
        return struct.pack("<q", value)

    def decode(self, data):
        if len(data) != 8:
            raise DecodeError("a counter has eight bytes")
        return struct.unpack("<q", data)[0]

    def increment(self, key, delta):
        return self.raw.increment(key_to_bytes(self.KEY, key), delta)
