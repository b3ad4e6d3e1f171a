// Shared maps for WebAssembly modules: the guest's side of WASI-Map, for AssemblyScript.
//
// AssemblyScript has no exceptions: every answer is a Result, which holds a value if `ok`. Whatever
// fails has changed nothing.
//
//     const visits = SharedMap.open("visits", Rights.READ | Rights.WRITE);
//     if (!visits.ok) return visits.errno;
//     const count = visits.value.increment(utf8("/index.html"), 1);
//
// A module that wants to be told of changes, or of maps that are gone, exports the functions itself:
//
//     export function wasi_map_on_change(context: u32, watch: u32): void { … }
//     export function wasi_map_on_release(mapId: i64): void { … }

import * as host from "./host";

/** Why the host refused an operation, by the number of WASI preview 1. */
export enum Errno {
  SUCCESS = 0,
  /** A condition does not hold. */
  AGAIN = 6,
  /** The handle is closed, or was moved away. */
  BADF = 8,
  /** It is there already. */
  EXIST = 20,
  /** A range is not in the module's memory. */
  FAULT = 21,
  /** An argument means nothing, or the entry is of another kind. */
  INVAL = 28,
  /** The map's back end failed. */
  IO = 29,
  /** Names have 1 to 256 bytes. */
  NAMETOOLONG = 37,
  /** Nothing is there, or nothing that this module may know of. */
  NOENT = 44,
  /** Too many handles, watches or maps. */
  NOMEM = 48,
  /** A quota is used up. */
  NOSPC = 51,
  /** The back end, or the host, cannot do that. */
  NOTSUP = 58,
  /** A number or an answer does not fit. */
  OVERFLOW = 61,
  /** What was lent has been taken back, or a scan is forgotten. */
  STALE = 72,
  /** The back end did not answer in time. */
  TIMEDOUT = 73,
  /** A right is missing. */
  NOTCAPABLE = 76,
}

/** What a handle allows: bits of a set. */
export namespace Rights {
  export const READ: u64 = 1;
  export const WRITE: u64 = 2;
  export const DELETE: u64 = 4;
  export const LIST: u64 = 8;
  export const WATCH: u64 = 16;
  export const CREATE: u64 = 32;
  export const SHARE: u64 = 64;
  export const MAP_READ: u64 = 128;
  export const MAP_WRITE: u64 = 256;
  export const CLEAR: u64 = 512;
  export const ALL: u64 = 1023;
}

/** A value if `ok`. */
export class Result<T> {
  constructor(
    public errno: Errno,
    public value: T,
    /** Of what was read or written; after compareAndSwap with AGAIN the one that the entry has. */
    public version: u64 = 0,
    /** With OVERFLOW: how many bytes are needed. */
    public needed: i32 = 0,
  ) {}

  get ok(): bool {
    return this.errno == Errno.SUCCESS;
  }
}

/** Bytes of a text. */
export function utf8(text: string): Uint8Array {
  return Uint8Array.wrap(String.UTF8.encode(text));
}

/** Text of bytes. */
export function text(bytes: Uint8Array): string {
  return String.UTF8.decodeUnsafe(bytes.dataStart, bytes.length);
}

// Where the host writes small answers: nothing is called between writing and reading them.
const OUT: usize = memory.data(64, 8);
const SECOND: usize = OUT + 8;

const TERMS: usize = memory.data(24, 8);
const OPTIONS: usize = memory.data(40, 8);

/** What must hold of an entry, and how long it lasts. */
export class Terms {
  /** There must be no such entry. */
  ifAbsent: bool = false;
  /** The entry must have this version, if it is not 0. */
  ifVersion: u64 = 0;
  /** Milliseconds until it ends; 0: as the map says. */
  ttlMs: u64 = 0;

  get flags(): u32 {
    const absent: u32 = this.ifAbsent ? 1 : 0;
    const version: u32 = this.ifVersion != 0 ? 2 : 0;
    const ttl: u32 = this.ttlMs != 0 ? 4 : 0;
    return absent | version | ttl;
  }
}

