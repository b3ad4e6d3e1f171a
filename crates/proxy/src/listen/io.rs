//! The socket as the codec sees it: every byte is counted, and shown to the framing tracker.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::Connection;

/// A client's socket.
#[derive(Debug)]
pub(crate) struct Io {
    pub(crate) stream: TcpStream,
    pub(crate) connection: Rc<Connection>,
}

impl Io {
    fn wrote(&self, outcome: &Poll<io::Result<usize>>) {
        self.connection.write_blocked.set(outcome.is_pending());
        if let Poll::Ready(Ok(count)) = outcome {
            self.connection.sent(*count);
        }
    }
}

impl Read for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.connection.framing.borrow().is_broken() {
            return Poll::Ready(Err(broken()));
        }
        #[expect(unsafe_code, reason = "hyper lends its buffer uninitialised")]
        let count = {
            // SAFETY: the slice is only handed to a `ReadBuf`, which never de-initialises bytes.
            let mut buffer = ReadBuf::uninit(unsafe { cursor.as_mut() });
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            let arrived = buffer.filled();
            let count = self.connection.framing.borrow_mut().arrived(arrived);
            if count == 0 && !arrived.is_empty() {
                return Poll::Ready(Err(broken()));
            }
            // SAFETY: `filled` is a prefix of the cursor's unfilled part, initialised by the read,
            // and `count` is not more than its length.
            unsafe { cursor.advance(count) };
            count
        };
        if count == 0 {
            self.connection.client_finished.set(true);
        }
        self.connection.received(count);
        Poll::Ready(Ok(()))
    }
}

impl Write for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(&outcome);
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(&outcome);
        outcome
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a chunked body is malformed")
}
