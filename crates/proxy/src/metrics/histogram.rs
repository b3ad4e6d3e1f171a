//! A histogram with Envoy's default buckets, for whole numbers.

use std::sync::atomic::{AtomicU64, Ordering};

/// Upper bounds: the largest whole number in the bucket, and the bound as Prometheus prints it.
pub const BUCKETS: [(u64, &str); 19] = [
    (0, "0.5"),
    (1, "1"),
    (5, "5"),
    (10, "10"),
    (25, "25"),
    (50, "50"),
    (100, "100"),
    (250, "250"),
    (500, "500"),
    (1000, "1000"),
    (2500, "2500"),
    (5000, "5000"),
    (10_000, "10000"),
    (30_000, "30000"),
    (60_000, "60000"),
    (300_000, "300000"),
    (600_000, "600000"),
    (1_800_000, "1800000"),
    (3_600_000, "3600000"),
];

/// Counts values by size. Recording is two relaxed additions.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Histogram {
    /// The last one is for what is above every bound.
    buckets: [AtomicU64; BUCKETS.len() + 1],
    sum: AtomicU64,
}

/// What a histogram has counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistogramCounts {
    /// Values up to the bound of the same index in [`BUCKETS`], smaller ones included.
    pub cumulative: [u64; BUCKETS.len()],
    /// Of all values; wraps.
    pub sum: u64,
    /// All values.
    pub count: u64,
}

impl Histogram {
    /// Counts a value.
    pub fn record(&self, value: u64) {
        let bucket = BUCKETS.partition_point(|(largest, _)| *largest < value);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// What it has counted. Values recorded meanwhile may show in one number and not in another,
    /// but the buckets and the count always agree.
    #[must_use]
    pub fn counts(&self) -> HistogramCounts {
        let mut cumulative = [0; BUCKETS.len()];
        let mut count = 0;
        for (bucket, slot) in self.buckets.iter().zip(&mut cumulative) {
            count += bucket.load(Ordering::Relaxed);
            *slot = count;
        }
        count += self.buckets[BUCKETS.len()].load(Ordering::Relaxed);
        HistogramCounts {
            cumulative,
            sum: self.sum.load(Ordering::Relaxed),
            count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: u64, first_bound: Option<&str>) {
        let histogram = Histogram::default();
        histogram.record(value);
        let counts = histogram.counts();
        let first = counts.cumulative.iter().position(|count| *count == 1);
        assert_eq!(
            first.map(|bucket| BUCKETS[bucket].1),
            first_bound,
            "{value}"
        );
        assert_eq!((counts.sum, counts.count), (value, 1));
    }

    #[test]
    fn values_fall_into_the_bucket_that_includes_its_bound() {
        check(0, Some("0.5"));
        check(1, Some("1"));
        check(2, Some("5"));
        check(5, Some("5"));
        check(6, Some("10"));
        check(3_600_000, Some("3600000"));
        check(3_600_001, None);
        check(u64::MAX, None);
    }
}
