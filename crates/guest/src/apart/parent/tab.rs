//! What one VM in a process has done and taken, as far as the gateway has answered it.

use std::sync::Arc;

use crate::budget::MemoryBudget;

/// The account of one VM. What it took is given back with it.
#[derive(Default)]
pub(super) struct Tab {
    /// It did what its end does not undo.
    pub(super) has_acted: bool,
    budget: Option<Arc<MemoryBudget>>,
    /// Bytes of memories and tables that are taken from the budget.
    taken_bytes: u64,
}

impl Tab {
    pub(super) fn of(budget: Option<Arc<MemoryBudget>>) -> Self {
        Self {
            budget,
            ..Self::default()
        }
    }

    pub(super) fn taken_bytes(&self) -> u64 {
        self.taken_bytes
    }

    /// It wants to have so much instead of what it has. Says whether it may.
    pub(super) fn take(&mut self, bytes: u64) -> bool {
        let Some(budget) = &self.budget else {
            return true;
        };
        match bytes.checked_sub(self.taken_bytes) {
            Some(more) if !budget.take(more) => return false,
            Some(_) => {}
            None => budget.give(self.taken_bytes - bytes),
        }
        self.taken_bytes = bytes;
        true
    }

    /// It has begun anew with the memory of a snapshot, whether there is so much or not.
    pub(super) fn renew(&mut self, bytes: u64) {
        if let Some(budget) = &self.budget {
            budget.change(self.taken_bytes, bytes);
        }
        self.taken_bytes = bytes;
        self.has_acted = false;
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        if let Some(budget) = &self.budget {
            budget.give(self.taken_bytes);
        }
    }
}
