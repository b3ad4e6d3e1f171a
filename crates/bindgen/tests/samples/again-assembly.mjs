// Runs a module of AssemblyScript over maps in memory: lines "type bytes" become the bytes of what it read.
import { readFileSync } from "node:fs";

let instance;
const memory = () => new DataView(instance.exports.memory.buffer);
const bytes = (at, size) => Buffer.from(instance.exports.memory.buffer, at >>> 0, size);
const maps = new Map();
let last = 0n;
const entriesOf = (handle) => maps.get(handle) ?? maps.set(handle, new Map()).get(handle);
const name = (at, size) => bytes(at, size).toString("hex");
const put = (handle, key, value) => entriesOf(handle).set(key, { value: Buffer.from(value), version: ++last });
const host = {
  open(at, size, rights, out) {
    memory().setUint32(out, size, true);
    return 0;
  },
  close: () => 0,
  get(handle, key, keySize, room, roomSize, size, version) {
    const found = entriesOf(handle).get(name(key, keySize));
    if (!found) return 44;
    memory().setUint32(size, found.value.length, true);
    memory().setBigUint64(version, found.version, true);
    if (found.value.length > roomSize) return 61;
    bytes(room, roomSize).set(found.value);
    return 0;
  },
  set(handle, key, keySize, value, size) {
    put(handle, name(key, keySize), bytes(value, size));
    return 0;
  },
  set_with(handle, key, keySize, value, size, options, version) {
    if (memory().getUint32(options, true) !== 4 || memory().getBigUint64(options + 16, true) !== 5n) return 28;
    put(handle, name(key, keySize), bytes(value, size));
    memory().setBigUint64(version, last, true);
    return 0;
  },
  delete: (handle, key, keySize) => (entriesOf(handle).delete(name(key, keySize)) ? 0 : 44),
  exists(handle, key, keySize, out) {
    memory().setUint32(out, entriesOf(handle).has(name(key, keySize)) ? 1 : 0, true);
    return 0;
  },
  compare_and_swap(handle, key, keySize, expected, value, size, version) {
    const current = entriesOf(handle).get(name(key, keySize))?.version ?? 0n;
    memory().setBigUint64(version, current, true);
    if (current !== expected) return 6;
    put(handle, name(key, keySize), bytes(value, size));
    memory().setBigUint64(version, last, true);
    return 0;
  },
  increment(handle, key, keySize, delta, out) {
    const value = (entriesOf(handle).get(name(key, keySize))?.value.readBigInt64LE() ?? 0n) + delta;
    const stored = Buffer.alloc(8);
    stored.writeBigInt64LE(value);
    put(handle, name(key, keySize), stored);
    memory().setBigInt64(out, value, true);
    return 0;
  },
  scan(handle, prefix, prefixSize, cursor, room, roomSize, used) {
    const keys = [...entriesOf(handle).keys()].sort();
    const at = memory().getUint32(cursor, true);
    const { value, version } = entriesOf(handle).get(keys[at]);
    const key = Buffer.from(keys[at], "hex");
    const size = (16 + key.length + value.length + 7) & ~7;
    memory().setUint32(used, size, true);
    if (size > roomSize) return 61;
    memory().setUint32(room, key.length, true);
    memory().setUint32(room + 4, value.length, true);
    memory().setBigUint64(room + 8, version, true);
    bytes(room + 16, key.length).set(key);
    bytes(room + 16 + key.length, value.length).set(value);
    memory().setUint32(cursor, at + 1 === keys.length ? 0 : at + 1, true);
    return 0;
  },
};
const env = {
  abort(message, file, line) {
    throw new Error(`the guest aborted in line ${line}`);
  },
};
const module = await WebAssembly.compile(readFileSync(process.argv[2]));
instance = await WebAssembly.instantiate(module, { env, wasi_map_v1: host });
const out = [];
for (const line of readFileSync(0, "utf8").trimEnd().split("\n")) {
  const [at, hex] = line.split(" ");
  const input = Buffer.from(hex ?? "", "hex");
  const room = instance.exports.room(input.length);
  bytes(room, input.length).set(input);
  const size = instance.exports.message(Number(at));
  if (size < -1) throw new Error(`there is no type ${at}`);
  out.push(size < 0 ? "error" : Buffer.from(bytes(instance.exports.answer(), size)).toString("hex"));
}
instance.exports.maps();
process.stdout.write(out.join("\n") + "\n");
