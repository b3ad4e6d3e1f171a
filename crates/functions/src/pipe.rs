//! Bodies that go through a pipe: what a guest reads from its standard input, and what it writes.
//!
//! Invariant: whoever writes waits for whoever reads; a pipe never holds more than [`BYTES`].

use std::io;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use http_body::{Body as _, Frame};
use tokio::io::{AsyncRead, DuplexStream, ReadBuf};
use weir_model::limits::functions as of;

use crate::message::{Body, BodyError};

/// What one holds.
pub(crate) const BYTES: usize = of::WRITE_BYTES;

/// What comes out of a pipe, as a body. It ends when its writer is dropped.
pub(crate) fn body(pipe: DuplexStream) -> PipeBody {
    PipeBody {
        first: Bytes::new(),
        pipe,
    }
}

/// The same, behind bytes that were written before.
pub(crate) fn body_behind(first: Bytes, pipe: DuplexStream) -> PipeBody {
    PipeBody { first, pipe }
}

/// See [`body`].
pub(crate) struct PipeBody {
    first: Bytes,
    pipe: DuplexStream,
}

impl http_body::Body for PipeBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !self.first.is_empty() {
            let first = std::mem::take(&mut self.first);
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let mut bytes = BytesMut::zeroed(FRAME_BYTES);
        let mut place = ReadBuf::new(&mut bytes);
        let read = ready!(Pin::new(&mut self.pipe).poll_read(context, &mut place));
        let length = place.filled().len();
        Poll::Ready(match read {
            Err(_) => Some(Err(BodyError::Cut)),
            Ok(()) if length == 0 => None,
            Ok(()) => {
                bytes.truncate(length);
                Some(Ok(Frame::data(bytes.freeze())))
            }
        })
    }
}

/// Bytes of one frame.
const FRAME_BYTES: usize = 16 << 10;

/// A body as bytes to be read, without its trailers.
pub(crate) struct Reader {
    /// Readers of WASI are to be `Sync`; this one is never shared.
    body: Mutex<Body>,
    chunk: Bytes,
}

impl Reader {
    pub(crate) fn new(body: Body) -> Self {
        Self {
            body: Mutex::new(body),
            chunk: Bytes::new(),
        }
    }
}

impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        place: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.chunk.is_empty() {
            let Ok(body) = self.body.get_mut() else {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            };
            match ready!(Pin::new(body).poll_frame(context)) {
                None => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                Some(Ok(frame)) => self.chunk = frame.into_data().unwrap_or_default(),
            }
        }
        let length = self.chunk.len().min(place.remaining());
        place.put_slice(&self.chunk[..length]);
        self.chunk.advance(length);
        Poll::Ready(Ok(()))
    }
}
