//! Every function of `wasi-map:map`: a line that succeeds in the state that [`prepare`] makes, the
//! rights that it needs, and lines that are refused.

use weir_maps::store::{Condition, Terms};
use weir_maps::{Rights, Store, Value};

use super::{Guest, player};
use crate::house::House;

/// A function.
pub(crate) struct Row {
    /// `{m}` is a map.
    pub(crate) line: &'static str,
    /// What it tells; `*`: anything but a refusal.
    pub(crate) tells: &'static str,
    /// What its map must allow.
    pub(crate) needs: u64,
    /// Other arguments, and how what is told begins.
    pub(crate) mistakes: &'static [(&'static str, &'static str)],
}

const READ: u64 = Rights::READ.bits();
const WRITE: u64 = Rights::WRITE.bits();
const DELETE: u64 = Rights::DELETE.bits();
const LIST: u64 = Rights::LIST.bits();
const WATCH: u64 = Rights::WATCH.bits();
const CREATE: u64 = Rights::CREATE.bits();
const SHARE: u64 = Rights::SHARE.bits();
const CLEAR: u64 = Rights::CLEAR.bits();
const MAP_READ: u64 = Rights::MAP_READ.bits();
const MAP_BOTH: u64 = MAP_READ | Rights::MAP_WRITE.bits();

const fn row(
    line: &'static str,
    tells: &'static str,
    needs: u64,
    mistakes: &'static [(&'static str, &'static str)],
) -> Row {
    Row {
        line,
        tells,
        needs,
        mistakes,
    }
}

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    row("open cache 1023", "5", 0, &[
        ("open - 1", "error invalid"), ("open x*257 1", "error name-too-long"),
        ("open nosuch 1", "error no-entry"),
    ]),
    row("create 10 - - 5 lru", "5", 0, &[("create - - - 0 refuse", "error invalid")]),
    row("accept {ticket}", "5", 0, &[("accept 1 2", "error no-entry")]),
    row("dup {m} 3", "5", 0, &[]),
    row("lend {m} 3 other", "*", SHARE | 3, &[
        ("lend {m} 3 -", "error invalid"), ("lend {m} 3 x*257", "error name-too-long"),
    ]),
    row("transfer {m} other", "*", SHARE, &[
        ("transfer {m} -", "error invalid kept"), ("transfer {m} x*257", "error name-too-long kept"),
    ]),
    row("rights {m}", "1023", 0, &[]),
    row("stat {m}", "entries:4 named:true", READ, &[]),
    row("id {m}", "an id", READ, &[]),
    row("get {m} key", "value!@1", READ, &[
        ("get {m} x*65537", "error invalid"), ("get {m} child", "error invalid"),
    ]),
    row("set {m} key values", "done", WRITE, &[
        ("set {m} x*65537 v", "error invalid"), ("set {m} key x*1001", "error no-space"),
    ]),
    row("set-with {m} key values 1 5000", "*", WRITE, &[
        ("set-with {m} key v absent -", "error again 1"), ("set-with {m} key v 7 -", "error again 1"),
        ("set-with {m} key v 0 -", "error invalid"), ("set-with {m} key v always 0", "error invalid"),
        ("set-with {m} x*65537 v always -", "error invalid"),
        ("set-with {m} key x*1001 always -", "error no-space"),
    ]),
    row("delete {m} key", "done", DELETE, &[
        ("delete {m} nokey", "error no-entry"), ("delete {m} x*65537", "error invalid"),
    ]),
    row("exists {m} key", "true", READ, &[("exists {m} x*65537", "error invalid")]),
    row("swap {m} key 1 values", "*", WRITE, &[
        ("swap {m} key 0 v", "error again 1"), ("swap {m} nokey 1 v", "error again 0"),
        ("swap {m} x*65537 0 v", "error invalid"), ("swap {m} key 1 x*1001", "error no-space"),
    ]),
    row("add {m} count 1", "43", WRITE, &[
        ("add {m} key 1", "error invalid"), ("add {m} count 9223372036854775807", "error overflow 0"),
        ("add {m} x*65537 1", "error invalid"),
    ]),
    row("scan {m} k", "5", LIST, &[("scan {m} x*65537", "error invalid")]),
    row("next 3 1000", "area=>region child=>map count=*\\x00\\x00\\x00\\x00\\x00\\x00\\x00 key=value!", 0, &[
        ("next 3 8", "error overflow 24"),
    ]),
    row("batch {m} check:key:1 set:key:v:always:60000 delete:key add:count:-1",
        "checked:1 stored:6 deleted:true counted:41", READ | WRITE | DELETE, &[
        ("batch {m} delete:key*1025", "error invalid"), ("batch {m} delete:key check:count:1", "error again"),
        ("batch {m} check:key:0", "error invalid"), ("batch {m} set:key:v:always:0", "error invalid"),
        ("batch {m} add:count:1 add:key:1", "error invalid"),
    ]),
    row("clear {m}", "done", CLEAR, &[]),
    row("watch {m} k", "5", WATCH, &[("watch {m} x*65537", "error invalid")]),
    row("changes 2 1000", "stored:count stored:area", 0, &[("changes 2 8", "error overflow 24")]),
    row("put-map {m} key 1", "done", CREATE, &[("put-map {m} x*65537 1", "error invalid")]),
    row("get-map {m} child", "5", READ, &[
        ("get-map {m} key", "error invalid"), ("get-map {m} nokey", "error no-entry"),
        ("get-map {m} x*65537", "error invalid"),
    ]),
    row("region-create {m} key 65536", "done", WRITE, &[
        ("region-create {m} key 0", "error invalid"), ("region-create {m} key 268435457", "error no-space"),
        ("region-create {m} x*65537 1", "error invalid"),
    ]),
    row("region-length {m} area", "70000", MAP_READ, &[
        ("region-length {m} key", "error invalid"), ("region-length {m} nokey", "error no-entry"),
    ]),
    row("region-read {m} area 65534 4", "\\x00\\x00\\x00\\x00", MAP_READ, &[
        ("region-read {m} area 69999 2", "error invalid"), ("region-read {m} area 0 70001", "error invalid"),
        ("region-read {m} area 18446744073709551615 2", "error invalid"),
        ("region-read {m} area 0 16777217", "error no-space"), ("region-read {m} key 0 1", "error invalid"),
    ]),
    row("region-write {m} area 65534 text", "done", MAP_BOTH, &[
        ("region-write {m} area 69998 text", "error invalid"),
        ("region-write {m} area 18446744073709551615 text", "error invalid"),
        ("region-write {m} key 0 text", "error invalid"),
    ]),
    row("region-hand {m} area 1 copy", "done", MAP_BOTH, &[
        ("region-hand {m} key 1 copy", "error invalid"), ("region-hand {m} nokey 1 copy", "error no-entry"),
        ("region-hand {m} area 1 x*65537", "error invalid"),
    ]),
    row("subscribe 2", "5", 0, &[]),
    row("ready 4", "true", 0, &[]),
    row("drop 3", "done", 0, &[]),
];

