//! What operators learn about a filter, summed over all workers.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use weir_guest::FailureKind;
use weir_model::Filter;

use super::breaker::{Breaker, BreakerState};
use super::lines::{LineReader, ModuleFile};
use super::quarantine::Quarantine;
use super::reports::{FailureReport, Reports};

/// What the workers share about one filter.
#[derive(Debug)]
pub struct FilterStats {
    vms: AtomicI64,
    memory_bytes: AtomicI64,
    failures: [AtomicU64; FailureKind::ALL.len()],
    replacements: AtomicU64,
    recycled: AtomicU64,
    refused: AtomicU64,
    bypassed: AtomicU64,
    restarted: AtomicU64,
    quarantined: AtomicU64,
    calls_nanos: AtomicU64,
    exhausted: AtomicU64,
    /// Requests that were counted to take samples.
    samples: AtomicU64,
    renewals: AtomicU64,
    renewal_nanos: AtomicU64,
    renewal_failures: AtomicU64,
    /// Slots whose image lacks something, since when.
    stale: Mutex<Vec<(usize, Instant)>>,
    /// The longest that any image lacked something, in nanoseconds.
    staleness_max: AtomicU64,
    pub(crate) reports: Reports,
    /// Who finds source lines for them.
    pub(crate) lines: Arc<LineReader>,
    /// Where they are found; `None`: the module has none.
    pub(crate) module: Option<ModuleFile>,
    pub(crate) breaker: Breaker,
    pub(crate) quarantine: Option<Quarantine>,
}

/// A filter at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterReport {
    /// VMs that run now.
    pub vms: u64,
    /// Bytes of their linear memories.
    pub memory_bytes: u64,
    /// Failures of each kind, in the order of [`FailureKind::ALL`].
    pub failures: [u64; FailureKind::ALL.len()],
    /// VMs that took the place of a failed one.
    pub replacements: u64,
    /// VMs that took the place of one that worked.
    pub recycled: u64,
    /// Exchanges that were answered 503 because no VM was there for them.
    pub refused: u64,
    /// Exchanges that went on without the filter.
    pub bypassed: u64,
    /// Exchanges that began again in another process.
    pub restarted: u64,
    /// Exchanges, refused or bypassed, that looked like those that killed a VM.
    pub quarantined: u64,
    /// Patterns that are under quarantine.
    pub quarantined_patterns: u64,
    /// Wall time of calls that exchanges waited for. The last few exchanges may be missing.
    pub calls: Duration,
    /// Exchanges that met as many live copies as there may be.
    pub exhausted: u64,
    /// Images of a VM that were made after something had happened in it.
    pub renewals: u64,
    /// Time that this took.
    pub renewal: Duration,
    /// Images that could not be made.
    pub renewal_failures: u64,
    /// How long the most outdated image has lacked something; zero: none does.
    pub staleness: Duration,
    /// The longest that any image ever did.
    pub staleness_max: Duration,
    /// Whether failed VMs are replaced.
    pub breaker: BreakerState,
    /// The last failure.
    pub last_failure: Option<FailureReport>,
}

impl FilterReport {
    /// Failures of all kinds.
    #[must_use]
    pub fn failures_total(&self) -> u64 {
        self.failures.iter().sum()
    }
}

impl FilterStats {
    pub(crate) fn new(
        filter: &Filter,
        (lines, module): (&Arc<LineReader>, Option<ModuleFile>),
    ) -> Self {
        Self {
            vms: AtomicI64::new(0),
            memory_bytes: AtomicI64::new(0),
            failures: Default::default(),
            replacements: AtomicU64::new(0),
            recycled: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            bypassed: AtomicU64::new(0),
            restarted: AtomicU64::new(0),
            quarantined: AtomicU64::new(0),
            calls_nanos: AtomicU64::new(0),
            exhausted: AtomicU64::new(0),
            samples: AtomicU64::new(0),
            renewals: AtomicU64::new(0),
            renewal_nanos: AtomicU64::new(0),
            renewal_failures: AtomicU64::new(0),
            stale: Mutex::default(),
            staleness_max: AtomicU64::new(0),
            reports: Reports::default(),
            lines: Arc::clone(lines),
            module,
            breaker: Breaker::new(filter.failures.breaker),
            quarantine: filter.failures.quarantine.map(Quarantine::new),
        }
    }

