//! What becomes of a request that has left its filters, and the response that comes back.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::response;
use http_body::Body;

use super::begin::{EndToEnd, data_of};
use super::function::Calling;
use super::{Exchange, Reply};
use crate::dispatch::{Answered, Attempts, DispatchError};
use crate::flow::Frame;
use crate::listen::Reset;
use crate::message::{FieldValue, HeaderList, HeaderName, Message, Pseudo, Side};
use crate::stream::{Flags, LocalAnswer};
use crate::upstream::{BodySender, UpstreamBody, UpstreamError};

type Dispatching = Pin<Box<dyn Future<Output = (Result<Answered, DispatchError>, Attempts)>>>;

/// What becomes of the request.
pub(super) enum Upstream {
    /// It has not left the filters.
    Idle,
    /// It is on its way; no head has come back.
    Sent {
        body: BodySender,
        answer: Dispatching,
    },
    /// A function is called; no head has come back.
    Called { body: BodySender, answer: Calling },
    /// The response comes in. The request may still go on.
    Answering { body: BodySender, answer: Source },
    /// The response has come whole; the request goes nowhere any more.
    Answered,
    /// An echo collects the body.
    Echo {
        head: BytesMut,
        body: BytesMut,
        bytes: u64,
    },
    /// The gateway answers itself.
    Local,
}

/// The body of a response.
pub(super) enum Source {
    Upstream(UpstreamBody),
    Function(weir_functions::Body),
}

/// Why it ended too early.
pub(super) enum Broken {
    Upstream(UpstreamError),
    Function(weir_functions::BodyError),
}

impl Source {
    fn is_end_stream(&self) -> bool {
        match self {
            Self::Upstream(body) => body.is_end_stream(),
            Self::Function(body) => body.is_end_stream(),
        }
    }

    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Broken>>> {
        match self {
            Self::Upstream(body) => Pin::new(body).poll_frame(cx).map_err(Broken::Upstream),
            Self::Function(body) => Pin::new(body).poll_frame(cx).map_err(Broken::Function),
        }
    }
}

impl Exchange {
    /// Waits for the response and takes what of it is wanted.
    pub(super) fn poll_upstream(&mut self, cx: &mut Context<'_>) -> Result<bool, Reset> {
        match &mut self.upstream {
            Upstream::Sent { answer, .. } => {
                let Poll::Ready((outcome, attempts)) = answer.as_mut().poll(cx) else {
                    return Ok(false);
                };
                self.note_attempts(&attempts);
                match outcome {
                    Ok(answered) if is_ambiguous(&answered.head.headers) => {
                        self.upstream_failed(&DispatchError::Protocol, &attempts)?;
                    }
                    Ok(answered) => self.upstream_answered(answered),
                    Err(error) => self.upstream_failed(&error, &attempts)?,
                }
                Ok(true)
            }
            Upstream::Called { .. } => self.poll_function(cx),
            Upstream::Answering { .. } => self.read_answer(cx),
            Upstream::Idle | Upstream::Answered | Upstream::Echo { .. } | Upstream::Local => {
                Ok(false)
            }
        }
    }

    fn note_attempts(&mut self, attempts: &Attempts) {
        let facts = &mut self.stream.borrow_mut().facts;
        facts.attempts = attempts.count;
        facts.upstream = attempts.last_peer;
        facts.pool_ready = attempts.pool_ready;
        let failure = attempts.last_failure.as_ref();
        facts.upstream_failure = failure.and_then(DispatchError::transport_failure);
        if attempts.is_exhausted {
            facts.flags = Flags::of("URX");
        }
    }

    fn upstream_answered(&mut self, answered: Answered) {
        let Answered {
            head,
            body: answer,
            peer,
            local,
        } = answered;
        {
            let facts = &mut self.stream.borrow_mut().facts;
            facts.upstream = Some(peer);
            facts.upstream_local = Some(local);
        }
        let end = answer.is_end_stream();
        self.take_head(head, "via_upstream", end);
        let sent = std::mem::replace(&mut self.upstream, Upstream::Answered);
        match sent {
            Upstream::Sent { body, .. } if !end => {
                let answer = Source::Upstream(answer);
                self.upstream = Upstream::Answering { body, answer };
            }
            _ => self.answer_ended(),
        }
    }

    /// The head of a response enters the filters.
    pub(super) fn take_head(&mut self, head: response::Parts, details: &str, end: bool) {
        let fields = head.headers;
        let ends = EndToEnd::of(&fields);
        let mut headers = HeaderList::with_capacity(fields.len() + 1);
        let status = FieldValue::copied(head.status.as_str().as_bytes());
        headers.push(HeaderName::Pseudo(Pseudo::Status), status);
        headers.extend_from_map(fields, Side::Response, |name| ends.shows(name));
        {
            let stream = &mut *self.stream.borrow_mut();
            stream.facts.status = head.status.as_u16();
            stream.facts.details = Some(details.to_owned());
            stream.response = Message {
                headers,
                trailers: None,
            };
            stream.response_flow.arrive(Frame::Headers { end });
        }
        self.response_has_begun = true;
    }

