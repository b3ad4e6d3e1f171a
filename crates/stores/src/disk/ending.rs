//! The end of a map's thread, for those who wait for it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use weir_maps::MapError;

/// Whether the file is closed, and with what result.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    end: Mutex<End>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct End {
    result: Option<Result<(), MapError>>,
    waiting: Vec<oneshot::Sender<Result<(), MapError>>>,
}

impl Ending {
    /// Comes when the file is closed.
    pub(crate) fn coming(&self) -> oneshot::Receiver<Result<(), MapError>> {
        let (done, coming) = oneshot::channel();
        let mut end = self.lock();
        match &end.result {
            // Nobody is gone yet: it is returned below.
            Some(result) => drop(done.send(result.clone())),
            None => end.waiting.push(done),
        }
        coming
    }

    /// Waits on this thread until the file is closed, or as long as this.
    pub(crate) fn wait(&self, longest: Duration) -> Result<(), MapError> {
        let open = |end: &mut End| end.result.is_none();
        let waited = self.ended.wait_timeout_while(self.lock(), longest, open);
        let (end, _) = waited.unwrap_or_else(PoisonError::into_inner);
        end.result.clone().unwrap_or(Err(MapError::TimedOut))
    }

    /// The file is closed. What is told first counts.
    pub(crate) fn tell(&self, result: &Result<(), MapError>) {
        let mut end = self.lock();
        end.result.get_or_insert_with(|| result.clone());
        for done in end.waiting.drain(..) {
            // Whoever asked may have gone meanwhile.
            done.send(result.clone()).ok();
        }
        self.ended.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, End> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
