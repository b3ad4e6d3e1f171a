//! How structs and lists lie in a guest's memory: little-endian, each field at a multiple of its
//! size. `docs/wasi-map.md` has them as tables.

use std::time::Duration;

use bytes::Bytes;

use crate::MapError;
use crate::handles::HandleStat;
use crate::options::{Eviction, MapOptions};
use crate::store::{Condition, Done, Item, Terms};
use crate::value::{MapId, Value};
use crate::watch::{Change, Event};

/// Of a map's options.
pub const OPTIONS_BYTES: usize = 40;
/// Of a map's numbers as `stat` writes them.
pub const STAT_BYTES: usize = 48;
/// The same and the map's id, which `id` writes.
pub const STAT_ID_BYTES: usize = STAT_BYTES + 8;
/// Of the terms of `set_with`.
pub const TERMS_BYTES: usize = 24;
/// Of one operation of a batch.
pub const OP_BYTES: usize = 40;
/// Of the result of one operation.
pub const RESULT_BYTES: usize = 16;
/// Before the key of an entry or event.
pub const HEAD_BYTES: usize = 16;
/// In the place of a value's length: the entry refers to a map, and no value follows.
pub const IS_MAP: u32 = u32::MAX;
/// In the place of a value's length: the entry is a region, and no bytes follow.
pub const IS_REGION: u32 = u32::MAX - 1;

/// Terms: only if there is no entry.
pub const IF_ABSENT: u32 = 1;
/// Terms: only if the entry has the given version.
pub const IF_VERSION: u32 = 2;
/// Terms: with the given time to live.
pub const WITH_TTL: u32 = 4;

/// Stat: the operator has named it.
pub const STAT_NAMED: u64 = 1;
/// Stat: it makes room by evicting.
pub const STAT_EVICTS: u64 = 2;
/// Stat: its entries end.
pub const STAT_ENDS: u64 = 4;

/// Reads numbers off the front of a struct, whose length was checked.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u32(&mut self) -> u32 {
        self.0.split_first_chunk().map_or(0, |(field, rest)| {
            self.0 = rest;
            u32::from_le_bytes(*field)
        })
    }

    fn u64(&mut self) -> u64 {
        self.0.split_first_chunk().map_or(0, |(field, rest)| {
            self.0 = rest;
            u64::from_le_bytes(*field)
        })
    }
}

/// Options of a map that a guest makes: `{u64 entries, u64 bytes, u64 value_bytes, u64 ttl_ms,
/// u32 eviction, u32 shards}`. A 0 stands for what an anonymous map has otherwise.
///
/// # Errors
/// [`MapError::Invalid`].
pub fn options(bytes: &[u8; OPTIONS_BYTES]) -> Result<MapOptions, MapError> {
    let mut fields = Fields(bytes);
    let or = |number: u64, default| if number == 0 { default } else { number };
    let default = MapOptions::anonymous();
    let entries_max = or(fields.u64(), default.entries_max);
    let bytes_max = or(fields.u64(), default.bytes_max);
    let value_bytes_max = or(fields.u64(), default.value_bytes_max as u64);
    let ttl_ms = fields.u64();
    let eviction = match fields.u32() {
        0 => Eviction::Refuse,
        1 => Eviction::Lru,
        _ => return Err(MapError::Invalid("an eviction is 0 or 1")),
    };
    let shards = usize::try_from(fields.u32()).unwrap_or(usize::MAX);
    let options = MapOptions {
        entries_max,
        bytes_max,
        value_bytes_max: usize::try_from(value_bytes_max).unwrap_or(usize::MAX),
        ttl: (ttl_ms != 0).then(|| Duration::from_millis(ttl_ms)),
        eviction,
        shards: if shards == 0 { default.shards } else { shards },
    };
    options.check().map(|()| options)
}

/// The terms of `set_with`: `{u32 flags, u32 0, u64 version, u64 ttl_ms}`.
///
/// # Errors
/// [`MapError::Invalid`].
pub fn terms(bytes: &[u8; TERMS_BYTES]) -> Result<Terms, MapError> {
    let mut fields = Fields(bytes);
    let (flags, padding) = (fields.u32(), fields.u32());
    if padding != 0 {
        return Err(MapError::Invalid("the second word of terms is 0"));
    }
    terms_of(flags, fields.u64(), fields.u64())
}