/** How a map of one's own is made. Zeros: as the host likes. */
export class Options {
  entriesMax: u64 = 0;
  bytesMax: u64 = 0;
  valueBytesMax: u64 = 0;
  /** Of entries that are written without one; 0: they stay. */
  ttlMs: u64 = 0;
  /** A full map lets entries go that were not used for long. */
  evict: bool = false;
}

/** Numbers of a map. */
export class Stat {
  entries: u64 = 0;
  bytes: u64 = 0;
  version: u64 = 0;
  quotaBytes: u64 = 0;
  references: u64 = 0;
  flags: u64 = 0;
}

/** An entry of a scan. No value: it refers to a map, or is a region. */
export class Item {
  constructor(
    public key: Uint8Array,
    public value: Uint8Array | null,
    public version: u64,
    public isRegion: bool,
  ) {}
}

/** A handle to a map. It stays open until it is closed or the instance ends. */
export class SharedMap {
  constructor(public handle: u32) {}

  /** A map that the configuration grants by this name. */
  static open(name: string, rights: u64): Result<SharedMap> {
    const bytes = utf8(name);
    return made(host.open(bytes.dataStart, bytes.length, rights, OUT));
  }

  /** A map of one's own, with all rights; it lives while something refers to it. */
  static create(options: Options = new Options()): Result<SharedMap> {
    store<u64>(OPTIONS, options.entriesMax);
    store<u64>(OPTIONS, options.bytesMax, 8);
    store<u64>(OPTIONS, options.valueBytesMax, 16);
    store<u64>(OPTIONS, options.ttlMs, 24);
    store<u32>(OPTIONS, options.evict ? 1 : 0, 32);
    return made(host.create(OPTIONS, OUT));
  }

  /** A map that another module has lent or moved here by a ticket of 16 bytes. */
  static accept(ticket: Uint8Array): Result<SharedMap> {
    if (ticket.length != 16) return new Result(Errno.INVAL, new SharedMap(0));
    return made(host.accept(ticket.dataStart, OUT));
  }

  /** Gives the handle back. */
  close(): Errno {
    return host.close(this.handle);
  }

  /** Another handle to the same map, with fewer rights or the same. */
  duplicate(rights: u64): Result<SharedMap> {
    return made(host.dup(this.handle, rights, OUT));
  }

  /** A ticket that lends the map to a filter or function of the configuration, until the handle is
   * closed or the request ends. */
  lend(rights: u64, to: string): Result<Uint8Array> {
    const ticket = new Uint8Array(16);
    const use = utf8(to);
    return new Result(
      host.lend(this.handle, rights, use.dataStart, use.length, ticket.dataStart),
      ticket,
    );
  }

  /** A ticket that moves the handle there: it is gone here at once, unless that is refused. */
  transfer(to: string): Result<Uint8Array> {
    const ticket = new Uint8Array(16);
    const use = utf8(to);
    return new Result(
      host.transfer(this.handle, use.dataStart, use.length, ticket.dataStart),
      ticket,
    );
  }

  /** What the handle allows. */
  rights(): Result<u64> {
    const errno = host.rights(this.handle, OUT);
    return new Result<u64>(errno, load<u64>(OUT));
  }

  /** The map's numbers. */
  stat(): Result<Stat> {
    const stat = new Stat();
    return new Result(host.stat(this.handle, changetype<usize>(stat)), stat);
  }

  /** The value of a key and its version; NOENT if there is none. */
  get(key: Uint8Array): Result<Uint8Array> {
    let buffer = new Uint8Array(256);
    let found = this.getInto(key, buffer);
    while (found.errno == Errno.OVERFLOW && found.needed > buffer.length) {
      buffer = new Uint8Array(found.needed);
      found = this.getInto(key, buffer);
    }
    const value = found.ok ? buffer.subarray(0, found.value) : buffer;
    return new Result(found.errno, value, found.version);
  }

