//! Metrics that plugins define, and their Prometheus text.
//!
//! The registry is process-wide: the same kind and name from several VMs or threads is one metric,
//! and adds up (Proxy-Wasm reference, section 6.6). Invariants: recording takes no lock; a metric
//! lives as long as the registry; there are never more than the limit.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use weir_model::limits;

mod export;
mod histogram;
mod text;

pub use histogram::{BUCKETS, Histogram, HistogramCounts};
pub use text::{Family, FamilyKind, Number, Writer};

/// What a metric measures. The numbers are those of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MetricKind {
    /// Only grows.
    Counter = 0,
    /// Goes up and down.
    Gauge = 1,
    /// Counts values by size.
    Histogram = 2,
}

impl MetricKind {
    /// By the ABI's number.
    #[must_use]
    pub fn from_abi(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::Counter),
            1 => Some(Self::Gauge),
            2 => Some(Self::Histogram),
            _ => None,
        }
    }
}

/// Why a metric was not defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefineError {
    /// The registry is full.
    #[error("{metrics_max} metrics are defined by plugins already, which is the limit")]
    TooManyMetrics {
        /// The limit.
        metrics_max: usize,
    },
    /// The one who defines it has used up its share.
    #[error("{metrics_max} metrics are defined by this plugin already, which is its limit")]
    TooManyOfOne {
        /// The limit.
        metrics_max: usize,
    },
    /// The name is too long.
    #[error("the metric's name has {bytes} bytes; at most {bytes_max} are allowed")]
    NameTooLong {
        /// Of the name.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
}

/// What one definer may define.
#[derive(Clone, Copy, Debug)]
pub struct Share<'d> {
    /// Metrics that exist because it defined them first.
    pub defined: &'d AtomicUsize,
    /// The most of them.
    pub metrics_max: usize,
    /// The longest name.
    pub name_bytes_max: usize,
}

/// The operation does not fit the kind of the metric: `BadArgument` to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this kind of metric has no such operation, or not with this value")]
pub struct Unfit;

/// The metrics of all plugins. Cheap to clone; clones are the same registry.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Mutex<ByName>>);

type ByName = BTreeMap<(Box<str>, MetricKind), MetricRef>;

/// A metric. Cheap to clone, usable from any thread.
#[derive(Clone, Debug)]
pub struct MetricRef(Arc<Cell>);

#[derive(Debug)]
enum Cell {
    Counter(Padded),
    /// Two's complement, as Envoy: a gauge below zero reads as a large unsigned number.
    Gauge(Padded),
    Histogram(Histogram),
}

/// Padded to two cache lines: workers that count different things do not disturb each other.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded(AtomicU64);

impl Metrics {
    /// No metrics.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The metric of this kind and name, which is made if there is none.
    ///
    /// # Errors
    /// [`DefineError`] beyond [`limits::GUEST_METRICS_MAX`] metrics of all, or beyond the share of
    /// the one who defines it.
    pub fn define(
        &self,
        kind: MetricKind,
        name: &str,
        share: &Share<'_>,
    ) -> Result<MetricRef, DefineError> {
        let bytes_max = share.name_bytes_max;
        if name.len() > bytes_max {
            return Err(DefineError::NameTooLong {
                bytes: name.len(),
                bytes_max,
            });
        }
        let mut by_name = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (Box::from(name), kind);
        if let Some(metric) = by_name.get(&key) {
            return Ok(metric.clone());
        }
        let metrics_max = limits::GUEST_METRICS_MAX;
        if by_name.len() >= metrics_max {
            return Err(DefineError::TooManyMetrics { metrics_max });
        }
        // Written under the lock only.
        let defined = share.defined.load(Ordering::Relaxed);
        if defined >= share.metrics_max {
            return Err(DefineError::TooManyOfOne {
                metrics_max: share.metrics_max,
            });
        }
        share.defined.store(defined + 1, Ordering::Relaxed);
        let metric = MetricRef::new(kind);
        by_name.insert(key, metric.clone());
        Ok(metric)
    }

