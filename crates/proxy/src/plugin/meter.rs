//! What a filter has used of its limits over all its VMs, and which limits it has hit.
//!
//! One [`Meter`] per filter, written by every worker. Invariant: nothing here is touched by a guest
//! call that stays within its limits, but for the log bucket by lines that are written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use weir_guest::{Cause, Failure, MemoryBudget, StartError, Stop};
use weir_model::{Exceeded, GuestLimits, Limit, Name};

use super::remarks::{Remark, Remarks};

/// A limit that is hit again and again is told of this often at most.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// What one filter has used of its limits, on all workers.
#[derive(Debug)]
pub struct Meter {
    filter: Name,
    origin: Instant,
    hits: [AtomicU64; Limit::ALL.len()],
    /// When each limit was told of last, in nanoseconds since `origin`, plus one.
    told: [AtomicU64; Limit::ALL.len()],
    memory: Arc<MemoryBudget>,
    /// Metrics that exist because this filter defined them first.
    pub(crate) metrics: AtomicUsize,
    log: LogBucket,
    remarks: Remarks,
}

impl Meter {
    pub(crate) fn new(filter: Name, limits: &GuestLimits) -> Self {
        Self {
            filter,
            origin: Instant::now(),
            hits: Default::default(),
            told: Default::default(),
            memory: Arc::new(MemoryBudget::new(limits.total_memory_bytes)),
            metrics: AtomicUsize::new(0),
            log: LogBucket::new(limits),
            remarks: Remarks::default(),
        }
    }

    /// Memories and tables of all VMs are taken from it.
    pub(crate) fn memory(&self) -> Arc<MemoryBudget> {
        Arc::clone(&self.memory)
    }

    /// Counts a limit that was hit, and tells of it now and then. `what` is what came of it.
    pub(crate) fn hit(&self, exceeded: Exceeded, what: &str) {
        let index = exceeded.limit as usize;
        let hits = self.hits[index].fetch_add(1, Ordering::Relaxed) + 1;
        if !self.is_due(&self.told[index]) {
            return;
        }
        let filter = &*self.filter;
        tracing::warn!(filter, limit = %exceeded, hits, "a limit was hit: {what}");
    }

    /// Says something about the filter, unless it was said within the last second. `tell` is given
    /// the filter's name and how often it was not said.
    pub(crate) fn remark(&self, remark: Remark, tell: impl FnOnce(&str, u64)) {
        if let Some(untold) = self.remarks.take(remark) {
            tell(&self.filter, untold);
        }
    }