  /** Copies the value of a key into a buffer, and answers its size. */
  getInto(key: Uint8Array, buffer: Uint8Array): Result<i32> {
    const at = buffer.dataStart;
    const room = buffer.length;
    store<u64>(SECOND, 0);
    const errno = host.get(this.handle, key.dataStart, key.length, at, room, OUT, SECOND);
    const size = load<i32>(OUT);
    return new Result<i32>(errno, size, load<u64>(SECOND), size);
  }

  /** Stores a value, whatever was there. */
  set(key: Uint8Array, value: Uint8Array): Errno {
    return host.set(this.handle, key.dataStart, key.length, value.dataStart, value.length);
  }

  /** Stores a value on terms, and answers its version. */
  setWith(key: Uint8Array, value: Uint8Array, terms: Terms): Result<u64> {
    store<u32>(TERMS, terms.flags);
    store<u64>(TERMS, terms.ifVersion, 8);
    store<u64>(TERMS, terms.ttlMs, 16);
    return versioned(
      host.setWith(this.handle, key.dataStart, key.length, value.dataStart, value.length, TERMS, OUT),
    );
  }

  /** Removes an entry; NOENT if there is none. */
  delete(key: Uint8Array): Errno {
    return host.remove(this.handle, key.dataStart, key.length);
  }

  /** Whether there is an entry. */
  exists(key: Uint8Array): Result<bool> {
    const errno = host.exists(this.handle, key.dataStart, key.length, OUT);
    return new Result<bool>(errno, load<u32>(OUT) != 0);
  }

  /** Stores a value if the entry has the expected version, 0 for "there is none", and answers the
   * new one. With AGAIN `version` is the one that the entry has. */
  compareAndSwap(key: Uint8Array, expected: u64, value: Uint8Array): Result<u64> {
    const at = key.dataStart;
    return versioned(
      host.compareAndSwap(this.handle, at, key.length, expected, value.dataStart, value.length, OUT),
    );
  }

  /** Adds to a counter, a value of 8 bytes which begins at 0 and never wraps, and answers the sum. */
  increment(key: Uint8Array, delta: i64): Result<i64> {
    const errno = host.increment(this.handle, key.dataStart, key.length, delta, OUT);
    return new Result<i64>(errno, load<i64>(OUT));
  }

  /** Lists the entries whose keys begin with a prefix, in the order of their keys. */
  scan(prefix: Uint8Array = new Uint8Array(0)): Scan {
    return new Scan(this, prefix);
  }

  /** Does a batch as one step, or not at all, and answers what each operation did. */
  run(batch: Batch): Result<StaticArray<Done>> {
    const results = new Uint8Array(batch.count * 16);
    const errno = host.batch(this.handle, batch.ops.dataStart, batch.count, results.dataStart);
    const done = new StaticArray<Done>(batch.count);
    for (let i = 0; i < batch.count; i++) {
      const at = results.dataStart + i * 16;
      done[i] = new Done(load<u64>(at), load<i64>(at, 8));
    }
    return new Result(errno, done);
  }

  /** Removes all entries. */
  clear(): Errno {
    return host.clear(this.handle);
  }

  /** Follows the changes of keys that begin with a prefix, from now on. */
  watch(prefix: Uint8Array = new Uint8Array(0)): Result<Watch> {
    const errno = host.watch(this.handle, prefix.dataStart, prefix.length, OUT);
    return new Result(errno, new Watch(load<u32>(OUT)));
  }

  /** Lets an entry refer to another map, which lives as long as it does. */
  putMap(key: Uint8Array, child: SharedMap): Errno {
    return host.putMap(this.handle, key.dataStart, key.length, child.handle);
  }

  /** Opens the map that an entry refers to. */
  getMap(key: Uint8Array): Result<SharedMap> {
    return made(host.getMap(this.handle, key.dataStart, key.length, OUT));
  }

  /** Makes a region of zeros as the value of a key. */
  createRegion(key: Uint8Array, length: u64): Errno {
    return host.regionCreate(this.handle, key.dataStart, key.length, length);
  }

