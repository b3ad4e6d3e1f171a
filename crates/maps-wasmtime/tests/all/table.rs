//! Every function of `wasi_map_v1`: the types of its parameters, what they mean, the rights that it
//! needs, and arguments with which it succeeds in the state that [`prepare`] makes.

use std::sync::Arc;

use weir_maps::call::packed;
use weir_maps::region::Access;
use weir_maps::store::{Condition, Terms};
use weir_maps::{MapOptions, Rights, Store, Value};

use crate::house::{Guest, House, Mode};

use self::Role::{
    Child, Fixed, Handle, I32, I64, Key, Length, List, Name, Out, OutList, Prefix, Wanted, Watch,
};

/// What a parameter is. The length of what a pointer leads to is the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A map's handle.
    Handle(u32),
    /// Of a map that is put into another.
    Child(u32),
    /// A watch.
    Watch(u32),
    /// Rights that are asked for.
    Asked(i64),
    /// Pointer to a name of 1 to 256 bytes of UTF-8.
    Name(usize),
    /// Pointer to a key.
    Key(usize),
    /// Pointer to the beginning of keys.
    Prefix(usize),
    /// Pointer to a value.
    Bytes(usize),
    /// Pointer to a struct of so many bytes that is read.
    Fixed(usize, usize),
    /// Pointer to a list of structs of so many bytes; the next one is their number.
    List(usize, usize),
    /// Length of what the last one points to.
    Length(usize),
    /// Pointer to a place for so many bytes.
    Out(usize, usize),
    /// The same; 0: not wanted.
    Wanted(usize, usize),
    /// Pointer to a buffer.
    OutList(usize),
    /// A number.
    I32(i32),
    /// A number.
    I64(i64),
}

impl Role {
    /// The argument with which all goes well.
    pub(crate) fn good(self) -> i64 {
        let offset = |at: usize| i64::try_from(at).unwrap();
        match self {
            Handle(number) | Child(number) | Watch(number) => i64::from(number),
            Self::Asked(bits) | I64(bits) => bits,
            Name(at) | Key(at) | Prefix(at) | Self::Bytes(at) | OutList(at) | Length(at) => {
                offset(at)
            }
            Fixed(at, _) | List(at, _) | Out(at, _) | Wanted(at, _) => offset(at),
            I32(number) => i64::from(number),
        }
    }

    /// Its type in WebAssembly.
    pub(crate) fn ty(self) -> &'static str {
        match self {
            I64(_) | Self::Asked(_) => "i64 ",
            _ => "i32 ",
        }
    }
}

/// A function.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) args: &'static [Role],
    /// What its handle must allow.
    pub(crate) needs: u64,
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

// Where things are in the guest's memory.
pub(crate) const NAME: usize = 0x100;
pub(crate) const KEY: usize = 0x200;
pub(crate) const VALUE: usize = 0x300;
pub(crate) const OUT: usize = 0x400;
pub(crate) const BUFFER: usize = 0x500;
pub(crate) const CURSOR: usize = 0x700;
pub(crate) const TERMS: usize = 0x800;
pub(crate) const OPS: usize = 0x900;
pub(crate) const USE: usize = 0xa00;
pub(crate) const TICKET: usize = 0xb00;
pub(crate) const CHILD: usize = 0xc00;
pub(crate) const COUNT: usize = 0xd00;
pub(crate) const OPTIONS: usize = 0xe00;
pub(crate) const AREA: usize = 0xf00;
/// Where the host says that a region is mapped.
pub(crate) const MAPPED: u32 = 0x100_0000;
/// Long and no name, key or value that is there.
pub(crate) const LONG: usize = 0x10000;
/// What the guest's `malloc` gives.
pub(crate) const GIVEN: usize = 0x30000;
pub(crate) const MEMORY: usize = 0x40000;

const fn row(name: &'static str, needs: u64, args: &'static [Role]) -> Row {
    Row { name, args, needs }
}

