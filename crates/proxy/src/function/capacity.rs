//! Turns: which calls run, which wait, and which are sent away.
//!
//! Shared by all workers. Invariants: a call that runs holds a place of its function and one of the
//! gateway; those that wait are answered in the order in which they came, or not at all. Calls that
//! wait for those that they made never take all places of the gateway: one for each level of calls is
//! kept for calls of that level or deeper ones, so that somebody can always go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use weir_functions::FaultKind;
use weir_model::FunctionLimits;

/// The places of the whole gateway.
#[derive(Clone)]
pub(super) struct AllTurns {
    /// Those that calls of a level and of those above may have: at the end all. A call takes one of
    /// its level and of each that is deeper.
    levels: Arc<[Arc<Semaphore>]>,
    instances: u32,
}

/// One place of a function, and of the gateway one of each level that counts the call.
type Places = (OwnedSemaphorePermit, Vec<OwnedSemaphorePermit>);

/// The places of one function.
pub(super) struct Turns {
    places: Arc<Semaphore>,
    all: AllTurns,
    instances: u32,
    running: AtomicU32,
    waiting: AtomicU32,
    queue: u32,
    patience: Duration,
}

/// The right to run, held for as long as the instance is there.
pub(super) struct Turn {
    turns: Arc<Turns>,
    /// Whether no instance of the function was there when it began.
    pub(super) is_cold: bool,
    _places: Places,
}

/// Why there is no turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoTurn {
    pub(super) kind: FaultKind,
    pub(super) text: String,
}

impl AllTurns {
    /// `deepest`: how many calls may be made one in the other, the outermost not counted.
    pub(super) fn new(instances: u32, deepest: u32) -> Self {
        let level = |kept: u32| {
            let places = instances.saturating_sub(kept).max(1);
            Arc::new(Semaphore::new(places as usize))
        };
        Self {
            levels: (0..=deepest).rev().map(level).collect(),
            instances,
        }
    }

    /// What a call of a level takes.
    fn of(&self, level: usize) -> &[Arc<Semaphore>] {
        let level = level.min(self.levels.len().saturating_sub(1));
        self.levels.get(level..).unwrap_or_default()
    }

    fn is_full(&self, level: usize) -> bool {
        let levels = self.of(level);
        levels.iter().any(|places| places.available_permits() == 0)
    }
}

impl Turns {
    pub(super) fn new(limits: &FunctionLimits, all: &AllTurns) -> Arc<Self> {
        Arc::new(Self {
            places: Arc::new(Semaphore::new(limits.instances as usize)),
            all: all.clone(),
            instances: limits.instances,
            running: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            queue: limits.queue,
            patience: limits.queue_timeout,
        })
    }

    /// Instances that are there.
    pub(super) fn running(&self) -> u32 {
        self.running.load(Ordering::Relaxed)
    }

    /// Calls that wait.
    pub(super) fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How long a call that was sent away had better wait before it comes again.
    pub(super) fn retry_after(&self) -> Duration {
        self.patience
    }

    /// Waits for a turn. `level`: how many calls this one is made in.
    ///
    /// # Errors
    /// [`FaultKind::NoCapacity`], [`FaultKind::QueueDeadline`].
    pub(super) async fn take(self: &Arc<Self>, level: usize) -> Result<Turn, NoTurn> {
        if let Some(places) = self.free(level) {
            return Ok(self.turn(places));
        }
        let _waiting = self.wait(level)?;
        match tokio::time::timeout(self.patience, self.acquired(level)).await {
            Ok(Ok(places)) => Ok(self.turn(places)),
            Ok(Err(_closed)) => Err(self.refusal(FaultKind::NoCapacity, level)),
            Err(_late) => Err(self.refusal(FaultKind::QueueDeadline, level)),
        }
    }

    fn free(&self, level: usize) -> Option<Places> {
        let take = |places: &Arc<Semaphore>| Arc::clone(places).try_acquire_owned().ok();
        let own = take(&self.places)?;
        let all = self.all.of(level).iter().map(take).collect::<Option<_>>()?;
        Some((own, all))
    }

    async fn acquired(&self, level: usize) -> Result<Places, AcquireError> {
        let own = Arc::clone(&self.places).acquire_owned().await?;
        let levels = self.all.of(level);
        let mut all = Vec::with_capacity(levels.len());
        for places in levels {
            all.push(Arc::clone(places).acquire_owned().await?);
        }
        Ok((own, all))
    }

    fn turn(self: &Arc<Self>, places: Places) -> Turn {
        Turn {
            is_cold: self.running.fetch_add(1, Ordering::Relaxed) == 0,
            turns: Arc::clone(self),
            _places: places,
        }
    }