/// The same from their numbers.
///
/// # Errors
/// [`MapError::Invalid`].
pub fn terms_of(flags: u32, version: u64, ttl_ms: u64) -> Result<Terms, MapError> {
    if flags & !(IF_ABSENT | IF_VERSION | WITH_TTL) != 0 {
        return Err(MapError::Invalid("unknown flags"));
    }
    let condition = match (flags & IF_ABSENT != 0, flags & IF_VERSION != 0) {
        (false, false) => Condition::Always,
        (true, false) => Condition::Absent,
        (false, true) if version != 0 => Condition::Version(version),
        (false, true) => return Err(MapError::Invalid("no entry has the version 0")),
        (true, true) => return Err(MapError::Invalid("an entry is absent or has a version")),
    };
    let has_ttl = flags & WITH_TTL != 0;
    if has_ttl && ttl_ms == 0 {
        return Err(MapError::Invalid("a time to live is at least 1 ms"));
    }
    let ttl = has_ttl.then(|| Duration::from_millis(ttl_ms));
    Ok(Terms {
        condition,
        ttl,
        bytes_max: None,
    })
}

/// One operation of a batch as it lies in memory: `{u32 kind, u32 flags, u32 key_ptr, u32 key_len,
/// u32 val_ptr, u32 val_len, u64 number, u64 ttl_ms}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawOp {
    /// What it does.
    pub kind: OpKind,
    /// As in terms.
    pub flags: u32,
    /// Pointer and length.
    pub key: (u32, u32),
    /// Pointer and length.
    pub value: (u32, u32),
    /// A version, or what is to be added.
    pub number: u64,
    /// For a set.
    pub ttl_ms: u64,
}

/// What an operation of a batch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum OpKind {
    /// Requires the condition in `flags` and `number`.
    Check = 1,
    /// Stores the value on the terms in `flags`, `number` and `ttl_ms`.
    Set = 2,
    /// Removes the entry.
    Delete = 3,
    /// Adds `number`.
    Add = 4,
}

/// Reads one operation.
///
/// # Errors
/// [`MapError::Invalid`]: there is no such kind.
pub fn op(bytes: &[u8; OP_BYTES]) -> Result<RawOp, MapError> {
    let mut fields = Fields(bytes);
    let kind = match fields.u32() {
        1 => OpKind::Check,
        2 => OpKind::Set,
        3 => OpKind::Delete,
        4 => OpKind::Add,
        _ => return Err(MapError::Invalid("an operation is 1, 2, 3 or 4")),
    };
    Ok(RawOp {
        kind,
        flags: fields.u32(),
        key: (fields.u32(), fields.u32()),
        value: (fields.u32(), fields.u32()),
        number: fields.u64(),
        ttl_ms: fields.u64(),
    })
}

/// Numbers of a map: `{u64 entries, u64 bytes, u64 version, u64 quota_bytes, u64 references,
/// u64 flags, u64 id}`.
#[must_use]
pub fn stat(
    stat: &HandleStat,
    (id, options, is_named): (MapId, &MapOptions, bool),
) -> [u8; STAT_ID_BYTES] {
    let named = if is_named { STAT_NAMED } else { 0 };
    let evicts = match options.eviction {
        Eviction::Lru => STAT_EVICTS,
        Eviction::Refuse => 0,
    };
    let ends = if options.ttl.is_some() { STAT_ENDS } else { 0 };
    let entries = &stat.entries;
    let numbers = [
        entries.entries,
        entries.bytes,
        entries.version,
        entries.quota_bytes,
        stat.references,
        named | evicts | ends,
        id.0,
    ];
    let mut bytes = [0; STAT_ID_BYTES];
    for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    bytes
}

