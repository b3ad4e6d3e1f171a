//! What a region in an entry counts for, and how long.
//!
//! Invariant: its pages count against the quotas of the entry's map, and of that map's owner, until it is
//! no more in the entry and nobody has it from there. So who keeps a region mapped and removes the entry
//! has no room for another one.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::budget::{Amount, Budget};

/// The entry is over, or about to be. The other bits: how many have the region.
const GONE: u32 = 1 << 31;

/// A region's stay in an entry.
pub(crate) struct Stay {
    budget: Arc<Budget>,
    bytes: u64,
    state: AtomicU32,
}

impl Stay {
    /// These bytes were counted.
    pub(crate) fn new(budget: &Arc<Budget>, bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            budget: Arc::clone(budget),
            bytes: bytes as u64,
            state: AtomicU32::new(0),
        })
    }

    /// Somebody wants the region. `false`: the entry is over.
    pub(super) fn hold(&self) -> bool {
        let more = |state: u32| (state < GONE - 1).then(|| state + 1);
        let (set, get) = (Ordering::AcqRel, Ordering::Relaxed);
        self.state.fetch_update(set, get, more).is_ok()
    }

    /// Who had it has it no more.
    pub(super) fn let_go(&self) {
        if self.state.fetch_sub(1, Ordering::AcqRel) == GONE | 1 {
            self.free();
        }
    }

    /// The entry is about to hold something else. `true`: nobody has the region, and from now on nobody
    /// gets it; its bytes are for the caller to count.
    pub(crate) fn close(&self) -> bool {
        let (set, get) = (Ordering::AcqRel, Ordering::Relaxed);
        self.state.compare_exchange(0, GONE, set, get).is_ok()
    }

    /// Takes back what [`close`](Self::close) has done.
    pub(crate) fn reopen(&self) {
        self.state.fetch_and(!GONE, Ordering::AcqRel);
    }

    /// The entry is over. Its bytes are free now, or when the last one who has the region lets it go.
    pub(crate) fn leave(&self) {
        if self.state.fetch_or(GONE, Ordering::AcqRel) == 0 {
            self.free();
        }
    }

    fn free(&self) {
        self.budget.free(Amount {
            entries: 0,
            bytes: self.bytes,
        });
    }
}

impl fmt::Debug for Stay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stay")
            .field("bytes", &self.bytes)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
