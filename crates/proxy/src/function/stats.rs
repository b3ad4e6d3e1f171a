//! What functions did, over all workers.
//!
//! Invariant: recording takes no lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use weir_functions::{FaultKind, FetchError};
use weir_model::{Name, limits};

use crate::metrics::{Histogram, HistogramCounts};

/// Faults of one kind are told in the log this often at most.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// What became of an outgoing request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchOutcome {
    /// There was a response.
    Answered,
    /// No grant covers it, or a limit.
    Refused,
    /// There was none.
    Failed,
}

impl FetchOutcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Answered, Self::Refused, Self::Failed];

    /// The word for it in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// What one function did, for operators.
#[derive(Clone, Debug)]
pub struct FunctionReport {
    /// How it is called.
    pub kind: &'static str,
    /// Calls, of those that got no turn, too.
    pub calls: u64,
    /// Calls that began while no instance was there.
    pub cold: u64,
    /// Calls that began beside others.
    pub warm: u64,
    faults: [u64; FaultKind::ALL.len()],
    /// Instances that are there.
    pub running: u32,
    /// Calls that wait for a turn.
    pub waiting: u32,
    /// Microseconds from a call's turn to the head of its response.
    pub latency: HistogramCounts,
    /// Microseconds that calls waited for their turn.
    pub wait: HistogramCounts,
    fetches: [u64; FetchOutcome::ALL.len()],
    /// Lines of its log that were dropped.
    pub lines_dropped: u64,
}

impl FunctionReport {
    /// Failures by kind, each with its word.
    pub fn faults(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let kinds = FaultKind::ALL.iter().map(|kind| kind.name());
        kinds.zip(self.faults)
    }

    /// Outgoing requests by what became of them.
    pub fn fetches(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let outcomes = FetchOutcome::ALL.iter().map(|outcome| outcome.name());
        outcomes.zip(self.fetches)
    }
}

/// Counts what one function does.
pub(super) struct FunctionStats {
    name: Name,
    origin: Instant,
    calls: AtomicU64,
    cold: AtomicU64,
    warm: AtomicU64,
    faults: [Faults; FaultKind::ALL.len()],
    latency: Histogram,
    wait: Histogram,
    fetches: [AtomicU64; FetchOutcome::ALL.len()],
    refusals: AtomicU64,
    lines: Lines,
}

/// Failures of one kind.
#[derive(Default)]
struct Faults {
    count: AtomicU64,
    /// How many had been counted when the log was last told, and when: nanoseconds since `origin`.
    told: AtomicU64,
    told_at: AtomicU64,
}

impl FunctionStats {
    pub(super) fn new(name: Name) -> Self {
        Self {
            name,
            origin: Instant::now(),
            calls: AtomicU64::new(0),
            cold: AtomicU64::new(0),
            warm: AtomicU64::new(0),
            faults: Default::default(),
            latency: Histogram::default(),
            wait: Histogram::default(),
            fetches: Default::default(),
            refusals: AtomicU64::new(0),
            lines: Lines::default(),
        }
    }

