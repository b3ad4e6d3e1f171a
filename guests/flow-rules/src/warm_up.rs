//! Limits that rise: Sentinel's token bucket of a service that warms up.
//!
//! Tokens gather while little is asked, and stand for how cold the service is: the more there are,
//! the lower is the limit. They are counted once a second, from what passed in the second before.

use std::time::Duration;

use wasi_map::{Condition, Error, Map, Terms};

use crate::window::BUCKET_MS;

/// A cold service serves the count divided by this: Sentinel's default.
const COLD_FACTOR: f64 = 3.0;
/// After this time without a request a service is cold, whatever was kept.
const KEPT: Duration = Duration::from_hours(24);

/// Where the limit comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct WarmUp {
    count: f64,
    warning: u64,
    max: u64,
    slope: f64,
}

/// Tokens, and up to which second they are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tokens {
    stored: u64,
    filled_ms: u64,
}

impl WarmUp {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "counts and periods are checked; tokens are whole numbers, as in Sentinel"
    )]
    pub(crate) fn new(count: f64, period: Duration) -> Result<Self, String> {
        if count <= 0.0 {
            return Err(format!(
                "count: {count}; expected more than 0 with controlBehavior 1"
            ));
        }
        let tokens = period.as_secs() as f64 * count;
        let warning = (tokens / (COLD_FACTOR - 1.0)) as u64;
        let max = warning + 2 * (tokens / (COLD_FACTOR + 1.0)) as u64;
        let slope = (COLD_FACTOR - 1.0) / count / (max - warning) as f64;
        Ok(Self {
            count,
            warning,
            max,
            slope,
        })
    }

    pub(crate) const fn count(&self) -> f64 {
        self.count
    }

    /// The limit in a bucket before which so many requests passed within a second.
    pub(crate) fn limit(
        &self,
        map: &Map,
        state: &str,
        (bucket, passed): (u64, u32),
    ) -> Result<f64, Error> {
        let key = state.as_bytes();
        let now_ms = bucket * BUCKET_MS / 1000 * 1000;
        loop {
            let found = map.get(key)?;
            let known = found.as_ref().and_then(|entry| Tokens::of(&entry.value));
            let known = known.unwrap_or_default();
            if now_ms <= known.filled_ms {
                return Ok(self.rate(known.stored));
            }
            let tokens = self.counted(known, now_ms, passed);
            let condition =
                found.map_or(Condition::Absent, |entry| Condition::Version(entry.version));
            let terms = Terms {
                condition,
                ttl: Some(KEPT),
            };
            match map.set_with(key, &tokens.bytes(), &terms) {
                Ok(_) => return Ok(self.rate(tokens.stored)),
                Err(Error::Again { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "whole tokens of floating-point rates, as in Sentinel"
    )]
    fn counted(&self, known: Tokens, now_ms: u64, passed: u32) -> Tokens {
        let is_quiet = f64::from(passed) < (self.count / COLD_FACTOR).floor();
        let more = if known.stored < self.warning || is_quiet {
            ((now_ms - known.filled_ms) as f64 * self.count / 1000.0) as u64
        } else {
            0
        };
        let stored = known.stored.saturating_add(more).min(self.max);
        Tokens {
            stored: stored.saturating_sub(passed.into()),
            filled_ms: now_ms,
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "tokens are fewer than a double counts exactly"
    )]
    fn rate(&self, stored: u64) -> f64 {
        // A period too short for a single token: there is nothing to warm up.
        if stored < self.warning || self.max == self.warning {
            return self.count;
        }
        let above = (stored - self.warning) as f64;
        (1.0 / (above * self.slope + 1.0 / self.count)).next_up()
    }
}

impl Tokens {
    fn of(bytes: &[u8]) -> Option<Self> {
        let (stored, filled_ms) = bytes.split_first_chunk()?;
        Some(Self {
            stored: u64::from_le_bytes(*stored),
            filled_ms: u64::from_le_bytes(filled_ms.try_into().ok()?),
        })
    }

    fn bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.stored.to_le_bytes());
        bytes[8..].copy_from_slice(&self.filled_ms.to_le_bytes());
        bytes
    }
}
