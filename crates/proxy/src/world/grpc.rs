//! gRPC calls and streams of guests (Proxy-Wasm reference 6.2).

use rustc_hash::FxHashMap;
use tokio::task::AbortHandle;
use weir_guest::door::{ContextId, GrpcCall};
use weir_guest::{Event, Reply, Status, pairs};
use weir_model::limits;

use super::{LiveWorld, Outcome};
use crate::grpc::{self, Asked, End, Heard, More, Outset, Service, Target, code, framed};
use crate::message::{BodyBuffer, HeaderList};
use crate::upstream::BodySender;

/// The kinds of tokens, in their two lowest bits; HTTP callouts are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Call = 1,
    Stream = 2,
}

impl Kind {
    pub(super) fn of(token: u32) -> Option<Self> {
        match token & 3 {
            1 => Some(Self::Call),
            2 => Some(Self::Stream),
            _ => None,
        }
    }
}

/// A call or stream of a root. Dropping it cancels it.
pub(crate) struct Handle {
    task: AbortHandle,
    /// What the guest sends; a unary call has sent everything.
    body: BodySender,
    is_closed_here: bool,
    pub(crate) is_closed_there: bool,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.task.abort();
        self.body.abort();
    }
}

/// The calls and streams of a root, by token.
pub(crate) type Handles = FxHashMap<u32, Handle>;

/// What the running gRPC callback looks at.
pub(crate) enum GrpcView {
    Initial(HeaderList),
    Message(BodyBuffer),
    Trailing(HeaderList),
}

impl GrpcView {
    pub(crate) fn of(heard: Heard) -> Self {
        match heard {
            Heard::Initial(list) => Self::Initial(list),
            Heard::Message(bytes) => {
                let mut buffer = BodyBuffer::default();
                buffer.push(bytes);
                Self::Message(buffer)
            }
            Heard::Trailing(list) => Self::Trailing(list),
        }
    }

    /// The event that shows it.
    pub(crate) fn event(&self, root: ContextId, token: u32) -> Event {
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        match self {
            Self::Initial(list) => Event::GrpcInitialMetadata {
                root,
                token,
                count: count(list.len()),
            },
            Self::Message(buffer) => Event::GrpcMessage {
                root,
                token,
                size: count(buffer.len()),
            },
            Self::Trailing(list) => Event::GrpcTrailingMetadata {
                root,
                token,
                count: count(list.len()),
            },
        }
    }
}

impl Handle {
    /// Whether its token is of no use any more once the server has closed it.
    pub(crate) fn ends_with(&self, token: u32) -> bool {
        Kind::of(token) == Some(Kind::Call) || self.is_closed_here
    }
}

impl LiveWorld {
    pub(super) fn grpc_call(&mut self, call: &GrpcCall<'_>) -> Outcome {
        let target = self.grpc_target(call)?;
        let token = self.next_grpc(Kind::Call);
        let Some(cluster) = self.cluster(target.cluster).cloned() else {
            return self.no_cluster(token);
        };
        let fits = call.message.len() <= limits::GRPC_MESSAGE_BYTES_MAX;
        if !fits || !cluster.has_endpoint() {
            return Err(Status::InternalFailure);
        }
        self.begin_callout()?;
        let timeout = call.timeout_ms.cast_unsigned();
        let outset = outset(&target, call, Some(timeout));
        // Without a length: gRPC says it in the frame.
        let body = BodySender::streaming(None);
        body.push(framed(call.message));
        body.finish();
        let (root, slot, sent) = (self.here.root, self.slot.clone(), body.clone());
        let task = self.spawn(async move {
            let outcome = grpc::ask(cluster, outset, sent).await;
            if let Some(slot) = slot.upgrade() {
                slot.grpc_answered(root, token, outcome);
            }
        });
        self.keep(token, task, body)
    }

    pub(super) fn grpc_stream(&mut self, call: &GrpcCall<'_>) -> Outcome {
        let target = self.grpc_target(call)?;
        let token = self.next_grpc(Kind::Stream);
        let Some(cluster) = self.cluster(target.cluster).cloned() else {
            return self.no_cluster(token);
        };
        if !cluster.has_endpoint() {
            return Err(Status::InternalFailure);
        }
        self.begin_callout()?;
        let outset = outset(&target, call, None);
        let body = BodySender::streaming(None);
        let (root, slot, sent) = (self.here.root, self.slot.clone(), body.clone());
        let task = self.spawn(async move {
            let hear = async |heard| match slot.upgrade() {
                Some(slot) => slot.grpc_heard(root, token, heard).await,
                None => More::Unwanted,
            };
            let end = grpc::converse(cluster, outset, sent, hear).await;
            if let (Some(end), Some(slot)) = (end, slot.upgrade()) {
                slot.grpc_ended(root, token, end);
            }
        });
        self.keep(token, task, body)
    }