    fn upstream_failed(&mut self, error: &DispatchError, attempts: &Attempts) -> Result<(), Reset> {
        if let (DispatchError::Aborted, Upstream::Sent { body, .. }) = (error, &self.upstream)
            && body.is_short()
        {
            // The client's codec lets no such body in: a filter changed it, or its length.
            return self.refuse_left_head("invalid header value for: content-length");
        }
        let text = error.text(attempts.count > 1);
        let flags = if attempts.is_exhausted {
            "URX"
        } else {
            error.flags()
        };
        self.fault(error.status().as_u16(), &error.details(), (flags, &text))
    }

    fn read_answer(&mut self, cx: &mut Context<'_>) -> Result<bool, Reset> {
        let mut moved = false;
        while self.asking.response.is_none() && self.stream.borrow().response_flow.wants_more() {
            let Upstream::Answering { answer, .. } = &mut self.upstream else {
                break;
            };
            let Poll::Ready(frame) = answer.poll_frame(cx) else {
                break;
            };
            let is_over = answer.is_end_stream();
            moved = true;
            match frame.transpose() {
                Ok(Some(frame)) => self.answer_gave(frame, is_over),
                Ok(None) => {
                    let end = Frame::Body {
                        bytes: Bytes::new(),
                        end: true,
                    };
                    self.stream.borrow_mut().response_flow.arrive(end);
                    self.answer_ended();
                }
                Err(Broken::Upstream(error)) => return self.answer_broke(error).map(|()| true),
                Err(Broken::Function(error)) => {
                    return self.function_broke(&error).map(|()| true);
                }
            }
        }
        Ok(moved)
    }

    fn answer_gave(&mut self, frame: hyper::body::Frame<Bytes>, is_over: bool) {
        match data_of(frame) {
            Ok(bytes) => {
                let frame = Frame::Body {
                    bytes,
                    end: is_over,
                };
                self.stream.borrow_mut().response_flow.arrive(frame);
                if is_over {
                    self.answer_ended();
                }
            }
            Err(trailers) => {
                let mut list = HeaderList::default();
                list.extend_from_map(trailers, Side::Response, |_| true);
                let stream = &mut *self.stream.borrow_mut();
                stream.response.trailers = Some(list);
                stream.response_flow.arrive(Frame::Trailers);
                self.upstream = Upstream::Answered;
                self.request_is_over = true;
            }
        }
    }

    /// The response is complete; the upstream wants no more of the request.
    pub(super) fn answer_ended(&mut self) {
        self.upstream = Upstream::Answered;
        self.request_is_over = true;
        let facts = &mut self.stream.borrow_mut().facts;
        facts.backend_latency = self
            .timer
            .request_ended
            .map(|ended| tokio::time::Instant::now() - ended);
    }

    /// The upstream broke off after its head.
    fn answer_broke(&mut self, error: UpstreamError) -> Result<(), Reset> {
        tracing::debug!(%error, "the upstream's response broke off");
        self.upstream = Upstream::Answered;
        let (status, flags, details, text) = match error {
            UpstreamError::Terminated | UpstreamError::Reset => (
                503,
                "UC",
                "upstream_reset_after_response_started{remote_reset}",
                "upstream connect error or disconnect/reset before headers",
            ),
            UpstreamError::Protocol => (
                502,
                "UPE",
                "upstream_reset_after_response_started{protocol_error}",
                "upstream connect error or disconnect/reset before headers. reset reason: protocol error",
            ),
        };
        self.stream.borrow_mut().facts.flags = Flags::of(flags);
        if self.reply != Reply::Awaited {
            self.stream.borrow_mut().facts.details = Some(details.to_owned());
            return Err(Reset("the upstream's response broke off"));
        }
        self.answer_locally(LocalAnswer {
            status,
            details: details.to_owned(),
            body: Bytes::from_static(text.as_bytes()),
            ..LocalAnswer::default()
        })
    }

    /// The route's time is over: the upstream's answer is not waited for.
    pub(super) fn upstream_timed_out(&mut self) {
        if let Upstream::Sent { body, .. } | Upstream::Called { body, .. } = &self.upstream {
            body.abort();
        }
        self.upstream = Upstream::Local;
    }
}

/// Whether two parties could read different bodies, or nobody could undo the coding: several
/// lengths, a length beside a coding, a coding other than `chunked` (RFC 9112 §6.1, §6.3).
pub(super) fn is_ambiguous(fields: &http::HeaderMap) -> bool {
    let lengths = fields.get_all(http::header::CONTENT_LENGTH).iter().count();
    let mut codings = fields.get_all(http::header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => lengths > 1,
        (Some(coding), None) => {
            lengths > 0
                || !coding
                    .as_bytes()
                    .trim_ascii()
                    .eq_ignore_ascii_case(b"chunked")
        }
        (Some(_), Some(_)) => true,
    }
}
