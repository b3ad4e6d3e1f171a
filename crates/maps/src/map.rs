//! A map: what handles refer to. Its entries are in a back end.

use std::sync::Arc;

use crate::MapError;
use crate::budget::Account;
use crate::budget::payers::Payer;
use crate::graph::Graph;
use crate::memory::MemoryStore;
use crate::numbers::Counts;
use crate::options::MapOptions;
use crate::region::{Region, Regions};
use crate::rights::Rights;
use crate::store::{Seen, Store, Terms};
use crate::stored::Stored;
use crate::value::{MapId, Value};

const NO_REFERENCES: MapError = MapError::NotSupported("references to other maps");

/// A map of an engine.
#[derive(Debug)]
pub struct Map {
    id: MapId,
    name: Option<Arc<str>>,
    options: MapOptions,
    store: Stored,
}

impl Map {
    pub(crate) fn new(
        id: MapId,
        name: Option<Arc<str>>,
        options: MapOptions,
        store: Stored,
    ) -> Self {
        Self {
            id,
            name,
            options,
            store,
        }
    }

    /// Which map this is.
    #[must_use]
    pub fn id(&self) -> MapId {
        self.id
    }

    /// Its name; `None`: a guest made it.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What it may hold.
    #[must_use]
    pub fn options(&self) -> &MapOptions {
        &self.options
    }

    /// Its entries, for writers who pay for what they write.
    #[inline]
    pub(crate) fn stored(&self) -> &Stored {
        &self.store
    }

    /// Who pays with an account for what it writes here. Only maps in memory know.
    pub(crate) fn payer(&self, account: &Arc<Account>) -> Payer {
        let store = self.store.in_memory();
        store.map_or(Payer::NOBODY, |store| store.payer(account))
    }

    /// Its entries.
    #[inline]
    #[must_use]
    pub fn store(&self) -> &impl Store {
        &self.store
    }

    /// How often its entries were found; nothing of a map without a name.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.store.counts()
    }

    /// Whether its entries are in memory, so that every operation answers at once.
    #[must_use]
    pub fn is_in_memory(&self) -> bool {
        self.store.in_memory().is_some()
    }

    /// Removes entries whose time is up, `most` at most; answers how many. Back ends other than
    /// memory do that themselves.
    pub fn tend(&self, most: usize) -> usize {
        self.store.in_memory().map_or(0, |store| store.tend(most))
    }

    pub(crate) fn next_end_ms(&self) -> Option<u64> {
        self.store.in_memory()?.next_end_ms()
    }

    /// The map that an entry refers to, and what may be done with it there.
    ///
    /// # Errors
    /// [`MapError::NoEntry`]; [`MapError::Invalid`]: the entry holds bytes;
    /// [`MapError::NotSupported`]: it is not in memory.
    pub(crate) fn child(&self, key: &[u8]) -> Result<(MapId, Rights), MapError> {
        let store = self.store.in_memory().ok_or(NO_REFERENCES)?;
        let reference = |seen: Seen<'_>| seen.value.reference();
        let seen = store.read(key, &mut { reference }).now()?;
        let child = seen.ok_or(MapError::NoEntry)?;
        child.ok_or(MapError::Invalid("the entry refers to no map"))
    }

    /// See [`crate::MemoryStore::shrink`].
    pub(crate) fn shrink(&self, most: usize) -> usize {
        self.store.in_memory().map_or(0, |store| store.shrink(most))
    }

    /// A region of zeros in an entry.
    pub(crate) fn put_region(
        &self,
        (key, payer): (&[u8], Payer),
        bytes: u64,
        regions: &Regions,
    ) -> Result<u64, MapError> {
        let store = self.store_for_region(bytes)?;
        let region = Value::region(regions.make(bytes)?);
        store.write_for(payer, (key, region, Terms::default()))
    }

    /// A region that is in another map too.
    pub(crate) fn put_shared(
        &self,
        (key, payer): (&[u8], Payer),
        region: &Arc<Region>,
    ) -> Result<u64, MapError> {
        let store = self.store_for_region(region.bytes() as u64)?;
        let region = Value::region(Arc::clone(region));
        store.write_for(payer, (key, region, Terms::default()))
    }

    /// The store, if it can have a region that is so long.
    fn store_for_region(&self, bytes: u64) -> Result<&MemoryStore, MapError> {
        let store = self.store.in_memory();
        let store = store.ok_or(MapError::NotSupported("regions"))?;
        let max = self.options.bytes_max;
        if bytes > max {
            return Err(MapError::NoSpace { what: "bytes", max });
        }
        Ok(store)
    }

    /// A reference from an entry to `child`, which the caller has a handle with these rights to.
    pub(crate) fn put_child(
        &self,
        (key, payer): (&[u8], Payer),
        child: (MapId, Rights),
        graph: &Graph,
    ) -> Result<u64, MapError> {
        let value = Value::map(child.0, child.1);
        let store = self.store.in_memory().ok_or(NO_REFERENCES)?;
        let stored = store.write_for(payer, (key, value, Terms::default()));
        graph.free_waiting();
        stored
    }
}
