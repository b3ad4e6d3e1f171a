//! A map in a file that native processes share: [`weir_pinned`] as a back end.
//!
//! Reading costs no lock and no system call but for the time. A file can do less than memory: it has
//! a fixed shape, no order (a scan sorts all keys for each page), no batches and no watches, since
//! nobody is told of what another process writes.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use weir_model::limits::maps as limits;
use weir_pinned::{PinError, Pinned, Shape, Tended};

use crate::MapError;
use crate::numbers::Known;
use crate::options::MapOptions;
use crate::store::{
    Answer, Condition, Counted, Done, Found, Item, Op, Page, Range, Seen, Stat, Store, Terms,
};
use crate::value::Value;
use crate::watch::Watch;

/// The entries of a pinned map.
pub struct PinnedStore {
    map: Pinned,
    options: MapOptions,
    /// Entries that there were when it was last looked after.
    entries: AtomicU64,
    /// Entries that ended.
    ended: AtomicU64,
}

impl PinnedStore {
    /// The map in this file, which is made if there is none. What the options say of room is the
    /// shape's; their longest value is not longer than the shape's.
    ///
    /// # Errors
    /// [`MapError::Io`]: the file cannot be made or is none; [`MapError::Invalid`]: the shape or the
    /// options make no sense.
    pub fn make(path: &Path, shape: &Shape, options: MapOptions) -> Result<Self, MapError> {
        options.check()?;
        let map = Pinned::make(path, shape).map_err(refused)?;
        let longest = usize::try_from(shape.value_bytes).unwrap_or(usize::MAX);
        let options = MapOptions {
            value_bytes_max: options.value_bytes_max.min(longest),
            ..options
        };
        let store = Self {
            map,
            options,
            entries: AtomicU64::new(0),
            ended: AtomicU64::new(0),
        };
        store.tend()?;
        Ok(store)
    }

    /// Whether a file can have this shape.
    ///
    /// # Errors
    /// [`MapError::Invalid`].
    pub fn check(shape: &Shape) -> Result<(), MapError> {
        shape.check().map_err(MapError::Invalid)
    }

    /// Frees what has ended, and what processes left that died while they wrote. To be called every
    /// second or so.
    ///
    /// # Errors
    /// None that a map which was made here has.
    pub fn tend(&self) -> Result<Tended, MapError> {
        let tended = self.map.tend().map_err(refused)?;
        self.entries.store(tended.entries, Ordering::Relaxed);
        self.ended.fetch_add(tended.ended, Ordering::Relaxed);
        Ok(tended)
    }

    fn stat_of(&self, entries: u64) -> Stat {
        let stat = self.map.stat();
        Stat {
            entries,
            bytes: entries.saturating_mul(stat.shape.slot_bytes()),
            version: stat.version,
            quota_bytes: stat.shape.file_bytes(),
            evicted: 0,
            expired: self.ended.load(Ordering::Relaxed),
            watches: 0,
        }
    }

    /// An entry that is there.
    fn find(&self, key: &[u8]) -> Result<Option<Found>, MapError> {
        let mut value = Vec::new();
        let found = self.map.get(key, &mut value);
        // A longer key than any can be is in no map.
        let found = match found {
            Err(PinError::Key { .. }) => None,
            found => found.map_err(refused)?,
        };
        Ok(found.map(|found| Found {
            value: Value::from(Bytes::from(value)),
            version: found.version,
        }))
    }

    fn put(&self, key: &[u8], value: &Value, terms: Terms) -> Result<u64, MapError> {
        let bytes = value
            .bytes()
            .ok_or(MapError::NotSupported("references and regions in a file"))?;
        if bytes.len() > self.options.value_bytes_max {
            let (what, max) = ("bytes of a value", self.options.value_bytes_max as u64);
            return Err(MapError::NoSpace { what, max });
        }
        let ttl = self.ttl(terms.ttl)?;
        let stored = self.map.set(key, bytes, (ttl, of_file(terms.condition)));
        stored.map_err(refused)
    }

    fn take_out(&self, key: &[u8], condition: Condition) -> Result<(), MapError> {
        match self.map.delete(key, of_file(condition)) {
            Ok(true) => Ok(()),
            Ok(false) | Err(PinError::Key { .. }) => Err(MapError::NoEntry),
            Err(error) => Err(refused(error)),
        }
    }

    fn count(&self, key: &[u8], delta: i64) -> Result<Counted, MapError> {
        let counted = self.map.add(key, (delta, self.options.ttl));
        let (value, version) = counted.map_err(refused)?;
        Ok(Counted { value, version })
    }

