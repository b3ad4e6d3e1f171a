//! Worker threads: all of them start, or none; they drain together.
//!
//! A worker is one thread with its own runtime, sockets, connections and handler. Nothing on it is
//! shared with the others but numbers. Starting is in three steps: every address is bound, every
//! worker makes its handler, and only then do the sockets listen.

mod counters;
mod life;

#[cfg(test)]
mod tests;

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc as blocking;
use std::thread::JoinHandle;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use weir_model::{Listener, Name};

use crate::ledger::Ledger;
use crate::ledger::writer::LogWriter;
use crate::listen::Serve;
pub use crate::listen::bind::KeptSockets;
use crate::listen::bind::{BindError, Claim};
pub(crate) use counters::Counters;
pub use counters::Totals;
use life::{Address, Worker};

/// What is to be started.
pub(crate) struct Plan {
    pub(crate) workers: NonZeroUsize,
    pub(crate) listeners: Vec<Arc<Listener>>,
    /// Sockets of a gateway before; `None`: every address must be free.
    pub(crate) sockets: Option<Arc<KeptSockets>>,
    /// Where the access log goes; `None`: it is off.
    pub(crate) log: Option<Box<dyn io::Write + Send>>,
}

/// The place of a handler: what it is given when its worker starts.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    /// Number of the worker, from 0.
    pub(crate) worker: usize,
    pub(crate) ledger: Ledger,
}

/// Why nothing was started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// No thread or runtime.
    #[error("worker {worker}: the system refuses a thread or runtime: {error}")]
    System {
        /// Number of the worker.
        worker: usize,
        /// The reason given by the system.
        #[source]
        error: io::Error,
    },
    /// The handler of a worker could not be made.
    #[error("worker {worker}: {error}")]
    Handler {
        /// Number of the worker.
        worker: usize,
        /// What the maker said.
        #[source]
        error: Box<dyn StdError + Send + Sync>,
    },
    /// A defect of the gateway.
    #[error(transparent)]
    Failed(#[from] WorkerFailure),
}

/// A worker that ended by a defect of the gateway.
#[derive(Clone, Debug, Error)]
#[error("worker {worker} failed: {message}")]
pub struct WorkerFailure {
    /// Number of the worker.
    pub worker: usize,
    /// The message of the panic.
    pub message: String,
}

/// What became of the connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DrainReport {
    /// Connections that were still open when the time was over.
    pub connections_cut: usize,
    /// Workers that had failed, before or while draining.
    pub workers_failed: usize,
}

/// Workers that serve. Dropping it stops them at once.
pub struct Running {
    addresses: Vec<(Name, SocketAddr)>,
    counters: Vec<Arc<Counters>>,
    orders: watch::Sender<Option<Instant>>,
    reports: mpsc::Receiver<Report>,
    threads: Vec<JoinHandle<()>>,
    writer: Option<LogWriter>,
    report: DrainReport,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("addresses", &self.addresses)
            .field("workers", &self.threads.len())
            .finish_non_exhaustive()
    }
}

/// How a worker ended: the connections that it cut.
type Report = Result<usize, WorkerFailure>;

