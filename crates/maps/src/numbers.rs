//! Numbers of maps for operators, as far as they are at hand.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::graph::Root;
use crate::store::{Stat, Store as _};

/// What is known of a map without asking anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Of its back end.
    pub known: Known,
    /// How often its entries were found.
    pub counts: Counts,
    /// Handles, tickets, entries of other maps, and the configuration, as far as they refer to it.
    pub references: u64,
}

impl Numbers {
    /// Those of a map.
    #[must_use]
    pub fn of(root: &Root) -> Self {
        let map = root.map();
        Self {
            known: map.store().known(),
            counts: map.counts(),
            references: root.graph().references(map.id()),
        }
    }
}

/// How often entries were looked for, by whomever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// There was one.
    pub hits: u64,
    /// There was none.
    pub misses: u64,
    /// Changes that were refused because a quota was used up.
    pub refused: u64,
}

/// What a back end knows without asking anybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Numbers of entries; of maps elsewhere those of a moment ago, or none yet.
    pub stat: Option<Stat>,
    /// Of maps that are on other machines.
    pub traffic: Option<Traffic>,
    /// Of maps with a near cache.
    pub near: Option<Near>,
}

/// Bounds of round trips, in microseconds, and in seconds as they are printed.
pub const ROUND_TRIPS: [(u64, &str); 13] = [
    (100, "0.0001"),
    (250, "0.00025"),
    (500, "0.0005"),
    (1000, "0.001"),
    (2500, "0.0025"),
    (5000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (1_000_000, "1"),
    (5_000_000, "5"),
];

/// Requests to other machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests that ended, whatever they were answered.
    pub requests: u64,
    /// Those that were not answered, or with an error of the server.
    pub failed: u64,
    /// How long they took together, in microseconds.
    pub micros: u64,
    /// How many took no longer than each of [`ROUND_TRIPS`].
    pub within: [u64; ROUND_TRIPS.len()],
}

/// A near cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Near {
    /// Reads that it answered.
    pub hits: u64,
    /// Reads that went to the store.
    pub misses: u64,
    /// What it holds.
    pub entries: u64,
    /// Bytes of that.
    pub bytes: u64,
    /// Whether it is told of changes.
    pub follows: bool,
}

/// Counts requests.
#[derive(Debug, Default)]
pub struct Trips {
    failed: AtomicU64,
    micros: AtomicU64,
    /// By the first bound that is not exceeded; the last one is for those above all.
    by_bound: [AtomicU64; ROUND_TRIPS.len() + 1],
}

impl Trips {
    /// A request is over.
    pub fn record(&self, took: Duration, has_failed: bool) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bound = ROUND_TRIPS.partition_point(|(bound, _)| *bound < micros);
        self.by_bound[bound].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        if has_failed {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was counted.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let mut within = [0; ROUND_TRIPS.len()];
        let mut requests = 0;
        for (counter, within) in self.by_bound.iter().zip(&mut within) {
            requests += counter.load(Ordering::Relaxed);
            *within = requests;
        }
        requests += self.by_bound[ROUND_TRIPS.len()].load(Ordering::Relaxed);
        Traffic {
            requests,
            failed: self.failed.load(Ordering::Relaxed),
            micros: self.micros.load(Ordering::Relaxed),
            within,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_are_counted_by_their_length() {
        let trips = Trips::default();
        trips.record(Duration::from_micros(100), false);
        trips.record(Duration::from_micros(101), true);
        trips.record(Duration::from_mins(1), true);
        let traffic = trips.traffic();
        assert_eq!((traffic.requests, traffic.failed), (3, 2));
        assert_eq!(traffic.micros, 60_000_201);
        assert_eq!(&traffic.within[..3], [1, 2, 2]);
        assert_eq!(traffic.within[12], 2);
    }
}