    /// Appends all metrics as Prometheus text, in the order of their exported names: the name as
    /// the plugin gave it, with every byte outside `[a-zA-Z0-9_]` replaced by `_` as Envoy does.
    /// Weir's own families come first, so that theirs are the names that stay.
    pub fn export(&self, writer: &mut Writer) {
        export::export(&self.snapshot(), writer);
    }

    /// Appends all metrics as lines `wasmcustom.NAME: VALUE`, Envoy's plain form.
    pub fn list(&self, out: &mut String) {
        for ((name, _), metric) in self.snapshot() {
            let written = match &*metric.0 {
                Cell::Counter(cell) => writeln!(out, "wasmcustom.{name}: {}", cell.load()),
                Cell::Gauge(cell) => {
                    writeln!(out, "wasmcustom.{name}: {}", cell.load().cast_signed())
                }
                Cell::Histogram(histogram) => {
                    let HistogramCounts { sum, count, .. } = histogram.counts();
                    writeln!(out, "wasmcustom.{name}: count={count} sum={sum}")
                }
            };
            debug_assert!(written.is_ok(), "a String takes all text");
        }
    }

    /// So that no text is made under the lock.
    fn snapshot(&self) -> ByName {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl MetricRef {
    fn new(kind: MetricKind) -> Self {
        Self(Arc::new(match kind {
            MetricKind::Counter => Cell::Counter(Padded::default()),
            MetricKind::Gauge => Cell::Gauge(Padded::default()),
            MetricKind::Histogram => Cell::Histogram(Histogram::default()),
        }))
    }

    /// What it measures.
    #[must_use]
    pub fn kind(&self) -> MetricKind {
        match &*self.0 {
            Cell::Counter(_) => MetricKind::Counter,
            Cell::Gauge(_) => MetricKind::Gauge,
            Cell::Histogram(_) => MetricKind::Histogram,
        }
    }

    /// Adds an offset.
    ///
    /// # Errors
    /// [`Unfit`] on a histogram, and on a counter unless the offset is positive.
    pub fn increment(&self, offset: i64) -> Result<(), Unfit> {
        match &*self.0 {
            Cell::Counter(cell) if offset > 0 => cell.add(offset.cast_unsigned()),
            Cell::Gauge(cell) => cell.add(offset.cast_unsigned()),
            Cell::Counter(_) | Cell::Histogram(_) => return Err(Unfit),
        }
        Ok(())
    }

    /// Records a value: a counter grows by it, a gauge becomes it, a histogram counts it.
    pub fn record(&self, value: u64) {
        match &*self.0 {
            Cell::Counter(cell) => cell.add(value),
            Cell::Gauge(cell) => cell.0.store(value, Ordering::Relaxed),
            Cell::Histogram(histogram) => histogram.record(value),
        }
    }

    /// The value now. A gauge below zero is its two's complement, as in Envoy.
    ///
    /// # Errors
    /// [`Unfit`] on a histogram.
    pub fn value(&self) -> Result<u64, Unfit> {
        match &*self.0 {
            Cell::Counter(cell) | Cell::Gauge(cell) => Ok(cell.load()),
            Cell::Histogram(_) => Err(Unfit),
        }
    }
}

impl Padded {
    fn add(&self, offset: u64) {
        self.0.fetch_add(offset, Ordering::Relaxed);
    }

    fn load(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Metrics {
        /// As one with a share that is never used up.
        pub(super) fn define_any(
            &self,
            kind: MetricKind,
            name: &str,
        ) -> Result<MetricRef, DefineError> {
            let share = Share {
                defined: &AtomicUsize::new(0),
                metrics_max: usize::MAX,
                name_bytes_max: usize::MAX,
            };
            self.define(kind, name, &share)
        }
    }

    #[test]
    fn kinds_have_the_numbers_of_the_abi() {
        assert_eq!(MetricKind::from_abi(2), Some(MetricKind::Histogram));
        assert_eq!(MetricKind::from_abi(3), None);
    }

    #[test]
    fn counters_only_grow_and_record_adds() {
        let counter = Metrics::new().define_any(MetricKind::Counter, "c").unwrap();
        assert_eq!(counter.increment(5), Ok(()));
        assert_eq!(counter.increment(0), Err(Unfit));
        assert_eq!(counter.increment(-1), Err(Unfit));
        counter.record(2);
        assert_eq!(counter.value(), Ok(7));
    }

    #[test]
    fn gauges_go_both_ways_and_record_sets() {
        let gauge = Metrics::new().define_any(MetricKind::Gauge, "g").unwrap();
        gauge.record(10);
        gauge.increment(-3).unwrap();
        assert_eq!(gauge.value(), Ok(7));
        gauge.increment(-8).unwrap();
        assert_eq!(gauge.value(), Ok(u64::MAX));
        gauge.increment(i64::MIN).unwrap();
        gauge.increment(0).unwrap();
        gauge.record(1);
        assert_eq!(gauge.value(), Ok(1));
    }

    #[test]
    fn histograms_only_record() {
        let histogram = Metrics::new()
            .define_any(MetricKind::Histogram, "h")
            .unwrap();
        histogram.record(3);
        assert_eq!(histogram.increment(1), Err(Unfit));
        assert_eq!(histogram.value(), Err(Unfit));
    }

    #[test]
    fn one_name_is_one_metric_per_kind_across_threads() {
        let metrics = Metrics::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let counter = metrics.define_any(MetricKind::Counter, "n").unwrap();
                    (0..1000).for_each(|_| counter.increment(1).unwrap());
                });
            }
        });
        assert_eq!(
            metrics
                .define_any(MetricKind::Counter, "n")
                .unwrap()
                .value(),
            Ok(4000)
        );
        assert_eq!(
            metrics.define_any(MetricKind::Gauge, "n").unwrap().value(),
            Ok(0)
        );
    }

    #[test]
    fn the_limits_hold_and_known_metrics_stay_reachable() {
        let metrics = Metrics::new();
        for number in 0..limits::GUEST_METRICS_MAX {
            metrics
                .define_any(MetricKind::Counter, &number.to_string())
                .unwrap();
        }
        let refused = metrics
            .define_any(MetricKind::Counter, "one more")
            .unwrap_err();
        assert_eq!(
            refused,
            DefineError::TooManyMetrics {
                metrics_max: limits::GUEST_METRICS_MAX
            }
        );
        assert!(metrics.define_any(MetricKind::Counter, "0").is_ok());
    }

    #[test]
    fn each_definer_has_a_share_and_known_metrics_cost_nothing() {
        let metrics = Metrics::new();
        let share = Share {
            defined: &AtomicUsize::new(0),
            metrics_max: 1,
            name_bytes_max: 3,
        };
        metrics.define_any(MetricKind::Counter, "a").unwrap();
        let define = |name| metrics.define(MetricKind::Counter, name, &share);
        assert!(define("a").is_ok() && define("b").is_ok() && define("b").is_ok());
        let full = DefineError::TooManyOfOne { metrics_max: 1 };
        assert_eq!(define("c").unwrap_err(), full);
        let refused = define("long").unwrap_err();
        assert!(matches!(refused, DefineError::NameTooLong { bytes: 4, .. }));
    }

    #[test]
    fn the_plain_list_carries_the_prefix() {
        let metrics = Metrics::new();
        metrics
            .define_any(MetricKind::Counter, "a.b")
            .unwrap()
            .record(4);
        metrics
            .define_any(MetricKind::Gauge, "g")
            .unwrap()
            .increment(-4)
            .unwrap();
        metrics
            .define_any(MetricKind::Histogram, "h")
            .unwrap()
            .record(9);
        let mut out = String::new();
        metrics.list(&mut out);
        let expected = "wasmcustom.a.b: 4\nwasmcustom.g: -4\nwasmcustom.h: count=1 sum=9\n";
        assert_eq!(out, expected);
    }
}
