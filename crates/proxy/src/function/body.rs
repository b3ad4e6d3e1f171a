//! Bodies on their way into guests and out of them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt as _, Empty};
use send_wrapper::SendWrapper;
use tokio::task::AbortHandle;
use tokio::time::{Instant, Sleep};
use weir_functions::{Body, BodyError};

use super::fetch::Flight;
use crate::upstream::{BodyReader, BodySender, UpstreamBody, UpstreamError};

type Polled = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

/// No body.
pub(crate) fn none() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// What a worker reads from a client, for a guest of the same thread.
pub(crate) fn from_client(reader: BodyReader) -> Body {
    let reader = SendWrapper::new(reader);
    FromClient(reader).boxed_unsync()
}

struct FromClient(SendWrapper<BodyReader>);

impl http_body::Body for FromClient {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let frame = ready!(Pin::new(&mut *self.0).poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map_err(|_aborted| BodyError::Cut)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// Carries what a guest sends to a connection, as fast as that takes it.
pub(super) async fn pump(mut body: Body, sender: BodySender) {
    loop {
        std::future::poll_fn(|cx| sender.poll_capacity(cx)).await;
        match body.frame().await {
            None => return sender.finish(),
            Some(Err(_)) => return sender.abort(),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(bytes) => sender.push(bytes),
                Err(frame) => {
                    return sender.trailers(frame.into_trailers().unwrap_or_default());
                }
            },
        }
    }
}

/// A task that ends with this.
pub(super) struct Pump(pub(super) AbortHandle);

impl Drop for Pump {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a server answers, for a guest.
pub(super) struct Fetched {
    body: SendWrapper<UpstreamBody>,
    /// Bytes that may still come.
    left: u64,
    limit: u64,
    /// Between two chunks.
    patience: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    is_over: bool,
    _request: Option<Pump>,
}

impl Fetched {
    pub(super) fn new(
        body: UpstreamBody,
        request: Option<Pump>,
        (limit, patience): (u64, Duration),
    ) -> Self {
        Self {
            body: SendWrapper::new(body),
            left: limit,
            limit,
            patience,
            timer: None,
            is_over: false,
            _request: request,
        }
    }

    fn fail(&mut self, error: BodyError) -> Polled {
        self.is_over = true;
        Poll::Ready(Some(Err(error)))
    }

    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let until = Instant::now() + self.patience;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        timer.as_mut().poll(cx).is_ready()
    }
}

impl http_body::Body for Fetched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        if self.is_over {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = Pin::new(&mut *self.body).poll_frame(cx) else {
            if self.is_late(cx) {
                return self.fail(BodyError::TimedOut);
            }
            return Poll::Pending;
        };
        self.timer = None;
        match frame {
            None => {
                self.is_over = true;
                Poll::Ready(None)
            }
            Some(Err(
                UpstreamError::Terminated | UpstreamError::Reset | UpstreamError::Protocol,
            )) => self.fail(BodyError::Cut),
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                let Some(left) = self.left.checked_sub(bytes) else {
                    let limit = self.limit;
                    return self.fail(BodyError::TooLong { limit });
                };
                self.left = left;
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body that counts as in flight until it has been read.
pub(super) struct Flying {
    body: Body,
    flight: Option<Flight>,
}

impl Flying {
    pub(super) fn new(body: Body, flight: Flight) -> Self {
        let flight = (!body.is_end_stream()).then_some(flight);
        Self { body, flight }
    }
}

impl http_body::Body for Flying {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if matches!(frame, None | Some(Err(_))) || self.body.is_end_stream() {
            self.flight = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
