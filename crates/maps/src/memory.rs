//! The memory engine: all maps of an engine in one table that is read without a lock.
//!
//! A map's entries stand twice: in the table (key → record), which readers use, and in the ordered
//! index of one of the map's shards (keys only), which scans, expiry and eviction use. Writers hold
//! the lock of the key's shard and change both. Invariants: a key is in the table exactly if it is
//! in its shard's index; a record is never changed, only replaced; budgets count exactly what is
//! there; an entry whose time is up is seen by nobody, swept or not.

mod batch;
mod make_room;
mod scan;
mod shard;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;
use std::hash::RandomState;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use papaya::HashMap;
use weir_model::limits::maps as limits;

use crate::MapError;
use crate::budget::payers::{Payer, Payers};
use crate::budget::{Account, Amount, Budget};
use crate::clock::Clock;
use crate::gate::Gate;
use crate::key::{Key, Prehashed, Probe};
use crate::options::{Eviction, MapOptions};
use crate::store::{
    Answer, Condition, Counted, Done, Found, Op, Page, Range, Seen, Stat, Store, Terms,
};
use crate::value::{MapId, Value};
use crate::watch::{Watch, Watchers};

use shard::Shard;

/// Of a record that stays.
const NEVER: u64 = u64::MAX;

/// The table that the maps of one engine share: one, because a map of its own for each of a million
/// anonymous maps would cost kilobytes each.
pub struct MemoryTable {
    records: HashMap<Key, Record, Prehashed>,
    hasher: RandomState,
    clock: Arc<dyn Clock>,
    stores: AtomicU64,
}

/// What an entry is at one version.
struct Record {
    value: Value,
    version: u64,
    /// On the engine's clock, or [`NEVER`].
    expires_ms: u64,
    /// Since the search for room last passed.
    used: AtomicBool,
    /// Whose room it takes, beside the map's.
    payer: Payer,
}

/// Learns what a map's entries mean for others: references to other maps, and when the first of
/// them ends. Called under a shard's lock.
pub trait Edges: Send + Sync {
    /// An entry refers to `child` now.
    ///
    /// # Errors
    /// One of the two maps is gone.
    fn link(&self, child: MapId) -> Result<(), MapError>;

    /// It does so no more.
    fn unlink(&self, child: MapId);

    /// An entry ends then, before all others of its shard.
    fn ends(&self, at_ms: u64);
}

/// Keeps no references: storing one is refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoEdges;

impl Edges for NoEdges {
    fn link(&self, _child: MapId) -> Result<(), MapError> {
        Err(MapError::NotSupported("references to other maps"))
    }

    fn unlink(&self, _child: MapId) {}

    fn ends(&self, _at_ms: u64) {}
}

/// The entries of one map.
pub struct MemoryStore {
    table: Arc<MemoryTable>,
    /// What tells its keys from those of other maps.
    id: u64,
    options: MapOptions,
    shards: Box<[Shard]>,
    gate: Gate,
    /// Shared with what regions count for.
    budget: Arc<Budget>,
    payers: Payers,
    versions: AtomicU64,
    evicted: AtomicU64,
    expired: AtomicU64,
    /// Where the next search for room begins.
    room: AtomicUsize,
    watchers: Watchers,
    edges: Box<dyn Edges>,
}

impl MemoryTable {
    /// An empty table.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            records: HashMap::builder().hasher(Prehashed).build(),
            hasher: RandomState::new(),
            clock,
            stores: AtomicU64::new(0),
        })
    }
}

impl MemoryStore {
    /// An empty map in `table`. What it stores counts for `owner` too.
    ///
    /// # Errors
    /// [`MapError::Invalid`]: the options make no sense; [`MapError::NoSpace`]: the owner has no
    /// room for a map, even an empty one.
    pub fn new(
        table: &Arc<MemoryTable>,
        options: MapOptions,
        owner: Arc<Account>,
        edges: impl Edges + 'static,
    ) -> Result<Self, MapError> {
        options.check()?;
        owner.change(Amount::default(), own_cost(options.shards))?;
        Ok(Self {
            table: Arc::clone(table),
            id: table.stores.fetch_add(1, Ordering::Relaxed),
            options,
            shards: (0..options.shards).map(|_| Shard::default()).collect(),
            gate: Gate::new(),
            budget: Arc::new(Budget::new(options.quota(), owner)),
            payers: Payers::default(),
            versions: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            room: AtomicUsize::new(0),
            watchers: Watchers::default(),
            edges: Box::new(edges),
        })
    }

