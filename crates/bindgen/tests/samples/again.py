"""Reads lines "type bytes" and writes the bytes of what it read."""
import importlib
import sys

from weir_map import DecodeError

stem, names = sys.argv[1:]
module = importlib.import_module(stem)
types = [getattr(module, name) for name in names.split(",")]
for line in sys.stdin:
    at, _, data = line.strip().partition(" ")
    try:
        print(types[int(at)].decode(bytes.fromhex(data)).encode().hex())
    except DecodeError:
        print("error")


class Memory:
    """A raw map."""

    def __init__(self):
        self.entries, self.version = {}, 0

    def get(self, key):
        return self.entries.get(key)

    def set(self, key, value):
        self.version += 1
        self.entries[key] = (value, self.version)

    def delete(self, key):
        return self.entries.pop(key, None) is not None

    def exists(self, key):
        return key in self.entries

    def compare_and_swap(self, key, expected, value):
        current = self.entries.get(key, (b"", 0))[1]
        if current != expected:
            return False, current
        self.set(key, value)
        return True, self.version

    def increment(self, key, delta):
        old = int.from_bytes(self.entries.get(key, (bytes(8), 0))[0], "little", signed=True)
        self.set(key, (old + delta).to_bytes(8, "little", signed=True))
        return old + delta

    def scan(self, prefix):
        for key in sorted(self.entries):
            if key.startswith(prefix):
                yield (key, *self.entries[key])


if stem == "demo":
    from demo import Colour, CountersMap, DataPacket, Frame, FramesMap, PacketsMap, Shape, ShapesMap, User, UsersMap
    from weir_map import Again

    users = UsersMap(Memory())
    users["ann"] = User(name="Ann", id=-7)
    assert users["ann"].id == -7 and "bob" not in users
    assert users.compare_and_swap("ann", 1, User(name="Ann", id=8)) == 2
    try:
        users.compare_and_swap("ann", 1, User())
        raise SystemExit("not refused")
    except Again as again:
        assert again.version == 2
    shapes = ShapesMap(Memory())
    for key in (5, -5, 0, -(2**31)):
        shapes[key] = Shape("circle", 0.5)
    assert [key for key, _, _ in shapes.scan()] == [-(2**31), -5, 0, 5]
    packets = PacketsMap(Memory())
    packets[1] = DataPacket(id=7, value=0.5)
    assert packets.raw.entries[b"\0\0\0\1"][0] == bytes([7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xE0, 0x3F])
    assert packets[1].value == 0.5
    frames = FramesMap(Memory())
    frame = Frame(kind=1, packet=packets[1], colour=Colour.BLUE, last=True, delta=-2)
    frames[2] = frame
    assert len(frames.raw.entries[b"\0\2"][0]) == 32 and frames[2] == frame
    assert CountersMap(Memory()).increment("hits", -3) == -3
else:
    from users import GetUserRequest, GetUserResponse, User, UserService, UserServiceClient

    class Users(UserService):
        def get_user(self, request):
            return GetUserResponse(user=User(name="Ann", id=request.value))

    found = UserServiceClient(Users().dispatch).get_user(GetUserRequest("id", 9)).user
    assert (found.name, found.id) == ("Ann", 9)
