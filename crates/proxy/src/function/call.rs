//! One call of a function: from its turn to its response.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Method, StatusCode, header};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::time::Instant;
use weir_functions::{Body, BodyError, Fault, FaultKind, Request, Response};
use weir_model::Name;

use super::Hosted;
use super::body::none;
use super::capacity::Turn;
use super::live::Live;
use crate::gateway::Shared;

/// The functions that are calling, the outermost first.
#[derive(Clone)]
pub(crate) struct Trail {
    pub(super) callers: Arc<[Name]>,
    /// Calls of functions that may still be made, one in the other.
    pub(super) depth: u32,
}

impl Trail {
    /// The first call.
    pub(crate) fn begin() -> Self {
        Self {
            callers: Arc::new([]),
            depth: u32::MAX,
        }
    }

    /// What a call of this function may call itself.
    fn within(&self, hosted: &Hosted) -> Self {
        let callers = self.callers.iter().chain([&hosted.model.name]);
        Self {
            callers: callers.cloned().collect(),
            depth: self.depth.min(hosted.model.limits.depth),
        }
    }
}

/// Calls a function when it has its turn. What it is asked for goes on while the response is read.
///
/// # Errors
/// Why there is no response; it has been counted and told.
pub(crate) async fn call(
    shared: &Rc<Shared>,
    hosted: &Arc<Hosted>,
    (request, trail): (Request, Trail),
) -> Result<Response, Fault> {
    hosted.stats.called();
    let turn = turn(hosted, trail.callers.len()).await?;
    let begun = Instant::now();
    let trail = trail.within(hosted);
    let surroundings = Live::new(shared, hosted, (trail, turn));
    let is_head = request.method() == Method::HEAD;
    let outcome = hosted.loaded.call(request, Box::new(surroundings)).await;
    match outcome {
        Ok(response) => {
            hosted.stats.answered(begun.elapsed());
            let length = length_of(&response).filter(|_| !is_head);
            Ok(response.map(|body| watched(body, hosted, length)))
        }
        Err(fault) => {
            hosted.stats.failed(fault.kind, &fault.text);
            Err(fault)
        }
    }
}

async fn turn(hosted: &Arc<Hosted>, level: usize) -> Result<Turn, Fault> {
    let came = Instant::now();
    match hosted.turns.take(level).await {
        Ok(turn) => {
            hosted.stats.began(turn.is_cold, came.elapsed());
            Ok(turn)
        }
        Err(refused) => {
            hosted.stats.failed(refused.kind, &refused.text);
            Err(Fault {
                function: hosted.model.name.to_string(),
                kind: refused.kind,
                text: refused.text,
            })
        }
    }
}

/// The length that a response says its body has; `None`: it says nothing, or has no body.
fn length_of(response: &Response) -> Option<u64> {
    let has_none = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
    if has_none.contains(&response.status()) {
        return None;
    }
    let length = response.headers().get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

fn watched(body: Body, hosted: &Arc<Hosted>, length: Option<u64>) -> Body {
    if body.is_end_stream() && length.is_none_or(|length| length == 0) {
        return body;
    }
    let watched = Watched {
        body,
        hosted: Arc::clone(hosted),
        length: length.map(|declared| (declared, declared)),
    };
    watched.boxed_unsync()
}

/// The body of a function's response. Failures in it are counted, and it is as long as its head says:
/// a client that takes less for a whole one would be deceived, more would be cut off without a word.
struct Watched {
    body: Body,
    hosted: Arc<Hosted>,
    /// What the head says, and what of it has not come.
    length: Option<(u64, u64)>,
}

impl Watched {
    fn measured(
        &mut self,
        frame: Option<Result<Frame<Bytes>, BodyError>>,
    ) -> Option<Result<Frame<Bytes>, BodyError>> {
        let Some((declared, left)) = &mut self.length else {
            return frame;
        };
        let declared = *declared;
        let is_fitting = match &frame {
            Some(Err(_)) => true,
            None => *left == 0,
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                let rest = left.checked_sub(bytes);
                *left = rest.unwrap_or_default();
                let is_over = frame.is_trailers() || self.body.is_end_stream();
                rest.is_some_and(|rest| rest == 0 || !is_over)
            }
        };
        if is_fitting {
            return frame;
        }
        self.length = None;
        self.body = none();
        Some(Err(BodyError::Length { declared }))
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let frame = self.measured(frame);
        if let Some(Err(error)) = &frame {
            let text = format!("in the body of its response: {error}");
            self.hosted.stats.failed(kind_of(error), &text);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && self.length.is_none_or(|(_, left)| left == 0)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What kind of failure ended a body.
pub(crate) fn kind_of(error: &BodyError) -> FaultKind {
    match error {
        BodyError::Cut | BodyError::Length { .. } => FaultKind::BadResponse,
        BodyError::TooLong { .. } => FaultKind::Limit,
        BodyError::TimedOut => FaultKind::Deadline,
        BodyError::Function { kind, .. } => *kind,
    }
}
