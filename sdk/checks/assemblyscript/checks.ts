// Calls everything that the AssemblyScript module has against a real host: see ../c/checks.c for what
// it grants. Each export answers 0, or the number of the expectation that did not hold; "regions"
// answers 58 on a host without regions.
import {
  Batch,
  Errno,
  Kind,
  Options,
  Rights,
  SharedMap,
  Terms,
  text,
  unmapRegion,
  utf8,
} from "../../assemblyscript/assembly/index";

function shared(): SharedMap {
  const opened = SharedMap.open("shared", Rights.ALL);
  if (!opened.ok || opened.value.clear() != Errno.SUCCESS) unreachable();
  return opened.value;
}

function same(one: Uint8Array, other: Uint8Array): bool {
  if (one.length != other.length) return false;
  return memory.compare(one.dataStart, other.dataStart, one.length) == 0;
}

function absent(): Terms {
  const terms = new Terms();
  terms.ifAbsent = true;
  return terms;
}

export function entries(): i32 {
  const map = shared();
  const key = utf8("key");
  const none = utf8("none");
  if (map.set(key, utf8("value")) != Errno.SUCCESS) return 1;
  const found = map.get(key);
  if (!found.ok || text(found.value) != "value" || found.version == 0) return 2;
  const small = map.getInto(key, new Uint8Array(3));
  if (small.errno != Errno.OVERFLOW || small.needed != 5) return 3;
  const large = new Uint8Array(100000);
  large.fill(7);
  if (map.set(utf8("large"), large) != Errno.SUCCESS) return 4;
  if (!same(map.get(utf8("large")).value, large)) return 5;
  if (!map.exists(key).value || map.exists(none).value) return 6;
  if (map.get(none).errno != Errno.NOENT) return 7;
  if (map.delete(key) != Errno.SUCCESS || map.delete(key) != Errno.NOENT) return 8;
  const n = utf8("n");
  if (map.increment(n, 40).value != 40 || map.increment(n, 2).value != 42) return 9;
  if (map.increment(n, i64.MAX_VALUE).errno != Errno.OVERFLOW) return 10;
  const swapped = utf8("swapped");
  const first = map.compareAndSwap(swapped, 0, utf8("1"));
  if (!first.ok || first.value == 0) return 11;
  const lost = map.compareAndSwap(swapped, 0, utf8("2"));
  if (lost.errno != Errno.AGAIN || lost.version != first.value) return 12;
  if (map.compareAndSwap(swapped, first.value, utf8("2")).value <= first.value) return 13;
  if (map.setWith(swapped, utf8("3"), absent()).errno != Errno.AGAIN) return 14;
  const old = new Terms();
  old.ifVersion = first.value;
  if (map.setWith(swapped, utf8("3"), old).errno != Errno.AGAIN) return 15;
  const lasting = absent();
  lasting.ttlMs = 3600000;
  const stored = map.setWith(utf8("lasting"), utf8(""), lasting);
  if (!stored.ok || stored.value <= first.value) return 16;
  if (map.close() != Errno.SUCCESS || map.close() != Errno.BADF) return 17;
  return 0;
}

export function lists(): i32 {
  const map = shared();
  const large = new Uint8Array(10000);
  for (let i = 0; i < 300; i++) {
    const key = new Uint8Array(3);
    key[0] = 97;
    key[1] = <u8>(i >> 8);
    key[2] = <u8>i;
    if (map.set(key, i == 5 ? large : utf8("some value")) != Errno.SUCCESS) return 1;
  }
  map.set(utf8("b"), utf8(""));
  let seen = 0;
  const scan = map.scan(utf8("a"));
  while (true) {
    const next = scan.next();
    if (!next.ok) return 2;
    const item = next.value;
    if (item == null) break;
    if (item.key.length != 3 || <i32>item.key[1] * 256 + item.key[2] != seen) return 3;
    const value = item.value;
    if (value == null || !same(value, seen == 5 ? large : utf8("some value"))) return 4;
    if (item.version == 0) return 5;
    seen++;
  }
  if (seen != 300 || map.scan(utf8("c")).next().value != null) return 6;
  const batch = new Batch()
    .check(utf8("new"), absent())
    .set(utf8("new"), utf8("1"))
    .increment(utf8("n"), -5)
    .delete(utf8("b"))
    .delete(utf8("none"));
  const done = map.run(batch);
  if (!done.ok || done.value.length != 5) return 7;
  if (done.value[0].version != 0 || done.value[1].version == 0) return 8;
  if (done.value[2].value != -5 || done.value[3].value != 1 || done.value[4].value != 0) return 9;
  if (map.run(batch).errno != Errno.AGAIN || map.exists(utf8("b")).value) return 10;
  if (map.clear() != Errno.SUCCESS || map.scan().next().value != null) return 11;
  return 0;
}

