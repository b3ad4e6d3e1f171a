//! Which calls are open, followed from instruction to instruction.
//!
//! Where code stands inside a call, Wasmtime shows the caller at the instruction behind it, with
//! operands that the call has taken or not given yet. What was seen before the call is what holds.

use std::collections::HashMap;
use std::sync::Arc;

use weir_guest::debug::{Code, Effect, Frame, Instruction, Listing, Paused, Place};

/// The calls that are open.
pub struct Calls {
    code: Arc<Code>,
    listings: HashMap<u32, Option<Listing>>,
    last: Option<Place>,
    /// Instructions that called, the outermost first; `None`: nobody saw it.
    open: Vec<Option<Place>>,
}

impl Calls {
    /// Of a run that is about to begin.
    #[must_use]
    pub fn new(code: Arc<Code>) -> Self {
        Self {
            code,
            listings: HashMap::new(),
            last: None,
            open: Vec::new(),
        }
    }

    /// Notes an instruction that is about to run. No instruction may be left out.
    pub fn follow(&mut self, machine: &mut dyn Paused) {
        let place = machine.place();
        let last = std::mem::replace(&mut self.last, place);
        // Only these begin and end calls.
        if last.is_some_and(|last| self.effect(last) == Effect::None) {
            return;
        }
        let callers = machine.depth().saturating_sub(1);
        if callers > self.open.len() {
            self.open.push(last);
        }
        self.open.resize(callers, None);
    }

    /// The last instruction that ran, or is about to.
    #[must_use]
    pub fn last(&self) -> Option<Place> {
        self.last
    }

    /// Puts callers where they called, and operands to where validation has them. `frames` begin with
    /// the innermost, which is about to run the last instruction that was followed.
    pub fn settle(&mut self, frames: &mut [Frame]) {
        if let Some(frame) = frames.first_mut()
            && let Some(instruction) = self.instruction(frame.place)
            && instruction.is_reachable
        {
            // In some blocks with parameters operands stay that were dropped.
            frame.stack.truncate(instruction.stack.len());
        }
        let open: Vec<_> = self.open.iter().rev().copied().collect();
        for (frame, place) in frames.iter_mut().skip(1).zip(open) {
            let Some(place) = place.filter(|place| place.function == frame.place.function) else {
                continue;
            };
            frame.place = place;
            if let Some(Effect::Call { kept }) = self.instruction(place).map(|found| found.effect) {
                frame.stack.truncate(kept);
            }
        }
    }

    /// The instruction at a place, if its function is listed.
    pub fn instruction(&mut self, place: Place) -> Option<&Instruction> {
        let code = &self.code;
        let listing = self.listings.entry(place.function);
        let listing = listing.or_insert_with(|| code.listing(place.function).ok());
        let listing = listing.as_ref()?;
        listing.instructions.get(listing.at(place.offset)?)
    }

    /// What an instruction does; anything, if nobody knows.
    pub(crate) fn effect(&mut self, place: Place) -> Effect {
        let instruction = self.instruction(place);
        instruction.map_or(Effect::Memory, |instruction| instruction.effect)
    }
}
