//! What the gateway says in its log because of what a plugin does: each thing once a second at most,
//! and how often it was not said. Plugins, and clients through them, would fill disks otherwise.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// One thing is said this often at most.
const EVERY: Duration = Duration::from_secs(1);

/// What is said of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remark {
    /// A notice of a shared queue was dropped.
    QueueNotice,
    /// A notice of a shared map was dropped.
    MapNotice,
    /// A Redis command was refused.
    RedisCommand,
    /// There was no room for a metric among those of all plugins.
    MetricsFull,
    /// Trailers could not be sent.
    Trailers,
    /// Network filters continue a connection in circles.
    Circle,
    /// It gets a new VM, as it asked.
    NewVm,
    /// The new VM did not start.
    NoNewVm,
    /// Requests are kept from it.
    Quarantine,
    /// Too much waits for its guest, which waits.
    Line,
    /// There is no snapshot of it.
    NoSnapshot,
}

/// The remarks on one filter, on all workers.
#[derive(Debug, Default)]
pub(super) struct Remarks([Pace; Remark::NoSnapshot as usize + 1]);

impl Remarks {
    /// See [`Pace::take`].
    pub(super) fn take(&self, remark: Remark) -> Option<u64> {
        self.0[remark as usize].take()
    }
}

/// When one thing was said last, and how often it was not said since.
#[derive(Debug)]
pub(crate) struct Pace {
    origin: Instant,
    /// In nanoseconds since `origin`, plus one.
    told: AtomicU64,
    untold: AtomicU64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            origin: Instant::now(),
            told: AtomicU64::new(0),
            untold: AtomicU64::new(0),
        }
    }
}

impl Pace {
    /// Whether it is to be said now, and then how often it was not said before.
    pub(crate) fn take(&self) -> Option<u64> {
        self.take_at(self.origin.elapsed())
    }

    fn take_at(&self, now: Duration) -> Option<u64> {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX - 1);
        let now = nanos(now) + 1;
        let due = |told: u64| (told == 0 || now - told.min(now) >= nanos(EVERY)).then_some(now);
        let is_due = self
            .told
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, due)
            .is_ok();
        if is_due {
            return Some(self.untold.swap(0, Ordering::Relaxed));
        }
        self.untold.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_said_once_a_second_with_what_was_not_said() {
        let pace = Pace::default();
        let at = |millis| pace.take_at(Duration::from_millis(millis));
        assert_eq!(at(0), Some(0));
        assert_eq!(at(0), None);
        assert_eq!(at(999), None);
        assert_eq!(at(1000), Some(2));
        assert_eq!(at(1001), None);
        assert_eq!(at(5000), Some(1));
        assert_eq!(at(6000), Some(0));
    }

    #[test]
    fn things_do_not_hide_one_another() {
        let remarks = Remarks::default();
        assert_eq!(remarks.take(Remark::NewVm), Some(0));
        assert_eq!(remarks.take(Remark::NewVm), None);
        assert_eq!(remarks.take(Remark::NoSnapshot), Some(0));
    }
}
