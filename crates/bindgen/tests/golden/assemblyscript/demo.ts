// Written by `weir bindgen`; do not edit.
import * as codec from "./weir_codec";
import * as weir from "./weir_map";

// Who somebody is.
export class User extends codec.Message {
  // What they are called.
  name: string = "";
  id: i32 = 0;
  /** Fields that a newer schema has. */
  unknown: Uint8Array = new Uint8Array(0);

  merge(r: codec.Reader): void {
    while (r.next()) {
      switch (r.field) {
        case 1: {
          if (r.is(2)) this.name = r.text();
          break;
        }
        case 2: {
          if (r.is(0)) this.id = r.s32();
          break;
        }
        default:
          this.unknown = r.keep(this.unknown);
      }
    }
  }

  write(w: codec.Writer): void {
    if (this.name.length != 0) {
      w.tag(1, 2);
      w.text(this.name);
    }
    if (this.id != 0) {
      w.tag(2, 0);
      w.s32(this.id);
    }
    w.put(this.unknown);
  }
}

export enum Colour {
  RED = 0,
  GREEN = 1,
  BLUE = 7,
}

export namespace Rights {
  export const READ: u64 = (<u64>1) << 0;
  export const WRITE: u64 = (<u64>1) << 1;
  export const ADMIN: u64 = (<u64>1) << 40;
}

export class Point extends codec.Message {
  x: f64 = 0;
  y: f64 = 0;
  /** Fields that a newer schema has. */
  unknown: Uint8Array = new Uint8Array(0);

  merge(r: codec.Reader): void {
    while (r.next()) {
      switch (r.field) {
        case 1: {
          if (r.is(1)) this.x = r.f64();
          break;
        }
        case 2: {
          if (r.is(1)) this.y = r.f64();
          break;
        }
        default:
          this.unknown = r.keep(this.unknown);
      }
    }
  }

  write(w: codec.Writer): void {
    if (reinterpret<u64>(this.x) != 0) {
      w.tag(1, 1);
      w.f64(this.x);
    }
    if (reinterpret<u64>(this.y) != 0) {
      w.tag(2, 1);
      w.f64(this.y);
    }
    w.put(this.unknown);
  }
}

export class ShapePolygonItems extends codec.Message {
  items: Array<Point> = [];
  /** Fields that a newer schema has. */
  unknown: Uint8Array = new Uint8Array(0);

  merge(r: codec.Reader): void {
    while (r.next()) {
      switch (r.field) {
        case 1: {
          if (r.is(2)) this.items.push(codec.read<Point>(r, new Point()));
          break;
        }
        default:
          this.unknown = r.keep(this.unknown);
      }
    }
  }

  write(w: codec.Writer): void {
    for (let at = 0; at < this.items.length; at++) {
      w.tag(1, 2);
      w.message(this.items[at]);
    }
    w.put(this.unknown);
  }
}

// UNKNOWN: a case that a newer schema has.
export enum ShapeCase {
  NOTHING,
  CIRCLE,
  POLYGON,
  LABEL,
  OWNER,
  UNKNOWN,
}

export class Shape extends codec.Message {
  which: ShapeCase = <ShapeCase>0;
  circle: f32 = 0;
  polygon: ShapePolygonItems | null = null;
  label: string = "";
  owner: User | null = null;
  unknown: Uint8Array = new Uint8Array(0);

  merge(r: codec.Reader): void {
    this.which = ShapeCase.UNKNOWN;
    while (r.next()) {
      switch (r.field) {
        case 1: {
          if (r.is(0)) {
            r.bool();
            this.which = ShapeCase.NOTHING;
          }
          break;
        }
        case 2: {
          if (r.is(5)) {
            this.circle = r.f32();
            this.which = ShapeCase.CIRCLE;
          }
          break;
        }
        case 3: {
          if (r.is(2)) {
            this.polygon = codec.read<ShapePolygonItems>(r, new ShapePolygonItems());
            this.which = ShapeCase.POLYGON;
          }
          break;
        }
        case 4: {
          if (r.is(2)) {
            this.label = r.text();
            this.which = ShapeCase.LABEL;
          }
          break;
        }
        case 5: {
          if (r.is(2)) {
            this.owner = codec.read<User>(r, new User());
            this.which = ShapeCase.OWNER;
          }
          break;
        }
        default:
          r.skip();
      }
    }
    if (this.which == ShapeCase.UNKNOWN) this.unknown = r.all();
  }

