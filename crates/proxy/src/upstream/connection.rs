//! One HTTP/1.1 connection to an endpoint, encrypted or not.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use weir_model::limits::{RESPONSE_HEAD_BYTES, UPSTREAM_READ_BYTES};
use weir_tls::{Failure, ServerName, TlsStream, Trust};

use super::outflow::BodyReader;

/// A connection and the task that drives it. Dropping it closes the socket at once.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) sender: SendRequest<BodyReader>,
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
    /// Whether it has carried a request before the present one.
    pub(crate) is_reused: bool,
    heard: Rc<Cell<bool>>,
    driver: JoinHandle<()>,
}

/// Why no connection came about.
#[derive(Clone, Debug)]
pub(crate) enum ConnectError {
    TimedOut,
    Failed(Rc<io::Error>),
    /// It is there, but not encrypted.
    Encryption(Rc<Failure>),
}

/// How connections of a cluster are encrypted.
#[derive(Clone, Debug)]
pub(crate) struct Encryption {
    pub(crate) trust: Arc<Trust>,
    /// Whose certificate the servers must have.
    pub(crate) name: ServerName<'static>,
}

impl ConnectError {
    pub(super) fn of(error: io::Error) -> Self {
        Self::Failed(Rc::new(error))
    }
}

/// Opens a socket to an endpoint.
pub(super) async fn connect(peer: SocketAddr, limit: Duration) -> Result<TcpStream, ConnectError> {
    let stream = match tokio::time::timeout(limit, TcpStream::connect(peer)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(ConnectError::of(error)),
        Err(_elapsed) => return Err(ConnectError::TimedOut),
    };
    stream.set_nodelay(true).map_err(ConnectError::of)?;
    Ok(stream)
}

impl Connection {
    /// Opens a connection; within the limit it is encrypted, too.
    pub(super) async fn open(
        peer: SocketAddr,
        limit: Duration,
        encryption: Option<&Encryption>,
    ) -> Result<Self, ConnectError> {
        let begun = Instant::now();
        let stream = connect(peer, limit).await?;
        let local = stream.local_addr().map_err(ConnectError::of)?;
        let stream = match encryption {
            None => Stream::Plain(stream),
            Some(encryption) => {
                let left = limit.saturating_sub(begun.elapsed());
                let encrypting = encryption.trust.encrypt(&encryption.name, stream);
                match tokio::time::timeout(left, encrypting).await {
                    Ok(Ok(stream)) => Stream::Encrypted(Box::new(stream)),
                    Ok(Err(failure)) => return Err(ConnectError::Encryption(Rc::new(failure))),
                    Err(_elapsed) => return Err(ConnectError::TimedOut),
                }
            }
        };
        let heard = Rc::new(Cell::new(false));
        let wire = TokioIo::new(Wire {
            stream,
            heard: Rc::clone(&heard),
        });
        let (sender, connection) = http1::Builder::new()
            .max_header_size(RESPONSE_HEAD_BYTES)
            .max_buf_size(UPSTREAM_READ_BYTES)
            .handshake(wire)
            .await
            .map_err(|error| ConnectError::of(io::Error::other(error)))?;
        let driver = tokio::task::spawn_local(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%peer, %error, "upstream connection ended");
            }
        });
        Ok(Self {
            sender,
            peer,
            local,
            is_reused: false,
            heard,
            driver,
        })
    }

    /// Whether any byte came since [`Self::expect_answer`].
    pub(crate) fn was_heard(&self) -> bool {
        self.heard.get()
    }

    /// Forgets what was heard of earlier requests.
    pub(crate) fn expect_answer(&self) {
        self.heard.set(false);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A socket that notes when bytes come.
struct Wire {
    stream: Stream,
    heard: Rc<Cell<bool>>,
}

enum Stream {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

/// The same call of either stream.
macro_rules! either {
    ($stream:expr, $call:ident($($argument:expr),*)) => {
        match &mut $stream {
            Stream::Plain(stream) => Pin::new(stream).$call($($argument),*),
            Stream::Encrypted(stream) => Pin::new(&mut **stream).$call($($argument),*),
        }
    };
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = either!(self.stream, poll_read(cx, buf));
        if buf.filled().len() > before {
            self.heard.set(true);
        }
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self.stream, poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self.stream, poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Encrypted(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.stream, poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.stream, poll_shutdown(cx))
    }
}
