//! Copies of a handle table, for instances that are made from an image of another one: the numbers
//! that its memory holds mean the same in the copy.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Handles, Held, Hold, Loan, Slot};

/// No two tables of this process have the same number.
static TABLES: AtomicU64 = AtomicU64::new(0);

/// Which table this is, how often it changed, and what it is a copy of.
#[derive(Debug)]
pub(super) struct Origin {
    table: u64,
    changes: u64,
    /// The table, its changes, and our own changes when it was copied.
    copy_of: Option<(u64, u64, u64)>,
}

impl Origin {
    pub(super) fn new() -> Self {
        Self {
            table: TABLES.fetch_add(1, Ordering::Relaxed),
            changes: 0,
            copy_of: None,
        }
    }

    #[inline]
    pub(super) fn changed(&mut self) {
        self.changes += 1;
    }
}

impl Handles {
    /// A table with the same handles under the same numbers: see
    /// [`restore_from`](Self::restore_from).
    #[must_use]
    pub fn copy(&self) -> Self {
        let mut copy = Self::new(&self.engine, self.identity.clone());
        copy.restore_from(self);
        copy
    }

    /// Whether [`restore_from`](Self::restore_from) with this table would change nothing.
    #[must_use]
    pub fn is_copy_of(&self, other: &Self) -> bool {
        let now = (
            other.origin.table,
            other.origin.changes,
            self.origin.changes,
        );
        self.origin.copy_of == Some(now)
    }

    /// Makes this table a copy of another one, whose instance's memory this one's instance gets.
    /// Costs next to nothing if neither has changed since it was that already.
    ///
    /// What the other one owns is held here too, under the same numbers and with the same rights.
    /// What it has borrowed is *stale* here: it was lent to that instance. What it has lent ends
    /// with it alone. Scans are not copied (their cursors are *stale*), nor are watches (*badf*).
    /// What was held or lent here is over.
    pub fn restore_from(&mut self, other: &Self) {
        let now = (
            other.origin.table,
            other.origin.changes,
            self.origin.changes,
        );
        if self.is_copy_of(other) {
            return;
        }
        // Held before the old ones go: a map that is in both must not go with them.
        let slots = other.slots.iter().map(|slot| slot.as_ref().map(Slot::copy));
        let slots = slots.collect();
        self.empty();
        self.slots = slots;
        self.free.clone_from(&other.free);
        self.identity = other.identity.clone();
        self.engine = other.engine.clone();
        self.origin.copy_of = Some(now);
    }
}

impl Slot {
    fn copy(&self) -> Self {
        let hold = match &self.held.hold {
            own @ Hold::Own(_) => own.clone(),
            Hold::Borrowed(map, _) => Hold::Borrowed(map.clone(), Arc::clone(Loan::ended())),
        };
        let (rights, payer) = (self.held.rights, self.held.payer);
        Self {
            held: Held {
                hold,
                rights,
                payer,
            },
            loans: Vec::new(),
        }
    }
}