/// Results of a batch: `{u64 version, i64 value}` each. A check gives the version found, a set the
/// new one, a delete 1 as value if there was an entry, an addition version and sum.
#[must_use]
pub fn results(done: &[Done]) -> Bytes {
    let mut bytes = Vec::with_capacity(done.len() * RESULT_BYTES);
    for done in done {
        let (version, value) = match done {
            Done::Checked(version) | Done::Stored(version) => (*version, 0),
            Done::Deleted(was_there) => (0, i64::from(*was_there)),
            Done::Counted(counted) => (counted.version, counted.value),
        };
        bytes.extend_from_slice(&version.to_le_bytes());
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    bytes.into()
}

/// Entries of a page: `{u32 key_len, u32 val_len, u64 version, key, value}` each, padded to 8.
#[must_use]
pub fn page(items: &[Item]) -> Bytes {
    let length = |item: &Item| Item::packed_bytes(item.key.len(), item.value.length());
    let mut bytes = Vec::with_capacity(items.iter().map(length).sum());
    for item in items {
        let value = item.value.bytes();
        let value_len = match value {
            Some(value) => short(value.len()),
            None if item.value.as_region().is_some() => IS_REGION,
            None => IS_MAP,
        };
        put(&mut bytes, (short(item.key.len()), value_len, item.version));
        bytes.extend_from_slice(&item.key);
        bytes.extend_from_slice(value.unwrap_or_default());
        pad(&mut bytes);
    }
    bytes.into()
}

/// Changes: `{u32 key_len, u32 kind, u64 version, key}` each, padded to 8. Kinds: 1 set, 2 deleted,
/// 3 ended, 4 evicted, 5 cleared, 6 resync, 7 gone; the last three have neither key nor version.
#[must_use]
pub fn changes(changes: &[Change]) -> Bytes {
    let mut bytes = Vec::with_capacity(changes.iter().map(Change::packed_bytes).sum());
    for change in changes {
        let (key, kind, version) = match change {
            Change::Entry {
                key,
                event,
                version,
            } => (key.bytes(), kind_of(*event), *version),
            Change::Cleared => (&[][..], 5, 0),
            Change::Resync => (&[][..], 6, 0),
            Change::Gone => (&[][..], 7, 0),
        };
        put(&mut bytes, (short(key.len()), kind, version));
        bytes.extend_from_slice(key);
        pad(&mut bytes);
    }
    bytes.into()
}

fn kind_of(event: Event) -> u32 {
    match event {
        Event::Set => 1,
        Event::Deleted => 2,
        Event::Expired => 3,
        Event::Evicted => 4,
    }
}

fn put(bytes: &mut Vec<u8>, (first, second, version): (u32, u32, u64)) {
    bytes.extend_from_slice(&first.to_le_bytes());
    bytes.extend_from_slice(&second.to_le_bytes());
    bytes.extend_from_slice(&version.to_le_bytes());
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
}

/// Lengths are bounded far below this.
fn short(length: usize) -> u32 {
    u32::try_from(length).map_or(IS_REGION - 1, |length| length.min(IS_REGION - 1))
}

/// An entry of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedItem {
    /// Its key.
    pub key: Bytes,
    /// What it holds; `None`: it refers to a map, or is a region.
    pub value: Option<Value>,
    /// Whether it is a region.
    pub is_region: bool,
    /// Its version.
    pub version: u64,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedEvent {
    /// The key; empty if the change is one of the whole map.
    pub key: Bytes,
    /// See [`changes`].
    pub kind: u32,
    /// The entry's version since then.
    pub version: u64,
}

/// Reads a packed page, for hosts that hand entries on as values. Bytes that are cut off end it.
pub fn items(page: &Bytes) -> impl Iterator<Item = PackedItem> + '_ {
    let mut rest = page.clone();
    std::iter::from_fn(move || {
        let (key_len, value_len, version) = head(&rest)?;
        let has_bytes = value_len < IS_REGION;
        let value_bytes = if has_bytes { value_len } else { 0 };
        let (key, value) = body(&mut rest, (key_len, value_bytes))?;
        let value = has_bytes.then(|| Value::copy_of(&value));
        Some(PackedItem {
            key,
            value,
            is_region: value_len == IS_REGION,
            version,
        })
    })
}

/// Reads the results of a batch: version and value of each.
pub fn outcomes(results: &[u8]) -> impl Iterator<Item = (u64, i64)> + '_ {
    let (results, _) = results.as_chunks::<RESULT_BYTES>();
    results.iter().map(|result| {
        let mut fields = Fields(result);
        (fields.u64(), fields.u64().cast_signed())
    })
}

/// Reads what [`stat`] wrote: its numbers in their order.
///
/// # Errors
/// [`MapError::Io`]: there are fewer bytes.
pub fn numbers(stat: &[u8]) -> Result<[u64; STAT_ID_BYTES / 8], MapError> {
    let short = || MapError::Io("the numbers of a map are cut off".to_owned());
    let mut fields = Fields(stat.get(..STAT_ID_BYTES).ok_or_else(short)?);
    Ok(std::array::from_fn(|_| fields.u64()))
}

/// Reads packed changes, for hosts that hand them on as values. Bytes that are cut off end it.
pub fn events(changes: &Bytes) -> impl Iterator<Item = PackedEvent> + '_ {
    let mut rest = changes.clone();
    std::iter::from_fn(move || {
        let (key_len, kind, version) = head(&rest)?;
        let (key, _) = body(&mut rest, (key_len, 0))?;
        Some(PackedEvent { key, kind, version })
    })
}

fn head(bytes: &[u8]) -> Option<(u32, u32, u64)> {
    let mut fields = Fields(bytes.first_chunk::<HEAD_BYTES>()?);
    Some((fields.u32(), fields.u32(), fields.u64()))
}

/// Takes the first record off; its two parts.
fn body(rest: &mut Bytes, (first, second): (u32, u32)) -> Option<(Bytes, Bytes)> {
    let (first, second) = (first as usize, second as usize);
    let middle = HEAD_BYTES.checked_add(first)?;
    let end = middle.checked_add(second)?;
    if end > rest.len() {
        return None;
    }
    let parts = (rest.slice(HEAD_BYTES..middle), rest.slice(middle..end));
    *rest = rest.slice(end.next_multiple_of(8).min(rest.len())..);
    Some(parts)
}
