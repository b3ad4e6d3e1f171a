//! HTTP/2 connections to one endpoint. Requests share them.
//!
//! Invariant: a request that is given up resets its own stream and nothing else. A connection is
//! closed when nobody uses it and nobody may: idle for too long, or ended by the other side.

use std::cell::{Cell, RefCell};
use std::error::Error as _;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, WeakShared};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;
use weir_model::limits::{
    H2_CONNECTION_WINDOW_BYTES, H2_KEEP_ALIVE_AFTER, H2_SEND_BUFFER_BYTES, H2_STREAM_WINDOW_BYTES,
    H2_STREAMS_MAX, RESPONSE_HEAD_BYTES,
};

use super::connection::{ConnectError, connect};
use super::outflow::{BodyReader, Cut};

/// One HTTP/2 connection. Dropping it closes the socket.
#[derive(Debug)]
pub(super) struct Session {
    sender: SendRequest<BodyReader>,
    peer: SocketAddr,
    local: SocketAddr,
    /// Requests on it.
    streams: Cell<usize>,
    /// Requests that the other end allows at once, as far as the driver knows.
    allowed: Rc<Cell<usize>>,
    /// Wakes the driver.
    nudge: Rc<RefCell<Option<Waker>>>,
    has_served: Cell<bool>,
    has_answered: Cell<bool>,
    /// When the last request left.
    idle_since: Cell<Instant>,
    driver: JoinHandle<()>,
    tasks: Tasks,
}

/// The right to send one request on a shared connection. Dropping it before the request and its
/// response have ended resets them.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) is_reused: bool,
    session: Rc<Session>,
    cut: Option<Cut>,
}

impl Session {
    /// Opens a connection. HTTP/2 begins at once; nothing is waited for.
    pub(super) async fn open(peer: SocketAddr, limit: Duration) -> Result<Self, ConnectError> {
        let stream = connect(peer, limit).await?;
        watch(&stream);
        let local = stream.local_addr().map_err(ConnectError::of)?;
        let tasks = Tasks::default();
        let (sender, connection) = http2::Builder::new(tasks.clone())
            .initial_stream_window_size(H2_STREAM_WINDOW_BYTES)
            .initial_connection_window_size(H2_CONNECTION_WINDOW_BYTES)
            .initial_max_send_streams(H2_STREAMS_MAX)
            .max_header_list_size(u32::try_from(RESPONSE_HEAD_BYTES).unwrap_or(u32::MAX))
            .max_send_buf_size(H2_SEND_BUFFER_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| ConnectError::of(std::io::Error::other(error)))?;
        let allowed = Rc::new(Cell::new(H2_STREAMS_MAX));
        let nudge = Rc::<RefCell<Option<Waker>>>::default();
        let (told, nudged) = (Rc::clone(&allowed), Rc::clone(&nudge));
        let driver = tokio::task::spawn_local(async move {
            let mut connection = pin!(connection);
            let ended = std::future::poll_fn(|cx| {
                nudged
                    .borrow_mut()
                    .get_or_insert_with(|| cx.waker().clone());
                let polled = connection.as_mut().poll(cx);
                told.set(connection.current_max_send_streams());
                polled
            });
            if let Err(error) = ended.await {
                tracing::debug!(%peer, %error, "upstream connection ended");
            }
        });
        Ok(Self {
            sender,
            peer,
            local,
            streams: Cell::new(0),
            allowed,
            nudge,
            has_served: Cell::new(false),
            has_answered: Cell::new(false),
            idle_since: Cell::new(Instant::now()),
            driver,
            tasks,
        })
    }

    /// A place on it, if the other end allows one more.
    fn seat(self: &Rc<Self>) -> Option<Seat> {
        let most = self.allowed.get().min(H2_STREAMS_MAX);
        (self.is_open() && self.streams.get() < most).then(|| self.seat_anyway())
    }

    /// A place on it, where the request may have to wait.
    fn seat_anyway(self: &Rc<Self>) -> Seat {
        self.streams.set(self.streams.get() + 1);
        Seat {
            is_reused: self.has_served.replace(true),
            session: Rc::clone(self),
            cut: None,
        }
    }

    fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    fn is_idle_for(&self, keep: Duration) -> bool {
        self.streams.get() == 0 && self.idle_since.get().elapsed() >= keep
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
        self.tasks.abort();
    }
}

impl Seat {
    pub(crate) fn peer(&self) -> SocketAddr {
        self.session.peer
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.session.local
    }