  /** Maps a part of a region, from a multiple of 64 KiB on, and answers its address. What is written to
   * a mapping for reading stays here; a writable one excludes all others. */
  mapRegion(key: Uint8Array, offset: u64, length: i32, writable: bool): Result<usize> {
    const prot = writable ? 3 : 1;
    const at = key.dataStart;
    const errno = host.regionMap(this.handle, at, key.length, offset, length, prot, OUT);
    return new Result<usize>(errno, load<u32>(OUT));
  }
}

/** Takes a mapping away: the range reads as zeros. */
export function unmapRegion(address: usize, length: i32): Errno {
  return host.regionUnmap(address, length);
}

/** Operations that are done in their order, as one step or not at all. */
export class Batch {
  count: i32 = 0;
  ops: Uint8Array = new Uint8Array(40 * 4);
  // The operations point into these.
  private kept: Array<Uint8Array> = [];

  /** Requires the conditions in terms, without changing the entry. */
  check(key: Uint8Array, terms: Terms): Batch {
    return this.push(1, key, new Uint8Array(0), terms, terms.ifVersion);
  }

  /** Stores a value on terms. */
  set(key: Uint8Array, value: Uint8Array, terms: Terms = new Terms()): Batch {
    return this.push(2, key, value, terms, terms.ifVersion);
  }

  /** Removes an entry if it is there. */
  delete(key: Uint8Array): Batch {
    return this.push(3, key, new Uint8Array(0), new Terms(), 0);
  }

  /** Adds to a counter. */
  increment(key: Uint8Array, delta: i64): Batch {
    return this.push(4, key, new Uint8Array(0), new Terms(), delta as u64);
  }

  private push(kind: u32, key: Uint8Array, value: Uint8Array, terms: Terms, number: u64): Batch {
    const end = this.count * 40;
    if (end == this.ops.length) {
      const longer = new Uint8Array(end * 2);
      longer.set(this.ops);
      this.ops = longer;
    }
    const at = this.ops.dataStart + end;
    store<u32>(at, kind);
    store<u32>(at, terms.flags, 4);
    store<u32>(at, key.dataStart as u32, 8);
    store<u32>(at, key.length, 12);
    store<u32>(at, value.dataStart as u32, 16);
    store<u32>(at, value.length, 20);
    store<u64>(at, number, 24);
    store<u64>(at, terms.ttlMs, 32);
    this.kept.push(key);
    this.kept.push(value);
    this.count += 1;
    return this;
  }
}

/** What one operation of a batch did. */
export class Done {
  constructor(
    /** Of a check the one found, of a set or an increment the new one. */
    public version: u64,
    /** Of a delete 1 if there was an entry, of an increment the sum. */
    public value: i64,
  ) {}
}

/** Bytes before the key of an entry or a change. */
const HEAD: i32 = 16;
/** In the place of a value's length: the entry refers to a map. */
const IS_MAP: u32 = 0xffffffff;
/** In the same place: the entry is a region. */
const IS_REGION: u32 = 0xfffffffe;

/** Lists entries, a page at a time. An entry that is there all the time, unchanged, is listed exactly
 * once. On STALE begin again. */
export class Scan {
  private cursor: Uint8Array = new Uint8Array(16);
  private page: Uint8Array = new Uint8Array(4096);
  private used: i32 = 0;
  private read: i32 = 0;
  private over: bool = false;

  constructor(
    private map: SharedMap,
    private prefix: Uint8Array,
  ) {}

  /** The next entry; `null`: that was all. */
  next(): Result<Item | null> {
    while (this.read >= this.used) {
      if (this.over) return new Result<Item | null>(Errno.SUCCESS, null);
      const errno = this.turn();
      if (errno != Errno.SUCCESS) return new Result<Item | null>(errno, null);
    }
    const at = this.page.dataStart + this.read;
    const keyLen = load<i32>(at);
    const valueLen = load<u32>(at, 4);
    const isRegion = valueLen == IS_REGION;
    const refers = valueLen == IS_MAP || isRegion;
    const keyAt = this.read + HEAD;
    const valueAt = keyAt + keyLen;
    const end = valueAt + (refers ? 0 : <i32>valueLen);
    if (end > this.used) return new Result<Item | null>(Errno.IO, null);
    const key = this.page.slice(keyAt, valueAt);
    const value: Uint8Array | null = refers ? null : this.page.slice(valueAt, end);
    this.read = (end + 7) & ~7;
    const item = new Item(key, value, load<u64>(at, 8), isRegion);
    return new Result<Item | null>(Errno.SUCCESS, item);
  }

