//! The [`Surroundings`] of one call, as the parts of WASI ask them.

mod output;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand_core::TryRng;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

pub(crate) use output::Output;

use crate::surroundings::Surroundings;

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

impl TryRng for Door {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.ask().random(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.ask().random(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.ask().random(bytes);
        Ok(())
    }
}
