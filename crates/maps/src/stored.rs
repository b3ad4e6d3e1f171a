//! The entries of one map, whichever back end keeps them.
//!
//! [`Store`] is used by type, so that reading from memory costs nothing extra; [`BackEnd`] is its
//! twin without type parameters, which every `Store` is by itself. Entries in memory alone can refer
//! to other maps.

use std::fmt;
use std::sync::Arc;

use crate::budget::payers::Payer;
use crate::memory::MemoryStore;
use crate::numbers::{Counts, Known};
use crate::store::{
    Answer, Condition, Counted, Done, Found, Op, Page, Range, Seen, Stat, Store, Terms,
};
use crate::tally::Tally;
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

    /// See [`Store::known`].
    fn known(&self) -> Known;
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

    fn known(&self) -> Known {
        Store::known(self)
    }
}

/// The entries of a map, and how often they were found.
pub(crate) struct Stored {
    kept: Kept,
    /// Of maps with names.
    tally: Option<Arc<Tally>>,
}

/// Where a map's entries are.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all maps are in memory, and reading one is not to follow a pointer more"
)]
enum Kept {
    Memory(MemoryStore),
    Other(Arc<dyn BackEnd>),
}

impl Stored {
    /// In memory. `is_named`: what is found is counted.
    pub(crate) fn memory(store: MemoryStore, is_named: bool) -> Self {
        Self {
            kept: Kept::Memory(store),
            tally: is_named.then(Arc::default),
        }
    }

    /// Elsewhere.
    pub(crate) fn other(back_end: Arc<dyn BackEnd>) -> Self {
        Self {
            kept: Kept::Other(back_end),
            tally: Some(Arc::default()),
        }
    }

    /// The entries, if they are in memory.
    #[inline]
    pub(crate) fn in_memory(&self) -> Option<&MemoryStore> {
        match &self.kept {
            Kept::Memory(store) => Some(store),
            Kept::Other(_) => None,
        }
    }

    /// [`Store::write`], paid by somebody where that is known: in memory.
    pub(crate) fn write_for(
        &self,
        payer: Payer,
        (key, value, terms): (&[u8], Value, Terms),
    ) -> Answer<u64> {
        match &self.kept {
            Kept::Memory(store) => self.noted(store.write_for(payer, (key, value, terms)).into()),
            Kept::Other(_) => Store::write(self, key, value, terms),
        }
    }

    /// [`Store::add`] in the same way.
    pub(crate) fn add_for(&self, payer: Payer, key: &[u8], delta: i64) -> Answer<Counted> {
        match &self.kept {
            Kept::Memory(store) => self.noted(store.add_for(payer, key, delta).into()),
            Kept::Other(_) => Store::add(self, key, delta),
        }
    }

    /// [`Store::batch`] in the same way.
    pub(crate) fn batch_for(&self, payer: Payer, ops: &[Op]) -> Answer<Vec<Done>> {
        match &self.kept {
            Kept::Memory(store) => self.noted(store.batch_for(payer, ops).into()),
            Kept::Other(_) => Store::batch(self, ops),
        }
    }

    /// How often entries were found.
    pub(crate) fn counts(&self) -> Counts {
        self.tally.as_deref().map(Tally::counts).unwrap_or_default()
    }

    /// Counts what is refused for want of room.
    fn noted<T: 'static>(&self, answer: Answer<T>) -> Answer<T> {
        let Some(tally) = &self.tally else {
            return answer;
        };
        match answer {
            Answer::Now(result) => {
                tally.note(&result);
                Answer::Now(result)
            }
            Answer::Later(later) => {
                let tally = Arc::clone(tally);
                Answer::Later(Box::pin(async move {
                    let result = later.await;
                    tally.note(&result);
                    result
                }))
            }
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
        let other = match &self.kept {
            Kept::Memory(store) => {
                let answer = Store::read(store, key, see);
                if let (Some(tally), Answer::Now(Ok(found))) = (&self.tally, &answer) {
                    tally.count(found.is_some());
                }
                return answer;
            }
            Kept::Other(other) => other,
        };
        let mut shown = None;
        let answer = other.read(key, &mut |seen| shown = Some(see(seen)));
        match (answer, &self.tally) {
            (Answer::Now(found), tally) => Answer::Now(found.map(|_| {
                if let Some(tally) = tally {
                    tally.count(shown.is_some());
                }
                shown
            })),
            (Answer::Later(later), None) => Answer::Later(later),
            (Answer::Later(later), Some(tally)) => {
                let tally = Arc::clone(tally);
                Answer::Later(Box::pin(async move {
                    let found = later.await?;
                    tally.count(found.is_some());
                    Ok(found)
                }))
            }
        }
    }

    fn write(&self, key: &[u8], value: Value, terms: Terms) -> Answer<u64> {
        self.noted(match &self.kept {
            Kept::Memory(store) => Store::write(store, key, value, terms),
            Kept::Other(store) => store.write(key, value, terms),
        })
    }

    fn remove(&self, key: &[u8], condition: Condition) -> Answer<()> {
        match &self.kept {
            Kept::Memory(store) => Store::remove(store, key, condition),
            Kept::Other(store) => store.remove(key, condition),
        }
    }

    fn add(&self, key: &[u8], delta: i64) -> Answer<Counted> {
        self.noted(match &self.kept {
            Kept::Memory(store) => Store::add(store, key, delta),
            Kept::Other(store) => store.add(key, delta),
        })
    }

    fn scan(&self, range: Range<'_>) -> Answer<Page> {
        match &self.kept {
            Kept::Memory(store) => Store::scan(store, range),
            Kept::Other(store) => store.scan(range),
        }
    }

    fn batch(&self, ops: &[Op]) -> Answer<Vec<Done>> {
        self.noted(match &self.kept {
            Kept::Memory(store) => Store::batch(store, ops),
            Kept::Other(store) => store.batch(ops),
        })
    }

    fn clear(&self) -> Answer<u64> {
        match &self.kept {
            Kept::Memory(store) => Store::clear(store),
            Kept::Other(store) => store.clear(),
        }
    }

    fn watch(&self, prefix: &[u8]) -> Answer<Watch> {
        match &self.kept {
            Kept::Memory(store) => Store::watch(store, prefix),
            Kept::Other(store) => store.watch(prefix),
        }
    }

    fn stat(&self) -> Answer<Stat> {
        match &self.kept {
            Kept::Memory(store) => Store::stat(store),
            Kept::Other(store) => store.stat(),
        }
    }

    fn known(&self) -> Known {
        match &self.kept {
            Kept::Memory(store) => Store::known(store),
            Kept::Other(store) => store.known(),
        }
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kept {
            Kept::Memory(store) => store.fmt(f),
            Kept::Other(_) => f.write_str("Other"),
        }
    }
}
