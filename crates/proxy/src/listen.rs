//! The downstream side: sockets, connections, and the codec that turns bytes into exchanges.
//!
//! A connection is either *parked* (a bare socket and a timer: what an idle client costs) or *awake*
//! (hyper drives it). Every byte passes [`framing`], which decides a second time where messages
//! end; a request about which the two disagree is refused by [`vet`] and never forwarded.
//!
//! Half-closed clients: as Envoy, the end of the client's bytes is the end of the connection, also
//! while a response is on its way.

pub(crate) mod accept;
mod answer;
pub(crate) mod bind;
pub(crate) mod connection;
pub(crate) mod framing;
pub(crate) mod io;
pub(crate) mod vet;

#[cfg(test)]
pub(crate) mod tests;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use rustc_hash::FxHashMap;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use weir_model::Listener;

use crate::stream::Property;
use crate::worker::Counters;
use framing::Framing;

/// Answers the requests of a worker's connections.
pub(crate) trait Serve: 'static {
    /// The body of a response. An error in it cuts the connection: the client never takes a torso
    /// for the whole.
    type Body: Body<Data = Bytes, Error = Reset> + Unpin + 'static;

    /// One exchange. `Err` closes the connection without a response. The future and the body are
    /// dropped where they stand when the client goes away.
    fn serve(
        self: &Rc<Self>,
        connection: &Rc<Connection>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Self::Body>, Reset>>;

    /// Carries a TCP connection, from its accept to its end.
    fn carry(
        self: &Rc<Self>,
        _connection: &Rc<Connection>,
        _stream: TcpStream,
    ) -> impl Future<Output = ()> {
        std::future::ready(())
    }

    /// The last connection has ended: what else must end before the worker does, by then at the
    /// latest.
    fn end(&self, _deadline: Instant) -> impl Future<Output = ()> {
        std::future::ready(())
    }

    /// A connection ended without an exchange because of what the client sent or did not send.
    /// The codec has answered already.
    fn refused(self: &Rc<Self>, connection: &Rc<Connection>, refusal: Refusal) {
        tracing::debug!(connection = connection.id, peer = %connection.peer, ?refusal, "refused");
    }
}

/// Why the connection is cut instead of answered.
#[derive(Clone, Copy, Debug, Error)]
#[error("the exchange was reset: {0}")]
pub(crate) struct Reset(pub(crate) &'static str);

/// A request that the codec refused by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Not HTTP/1: answered 400, or closed where no answer can be read.
    Malformed,
    /// Request line and headers too large or too many: answered 431 or 414.
    HeadTooLarge,
    /// The head did not end in time: answered 408.
    HeadTimeout,
}

/// One listening address as its worker sees it.
#[derive(Debug)]
pub(crate) struct ListenerSeat {
    /// Position in the site's list of listeners.
    pub(crate) index: usize,
    /// What the operator wants of it.
    pub(crate) listener: Arc<Listener>,
    /// The address that was bound; the port is never 0.
    pub(crate) address: SocketAddr,
    /// Open connections of all workers.
    pub(crate) open: Arc<AtomicUsize>,
}

/// One connection of a client.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Unique in this process.
    pub(crate) id: u64,
    /// The client.
    pub(crate) peer: SocketAddr,
    /// The address that the client reached.
    pub(crate) local: SocketAddr,
    /// Where it was accepted.
    pub(crate) seat: Rc<ListenerSeat>,
    /// When it was accepted.
    pub(crate) accepted: Instant,
    pub(crate) counters: Arc<Counters>,
    fleet: Rc<Fleet>,
    framing: RefCell<Framing>,
    /// Requests that reached the service.
    requests: Cell<u64>,
    /// Exchanges whose response is not complete: 0 or 1.
    active: Cell<u32>,
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
    write_blocked: Cell<bool>,
    client_finished: Cell<bool>,
    cut_with_reset: Cell<bool>,
    /// What guests have set for as long as it lasts.
    pub(crate) properties: RefCell<Vec<Property>>,
    waker: RefCell<Option<Waker>>,
}