/// Lines with a map in the place of `{m}`.
pub(crate) fn with_map(line: &str, map: &str) -> String {
    line.replace("{m}", map)
}

/// A player that has `cache` as thing 0, a map of its own as 1, a watcher with changes as 2, a scanner
/// as 3 and a pollable as 4; `cache` has a value, a counter, a reference and a region. And a ticket.
pub(crate) fn prepare(house: &House) -> (Guest, String) {
    let mut guest = player(house);
    guest.expect(&[("open cache 1023", "0"), ("create - - - - refuse", "1")]);
    {
        let map = guest.handles().map(1, Rights::WRITE).unwrap();
        let value = Value::copy_of(b"value!");
        let terms = Terms::on(Condition::Absent);
        assert_eq!(map.store().write(b"key", value, terms).now(), Ok(1));
        map.store().add(b"count", 41).now().unwrap();
    }
    guest.expect(&[("put-map 0 child 1", "done"), ("watch 0 -", "2")]);
    let map = house.engine.find("tenant", "cache").unwrap();
    map.map().store().add(b"count", 1).now().unwrap();
    guest.expect(&[
        ("region-create 0 area 70000", "done"),
        ("scan 0 -", "3"),
        ("subscribe 2", "4"),
    ]);
    let mut other = house.handles("other");
    let given = other.open(b"small", Rights::ALL).unwrap();
    let ticket = other.transfer(given, "filter").unwrap();
    let number = u128::from_le_bytes(ticket);
    let ticket = format!("{} {}", number & u128::from(u64::MAX), number >> 64);
    (guest, ticket)
}
