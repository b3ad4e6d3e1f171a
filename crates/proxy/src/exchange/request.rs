//! The request on its way out: what has passed the filters goes to a cluster, or to an answer of the
//! gateway's own; what the client still sends is taken as it is wanted.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request};
use http_body::Body;
use weir_model::{Action, Forward, limits};

use super::begin::data_of;
use super::echo::ECHO_BODY_BYTES;
use super::upstream::Upstream;
use super::{Exchange, Reply};
use crate::dispatch::{Attempts, OverrideHost, dispatch, length_of, may_have_body};
use crate::flow::Frame;
use crate::listen::Reset;
use crate::listen::vet::{is_authority, is_method, origin_form};
use crate::message::{FieldValue, HeaderList, Pseudo, Side};
use crate::route;
use crate::stream::Flags;
use crate::upstream::BodySender;

impl Exchange {
    /// Sends on what has passed the request filters.
    pub(super) fn send_request(&mut self) -> Result<bool, Reset> {
        let mut moved = false;
        while !self.request_is_over {
            let Some(frame) = self.stream.borrow_mut().request_flow.pop() else {
                break;
            };
            moved = true;
            match frame {
                Frame::Headers { end } => self.open_upstream(end)?,
                Frame::Body { bytes, end } => self.send_body(bytes, end)?,
                Frame::Trailers => self.send_trailers()?,
            }
        }
        Ok(moved)
    }

    /// The head has passed all filters: the route decides what happens with it.
    fn open_upstream(&mut self, end: bool) -> Result<(), Reset> {
        if self.stream.borrow().route_is_stale {
            let routes = &self.worker.shared.process.site.listeners[self.listener].routes;
            let route = route::pick(routes, &self.stream.borrow().request.headers);
            self.choose(route);
        }
        let site = std::sync::Arc::clone(&self.worker.shared.process.site);
        let Some(route) = self
            .route
            .map(|index| &site.listeners[self.listener].routes[index])
        else {
            self.refuse_unrouted();
            return Ok(());
        };
        match &route.action {
            Action::Forward(forward) => self.forward_to(forward, end),
            Action::Function(name) => self.call_function(name, end),
            Action::Respond(respond) => self.respond(respond),
            Action::Echo => self.echo(end),
        }
    }

    fn forward_to(&mut self, forward: &Forward, end: bool) -> Result<(), Reset> {
        let head = self.upstream_head(end);
        let mut request = match head {
            Ok(request) => request,
            Err(text) => return self.refuse_left_head(&text),
        };
        let Some(cluster) = self
            .worker
            .shared
            .upstreams
            .cluster(&forward.cluster)
            .cloned()
        else {
            return self.fault(503, "cluster_not_found", ("NC", ""));
        };
        if let Some(host) = self.stream.borrow().facts.override_host {
            request.extensions_mut().insert(OverrideHost(host));
        }
        let body = if end {
            BodySender::empty()
        } else {
            BodySender::streaming(length_of(request.headers()))
        };
        if end {
            self.request_ended();
        }
        let (forward, sender) = (forward.clone(), body.clone());
        let answer = Box::pin(async move {
            let mut attempts = Attempts::default();
            let (head, ()) = request.into_parts();
            let outcome = dispatch(&cluster, &forward, head, &sender, &mut attempts).await;
            (outcome, attempts)
        });
        self.upstream = Upstream::Sent { body, answer };
        Ok(())
    }

    /// What the filters left cannot be sent.
    pub(super) fn refuse_left_head(&mut self, text: &str) -> Result<(), Reset> {
        let words = text.replace(' ', "_");
        let details = format!("filter_removed_required_request_headers{{{words}}}");
        self.fault(503, &details, ("", text))
    }

