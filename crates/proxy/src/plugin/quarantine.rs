//! Requests of a pattern that killed a filter's VMs are kept from it for a while.
//!
//! A pattern is what requests of one kind have in common: method, route, shape of the path, names
//! of the headers. It is a hash; nothing of the request is kept.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use weir_model::limits;

use crate::message::{HeaderList, Pseudo};
use crate::stream::Stream;

/// Segments of a path that count.
const SEGMENTS_MAX: usize = 16;
/// A longer segment is a value, not a word.
const WORD_BYTES_MAX: usize = 32;

/// What requests of one kind have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(u64);

impl Pattern {
    /// The pattern of a request; none for a TCP connection.
    pub(crate) fn of(stream: &Stream) -> Option<Self> {
        if stream.lanes.is_some() {
            return None;
        }
        Some(Self::of_request(
            stream.facts.route.as_deref(),
            &stream.request.headers,
        ))
    }

    fn of_request(route: Option<&str>, headers: &HeaderList) -> Self {
        let mut hasher = DefaultHasher::new();
        let pseudo = |which| {
            headers
                .pseudo(which)
                .map_or(&b""[..], |value| value.as_bytes())
        };
        pseudo(Pseudo::Method).hash(&mut hasher);
        route.hash(&mut hasher);
        for segment in shape(pseudo(Pseudo::Path)) {
            segment.hash(&mut hasher);
        }
        // Their order says nothing.
        let names = headers.iter().map(|(name, _)| {
            let mut hasher = DefaultHasher::new();
            name.hash(&mut hasher);
            hasher.finish()
        });
        names.fold(0u64, u64::wrapping_add).hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// The segments of a path; those that look like values are `*`.
fn shape(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end = path.iter().position(|byte| matches!(byte, b'?' | b'#'));
    let segments = path[..end.unwrap_or(path.len())].split(|byte| *byte == b'/');
    segments.take(SEGMENTS_MAX).map(|segment| {
        let is_value = |byte: &u8| byte.is_ascii_digit() || *byte == b'%' || !byte.is_ascii();
        if segment.len() > WORD_BYTES_MAX || segment.iter().any(is_value) {
            &b"*"[..]
        } else {
            segment
        }
    })
}

/// The patterns that one filter remembers, for all workers.
#[derive(Debug)]
pub(crate) struct Quarantine {
    rules: weir_model::Quarantine,
    /// Patterns under quarantine: without any, nobody takes the lock.
    held: AtomicUsize,
    /// The oldest first.
    suspects: Mutex<Vec<Suspect>>,
}

#[derive(Debug)]
struct Suspect {
    pattern: Pattern,
    failures: u32,
    /// Of the last failure.
    last: Instant,
    is_held: bool,
}

impl Quarantine {
    pub(crate) fn new(rules: weir_model::Quarantine) -> Self {
        Self {
            rules,
            held: AtomicUsize::new(0),
            suspects: Mutex::default(),
        }
    }

    /// Whether requests of this pattern are kept away now.
    pub(crate) fn holds(&self, pattern: Pattern, now: Instant) -> bool {
        if self.held.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let suspects = &mut *self.lock();
        self.forget(suspects, now);
        suspects
            .iter()
            .any(|suspect| suspect.is_held && suspect.pattern == pattern)
    }

    /// A VM failed at a request of this pattern. Says whether that put it under quarantine.
    pub(crate) fn blame(&self, pattern: Pattern, now: Instant) -> bool {
        let suspects = &mut *self.lock();
        self.forget(suspects, now);
        let known = suspects
            .iter()
            .position(|suspect| suspect.pattern == pattern);
        let mut suspect = known.map_or_else(
            || Suspect {
                pattern,
                failures: 0,
                last: now,
                is_held: false,
            },
            |index| suspects.remove(index),
        );
        let was_held = suspect.is_held;
        suspect.failures += 1;
        suspect.last = now;
        suspect.is_held = suspect.failures >= self.rules.failures;
        let is_new = suspect.is_held && !was_held;
        if suspects.len() >= limits::QUARANTINE_PATTERNS_MAX {
            suspects.remove(0);
        }
        suspects.push(suspect);
        self.count(suspects);
        is_new
    }

    /// Patterns under quarantine.
    pub(crate) fn len(&self, now: Instant) -> usize {
        let suspects = &mut *self.lock();
        self.forget(suspects, now);
        self.held.load(Ordering::Relaxed)
    }

    fn forget(&self, suspects: &mut Vec<Suspect>, now: Instant) {
        suspects.retain(|suspect| now.saturating_duration_since(suspect.last) < self.rules.time);
        self.count(suspects);
    }

    fn count(&self, suspects: &[Suspect]) {
        let held = suspects.iter().filter(|suspect| suspect.is_held).count();
        self.held.store(held, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Suspect>> {
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::message::{FieldValue, Side};

    fn pattern(method: &str, path: &str, names: &[&str]) -> Pattern {
        let mut headers = HeaderList::default();
        for (name, value) in [(":method", method), (":path", path)] {
            headers.add(
                name.as_bytes(),
                FieldValue::copied(value.as_bytes()),
                Side::Request,
            );
        }
        for name in names {
            headers.add(name.as_bytes(), FieldValue::copied(b"v"), Side::Request);
        }
        Pattern::of_request(Some("main"), &headers)
    }

    #[test]
    fn values_are_no_part_of_a_pattern_and_words_are() {
        let one = pattern("GET", "/users/17/edit?a=1", &["host", "x-a"]);
        let like = [
            pattern("GET", "/users/4711/edit", &["x-a", "host"]),
            pattern("GET", "/users/%20/edit#b", &["host", "x-a"]),
        ];
        assert!(like.iter().all(|other| *other == one));
        let unlike = [
            pattern("POST", "/users/17/edit", &["host", "x-a"]),
            pattern("GET", "/users/17/show", &["host", "x-a"]),
            pattern("GET", "/users/17/edit", &["host"]),
        ];
        assert!(unlike.iter().all(|other| *other != one));
    }

    #[test]
    fn a_pattern_that_kills_is_held_for_a_time() {
        let quarantine = Quarantine::new(weir_model::Quarantine::default());
        let (bad, good) = (pattern("GET", "/bad", &[]), pattern("GET", "/good", &[]));
        let start = Instant::now();
        assert!(!quarantine.blame(bad, start) && !quarantine.blame(bad, start));
        assert!(!quarantine.holds(bad, start));
        assert!(quarantine.blame(bad, start) && !quarantine.blame(bad, start));
        assert!(quarantine.holds(bad, start) && !quarantine.holds(good, start));
        assert_eq!(quarantine.len(start), 1);
        let later = start + Duration::from_mins(1);
        assert!(!quarantine.holds(bad, later));
        assert_eq!(quarantine.len(later), 0);
    }

    #[test]
    fn failures_that_are_far_apart_hold_nothing() {
        let quarantine = Quarantine::new(weir_model::Quarantine::default());
        let bad = pattern("GET", "/bad", &[]);
        let mut now = Instant::now();
        for _ in 0..10 {
            assert!(!quarantine.blame(bad, now));
            now += Duration::from_secs(61);
        }
    }

    #[test]
    fn ever_new_patterns_fill_no_memory() {
        let quarantine = Quarantine::new(weir_model::Quarantine::default());
        let now = Instant::now();
        for number in 0..10_000u32 {
            quarantine.blame(Pattern(number.into()), now);
        }
        assert_eq!(quarantine.lock().len(), limits::QUARANTINE_PATTERNS_MAX);
    }
}