  write(w: codec.Writer): void {
    switch (this.which) {
      case ShapeCase.NOTHING: {
        w.tag(1, 0);
        w.bool(true);
        break;
      }
      case ShapeCase.CIRCLE: {
        w.tag(2, 5);
        w.f32(this.circle);
        break;
      }
      case ShapeCase.POLYGON: {
        w.tag(3, 2);
        const value = this.polygon;
        w.message(value ? value : new ShapePolygonItems());
        break;
      }
      case ShapeCase.LABEL: {
        w.tag(4, 2);
        w.text(this.label);
        break;
      }
      case ShapeCase.OWNER: {
        w.tag(5, 2);
        const value = this.owner;
        w.message(value ? value : new User());
        break;
      }
      default:
        w.put(this.unknown);
    }
  }
}

export class SampleMaybeListItems extends codec.Message {
  items: Array<u32> = [];
  /** Fields that a newer schema has. */
  unknown: Uint8Array = new Uint8Array(0);

  merge(r: codec.Reader): void {
    while (r.next()) {
      switch (r.field) {
        case 1: {
          if (r.kind == 2) {
            const packed = r.piece();
            while (packed.more) this.items.push(packed.u32());
            r.close(packed);
          } else if (r.is(0)) {
            this.items.push(r.u32());
          }
          break;
        }
        default:
          this.unknown = r.keep(this.unknown);
      }
    }
  }

  write(w: codec.Writer): void {
    {
      const packed = new codec.Writer();
      for (let at = 0; at < this.items.length; at++) packed.u32(this.items[at]);
      w.filled(1, packed);
    }
    w.put(this.unknown);
  }
}

export class SampleGridItems extends codec.Message {
  items: Array<u32> = [];
  /** Fields that a newer schema has. */
  unknown: Uint8Array = new Uint8Array(0);

  merge(r: codec.Reader): void {
    while (r.next()) {
      switch (r.field) {
        case 1: {
          if (r.kind == 2) {
            const packed = r.piece();
            while (packed.more) this.items.push(packed.u32());
            r.close(packed);
          } else if (r.is(0)) {
            this.items.push(r.u32());
          }
          break;
        }
        default:
          this.unknown = r.keep(this.unknown);
      }
    }
  }

  write(w: codec.Writer): void {
    {
      const packed = new codec.Writer();
      for (let at = 0; at < this.items.length; at++) packed.u32(this.items[at]);
      w.filled(1, packed);
    }
    w.put(this.unknown);
  }
}

export class SamplePair extends codec.Message {
  f0: u32 = 0;
  f1: string = "";
  /** Fields that a newer schema has. */
  unknown: Uint8Array = new Uint8Array(0);

  merge(r: codec.Reader): void {
    while (r.next()) {
      switch (r.field) {
        case 1: {
          if (r.is(0)) this.f0 = r.u32();
          break;
        }
        case 2: {
          if (r.is(2)) this.f1 = r.text();
          break;
        }
        default:
          this.unknown = r.keep(this.unknown);
      }
    }
  }

  write(w: codec.Writer): void {
    if (this.f0 != 0) {
      w.tag(1, 0);
      w.u32(this.f0);
    }
    if (this.f1.length != 0) {
      w.tag(2, 2);
      w.text(this.f1);
    }
    w.put(this.unknown);
  }
}

// UNKNOWN: a case that a newer schema has.
export enum SampleOutcomeCase {
  OK,
  ERR,
  UNKNOWN,
}

export class SampleOutcome extends codec.Message {
  which: SampleOutcomeCase = <SampleOutcomeCase>0;
  ok: u32 = 0;
  err: string = "";
  unknown: Uint8Array = new Uint8Array(0);

