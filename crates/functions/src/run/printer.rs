//! What a guest writes, on its way to whoever prints it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc::error::SendError;
use tokio::sync::mpsc::{OwnedPermit, Sender};
use wasmtime_wasi::cli::{AsyncStdoutStream, IsTerminal, StdoutStream};
use wasmtime_wasi::p2::OutputStream;
use weir_model::limits::functions as of;

use super::Written;
use crate::surroundings::Stream;

/// One of the standard streams.
pub(super) fn output(
    stream: Stream,
    is_terminal: bool,
    written: Sender<Written>,
) -> impl StdoutStream {
    let printer = Printer {
        stream,
        written,
        room: Mutex::default(),
    };
    Output {
        stream: AsyncStdoutStream::new(of::WRITE_BYTES, printer),
        is_terminal,
    }
}

struct Output {
    stream: AsyncStdoutStream,
    is_terminal: bool,
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        self.is_terminal
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        self.stream.async_stream()
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        self.stream.p2_stream()
    }
}

type Room = Pin<Box<dyn Future<Output = Result<OwnedPermit<Written>, SendError<()>>> + Send>>;

/// A place for one piece; flushing waits until it has been received.
struct Printer {
    stream: Stream,
    written: Sender<Written>,
    /// Writers of WASI are to be `Sync`; this one is never shared.
    room: Mutex<Option<Room>>,
}

impl Printer {
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<io::Result<OwnedPermit<Written>>> {
        let Ok(room) = self.room.get_mut() else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let waiting = room.get_or_insert_with(|| Box::pin(self.written.clone().reserve_owned()));
        let permit = ready!(waiting.as_mut().poll(context));
        *room = None;
        Poll::Ready(permit.map_err(|_| io::ErrorKind::BrokenPipe.into()))
    }
}

impl AsyncWrite for Printer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let permit = ready!(self.poll_room(context))?;
        permit.send((self.stream, Bytes::copy_from_slice(bytes)));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_room(context).map_ok(drop)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}