    fn probe<'a>(&self, key: &'a [u8]) -> Probe<'a> {
        Probe::new(&self.table.hasher, self.id, key)
    }

    fn now_ms(&self) -> u64 {
        self.table.clock.now_ms()
    }

    /// The shard of a hash. The table uses the lowest and the highest bits.
    fn shard(&self, hash: u64) -> usize {
        usize::try_from(hash >> 32).unwrap_or_default() & (self.shards.len() - 1)
    }

    /// Shows a live entry.
    #[inline]
    fn look<R>(&self, probe: Probe<'_>, see: impl FnOnce(&Record) -> R) -> Option<R> {
        if !self.gate.is_open() {
            // Waits for a batch that has this shard.
            drop(self.shards[self.shard(probe.hash)].lock());
        }
        let records = self.table.records.pin();
        let record = records.get(&probe)?;
        self.is_live(record).then(|| see(record))
    }

    #[inline]
    fn is_live(&self, record: &Record) -> bool {
        record.expires_ms == NEVER || self.now_ms() < record.expires_ms
    }

    /// Its low half is never 0 either: Proxy-Wasm's cas is a view of it, and 0 means "whatever".
    fn next_version(&self) -> u64 {
        loop {
            let version = self.versions.fetch_add(1, Ordering::Relaxed) + 1;
            if version.trailing_zeros() < u32::BITS {
                return version;
            }
        }
    }

    /// Who pays with an account for what it writes here.
    pub(crate) fn payer(&self, account: &Arc<Account>) -> Payer {
        self.payers.of(account)
    }

    /// [`Store::write`], paid by somebody.
    pub(crate) fn write_for(
        &self,
        payer: Payer,
        (key, value, terms): (&[u8], Value, Terms),
    ) -> Result<u64, MapError> {
        self.put(key, &value, (terms, payer))
    }

    /// [`Store::add`], paid by somebody if there is no counter yet.
    pub(crate) fn add_for(
        &self,
        payer: Payer,
        key: &[u8],
        delta: i64,
    ) -> Result<Counted, MapError> {
        self.count(key, delta, payer)
    }

    /// [`Store::batch`], paid by somebody.
    pub(crate) fn batch_for(&self, payer: Payer, ops: &[Op]) -> Result<Vec<Done>, MapError> {
        self.all_or_none(ops, payer)
    }

    fn touch(&self, record: &Record) {
        // Read first: a line that is only read stays in all caches.
        if self.options.eviction == Eviction::Lru && !record.used.load(Ordering::Relaxed) {
            record.used.store(true, Ordering::Relaxed);
        }
    }
}

impl Store for MemoryStore {
    #[inline]
    fn read<R>(
        &self,
        key: &[u8],
        see: &mut impl FnMut(Seen<'_>) -> R,
    ) -> Answer<Option<R>, Option<Found>> {
        let seen = self.look(self.probe(key), |record| {
            self.touch(record);
            see(Seen {
                value: &record.value,
                version: record.version,
            })
        });
        Answer::Now(Ok(seen))
    }

    fn write(&self, key: &[u8], value: Value, terms: Terms) -> Answer<u64> {
        self.put(key, &value, (terms, Payer::NOBODY)).into()
    }

    fn remove(&self, key: &[u8], condition: Condition) -> Answer<()> {
        self.take_out(key, condition).into()
    }

    fn add(&self, key: &[u8], delta: i64) -> Answer<Counted> {
        self.count(key, delta, Payer::NOBODY).into()
    }

    fn scan(&self, range: Range<'_>) -> Answer<Page> {
        self.page(range).into()
    }

    fn batch(&self, ops: &[Op]) -> Answer<Vec<Done>> {
        self.all_or_none(ops, Payer::NOBODY).into()
    }

    fn clear(&self) -> Answer<u64> {
        Answer::Now(Ok(self.remove_all()))
    }

    fn watch(&self, prefix: &[u8]) -> Answer<Watch> {
        let watch = self.watchers.add(prefix);
        if watch.is_ok() {
            // Writers that found no watcher have left their shards after this.
            for shard in &self.shards {
                drop(shard.lock());
            }
        }
        watch.into()
    }

    fn stat(&self) -> Answer<Stat> {
        let used = self.budget.map().used();
        Answer::Now(Ok(Stat {
            entries: used.entries,
            bytes: used.bytes,
            version: self.versions.load(Ordering::Relaxed),
            quota_bytes: self.options.bytes_max,
            evicted: self.evicted.load(Ordering::Relaxed),
            expired: self.expired.load(Ordering::Relaxed),
            watches: self.watchers.len() as u64,
        }))
    }
}

impl Drop for MemoryStore {
    fn drop(&mut self) {
        self.shrink(usize::MAX);
        self.budget.close(own_cost(self.shards.len()));
    }
}

/// What a map costs its owner without any entry.
fn own_cost(shards: usize) -> Amount {
    let more = (shards as u64).saturating_sub(1) * limits::SHARD_BYTES;
    Amount {
        entries: 0,
        bytes: limits::MAP_BYTES + more,
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("id", &self.id)
            .field("used", &self.budget.map().used())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for MemoryTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTable")
            .field("records", &self.records.len())
            .finish_non_exhaustive()
    }
}