  merge(r: codec.Reader): void {
    this.which = SampleOutcomeCase.UNKNOWN;
    while (r.next()) {
      switch (r.field) {
        case 1: {
          if (r.is(0)) {
            this.ok = r.u32();
            this.which = SampleOutcomeCase.OK;
          }
          break;
        }
        case 2: {
          if (r.is(2)) {
            this.err = r.text();
            this.which = SampleOutcomeCase.ERR;
          }
          break;
        }
        default:
          r.skip();
      }
    }
    if (this.which == SampleOutcomeCase.UNKNOWN) this.unknown = r.all();
  }

  write(w: codec.Writer): void {
    switch (this.which) {
      case SampleOutcomeCase.OK: {
        w.tag(1, 0);
        w.u32(this.ok);
        break;
      }
      case SampleOutcomeCase.ERR: {
        w.tag(2, 2);
        w.text(this.err);
        break;
      }
      default:
        w.put(this.unknown);
    }
  }
}

// UNKNOWN: a case that a newer schema has.
export enum SampleDoneCase {
  OK,
  ERR,
  UNKNOWN,
}

export class SampleDone extends codec.Message {
  which: SampleDoneCase = <SampleDoneCase>0;
  unknown: Uint8Array = new Uint8Array(0);

  merge(r: codec.Reader): void {
    this.which = SampleDoneCase.UNKNOWN;
    while (r.next()) {
      switch (r.field) {
        case 1: {
          if (r.is(0)) {
            r.bool();
            this.which = SampleDoneCase.OK;
          }
          break;
        }
        case 2: {
          if (r.is(0)) {
            r.bool();
            this.which = SampleDoneCase.ERR;
          }
          break;
        }
        default:
          r.skip();
      }
    }
    if (this.which == SampleDoneCase.UNKNOWN) this.unknown = r.all();
  }

  write(w: codec.Writer): void {
    switch (this.which) {
      case SampleDoneCase.OK: {
        w.tag(1, 0);
        w.bool(true);
        break;
      }
      case SampleDoneCase.ERR: {
        w.tag(2, 0);
        w.bool(true);
        break;
      }
      default:
        w.put(this.unknown);
    }
  }
}

// A value with a field of every type.
export class Sample extends codec.Message {
  flag: bool = false;
  tiny: i8 = 0;
  small: i16 = 0;
  medium: i32 = 0;
  big: i64 = 0;
  utiny: u8 = 0;
  usmall: u16 = 0;
  umedium: u32 = 0;
  ubig: u64 = 0;
  single: f32 = 0;
  double: f64 = 0;
  letter: u32 = 0;
  text: string = "";
  raw: Uint8Array = new Uint8Array(0);
  colour: Colour = <Colour>0;
  rights: u64 = 0;
  user: User = new User();
  shape: Shape = new Shape();
  hasMaybeNumber: bool = false;
  maybeNumber: u32 = 0;
  maybeText: string | null = null;
  maybeUser: User | null = null;
  maybeList: SampleMaybeListItems | null = null;
  numbers: Array<i64> = [];
  ratios: Array<f64> = [];
  colours: Array<Colour> = [];
  texts: Array<string> = [];
  users: Array<User> = [];
  shapes: Array<Shape> = [];
  grid: Array<SampleGridItems> = [];
  pair: SamplePair = new SamplePair();
  outcome: SampleOutcome = new SampleOutcome();
  done: SampleDone = new SampleDone();
  // Given later.
  type_: string = "";
  /** Fields that a newer schema has. */
  unknown: Uint8Array = new Uint8Array(0);

