//! The body of an upstream's response.

use std::error::Error as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::cluster::Lease;
use super::outflow::BodySender;
use super::session::h2_error;

/// The body of an upstream's response. It holds the connection: read to its end it gives it back,
/// dropped before, it closes it.
#[derive(Debug)]
pub(crate) struct UpstreamBody {
    incoming: Incoming,
    lease: Option<Lease>,
    request: BodySender,
}

/// Why a response body ended too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UpstreamError {
    /// The connection broke.
    #[error("the connection to the upstream broke before the end of the response")]
    Terminated,
    /// HTTP/2: the upstream reset the response.
    #[error("the upstream reset its response")]
    Reset,
    /// The framing was wrong, or the upstream ended before its body did.
    #[error("the upstream sent a malformed or incomplete response body")]
    Protocol,
}

impl UpstreamBody {
    pub(crate) fn new(incoming: Incoming, lease: Lease, request: &BodySender) -> Self {
        let mut body = Self {
            incoming,
            lease: Some(lease),
            request: request.clone(),
        };
        if body.incoming.is_end_stream() {
            body.release();
        }
        body
    }

    /// A request that the upstream answered without reading all of it leaves the connection in
    /// the middle of a message: it cannot be used again.
    fn release(&mut self) {
        if let Some(lease) = self.lease.take()
            && self.request.is_delivered()
        {
            lease.give_back();
        }
    }

    fn fail(&mut self, error: &hyper::Error) -> UpstreamError {
        if let Some(lease) = self.lease.take() {
            lease.place.cluster.failed(&lease.place.host);
        }
        tracing::debug!(%error, "response body failed");
        match h2_error(error) {
            Some(error) if error.is_reset() && error.is_remote() => UpstreamError::Reset,
            Some(error) if error.is_io() || error.is_remote() => UpstreamError::Terminated,
            Some(_) => UpstreamError::Protocol,
            None if is_malformed(error) => UpstreamError::Protocol,
            None => UpstreamError::Terminated,
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        match ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
            Some(Ok(frame)) => {
                if frame.is_trailers() || self.incoming.is_end_stream() {
                    self.release();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(self.fail(&error)))),
            None => {
                self.release();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// Whether the cause is what the upstream sent or that it ended too early, not a broken connection.
fn is_malformed(error: &hyper::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return matches!(
                error.kind(),
                io::ErrorKind::InvalidData
                    | io::ErrorKind::InvalidInput
                    | io::ErrorKind::UnexpectedEof
            );
        }
        cause = error.source();
    }
    false
}