export function changes(): i32 {
  const map = shared();
  const watching = map.watch(utf8("w"));
  if (!watching.ok || watching.value.id == 0) return 1;
  const watch = watching.value;
  if (watch.poll().value != null || !watch.next(2).ok) return 2;
  const large = new Uint8Array(6000);
  large.fill(119);
  map.set(utf8("other"), utf8(""));
  map.set(utf8("w1"), utf8(""));
  map.delete(utf8("w1"));
  map.set(large, utf8(""));
  let told = 0;
  while (true) {
    const next = watch.poll();
    if (!next.ok) return 3;
    const change = next.value;
    if (change == null) break;
    const deleted = change.kind == Kind.DELETED && text(change.key) == "w1";
    const stored = change.kind == Kind.SET && same(change.key, large);
    if ((!deleted && !stored) || change.version == 0) return 4;
    told++;
  }
  if (told != 2) return 5;
  map.clear();
  const cleared = watch.poll().value;
  if (cleared == null || cleared.kind != Kind.CLEARED) return 6;
  if (watch.close() != Errno.SUCCESS || watch.close() != Errno.BADF) return 7;
  if (watch.poll().errno != Errno.BADF) return 8;
  return 0;
}

export function handles(): i32 {
  const map = shared();
  map.set(utf8("key"), utf8("1"));
  const reader = map.duplicate(Rights.READ | Rights.SHARE).value;
  if (reader.rights().value != (Rights.READ | Rights.SHARE)) return 1;
  if (reader.set(utf8("key"), utf8("2")) != Errno.NOTCAPABLE) return 2;
  if (reader.duplicate(Rights.ALL).errno != Errno.NOTCAPABLE) return 3;
  const lent = reader.lend(Rights.READ, "checks");
  if (!lent.ok) return 4;
  const borrowed = SharedMap.accept(lent.value).value;
  if (text(borrowed.get(utf8("key")).value) != "1") return 5;
  if (SharedMap.accept(lent.value).errno != Errno.NOENT) return 6;
  if (reader.close() != Errno.SUCCESS) return 7;
  if (borrowed.get(utf8("key")).errno != Errno.STALE) return 8;
  const ticket = map.transfer("checks");
  if (!ticket.ok || map.get(utf8("key")).errno != Errno.BADF) return 9;
  const moved = SharedMap.accept(ticket.value);
  if (!moved.ok || moved.value.rights().value != Rights.ALL) return 10;
  if (SharedMap.accept(new Uint8Array(3)).errno != Errno.INVAL) return 11;
  return 0;
}

export function references(): i32 {
  const map = shared();
  const options = new Options();
  options.entriesMax = 1;
  options.ttlMs = 3600000;
  const own = SharedMap.create(options);
  if (!own.ok || own.value.set(utf8("in"), utf8("side")) != Errno.SUCCESS) return 1;
  if (own.value.set(utf8("in2"), utf8("")) != Errno.NOSPC) return 2;
  const stat = own.value.stat();
  if (!stat.ok || stat.value.entries != 1 || stat.value.flags != 4) return 3;
  if (map.putMap(utf8("child"), own.value) != Errno.SUCCESS) return 4;
  own.value.close();
  const child = map.getMap(utf8("child"));
  if (!child.ok || text(child.value.get(utf8("in")).value) != "side") return 5;
  if (map.getMap(utf8("none")).errno != Errno.NOENT) return 6;
  const item = map.scan(utf8("child")).next().value;
  if (item == null || item.value != null) return 7;
  return 0;
}

export function errors(): i32 {
  if (SharedMap.open("missing", Rights.READ).errno != Errno.NOENT) return 1;
  if (SharedMap.open("", Rights.READ).errno != Errno.INVAL) return 2;
  if (SharedMap.open("n".repeat(257), Rights.READ).errno != Errno.NAMETOOLONG) return 3;
  if (SharedMap.open("readable", Rights.ALL).errno != Errno.NOTCAPABLE) return 4;
  const readable = SharedMap.open("readable", Rights.READ);
  if (!readable.ok || text(readable.value.get(utf8("host")).value) != "hello") return 5;
  if (readable.value.set(utf8("host"), utf8("")) != Errno.NOTCAPABLE) return 6;
  if (readable.value.scan().next().errno != Errno.NOTCAPABLE) return 7;
  if (readable.value.watch().errno != Errno.NOTCAPABLE) return 8;
  return 0;
}

export function regions(): i32 {
  const map = shared();
  const key = utf8("region");
  const made = map.createRegion(key, 100000);
  if (made == Errno.NOTSUP) return made;
  if (made != Errno.SUCCESS) return 1;
  const item = map.scan(key).next().value;
  if (item == null || !item.isRegion || item.value != null) return 7;
  const writing = map.mapRegion(key, 0, 100000, true);
  if (writing.errno == Errno.NOTSUP) return writing.errno;
  if (!writing.ok || load<u8>(writing.value, 99999) != 0) return 2;
  store<u8>(writing.value, 7, 99999);
  if (unmapRegion(writing.value, 100000) != Errno.SUCCESS) return 3;
  const reading = map.mapRegion(key, 0, 100000, false);
  if (!reading.ok || load<u8>(reading.value, 99999) != 7) return 4;
  if (unmapRegion(reading.value, 100000) != Errno.SUCCESS) return 5;
  if (map.mapRegion(utf8("none"), 0, 1, false).errno != Errno.NOENT) return 6;
  return 0;
}
