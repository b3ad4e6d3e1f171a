// Written by `weir bindgen`; do not edit.
import { Counters, DecodeError, Field, Message, TypedMap, Variant, layOut, pickUp, textCodec } from "./weir_map.mjs";

export const Role = Object.freeze({
  OWNER: -2,
  GUEST: 0,
  MEMBER: 1,
});

export class UserQuotasEntry extends Message {
  static FIELDS = [
    new Field(1, "key", "plain", "text"),
    new Field(2, "value", "plain", "u32"),
  ];
}

export class UserAddress extends Message {
  static FIELDS = [
    new Field(1, "street", "plain", "text"),
    new Field(2, "town", "plain", "text"),
  ];
}

// Who somebody is.
export class User extends Message {
  static FIELDS = [
    // What they are called.
    new Field(1, "name", "plain", "text"),
    new Field(2, "id", "plain", "i32"),
    new Field(4, "role", "plain", "i32", Role),
    new Field(5, "mail", "optional", "text"),
    new Field(6, "scores", "repeated", "s64"),
    new Field(7, "quotas", "repeated", "message", UserQuotasEntry),
    new Field(8, "address", "optional", "message", UserAddress),
    new Field(9, "serial", "plain", "fixed64"),
    new Field(10, "steps", "repeated", "sfixed32"),
  ];
}

export class GetUserRequest extends Variant {
  static CASES = [
    new Field(1, "id", "plain", "i32"),
    new Field(2, "name", "plain", "text"),
  ];
}

export class GetUserResponse extends Message {
  static FIELDS = [
    new Field(1, "user", "optional", "message", User),
  ];
}

export class UsersMap extends TypedMap {
  static NAME = "users";
  static SCHEMA = 0x464eab12e7f4b735n;
  static KEY = "text";
  encode(value) {
    return value.encode();
  }
  decode(bytes) {
    return User.decode(bytes);
  }
}

// Looks after users.
export class UserService {
  // Finds one.
  getUser(request) {
    throw new Error("GetUser is not there");
  }
  putUser(request) {
    throw new Error("PutUser is not there");
  }
  /** Calls the function of a path with bytes; undefined: there is none. */
  dispatch(path, request) {
    switch (path) {
      case "/demo.v1.UserService/GetUser":
        return this.getUser(GetUserRequest.decode(request)).encode();
      case "/demo.v1.UserService/PutUser":
        return this.putUser(User.decode(request)).encode();
      default:
        return undefined;
    }
  }
}

/** Calls the functions by way of bytes: `call(path, request)`. */
export class UserServiceClient extends UserService {
  constructor(call) {
    super();
    this.call = call;
  }
  getUser(request) {
    return GetUserResponse.decode(this.call("/demo.v1.UserService/GetUser", request.encode()));
  }
  putUser(request) {
    return GetUserResponse.decode(this.call("/demo.v1.UserService/PutUser", request.encode()));
  }
}