  private turn(): Errno {
    const prefix = this.prefix;
    const cursor = this.cursor.dataStart;
    let errno: Errno;
    while (true) {
      const at = this.page.dataStart;
      const room = this.page.length;
      errno = host.scan(this.map.handle, prefix.dataStart, prefix.length, cursor, at, room, OUT);
      const used = load<i32>(OUT);
      if (errno != Errno.OVERFLOW || used <= room) break;
      this.page = new Uint8Array(used);
    }
    this.used = errno == Errno.SUCCESS ? load<i32>(OUT) : 0;
    this.read = 0;
    const first = load<u64>(cursor);
    this.over = errno != Errno.SUCCESS || (first == 0 && load<u64>(cursor, 8) == 0);
    return errno;
  }
}

/** What has changed. */
export enum Kind {
  SET = 1,
  DELETED = 2,
  /** Its time was up. */
  ENDED = 3,
  /** It gave way to another. */
  EVICTED = 4,
  /** All entries were removed at once. */
  CLEARED = 5,
  /** There was more than could wait: read the map again. */
  RESYNC = 6,
  /** The map is gone; nothing follows. */
  GONE = 7,
}

/** What a watch tells. Several changes of one key may be told as the last one. */
export class Change {
  constructor(
    public kind: Kind,
    public key: Uint8Array,
    public version: u64,
  ) {}
}

/** Follows the changes of a map until it is closed. */
export class Watch {
  private page: Uint8Array = new Uint8Array(4096);
  private used: i32 = 0;
  private read: i32 = 0;

  constructor(public id: u32) {}

  /** Ends it. */
  close(): Errno {
    return host.unwatch(this.id);
  }

  /** The next change; `null`: there is none yet. */
  poll(): Result<Change | null> {
    return this.ask(0);
  }

  /** The next change, waited for; `null`: the time was up, or the module cannot wait, as a filter. */
  next(timeoutMs: i64): Result<Change | null> {
    return this.ask(timeoutMs < 1 ? 1 : timeoutMs);
  }

  private ask(timeoutMs: i64): Result<Change | null> {
    if (this.read >= this.used) {
      const errno = this.fetch(timeoutMs);
      const nothing = errno == Errno.AGAIN || errno == Errno.TIMEDOUT;
      if (nothing) return new Result<Change | null>(Errno.SUCCESS, null);
      if (errno != Errno.SUCCESS || this.used == 0) return new Result<Change | null>(errno, null);
    }
    const at = this.page.dataStart + this.read;
    const keyAt = this.read + HEAD;
    const end = keyAt + load<i32>(at);
    if (end > this.used) return new Result<Change | null>(Errno.IO, null);
    const change = new Change(load<i32>(at, 4), this.page.slice(keyAt, end), load<u64>(at, 8));
    this.read = (end + 7) & ~7;
    return new Result<Change | null>(Errno.SUCCESS, change);
  }

  private fetch(timeoutMs: i64): Errno {
    let errno: Errno;
    while (true) {
      const room = this.page.length;
      errno = host.next(this.id, timeoutMs, this.page.dataStart, room, OUT);
      const used = load<i32>(OUT);
      if (errno != Errno.OVERFLOW || used <= room) break;
      this.page = new Uint8Array(used);
    }
    this.used = errno == Errno.SUCCESS ? load<i32>(OUT) : 0;
    this.read = 0;
    return errno;
  }
}

function made(errno: Errno): Result<SharedMap> {
  const handle = errno == Errno.SUCCESS ? load<u32>(OUT) : 0;
  return new Result(errno, new SharedMap(handle));
}

function versioned(errno: Errno): Result<u64> {
  const version = load<u64>(OUT);
  return new Result<u64>(errno, version, version);
}
