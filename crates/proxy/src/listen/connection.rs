//! The life of one connection: parked, awake, lingering, closed.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use weir_model::limits;

use super::answer::exchange;
use super::bind::reset_on_close;
use super::io::Io;
use super::{Connection, Order, Refusal, Serve};

const REQUEST_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
/// hyper's smallest buffer.
const CODEC_BUFFER_BYTES_MIN: usize = 8 << 10;

/// Serves a connection until it is closed.
pub(crate) async fn run<S: Serve>(
    mut stream: TcpStream,
    connection: Rc<Connection>,
    handler: Rc<S>,
) {
    let _membership = connection.fleet.enter(&connection);
    let mut idle_since = connection.accepted;
    loop {
        match parked(&stream, &connection, idle_since).await {
            Parked::Readable => {}
            Parked::Over => return,
        }
        // Boxed, so that a parked connection does not carry the room of an awake one.
        let awake = Box::pin(awake(stream, &connection, &handler));
        match awake.await {
            Awake::Idle {
                stream: socket,
                since,
            } => {
                stream = socket;
                idle_since = since;
            }
            Awake::Closing(socket) => return linger(socket).await,
            Awake::Over => return,
        }
    }
}

/// Carries a TCP connection until it is closed.
pub(crate) async fn carry<S: Serve>(stream: TcpStream, connection: Rc<Connection>, handler: Rc<S>) {
    let _membership = connection.fleet.enter(&connection);
    handler.carry(&connection, stream).await;
}

enum Parked {
    Readable,
    Over,
}

/// Waits for the first byte of a request: nothing but the socket and a timer is held.
async fn parked(stream: &TcpStream, connection: &Connection, since: Instant) -> Parked {
    let idle_timeout = connection.seat.listener.idle_timeout;
    let mut timer = pin!(tokio::time::sleep_until(since + idle_timeout));
    poll_fn(|cx| {
        connection.register(cx);
        // Looked at, not only asked for: the runtime takes a new socket for readable until it is
        // tried. An error or the end of the stream is for the codec to see.
        let mut byte = [0];
        let mut byte = ReadBuf::new(&mut byte);
        if connection.fleet.order() != Order::Cut && stream.poll_peek(cx, &mut byte).is_ready() {
            return Poll::Ready(Parked::Readable);
        }
        if connection.fleet.order() != Order::Serve || timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Parked::Over);
        }
        Poll::Pending
    })
    .await
}

enum Awake {
    /// Nothing happened for a while.
    Idle { stream: TcpStream, since: Instant },
    /// To be closed in such a way that the client can read the last answer.
    Closing(TcpStream),
    /// The client is gone, or was cut.
    Over,
}

enum Event {
    Ended(hyper::Result<()>),
    Idle(Instant),
    HeadTimeout,
    Cut,
}

async fn awake<S: Serve>(stream: TcpStream, connection: &Rc<Connection>, handler: &Rc<S>) -> Awake {
    let service = service_fn(|request: Request<Incoming>| exchange(connection, handler, request));
    let io = Io {
        stream,
        connection: Rc::clone(connection),
    };
    let mut codec = codec(connection).serve_connection(io, service);
    let mut watch = Watch::new(connection);
    let mut timer = pin!(tokio::time::sleep_until(watch.armed));
    let mut is_draining = false;
    let event = poll_fn(|cx| {
        connection.register(cx);
        if connection.fleet.order() == Order::Cut {
            return Poll::Ready(Event::Cut);
        }
        if let Poll::Ready(outcome) = Pin::new(&mut codec).poll(cx) {
            return Poll::Ready(Event::Ended(outcome));
        }
        // A head that has begun to arrive is still served, with `connection: close`.
        if connection.must_drain() && !is_draining {
            is_draining = true;
            Pin::new(&mut codec).graceful_shutdown();
            if let Poll::Ready(outcome) = Pin::new(&mut codec).poll(cx) {
                return Poll::Ready(Event::Ended(outcome));
            }
        }
        watch.poll(cx, timer.as_mut())
    })
    .await;
    let stream = codec.into_parts().io.stream;
    match event {
        Event::Ended(outcome) => ended(stream, connection, handler, &outcome),
        Event::Idle(since) => Awake::Idle { stream, since },
        Event::HeadTimeout => {
            handler.refused(connection, Refusal::HeadTimeout);
            connection.counters.requests_refused.add(1);
            // Best effort: a client that slow may not read either.
            let _ = stream.try_write(REQUEST_TIMEOUT);
            Awake::Closing(stream)
        }
        Event::Cut => {
            reset_on_close(&stream);
            Awake::Over
        }
    }
}

fn codec(connection: &Connection) -> http1::Builder {
    let head_bytes = connection.seat.listener.request_head_bytes;
    let buffer_bytes = head_bytes
        .max(limits::STREAM_WINDOW_BYTES)
        .max(CODEC_BUFFER_BYTES_MIN);
    let mut codec = http1::Builder::new();
    // The codec's own limit of 100 headers is `limits::HEADERS_MAX`; to say so would cost it an
    // allocation per request. Its head timer also runs while the connection is idle: ours does not.
    codec
        .header_read_timeout(None)
        .max_header_size(head_bytes)
        .max_buf_size(buffer_bytes);
    codec
}