  merge(r: codec.Reader): void {
    while (r.next()) {
      switch (r.field) {
        case 1: {
          if (r.is(0)) this.flag = r.bool();
          break;
        }
        case 2: {
          if (r.is(0)) this.tiny = r.s8();
          break;
        }
        case 3: {
          if (r.is(0)) this.small = r.s16();
          break;
        }
        case 4: {
          if (r.is(0)) this.medium = r.s32();
          break;
        }
        case 5: {
          if (r.is(0)) this.big = r.s64();
          break;
        }
        case 6: {
          if (r.is(0)) this.utiny = r.u8();
          break;
        }
        case 7: {
          if (r.is(0)) this.usmall = r.u16();
          break;
        }
        case 8: {
          if (r.is(0)) this.umedium = r.u32();
          break;
        }
        case 9: {
          if (r.is(0)) this.ubig = r.u64();
          break;
        }
        case 10: {
          if (r.is(5)) this.single = r.f32();
          break;
        }
        case 11: {
          if (r.is(1)) this.double = r.f64();
          break;
        }
        case 12: {
          if (r.is(0)) this.letter = r.char();
          break;
        }
        case 13: {
          if (r.is(2)) this.text = r.text();
          break;
        }
        case 14: {
          if (r.is(2)) this.raw = r.data();
          break;
        }
        case 15: {
          if (r.is(0)) this.colour = <Colour>r.i32();
          break;
        }
        case 16: {
          if (r.is(0)) this.rights = <u64>r.u64();
          break;
        }
        case 17: {
          if (r.is(2)) codec.read<User>(r, this.user);
          break;
        }
        case 18: {
          if (r.is(2)) this.shape = codec.read<Shape>(r, new Shape());
          break;
        }
        case 19: {
          if (r.is(0)) {
            this.hasMaybeNumber = true;
            this.maybeNumber = r.u32();
          }
          break;
        }
        case 20: {
          if (r.is(2)) this.maybeText = r.text();
          break;
        }
        case 21: {
          const known = this.maybeUser;
          if (r.is(2)) this.maybeUser = codec.read<User>(r, known ? known : new User());
          break;
        }
        case 22: {
          const known = this.maybeList;
          if (r.is(2)) this.maybeList = codec.read<SampleMaybeListItems>(r, known ? known : new SampleMaybeListItems());
          break;
        }
        case 23: {
          if (r.kind == 2) {
            const packed = r.piece();
            while (packed.more) this.numbers.push(packed.s64());
            r.close(packed);
          } else if (r.is(0)) {
            this.numbers.push(r.s64());
          }
          break;
        }
        case 24: {
          if (r.kind == 2) {
            const packed = r.piece();
            while (packed.more) this.ratios.push(packed.f64());
            r.close(packed);
          } else if (r.is(1)) {
            this.ratios.push(r.f64());
          }
          break;
        }
        case 25: {
          if (r.kind == 2) {
            const packed = r.piece();
            while (packed.more) this.colours.push(<Colour>packed.i32());
            r.close(packed);
          } else if (r.is(0)) {
            this.colours.push(<Colour>r.i32());
          }
          break;
        }
        case 26: {
          if (r.is(2)) this.texts.push(r.text());
          break;
        }
        case 27: {
          if (r.is(2)) this.users.push(codec.read<User>(r, new User()));
          break;
        }
        case 28: {
          if (r.is(2)) this.shapes.push(codec.read<Shape>(r, new Shape()));
          break;
        }
        case 29: {
          if (r.is(2)) this.grid.push(codec.read<SampleGridItems>(r, new SampleGridItems()));
          break;
        }
        case 30: {
          if (r.is(2)) codec.read<SamplePair>(r, this.pair);
          break;
        }
        case 31: {
          if (r.is(2)) this.outcome = codec.read<SampleOutcome>(r, new SampleOutcome());
          break;
        }
        case 32: {
          if (r.is(2)) this.done = codec.read<SampleDone>(r, new SampleDone());
          break;
        }
        case 100: {
          if (r.is(2)) this.type_ = r.text();
          break;
        }
        default:
          this.unknown = r.keep(this.unknown);
      }
    }
  }

