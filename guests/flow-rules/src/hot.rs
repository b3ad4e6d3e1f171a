//! Limits for each value of a parameter: a bucket of tokens for each that was seen.

use std::time::Duration;

use wasi_map::{Condition, Error, Map, Terms};

use crate::rule::HotRule;
use crate::throttle::{Pace, Turn};

/// Longer values count by this many bytes of theirs, and their length.
const VALUE_BYTES_MAX: usize = 256;

/// Tokens of a value, and when the last ones were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bucket {
    tokens: u64,
    filled_ms: u64,
}

/// Whether a request with this value may go on, and when.
pub(crate) fn turn(
    rule: &HotRule,
    map: &Map,
    (state, value): (&str, &str),
    now_ns: u64,
) -> Result<Turn, Error> {
    let exception = rule.exceptions.iter().find(|(object, _)| object == value);
    let count = exception.map_or(rule.count, |(_, count)| *count);
    if count == 0 {
        return Ok(Turn::Refused);
    }
    let key = key(state, value);
    let now = Duration::from_nanos(now_ns).as_millis();
    let now = u64::try_from(now).unwrap_or(u64::MAX);
    let Some(queue) = rule.queue else {
        return refill(rule, map, (&key, count), now);
    };
    // Whole milliseconds, as in Sentinel, and a turn exactly at the end of the queue is too late.
    let distance_ms = rounded(rule.duration, count);
    let pace = Pace {
        map,
        key: &key,
        distance_ns: distance_ms * 1_000_000,
        may_wait: &|wait_ns| Duration::from_nanos(wait_ns) < queue,
    };
    pace.take_turn(now * 1_000_000)
}

fn refill(
    rule: &HotRule,
    map: &Map,
    (key, count): (&[u8], u64),
    now_ms: u64,
) -> Result<Turn, Error> {
    let full = count + rule.burst;
    let duration_ms = u64::try_from(rule.duration.as_millis()).unwrap_or(u64::MAX);
    // From then on an entry says what none says.
    let filled_after = full.div_ceil(count).saturating_mul(duration_ms);
    loop {
        let found = map.get(key)?;
        let known = found.as_ref().and_then(|entry| Bucket::of(&entry.value));
        let next = match known {
            None => Bucket {
                tokens: full,
                filled_ms: now_ms,
            },
            Some(bucket) => bucket.at(now_ms, (count, full), duration_ms),
        };
        let Some(left) = next.tokens.checked_sub(1) else {
            return Ok(Turn::Refused);
        };
        let bucket = Bucket {
            tokens: left,
            ..next
        };
        let terms = Terms {
            condition: found.map_or(Condition::Absent, |entry| Condition::Version(entry.version)),
            ttl: Some(Duration::from_millis(filled_after.saturating_add(1000))),
        };
        match map.set_with(key, &bucket.bytes(), &terms) {
            Ok(_) => return Ok(Turn::Wait(Duration::ZERO)),
            Err(Error::Again { .. }) => {}
            Err(error) => return Err(error),
        }
    }
}

fn key(state: &str, value: &str) -> Vec<u8> {
    let bytes = value.as_bytes();
    match bytes.get(..VALUE_BYTES_MAX) {
        Some(head) if bytes.len() > VALUE_BYTES_MAX => {
            let head = String::from_utf8_lossy(head);
            format!("{state}/{head}#{}", bytes.len()).into_bytes()
        }
        _ => format!("{state}/{value}").into_bytes(),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "durations are a day at most; rounded as in Sentinel"
)]
fn rounded(duration: Duration, count: u64) -> u64 {
    (duration.as_millis() as f64 / count as f64).round() as u64
}

impl Bucket {
    /// Filled again if its duration is over.
    fn at(self, now_ms: u64, (count, full): (u64, u64), duration_ms: u64) -> Self {
        let past_ms = now_ms.saturating_sub(self.filled_ms);
        if past_ms <= duration_ms {
            return self;
        }
        let more = past_ms.saturating_mul(count) / duration_ms;
        Self {
            tokens: self.tokens.saturating_add(more).min(full),
            filled_ms: now_ms,
        }
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        let (tokens, filled_ms) = bytes.split_first_chunk()?;
        Some(Self {
            tokens: u64::from_le_bytes(*tokens),
            filled_ms: u64::from_le_bytes(filled_ms.try_into().ok()?),
        })
    }

    fn bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.tokens.to_le_bytes());
        bytes[8..].copy_from_slice(&self.filled_ms.to_le_bytes());
        bytes
    }
}