    /// Sends the one request.
    pub(super) async fn send(
        &mut self,
        request: Request<BodyReader>,
    ) -> Result<Response<Incoming>, TrySendError<Request<BodyReader>>> {
        self.cut = request.body().cut();
        let mut sender = self.session.sender.clone();
        let answer = sender.try_send_request(request).await;
        // The first answer comes behind the settings.
        if !self.session.has_answered.replace(true)
            && let Some(driver) = self.session.nudge.borrow_mut().take()
        {
            driver.wake();
        }
        answer
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let session = &self.session;
        session.streams.set(session.streams.get() - 1);
        if session.streams.get() == 0 {
            session.idle_since.set(Instant::now());
        }
    }
}

/// The error of HTTP/2 behind one of hyper's.
pub(crate) fn h2_error(error: &hyper::Error) -> Option<&h2::Error> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        cause = error.source();
    }
    None
}

/// A gone peer is noticed by the system: HTTP/2's own pings are answered with an end of the
/// connection by gRPC servers that find them too many.
fn watch(stream: &TcpStream) {
    let keep_alive = socket2::TcpKeepalive::new()
        .with_time(H2_KEEP_ALIVE_AFTER)
        .with_interval(H2_KEEP_ALIVE_AFTER / 3);
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_keepalive(&keep_alive) {
        tracing::debug!(%error, "no keep-alive for an upstream connection");
    }
}

/// Runs hyper's tasks for one connection; the first of them owns the socket.
#[derive(Clone, Debug, Default)]
struct Tasks(Rc<RefCell<Option<AbortHandle>>>);

impl Tasks {
    fn abort(&self) {
        if let Some(socket) = self.0.borrow_mut().take() {
            socket.abort();
        }
    }
}

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, task: F) {
        let handle = tokio::task::spawn_local(task).abort_handle();
        self.0.borrow_mut().get_or_insert(handle);
    }
}

type Opened = Result<Rc<Session>, ConnectError>;

/// The connections to one endpoint.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: RefCell<Vec<Rc<Session>>>,
    /// The one that is being opened, for all who wait for it.
    opening: RefCell<Option<WeakShared<LocalBoxFuture<'static, Opened>>>>,
}

impl Sessions {
    /// A place on an open connection.
    pub(super) fn seat(&self, keep: Duration) -> Option<Seat> {
        let mut open = self.open.borrow_mut();
        open.retain(|session| session.is_open() && !session.is_idle_for(keep));
        open.iter().find_map(Session::seat)
    }

    /// A place on the emptiest connection, however full it is.
    pub(super) fn seat_anyway(&self) -> Option<Seat> {
        let open = self.open.borrow();
        let open = open.iter().filter(|session| session.is_open());
        open.min_by_key(|session| session.streams.get())
            .map(Session::seat_anyway)
    }

    /// A place on a new connection, which `open` opens; those who ask meanwhile share it.
    pub(super) async fn join<F>(self: &Rc<Self>, open: impl Fn() -> F) -> Result<Seat, ConnectError>
    where
        F: Future<Output = Result<Session, ConnectError>> + 'static,
    {
        loop {
            let opening = self.opening.borrow().as_ref().and_then(WeakShared::upgrade);
            let opening = opening.unwrap_or_else(|| {
                let opening = Rc::clone(self).opened(open()).boxed_local().shared();
                *self.opening.borrow_mut() = opening.downgrade();
                opening
            });
            let session = opening.await?;
            // Others may have been faster than there are places.
            if let Some(seat) = session.seat() {
                return Ok(seat);
            }
            if session.streams.get() == 0 {
                return Ok(session.seat_anyway());
            }
        }
    }

    async fn opened(
        self: Rc<Self>,
        open: impl Future<Output = Result<Session, ConnectError>>,
    ) -> Opened {
        let outcome = open.await.map(Rc::new);
        self.opening.borrow_mut().take();
        if let Ok(session) = &outcome {
            self.open.borrow_mut().push(Rc::clone(session));
        }
        outcome
    }

    /// Whether one is being opened.
    pub(super) fn is_opening(&self) -> bool {
        let opening = self.opening.borrow();
        opening.as_ref().and_then(WeakShared::upgrade).is_some()
    }

    /// Connections, the one that is being opened included.
    pub(super) fn count(&self) -> usize {
        self.open.borrow().len() + usize::from(self.is_opening())
    }

    /// Closes connections that are idle for so long, and lets go of those that have ended.
    pub(super) fn sweep(&self, keep: Duration) {
        self.open
            .borrow_mut()
            .retain(|session| session.is_open() && !session.is_idle_for(keep));
    }

    /// Closes one idle connection. Says whether there was one.
    pub(super) fn evict_idle(&self) -> bool {
        let mut open = self.open.borrow_mut();
        let idle = open.iter().position(|session| session.streams.get() == 0);
        idle.map(|idle| open.swap_remove(idle)).is_some()
    }

    /// Takes no more requests; those in flight go on.
    pub(super) fn clear(&self) {
        self.open.borrow_mut().clear();
    }
}
