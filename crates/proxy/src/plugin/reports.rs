//! Failures of one filter as operators read them: each kind of mishap once in full, repetitions
//! counted and summed up now and then, so that a plugin that crashes all the time is no storm of
//! log lines.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use weir_guest::door::Trace;
use weir_guest::{Failure, FailureKind};
use weir_model::limits;

/// How many of the innermost frames tell one failure from another.
const TELLING_FRAMES: usize = 4;

/// A failure with what it happened in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureReport {
    /// What it counts as.
    pub kind: FailureKind,
    /// In words.
    pub reason: String,
    /// The callback that ran.
    pub callback: &'static str,
    /// Where the guest was.
    pub trace: Trace,
    /// When.
    pub time: SystemTime,
}

impl FailureReport {
    pub(crate) fn new(kind: FailureKind, failure: &Failure, callback: &'static str) -> Self {
        Self {
            kind,
            reason: failure.cause.to_string(),
            callback,
            trace: failure.trace.clone(),
            time: SystemTime::now(),
        }
    }

    /// One that has no stack.
    pub(crate) fn bare(kind: FailureKind, reason: String, callback: &'static str) -> Self {
        Self {
            kind,
            reason,
            callback,
            trace: Trace::default(),
            time: SystemTime::now(),
        }
    }

    /// The reason and where the guest was.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.reason, self.trace)
    }

    fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.kind, self.callback).hash(&mut hasher);
        if self.trace.frames.is_empty() {
            self.reason.hash(&mut hasher);
        }
        for frame in self.trace.frames.iter().take(TELLING_FRAMES) {
            (frame.index, frame.offset).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// What is to be written about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// All of it: it is new.
    InFull,
    /// How many there were since the last line.
    Summary(u64),
    /// Nothing now.
    Nothing,
}

/// The failures of one filter, on all workers.
#[derive(Debug, Default)]
pub(crate) struct Reports(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// With the source lines of those that have them.
    known: Vec<(u64, Option<Trace>)>,
    untold: u64,
    told: Option<Instant>,
    last: Option<(u64, FailureReport)>,
}

impl Reports {
    /// Takes a failure down, and says what is to be written about it. It gets the source lines that
    /// one like it has got.
    pub(crate) fn take(&self, report: &mut FailureReport, now: Instant) -> Notice {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = report.key();
        let known = state.known.iter().find(|(known, _)| *known == key);
        let is_new = known.is_none();
        if let Some((_, Some(trace))) = known {
            report.trace = trace.clone();
        }
        state.last = Some((key, report.clone()));
        if is_new && state.known.len() < limits::DISTINCT_FAILURES_MAX {
            state.known.push((key, None));
            state.told.get_or_insert(now);
            return Notice::InFull;
        }
        state.untold += 1;
        let told = state.told.get_or_insert(now);
        if now.saturating_duration_since(*told) < limits::FAILURE_SUMMARY_INTERVAL {
            return Notice::Nothing;
        }
        *told = now;
        Notice::Summary(std::mem::take(&mut state.untold))
    }

    pub(crate) fn last(&self) -> Option<FailureReport> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.last.as_ref().map(|(_, report)| report.clone())
    }

    /// Notes the source lines of a failure, for it and those like it.
    pub(crate) fn name_lines(&self, report: &FailureReport, trace: &Trace) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = report.key();
        if let Some((last, report)) = &mut state.last
            && *last == key
        {
            report.trace = trace.clone();
        }
        if let Some((_, known)) = state.known.iter_mut().find(|(known, _)| *known == key) {
            *known = Some(trace.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn report(reason: &str) -> FailureReport {
        FailureReport::bare(FailureKind::Trap, reason.to_owned(), "proxy_on_tick")
    }

    #[test]
    fn each_failure_is_told_once_and_then_summed_up() {
        let (reports, start) = (Reports::default(), Instant::now());
        let take = |reason, now| reports.take(&mut report(reason), now);
        assert_eq!(take("a", start), Notice::InFull);
        assert_eq!(take("b", start), Notice::InFull);
        for _ in 0..1000 {
            assert_eq!(take("a", start), Notice::Nothing);
        }
        let later = start + limits::FAILURE_SUMMARY_INTERVAL;
        assert_eq!(take("b", later), Notice::Summary(1001));
        assert_eq!(take("b", later), Notice::Nothing);
        assert_eq!(reports.last().map(|last| last.reason).as_deref(), Some("b"));
    }

    #[test]
    fn what_never_fails_twice_in_one_way_fills_no_log() {
        let (reports, start) = (Reports::default(), Instant::now());
        let notices = (0..10_000).map(|number| {
            let after = start + Duration::from_millis(number);
            reports.take(&mut report(&number.to_string()), after)
        });
        let in_full = notices.filter(|notice| *notice == Notice::InFull).count();
        assert_eq!(in_full, limits::DISTINCT_FAILURES_MAX);
    }
}