    fn page(&self, range: Range<'_>) -> Result<Page, MapError> {
        if range.prefix.len() > limits::KEY_BYTES_MAX {
            return Err(MapError::Invalid("the prefix is longer than 64 KiB"));
        }
        let entries_max = range.entries.clamp(1, limits::PAGE_ENTRIES_MAX);
        let keys = self.first_keys(range, entries_max + 1)?;
        let beyond = keys.last().filter(|_| keys.len() > entries_max).cloned();
        let mut items = Vec::new();
        let mut room = range.bytes;
        for key in keys {
            let found = match self.find(&key) {
                Ok(Some(found)) => found,
                // What is being written to changes: a scan need not list it.
                Ok(None) | Err(MapError::TimedOut) => continue,
                Err(error) => return Err(error),
            };
            let needed = Item::packed_bytes(key.len(), found.value.length());
            if needed > room && items.is_empty() {
                return Err(MapError::Overflow { needed });
            }
            if needed > room || items.len() >= entries_max {
                return Ok(Page { items, more: true });
            }
            room -= needed;
            items.push(Item {
                key: key.into(),
                value: found.value,
                version: found.version,
            });
        }
        match beyond {
            // All of these have gone, and there may be others.
            Some(key) if items.is_empty() => self.page(Range {
                after: Some(&key),
                ..range
            }),
            beyond => Ok(Page {
                items,
                more: beyond.is_some(),
            }),
        }
    }

    /// So many keys of a range, in their order. One that is written anew meanwhile can be seen twice, and
    /// is told once.
    fn first_keys(&self, range: Range<'_>, most: usize) -> Result<BTreeSet<Vec<u8>>, MapError> {
        let is_in = |key: &[u8]| {
            let is_after = range.after.is_none_or(|after| key > after);
            is_after && key.starts_with(range.prefix)
        };
        let mut keys = BTreeSet::new();
        for key in self.map.keys() {
            let key = key.map_err(refused)?;
            if !is_in(&key) {
                continue;
            }
            if keys.len() < most || keys.last().is_some_and(|last| key < *last) {
                keys.insert(key);
            }
            if keys.len() > most {
                keys.pop_last();
            }
        }
        Ok(keys)
    }

    fn remove_all(&self) -> Result<u64, MapError> {
        let mut removed = 0;
        for key in self.map.keys() {
            let key = key.map_err(refused)?;
            match self.map.delete(&key, weir_pinned::Condition::Always) {
                Ok(was_there) => removed += u64::from(was_there),
                Err(error) => return Err(refused(error)),
            }
        }
        Ok(removed)
    }

    fn ttl(&self, ttl: Option<Duration>) -> Result<Option<Duration>, MapError> {
        if ttl.is_some_and(|ttl| ttl < Duration::from_millis(1)) {
            return Err(MapError::Invalid("a time to live is at least 1 ms"));
        }
        Ok(ttl.or(self.options.ttl))
    }
}

impl Store for PinnedStore {
    fn read<R>(
        &self,
        key: &[u8],
        see: &mut impl FnMut(Seen<'_>) -> R,
    ) -> Answer<Option<R>, Option<Found>> {
        let found = self.find(key).map(|found| {
            found.map(|found| {
                see(Seen {
                    value: &found.value,
                    version: found.version,
                })
            })
        });
        Answer::Now(found)
    }

    fn write(&self, key: &[u8], value: Value, terms: Terms) -> Answer<u64> {
        self.put(key, &value, terms).into()
    }

    fn remove(&self, key: &[u8], condition: Condition) -> Answer<()> {
        self.take_out(key, condition).into()
    }

    fn add(&self, key: &[u8], delta: i64) -> Answer<Counted> {
        self.count(key, delta).into()
    }

    fn scan(&self, range: Range<'_>) -> Answer<Page> {
        self.page(range).into()
    }

    fn batch(&self, _: &[Op]) -> Answer<Vec<Done>> {
        Answer::Now(Err(MapError::NotSupported("batches in a file")))
    }

    fn clear(&self) -> Answer<u64> {
        self.remove_all().into()
    }

    fn watch(&self, _: &[u8]) -> Answer<Watch> {
        Answer::Now(Err(MapError::NotSupported("watches of a file")))
    }

    fn stat(&self) -> Answer<Stat> {
        Answer::Now(Ok(self.stat_of(self.map.entries())))
    }

    /// As of the last look: counting costs a walk through the file.
    fn known(&self) -> Known {
        Known {
            stat: Some(self.stat_of(self.entries.load(Ordering::Relaxed))),
            ..Known::default()
        }
    }
}

impl fmt::Debug for PinnedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.map.fmt(f)
    }
}

fn of_file(condition: Condition) -> weir_pinned::Condition {
    match condition {
        Condition::Always => weir_pinned::Condition::Always,
        Condition::Absent => weir_pinned::Condition::Absent,
        Condition::Version(version) => weir_pinned::Condition::Version(version),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn refused(error: PinError) -> MapError {
    let short = |number: usize| number as u64;
    match error {
        PinError::File { .. } | PinError::Layout { .. } | PinError::Retired | PinError::Cut => {
            MapError::Io(error.to_string())
        }
        PinError::Shape(what) => MapError::Invalid(what),
        PinError::ReadOnly => MapError::NotCapable,
        PinError::Key { .. } => MapError::Invalid("the key is longer than keys of this file"),
        PinError::Value { max, .. } => MapError::NoSpace {
            what: "bytes of a value",
            max: short(max),
        },
        PinError::Full { slots } => MapError::NoSpace {
            what: "slots of the key's bucket",
            max: short(slots),
        },
        PinError::Again { current } => MapError::Again { current },
        PinError::NoCounter => MapError::Invalid("the entry is no counter of 8 bytes"),
        PinError::Overflow => MapError::Overflow { needed: 0 },
        PinError::Busy => MapError::TimedOut,
    }
}
