//! Caps the memories and tables of one VM.
//!
//! Invariant: what was granted is counted once, against the VM's own limits and the budget of its
//! filter, and given back to the budget when the VM ends.

use std::sync::Arc;

use send_wrapper::SendWrapper;
use wasmtime::ResourceLimiter;
use weir_model::limits::guest::GUEST_TABLE_ELEMENT_BYTES;
use weir_model::{Exceeded, GuestLimits, Limit};

use crate::budget::MemoryBudget;
use crate::door::{MemoryCount, World};

/// What a VM may still take, and what it was refused.
pub(crate) struct Cap {
    limits: GuestLimits,
    bytes: u64,
    elements: u64,
    budget: Option<Arc<MemoryBudget>>,
    /// What was taken from the budget.
    taken: u64,
    count: Option<SendWrapper<MemoryCount>>,
    last: Grant,
    refused: Option<Exceeded>,
}

/// The last thing granted, to be given back if the engine cannot have it.
#[derive(Clone, Copy, Default)]
struct Grant {
    bytes: u64,
    elements: u64,
}

impl Grant {
    /// What it costs the budget.
    fn cost(self) -> u64 {
        let elements = self.elements.saturating_mul(GUEST_TABLE_ELEMENT_BYTES);
        self.bytes.saturating_add(elements)
    }
}

impl Cap {
    /// For the guest of a world, on the thread that it runs on.
    pub(crate) fn of<W: World>(limits: &GuestLimits, world: &W) -> Self {
        Self {
            limits: limits.clone(),
            bytes: 0,
            elements: 0,
            budget: world.memory_budget(),
            taken: 0,
            count: world.memory_count().map(SendWrapper::new),
            last: Grant::default(),
            refused: None,
        }
    }

    /// The limit that refused something last, since [`Cap::begin`].
    pub(crate) fn refused(&self) -> Option<Exceeded> {
        self.refused
    }

    /// A call begins.
    pub(crate) fn begin(&mut self) {
        self.refused = None;
    }

    /// Counts memories that came with a snapshot, instead of those that were asked for.
    ///
    /// The budget is not asked whether it has them, as they are there: the next guest finds it
    /// used up.
    pub(crate) fn hold(&mut self, bytes: u64) {
        if let Some(budget) = &self.budget {
            let taken = (self.taken - self.bytes).saturating_add(bytes);
            budget.change(self.taken, taken);
            self.taken = taken;
        }
        self.bytes = bytes;
        self.last = Grant::default();
        self.refused = None;
    }

    fn grant(&mut self, wanted: Grant) -> bool {
        let Err(limit) = self.take(wanted) else {
            return true;
        };
        self.refused = Some(self.limits.exceeded(limit));
        false
    }

    fn take(&mut self, wanted: Grant) -> Result<(), Limit> {
        let bytes = self.bytes.saturating_add(wanted.bytes);
        let elements = self.elements.saturating_add(wanted.elements);
        if bytes > self.limits.memory_bytes {
            return Err(Limit::Memory);
        }
        if elements > self.limits.table_elements {
            return Err(Limit::TableElements);
        }
        if let Some(budget) = &self.budget {
            if !budget.take(wanted.cost()) {
                return Err(Limit::TotalMemory);
            }
            self.taken += wanted.cost();
        }
        if let Some(count) = &self.count
            && !count(Grant { bytes, elements }.cost())
        {
            return Err(Limit::TotalMemory);
        }
        (self.bytes, self.elements, self.last) = (bytes, elements, wanted);
        Ok(())
    }

    /// The engine could not have what was granted last.
    fn take_back(&mut self) {
        let last = std::mem::take(&mut self.last);
        self.bytes -= last.bytes;
        self.elements -= last.elements;
        if let Some(budget) = &self.budget {
            budget.give(last.cost());
            self.taken -= last.cost();
        }
    }
}

impl Drop for Cap {
    fn drop(&mut self) {
        if let Some(budget) = &self.budget {
            budget.give(self.taken);
        }
    }
}

/// Whether the module's own maximum lets something grow to this. The engine asks even for growth that
/// then fails: it is not counted, or a guest that tries again and again would use up its limit with
/// nothing.
fn is_possible(desired: usize, maximum: Option<usize>) -> bool {
    maximum.is_none_or(|maximum| desired <= maximum)
}

impl ResourceLimiter for Cap {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(is_possible(desired, maximum)
            && self.grant(Grant {
                bytes: (desired - current) as u64,
                elements: 0,
            }))
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.take_back();
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(is_possible(desired, maximum)
            && self.grant(Grant {
                bytes: 0,
                elements: (desired - current) as u64,
            }))
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.take_back();
        Ok(())
    }
}
