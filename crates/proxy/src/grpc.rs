//! gRPC calls of guests: one conversation over a cluster, with Envoy's outcomes.
//!
//! Invariant: whatever a server sends ends in a status; nothing of it is trusted, and no more of it is
//! read than the guest has taken.

mod frames;
mod outset;

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, response};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use weir_model::{Forward, Retries};

use crate::dispatch::{Answered, Attempts, DispatchError, dispatch};
use crate::exchange::{grpc_answer, grpc_status_of};
use crate::message::{FieldValue, HeaderList, HeaderName, Pseudo, Side};
use crate::stream::LocalAnswer;
use crate::upstream::{BodySender, Cluster, UpstreamBody, UpstreamError};
pub(crate) use frames::framed;
use frames::{FrameError, Frames};
pub(crate) use outset::{Asked, Outset, Service, Target};

/// gRPC's status codes, as far as a host gives them itself.
pub(crate) mod code {
    pub(crate) const OK: u32 = 0;
    pub(crate) const UNKNOWN: u32 = 2;
    pub(crate) const RESOURCE_EXHAUSTED: u32 = 8;
    pub(crate) const INTERNAL: u32 = 13;
    pub(crate) const UNAVAILABLE: u32 = 14;
    /// The highest that gRPC defines.
    pub(super) const LAST: u32 = 16;
    /// What is no code.
    pub(super) const INVALID: u32 = u32::MAX;
}

/// What a server says, in order: metadata, messages, metadata.
#[derive(Debug)]
pub(crate) enum Heard {
    Initial(HeaderList),
    Message(Bytes),
    Trailing(HeaderList),
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) status: u32,
    pub(crate) message: Bytes,
}

impl End {
    pub(crate) fn new(status: u32, message: &str) -> Self {
        Self {
            status,
            message: Bytes::copy_from_slice(message.as_bytes()),
        }
    }
}

/// Whether the listener wants to hear more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum More {
    Wanted,
    /// The guest has cancelled the call, or is gone.
    Unwanted,
}

/// A conversation whose listener has gone.
struct Unheard;

/// Carries a call from its request to its end. `None`: the listener wanted no more.
pub(crate) async fn converse(
    cluster: Rc<Cluster>,
    outset: Outset,
    body: BodySender,
    hear: impl AsyncFnMut(Heard) -> More,
) -> Option<End> {
    cluster.expect_grpc();
    let mut talk = Talk { hear };
    let timeout = outset.timeout;
    let outcome = match outset.head {
        Ok(head) => {
            let mut progress = Progress::default();
            let whole = talk.carry(&cluster, head, &body, &mut progress);
            match timeout {
                None => whole.await,
                Some(limit) => match tokio::time::timeout(limit, whole).await {
                    Ok(outcome) => outcome,
                    Err(_elapsed) => talk.timed_out(&cluster, &progress).await,
                },
            }
        }
        Err(unsendable) => {
            talk.answer_locally(503, unsendable.text, &unsendable.details)
                .await
        }
    };
    body.abort();
    outcome.ok()
}

/// How far a call has come.
#[derive(Default)]
struct Progress {
    attempts: Attempts,
    has_head: bool,
}

struct Talk<H> {
    hear: H,
}

impl<H: AsyncFnMut(Heard) -> More> Talk<H> {
    async fn tell(&mut self, heard: Heard) -> Result<(), Unheard> {
        match (self.hear)(heard).await {
            More::Wanted => Ok(()),
            More::Unwanted => Err(Unheard),
        }
    }

    async fn carry(
        &mut self,
        cluster: &Rc<Cluster>,
        head: http::request::Parts,
        body: &BodySender,
        progress: &mut Progress,
    ) -> Result<End, Unheard> {
        let forward = Forward {
            cluster: cluster.model().name.clone(),
            timeout: None,
            idle_timeout: None,
            retries: Retries::default(),
        };
        match dispatch(cluster, &forward, head, body, &mut progress.attempts).await {
            Ok(answered) => {
                progress.has_head = true;
                self.listen(answered).await
            }
            Err(error) => self.failed(&error).await,
        }
    }

    async fn listen(&mut self, answered: Answered) -> Result<End, Unheard> {
        let Answered { head, mut body, .. } = answered;
        let status = head.status;
        let is_whole = body.is_end_stream();
        let fields = fields_of(head);
        let has_status = fields.first(STATUS, Side::Response).is_some();
        if is_whole && (status == StatusCode::OK || has_status) {
            self.tell(Heard::Initial(HeaderList::default())).await?;
            return self.close(fields).await;
        }
        if status != StatusCode::OK {
            self.tell(Heard::Initial(HeaderList::default())).await?;
            return self
                .broke(grpc_status_of(status.as_u16()), "via_upstream")
                .await;
        }
        self.tell(Heard::Initial(fields)).await?;
        self.read(&mut body).await
    }

