//! A map: what handles refer to. Its entries are in a back end.

use std::sync::Arc;

use crate::MapError;
use crate::graph::Graph;
use crate::memory::MemoryStore;
use crate::options::MapOptions;
use crate::rights::Rights;
use crate::store::{Seen, Store, Terms};
use crate::value::{MapId, Value};

/// A map of an engine.
#[derive(Debug)]
pub struct Map {
    id: MapId,
    name: Option<Arc<str>>,
    options: MapOptions,
    store: MemoryStore,
}

impl Map {
    pub(crate) fn new(
        id: MapId,
        name: Option<Arc<str>>,
        options: MapOptions,
        store: MemoryStore,
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

    /// Its entries.
    #[inline]
    #[must_use]
    pub fn store(&self) -> &impl Store {
        &self.store
    }

    /// Removes entries whose time is up, `most` at most; answers how many.
    pub fn tend(&self, most: usize) -> usize {
        self.store.tend(most)
    }

    pub(crate) fn next_end_ms(&self) -> Option<u64> {
        self.store.next_end_ms()
    }

    /// The map that an entry refers to, and what may be done with it there.
    ///
    /// # Errors
    /// [`MapError::NoEntry`]; [`MapError::Invalid`]: the entry holds bytes.
    pub(crate) fn child(&self, key: &[u8]) -> Result<(MapId, Rights), MapError> {
        let reference = |seen: Seen<'_>| seen.value.reference();
        let seen = self.store.read(key, &mut { reference }).now()?;
        let child = seen.ok_or(MapError::NoEntry)?;
        child.ok_or(MapError::Invalid("the entry refers to no map"))
    }

    /// See [`MemoryStore::shrink`].
    pub(crate) fn shrink(&self, most: usize) -> usize {
        self.store.shrink(most)
    }

    /// A reference from an entry to `child`, which the caller has a handle with these rights to.
    pub(crate) fn put_child(
        &self,
        key: &[u8],
        child: (MapId, Rights),
        graph: &Graph,
    ) -> Result<u64, MapError> {
        let value = Value::map(child.0, child.1);
        let stored = self.store.write(key, value, Terms::default()).now();
        graph.free_waiting();
        stored
    }
}