    pub(super) fn grpc_send(&mut self, token: u32, message: &[u8], end: bool) -> Outcome {
        if Kind::of(token) != Some(Kind::Stream) {
            return Err(Status::BadArgument);
        }
        let handle = self.grpc_handle(token)?;
        if handle.is_closed_there {
            return Ok(Reply::Done);
        }
        let unsent = handle.body.unread() + message.len();
        if unsent > limits::GRPC_UNSENT_BYTES_MAX || message.len() > limits::GRPC_MESSAGE_BYTES_MAX
        {
            return Ok(self.give_up(token, "the server does not take what the plugin sends"));
        }
        // After the guest's own end this goes nowhere, as in Envoy.
        handle.body.push(framed(message));
        if end {
            handle.body.finish();
        }
        Ok(Reply::Done)
    }

    pub(super) fn grpc_close(&mut self, token: u32) -> Outcome {
        let kind = Kind::of(token).ok_or(Status::BadArgument)?;
        let handle = self.grpc_handle(token)?;
        if kind == Kind::Call || handle.is_closed_there {
            return self.grpc_cancel(token);
        }
        handle.is_closed_here = true;
        handle.body.finish();
        Ok(Reply::Done)
    }

    pub(super) fn grpc_cancel(&mut self, token: u32) -> Outcome {
        Kind::of(token).ok_or(Status::BadArgument)?;
        let root = self.root_mut().ok_or(Status::NotFound)?;
        root.grpc.remove(&token).ok_or(Status::NotFound)?;
        Ok(Reply::Done)
    }

    fn grpc_handle(&mut self, token: u32) -> Result<&mut Handle, Status> {
        let root = self.root_mut().ok_or(Status::NotFound)?;
        root.grpc.get_mut(&token).ok_or(Status::NotFound)
    }

    fn grpc_target<'c>(&self, call: &GrpcCall<'c>) -> Result<Target<'c>, Status> {
        let is_cluster = |name: &str| self.cluster(name).is_some();
        match Service::of(call.service, is_cluster) {
            Service::Message(target) => Ok(target),
            Service::Name(name) if is_cluster(name) => Ok(Target::named(name)),
            Service::Name(_) | Service::Nothing => Err(Status::ParseFailure),
            Service::Foreign => Err(Status::BadArgument),
        }
    }

    /// As in Envoy, each kind counts for itself, and the two lowest bits tell them apart.
    fn next_grpc(&mut self, kind: Kind) -> u32 {
        let counter = &mut self.grpc_tokens[kind as usize - 1];
        loop {
            *counter = counter.wrapping_add(4);
            let token = *counter & !3 | kind as u32;
            let is_taken = self
                .roots
                .values()
                .any(|root| root.grpc.contains_key(&token));
            if token > 3 && !is_taken {
                return token;
            }
        }
    }

    fn keep(&mut self, token: u32, task: Option<AbortHandle>, body: BodySender) -> Outcome {
        let task = task.ok_or(Status::InternalFailure)?;
        let handle = Handle {
            task,
            body,
            is_closed_here: false,
            is_closed_there: false,
        };
        if let Some(root) = self.root_mut() {
            root.grpc.insert(token, handle);
        }
        Ok(Reply::Number(u64::from(token)))
    }

    /// The call fails, and as in Envoy its callback says so, too.
    fn no_cluster(&mut self, token: u32) -> Outcome {
        let (root_id, slot) = (self.here.root, self.slot.clone());
        let task = self.spawn(async move {
            if let Some(slot) = slot.upgrade() {
                slot.grpc_refused(
                    root_id,
                    token,
                    End::new(code::UNAVAILABLE, "Cluster not available"),
                );
            }
        });
        if let (Some(task), Some(root)) = (task, self.root_mut()) {
            root.calls.insert(token, task);
        }
        Err(Status::InternalFailure)
    }

    /// Ends a stream that has outgrown its limits; the guest learns it in its callback.
    fn give_up(&mut self, token: u32, why: &'static str) -> Reply {
        let (root_id, slot) = (self.here.root, self.slot.clone());
        let task = self.spawn(async move {
            if let Some(slot) = slot.upgrade() {
                let end = End::new(code::RESOURCE_EXHAUSTED, why);
                let trailers = Heard::Trailing(HeaderList::default());
                if slot.grpc_heard(root_id, token, trailers).await == More::Wanted {
                    slot.grpc_ended(root_id, token, end);
                }
            }
        });
        if let (Some(task), Ok(handle)) = (task, self.grpc_handle(token)) {
            handle.body.abort();
            std::mem::replace(&mut handle.task, task).abort();
            // Nothing more can be sent.
            handle.is_closed_there = true;
        }
        Reply::Done
    }
}

fn outset(target: &Target<'_>, call: &GrpcCall<'_>, timeout_ms: Option<u32>) -> Outset {
    let metadata = pairs::decode(call.metadata);
    Outset::of(Asked {
        target,
        service: call.service_name,
        method: call.method,
        metadata: metadata.iter().map(|(name, value)| (*name, *value)),
        timeout_ms,
    })
}