    /// The head as the upstream gets it, or what is wrong with it in Envoy's words.
    pub(super) fn upstream_head(&self, end: bool) -> Result<Request<()>, String> {
        let stream = self.stream.borrow();
        let list = &stream.request.headers;
        let missing = |name: &str| format!("missing required header: {name}");
        let invalid = |name: &str| format!("invalid header value for: {name}");
        let pseudo = |which| list.pseudo(which).map(FieldValue::as_bytes);
        let method = pseudo(Pseudo::Method).ok_or_else(|| missing(":method"))?;
        let path = pseudo(Pseudo::Path).ok_or_else(|| missing(":path"))?;
        let method = Method::from_bytes(method).map_err(|_| invalid(":method"))?;
        if method == Method::CONNECT {
            // No request that came as one gets here: a filter has made it one, which some upstreams
            // would take for the beginning of a tunnel.
            return Err(missing(":protocol"));
        }
        if !is_method(&method) {
            return Err(invalid(":method"));
        }
        let uri = origin_form(&method, path).ok_or_else(|| invalid(":path"))?;
        let mut fields = HeaderMap::with_capacity(list.len() + 2);
        match list.pseudo(Pseudo::Authority) {
            Some(FieldValue::Valid(host)) if is_authority(host.as_bytes()) => {
                fields.insert(header::HOST, host.clone());
            }
            Some(_) => return Err(invalid(":authority")),
            None => {}
        }
        let mut fields = list.to_map(fields).map_err(|error| error.text())?;
        if end && may_have_body(&method) && !fields.contains_key(header::CONTENT_LENGTH) {
            fields.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = fields;
        Ok(request)
    }

    fn send_body(&mut self, bytes: Bytes, end: bool) -> Result<(), Reset> {
        match &mut self.upstream {
            Upstream::Sent { body, .. }
            | Upstream::Called { body, .. }
            | Upstream::Answering { body, .. } => {
                body.push(bytes);
                if end {
                    body.finish();
                    self.request_ended();
                }
            }
            Upstream::Echo {
                body, bytes: total, ..
            } => {
                *total += bytes.len() as u64;
                let room = ECHO_BODY_BYTES - body.len();
                body.put_slice(&bytes[..bytes.len().min(room)]);
                if end {
                    return self.answer_echo();
                }
            }
            Upstream::Idle | Upstream::Answered | Upstream::Local => {}
        }
        Ok(())
    }

    fn send_trailers(&mut self) -> Result<(), Reset> {
        if matches!(self.upstream, Upstream::Echo { .. }) {
            return self.answer_echo();
        }
        let trailers = {
            let stream = self.stream.borrow();
            let list = stream.request.trailers.as_ref();
            list.map_or_else(
                || Ok(HeaderMap::new()),
                |list| list.to_map(HeaderMap::new()),
            )
        };
        if let Upstream::Sent { body, .. }
        | Upstream::Called { body, .. }
        | Upstream::Answering { body, .. } = &self.upstream
        {
            match trailers {
                Ok(trailers) => body.trailers(trailers),
                Err(error) => {
                    self.tell_of_trailers("request", &error);
                    body.finish();
                }
            }
            self.request_ended();
        }
        Ok(())
    }

    /// Takes the next piece of the client's body, if it is wanted. What is left of a request that is
    /// over is [`Exchange::leave_request`]'s.
    pub(super) fn read_request(&mut self, cx: &mut Context<'_>) -> Result<bool, Reset> {
        if self.request_is_over || self.awaits_vm || !self.stream.borrow().request_flow.wants_more()
        {
            return Ok(false);
        }
        let Some(source) = &mut self.source else {
            return Ok(false);
        };
        let sender = match &self.upstream {
            Upstream::Sent { body, .. }
            | Upstream::Called { body, .. }
            | Upstream::Answering { body, .. } => Some(body),
            _ => None,
        };
        if sender.is_some_and(|body| body.poll_capacity(cx).is_pending()) {
            return Ok(false);
        }
        let Poll::Ready(frame) = Pin::new(source).poll_frame(cx) else {
            return Ok(false);
        };
        match frame {
            None => self.source_ended(),
            Some(Ok(frame)) => self.source_gave(frame),
            Some(Err(error)) => self.source_failed(&error)?,
        }
        Ok(true)
    }

    /// The answer goes out and nobody wants the rest of the request: what is there of it is read, so
    /// that the connection can go on; if more is to come, the client learns that it cannot.
    pub(super) fn leave_request(&mut self, cx: &mut Context<'_>) {
        // A client that has gone is noticed as the answer is written.
        let _ = self.watch_client(cx);
        self.closes |= self.request_is_over && self.source.is_some();
    }

    /// Reads what a client still sends of a request that is over: behind unread bytes nobody would
    /// see that it has gone.
    pub(super) fn watch_client(&mut self, cx: &mut Context<'_>) -> Result<(), Reset> {
        let mut left = limits::LINGER_BYTES;
        while self.request_is_over
            && left > 0
            && let Some(source) = &mut self.source
        {
            match Pin::new(source).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
                }
                Poll::Ready(None) => self.source = None,
                Poll::Ready(Some(Err(_))) => {
                    self.source = None;
                    self.closes = true;
                    let facts = &mut self.stream.borrow_mut().facts;
                    facts.flags = Flags::of("DC");
                    facts.details = Some("downstream_remote_disconnect".to_owned());
                    return Err(Reset("the client broke off"));
                }
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    fn source_gave(&mut self, frame: hyper::body::Frame<Bytes>) {
        let is_over = self.source.as_ref().is_some_and(Body::is_end_stream);
        let stream = &mut *self.stream.borrow_mut();
        match data_of(frame) {
            Ok(bytes) => {
                stream.facts.request_bytes += bytes.len() as u64;
                if is_over {
                    self.source = None;
                }
                stream.request_flow.arrive(Frame::Body {
                    bytes,
                    end: is_over,
                });
            }
            Err(trailers) => {
                self.source = None;
                let mut list = HeaderList::default();
                list.extend_from_map(trailers, Side::Request, |_| true);
                stream.request.trailers = Some(list);
                stream.request_flow.arrive(Frame::Trailers);
            }
        }
    }

    fn source_ended(&mut self) {
        self.source = None;
        let end = Frame::Body {
            bytes: Bytes::new(),
            end: true,
        };
        self.stream.borrow_mut().request_flow.arrive(end);
    }

    /// The client's body broke off or is malformed.
    fn source_failed(&mut self, error: &hyper::Error) -> Result<(), Reset> {
        self.source = None;
        self.closes = true;
        if let Upstream::Sent { body, .. }
        | Upstream::Called { body, .. }
        | Upstream::Answering { body, .. } = &self.upstream
        {
            body.abort();
        }
        tracing::debug!(%error, "the client's body broke off");
        if self.reply != Reply::Awaited || !is_malformed(error) {
            let facts = &mut self.stream.borrow_mut().facts;
            facts.flags = Flags::of("DC");
            facts.details = Some("downstream_remote_disconnect".to_owned());
            return Err(Reset("the client's body broke off"));
        }
        self.fault(400, "http1.codec_error", ("DPE", "Bad Request"))
    }
}

/// Whether the client sent something wrong, and did not just go away.
fn is_malformed(error: &hyper::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(inner) = inner.downcast_ref::<std::io::Error>() {
            use std::io::ErrorKind::{InvalidData, InvalidInput};
            return matches!(inner.kind(), InvalidData | InvalidInput);
        }
        cause = inner.source();
    }
    true
}
