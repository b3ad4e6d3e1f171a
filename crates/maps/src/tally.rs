//! How often entries of a map are found: counted by each thread for itself, because readers of one
//! map share nothing that they write to.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use weir_model::limits::maps::COUNTING_THREADS;

use crate::MapError;
use crate::numbers::Counts;

/// The place that all threads share that have none of their own.
const SHARED: usize = COUNTING_THREADS;

/// Counters of one map.
#[derive(Debug)]
pub(crate) struct Tally {
    stripes: Box<[Stripe]>,
    refused: AtomicU64,
}

/// What one thread has counted. A line of its own in caches.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Stripe {
    hits: AtomicU64,
    misses: AtomicU64,
}

/// A thread's place in all tallies, until it ends.
struct Seat(Cell<usize>);

/// Places that nobody has. A thread that gets one sees what the last one counted there: the lock is
/// between them.
static FREE: Mutex<Vec<usize>> = Mutex::new(Vec::new());
/// Places that nobody ever had begin here.
static NEXT: Mutex<usize> = Mutex::new(0);

thread_local! {
    static SEAT: Seat = Seat::take();
}

impl Seat {
    fn take() -> Self {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let seat = free.unwrap_or_else(|| {
            let mut next = NEXT.lock().unwrap_or_else(PoisonError::into_inner);
            let seat = (*next).min(SHARED);
            *next = seat.saturating_add(1).min(SHARED);
            seat
        });
        Self(Cell::new(seat))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // What counts behind this in the thread's end uses the shared place.
        let seat = self.0.replace(SHARED);
        if seat != SHARED {
            FREE.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(seat);
        }
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            stripes: (0..=SHARED).map(|_| Stripe::default()).collect(),
            refused: AtomicU64::new(0),
        }
    }
}

impl Tally {
    /// Somebody looked for an entry.
    #[inline]
    pub(crate) fn count(&self, found: bool) {
        let seat = SEAT.try_with(|seat| seat.0.get()).unwrap_or(SHARED);
        let Some(stripe) = self.stripes.get(seat) else {
            return;
        };
        let counter = if found { &stripe.hits } else { &stripe.misses };
        if seat == SHARED {
            counter.fetch_add(1, Ordering::Relaxed);
        } else {
            // Nobody else writes here.
            counter.store(
                counter.load(Ordering::Relaxed).wrapping_add(1),
                Ordering::Relaxed,
            );
        }
    }

    /// Counts what was refused because there is no room.
    #[inline]
    pub(crate) fn note<T>(&self, result: &Result<T, MapError>) {
        if let Err(MapError::NoSpace { .. }) = result {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let sum = |of: fn(&Stripe) -> &AtomicU64| {
            let numbers = self
                .stripes
                .iter()
                .map(|stripe| of(stripe).load(Ordering::Relaxed));
            numbers.fold(0, u64::wrapping_add)
        };
        Counts {
            hits: sum(|stripe| &stripe.hits),
            misses: sum(|stripe| &stripe.misses),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More threads than places, one after the other and at the same time: nothing is lost.
    #[test]
    fn all_threads_count_exactly() {
        let tally = Tally::default();
        let threads = 2 * COUNTING_THREADS;
        for _ in 0..3 {
            std::thread::scope(|scope| {
                for thread in 0..threads {
                    let tally = &tally;
                    scope.spawn(move || {
                        for _ in 0..1000 {
                            tally.count(thread % 2 == 0);
                        }
                    });
                }
            });
        }
        tally.note::<()>(&Err(MapError::NoSpace {
            what: "bytes",
            max: 1,
        }));
        tally.note::<()>(&Err(MapError::NoEntry));
        let half = 3 * 1000 * COUNTING_THREADS as u64;
        let counts = Counts {
            hits: half,
            misses: half,
            refused: 1,
        };
        assert_eq!(tally.counts(), counts);
    }
}
