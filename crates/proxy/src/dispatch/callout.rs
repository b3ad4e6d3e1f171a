//! Requests that plugins send, with Envoy's outcomes.

use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, response};
use http_body_util::BodyExt;
use tokio::time::Instant;
use weir_model::limits::CALLOUT_BODY_BYTES_MAX;
use weir_model::{Forward, Retries};

use super::{Answered, Attempts, dispatch};
use crate::upstream::{BodySender, Cluster, UpstreamBody};

/// What a plugin gets for its request.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "made once per callout and taken apart at once"
)]
pub(crate) enum CalloutOutcome {
    /// A response, or the gateway's own answer in its place.
    Response {
        /// Status and headers.
        head: response::Parts,
        /// The whole body.
        body: Bytes,
        /// Trailers, where the upstream sent any.
        trailers: Option<HeaderMap>,
    },
    /// The response broke off after its head.
    Reset,
}

/// Sends a plugin's request. `timeout` is for the whole of it; `None`: no limit. The request has
/// an origin-form URI, the `host` header and, with a body, its `content-length`.
pub(crate) async fn callout(
    cluster: &Rc<Cluster>,
    request: Request<Bytes>,
    timeout: Option<Duration>,
) -> CalloutOutcome {
    let forward = Forward {
        cluster: cluster.model().name.clone(),
        timeout: None,
        idle_timeout: None,
        retries: Retries::default(),
    };
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let (head, body) = request.into_parts();
    let body = BodySender::full(body);
    let mut attempts = Attempts::default();
    let sent = dispatch(cluster, &forward, head, &body, &mut attempts);
    match until(deadline, sent).await {
        Some(Ok(answered)) => {
            let read = read(answered);
            until(deadline, read)
                .await
                .flatten()
                .unwrap_or(CalloutOutcome::Reset)
        }
        Some(Err(error)) => own_answer(error.status(), error.text(false).into_owned().into()),
        None => {
            if let Some(peer) = attempts.last_peer {
                cluster.blame(peer);
            }
            let text = Bytes::from_static(b"upstream request timeout");
            own_answer(StatusCode::GATEWAY_TIMEOUT, text)
        }
    }
}

async fn until<T>(deadline: Option<Instant>, future: impl Future<Output = T>) -> Option<T> {
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline, future).await.ok(),
        None => Some(future.await),
    }
}

/// The whole response; `None`: it broke off, or was too long.
async fn read(answered: Answered) -> Option<CalloutOutcome> {
    let Answered {
        head,
        mut body,
        peer: _,
        local: _,
    } = answered;
    let mut trailers = None;
    let mut whole = match next(&mut body, &mut trailers).await? {
        Some(first) => first,
        None => Bytes::new(),
    };
    let mut rest = BytesMut::new();
    while let Some(more) = next(&mut body, &mut trailers).await? {
        if rest.is_empty() {
            rest = BytesMut::from(std::mem::take(&mut whole));
        }
        rest.extend_from_slice(&more);
        if rest.len() > CALLOUT_BODY_BYTES_MAX {
            return None;
        }
    }
    let body = if rest.is_empty() {
        whole
    } else {
        rest.freeze()
    };
    Some(CalloutOutcome::Response {
        head,
        body,
        trailers,
    })
}

/// The next bytes, or `Some(None)` at the end; trailers go into their place.
async fn next(body: &mut UpstreamBody, trailers: &mut Option<HeaderMap>) -> Option<Option<Bytes>> {
    while let Some(frame) = body.frame().await {
        match frame.ok()?.into_data() {
            Ok(bytes) => return Some(Some(bytes)),
            Err(frame) => *trailers = frame.into_trailers().ok(),
        }
    }
    Some(None)
}

fn own_answer(status: StatusCode, body: Bytes) -> CalloutOutcome {
    let (mut head, ()) = Response::new(()).into_parts();
    head.status = status;
    head.headers
        .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    head.headers
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    CalloutOutcome::Response {
        head,
        body,
        trailers: None,
    }
}