    async fn read(&mut self, body: &mut UpstreamBody) -> Result<End, Unheard> {
        let mut frames = Frames::default();
        loop {
            let frame = match body.frame().await {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return self.broke(code::INTERNAL, details_of(error)).await,
                None => return self.broke(code::UNKNOWN, "via_upstream").await,
            };
            match frame.into_data() {
                Ok(bytes) => frames.push(&bytes),
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    return self.close(list_of(trailers)).await;
                }
            }
            loop {
                match frames.next() {
                    Ok(Some(message)) => {
                        self.tell(Heard::Message(message)).await?;
                        // Other exchanges have their turn between two messages.
                        tokio::task::yield_now().await;
                    }
                    Ok(None) => break,
                    Err(FrameError::Flags) => {
                        return self.broke(code::INTERNAL, "via_upstream").await;
                    }
                    Err(FrameError::TooLong) => {
                        return self.broke(code::RESOURCE_EXHAUSTED, "via_upstream").await;
                    }
                }
            }
        }
    }

    /// The server's own end.
    async fn close(&mut self, trailers: HeaderList) -> Result<End, Unheard> {
        let end = end_of(&trailers, "via_upstream");
        self.tell(Heard::Trailing(trailers)).await?;
        Ok(end)
    }

    /// An end without trailers.
    async fn broke(&mut self, status: u32, details: &str) -> Result<End, Unheard> {
        self.tell(Heard::Trailing(HeaderList::default())).await?;
        Ok(End::new(status, details))
    }

    async fn failed(&mut self, error: &DispatchError) -> Result<End, Unheard> {
        let text = error.text(false).into_owned();
        self.answer_locally(error.status().as_u16(), text, &error.details())
            .await
    }

    /// The gateway answers in the server's place.
    async fn answer_locally(
        &mut self,
        status: u16,
        text: String,
        details: &str,
    ) -> Result<End, Unheard> {
        let answer = LocalAnswer {
            status,
            body: text.into(),
            ..LocalAnswer::default()
        };
        let trailers = grpc_answer(&answer).headers;
        let end = end_of(&trailers, details);
        self.tell(Heard::Initial(HeaderList::default())).await?;
        self.tell(Heard::Trailing(trailers)).await?;
        Ok(end)
    }

    async fn timed_out(&mut self, cluster: &Cluster, progress: &Progress) -> Result<End, Unheard> {
        if let Some(peer) = progress.attempts.last_peer {
            cluster.blame(peer);
        }
        if progress.has_head {
            return self.broke(code::INTERNAL, "response_timeout").await;
        }
        let text = "upstream request timeout".to_owned();
        self.answer_locally(504, text, "response_timeout").await
    }
}

const STATUS: &[u8] = b"grpc-status";
const MESSAGE: &[u8] = b"grpc-message";

/// Status and message as trailers tell them. Envoy puts its response code details behind the text.
fn end_of(trailers: &HeaderList, details: &str) -> End {
    let value = |name| trailers.first(name, Side::Response);
    let status = match value(STATUS).map(FieldValue::as_bytes) {
        None | Some(b"") => code::UNKNOWN,
        Some(text) => std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok())
            .filter(|status| *status <= code::LAST)
            .unwrap_or(code::INVALID),
    };
    let text = value(MESSAGE).map_or(&b""[..], FieldValue::as_bytes);
    let message = match text {
        [] => details.as_bytes().to_vec(),
        text => [text, b"{", details.as_bytes(), b"}"].concat(),
    };
    End {
        status,
        message: message.into(),
    }
}

fn details_of(error: UpstreamError) -> &'static str {
    match error {
        UpstreamError::Terminated => {
            "upstream_reset_after_response_started{connection_termination}"
        }
        UpstreamError::Reset => "upstream_reset_after_response_started{remote_reset}",
        UpstreamError::Protocol => "upstream_reset_after_response_started{protocol_error}",
    }
}

fn fields_of(head: response::Parts) -> HeaderList {
    let mut list = HeaderList::with_capacity(head.headers.len() + 1);
    let status = FieldValue::copied(head.status.as_str().as_bytes());
    list.push(HeaderName::Pseudo(Pseudo::Status), status);
    list.extend_from_map(head.headers, Side::Response, |_| true);
    list
}

fn list_of(map: HeaderMap) -> HeaderList {
    let mut list = HeaderList::default();
    list.extend_from_map(map, Side::Response, |_| true);
    list
}

/// A unary call: the last message if all went well, else why not.
pub(crate) async fn ask(
    cluster: Rc<Cluster>,
    outset: Outset,
    body: BodySender,
) -> Result<Bytes, End> {
    let mut answer = None;
    let end = converse(cluster, outset, body, async |heard| {
        if let Heard::Message(message) = heard {
            answer = Some(message);
        }
        More::Wanted
    });
    let end = end.await.unwrap_or_else(|| End::new(code::INTERNAL, ""));
    match answer {
        Some(answer) if end.status == code::OK => Ok(answer),
        None if end.status == code::OK => Err(End::new(code::INTERNAL, "")),
        _ => Err(end),
    }
}

/// The time limit of a unary call; 0: none.
pub(crate) fn limit_of(timeout_ms: u32) -> Option<Duration> {
    (timeout_ms > 0).then(|| Duration::from_millis(timeout_ms.into()))
}
