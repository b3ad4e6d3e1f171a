//! Running time of one call (decision 007): by the wall until half of its limit is over, then by
//! the thread's own clock.
//!
//! Invariant: time counts only while the guest's future is polled.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use wasmtime::UpdateDeadline;
use weir_guest::engine::TICK;
use weir_guest::thread_time;
use weir_model::limits::functions as of;

use crate::rotation::{self, TurnEnd};

/// Counts the running time of one call.
pub(crate) struct Meter {
    limit: Duration,
    spent: Mutex<Spent>,
}

struct Spent {
    used: Duration,
    /// When the guest was last resumed.
    resumed: Instant,
    /// The thread's time when counting went on; `None`: by the wall.
    by_thread: Option<Duration>,
}

impl Meter {
    /// Nothing is spent yet.
    pub(crate) fn new(limit: Duration) -> Arc<Self> {
        let spent = Spent {
            used: Duration::ZERO,
            resumed: Instant::now(),
            by_thread: None,
        };
        Arc::new(Self {
            limit,
            spent: Mutex::new(spent),
        })
    }

    /// Makes a store stop its guest when the time is over, and let others run from time to time.
    pub(crate) fn watch<T>(self: &Arc<Self>, store: &mut wasmtime::Store<T>) {
        let meter = Arc::clone(self);
        store.epoch_deadline_callback(move |_| Ok(meter.expired()));
        store.set_epoch_deadline(1);
    }

    fn spent(&self) -> MutexGuard<'_, Spent> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn resume(&self) {
        let mut spent = self.spent();
        spent.resumed = Instant::now();
        if spent.by_thread.is_some() {
            spent.by_thread = Some(thread_time());
        }
    }

    fn suspend(&self) {
        let mut spent = self.spent();
        let since = spent.since();
        spent.used += since;
    }

    fn expired(&self) -> UpdateDeadline {
        let mut spent = self.spent();
        let used = spent.used + spent.since();
        match spent.by_thread {
            Some(_) if used >= self.limit => return UpdateDeadline::Interrupt,
            None if used >= self.limit / 2 => {
                // What was used on the wall counts as half, however long it took.
                spent.used = self.limit / 2;
                spent.by_thread = Some(thread_time());
            }
            Some(_) | None => {}
        }
        let least = if rotation::is_contended() { 8 } else { 2 };
        if spent.resumed.elapsed() < of::SLICE / least {
            // It has just begun, or come back from waiting.
            return UpdateDeadline::Continue(ticks(of::SLICE / 2));
        }
        UpdateDeadline::YieldCustom(ticks(of::SLICE), Box::pin(rotation::turn()))
    }
}

impl Spent {
    fn since(&self) -> Duration {
        match self.by_thread {
            Some(before) => thread_time().saturating_sub(before),
            None => self.resumed.elapsed(),
        }
    }
}

fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_nanos() / TICK.as_nanos()).map_or(1, |ticks| ticks.max(1))
}

/// A guest's future, whose time is counted.
pub(crate) struct Metered<F: ?Sized> {
    pub(crate) meter: Arc<Meter>,
    pub(crate) guest: Pin<Box<F>>,
}

impl<F: Future + ?Sized> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _end = TurnEnd;
        self.meter.resume();
        let polled = self.guest.as_mut().poll(context);
        self.meter.suspend();
        polled
    }
}