  write(w: codec.Writer): void {
    if (this.flag) {
      w.tag(1, 0);
      w.bool(this.flag);
    }
    if (this.tiny != 0) {
      w.tag(2, 0);
      w.s8(this.tiny);
    }
    if (this.small != 0) {
      w.tag(3, 0);
      w.s16(this.small);
    }
    if (this.medium != 0) {
      w.tag(4, 0);
      w.s32(this.medium);
    }
    if (this.big != 0) {
      w.tag(5, 0);
      w.s64(this.big);
    }
    if (this.utiny != 0) {
      w.tag(6, 0);
      w.u8(this.utiny);
    }
    if (this.usmall != 0) {
      w.tag(7, 0);
      w.u16(this.usmall);
    }
    if (this.umedium != 0) {
      w.tag(8, 0);
      w.u32(this.umedium);
    }
    if (this.ubig != 0) {
      w.tag(9, 0);
      w.u64(this.ubig);
    }
    if (reinterpret<u32>(this.single) != 0) {
      w.tag(10, 5);
      w.f32(this.single);
    }
    if (reinterpret<u64>(this.double) != 0) {
      w.tag(11, 1);
      w.f64(this.double);
    }
    if (this.letter != 0) {
      w.tag(12, 0);
      w.char(this.letter);
    }
    if (this.text.length != 0) {
      w.tag(13, 2);
      w.text(this.text);
    }
    if (this.raw.length != 0) {
      w.tag(14, 2);
      w.data(this.raw);
    }
    if (this.colour != 0) {
      w.tag(15, 0);
      w.i32(<i32>this.colour);
    }
    if (this.rights != 0) {
      w.tag(16, 0);
      w.u64(this.rights);
    }
    {
      const inner = new codec.Writer();
      this.user.write(inner);
      w.filled(17, inner);
    }
    w.tag(18, 2);
    w.message(this.shape);
    if (this.hasMaybeNumber) {
      w.tag(19, 0);
      w.u32(this.maybeNumber);
    }
    {
      const value = this.maybeText;
      if (value !== null) {
        w.tag(20, 2);
        w.text(value);
      }
    }
    {
      const value = this.maybeUser;
      if (value !== null) {
        w.tag(21, 2);
        w.message(value);
      }
    }
    {
      const value = this.maybeList;
      if (value !== null) {
        w.tag(22, 2);
        w.message(value);
      }
    }
    {
      const packed = new codec.Writer();
      for (let at = 0; at < this.numbers.length; at++) packed.s64(this.numbers[at]);
      w.filled(23, packed);
    }
    {
      const packed = new codec.Writer();
      for (let at = 0; at < this.ratios.length; at++) packed.f64(this.ratios[at]);
      w.filled(24, packed);
    }
    {
      const packed = new codec.Writer();
      for (let at = 0; at < this.colours.length; at++) packed.i32(<i32>this.colours[at]);
      w.filled(25, packed);
    }
    for (let at = 0; at < this.texts.length; at++) {
      w.tag(26, 2);
      w.text(this.texts[at]);
    }
    for (let at = 0; at < this.users.length; at++) {
      w.tag(27, 2);
      w.message(this.users[at]);
    }
    for (let at = 0; at < this.shapes.length; at++) {
      w.tag(28, 2);
      w.message(this.shapes[at]);
    }
    for (let at = 0; at < this.grid.length; at++) {
      w.tag(29, 2);
      w.message(this.grid[at]);
    }
    {
      const inner = new codec.Writer();
      this.pair.write(inner);
      w.filled(30, inner);
    }
    w.tag(31, 2);
    w.message(this.outcome);
    w.tag(32, 2);
    w.message(this.done);
    if (this.type_.length != 0) {
      w.tag(100, 2);
      w.text(this.type_);
    }
    w.put(this.unknown);
  }
}

// Passed between languages byte for byte.
export class DataPacket extends codec.Message {
  id: u32 = 0;
  value: f64 = 0;

  merge(r: codec.Reader): void {
    while (r.next()) {
      switch (r.field) {
        case 1: {
          if (r.is(0)) this.id = r.u32();
          break;
        }
        case 2: {
          if (r.is(1)) this.value = r.f64();
          break;
        }
        default:
          r.skip();
      }
    }
  }

  write(w: codec.Writer): void {
    if (this.id != 0) {
      w.tag(1, 0);
      w.u32(this.id);
    }
    if (reinterpret<u64>(this.value) != 0) {
      w.tag(2, 1);
      w.f64(this.value);
    }
  }

