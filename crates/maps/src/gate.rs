//! Makes a batch one step for readers that take no lock.
//!
//! A batch holds the locks of all its shards, closes the gate, stores its entries one after another,
//! and opens the gate. A reader that finds the gate open just reads. One that finds it closed first
//! takes and drops the lock of its shard, so it waits for a batch that concerns it.
//!
//! Why this is enough: the moment at which a batch happens is the moment at which it closes the
//! gate. A reader that sees a new entry of the batch has seen the gate closed by that; whatever is
//! read after it waits. A reader that sees an old entry looked at the gate before it was closed, so
//! it began before the batch. `tests/models.rs` tries all interleavings.

use crate::sync::{AtomicU32, Ordering};

/// How many batches are being stored.
#[derive(Debug)]
pub struct Gate(AtomicU32);

impl Gate {
    /// Open.
    #[must_use]
    pub fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Closes it until the value is dropped. The caller holds the locks of all it will store.
    #[must_use]
    pub fn close(&self) -> Closed<'_> {
        self.0.fetch_add(1, Ordering::AcqRel);
        Closed(self)
    }

    /// Whether a reader may read at once. To be asked before anything is read.
    #[inline]
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire) == 0
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

/// A closed gate.
#[derive(Debug)]
pub struct Closed<'a>(&'a Gate);

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Release);
    }
}
