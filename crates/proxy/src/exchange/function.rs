//! The end of a route in a function: the request goes in as it comes, the response comes out as it
//! is made.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header;
use http::uri::{Scheme, Uri};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body::Body as _;
use weir_functions::message::Peer;
use weir_functions::{BodyError, Fault, FaultKind, Response};

use super::upstream::{Source, Upstream, is_ambiguous};
use super::{Exchange, Reply};
use crate::dispatch::length_of;
use crate::function::{self, Hosted, Trail};
use crate::listen::Reset;
use crate::message::{FieldValue, HeaderList, Side};
use crate::stream::{Flags, LocalAnswer};
use crate::upstream::BodySender;

/// A call that has no response yet.
pub(super) type Calling = Pin<Box<dyn Future<Output = Result<Response, Fault>>>>;

impl Exchange {
    /// Calls the function of the route with a request whose head has passed the filters.
    pub(super) fn call_function(&mut self, name: &str, end: bool) -> Result<(), Reset> {
        let head = self.upstream_head(end).and_then(absolute);
        let head = match head {
            Ok(head) => head,
            Err(text) => return self.refuse_left_head(&text),
        };
        let shared = Rc::clone(&self.worker.shared);
        let Some(hosted) = shared.process.functions.get(name).map(Arc::clone) else {
            // The lowering refuses dangling names.
            return self.fault(503, "function_not_found", ("NC", ""));
        };
        let body = if end {
            BodySender::empty()
        } else {
            BodySender::streaming(length_of(head.headers()))
        };
        let reader = body.attach().filter(|_| !end);
        // Nobody reads it a second time.
        body.settle();
        let mut request = head.map(|()| reader.map_or_else(function::none, function::from_client));
        request.extensions_mut().insert(Peer(self.connection.peer));
        if end {
            self.request_ended();
        }
        let answer = Box::pin(async move {
            let trail = Trail::begin();
            function::call(&shared, &hosted, (request, trail)).await
        });
        self.upstream = Upstream::Called { body, answer };
        Ok(())
    }

    /// Waits for the head of the response.
    pub(super) fn poll_function(&mut self, cx: &mut Context<'_>) -> Result<bool, Reset> {
        let Upstream::Called { answer, .. } = &mut self.upstream else {
            return Ok(false);
        };
        let Poll::Ready(outcome) = answer.as_mut().poll(cx) else {
            return Ok(false);
        };
        match outcome {
            Ok(response) if is_no_response(&response) => {
                self.function_failed(FaultKind::BadResponse)?;
            }
            Ok(response) => self.function_answered(response),
            Err(fault) => self.function_failed(fault.kind)?,
        }
        Ok(true)
    }

    fn function_answered(&mut self, response: Response) {
        let (head, answer) = response.into_parts();
        // What the codec does not read would never end.
        let has_none = self.is_head_request
            || matches!(
                head.status,
                StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
            );
        let end = has_none || answer.is_end_stream();
        self.take_head(head, "via_function", end);
        match std::mem::replace(&mut self.upstream, Upstream::Answered) {
            Upstream::Called { body, .. } if !end => {
                let answer = Source::Function(answer);
                self.upstream = Upstream::Answering { body, answer };
            }
            _ => self.answer_ended(),
        }
    }

    fn function_failed(&mut self, kind: FaultKind) -> Result<(), Reset> {
        let details = details_of(kind);
        let mut headers = HeaderList::default();
        if let Some(wait) = self.retry_after(kind) {
            let wait = FieldValue::copied(wait.as_bytes());
            headers.add(
                header::RETRY_AFTER.as_str().as_bytes(),
                wait,
                Side::Response,
            );
        }
        self.stream.borrow_mut().facts.flags = Flags::of(flags_of(kind));
        self.answer_locally(LocalAnswer {
            status: kind.status().as_u16(),
            details: details.to_owned(),
            headers,
            body: Bytes::from_static(text_of(kind).as_bytes()),
            ..LocalAnswer::default()
        })
    }

    /// Seconds after which a client that was sent away may come again.
    fn retry_after(&self, kind: FaultKind) -> Option<String> {
        if kind.status() != StatusCode::SERVICE_UNAVAILABLE {
            return None;
        }
        let weir_model::Action::Function(name) = &self.route_at()?.action else {
            return None;
        };
        let hosted: &Arc<Hosted> = self.worker.shared.process.functions.get(name)?;
        let wait = hosted.retry_after() + Duration::from_millis(999);
        Some(wait.as_secs().max(1).to_string())
    }

    /// The function failed after the head of its response.
    pub(super) fn function_broke(&mut self, error: &BodyError) -> Result<(), Reset> {
        let kind = function::kind_of(error);
        self.upstream = Upstream::Answered;
        if self.reply == Reply::Awaited {
            return self.function_failed(kind);
        }
        let facts = &mut self.stream.borrow_mut().facts;
        facts.flags = Flags::of(flags_of(kind));
        facts.details = Some(format!("{}_after_head", details_of(kind)));
        Err(Reset("the function failed after the head of its response"))
    }
}

/// A head with an absolute target, as functions get it.
fn absolute(mut head: Request<()>) -> Result<Request<()>, String> {
    let host = head.headers().get(header::HOST);
    let host = host.ok_or_else(|| "missing required header: :authority".to_owned())?;
    let path = head.uri().path_and_query().cloned();
    let mut uri = Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(host.as_bytes());
    if let Some(path) = path.filter(|_| head.method() != Method::OPTIONS || head.uri() != "*") {
        uri = uri.path_and_query(path);
    } else {
        uri = uri.path_and_query("/");
    }
    let uri = uri.build();
    *head.uri_mut() = uri.map_err(|_| "invalid header value for: :authority".to_owned())?;
    Ok(head)
}

/// Whether what a function answers cannot be sent as it is.
fn is_no_response(response: &Response) -> bool {
    let fields = response.headers();
    let length = fields
        .get(header::CONTENT_LENGTH)
        .map(HeaderValue::as_bytes);
    let is_length = |text: &[u8]| {
        std::str::from_utf8(text)
            .is_ok_and(|text| text.parse::<u64>().is_ok() && !text.starts_with('+'))
    };
    response.status().is_informational() || is_ambiguous(fields) || !length.is_none_or(is_length)
}

/// What access logs say of a failure.
fn details_of(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Trap => "function_trap",
        FaultKind::Deadline => "function_deadline",
        FaultKind::Limit => "function_limit",
        FaultKind::NoResponse => "function_no_response",
        FaultKind::BadResponse => "function_bad_response",
        FaultKind::NoCapacity => "function_no_capacity",
        FaultKind::QueueDeadline => "function_queue_deadline",
        FaultKind::Start => "function_start",
    }
}

/// Response flags as Envoy has them for what comes nearest with upstreams.
fn flags_of(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Trap | FaultKind::Limit | FaultKind::NoResponse => "UC",
        FaultKind::BadResponse => "UPE",
        FaultKind::Deadline => "UT",
        FaultKind::NoCapacity | FaultKind::QueueDeadline => "UO",
        FaultKind::Start => "UF",
    }
}

/// What the client reads. Reasons are for the operator: they may tell of the function's insides.
fn text_of(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Trap | FaultKind::Limit => "the function failed",
        FaultKind::NoResponse => "the function gave no response",
        FaultKind::BadResponse => "the function gave a bad response",
        FaultKind::Deadline => "the function took too long",
        FaultKind::NoCapacity | FaultKind::QueueDeadline => "the function is busy",
        FaultKind::Start => "the function could not be started",
    }
}
