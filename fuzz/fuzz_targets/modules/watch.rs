//! Sees to it that no run hangs, and that many runs together do not grow.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Compiling with instrumentation on a busy machine takes long; running is limited to tens of
/// milliseconds an event.
const RUN_MAX: Duration = Duration::from_secs(60);
/// Runs until everything has its size.
const WARM_RUNS: u64 = 2_000;
/// What may come to that: the corpus and the fuzzer's own tables.
const GROWTH_KIB: u64 = 1 << 20;

static RUNS: AtomicU64 = AtomicU64::new(0);
static WARM_KIB: AtomicU64 = AtomicU64::new(0);
/// Milliseconds since `ORIGIN` at which the run began, plus one; 0: none runs.
static BEGUN: AtomicU64 = AtomicU64::new(0);
static ORIGIN: LazyLock<Instant> = LazyLock::new(|| {
    std::thread::spawn(watch);
    Instant::now()
});

/// One run, until it is dropped.
pub(crate) struct Run;

pub(crate) fn run() -> Run {
    BEGUN.store(now() + 1, Ordering::Relaxed);
    Run
}

impl Drop for Run {
    fn drop(&mut self) {
        BEGUN.store(0, Ordering::Relaxed);
        let runs = RUNS.fetch_add(1, Ordering::Relaxed) + 1;
        if runs == WARM_RUNS {
            WARM_KIB.store(resident_kib(), Ordering::Relaxed);
        } else if runs > WARM_RUNS && runs.is_multiple_of(1_000) {
            let (warm, now) = (WARM_KIB.load(Ordering::Relaxed), resident_kib());
            assert!(now < warm + GROWTH_KIB, "{warm} KiB became {now} in {runs} runs");
        }
    }
}

fn watch() {
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let begun = BEGUN.load(Ordering::Relaxed);
        if begun != 0 && now() > begun + RUN_MAX.as_millis() as u64 {
            eprintln!("a run takes longer than {RUN_MAX:?}");
            std::process::abort();
        }
    }
}

fn now() -> u64 {
    ORIGIN.elapsed().as_millis() as u64
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let word = line.and_then(|line| line.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}