  /** The record as C lays it out. */
  toC(): Uint8Array {
    const out = new Uint8Array(16);
    this.layOut(out.dataStart);
    return out;
  }

  /** The record in such bytes. */
  static fromC(bytes: Uint8Array): codec.Decoded<DataPacket> {
    const out = new DataPacket();
    if (bytes.length != 16) return new codec.Decoded<DataPacket>(out, codec.Fault.LENGTH, 0);
    const field = out.pickUp(bytes.dataStart);
    return new codec.Decoded<DataPacket>(out, field ? codec.Fault.RANGE : codec.Fault.NONE, field);
  }

  layOut(at: usize): void {
    store<u32>(at, this.id, 0);
    store<f64>(at, this.value, 8);
  }

  /** Reads the members; the number of one that is outside its range, or 0. */
  pickUp(at: usize): u32 {
    let wrong: u32 = 0;
    this.id = load<u32>(at, 0);
    this.value = load<f64>(at, 8);
    return wrong;
  }
}

// A record in a record, with padding in between.
export class Frame extends codec.Message {
  kind: u8 = 0;
  packet: DataPacket = new DataPacket();
  colour: Colour = <Colour>0;
  last: bool = false;
  delta: i16 = 0;

  merge(r: codec.Reader): void {
    while (r.next()) {
      switch (r.field) {
        case 1: {
          if (r.is(0)) this.kind = r.u8();
          break;
        }
        case 2: {
          if (r.is(2)) codec.read<DataPacket>(r, this.packet);
          break;
        }
        case 3: {
          if (r.is(0)) this.colour = <Colour>r.i32();
          break;
        }
        case 4: {
          if (r.is(0)) this.last = r.bool();
          break;
        }
        case 5: {
          if (r.is(0)) this.delta = r.s16();
          break;
        }
        default:
          r.skip();
      }
    }
  }

  write(w: codec.Writer): void {
    if (this.kind != 0) {
      w.tag(1, 0);
      w.u8(this.kind);
    }
    {
      const inner = new codec.Writer();
      this.packet.write(inner);
      w.filled(2, inner);
    }
    if (this.colour != 0) {
      w.tag(3, 0);
      w.i32(<i32>this.colour);
    }
    if (this.last) {
      w.tag(4, 0);
      w.bool(this.last);
    }
    if (this.delta != 0) {
      w.tag(5, 0);
      w.s16(this.delta);
    }
  }

  /** The record as C lays it out. */
  toC(): Uint8Array {
    const out = new Uint8Array(32);
    this.layOut(out.dataStart);
    return out;
  }

  /** The record in such bytes. */
  static fromC(bytes: Uint8Array): codec.Decoded<Frame> {
    const out = new Frame();
    if (bytes.length != 32) return new codec.Decoded<Frame>(out, codec.Fault.LENGTH, 0);
    const field = out.pickUp(bytes.dataStart);
    return new codec.Decoded<Frame>(out, field ? codec.Fault.RANGE : codec.Fault.NONE, field);
  }

  layOut(at: usize): void {
    store<u8>(at, this.kind, 0);
    this.packet.layOut(at + 8);
    store<i32>(at, <i32>this.colour, 24);
    store<bool>(at, this.last, 28);
    store<i16>(at, this.delta, 30);
  }

  /** Reads the members; the number of one that is outside its range, or 0. */
  pickUp(at: usize): u32 {
    let wrong: u32 = 0;
    this.kind = load<u8>(at, 0);
    if (this.packet.pickUp(at + 8)) wrong = 2;
    this.colour = <Colour>load<i32>(at, 24);
    if (load<u8>(at, 28) > 1) wrong = 4;
    this.last = load<u8>(at, 28) != 0;
    this.delta = load<i16>(at, 30);
    return wrong;
  }
}

export class ListsItems extends codec.Message {
  items: Array<u32> = [];
  /** Fields that a newer schema has. */
  unknown: Uint8Array = new Uint8Array(0);