    pub(super) fn called(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// A call has its turn.
    pub(super) fn began(&self, is_cold: bool, waited: Duration) {
        let starts = if is_cold { &self.cold } else { &self.warm };
        starts.fetch_add(1, Ordering::Relaxed);
        self.wait.record(micros(waited));
    }

    /// There is a head of a response.
    pub(super) fn answered(&self, took: Duration) {
        self.latency.record(micros(took));
    }

    pub(super) fn fetched(&self, outcome: FetchOutcome) {
        self.fetches[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an outgoing request that was not let go, and tells the log why now and then: the guest
    /// learns little.
    pub(super) fn refused(&self, error: &FetchError) {
        self.fetched(FetchOutcome::Refused);
        if is_due(&self.refusals, self.now()) {
            let function = &*self.name;
            tracing::warn!(function, %error, "an outgoing request was refused");
        }
    }

    /// Counts a failure, and tells the log of it now and then.
    pub(super) fn failed(&self, kind: FaultKind, text: &str) {
        let place = FaultKind::ALL.iter().position(|one| *one == kind);
        let Some(faults) = place.map(|place| &self.faults[place]) else {
            return;
        };
        let count = faults.count.fetch_add(1, Ordering::Relaxed) + 1;
        if !is_due(&faults.told_at, self.now()) {
            return;
        }
        let untold = count - 1 - faults.told.swap(count, Ordering::Relaxed).min(count - 1);
        let function = &*self.name;
        tracing::warn!(function, %kind, untold, "a function failed: {text}");
    }

    /// Whether a line of so many bytes may be written.
    pub(super) fn admits_line(&self, bytes: usize) -> bool {
        let now = self.now();
        let is_admitted = self.lines.take(bytes as u64, now);
        if !is_admitted {
            self.lines.dropped.fetch_add(1, Ordering::Relaxed);
            if is_due(&self.lines.told_at, now) {
                let function = &*self.name;
                let lines = self.lines.dropped.load(Ordering::Relaxed);
                tracing::warn!(function, lines, "log lines of the function were dropped");
            }
        }
        is_admitted
    }

    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    pub(super) fn report(&self, kind: &'static str, running: u32, waiting: u32) -> FunctionReport {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        FunctionReport {
            kind,
            calls: read(&self.calls),
            cold: read(&self.cold),
            warm: read(&self.warm),
            faults: std::array::from_fn(|place| read(&self.faults[place].count)),
            running,
            waiting,
            latency: self.latency.counts(),
            wait: self.wait.counts(),
            fetches: std::array::from_fn(|place| read(&self.fetches[place])),
            lines_dropped: read(&self.lines.dropped),
        }
    }
}

/// Whether something was told long enough ago; it is then taken for told.
fn is_due(told_at: &AtomicU64, now: u64) -> bool {
    let every = u64::try_from(TELL_EVERY.as_nanos()).unwrap_or(u64::MAX);
    let due = |last: u64| (last == 0 || now >= last + every).then_some(now.max(1));
    told_at
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, due)
        .is_ok()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A bucket of bytes of log lines that fills at the rate of filters, kept as the moment at which it
/// is full again.
#[derive(Default)]
struct Lines {
    full_at: AtomicU64,
    dropped: AtomicU64,
    told_at: AtomicU64,
}

impl Lines {
    fn take(&self, bytes: u64, now: u64) -> bool {
        const SECOND: u64 = 1_000_000_000;
        let nanos =
            |bytes: u64| bytes.saturating_mul(SECOND) / limits::guest::GUEST_LOG_RATE_BYTES.max(1);
        let (cost, burst) = (nanos(bytes), nanos(limits::guest::GUEST_LOG_BURST_BYTES));
        let take = |full_at: u64| {
            let after = full_at.max(now).saturating_add(cost);
            (after - now <= burst).then_some(after)
        };
        self.full_at
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_by_kind() {
        let stats = FunctionStats::new("f".into());
        stats.failed(FaultKind::Trap, "unreachable");
        stats.failed(FaultKind::Trap, "unreachable");
        stats.failed(FaultKind::Start, "no memory");
        let report = stats.report("core", 0, 0);
        assert_eq!(report.faults, [2, 0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn a_flood_of_lines_is_cut_and_counted() {
        let stats = FunctionStats::new("f".into());
        let line = 1 << 10;
        let burst = usize::try_from(limits::guest::GUEST_LOG_BURST_BYTES).unwrap();
        let taken = (0..2 * burst / line)
            .filter(|_| stats.admits_line(line))
            .count();
        assert!((burst / line..2 * burst / line).contains(&taken), "{taken}");
        let dropped = stats.report("core", 0, 0).lines_dropped;
        assert_eq!(dropped, (2 * burst / line - taken) as u64);
    }
}
