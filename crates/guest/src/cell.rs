//! What a running guest is kept in: its world, its memory and what it may still use.

mod cap;

use std::time::Duration;

use wasmtime::{Memory, TypedFunc};

pub(crate) use cap::Cap;

use crate::memory::mapped::Mappings;
use crate::time::thread_time;

/// What a guest is doing, which decides what it may import (Proxy-Wasm reference 1.4, 1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// `_initialize`, `_start` or `main` runs.
    Starting,
    /// A callback runs.
    Running,
    /// The host asked for memory.
    Allocating,
}

/// The data of a guest's store.
pub(crate) struct Cell<W> {
    pub(crate) world: W,
    pub(crate) memory: Option<Memory>,
    pub(crate) mappings: Mappings,
    pub(crate) allocator: Option<TypedFunc<i32, i32>>,
    pub(crate) phase: Phase,
    /// The allocator failed: the call that needed it was refused, and the guest ends after the
    /// callback (as in Envoy).
    pub(crate) broken: Option<wasmtime::Error>,
    /// Whether the allocator may call any host function (Higress) or a few only (Envoy).
    pub(crate) allocator_is_free: bool,
    pub(crate) cap: Cap,
    /// What is to be added to an offset in the compiled module to get that in the plugin's own.
    pub(crate) code_moved: i64,
    pub(crate) deadline: Deadline,
}

/// Ends a call that runs too long, by running time.
///
/// The first half of the limit is counted on the wall, which costs nothing. When it is over, the
/// thread's own clock counts the second half: a thread that got no processor keeps its guest. A
/// guest that can be suspended is counted by the thread's clock from the start, and not at all
/// while others run.
pub(crate) struct Deadline {
    /// What may be used after `counted_from`.
    left: Duration,
    /// The thread's time at which counting began; `None`: not yet, or suspended.
    counted_from: Option<Duration>,
}

impl Deadline {
    pub(crate) fn of(limit: Duration) -> Self {
        Self {
            left: limit / 2,
            counted_from: None,
        }
    }

    /// Begins a call; returns the ticks until [`Deadline::expired`] must be asked.
    pub(crate) fn begin(&mut self, limit: Duration) -> u64 {
        *self = Self::of(limit);
        crate::engine::ticks(self.left)
    }

    /// Begins a call that may be suspended; returns the ticks as [`Deadline::begin`] does.
    pub(crate) fn begin_counted(&mut self, limit: Duration) -> u64 {
        self.left = limit;
        self.resume()
    }

    /// Says how many more ticks the guest gets; `None`: it must stop.
    pub(crate) fn expired(&mut self) -> Option<u64> {
        let now = thread_time();
        let from = *self.counted_from.get_or_insert(now);
        let left = self.left.checked_sub(now.saturating_sub(from))?;
        (!left.is_zero()).then(|| crate::engine::ticks(left))
    }

    /// Stops counting: the guest is about to wait.
    pub(crate) fn suspend(&mut self) {
        if let Some(from) = self.counted_from.take() {
            self.left = self.left.saturating_sub(thread_time().saturating_sub(from));
        }
    }

    /// Goes on counting; returns the ticks as [`Deadline::begin`] does.
    pub(crate) fn resume(&mut self) -> u64 {
        self.counted_from = Some(thread_time());
        crate::engine::ticks(self.left)
    }
}