  merge(r: codec.Reader): void {
    while (r.next()) {
      switch (r.field) {
        case 1: {
          if (r.kind == 2) {
            const packed = r.piece();
            while (packed.more) this.items.push(packed.u32());
            r.close(packed);
          } else if (r.is(0)) {
            this.items.push(r.u32());
          }
          break;
        }
        default:
          this.unknown = r.keep(this.unknown);
      }
    }
  }

  write(w: codec.Writer): void {
    {
      const packed = new codec.Writer();
      for (let at = 0; at < this.items.length; at++) packed.u32(this.items[at]);
      w.filled(1, packed);
    }
    w.put(this.unknown);
  }
}

// Everybody.
export class UsersMap extends weir.TypedMap<string, User> {
  static NAME: string = "users";
  static SCHEMA: u64 = 0x065edcd93956cb6b;

  /** Opens the map of this use of the module that has the declaration's name. */
  open(rights: u64): i32 {
    return this.openAs("users", rights);
  }

  keyToBytes(key: string): Uint8Array {
    return codec.utf8(key);
  }

  keyFromBytes(bytes: Uint8Array): codec.Decoded<string> {
    return weir.fromText(bytes);
  }

  encode(value: User): Uint8Array {
    return value.encode();
  }

  decode(bytes: Uint8Array): codec.Decoded<User> {
    return codec.decode<User>(bytes);
  }
}

export class SamplesMap extends weir.TypedMap<u64, Sample> {
  static NAME: string = "samples";
  static SCHEMA: u64 = 0x01a66753f71967fa;

  /** Opens the map of this use of the module that has the declaration's name. */
  open(rights: u64): i32 {
    return this.openAs("samples", rights);
  }

  keyToBytes(key: u64): Uint8Array {
    return weir.numberKey(<u64>key, 8, false);
  }

  keyFromBytes(bytes: Uint8Array): codec.Decoded<u64> {
    const key = weir.fromNumberKey(bytes, 8, false);
    return new codec.Decoded<u64>(<u64>key.value, key.fault, 0);
  }

  encode(value: Sample): Uint8Array {
    return value.encode();
  }

  decode(bytes: Uint8Array): codec.Decoded<Sample> {
    return codec.decode<Sample>(bytes);
  }
}

export class ShapesMap extends weir.TypedMap<i32, Shape> {
  static NAME: string = "shapes";
  static SCHEMA: u64 = 0xb9dda70369fcdd08;

  /** Opens the map of this use of the module that has the declaration's name. */
  open(rights: u64): i32 {
    return this.openAs("shapes", rights);
  }

  keyToBytes(key: i32): Uint8Array {
    return weir.numberKey(<u64>key, 4, true);
  }

  keyFromBytes(bytes: Uint8Array): codec.Decoded<i32> {
    const key = weir.fromNumberKey(bytes, 4, true);
    return new codec.Decoded<i32>(<i32>key.value, key.fault, 0);
  }

  encode(value: Shape): Uint8Array {
    return value.encode();
  }

  decode(bytes: Uint8Array): codec.Decoded<Shape> {
    return codec.decode<Shape>(bytes);
  }
}

export class PacketsMap extends weir.TypedMap<u32, DataPacket> {
  static NAME: string = "packets";
  static SCHEMA: u64 = 0x27af3828d3c82eb8;

  /** Opens the map of this use of the module that has the declaration's name. */
  open(rights: u64): i32 {
    return this.openAs("packets", rights);
  }

  keyToBytes(key: u32): Uint8Array {
    return weir.numberKey(<u64>key, 4, false);
  }

  keyFromBytes(bytes: Uint8Array): codec.Decoded<u32> {
    const key = weir.fromNumberKey(bytes, 4, false);
    return new codec.Decoded<u32>(<u32>key.value, key.fault, 0);
  }

  encode(value: DataPacket): Uint8Array {
    return value.toC();
  }

  decode(bytes: Uint8Array): codec.Decoded<DataPacket> {
    return DataPacket.fromC(bytes);
  }
}

