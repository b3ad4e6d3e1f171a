//! One address of a cluster: its connections, its load and its health.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;
use weir_model::Ejection;

use super::connection::{ConnectError, Connection, Encryption, connect};
use super::session::{Session, Sessions};

/// One address of a cluster.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    /// The same name's address of the other IP family, tried where the first one refuses.
    alternate: Option<SocketAddr>,
    prefers_alternate: Cell<bool>,
    in_flight: Cell<usize>,
    idle: RefCell<VecDeque<Idle>>,
    /// Where the cluster speaks HTTP/2.
    pub(super) sessions: Rc<Sessions>,
    failures: Cell<u32>,
    ejections: Cell<u32>,
    ejected_until: Cell<Option<Instant>>,
    is_retired: Cell<bool>,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

impl Host {
    pub(super) fn new(address: SocketAddr, alternate: Option<SocketAddr>) -> Self {
        Self {
            address,
            alternate,
            prefers_alternate: Cell::new(false),
            in_flight: Cell::new(0),
            idle: RefCell::default(),
            sessions: Rc::default(),
            failures: Cell::new(0),
            ejections: Cell::new(0),
            ejected_until: Cell::new(None),
            is_retired: Cell::new(false),
        }
    }

    /// Whether it stands for the same addresses.
    pub(super) fn is_at(&self, address: SocketAddr, alternate: Option<SocketAddr>) -> bool {
        self.address == address && self.alternate == alternate
    }

    /// Whether connections to `peer` are connections to it.
    pub(super) fn has(&self, peer: SocketAddr) -> bool {
        self.address == peer || self.alternate == Some(peer)
    }

    /// Requests that hold a connection to it, or are opening one.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    pub(super) fn enter(&self) {
        self.in_flight.set(self.in_flight.get() + 1);
    }

    pub(super) fn leave(&self) {
        self.in_flight.set(self.in_flight.get() - 1);
    }

    /// Opens a connection for one request at a time.
    pub(super) async fn open(
        &self,
        limit: Duration,
        encryption: Option<&Encryption>,
    ) -> Result<Connection, ConnectError> {
        self.reach(|address| Connection::open(address, limit, encryption))
            .await
    }

    /// Opens a connection for many requests.
    pub(super) async fn open_session(
        self: Rc<Self>,
        limit: Duration,
    ) -> Result<Session, ConnectError> {
        self.reach(|address| Session::open(address, limit)).await
    }

    /// Opens a bare connection.
    pub(super) async fn open_alone(&self, limit: Duration) -> Result<TcpStream, ConnectError> {
        self.reach(|address| connect(address, limit)).await
    }

    /// Opens something at the preferred address, or at the alternate one where that fails.
    async fn reach<T>(
        &self,
        open: impl AsyncFn(SocketAddr) -> Result<T, ConnectError>,
    ) -> Result<T, ConnectError> {
        let Some(alternate) = self.alternate else {
            return open(self.address).await;
        };
        let prefers_alternate = self.prefers_alternate.get();
        let (first, second) = if prefers_alternate {
            (alternate, self.address)
        } else {
            (self.address, alternate)
        };
        if let Ok(opened) = open(first).await {
            return Ok(opened);
        }
        let opened = open(second).await?;
        self.prefers_alternate.set(!prefers_alternate);
        Ok(opened)
    }

    /// The connection used last that is still good.
    pub(super) fn take_idle(&self, keep: Duration) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        if idle.is_empty() {
            return None;
        }
        let now = Instant::now();
        while let Some(Idle {
            mut connection,
            since,
        }) = idle.pop_back()
        {
            // One that is not ready still has unsent bytes of an earlier request: it is closed.
            if connection.sender.is_ready() && now.duration_since(since) < keep {
                connection.is_reused = true;
                return Some(connection);
            }
        }
        None
    }

    pub(super) fn put_idle(&self, connection: Connection) {
        if !self.is_retired.get() && !connection.sender.is_closed() {
            self.idle.borrow_mut().push_back(Idle {
                connection,
                since: Instant::now(),
            });
        }
    }

    /// Closes the connection that was idle for longest.
    pub(super) fn evict_oldest(&self) {
        self.idle.borrow_mut().pop_front();
    }

    /// Closes connections idle for `keep`, and lets go of those that the upstream closed.
    pub(super) fn sweep(&self, keep: Duration) {
        let now = Instant::now();
        self.idle.borrow_mut().retain(|idle| {
            !idle.connection.sender.is_closed() && now.duration_since(idle.since) < keep
        });
        self.sessions.sweep(keep);
    }

    pub(super) fn idle_count(&self) -> usize {
        self.idle.borrow().len()
    }

    /// The name no longer has this address: requests in flight go on, nothing is kept after them.
    pub(super) fn retire(&self) {
        self.is_retired.set(true);
        self.idle.borrow_mut().clear();
        self.sessions.clear();
    }

    pub(crate) fn is_ejected(&self) -> bool {
        self.ejected_until.get().is_some()
    }

    /// Ends an ejection whose time has come. Returns whether it did.
    pub(super) fn readmit(&self, now: Instant) -> bool {
        let is_over = self.ejected_until.get().is_some_and(|until| until <= now);
        if is_over {
            self.ejected_until.set(None);
        }
        is_over
    }

    /// An answer below 500: failures and ejections are in a row no more.
    pub(super) fn succeeded(&self) {
        if self.ejected_until.get().is_none() {
            self.failures.set(0);
            self.ejections.set(0);
        }
    }

    /// A failure. Returns whether it makes enough in a row to eject.
    pub(super) fn failed(&self, ejection: &Ejection) -> bool {
        let failures = self.failures.get().saturating_add(1);
        self.failures.set(failures);
        failures >= ejection.consecutive_failures && !self.is_ejected()
    }

    /// Leaves it out for a while, longer each time. Returns for how long.
    pub(super) fn eject(&self, base: Duration) -> Duration {
        let times = self.ejections.get().saturating_add(1);
        let period = base.saturating_mul(times);
        self.ejections.set(times);
        self.failures.set(0);
        self.ejected_until.set(Instant::now().checked_add(period));
        period
    }
}