const MAP: Role = Handle(1);
const AT: Role = Key(KEY);
const SHORT: Role = Length(3);
const TEXT: Role = Role::Bytes(VALUE);
const VERSION: Role = Wanted(OUT + 8, 8);

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    row("open", 0, &[Name(NAME), Length(5), Role::Asked(1023), Out(OUT, 4)]),
    row("create", 0, &[Fixed(OPTIONS, 40), Out(OUT, 4)]),
    row("close", 0, &[MAP]),
    row("dup", 0, &[MAP, Role::Asked(3), Out(OUT, 4)]),
    row("lend", SHARE | 3, &[MAP, Role::Asked(3), Name(USE), Length(5), Out(OUT, 16)]),
    row("transfer", SHARE, &[MAP, Name(USE), Length(5), Out(OUT, 16)]),
    row("accept", 0, &[Fixed(TICKET, 16), Out(OUT, 4)]),
    row("rights", 0, &[MAP, Out(OUT, 8)]),
    row("stat", READ, &[MAP, Out(OUT, 48)]),
    row("id", READ, &[MAP, Out(OUT, 8)]),
    row("get", READ, &[MAP, AT, SHORT, OutList(BUFFER), Length(256), Out(OUT, 4), VERSION]),
    row("get_alloc", READ, &[MAP, AT, SHORT, Out(OUT, 4), Out(OUT + 4, 4), VERSION]),
    row("set", WRITE, &[MAP, AT, SHORT, TEXT, Length(6)]),
    row("set_with", WRITE, &[MAP, AT, SHORT, TEXT, Length(6), Fixed(TERMS, 24), VERSION]),
    row("delete", DELETE, &[MAP, AT, SHORT]),
    row("exists", READ, &[MAP, AT, SHORT, Out(OUT, 4)]),
    row("compare_and_swap", WRITE, &[MAP, AT, SHORT, I64(1), TEXT, Length(6), VERSION]),
    row("increment", WRITE, &[MAP, Key(COUNT), Length(5), I64(1), Out(OUT, 8)]),
    row("scan", LIST, &[MAP, Prefix(KEY), SHORT, Out(CURSOR, 16), OutList(BUFFER), Length(256), Out(OUT, 4)]),
    row("batch", READ | WRITE | DELETE, &[MAP, List(OPS, 40), Length(4), Wanted(BUFFER, 64)]),
    row("clear", CLEAR, &[MAP]),
    row("watch", WATCH, &[MAP, Prefix(KEY), SHORT, Out(OUT, 4)]),
    row("next", 0, &[Watch(1), I64(0), OutList(BUFFER), Length(256), Out(OUT, 4)]),
    row("unwatch", 0, &[Watch(1)]),
    row("put_map", CREATE, &[MAP, AT, SHORT, Child(2)]),
    row("get_map", READ, &[MAP, Key(CHILD), Length(5), Out(OUT, 4)]),
    row("region_create", WRITE, &[MAP, AT, SHORT, I64(65536)]),
    row("region_map", MAP_READ, &[MAP, Key(AREA), Length(4), I64(0), I32(65536), I32(1), Out(OUT, 4)]),
    row("region_unmap", 0, &[I32(MAPPED.cast_signed()), I32(65536)]),
];

/// A guest with `cache` as handle 1, a map of its own as handle 2, and a watch 1 that an event
/// waits for; `cache` has a value, a counter and a reference. The guest's memory has what the table
/// points to.
pub(crate) fn prepare(house: &House, mode: Mode) -> Guest {
    let mut guest = house.guest(mode);
    let handles = guest.handles();
    assert_eq!(handles.open(b"cache", Rights::ALL), Ok(1));
    assert_eq!(handles.create(MapOptions::anonymous()), Ok(2));
    {
        let map = handles.map(1, Rights::WRITE).unwrap();
        let value = Value::copy_of(b"value!");
        let terms = Terms::on(Condition::Absent);
        assert_eq!(map.store().write(b"key", value, terms).now(), Ok(1));
        map.store().add(b"count", 41).now().unwrap();
    }
    handles.put_map(1, b"child", 2).unwrap();
    assert_eq!(handles.watch(1, b"").now(), Ok(1));
    let map = house.engine.find("tenant", "cache").unwrap();
    map.map().store().add(b"count", 1).now().unwrap();
    let mut other = house.handles("other");
    let lent = other.open(b"small", Rights::ALL).unwrap();
    let ticket = other.transfer(lent, "filter").unwrap();
    guest.write(TICKET, &ticket);
    for (at, bytes) in [
        (NAME, &b"cache"[..]),
        (KEY, b"key"),
        (VALUE, b"values"),
        (USE, b"other"),
        (CHILD, b"child"),
        (COUNT, b"count"),
        (AREA, b"area"),
    ] {
        guest.write(at, bytes);
    }
    guest.write(LONG, &vec![b'x'; 0x10001]);
    guest.write(
        TERMS,
        &terms(packed::IF_VERSION | packed::WITH_TTL, 1, 5000),
    );
    let version = Words(&[1, 2, KEY32, 3, 0, 0]).with(&[1, 0]);
    let set = Words(&[2, 4, KEY32, 3, VALUE32, 6]).with(&[0, 60_000]);
    let delete = Words(&[3, 0, VALUE32, 6, 0, 0]).with(&[0, 0]);
    let add = Words(&[4, 0, COUNT32, 5, 0, 0]).with(&[u64::MAX, 0]);
    guest.write(OPS, &[version, set, delete, add].concat());
    guest
}

/// The same, with a region `area` that is mapped.
pub(crate) fn prepare_with_area(house: &House, mode: Mode) -> Guest {
    let mut guest = prepare(house, mode);
    let handles = guest.handles();
    handles.region_create(1, b"area", 70_000).unwrap();
    let lease = handles.region(1, b"area", (Access::Read, 0..65_536));
    let lease = Arc::new(lease.unwrap());
    guest.store.data_mut().mapped.push((lease, 65_536));
    guest
}

const KEY32: u32 = 0x200;
const VALUE32: u32 = 0x300;
const COUNT32: u32 = 0xd00;

/// A struct of numbers of 32 bits, then of 64.
pub(crate) struct Words<'a>(pub(crate) &'a [u32]);

impl Words<'_> {
    pub(crate) fn with(&self, long: &[u64]) -> Vec<u8> {
        let short = self.0.iter().flat_map(|word| word.to_le_bytes());
        let long = long.iter().flat_map(|word| word.to_le_bytes());
        short.chain(long).collect()
    }
}

pub(crate) fn terms(flags: u32, version: u64, ttl_ms: u64) -> Vec<u8> {
    Words(&[flags, 0]).with(&[version, ttl_ms])
}
