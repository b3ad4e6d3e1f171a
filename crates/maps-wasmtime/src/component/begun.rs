//! What an instance has begun, and can go on with by a resource: each kind has a limit.

use std::collections::VecDeque;

use weir_maps::scan::Cursor;
use weir_model::limits::maps as limits;

use super::refused::Refused;
use super::watching::Watcher;

/// What the components of one store have begun.
#[derive(Default)]
pub struct Begun {
    pub(super) scanners: Table<Scanner>,
    pub(super) watchers: Table<Watcher>,
    pub(super) buckets: Table<Bucket>,
    pub(super) cas: Table<Cas>,
}

/// A scan and where it stands.
#[expect(unreachable_pub, reason = "the bindings hand it on")]
pub struct Scanner {
    /// One of its own.
    pub(super) handle: u32,
    pub(super) prefix: Vec<u8>,
    /// `None`: all was listed.
    pub(super) cursor: Option<Cursor>,
}

/// A bucket of `wasi:keyvalue`.
#[expect(unreachable_pub, reason = "the bindings hand it on")]
pub struct Bucket {
    pub(super) handle: u32,
    /// Cursors that were given out as numbers, the oldest first.
    pub(super) listings: VecDeque<(u64, Cursor)>,
    pub(super) last: u64,
}

/// A compare-and-swap handle of `wasi:keyvalue`.
#[expect(unreachable_pub, reason = "the bindings hand it on")]
pub struct Cas {
    /// One of its own.
    pub(super) handle: u32,
    pub(super) key: String,
    pub(super) version: u64,
}

/// Things of one kind by number, from 0 on.
pub(crate) struct Table<E> {
    entries: Vec<Option<E>>,
}

impl<E> Default for Table<E> {
    fn default() -> Self {
        let entries = Vec::new();
        Self { entries }
    }
}

/// How many of a kind an instance has at most.
pub(super) trait Limited {
    const MAX: usize;
}

impl Limited for Scanner {
    const MAX: usize = limits::COMPONENT_SCANNERS_MAX;
}

impl Limited for Watcher {
    const MAX: usize = limits::INSTANCE_WATCHES_MAX;
}

impl Limited for Bucket {
    const MAX: usize = limits::HANDLES_MAX;
}

impl Limited for Cas {
    const MAX: usize = limits::COMPONENT_CAS_MAX;
}

impl<E: Limited> Table<E> {
    /// The place of the next one.
    fn free(&self) -> Option<usize> {
        let free = self.entries.iter().position(Option::is_none);
        free.or_else(|| Some(self.entries.len()).filter(|len| *len < E::MAX))
    }

    pub(super) fn check_room(&self) -> Result<(), Refused> {
        self.free().map(|_| ()).ok_or(Refused::NO_MEMORY)
    }

    pub(super) fn add(&mut self, entry: E) -> Result<u32, Refused> {
        let place = self.free().ok_or(Refused::NO_MEMORY)?;
        match self.entries.get_mut(place) {
            Some(free) => *free = Some(entry),
            None => self.entries.push(Some(entry)),
        }
        u32::try_from(place).map_err(|_| Refused::NO_MEMORY)
    }

    /// One that the host gave out; any other number ends the guest.
    pub(super) fn get(&mut self, number: u32) -> wasmtime::Result<&mut E> {
        let entry = self.entries.get_mut(number as usize);
        entry
            .and_then(Option::as_mut)
            .ok_or_else(|| unknown(number))
    }

    pub(super) fn remove(&mut self, number: u32) -> wasmtime::Result<E> {
        let entry = self.entries.get_mut(number as usize);
        entry.and_then(Option::take).ok_or_else(|| unknown(number))
    }
}

fn unknown(number: u32) -> wasmtime::Error {
    wasmtime::format_err!("the host has no resource {number} of this kind")
}
