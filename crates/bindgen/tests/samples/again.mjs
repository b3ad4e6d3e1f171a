// Reads lines "type bytes" and writes the bytes of what it read.
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { Again, DecodeError } from "./weir_map.mjs";

const [stem, names] = process.argv.slice(2);
const module = await import(`./${stem}.mjs`);
const types = names.split(",").map((name) => module[name]);
const out = [];
for (const line of readFileSync(0, "utf8").trimEnd().split("\n")) {
  const [at, hex] = line.split(" ");
  try {
    out.push(Buffer.from(types[at].decode(new Uint8Array(Buffer.from(hex ?? "", "hex"))).encode()).toString("hex"));
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    out.push("error");
  }
}

class Memory {
  entries = new Map();
  version = 0n;
  text = (key) => Buffer.from(key).toString("hex");
  get(key) {
    return this.entries.get(this.text(key));
  }
  set(key, value) {
    this.entries.set(this.text(key), [value, ++this.version]);
  }
  delete(key) {
    return this.entries.delete(this.text(key));
  }
  exists(key) {
    return this.entries.has(this.text(key));
  }
  compareAndSwap(key, expected, value) {
    const current = this.get(key)?.[1] ?? 0n;
    if (current !== expected) return [false, current];
    this.set(key, value);
    return [true, this.version];
  }
  increment(key, delta) {
    const old = Buffer.from(this.get(key)?.[0] ?? new Uint8Array(8)).readBigInt64LE();
    const value = Buffer.alloc(8);
    value.writeBigInt64LE(old + delta);
    this.set(key, value);
    return old + delta;
  }
  *scan() {
    for (const key of [...this.entries.keys()].sort()) yield [new Uint8Array(Buffer.from(key, "hex")), ...this.entries.get(key)];
  }
}

if (stem === "demo") {
  const { CountersMap, Colour, DataPacket, Frame, FramesMap, PacketsMap, Shape, ShapesMap, User, UsersMap } = module;
  const users = new UsersMap(new Memory());
  users.set("ann", new User({ name: "Ann", id: -7 }));
  assert.equal(users.get("ann").value.id, -7);
  assert.equal(users.get("bob"), undefined);
  assert.equal(users.compareAndSwap("ann", 1n, new User()), 2n);
  assert.throws(() => users.compareAndSwap("ann", 1n, new User()), Again);
  const shapes = new ShapesMap(new Memory());
  for (const key of [5, -5, 0, -(2 ** 31)]) shapes.set(key, new Shape("circle", 0.5));
  assert.deepEqual([...shapes.scan()].map((entry) => entry.key), [-(2 ** 31), -5, 0, 5]);
  const packets = new PacketsMap(new Memory());
  packets.set(1, new DataPacket({ id: 7, value: 0.5 }));
  assert.deepEqual([...packets.raw.entries.get("00000001")[0]], [7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f]);
  const frame = new Frame({ kind: 1, packet: packets.get(1).value, colour: Colour.BLUE, last: true, delta: -2 });
  const frames = new FramesMap(new Memory());
  frames.set(2, frame);
  assert.equal(frames.raw.entries.get("0002")[0].length, 32);
  assert.deepEqual(frames.get(2).value, frame);
  assert.equal(new CountersMap(new Memory()).increment("hits", -3), -3n);
} else {
  const { GetUserRequest, GetUserResponse, User, UserService, UserServiceClient } = module;
  class Users extends UserService {
    getUser(request) {
      return new GetUserResponse({ user: new User({ name: "Ann", id: request.value }) });
    }
  }
  const client = new UserServiceClient((path, bytes) => new Users().dispatch(path, bytes));
  assert.equal(client.getUser(new GetUserRequest("id", 9)).user.id, 9);
}
process.stdout.write(out.join("\n") + "\n");
