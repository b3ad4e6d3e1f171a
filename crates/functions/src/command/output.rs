//! Standard output of a command: head first, then the body.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::io::{AsyncWrite, DuplexStream};
use tokio::sync::oneshot;

use super::head::{HeadError, Reader};
use crate::call::Head;
use crate::cell::Setup;
use crate::fault::FaultKind;
use crate::message::Response;
use crate::pipe;

/// Takes the head out of what is written, and sends the rest after it.
pub(super) struct Answering {
    setup: Setup,
    reader: Reader,
    head: State,
    body: DuplexStream,
}

enum State {
    Unsent(Unsent),
    Sent,
    /// It was none: the guest goes no further, and ends when its call has heard of it.
    Refused,
}

struct Unsent {
    tell: oneshot::Sender<Head>,
    body: DuplexStream,
}

impl Answering {
    pub(super) fn new(setup: Setup, tell: oneshot::Sender<Head>) -> Self {
        let (body, read) = tokio::io::duplex(pipe::BYTES);
        Self {
            setup,
            reader: Reader::default(),
            head: State::Unsent(Unsent { tell, body: read }),
            body,
        }
    }

    /// Tells why there is no response.
    fn refuse(&mut self, error: &HeadError) {
        if let State::Unsent(unsent) = std::mem::replace(&mut self.head, State::Refused) {
            let fault = self.setup.fault(FaultKind::BadResponse, error.to_string());
            let _ = unsent.tell.send(Err(fault));
        }
    }

    /// Takes bytes until the head is whole, and lets it go with what came behind it.
    fn take(&mut self, bytes: &[u8]) -> Poll<()> {
        let (head, end) = match self.reader.take(bytes) {
            Ok(None) => return Poll::Ready(()),
            Ok(Some(found)) => found,
            Err(error) => {
                self.refuse(&error);
                return Poll::Pending;
            }
        };
        let State::Unsent(unsent) = std::mem::replace(&mut self.head, State::Sent) else {
            return Poll::Pending;
        };
        let first = Bytes::copy_from_slice(bytes.get(end..).unwrap_or_default());
        let body = pipe::body_behind(first, unsent.body).boxed_unsync();
        let mut response = Response::new(body);
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        // Whoever does not want it any more drops the guest.
        let _ = unsent.tell.send(Ok(response));
        Poll::Ready(())
    }
}

impl AsyncWrite for Answering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.head {
            State::Unsent(_) => self.take(bytes).map(|()| Ok(bytes.len())),
            State::Sent => Pin::new(&mut self.body).poll_write(context, bytes),
            State::Refused => Poll::Pending,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.body).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.body).poll_shutdown(context)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if self.reader.has_begun() {
            self.refuse(&HeadError::Cut);
        }
    }
}
