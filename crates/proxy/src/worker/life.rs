//! The life of one worker, on its own thread.

use std::error::Error as StdError;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc as blocking;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use weir_model::{Listener, Name, limits};

use super::{Counters, Report, Seat, Sockets, StartError, WorkerFailure};
use crate::ledger::Ledger;
use crate::listen::accept::Door;
use crate::listen::{Fleet, ListenerSeat, Order, Serve};

/// How long the events of freshly accepted connections take to arrive at most, so that a request
/// already sent is not taken for an idle connection.
const SETTLE: Duration = Duration::from_millis(10);
/// Idle threads for blocking work end after this.
const BLOCKING_IDLE: Duration = Duration::from_secs(10);
/// Blocking work that outlives its worker by more than this is left behind.
const BLOCKING_END: Duration = Duration::from_secs(1);

/// A listener with its bound address.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) listener: Arc<Listener>,
    pub(super) bound: SocketAddr,
    pub(super) open: Arc<AtomicUsize>,
}

impl Address {
    pub(super) fn named(&self) -> (Name, SocketAddr) {
        (self.listener.name.clone(), self.bound)
    }
}

/// A worker that has not started.
pub(super) struct Worker<F> {
    pub(super) index: usize,
    pub(super) counters: Arc<Counters>,
    pub(super) addresses: Vec<Address>,
    pub(super) log: Option<blocking::SyncSender<Vec<u8>>>,
    pub(super) make: Arc<F>,
    pub(super) ready: blocking::Sender<Result<(), StartError>>,
    pub(super) sockets: oneshot::Receiver<Sockets>,
    pub(super) orders: watch::Receiver<Option<Instant>>,
    pub(super) report: mpsc::Sender<Report>,
}

impl<F> Worker<F> {
    /// Starts the thread.
    pub(super) fn spawn<S, E>(self) -> Result<JoinHandle<()>, StartError>
    where
        F: AsyncFn(Seat) -> Result<Rc<S>, E> + Send + Sync + 'static,
        S: Serve,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let worker = self.index;
        std::thread::Builder::new()
            .name(format!("weir-{worker}"))
            .stack_size(limits::WORKER_STACK_BYTES)
            .spawn(move || self.run())
            .map_err(|error| StartError::System { worker, error })
    }

    fn run<S, E>(self)
    where
        F: AsyncFn(Seat) -> Result<Rc<S>, E>,
        S: Serve,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let worker = self.index;
        let ready = self.ready.clone();
        let report = self.report.clone();
        let outcome = catch_unwind(AssertUnwindSafe(|| self.in_runtime()));
        let outcome = outcome.map_err(|panic| {
            let message = message_of(&*panic);
            tracing::error!(
                worker,
                message,
                "a worker failed by a defect of the gateway"
            );
            WorkerFailure { worker, message }
        });
        if let Err(failure) = &outcome {
            // Nobody listens any more when the start is over.
            let _ = ready.send(Err(failure.clone().into()));
        }
        // There is room for one report of each worker.
        let _ = report.try_send(outcome);
    }

    fn in_runtime<S, E>(self) -> usize
    where
        F: AsyncFn(Seat) -> Result<Rc<S>, E>,
        S: Serve,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(limits::BLOCKING_THREADS_MAX)
            .thread_keep_alive(BLOCKING_IDLE)
            .build_local(LocalOptions::default());
        let worker = self.index;
        match runtime {
            Ok(runtime) => {
                let cut = runtime.block_on(self.live());
                runtime.shutdown_timeout(BLOCKING_END);
                cut
            }
            Err(error) => {
                let _ = self.ready.send(Err(StartError::System { worker, error }));
                0
            }
        }
    }

    /// Returns the number of connections that were cut.
    async fn live<S, E>(self) -> usize
    where
        F: AsyncFn(Seat) -> Result<Rc<S>, E>,
        S: Serve,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let worker = self.index;
        let ledger = match self.log {
            Some(queue) => Ledger::new(queue, Arc::clone(&self.counters)),
            None => Ledger::off(),
        };
        let seat = Seat {
            worker,
            ledger: ledger.clone(),
        };
        let made = (self.make)(seat)
            .await
            .map_err(|error| StartError::Handler {
                worker,
                error: error.into(),
            });
        let handler = match made {
            Ok(handler) => handler,
            Err(error) => {
                let _ = self.ready.send(Err(error));
                return 0;
            }
        };
        let _ = self.ready.send(Ok(()));
        let Ok(sockets) = self.sockets.await else {
            // Another worker could not start.
            return 0;
        };
        let fleet = Rc::new(Fleet::new(self.orders.clone()));
        let crew = Crew {
            addresses: &self.addresses,
            counters: &self.counters,
            fleet: &fleet,
        };
        let cut = crew.serve(sockets, handler, self.orders, &ledger).await;
        ledger.flush();
        cut
    }
}

/// What a worker serves with.
struct Crew<'a> {
    addresses: &'a [Address],
    counters: &'a Arc<Counters>,
    fleet: &'a Rc<Fleet>,
}

impl Crew<'_> {
    async fn serve<S: Serve>(
        &self,
        sockets: Sockets,
        handler: Rc<S>,
        mut orders: watch::Receiver<Option<Instant>>,
        ledger: &Ledger,
    ) -> usize {
        let (close, closing) = watch::channel(false);
        let mut doors = JoinSet::new();
        for (index, socket) in sockets.into_iter().enumerate() {
            let door = self.door(index, Rc::clone(&handler));
            let closing = closing.clone();
            doors.spawn_local(async move { door.attend(socket_of(socket), closing).await });
        }
        let flushes = tokio::task::spawn_local(ledger.clone().flushes());
        let deadline = loop {
            tokio::select! {
                changed = orders.changed() => {
                    // Whoever started the workers is gone: there is no time left.
                    let order = changed.map(|()| *orders.borrow_and_update());
                    if let Some(deadline) = order.unwrap_or_else(|_| Some(Instant::now())) {
                        break deadline;
                    }
                }
                Some(ended) = doors.join_next() => rethrow(ended),
            }
        };
        close.send_replace(true);
        while let Some(ended) = doors.join_next().await {
            rethrow(ended);
        }
        tokio::time::sleep(SETTLE).await;
        let cut = self.dismiss(deadline).await;
        handler.end(deadline).await;
        flushes.abort();
        cut
    }

    fn door<S: Serve>(&self, index: usize, handler: Rc<S>) -> Door<S> {
        let address = &self.addresses[index];
        let seat = ListenerSeat {
            index,
            listener: Arc::clone(&address.listener),
            address: address.bound,
            open: Arc::clone(&address.open),
        };
        Door {
            seat: Rc::new(seat),
            fleet: Rc::clone(self.fleet),
            handler,
            counters: Arc::clone(self.counters),
        }
    }

    async fn dismiss(&self, deadline: Instant) -> usize {
        self.fleet.command(Order::Drain);
        let drained = tokio::time::timeout_at(deadline, self.fleet.emptied());
        if drained.await.is_err() {
            self.fleet.command(Order::Cut);
            // Only those that linger take their time.
            let _ = tokio::time::timeout(limits::LINGER_TIME, self.fleet.emptied()).await;
        }
        self.fleet.cut()
    }
}

/// Must run inside the runtime.
fn socket_of(socket: std::net::TcpListener) -> TcpListener {
    match TcpListener::from_std(socket) {
        Ok(socket) => socket,
        // A worker without its socket would leave connections waiting for ever: better it fails.
        Err(error) => panic!("the event loop refuses a listening socket: {error}"),
    }
}

fn rethrow(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        resume_unwind(error.into_panic());
    }
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
