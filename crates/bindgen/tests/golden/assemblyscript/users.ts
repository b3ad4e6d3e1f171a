// Written by `weir bindgen`; do not edit.
import * as codec from "./weir_codec";
import * as weir from "./weir_map";

export enum Role {
  OWNER = -2,
  GUEST = 0,
  MEMBER = 1,
}

export class UserQuotasEntry extends codec.Message {
  key: string = "";
  value: u32 = 0;
  /** Fields that a newer schema has. */
  unknown: Uint8Array = new Uint8Array(0);

  merge(r: codec.Reader): void {
    while (r.next()) {
      switch (r.field) {
        case 1: {
          if (r.is(2)) this.key = r.text();
          break;
        }
        case 2: {
          if (r.is(0)) this.value = r.u32();
          break;
        }
        default:
          this.unknown = r.keep(this.unknown);
      }
    }
  }

  write(w: codec.Writer): void {
    if (this.key.length != 0) {
      w.tag(1, 2);
      w.text(this.key);
    }
    if (this.value != 0) {
      w.tag(2, 0);
      w.u32(this.value);
    }
    w.put(this.unknown);
  }
}

export class UserAddress extends codec.Message {
  street: string = "";
  town: string = "";
  /** Fields that a newer schema has. */
  unknown: Uint8Array = new Uint8Array(0);

  merge(r: codec.Reader): void {
    while (r.next()) {
      switch (r.field) {
        case 1: {
          if (r.is(2)) this.street = r.text();
          break;
        }
        case 2: {
          if (r.is(2)) this.town = r.text();
          break;
        }
        default:
          this.unknown = r.keep(this.unknown);
      }
    }
  }

  write(w: codec.Writer): void {
    if (this.street.length != 0) {
      w.tag(1, 2);
      w.text(this.street);
    }
    if (this.town.length != 0) {
      w.tag(2, 2);
      w.text(this.town);
    }
    w.put(this.unknown);
  }
}

// Who somebody is.
export class User extends codec.Message {
  // What they are called.
  name: string = "";
  id: i32 = 0;
  role: Role = <Role>0;
  mail: string | null = null;
  scores: Array<i64> = [];
  quotas: Array<UserQuotasEntry> = [];
  address: UserAddress | null = null;
  serial: u64 = 0;
  steps: Array<i32> = [];
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
          if (r.is(0)) this.id = r.i32();
          break;
        }
        case 4: {
          if (r.is(0)) this.role = <Role>r.i32();
          break;
        }
        case 5: {
          if (r.is(2)) this.mail = r.text();
          break;
        }
        case 6: {
          if (r.kind == 2) {
            const packed = r.piece();
            while (packed.more) this.scores.push(packed.s64());
            r.close(packed);
          } else if (r.is(0)) {
            this.scores.push(r.s64());
          }
          break;
        }
        case 7: {
          if (r.is(2)) this.quotas.push(codec.read<UserQuotasEntry>(r, new UserQuotasEntry()));
          break;
        }
        case 8: {
          const known = this.address;
          if (r.is(2)) this.address = codec.read<UserAddress>(r, known ? known : new UserAddress());
          break;
        }
        case 9: {
          if (r.is(1)) this.serial = r.fixed64();
          break;
        }
        case 10: {
          if (r.kind == 2) {
            const packed = r.piece();
            while (packed.more) this.steps.push(packed.sfixed32());
            r.close(packed);
          } else if (r.is(5)) {
            this.steps.push(r.sfixed32());
          }
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
      w.i32(this.id);
    }
    if (this.role != 0) {
      w.tag(4, 0);
      w.i32(<i32>this.role);
    }
    {
      const value = this.mail;
      if (value !== null) {
        w.tag(5, 2);
        w.text(value);
      }
    }
    {
      const packed = new codec.Writer();
      for (let at = 0; at < this.scores.length; at++) packed.s64(this.scores[at]);
      w.filled(6, packed);
    }
    for (let at = 0; at < this.quotas.length; at++) {
      w.tag(7, 2);
      w.message(this.quotas[at]);
    }
    {
      const value = this.address;
      if (value !== null) {
        w.tag(8, 2);
        w.message(value);
      }
    }
    if (this.serial != 0) {
      w.tag(9, 1);
      w.fixed64(this.serial);
    }
    {
      const packed = new codec.Writer();
      for (let at = 0; at < this.steps.length; at++) packed.sfixed32(this.steps[at]);
      w.filled(10, packed);
    }
    w.put(this.unknown);
  }
}

