//! What operators learn about a filter, summed over all workers.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Counters of one filter. Written by every worker.
#[derive(Debug, Default)]
pub struct FilterStats {
    vms: AtomicI64,
    memory_bytes: AtomicI64,
    failures: AtomicU64,
    replacements: AtomicU64,
    refused: AtomicU64,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FilterReport {
    /// VMs that run now.
    pub vms: u64,
    /// Bytes of their linear memories.
    pub memory_bytes: u64,
    /// Traps and exceeded limits.
    pub failures: u64,
    /// VMs that took the place of a failed one.
    pub replacements: u64,
    /// Exchanges that were answered 503 because no VM was there.
    pub refused: u64,
}

impl FilterStats {
    pub(crate) fn started(&self, is_replacement: Replacement) {
        self.vms.fetch_add(1, Ordering::Relaxed);
        if is_replacement == Replacement::Yes {
            self.replacements.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn ended(&self) {
        self.vms.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn memory_changed(&self, by: i64) {
        self.memory_bytes.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn report(&self) -> FilterReport {
        let count = |cell: &AtomicI64| u64::try_from(cell.load(Ordering::Relaxed)).unwrap_or(0);
        FilterReport {
            vms: count(&self.vms),
            memory_bytes: count(&self.memory_bytes),
            failures: self.failures.load(Ordering::Relaxed),
            replacements: self.replacements.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}

/// Whether a VM takes the place of a failed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replacement {
    Yes,
    No,
}
