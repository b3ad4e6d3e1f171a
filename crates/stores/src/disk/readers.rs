//! Threads that read from the disk, so that no worker does. Started when they are needed.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use weir_maps::MapError;
use weir_maps::store::Later;
use weir_model::limits::disk as limits;

use super::queue::closed;

type Job = Box<dyn FnOnce() + Send>;

/// The threads of one map, and what waits for them.
#[derive(Clone, Default)]
pub(crate) struct Readers(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    bell: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    closing: bool,
}

impl Readers {
    /// Does something on one of the threads and answers it later.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, MapError> + Send + 'static,
    ) -> Result<Later<T>, MapError> {
        let (reply, answer) = oneshot::channel();
        self.push(Box::new(move || {
            // Whoever asked may have gone meanwhile.
            reply.send(read()).ok();
        }))?;
        Ok(Box::pin(async move {
            answer.await.unwrap_or_else(|_| Err(closed()))
        }))
    }

    /// Ends the threads when they have done what waits for them.
    pub(crate) fn close(&self) {
        self.0.lock().closing = true;
        self.0.bell.notify_all();
    }

    fn push(&self, job: Job) -> Result<(), MapError> {
        let mut waiting = self.0.lock();
        if waiting.closing {
            return Err(closed());
        }
        if waiting.jobs.len() >= limits::READS_WAITING_MAX {
            let max = limits::READS_WAITING_MAX;
            return Err(MapError::NoMemory {
                what: "reads waiting for the disk",
                max,
            });
        }
        waiting.jobs.push_back(job);
        if waiting.idle >= waiting.jobs.len() || waiting.threads >= limits::READERS_MAX {
            self.0.bell.notify_one();
            return Ok(());
        }
        let shared = Arc::clone(&self.0);
        let started = std::thread::Builder::new()
            .name("weir-map-read".into())
            .spawn(move || shared.work());
        match started {
            Ok(_) => waiting.threads += 1,
            Err(error) if waiting.threads == 0 => {
                waiting.jobs.clear();
                let told = format!("cannot start a thread that reads: {error}");
                return Err(MapError::Io(told));
            }
            // Those that there are will do.
            Err(_) => self.0.bell.notify_one(),
        }
        Ok(())
    }
}

impl Shared {
    fn work(&self) {
        let mut waiting = self.lock();
        loop {
            if let Some(job) = waiting.jobs.pop_front() {
                drop(waiting);
                job();
                waiting = self.lock();
            } else if waiting.closing {
                return;
            } else {
                waiting.idle += 1;
                waiting = self
                    .bell
                    .wait(waiting)
                    .unwrap_or_else(PoisonError::into_inner);
                waiting.idle -= 1;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").finish_non_exhaustive()
    }
}
