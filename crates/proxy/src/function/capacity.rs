//! Turns: which calls run, which wait, and which are sent away.
//!
//! Shared by all workers. Invariant: a call that runs holds a place of its function and one of the
//! gateway; those that wait are answered in the order in which they came, or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use weir_functions::FaultKind;
use weir_model::FunctionLimits;

/// The places of the whole gateway.
#[derive(Clone)]
pub(super) struct AllTurns {
    places: Arc<Semaphore>,
    instances: u32,
}

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
    _places: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

/// Why there is no turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoTurn {
    pub(super) kind: FaultKind,
    pub(super) text: String,
}

impl AllTurns {
    pub(super) fn new(instances: u32) -> Self {
        Self {
            places: Arc::new(Semaphore::new(instances as usize)),
            instances,
        }
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

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`FaultKind::NoCapacity`], [`FaultKind::QueueDeadline`].
    pub(super) async fn take(self: &Arc<Self>) -> Result<Turn, NoTurn> {
        let own = Arc::clone(&self.places).try_acquire_owned();
        if let Ok(own) = own
            && let Ok(all) = Arc::clone(&self.all.places).try_acquire_owned()
        {
            return Ok(self.turn((own, all)));
        }
        let _waiting = self.wait()?;
        match tokio::time::timeout(self.patience, self.both()).await {
            Ok(Ok(places)) => Ok(self.turn(places)),
            Ok(Err(_closed)) => Err(self.refusal(FaultKind::NoCapacity)),
            Err(_late) => Err(self.refusal(FaultKind::QueueDeadline)),
        }
    }

    async fn both(&self) -> Result<(OwnedSemaphorePermit, OwnedSemaphorePermit), AcquireError> {
        let own = Arc::clone(&self.places).acquire_owned().await?;
        let all = Arc::clone(&self.all.places).acquire_owned().await?;
        Ok((own, all))
    }

    fn turn(self: &Arc<Self>, places: (OwnedSemaphorePermit, OwnedSemaphorePermit)) -> Turn {
        Turn {
            is_cold: self.running.fetch_add(1, Ordering::Relaxed) == 0,
            turns: Arc::clone(self),
            _places: places,
        }
    }

    fn wait(&self) -> Result<Waiting<'_>, NoTurn> {
        let one_more = |waiting: u32| (waiting < self.queue).then_some(waiting + 1);
        self.waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .map(|_| Waiting(&self.waiting))
            .map_err(|_| self.refusal(FaultKind::NoCapacity))
    }

    fn refusal(&self, kind: FaultKind) -> NoTurn {
        let cap = if self.running() < self.instances {
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
        Turns::new(&limits, &AllTurns::new(all))
    }

    #[tokio::test(start_paused = true)]
    async fn calls_run_wait_and_are_sent_away() {
        let turns = turns(1, 1, 10);
        let first = turns.take().await.ok().unwrap();
        assert!(first.is_cold);
        let waits = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.take().await.map(drop) }
        });
        tokio::task::yield_now().await;
        assert_eq!((turns.running(), turns.waiting()), (1, 1));
        let refused = turns.take().await.err().unwrap();
        assert_eq!(refused.kind, FaultKind::NoCapacity);
        assert!(refused.text.contains("limits.queue: 1"), "{}", refused.text);
        drop(first);
        assert_eq!(waits.await.unwrap(), Ok(()));
        assert_eq!((turns.running(), turns.waiting()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_beyond_the_deadline() {
        let turns = turns(1, 5, 10);
        let turn = turns.take().await.ok().unwrap();
        let begun = tokio::time::Instant::now();
        let late = turns.take().await.err().unwrap();
        assert_eq!(late.kind, FaultKind::QueueDeadline);
        assert_eq!(begun.elapsed(), Duration::from_millis(500));
        assert!(late.text.contains("limits.instances: 1"), "{}", late.text);
        drop(turn);
        assert!(turns.take().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_gateways_cap_holds_over_all_functions() {
        let all = AllTurns::new(1);
        let limits = FunctionLimits::default();
        let (one, other) = (Turns::new(&limits, &all), Turns::new(&limits, &all));
        let turn = one.take().await.ok().unwrap();
        let late = other.take().await.err().unwrap();
        assert!(late.text.contains("function_instances: 1"), "{}", late.text);
        drop(turn);
        assert!(other.take().await.ok().unwrap().is_cold);
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_leaves_no_trace() {
        let turns = turns(1, 1, 10);
        let turn = turns.take().await.ok().unwrap();
        let waits = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.take().await.map(drop) }
        });
        tokio::task::yield_now().await;
        waits.abort();
        let _ = waits.await;
        assert_eq!(turns.waiting(), 0);
        drop(turn);
        let second = turns.take().await.ok().unwrap();
        assert!(second.is_cold, "nothing of it was there");
        let third = tokio::time::timeout(Duration::from_secs(1), turns.take()).await;
        assert_eq!(third.unwrap().err().unwrap().kind, FaultKind::QueueDeadline);
        drop(second);
    }
}
