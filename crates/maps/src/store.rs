//! What a back end of a map must be able to do.
//!
//! One trait, so that memory, disk and remote servers stand behind the same operations and pass the
//! same suite (`tests/all/suite`). An [`Answer`] is there at once, or comes later: the memory engine
//! always answers at once and allocates nothing for it; a back end that must wait gives a future,
//! which the guest's side turns into a suspended stack. Each operation is whole or not at all.

pub mod answer;
pub mod terms;

pub use answer::{Answer, Later};
pub use terms::{Condition, Counted, Done, Found, Item, Op, Page, Range, Seen, Stat, Terms};

use crate::numbers::Known;
use crate::value::Value;
use crate::watch::Watch;

/// A back end with the entries of one map. Keys and values are checked by whoever implements it:
/// see [`crate::MapError`] for what is refused.
pub trait Store: Send + Sync {
    /// Shows an entry to `see`, once, if there is one; without allocating if it is at hand. A later
    /// answer brings the entry itself, and `see` is not called.
    fn read<R>(
        &self,
        key: &[u8],
        see: &mut impl FnMut(Seen<'_>) -> R,
    ) -> Answer<Option<R>, Option<Found>>;

    /// Stores a value and answers its version. The entry's time to live begins anew: as `terms`
    /// say, else as the map says.
    fn write(&self, key: &[u8], value: Value, terms: Terms) -> Answer<u64>;

    /// Removes an entry; there must be one.
    fn remove(&self, key: &[u8], condition: Condition) -> Answer<()>;

    /// Adds to a counter, which begins at 0, and keeps the entry's time to live. A sum that is no
    /// `i64` is an overflow.
    fn add(&self, key: &[u8], delta: i64) -> Answer<Counted>;

    /// The next entries in the order of their keys. Pages of one scan together hold each entry that
    /// was there all the time exactly once.
    fn scan(&self, range: Range<'_>) -> Answer<Page>;

    /// All of these operations in their order, in one step, or none of them.
    fn batch(&self, ops: &[Op]) -> Answer<Vec<Done>>;

    /// Removes all entries and answers how many there were.
    fn clear(&self) -> Answer<u64>;

    /// Follows all changes from now on to keys that begin with `prefix`.
    fn watch(&self, prefix: &[u8]) -> Answer<Watch>;

    /// Numbers for people and for `stat`.
    fn stat(&self) -> Answer<Stat>;

    /// What is known without asking anybody, and without a look at all entries.
    fn known(&self) -> Known {
        Known {
            stat: self.stat().now().ok(),
            ..Known::default()
        }
    }
}