/// Binds every address, makes every handler on its thread, then serves. Blocks until all serve.
///
/// # Errors
/// Nothing serves then; sockets are closed.
pub(crate) fn start<F, S, E>(plan: Plan, make: F) -> Result<Running, StartError>
where
    F: AsyncFn(Seat) -> Result<Rc<S>, E> + Send + Sync + 'static,
    S: Serve,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    let workers = plan.workers.get();
    let claims = plan
        .listeners
        .iter()
        .map(|listener| match &plan.sockets {
            Some(kept) => Claim::with(listener, workers, kept),
            None => Claim::new(listener, workers),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let addresses = addresses(&plan.listeners, &claims);
    let writer = plan.log.map(LogWriter::start).transpose();
    let writer = writer.map_err(|error| StartError::System { worker: 0, error })?;

    let (orders, _) = watch::channel(None);
    let (report, reports) = mpsc::channel(workers);
    let (ready, readiness) = blocking::channel();
    let make = Arc::new(make);
    let mut running = Running {
        addresses: addresses.iter().map(Address::named).collect(),
        counters: Vec::with_capacity(workers),
        orders,
        reports,
        threads: Vec::with_capacity(workers),
        writer,
        report: DrainReport::default(),
    };
    let mut starters = Vec::with_capacity(workers);
    for worker in 0..workers {
        let (starter, sockets) = oneshot::channel();
        let counters = Arc::<Counters>::default();
        running.counters.push(Arc::clone(&counters));
        let worker = Worker {
            index: worker,
            counters,
            addresses: addresses.clone(),
            log: running.writer.as_ref().map(LogWriter::queue),
            make: Arc::clone(&make),
            ready: ready.clone(),
            sockets,
            orders: running.orders.subscribe(),
            report: report.clone(),
        };
        running.threads.push(worker.spawn()?);
        starters.push(starter);
    }
    drop((report, ready));
    for outcome in readiness.iter().take(workers) {
        outcome?;
    }
    open(claims, starters)?;
    Ok(running)
}

/// Lets the sockets listen and gives each worker its own.
fn open(claims: Vec<Claim>, starters: Vec<oneshot::Sender<Sockets>>) -> Result<(), StartError> {
    let mut shares: Vec<Sockets> = starters.iter().map(|_| Vec::new()).collect();
    for claim in claims {
        for (share, socket) in shares.iter_mut().zip(claim.listen()?) {
            share.push(socket);
        }
    }
    for (starter, share) in starters.into_iter().zip(shares) {
        // A worker that is gone has reported its failure, which `Running::failed` tells.
        let _ = starter.send(share);
    }
    Ok(())
}

/// The listening sockets of one worker, in the order of the listeners.
type Sockets = Vec<std::net::TcpListener>;

fn addresses(listeners: &[Arc<Listener>], claims: &[Claim]) -> Vec<Address> {
    let pairs = listeners.iter().zip(claims);
    pairs
        .map(|(listener, claim)| Address {
            listener: Arc::clone(listener),
            bound: claim.address,
            open: Arc::new(AtomicUsize::new(0)),
        })
        .collect()
}

impl Running {
    /// Name and bound address of each listener.
    #[must_use]
    pub fn addresses(&self) -> &[(Name, SocketAddr)] {
        &self.addresses
    }

    /// What all workers counted together.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals::of(self.counters.iter().map(|counters| &**counters))
    }

    /// A reader of the totals that outlives this value, for an admin page.
    pub fn meter(&self) -> impl Fn() -> Totals + Send + Sync + 'static {
        let counters = self.counters.clone();
        move || Totals::of(counters.iter().map(|counters| &**counters))
    }

    /// Waits until a worker fails: the process cannot serve all of its traffic any more and should
    /// drain and end. Waits for ever when none does. Cancel safe.
    pub async fn failed(&mut self) -> WorkerFailure {
        loop {
            match self.reports.recv().await {
                Some(Err(failure)) => {
                    self.report.workers_failed += 1;
                    return failure;
                }
                Some(Ok(cut)) => self.report.connections_cut += cut,
                None => std::future::pending().await,
            }
        }
    }

    /// Stops accepting, closes idle connections, lets exchanges finish for this long, cuts the
    /// rest, writes the access log out, and ends the threads.
    pub async fn drain(self, timeout: Duration) -> DrainReport {
        let Self {
            orders,
            mut reports,
            threads,
            writer,
            mut report,
            ..
        } = self;
        orders.send_replace(Some(Instant::now() + timeout));
        while let Some(outcome) = reports.recv().await {
            match outcome {
                Ok(cut) => report.connections_cut += cut,
                Err(_) => report.workers_failed += 1,
            }
        }
        let end = tokio::task::spawn_blocking(move || {
            for thread in threads {
                // Its panic was caught and reported.
                let _ = thread.join();
            }
            if let Some(writer) = writer {
                writer.close();
            }
        });
        if let Err(error) = end.await {
            tracing::error!(%error, "the end of the workers failed");
        }
        report
    }
}