fn ended<S: Serve>(
    stream: TcpStream,
    connection: &Rc<Connection>,
    handler: &Rc<S>,
    outcome: &hyper::Result<()>,
) -> Awake {
    if let Err(error) = outcome
        && error.is_parse()
    {
        let refusal = if error.is_parse_too_large() {
            Refusal::HeadTooLarge
        } else {
            Refusal::Malformed
        };
        connection.counters.requests_refused.add(1);
        handler.refused(connection, refusal);
        return closing(stream, connection);
    }
    if connection.cut_with_reset.get() {
        reset_on_close(&stream);
        return Awake::Over;
    }
    closing(stream, connection)
}

/// Unread bytes would turn the close into a reset that overtakes the answer.
fn closing(stream: TcpStream, connection: &Connection) -> Awake {
    if connection.client_finished.get() {
        return Awake::Over;
    }
    Awake::Closing(stream)
}

/// Sends the end, then swallows what the client still sends, for a limited time and amount.
async fn linger(mut stream: TcpStream) {
    use tokio::io::AsyncWriteExt;

    let swallow = async {
        stream.shutdown().await?;
        let mut left = limits::LINGER_BYTES;
        let mut sink = [0; 1024];
        while left > 0 {
            stream.readable().await?;
            match stream.try_read(&mut sink) {
                Ok(0) => break,
                Ok(count) => left = left.saturating_sub(count),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok::<(), std::io::Error>(())
    };
    // However it ends, the socket is closed now.
    let _ = tokio::time::timeout(limits::LINGER_TIME, swallow).await;
}

/// What a connection is doing when the codec has nothing more to do for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Between messages, after so many requests: each begins an idle time of its own.
    Idle { requests: u64 },
    /// A request has begun to arrive, and no exchange runs.
    Head { requests: u64 },
    /// An exchange runs; its own timers apply.
    Busy,
    /// The client does not read: no other timer can run, as the codec waits for it first.
    Blocked { sent: u64 },
}

impl Connection {
    fn phase(&self) -> Phase {
        let requests = self.requests.get();
        if self.write_blocked.get() {
            let sent = self.bytes_out.get();
            Phase::Blocked { sent }
        } else if self.active.get() > 0 {
            Phase::Busy
        } else if self.framing.borrow().is_between_messages() {
            Phase::Idle { requests }
        } else {
            Phase::Head { requests }
        }
    }

    fn must_drain(&self) -> bool {
        let is_in_head = || matches!(self.phase(), Phase::Head { .. });
        self.fleet.order() == Order::Drain && !is_in_head()
    }

    /// Whether the connection must be closed now; if not, the task is woken when it must.
    pub(crate) fn is_cut(&self, cx: &Context<'_>) -> bool {
        self.register(cx);
        self.fleet.order() == Order::Cut
    }

    fn register(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        match &mut *waker {
            Some(known) => known.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
    }
}

/// Notices phases that last too long. Its timer is never set back while requests flow: it fires
/// now and then, sees what is due, and is armed again.
struct Watch<'a> {
    connection: &'a Connection,
    phase: Phase,
    since: Instant,
    armed: Instant,
}

impl<'a> Watch<'a> {
    fn new(connection: &'a Connection) -> Self {
        let since = Instant::now();
        Self {
            connection,
            phase: connection.phase(),
            since,
            armed: since + limits::CONNECTION_PARK_AFTER,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<Event> {
        let phase = self.connection.phase();
        if phase != self.phase {
            self.phase = phase;
            self.since = Instant::now();
        }
        let Some(limit) = self.limit() else {
            return Poll::Pending;
        };
        let due = self.since + limit;
        if due < self.armed {
            self.arm(due, timer.as_mut());
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if due <= Instant::now() {
                return self.overdue();
            }
            self.arm(due, timer.as_mut());
        }
    }

    fn arm(&mut self, due: Instant, timer: Pin<&mut Sleep>) {
        self.armed = due;
        timer.reset(due);
    }

    fn limit(&self) -> Option<Duration> {
        let listener = &self.connection.seat.listener;
        match self.phase {
            Phase::Idle { .. } => Some(limits::CONNECTION_PARK_AFTER.min(listener.idle_timeout)),
            Phase::Head { .. } => Some(listener.request_head_timeout),
            Phase::Busy => None,
            Phase::Blocked { .. } => Some(limits::STREAM_IDLE_TIMEOUT),
        }
    }

    fn overdue(&self) -> Poll<Event> {
        match self.phase {
            Phase::Idle { .. } if self.connection.fleet.order() == Order::Serve => {
                Poll::Ready(Event::Idle(self.since))
            }
            Phase::Idle { .. } | Phase::Busy => Poll::Pending,
            Phase::Head { .. } if self.connection.framing.borrow().is_in_head() => {
                Poll::Ready(Event::HeadTimeout)
            }
            // Neither a head nor a body that anyone wants.
            Phase::Head { .. } | Phase::Blocked { .. } => Poll::Ready(Event::Cut),
        }
    }
}