// UNKNOWN: a case that a newer schema has.
export enum GetUserRequestCase {
  ID,
  NAME,
  UNKNOWN,
}

export class GetUserRequest extends codec.Message {
  which: GetUserRequestCase = <GetUserRequestCase>0;
  id: i32 = 0;
  name: string = "";
  unknown: Uint8Array = new Uint8Array(0);

  merge(r: codec.Reader): void {
    this.which = GetUserRequestCase.UNKNOWN;
    while (r.next()) {
      switch (r.field) {
        case 1: {
          if (r.is(0)) {
            this.id = r.i32();
            this.which = GetUserRequestCase.ID;
          }
          break;
        }
        case 2: {
          if (r.is(2)) {
            this.name = r.text();
            this.which = GetUserRequestCase.NAME;
          }
          break;
        }
        default:
          r.skip();
      }
    }
    if (this.which == GetUserRequestCase.UNKNOWN) this.unknown = r.all();
  }

  write(w: codec.Writer): void {
    switch (this.which) {
      case GetUserRequestCase.ID: {
        w.tag(1, 0);
        w.i32(this.id);
        break;
      }
      case GetUserRequestCase.NAME: {
        w.tag(2, 2);
        w.text(this.name);
        break;
      }
      default:
        w.put(this.unknown);
    }
  }
}

export class GetUserResponse extends codec.Message {
  user: User | null = null;
  /** Fields that a newer schema has. */
  unknown: Uint8Array = new Uint8Array(0);

  merge(r: codec.Reader): void {
    while (r.next()) {
      switch (r.field) {
        case 1: {
          const known = this.user;
          if (r.is(2)) this.user = codec.read<User>(r, known ? known : new User());
          break;
        }
        default:
          this.unknown = r.keep(this.unknown);
      }
    }
  }

  write(w: codec.Writer): void {
    {
      const value = this.user;
      if (value !== null) {
        w.tag(1, 2);
        w.message(value);
      }
    }
    w.put(this.unknown);
  }
}

export class UsersMap extends weir.TypedMap<string, User> {
  static NAME: string = "users";
  static SCHEMA: u64 = 0x464eab12e7f4b735;

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

// Looks after users.
// Functions give null if they fail.
export abstract class UserService {
  // Finds one.
  abstract getUser(request: GetUserRequest): GetUserResponse | null;
  abstract putUser(request: User): GetUserResponse | null;

  /** Calls the function of a path with bytes; null: there is none, or it failed. */
  dispatch(path: string, request: Uint8Array): Uint8Array | null {
    if (path == "/demo.v1.UserService/GetUser") {
      const input = codec.decode<GetUserRequest>(request);
      const output = input.ok ? this.getUser(input.value) : null;
      return output ? output.encode() : null;
    }
    if (path == "/demo.v1.UserService/PutUser") {
      const input = codec.decode<User>(request);
      const output = input.ok ? this.putUser(input.value) : null;
      return output ? output.encode() : null;
    }
    return null;
  }
}

/** Calls the functions by way of bytes. */
export class UserServiceClient extends UserService {
  constructor(public by: (path: string, request: Uint8Array) => Uint8Array | null) {
    super();
  }

  getUser(request: GetUserRequest): GetUserResponse | null {
    const bytes = this.by("/demo.v1.UserService/GetUser", request.encode());
    if (!bytes) return null;
    const answer = codec.decode<GetUserResponse>(bytes);
    return answer.ok ? answer.value : null;
  }

  putUser(request: User): GetUserResponse | null {
    const bytes = this.by("/demo.v1.UserService/PutUser", request.encode());
    if (!bytes) return null;
    const answer = codec.decode<GetUserResponse>(bytes);
    return answer.ok ? answer.value : null;
  }
}
