//! The entries of one map, whichever back end keeps them.
//!
//! [`Store`] is used by type, so that reading from memory costs nothing extra; [`BackEnd`] is its
//! twin without type parameters, which every `Store` is by itself. Entries in memory alone can refer
//! to other maps.

use std::fmt;
use std::sync::Arc;

use crate::memory::MemoryStore;
use crate::store::{
    Answer, Condition, Counted, Done, Found, Op, Page, Range, Seen, Stat, Store, Terms,
};
use crate::value::Value;
use crate::watch::Watch;

/// A [`Store`] of whatever type. Not to be implemented: every `Store` is one.
pub trait BackEnd: Send + Sync {
    /// See [`Store::read`].
    fn read(&self, key: &[u8], see: &mut dyn FnMut(Seen<'_>)) -> Answer<Option<()>, Option<Found>>;

    /// See [`Store::write`].
    fn write(&self, key: &[u8], value: Value, terms: Terms) -> Answer<u64>;

    /// See [`Store::remove`].
    fn remove(&self, key: &[u8], condition: Condition) -> Answer<()>;

    /// See [`Store::add`].
    fn add(&self, key: &[u8], delta: i64) -> Answer<Counted>;

    /// See [`Store::scan`].
    fn scan(&self, range: Range<'_>) -> Answer<Page>;

    /// See [`Store::batch`].
    fn batch(&self, ops: &[Op]) -> Answer<Vec<Done>>;

    /// See [`Store::clear`].
    fn clear(&self) -> Answer<u64>;

    /// See [`Store::watch`].
    fn watch(&self, prefix: &[u8]) -> Answer<Watch>;

    /// See [`Store::stat`].
    fn stat(&self) -> Answer<Stat>;
}

impl<S: Store> BackEnd for S {
    fn read(&self, key: &[u8], see: &mut dyn FnMut(Seen<'_>)) -> Answer<Option<()>, Option<Found>> {
        Store::read(self, key, &mut |seen: Seen<'_>| see(seen))
    }

    fn write(&self, key: &[u8], value: Value, terms: Terms) -> Answer<u64> {
        Store::write(self, key, value, terms)
    }

    fn remove(&self, key: &[u8], condition: Condition) -> Answer<()> {
        Store::remove(self, key, condition)
    }

    fn add(&self, key: &[u8], delta: i64) -> Answer<Counted> {
        Store::add(self, key, delta)
    }

    fn scan(&self, range: Range<'_>) -> Answer<Page> {
        Store::scan(self, range)
    }

    fn batch(&self, ops: &[Op]) -> Answer<Vec<Done>> {
        Store::batch(self, ops)
    }

    fn clear(&self) -> Answer<u64> {
        Store::clear(self)
    }

    fn watch(&self, prefix: &[u8]) -> Answer<Watch> {
        Store::watch(self, prefix)
    }

    fn stat(&self) -> Answer<Stat> {
        Store::stat(self)
    }
}

/// Where a map's entries are.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all maps are in memory, and reading one is not to follow a pointer more"
)]
pub(crate) enum Stored {
    Memory(MemoryStore),
    Other(Arc<dyn BackEnd>),
}

impl Stored {
    /// The entries, if they are in memory.
    #[inline]
    pub(crate) fn in_memory(&self) -> Option<&MemoryStore> {
        match self {
            Self::Memory(store) => Some(store),
            Self::Other(_) => None,
        }
    }
}

impl Store for Stored {
    #[inline]
    fn read<R>(
        &self,
        key: &[u8],
        see: &mut impl FnMut(Seen<'_>) -> R,
    ) -> Answer<Option<R>, Option<Found>> {
        let other = match self {
            Self::Memory(store) => return Store::read(store, key, see),
            Self::Other(other) => other,
        };
        let mut shown = None;
        match other.read(key, &mut |seen| shown = Some(see(seen))) {
            Answer::Now(found) => Answer::Now(found.map(|_| shown)),
            Answer::Later(later) => Answer::Later(later),
        }
    }

    fn write(&self, key: &[u8], value: Value, terms: Terms) -> Answer<u64> {
        match self {
            Self::Memory(store) => Store::write(store, key, value, terms),
            Self::Other(store) => store.write(key, value, terms),
        }
    }

    fn remove(&self, key: &[u8], condition: Condition) -> Answer<()> {
        match self {
            Self::Memory(store) => Store::remove(store, key, condition),
            Self::Other(store) => store.remove(key, condition),
        }
    }

    fn add(&self, key: &[u8], delta: i64) -> Answer<Counted> {
        match self {
            Self::Memory(store) => Store::add(store, key, delta),
            Self::Other(store) => store.add(key, delta),
        }
    }

    fn scan(&self, range: Range<'_>) -> Answer<Page> {
        match self {
            Self::Memory(store) => Store::scan(store, range),
            Self::Other(store) => store.scan(range),
        }
    }

    fn batch(&self, ops: &[Op]) -> Answer<Vec<Done>> {
        match self {
            Self::Memory(store) => Store::batch(store, ops),
            Self::Other(store) => store.batch(ops),
        }
    }

    fn clear(&self) -> Answer<u64> {
        match self {
            Self::Memory(store) => Store::clear(store),
            Self::Other(store) => store.clear(),
        }
    }

    fn watch(&self, prefix: &[u8]) -> Answer<Watch> {
        match self {
            Self::Memory(store) => Store::watch(store, prefix),
            Self::Other(store) => store.watch(prefix),
        }
    }

    fn stat(&self) -> Answer<Stat> {
        match self {
            Self::Memory(store) => Store::stat(store),
            Self::Other(store) => store.stat(),
        }
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(store) => store.fmt(f),
            Self::Other(_) => f.write_str("Other"),
        }
    }
}
