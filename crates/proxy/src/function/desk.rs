//! What a guest asks of its worker that takes a while.
//!
//! A guest is polled where nothing may be bound to the worker's thread, but connections and stores
//! are. So the work is handed to a task of the worker, and the guest waits on a channel.

use std::rc::{Rc, Weak};

use tokio::sync::{mpsc, oneshot};
use weir_functions::surroundings::Later;

use crate::gateway::Shared;

type Job = Box<dyn FnOnce(&Rc<Shared>) + Send>;

/// Where work for the worker is left. Holds no more than guests may have in flight
/// (`limits.fetches` of each, and one call of a map).
#[derive(Clone)]
pub(crate) struct Desk(mpsc::UnboundedSender<Job>);

impl Desk {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Job>) {
        let (desk, jobs) = mpsc::unbounded_channel();
        (Self(desk), jobs)
    }

    /// Has the worker do something whose end the guest waits for. When it stops waiting, the work
    /// is dropped. `gone` is answered when the worker ends.
    pub(super) fn ask<T, F>(
        &self,
        gone: T,
        work: impl FnOnce(Rc<Shared>) -> F + Send + 'static,
    ) -> Later<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + 'static,
    {
        let (mut tell, told) = oneshot::channel();
        self.leave(move |shared| {
            let work = work(Rc::clone(shared));
            let _ = shared.spawn(async move {
                let done = tokio::select! {
                    biased;
                    () = tell.closed() => return,
                    done = work => done,
                };
                let _ = tell.send(done);
            });
        });
        Box::pin(async move { told.await.unwrap_or(gone) })
    }

    /// Has the worker do something to its end, whether the guest waits or not.
    pub(super) fn entrust<T, F>(
        &self,
        gone: T,
        work: impl FnOnce() -> F + Send + 'static,
    ) -> Later<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + 'static,
    {
        let (tell, told) = oneshot::channel();
        self.leave(move |shared| {
            let work = work();
            let _ = shared.spawn(async move {
                // Nobody may wait any more.
                let _ = tell.send(work.await);
            });
        });
        Box::pin(async move { told.await.unwrap_or(gone) })
    }

    fn leave(&self, job: impl FnOnce(&Rc<Shared>) + Send + 'static) {
        // A worker that has ended has dropped its guests, too.
        let _ = self.0.send(Box::new(job));
    }
}

/// Does what is left on the desk of a worker.
pub(crate) async fn serve_desk(shared: Weak<Shared>, mut jobs: mpsc::UnboundedReceiver<Job>) {
    while let Some(job) = jobs.recv().await {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        job(&shared);
    }
}
