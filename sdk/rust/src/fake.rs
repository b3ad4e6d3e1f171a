//! Maps in the memory of one thread, for tests of a guest that run on the developer's own machine.
//!
//! Every name is granted with all rights. Time stands still but for [`advance`]. Lending, watches,
//! references and regions are *notsup*: what they do can only be seen with a real host.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

mod entries;
pub(crate) mod host;

use entries::Entries;

/// The maps of this thread.
#[derive(Debug, Default)]
struct Maps {
    all: Vec<Entries>,
    names: BTreeMap<Vec<u8>, usize>,
    /// By handle less one: which map, and with which rights.
    handles: Vec<Option<(usize, u64)>>,
    now_ms: u64,
}

thread_local! {
    static MAPS: RefCell<Maps> = RefCell::default();
}

/// Forgets all maps and handles of this thread, and begins its time anew.
pub fn reset() {
    MAPS.with_borrow_mut(|maps| *maps = Maps::default());
}

/// Lets time pass.
pub fn advance(time: Duration) {
    let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    MAPS.with_borrow_mut(|maps| maps.now_ms = maps.now_ms.saturating_add(time));
}
