//! Memory that several guests share the right to.

use std::sync::atomic::{AtomicU64, Ordering};

/// A sum of bytes from which the memories and tables of several guests are taken, on any thread.
///
/// Invariant: a guest gives back what it took when it ends; only the memory of a snapshot may exceed
/// the most, once for each thread.
#[derive(Debug)]
pub struct MemoryBudget {
    bytes_max: u64,
    used: AtomicU64,
}

impl MemoryBudget {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            used: AtomicU64::new(0),
        }
    }

    /// What is taken now.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes so much, or nothing.
    pub(crate) fn take(&self, bytes: u64) -> bool {
        let take = |used: u64| {
            used.checked_add(bytes)
                .filter(|used| *used <= self.bytes_max)
        };
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }

    /// Takes so much instead of what was taken before, even if there is no more.
    pub(crate) fn change(&self, before: u64, after: u64) {
        if before != after {
            self.used
                .fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
        }
    }

    /// Gives back what was taken.
    pub(crate) fn give(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}