export class FramesMap extends weir.TypedMap<u16, Frame> {
  static NAME: string = "frames";
  static SCHEMA: u64 = 0x308b764744f7946d;

  /** Opens the map of this use of the module that has the declaration's name. */
  open(rights: u64): i32 {
    return this.openAs("frames", rights);
  }

  keyToBytes(key: u16): Uint8Array {
    return weir.numberKey(<u64>key, 2, false);
  }

  keyFromBytes(bytes: Uint8Array): codec.Decoded<u16> {
    const key = weir.fromNumberKey(bytes, 2, false);
    return new codec.Decoded<u16>(<u16>key.value, key.fault, 0);
  }

  encode(value: Frame): Uint8Array {
    return value.toC();
  }

  decode(bytes: Uint8Array): codec.Decoded<Frame> {
    return Frame.fromC(bytes);
  }
}

export class ThumbsMap extends weir.TypedMap<u64, Uint8Array> {
  static NAME: string = "thumbs";
  static SCHEMA: u64 = 0xd810e838a84e6698;

  /** Opens the map of this use of the module that has the declaration's name. */
  open(rights: u64): i32 {
    return this.openAs("thumbs", rights);
  }

  keyToBytes(key: u64): Uint8Array {
    return weir.numberKey(<u64>key, 8, false);
  }

  keyFromBytes(bytes: Uint8Array): codec.Decoded<u64> {
    const key = weir.fromNumberKey(bytes, 8, false);
    return new codec.Decoded<u64>(<u64>key.value, key.fault, 0);
  }

  encode(value: Uint8Array): Uint8Array {
    return value;
  }

  decode(bytes: Uint8Array): codec.Decoded<Uint8Array> {
    return new codec.Decoded<Uint8Array>(bytes, codec.Fault.NONE, 0);
  }
}

export class NotesMap extends weir.TypedMap<Uint8Array, string> {
  static NAME: string = "notes";
  static SCHEMA: u64 = 0xb88d3a4fb89a2805;

  /** Opens the map of this use of the module that has the declaration's name. */
  open(rights: u64): i32 {
    return this.openAs("notes", rights);
  }

  keyToBytes(key: Uint8Array): Uint8Array {
    return key;
  }

  keyFromBytes(bytes: Uint8Array): codec.Decoded<Uint8Array> {
    return new codec.Decoded<Uint8Array>(bytes, codec.Fault.NONE, 0);
  }

  encode(value: string): Uint8Array {
    return codec.utf8(value);
  }

  decode(bytes: Uint8Array): codec.Decoded<string> {
    return weir.fromText(bytes);
  }
}

export class CountersMap extends weir.Counters<string> {
  static NAME: string = "counters";
  static SCHEMA: u64 = 0x0b40c6729ea1c9b8;

  /** Opens the map of this use of the module that has the declaration's name. */
  open(rights: u64): i32 {
    return this.openAs("counters", rights);
  }

  keyToBytes(key: string): Uint8Array {
    return codec.utf8(key);
  }

  keyFromBytes(bytes: Uint8Array): codec.Decoded<string> {
    return weir.fromText(bytes);
  }
}

export class ListsMap extends weir.TypedMap<bool, ListsItems> {
  static NAME: string = "lists";
  static SCHEMA: u64 = 0x712244bfb64cf207;

  /** Opens the map of this use of the module that has the declaration's name. */
  open(rights: u64): i32 {
    return this.openAs("lists", rights);
  }

  keyToBytes(key: bool): Uint8Array {
    return weir.numberKey(<u64>key, 1, false);
  }

  keyFromBytes(bytes: Uint8Array): codec.Decoded<bool> {
    const key = weir.fromNumberKey(bytes, 1, false);
    const fault = key.ok && key.value > 1 ? codec.Fault.RANGE : key.fault;
    return new codec.Decoded<bool>(key.value != 0, fault, 0);
  }

  encode(value: ListsItems): Uint8Array {
    return value.encode();
  }

  decode(bytes: Uint8Array): codec.Decoded<ListsItems> {
    return codec.decode<ListsItems>(bytes);
  }
}