    pub(crate) fn started(&self, birth: Birth) {
        self.vms.fetch_add(1, Ordering::Relaxed);
        match birth {
            Birth::First | Birth::Copy => {}
            Birth::Replacement => add(&self.replacements, 1),
            Birth::Recycling => add(&self.recycled, 1),
        }
    }

    pub(crate) fn ended(&self) {
        self.vms.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, kind: FailureKind) {
        add(&self.failures[kind as usize], 1);
    }

    pub(crate) fn refused(&self) {
        add(&self.refused, 1);
    }

    pub(crate) fn bypassed(&self, exchanges: u64) {
        add(&self.bypassed, exchanges);
    }

    pub(crate) fn restarted(&self) {
        add(&self.restarted, 1);
    }

    pub(crate) fn quarantined(&self) {
        add(&self.quarantined, 1);
    }

    pub(crate) fn called(&self, time: Duration) {
        add(&self.calls_nanos, nanos(time));
    }

    /// Counts a request, and says whether it is the first of so many.
    pub(crate) fn is_sample(&self, of: u32) -> bool {
        let number = self.samples.fetch_add(1, Ordering::Relaxed);
        number.is_multiple_of(u64::from(of.max(1)))
    }

    pub(crate) fn exhausted(&self) {
        add(&self.exhausted, 1);
    }

    /// The image of a slot lacks something from now on.
    pub(crate) fn became_stale(&self, slot: usize, now: Instant) {
        self.stale().push((slot, now));
    }

    /// A slot has a new image, which took this long to make, and the old one had lacked something
    /// for so long.
    pub(crate) fn renewed(&self, slot: usize, cost: Duration, age: Option<Duration>) {
        self.stale().retain(|(known, _)| *known != slot);
        add(&self.renewals, 1);
        add(&self.renewal_nanos, nanos(cost));
        let age = nanos(age.unwrap_or_default());
        self.staleness_max.fetch_max(age, Ordering::Relaxed);
    }

    pub(crate) fn renewal_failed(&self) {
        add(&self.renewal_failures, 1);
    }

    fn staleness(&self) -> Duration {
        let stale = self.stale();
        let ages = stale.iter().map(|(_, since)| since.elapsed());
        ages.max().unwrap_or_default()
    }

    fn stale(&self) -> MutexGuard<'_, Vec<(usize, Instant)>> {
        self.stale.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn memory_changed(&self, by: i64) {
        self.memory_bytes.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn report(&self) -> FilterReport {
        let count = |cell: &AtomicI64| u64::try_from(cell.load(Ordering::Relaxed)).unwrap_or(0);
        let total = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        let held = self
            .quarantine
            .as_ref()
            .map_or(0, |quarantine| quarantine.len(Instant::now()));
        FilterReport {
            vms: count(&self.vms),
            memory_bytes: count(&self.memory_bytes),
            failures: std::array::from_fn(|kind| total(&self.failures[kind])),
            replacements: total(&self.replacements),
            recycled: total(&self.recycled),
            refused: total(&self.refused),
            bypassed: total(&self.bypassed),
            restarted: total(&self.restarted),
            quarantined: total(&self.quarantined),
            quarantined_patterns: held as u64,
            calls: Duration::from_nanos(total(&self.calls_nanos)),
            exhausted: total(&self.exhausted),
            renewals: total(&self.renewals),
            renewal: Duration::from_nanos(total(&self.renewal_nanos)),
            renewal_failures: total(&self.renewal_failures),
            staleness: self.staleness(),
            staleness_max: Duration::from_nanos(total(&self.staleness_max)),
            breaker: self.breaker.report(),
            last_failure: self.reports.last(),
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn add(cell: &AtomicU64, count: u64) {
    cell.fetch_add(count, Ordering::Relaxed);
}

/// Why a VM is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Birth {
    First,
    /// The one before failed.
    Replacement,
    /// The one before worked, and is to end with its last stream.
    Recycling,
    /// For a stream of its own.
    Copy,
}
