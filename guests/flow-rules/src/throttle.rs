//! Equal distances: each request is given the next free moment, and waits for it.

use std::time::Duration;

use wasi_map::{Condition, Error, Map, Terms};

/// How long the last moment is known after it could still delay somebody.
const KEPT: Duration = Duration::from_secs(10);

/// What a request is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// After this time, perhaps none.
    Wait(Duration),
    /// It would have to wait for too long.
    Refused,
}

/// Distances of one rule, or of one value of a parameter.
pub(crate) struct Pace<'a> {
    pub(crate) map: &'a Map,
    pub(crate) key: &'a [u8],
    /// Between two requests, in nanoseconds.
    pub(crate) distance_ns: u64,
    /// Whether one may wait for so many nanoseconds.
    pub(crate) may_wait: &'a dyn Fn(u64) -> bool,
}

impl Pace<'_> {
    /// Takes the next moment from now on.
    pub(crate) fn take_turn(&self, now_ns: u64) -> Result<Turn, Error> {
        loop {
            let found = self.map.get(self.key)?;
            let last_ns = found.as_ref().map_or(0, |entry| number(&entry.value));
            let turn_ns = last_ns.saturating_add(self.distance_ns).max(now_ns);
            let wait_ns = turn_ns - now_ns;
            // Who comes first ever, or after a pause, does not wait.
            if wait_ns > 0 && !(self.may_wait)(wait_ns) {
                return Ok(Turn::Refused);
            }
            let terms = Terms {
                condition: found
                    .map_or(Condition::Absent, |entry| Condition::Version(entry.version)),
                ttl: Some(Duration::from_nanos(wait_ns.saturating_add(self.distance_ns)) + KEPT),
            };
            match self.map.set_with(self.key, &turn_ns.to_le_bytes(), &terms) {
                Ok(_) => return Ok(Turn::Wait(Duration::from_nanos(wait_ns))),
                Err(Error::Again { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// So many nanoseconds between requests of which so many come in a second.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates, and both are positive; whole nanoseconds, as in Sentinel"
)]
pub(crate) fn distance_ns(count: f64) -> u64 {
    (1.0 / count * 1e9) as u64
}

pub(crate) fn number(bytes: &[u8]) -> u64 {
    <[u8; 8]>::try_from(bytes).map_or(0, u64::from_le_bytes)
}
