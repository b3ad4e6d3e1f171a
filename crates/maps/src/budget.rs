//! How much may be stored, counted without a lock.
//!
//! Invariant: neither entries nor bytes ever exceed their limit, except by what was stored before
//! the limit was lowered. A refused change is taken back entirely; while it is, another change that
//! would just fit may be refused too.

pub mod payers;

use std::sync::Arc;

use crate::MapError;
use crate::sync::{AtomicU64, Ordering};

/// A number of entries and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Entries.
    pub entries: u64,
    /// Bytes of keys, values and bookkeeping.
    pub bytes: u64,
}

impl Amount {
    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            entries: self.entries.saturating_add(other.entries),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

/// What an owner may store in all its maps together, and has stored.
#[derive(Debug)]
pub struct Account {
    max: Amount,
    entries: AtomicU64,
    bytes: AtomicU64,
}

impl Account {
    /// An empty account with a limit.
    #[must_use]
    pub fn new(max: Amount) -> Self {
        Self {
            max,
            entries: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// What is stored.
    #[must_use]
    pub fn used(&self) -> Amount {
        Amount {
            entries: self.entries.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    /// The limit.
    #[must_use]
    pub fn max(&self) -> Amount {
        self.max
    }

    /// Counts that `freed` goes and `needed` comes. What shrinks is always admitted.
    ///
    /// # Errors
    /// [`MapError::NoSpace`]; nothing is counted then.
    pub fn change(&self, freed: Amount, needed: Amount) -> Result<(), MapError> {
        self.change_within(freed, needed, u64::MAX)
    }

    /// The same, where no more than `bytes_max` may be stored afterwards either.
    fn change_within(&self, freed: Amount, needed: Amount, bytes_max: u64) -> Result<(), MapError> {
        let entries = (freed.entries, needed.entries);
        let max = self.max.bytes.min(bytes_max);
        change(&self.bytes, (freed.bytes, needed.bytes), max)
            .map_err(|max| MapError::NoSpace { what: "bytes", max })?;
        change(&self.entries, entries, self.max.entries).map_err(|max| {
            self.bytes.fetch_add(freed.bytes, Ordering::Relaxed);
            self.bytes.fetch_sub(needed.bytes, Ordering::Relaxed);
            MapError::NoSpace {
                what: "entries",
                max,
            }
        })
    }

    /// Takes an admitted change back, without asking for room: it was there before.
    fn undo(&self, freed: Amount, needed: Amount) {
        self.put_in(freed);
        self.put_back(needed);
    }

    fn put_in(&self, amount: Amount) {
        self.bytes.fetch_add(amount.bytes, Ordering::Relaxed);
        self.entries.fetch_add(amount.entries, Ordering::Relaxed);
    }

    fn put_back(&self, amount: Amount) {
        self.bytes.fetch_sub(amount.bytes, Ordering::Relaxed);
        self.entries.fetch_sub(amount.entries, Ordering::Relaxed);
    }
}

/// Whether there is room for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is.
    Now,
    /// There may be if other entries of the map go.
    Later,
    /// Not in this map, or not while its owner has so much elsewhere.
    Never,
}

/// On failure: the limit.
fn change(count: &AtomicU64, (freed, needed): (u64, u64), max: u64) -> Result<(), u64> {
    // What is replaced by as much touches nothing that other threads count in.
    if freed == needed {
        return Ok(());
    }
    let next = |used: u64| {
        let after = used.saturating_sub(freed).saturating_add(needed);
        (after <= max || needed <= freed).then_some(after)
    };
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
        .map(|_| ())
        .map_err(|_| max)
}

/// The accounts that one map is counted in: its own, and its owner's.
#[derive(Debug)]
pub struct Budget {
    map: Account,
    owner: Arc<Account>,
}

impl Budget {
    /// For a map with this limit.
    #[must_use]
    pub fn new(map: Amount, owner: Arc<Account>) -> Self {
        let map = Account::new(map);
        Self { map, owner }
    }

    /// See [`Account::change`]; counted in both or in none. The map may have no more than `bytes_max`
    /// afterwards either, if something is said.
    ///
    /// # Errors
    /// [`MapError::NoSpace`].
    pub fn change(
        &self,
        freed: Amount,
        needed: Amount,
        bytes_max: Option<u64>,
    ) -> Result<(), MapError> {
        let bytes_max = bytes_max.unwrap_or(u64::MAX);
        self.map.change_within(freed, needed, bytes_max)?;
        self.owner.change(freed, needed).inspect_err(|_| {
            self.map.undo(freed, needed);
        })
    }

    /// Whether there is room for this much more, if the map may have no more than `bytes_max` bytes.
    #[must_use]
    pub fn room_for(&self, needed: Amount, bytes_max: Option<u64>) -> Room {
        let (own, all) = (self.map.used(), self.owner.used());
        let (mut max, owner_max) = (self.map.max, self.owner.max);
        max.bytes = max.bytes.min(bytes_max.unwrap_or(u64::MAX));
        let elsewhere = Amount {
            entries: all.entries.saturating_sub(own.entries),
            bytes: all.bytes.saturating_sub(own.bytes),
        };
        let fit = |used: Amount, max: Amount| {
            used.entries.saturating_add(needed.entries) <= max.entries
                && used.bytes.saturating_add(needed.bytes) <= max.bytes
        };
        if fit(own, max) && fit(all, owner_max) {
            return Room::Now;
        }
        if fit(Amount::default(), max) && fit(elsewhere, owner_max) {
            return Room::Later;
        }
        Room::Never
    }

    /// Counts again what was counted before and freed by a change that did not come about.
    pub fn restore(&self, amount: Amount) {
        self.map.undo(amount, Amount::default());
        self.owner.undo(amount, Amount::default());
    }

    /// Counts that this much is gone.
    pub fn free(&self, amount: Amount) {
        self.map.put_back(amount);
        self.owner.put_back(amount);
    }

    /// Gives back to the owner what the map itself cost.
    pub fn close(&self, own: Amount) {
        self.owner.put_back(own);
    }

    /// The map's own account.
    #[must_use]
    pub fn map(&self) -> &Account {
        &self.map
    }
}
