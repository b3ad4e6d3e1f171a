//! Hands images to the memories of the instance that is being made on this thread.

use std::cell::RefCell;
use std::sync::Arc;

use super::Region;
use crate::image::Image;

/// What one memory begins with.
#[derive(Clone)]
pub(crate) struct Seed {
    pub(crate) image: Arc<Image>,
    /// At least the module's minimum.
    pub(crate) bytes: usize,
}

/// The memories of one instance: what they shall begin with, and those that were made.
#[derive(Default)]
pub(crate) struct Birth {
    /// The next one last.
    seeds: Vec<Seed>,
    made: Vec<Arc<Region>>,
}

thread_local! {
    static BIRTH: RefCell<Option<Birth>> = const { RefCell::new(None) };
}

impl Birth {
    /// Of an instance whose memories begin with these, in the order of their numbers.
    pub(crate) fn of(seeds: impl DoubleEndedIterator<Item = Seed>) -> Self {
        Self {
            seeds: seeds.rev().collect(),
            made: Vec::new(),
        }
    }

    /// Gives the seeds to the memories that are made on this thread while `instantiate` runs.
    pub(crate) fn give<T>(&mut self, instantiate: impl FnOnce() -> T) -> T {
        let outer = BIRTH.replace(Some(std::mem::take(self)));
        let _taken_back = TakenBack(self);
        debug_assert!(
            outer.is_none(),
            "an instance is made inside another's birth"
        );
        instantiate()
    }

    /// The one of the memories that were made which begins at this address.
    pub(crate) fn region_at(&self, base: *const u8) -> Option<Arc<Region>> {
        self.made.iter().find(|region| region.is_at(base)).cloned()
    }

    /// The memories that were made, in the order of their numbers.
    pub(crate) fn regions(self) -> Vec<Arc<Region>> {
        self.made
    }
}

/// Takes the birth off the thread, however its scope ends.
struct TakenBack<'b>(&'b mut Birth);

impl Drop for TakenBack<'_> {
    fn drop(&mut self) {
        *self.0 = BIRTH.take().unwrap_or_default();
    }
}

/// What the next memory begins with; `None`: nobody said so, it is empty.
pub(super) fn next_seed() -> Option<Seed> {
    BIRTH.with_borrow_mut(|birth| birth.as_mut()?.seeds.pop())
}

/// Notes a memory for the instance that is being made.
pub(super) fn note(region: &Arc<Region>) {
    BIRTH.with_borrow_mut(|birth| {
        if let Some(birth) = birth {
            birth.made.push(Arc::clone(region));
        }
    });
}
