//! The [`Surroundings`] of one call, as the parts of WASI ask them.

mod output;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand_core::TryRng;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};
use weir_maps::MapCall;
use weir_maps_wasmtime::{MapAnswer, MapDoor};

pub(crate) use output::Output;

use crate::surroundings::{self, Surroundings};

/// What WASI says of both clocks.
const RESOLUTION: Duration = Duration::from_nanos(1);

/// Cheap to clone; all clones are of one call. The lock is never held across a wait, and one thread
/// has it.
#[derive(Clone)]
pub(crate) struct Door(Arc<Mutex<Box<dyn Surroundings>>>);

impl Door {
    pub(crate) fn new(surroundings: Box<dyn Surroundings>) -> Self {
        Self(Arc::new(Mutex::new(surroundings)))
    }

    /// The surroundings, for one question.
    pub(crate) fn ask(&self) -> MutexGuard<'_, Box<dyn Surroundings>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MapDoor for Door {
    fn map_call(&mut self, call: MapCall<'_>) -> wasmtime::Result<MapAnswer> {
        Ok(match self.ask().map_call(call) {
            surroundings::MapAnswer::Ready(reply) => MapAnswer::Ready(reply),
            surroundings::MapAnswer::Pending(later) => MapAnswer::Pending(later),
        })
    }
}

impl HostWallClock for Door {
    fn resolution(&self) -> Duration {
        RESOLUTION
    }

    fn now(&self) -> Duration {
        self.ask().wall_clock()
    }
}

impl HostMonotonicClock for Door {
    fn resolution(&self) -> u64 {
        nanos(RESOLUTION)
    }

    fn now(&self) -> u64 {
        nanos(self.ask().monotonic_clock())
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Random bytes, asked for in pieces: WASI takes a number for each byte.
pub(crate) struct Chance {
    door: Door,
    piece: [u8; PIECE_BYTES],
    used: usize,
}

/// As many as the system gives at once, without being interrupted.
const PIECE_BYTES: usize = 256;

impl Chance {
    pub(crate) fn new(door: &Door) -> Self {
        Self {
            door: door.clone(),
            piece: [0; PIECE_BYTES],
            used: PIECE_BYTES,
        }
    }

    fn take<const BYTES: usize>(&mut self) -> [u8; BYTES] {
        if self.used + BYTES > PIECE_BYTES {
            self.door.ask().random(&mut self.piece);
            self.used = 0;
        }
        let taken = self.piece.get(self.used..self.used + BYTES);
        self.used += BYTES;
        taken
            .and_then(|taken| taken.try_into().ok())
            .unwrap_or([0; BYTES])
    }
}

impl TryRng for Chance {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(self.take()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(self.take()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.door.ask().random(bytes);
        Ok(())
    }
}
