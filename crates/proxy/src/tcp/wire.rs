//! One end of a carried connection: a socket, and what still has to be written to it.

use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use weir_model::limits;

use crate::message::BodyBuffer;
use crate::stream::Lane;

/// Pieces that are written at once.
const PIECES: usize = 16;

/// A socket and what still has to be written to it.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) socket: TcpStream,
    /// To be written.
    pub(super) out: BodyBuffer,
    /// Nothing comes behind that.
    pub(super) out_ends: bool,
    /// The other end knows.
    pub(super) is_shut: bool,
    /// The other end has ended.
    pub(super) has_ended: bool,
    /// What broke the socket, if bytes came before it that had to be seen first.
    broken: Option<io::Error>,
}

impl Wire {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            out: BodyBuffer::default(),
            out_ends: false,
            is_shut: false,
            has_ended: false,
            broken: None,
        }
    }

    /// Whether more may be put behind what is to be written.
    pub(super) fn has_room(&self) -> bool {
        self.out.len() < limits::STREAM_WINDOW_BYTES
    }

    /// Both halves are closed.
    pub(super) fn is_over(&self) -> bool {
        self.has_ended && self.is_shut
    }

    /// Reads all that is there, as far as the lane may hold it. Gives the bytes that came, or
    /// `None` where there is nothing now; the end counts as something.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        lane: &mut Lane,
        most: usize,
    ) -> io::Result<Option<usize>> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        loop {
            match self.socket.poll_read_ready(cx) {
                Poll::Pending => return Ok(None),
                Poll::Ready(ready) => ready?,
            }
            let came = SCRATCH.with_borrow_mut(|scratch| self.read(scratch, lane, most))?;
            if came > 0 || self.has_ended {
                return Ok(Some(came));
            }
        }
    }

    fn read(&mut self, scratch: &mut Vec<u8>, lane: &mut Lane, most: usize) -> io::Result<usize> {
        let mut came = 0;
        while came < limits::TCP_ROUND_BYTES && lane.bytes.len() < most {
            let step = limits::TCP_READ_STEP_BYTES;
            let wanted = (most - lane.bytes.len()).next_multiple_of(step);
            scratch.resize(limits::STREAM_WINDOW_BYTES, 0);
            let size = wanted.min(scratch.len());
            match self.socket.try_read(&mut scratch[..size]) {
                Ok(0) => {
                    self.has_ended = true;
                    lane.end = true;
                    break;
                }
                Ok(count) => {
                    lane.bytes.push(Bytes::copy_from_slice(&scratch[..count]));
                    came += count;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if came > 0 => {
                    self.broken = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(came)
    }

    /// Writes what the socket takes. Gives the bytes written, and closes the sending half behind
    /// the last one.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<Written> {
        let mut written = Written::default();
        while !self.out.is_empty() {
            match self.socket.poll_write_ready(cx) {
                Poll::Pending => return Ok(written),
                Poll::Ready(ready) => ready?,
            }
            let mut room = [IoSlice::new(&[]); PIECES];
            let pieces = self.out.slices(&mut room);
            match self.socket.try_write_vectored(&room[..pieces]) {
                Ok(count) => {
                    self.out.drop_front(count);
                    written.bytes += count;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.out_ends
            && !self.is_shut
            && let Poll::Ready(outcome) = Pin::new(&mut self.socket).poll_shutdown(cx)
        {
            outcome?;
            self.is_shut = true;
            written.end = true;
        }
        Ok(written)
    }
}

/// What went out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Written {
    pub(super) bytes: usize,
    pub(super) end: bool,
}

impl Written {
    pub(super) fn is_any(self) -> bool {
        self.bytes > 0 || self.end
    }
}

thread_local! {
    /// Reads end here first, so that idle connections hold no buffers.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}