    /// Counts a limit that was hit; somebody else tells of it.
    pub(crate) fn count(&self, exceeded: Exceeded) {
        self.hits[exceeded.limit as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A start that failed: counted if a limit ended it, and a deadline by the limit's name.
    pub(crate) fn at_start(&self, error: StartError, limits: &GuestLimits) -> StartError {
        match error {
            StartError::TooLarge(exceeded) => {
                self.count(exceeded);
                error
            }
            StartError::Start { export, failure } => StartError::Start {
                export,
                failure: self.in_start(failure, limits),
            },
            StartError::Instantiate(_) | StartError::Process(_) => error,
        }
    }

    /// The same of a callback in a start.
    pub(crate) fn in_start(&self, failure: Failure, limits: &GuestLimits) -> Failure {
        let exceeded = match &failure.cause {
            Cause::Deadline(_) => limits.exceeded(Limit::StartTime),
            _ => match exceeded_by(&failure, limits) {
                Some(exceeded) => exceeded,
                None => return failure,
            },
        };
        self.count(exceeded);
        Failure {
            cause: Cause::Stopped(Stop::Exhausted(exceeded)),
            trace: failure.trace,
        }
    }

    /// How often each limit was hit.
    #[must_use]
    pub fn hits(&self) -> Vec<(Limit, u64)> {
        let counts = self.hits.iter().map(|count| count.load(Ordering::Relaxed));
        Limit::ALL.into_iter().zip(counts).collect()
    }

    /// Bytes of memories and tables of all its VMs.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.memory.used_bytes()
    }

    /// Whether a line of so many bytes may be written. If not it is counted, and the first one of
    /// a row says so: the caller then sees to [`Meter::dropped_lines`] soon.
    pub(crate) fn admits_line(&self, bytes: usize, limits: &GuestLimits) -> LineVerdict {
        if self.log.take(bytes as u64, self.now()) {
            return LineVerdict::Write;
        }
        self.count(limits.exceeded(Limit::LogRate));
        match self.log.dropped.fetch_add(1, Ordering::Relaxed) {
            0 => LineVerdict::DropFirst,
            _ => LineVerdict::Drop,
        }
    }

    /// Says how many lines were dropped since this was asked last.
    pub(crate) fn tell_dropped_lines(&self, limits: &GuestLimits) {
        let lines = self.log.dropped.swap(0, Ordering::Relaxed);
        if lines > 0 {
            let filter = &*self.filter;
            let limit = limits.exceeded(Limit::LogRate);
            tracing::warn!(filter, lines, %limit, "log lines of the plugin were dropped");
        }
    }

    fn is_due(&self, told: &AtomicU64) -> bool {
        let now = self.now();
        let every = u64::try_from(TELL_EVERY.as_nanos()).unwrap_or(u64::MAX);
        let due = |last: u64| (last == 0 || now >= last + every).then_some(now.max(1));
        told.fetch_update(Ordering::Relaxed, Ordering::Relaxed, due)
            .is_ok()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// What becomes of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineVerdict {
    Write,
    Drop,
    /// It is the first that is dropped after the last report.
    DropFirst,
}

/// A bucket of bytes that fills at a rate, kept as the moment at which it is full again.
#[derive(Debug)]
struct LogBucket {
    nanos_per_byte: f64,
    burst_nanos: u64,
    full_at: AtomicU64,
    dropped: AtomicU64,
}

impl LogBucket {
    fn new(limits: &GuestLimits) -> Self {
        let nanos_per_byte = 1e9 / as_float(limits.log_rate_bytes.max(1));
        Self {
            nanos_per_byte,
            burst_nanos: as_nanos(as_float(limits.log_burst_bytes) * nanos_per_byte),
            full_at: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    fn take(&self, bytes: u64, now: u64) -> bool {
        let cost = as_nanos(as_float(bytes) * self.nanos_per_byte);
        let take = |full_at: u64| {
            let after = full_at.max(now).saturating_add(cost);
            (after - now <= self.burst_nanos).then_some(after)
        };
        self.full_at
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a rate may be wrong in its fifteenth digit"
)]
fn as_float(bytes: u64) -> f64 {
    bytes as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is positive, and the cast saturates"
)]
fn as_nanos(nanos: f64) -> u64 {
    nanos as u64
}

/// The limit that ended a guest in a call, if one did and nobody has counted it. `Deadline` carries
/// what the call had left: less than a call may take means that the request had used up its time.
pub(crate) fn exceeded_by(failure: &Failure, limits: &GuestLimits) -> Option<Exceeded> {
    match &failure.cause {
        Cause::Stopped(Stop::Exhausted(exceeded)) => Some(*exceeded),
        Cause::Deadline(limit) if *limit < limits.call => Some(limits.exceeded(Limit::RequestTime)),
        Cause::Deadline(_) => Some(limits.exceeded(Limit::Time)),
        // The guest's world was told when memory was refused.
        Cause::Memory { .. }
        | Cause::Trap(_)
        | Cause::Stack(_)
        | Cause::Stopped(_)
        | Cause::Allocator(_)
        | Cause::Process(_)
        | Cause::Lost(_)
        | Cause::Gone => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(rate: u64, burst: u64) -> LogBucket {
        LogBucket::new(&GuestLimits {
            log_rate_bytes: rate,
            log_burst_bytes: burst,
            ..GuestLimits::default()
        })
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let bucket = bucket(1000, 500);
        assert!(bucket.take(300, 0));
        assert!(bucket.take(200, 0));
        assert!(!bucket.take(1, 0));
        // After a tenth of a second there are 100 bytes.
        assert!(!bucket.take(101, 100_000_000));
        assert!(bucket.take(100, 100_000_000));
        assert!(!bucket.take(1, 100_000_000));
        // It never holds more than the burst.
        assert!(!bucket.take(501, 100_000_000_000));
        assert!(bucket.take(500, 100_000_000_000));
    }

    #[test]
    fn a_deadline_is_told_by_the_limit_that_was_the_nearest() {
        let limits = GuestLimits::default();
        let limit = |time| exceeded_by(&Cause::Deadline(time).into(), &limits).map(|it| it.limit);
        assert_eq!(limit(limits.call), Some(Limit::Time));
        assert_eq!(limit(limits.call / 2), Some(Limit::RequestTime));
        assert_eq!(exceeded_by(&Cause::Gone.into(), &limits), None);
        let meter = Meter::new("f".into(), &limits);
        let start = meter.in_start(Cause::Deadline(limits.start).into(), &limits);
        assert!(
            start.to_string().contains("limits.start_time: 30s"),
            "{start}"
        );
    }

    #[test]
    fn dropped_lines_are_announced_once_until_they_are_told() {
        let limits = GuestLimits {
            log_rate_bytes: 1,
            log_burst_bytes: 10,
            ..GuestLimits::default()
        };
        let meter = Meter::new("f".into(), &limits);
        assert_eq!(meter.admits_line(10, &limits), LineVerdict::Write);
        assert_eq!(meter.admits_line(10, &limits), LineVerdict::DropFirst);
        assert_eq!(meter.admits_line(10, &limits), LineVerdict::Drop);
        meter.tell_dropped_lines(&limits);
        assert_eq!(meter.admits_line(10, &limits), LineVerdict::DropFirst);
        let hits = meter.hits();
        assert!(hits.contains(&(Limit::LogRate, 3)), "{hits:?}");
    }
}