impl Connection {
    pub(crate) fn new(
        peer: SocketAddr,
        local: SocketAddr,
        seat: Rc<ListenerSeat>,
        fleet: Rc<Fleet>,
        counters: Arc<Counters>,
    ) -> Self {
        static NEXT_ID: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        seat.open.fetch_add(1, Ordering::Relaxed);
        counters.connections.add(1);
        counters.connections_active.add(1);
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            peer,
            local,
            seat,
            accepted: Instant::now(),
            counters,
            fleet,
            framing: RefCell::default(),
            requests: Cell::new(0),
            active: Cell::new(0),
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
            write_blocked: Cell::new(false),
            client_finished: Cell::new(false),
            cut_with_reset: Cell::new(false),
            properties: RefCell::default(),
            waker: RefCell::new(None),
        }
    }

    /// Whether codec and tracker may disagree about where the current request ends: it must be
    /// refused and the connection closed.
    pub(crate) fn is_smuggling_suspect(&self) -> bool {
        self.framing.borrow().is_suspect(self.requests.get())
    }

    /// Counts bytes from the client.
    pub(crate) fn received(&self, count: usize) {
        self.counters.bytes_in.add(count as u64);
        self.bytes_in.set(self.bytes_in.get() + count as u64);
    }

    /// Counts bytes to the client.
    pub(crate) fn sent(&self, count: usize) {
        self.counters.bytes_out.add(count as u64);
        self.bytes_out.set(self.bytes_out.get() + count as u64);
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.seat.open.fetch_sub(1, Ordering::Relaxed);
        self.counters.connections_active.sub(1);
    }
}

/// The open connections of one worker, and what is to become of them.
#[derive(Debug)]
pub(crate) struct Fleet {
    connections: RefCell<FxHashMap<u64, Rc<Connection>>>,
    order: Cell<Order>,
    changed: Notify,
    /// By when everything must be over, once that is said.
    drain: watch::Receiver<Option<Instant>>,
    /// Connections that were told to close at once.
    cut: Cell<usize>,
}

/// What the connections of a worker are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    /// Serve on.
    #[default]
    Serve,
    /// Finish the current exchange and close.
    Drain,
    /// Close now.
    Cut,
}

impl Fleet {
    /// No connections yet.
    pub(crate) fn new(drain: watch::Receiver<Option<Instant>>) -> Self {
        Self {
            connections: RefCell::default(),
            order: Cell::default(),
            changed: Notify::new(),
            drain,
            cut: Cell::new(0),
        }
    }

    /// Tells every connection, present and future. What was ordered before holds if it is more.
    pub(crate) fn command(&self, order: Order) {
        if order <= self.order.get() {
            return;
        }
        if order == Order::Cut {
            self.cut.set(self.len());
        }
        self.order.set(order);
        for connection in self.connections.borrow().values() {
            connection.wake();
        }
    }

    /// Connections that were open when they were told to close at once.
    pub(crate) fn cut(&self) -> usize {
        self.cut.get()
    }

    /// Open connections.
    pub(crate) fn len(&self) -> usize {
        self.connections.borrow().len()
    }

    /// Waits until no connection is open.
    pub(crate) async fn emptied(&self) {
        while self.len() > 0 {
            self.changed.notified().await;
        }
    }

    /// The order that holds. The worker's own task stands in line behind those of its connections, and
    /// each of them may keep the thread for as long as a guest may run: so the first one that is asked
    /// after the time is up sees that by itself.
    fn order(&self) -> Order {
        if self.is_overdue() {
            self.command(Order::Cut);
        }
        self.order.get()
    }

    fn is_overdue(&self) -> bool {
        let is_over = |deadline: Instant| Instant::now() >= deadline;
        // As long as nothing was said this is a look at a number.
        match self.drain.has_changed() {
            Ok(false) => false,
            Ok(true) => (*self.drain.borrow()).is_some_and(is_over),
            // Whoever could say it is gone.
            Err(_) => (*self.drain.borrow()).is_none_or(is_over),
        }
    }

    fn enter(self: &Rc<Self>, connection: &Rc<Connection>) -> Membership {
        let entry = Rc::clone(connection);
        self.connections.borrow_mut().insert(connection.id, entry);
        Membership {
            fleet: Rc::clone(self),
            connection: Rc::clone(connection),
        }
    }
}

/// A connection is in its fleet as long as this lives, also when its task panics.
#[derive(Debug)]
struct Membership {
    fleet: Rc<Fleet>,
    connection: Rc<Connection>,
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut connections = self.fleet.connections.borrow_mut();
        connections.remove(&self.connection.id);
        if connections.is_empty() {
            self.fleet.changed.notify_one();
        }
        if std::thread::panicking() {
            self.connection.counters.panics.add(1);
            tracing::error!(
                connection = self.connection.id,
                peer = %self.connection.peer,
                "a defect of the gateway ended this connection"
            );
        }
    }
}
