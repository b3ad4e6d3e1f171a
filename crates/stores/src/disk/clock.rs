//! The time by which entries on a disk end: it goes on while the process is not there.

use std::time::{Duration, Instant, SystemTime};

use weir_maps::Clock;

/// Milliseconds since 1970 as they were when this was made, and what passed since then: it never goes
/// back while the process runs, whatever is done to the system's clock.
#[derive(Debug)]
pub struct UnixClock {
    start: Duration,
    since: Instant,
}

impl Default for UnixClock {
    fn default() -> Self {
        let start = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            start: start.unwrap_or_default(),
            since: Instant::now(),
        }
    }
}

impl Clock for UnixClock {
    fn now_ms(&self) -> u64 {
        let now = self.start.saturating_add(self.since.elapsed());
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX - 1)
    }
}
