# Written by `weir bindgen`; do not edit.
import struct

from weir_map import Counters, DecodeError, Field, IntEnum, IntFlag, Map, Message, Variant


class Role(IntEnum):
    OWNER = -2
    GUEST = 0
    MEMBER = 1


class UserQuotasEntry(Message):
    FIELDS = (
        Field(1, "key", "plain", "text"),
        Field(2, "value", "plain", "u32"),
    )


class UserAddress(Message):
    FIELDS = (
        Field(1, "street", "plain", "text"),
        Field(2, "town", "plain", "text"),
    )


# Who somebody is.
class User(Message):
    FIELDS = (
        # What they are called.
        Field(1, "name", "plain", "text"),
        Field(2, "id", "plain", "i32"),
        Field(4, "role", "plain", "i32", Role),
        Field(5, "mail", "optional", "text"),
        Field(6, "scores", "repeated", "s64"),
        Field(7, "quotas", "repeated", "message", UserQuotasEntry),
        Field(8, "address", "optional", "message", UserAddress),
        Field(9, "serial", "plain", "fixed64"),
        Field(10, "steps", "repeated", "sfixed32"),
    )


class GetUserRequest(Variant):
    CASES = (
        Field(1, "id", "plain", "i32"),
        Field(2, "name", "plain", "text"),
    )


class GetUserResponse(Message):
    FIELDS = (
        Field(1, "user", "optional", "message", User),
    )


class UsersMap(Map):
    NAME = "users"
    SCHEMA = 0x464eab12e7f4b735
    KEY = "text"

    def encode(self, value):
        return value.encode()

    def decode(self, data):
        return User.decode(data)


# Looks after users.
class UserService:
    # Finds one.
    def get_user(self, request):
        raise NotImplementedError

    def put_user(self, request):
        raise NotImplementedError

    def dispatch(self, path, request):
        """Calls the function of a path with bytes; `KeyError`: there is none."""
        decode, call = {
            "/demo.v1.UserService/GetUser": (GetUserRequest.decode, self.get_user),
            "/demo.v1.UserService/PutUser": (User.decode, self.put_user),
        }[path]
        return call(decode(request)).encode()


class UserServiceClient(UserService):
    """Calls the functions by way of bytes: `call(path, request)`."""

    def __init__(self, call):
        self.call = call

    def get_user(self, request):
        return GetUserResponse.decode(self.call("/demo.v1.UserService/GetUser", request.encode()))

    def put_user(self, request):
        return GetUserResponse.decode(self.call("/demo.v1.UserService/PutUser", request.encode()))
