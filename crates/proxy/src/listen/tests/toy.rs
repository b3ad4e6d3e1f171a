//! A gateway whose exchange is a toy, and a client that speaks bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::sync::Notify;
use weir_model::Listener;

use crate::listen::vet::vet;
use crate::listen::{Connection, Reset, Serve};
use crate::worker::{DrainReport, Plan, Running, Totals, start};

/// What the test and the exchanges share.
#[derive(Default)]
pub(crate) struct Stage {
    /// Lets `/slow` go on.
    pub(crate) release: Notify,
    /// Exchanges that are alive, bodies included.
    pub(crate) alive: AtomicU32,
    /// Exchanges that began.
    pub(crate) begun: AtomicU32,
}

pub(crate) struct Toy(pub(crate) Arc<Stage>);

type BoxBody = Pin<Box<dyn Body<Data = Bytes, Error = Reset>>>;

struct Alive(Arc<Stage>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Serve for Toy {
    type Body = BoxBody;

    async fn serve(
        self: &Rc<Self>,
        connection: &Rc<Connection>,
        request: Request<Incoming>,
    ) -> Result<Response<BoxBody>, Reset> {
        self.0.begun.fetch_add(1, Ordering::SeqCst);
        self.0.alive.fetch_add(1, Ordering::SeqCst);
        let alive = Alive(Arc::clone(&self.0));
        if let Err(malformed) = vet(connection, &request) {
            let mut response = full(malformed.details);
            *response.status_mut() = malformed.status;
            let close = http::HeaderValue::from_static("close");
            response.headers_mut().insert("connection", close);
            return Ok(response);
        }
        match request.uri().path() {
            "/slow" => {
                self.0.release.notified().await;
                Ok(full("slow"))
            }
            // A guest that runs for long.
            "/block" => {
                std::thread::sleep(Duration::from_millis(100));
                Ok(full("block"))
            }
            "/collect" => {
                let body = request.into_body().collect().await;
                drop(alive);
                let Ok(body) = body else {
                    let mut response = full("broken body");
                    *response.status_mut() = StatusCode::BAD_REQUEST;
                    let close = http::HeaderValue::from_static("close");
                    response.headers_mut().insert("connection", close);
                    return Ok(response);
                };
                Ok(full(&String::from_utf8_lossy(&body.to_bytes())))
            }
            "/echo" => {
                let body = request.into_body().map_err(|_| Reset("client"));
                let mut response = boxed(With(body, alive));
                let trailer = http::HeaderValue::from_static("t");
                response.headers_mut().insert("trailer", trailer);
                Ok(response)
            }
            "/reset" => Err(Reset("toy")),
            "/torn" => Ok(boxed(Torn(false))),
            "/flood" => Ok(boxed(With(Flood, alive))),
            "/panic" => panic!("toy"),
            path => Ok(full(path)),
        }
    }
}

fn full(text: &str) -> Response<BoxBody> {
    let body = Full::new(Bytes::copy_from_slice(text.as_bytes()));
    boxed(body.map_err(|never| match never {}))
}

fn boxed(body: impl Body<Data = Bytes, Error = Reset> + 'static) -> Response<BoxBody> {
    Response::builder()
        .status(StatusCode::OK)
        .body(Box::pin(body) as BoxBody)
        .unwrap()
}

/// A body that keeps something alive.
struct With<B>(
    B,
    #[expect(dead_code, reason = "it lives as long as the body does")] Alive,
);

impl<B: Body<Data = Bytes, Error = Reset> + Unpin> Body for With<B> {
    type Data = Bytes;
    type Error = Reset;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Reset>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }
}

/// A chunk, then an error.
struct Torn(bool);

impl Body for Torn {
    type Data = Bytes;
    type Error = Reset;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Reset>>> {
        if std::mem::replace(&mut self.0, true) {
            cx.waker().wake_by_ref();
            return Poll::Ready(Some(Err(Reset("torn"))));
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"half")))))
    }
}

/// Bytes without end.
struct Flood;

impl Body for Flood {
    type Data = Bytes;
    type Error = Reset;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Reset>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'.'; 4096])))))
    }
}

/// A running gateway.
pub(crate) struct Gateway {
    pub(crate) running: Running,
    pub(crate) stage: Arc<Stage>,
}

impl Gateway {
    pub(crate) fn new() -> Self {
        Self::with(1, |_| {})
    }

    pub(crate) fn with(workers: usize, change: impl FnOnce(&mut Listener)) -> Self {
        let mut listener = Listener::at("127.0.0.1:0".parse().unwrap());
        listener.name = "toy".into();
        change(&mut listener);
        let plan = Plan {
            workers: NonZeroUsize::new(workers).unwrap(),
            listeners: vec![Arc::new(listener)],
            sockets: None,
            log: None,
        };
        let stage = Arc::new(Stage::default());
        let shared = Arc::clone(&stage);
        let make = async move |_| Ok::<_, std::io::Error>(Rc::new(Toy(Arc::clone(&shared))));
        let running = start(plan, make).unwrap();
        Self { running, stage }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.running.addresses()[0].1
    }

    pub(crate) fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        Client(stream)
    }

    /// One connection, these bytes, everything that comes back until the end.
    pub(crate) fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut client = self.connect();
        client.send(bytes);
        client.read_to_end().0
    }

    pub(crate) fn totals(&self) -> Totals {
        self.running.totals()
    }

    pub(crate) fn drain(self, timeout: Duration) -> DrainReport {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(self.running.drain(timeout))
    }
}

/// Waits until something that another thread does is done.
pub(crate) fn eventually(what: &str, mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_true() {
        assert!(Instant::now() < deadline, "never came true: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).unwrap();
    }

    /// Reads until what was read ends so.
    pub(crate) fn read_until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        let mut byte = [0];
        while !read.ends_with(end.as_bytes()) {
            let count = self.0.read(&mut byte).unwrap();
            let text = String::from_utf8_lossy(&read);
            assert_ne!(
                count, 0,
                "connection ended after {text:?}, expected {end:?}"
            );
            read.extend_from_slice(&byte);
        }
        String::from_utf8_lossy(&read).into_owned()
    }

    /// Reads until the connection ends, and how it ended.
    pub(crate) fn read_to_end(&mut self) -> (String, Option<ErrorKind>) {
        let mut read = Vec::new();
        let end = self
            .0
            .read_to_end(&mut read)
            .err()
            .map(|error| error.kind());
        (String::from_utf8_lossy(&read).into_owned(), end)
    }
}
