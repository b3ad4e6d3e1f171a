// The functions of wasi_map_v1, by the names that the host has them under. All pointers and lengths
// are numbers, all answers an errno of WASI preview 1. index.ts needs no knowledge of them.

// @ts-ignore: decorator
@external("wasi_map_v1", "open")
export declare function open(name: usize, nameLen: i32, rights: u64, handleOut: usize): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "create")
export declare function create(options: usize, handleOut: usize): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "close")
export declare function close(handle: u32): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "dup")
export declare function dup(handle: u32, rights: u64, handleOut: usize): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "lend")
export declare function lend(handle: u32, rights: u64, to: usize, toLen: i32, ticketOut: usize): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "transfer")
export declare function transfer(handle: u32, to: usize, toLen: i32, ticketOut: usize): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "accept")
export declare function accept(ticket: usize, handleOut: usize): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "rights")
export declare function rights(handle: u32, rightsOut: usize): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "stat")
export declare function stat(handle: u32, statOut: usize): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "get")
export declare function get(
  handle: u32, key: usize, keyLen: i32, buf: usize, bufLen: i32, sizeOut: usize, versionOut: usize,
): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "set")
export declare function set(handle: u32, key: usize, keyLen: i32, value: usize, valueLen: i32): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "set_with")
export declare function setWith(
  handle: u32, key: usize, keyLen: i32, value: usize, valueLen: i32, terms: usize, versionOut: usize,
): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "delete")
export declare function remove(handle: u32, key: usize, keyLen: i32): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "exists")
export declare function exists(handle: u32, key: usize, keyLen: i32, out: usize): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "compare_and_swap")
export declare function compareAndSwap(
  handle: u32, key: usize, keyLen: i32, expected: u64, value: usize, valueLen: i32, versionOut: usize,
): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "increment")
export declare function increment(handle: u32, key: usize, keyLen: i32, delta: i64, valueOut: usize): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "scan")
export declare function scan(
  handle: u32, prefix: usize, prefixLen: i32, cursor: usize, buf: usize, bufLen: i32, usedOut: usize,
): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "batch")
export declare function batch(handle: u32, ops: usize, count: i32, results: usize): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "clear")
export declare function clear(handle: u32): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "watch")
export declare function watch(handle: u32, prefix: usize, prefixLen: i32, watchOut: usize): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "next")
export declare function next(watch: u32, timeoutMs: i64, buf: usize, bufLen: i32, usedOut: usize): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "unwatch")
export declare function unwatch(watch: u32): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "put_map")
export declare function putMap(handle: u32, key: usize, keyLen: i32, child: u32): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "get_map")
export declare function getMap(handle: u32, key: usize, keyLen: i32, handleOut: usize): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "region_create")
export declare function regionCreate(handle: u32, key: usize, keyLen: i32, length: u64): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "region_map")
export declare function regionMap(
  handle: u32, key: usize, keyLen: i32, offset: u64, length: i32, prot: i32, addressOut: usize,
): i32;
// @ts-ignore: decorator
@external("wasi_map_v1", "region_unmap")
export declare function regionUnmap(address: usize, length: i32): i32;