    fn wait(&self, level: usize) -> Result<Waiting<'_>, NoTurn> {
        let one_more = |waiting: u32| (waiting < self.queue).then_some(waiting + 1);
        self.waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .map(|_| Waiting(&self.waiting))
            .map_err(|_| self.refusal(FaultKind::NoCapacity, level))
    }

    fn refusal(&self, kind: FaultKind, level: usize) -> NoTurn {
        let cap = if self.all.is_full(level) {
            format!("function_instances: {}", self.all.instances)
        } else {
            format!("limits.instances: {}", self.instances)
        };
        let text = match kind {
            FaultKind::QueueDeadline => format!(
                "it waited for its turn for {:?} (limits.queue_timeout), as many calls run as may ({cap})",
                self.patience
            ),
            _ => format!(
                "as many calls run as may ({cap}), and as many wait as may (limits.queue: {})",
                self.queue
            ),
        };
        NoTurn { kind, text }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A call in the queue.
struct Waiting<'t>(&'t AtomicU32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(instances: u32, queue: u32, all: u32) -> Arc<Turns> {
        let limits = FunctionLimits {
            instances,
            queue,
            queue_timeout: Duration::from_millis(500),
            ..FunctionLimits::default()
        };
        Turns::new(&limits, &AllTurns::new(all, 0))
    }

    #[tokio::test(start_paused = true)]
    async fn calls_run_wait_and_are_sent_away() {
        let turns = turns(1, 1, 10);
        let first = turns.take(0).await.ok().unwrap();
        assert!(first.is_cold);
        let waits = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.take(0).await.map(drop) }
        });
        tokio::task::yield_now().await;
        assert_eq!((turns.running(), turns.waiting()), (1, 1));
        let refused = turns.take(0).await.err().unwrap();
        assert_eq!(refused.kind, FaultKind::NoCapacity);
        assert!(refused.text.contains("limits.queue: 1"), "{}", refused.text);
        drop(first);
        assert_eq!(waits.await.unwrap(), Ok(()));
        assert_eq!((turns.running(), turns.waiting()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_beyond_the_deadline() {
        let turns = turns(1, 5, 10);
        let turn = turns.take(0).await.ok().unwrap();
        let begun = tokio::time::Instant::now();
        let late = turns.take(0).await.err().unwrap();
        assert_eq!(late.kind, FaultKind::QueueDeadline);
        assert_eq!(begun.elapsed(), Duration::from_millis(500));
        assert!(late.text.contains("limits.instances: 1"), "{}", late.text);
        drop(turn);
        assert!(turns.take(0).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_gateways_cap_holds_over_all_functions() {
        let all = AllTurns::new(1, 0);
        let limits = FunctionLimits::default();
        let (one, other) = (Turns::new(&limits, &all), Turns::new(&limits, &all));
        let turn = one.take(0).await.ok().unwrap();
        let late = other.take(0).await.err().unwrap();
        assert!(late.text.contains("function_instances: 1"), "{}", late.text);
        drop(turn);
        assert!(other.take(0).await.ok().unwrap().is_cold);
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_leaves_no_trace() {
        let turns = turns(1, 1, 10);
        let turn = turns.take(0).await.ok().unwrap();
        let waits = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.take(0).await.map(drop) }
        });
        tokio::task::yield_now().await;
        waits.abort();
        let _ = waits.await;
        assert_eq!(turns.waiting(), 0);
        drop(turn);
        let second = turns.take(0).await.ok().unwrap();
        assert!(second.is_cold, "nothing of it was there");
        let third = tokio::time::timeout(Duration::from_secs(1), turns.take(0)).await;
        assert_eq!(third.unwrap().err().unwrap().kind, FaultKind::QueueDeadline);
        drop(second);
    }

    /// All places taken by callers that wait for those that they call: nobody would ever go on.
    #[tokio::test(start_paused = true)]
    async fn callers_leave_places_for_those_that_they_call() {
        let all = AllTurns::new(4, 2);
        let limits = FunctionLimits::default();
        let [outer, middle, inner] = [(); 3].map(|()| Turns::new(&limits, &all));
        let mut held = Vec::new();
        for (turns, level, most) in [(&outer, 0, 2), (&middle, 1, 1), (&inner, 2, 1)] {
            for _ in 0..most {
                held.push(turns.take(level).await.ok().unwrap());
            }
            let late = turns.take(level).await.err().unwrap();
            assert!(late.text.contains("function_instances: 4"), "{}", late.text);
        }
        // Deeper than anything was counted on: as the deepest.
        assert!(inner.take(9).await.is_err());
        held.pop();
        assert!(outer.take(0).await.is_err(), "that one is for inner calls");
        assert!(inner.take(2).await.is_ok());
    }
}
