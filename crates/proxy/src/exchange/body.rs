//! The rest of a response, as hyper's server takes it.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame as HttpFrame, SizeHint};

use super::{Exchange, Reply};
use crate::flow::Frame;
use crate::listen::Reset;
use crate::plugin::Remark;

/// The body of a response. Owns its exchange: reading it drives the exchange, dropping it ends it.
pub(crate) struct ExchangeBody(Option<Box<Exchange>>);

impl ExchangeBody {
    /// The body of an exchange whose head has been taken. `end`: there is none, and the exchange is
    /// over with its head.
    pub(super) fn of(mut exchange: Box<Exchange>, end: bool) -> Self {
        if end {
            exchange.finish();
            return Self(None);
        }
        Self(Some(exchange))
    }
}

impl Body for ExchangeBody {
    type Data = Bytes;
    type Error = Reset;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<HttpFrame<Bytes>, Reset>>> {
        let Some(exchange) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let outcome = exchange.poll_rest(cx);
        exchange.was_cut = matches!(outcome, Poll::Ready(Some(Err(_))));
        if matches!(outcome, Poll::Ready(None | Some(Err(_)))) || exchange.reply == Reply::Complete
        {
            exchange.finish();
            self.0 = None;
        }
        outcome
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.0.is_none() {
            SizeHint::with_exact(0)
        } else {
            SizeHint::default()
        }
    }
}

impl Exchange {
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<HttpFrame<Bytes>, Reset>>> {
        loop {
            let frame = self.stream.borrow_mut().response_flow.pop();
            match frame {
                Some(Frame::Body { bytes, end }) => {
                    if end {
                        self.reply = Reply::Complete;
                    }
                    if bytes.is_empty() {
                        if end {
                            return Poll::Ready(None);
                        }
                        continue;
                    }
                    self.stream.borrow_mut().facts.response_bytes += bytes.len() as u64;
                    return Poll::Ready(Some(Ok(HttpFrame::data(bytes))));
                }
                Some(Frame::Trailers) => {
                    self.reply = Reply::Complete;
                    return Poll::Ready(self.trailers().map(|map| Ok(HttpFrame::trailers(map))));
                }
                Some(Frame::Headers { .. }) => {
                    return Poll::Ready(Some(Err(Reset("a second head came"))));
                }
                None => {}
            }
            match self.advance(cx) {
                Ok(true) => {}
                Ok(false) => match self.watch_client(cx) {
                    Ok(()) => return Poll::Pending,
                    Err(reset) => return Poll::Ready(Some(Err(reset))),
                },
                Err(reset) => return Poll::Ready(Some(Err(reset))),
            }
        }
    }

    /// Says that trailers cannot be sent. One of the filters has made them so: what came from a
    /// client or an upstream can.
    pub(super) fn tell_of_trailers(&self, whose: &str, error: &dyn std::fmt::Display) {
        let Some(first) = self.chain.first() else {
            return tracing::warn!(whose, %error, "trailers were dropped");
        };
        let names: Vec<&str> = self.chain.iter().map(|link| &*link.filter.name).collect();
        first.slot.meter().remark(Remark::Trailers, |_, untold| {
            let filters = names.join(", ");
            tracing::warn!(filters, whose, %error, untold, "trailers were dropped");
        });
    }

    /// Trailers for the client. What HTTP forbids is left out and logged: the body has gone.
    fn trailers(&self) -> Option<http::HeaderMap> {
        let stream = self.stream.borrow();
        let trailers = stream.response.trailers.as_ref()?;
        match trailers.to_map(http::HeaderMap::new()) {
            Ok(map) => Some(map),
            Err(error) => {
                self.tell_of_trailers("response", &error);
                None
            }
        }
    }
}
