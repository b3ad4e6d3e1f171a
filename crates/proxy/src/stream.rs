//! What one exchange and the guests that look at it share.
//!
//! Guests reach it through their world, the exchange through its own reference; both live on one
//! thread and never borrow it across a call of the other. Invariant: a guest gives orders here and
//! never acts; the exchange carries them out after the guest has returned.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::SystemTime;

use bytes::Bytes;
use smallvec::SmallVec;
use tokio::time::Instant;
use weir_guest::door::{ContextId, StreamKind};
use weir_model::{Name, limits};

use crate::flow::Flow;
use crate::foreign::{PropertyKind, Span};
use crate::listen::Connection;
use crate::message::{BodyBuffer, HeaderList, Message, Side};
use crate::world::Usage;

/// A stream as its holders pass it on.
pub(crate) type StreamRef = Rc<RefCell<Stream>>;

/// One exchange as guests see it.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) request: Message,
    pub(crate) response: Message,
    pub(crate) request_flow: Flow,
    pub(crate) response_flow: Flow,
    /// Of a TCP connection: what has come and was not passed on. `None`: this is HTTP.
    pub(crate) lanes: Option<Box<Lanes>>,
    /// What each stage may touch now.
    pub(crate) access: SmallVec<[Access; 2]>,
    pub(crate) facts: Facts,
    pub(crate) properties: Vec<Property>,
    /// What stages have declared for themselves: stage and name. Nothing reads it but a second
    /// declaration.
    pub(crate) declared: Vec<(usize, String)>,
    /// Names and values for the access log that filters do not see (Higress's `trace_span_tag.*`).
    pub(crate) tags: Vec<(Bytes, Bytes)>,
    pub(crate) orders: SmallVec<[Order; 2]>,
    /// The request's headers changed: the route is to be chosen again.
    pub(crate) route_is_stale: bool,
    /// Everything is over but the log.
    pub(crate) is_logging: bool,
    waker: Option<Waker>,
}

/// What one stage may touch now (Proxy-Wasm reference 2.4, 2.5).
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts; each has its own name and reader"
)]
pub(crate) struct Access {
    /// The stage's context; 0: none yet.
    pub(crate) context: ContextId,
    pub(crate) request_headers: bool,
    pub(crate) request_trailers: bool,
    pub(crate) response_headers: bool,
    pub(crate) response_trailers: bool,
    /// The stage looks at the last bytes of this side: touching its trailers makes them.
    pub(crate) ending: Option<SideFlag>,
    pub(crate) made_trailers: bool,
    /// Bytes of a TCP connection, from the client.
    pub(crate) downstream: bool,
    /// Bytes of a TCP connection, from the upstream.
    pub(crate) upstream: bool,
    /// Edits of request headers leave the route alone (Higress's `clear_route_cache`).
    pub(crate) keeps_route: bool,
    /// It has answered the client itself.
    pub(crate) has_answered: bool,
    /// What it has used for this request.
    pub(crate) usage: Usage,
}

/// The bytes of a TCP connection that its filters have not passed on.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    pub(crate) downstream: Lane,
    pub(crate) upstream: Lane,
    /// A cluster that a filter chose in place of the listener's.
    pub(crate) cluster: Option<Name>,
}

/// One direction of a TCP connection. All filters look at the same bytes.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    pub(crate) bytes: BodyBuffer,
    /// The sender has ended.
    pub(crate) end: bool,
}

/// A side that can be compared and copied into [`Access`].
pub(crate) type SideFlag = Side;

/// What a guest wants done with its stream.
#[derive(Debug)]
pub(crate) enum Order {
    Resume {
        stage: usize,
        side: Side,
    },
    Answer {
        stage: usize,
        answer: LocalAnswer,
    },
    Close,
    /// Let the filters behind this stage see what the client has sent over TCP.
    PassOn {
        stage: usize,
    },
    /// Close a TCP connection.
    Hang(StreamKind),
    /// Bytes for the response, behind this stage (Higress).
    Inject {
        stage: usize,
        bytes: Bytes,
        end: bool,
    },
    /// The VM of this stage failed.
    Failed {
        stage: usize,
    },
    /// The process of this stage's VM is gone, and nothing that the stream did there outlasts it.
    Lost {
        stage: usize,
    },
}

impl Order {
    /// The answer that it is.
    pub(crate) fn answer(&mut self) -> Option<&mut LocalAnswer> {
        match self {
            Self::Answer { answer, .. } => Some(answer),
            Self::Resume { .. }
            | Self::Inject { .. }
            | Self::Close
            | Self::Failed { .. }
            | Self::Lost { .. }
            | Self::PassOn { .. }
            | Self::Hang(_) => None,
        }
    }

    /// Bytes that it would put into the response.
    pub(crate) fn injected_bytes(&self) -> usize {
        match self {
            Self::Inject { bytes, .. } => bytes.len(),
            Self::Resume { .. }
            | Self::Answer { .. }
            | Self::Close
            | Self::PassOn { .. }
            | Self::Hang(_)
            | Self::Failed { .. }
            | Self::Lost { .. } => 0,
        }
    }
}

/// An answer that a guest composed.
#[derive(Clone, Debug, Default)]
pub(crate) struct LocalAnswer {
    pub(crate) status: u16,
    pub(crate) details: String,
    pub(crate) headers: HeaderList,
    pub(crate) body: Bytes,
    pub(crate) grpc_status: Option<u32>,
}

/// A value that a guest set on the stream.
#[derive(Clone, Debug)]
pub(crate) struct Property {
    pub(crate) path: Bytes,
    pub(crate) value: Bytes,
    pub(crate) is_read_only: bool,
    /// What its bytes are, for expressions.
    pub(crate) kind: PropertyKind,
    pub(crate) span: Span,
}

/// What is known about an exchange beside its messages.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) connection: Rc<Connection>,
    pub(crate) started: Instant,
    pub(crate) started_wall: SystemTime,
    pub(crate) ended: Option<Instant>,
    pub(crate) protocol: &'static str,
    pub(crate) route: Option<Name>,
    /// Place of the route in its listener.
    pub(crate) route_index: Option<usize>,
    pub(crate) cluster: Option<Name>,
    pub(crate) endpoints: usize,
    /// The endpoint that a filter wants (Higress).
    pub(crate) override_host: Option<SocketAddr>,
    pub(crate) upstream: Option<SocketAddr>,
    pub(crate) upstream_local: Option<SocketAddr>,
    pub(crate) upstream_failure: Option<String>,
    pub(crate) attempts: u32,
    pub(crate) pool_ready: std::time::Duration,
    pub(crate) backend_latency: Option<std::time::Duration>,
    pub(crate) status: u16,
    pub(crate) details: Option<String>,
    pub(crate) flags: Flags,
    pub(crate) request_bytes: u64,
    pub(crate) response_bytes: u64,
}

/// Envoy's response flags, as far as they occur.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// Short text for logs; empty: none.
    pub(crate) text: &'static str,
    /// Bits for the property `response.flags`.
    pub(crate) bits: u64,
}

impl Flags {
    /// The flag of a short text.
    pub(crate) fn of(text: &'static str) -> Self {
        const ORDER: [&str; 16] = [
            "LH", "UH", "UT", "LR", "UR", "UF", "UC", "UO", "NR", "DI", "FI", "RL", "UAEX", "RLSE",
            "DC", "URX",
        ];
        let bits = match text {
            "UF,URX" => Self::of("UF").bits | Self::of("URX").bits,
            "SI" => 1 << 16,
            "DPE" => 1 << 18,
            "UPE" => 1 << 23,
            "NC" => 1 << 24,
            _ => ORDER
                .iter()
                .position(|known| *known == text)
                .map_or(0, |bit| 1 << bit),
        };
        Self { text, bits }
    }
}

impl Stream {
    pub(crate) fn new(request: Message, facts: Facts, stages: usize, limit: usize) -> StreamRef {
        let of_connection = facts.connection.properties.borrow().clone();
        Rc::new(RefCell::new(Self {
            request,
            response: Message::default(),
            request_flow: Flow::new(stages, limit),
            response_flow: Flow::new(stages, limit),
            lanes: None,
            access: (0..stages).map(|_| Access::default()).collect(),
            facts,
            properties: of_connection,
            declared: Vec::new(),
            tags: Vec::new(),
            orders: SmallVec::new(),
            route_is_stale: false,
            is_logging: false,
            waker: None,
        }))
    }

    /// The stream of a TCP connection: no messages, but bytes.
    pub(crate) fn of_connection(facts: Facts, stages: usize) -> StreamRef {
        let stream = Self::new(Message::default(), facts, stages, 0);
        stream.borrow_mut().lanes = Some(Box::default());
        stream
    }

    pub(crate) fn flow(&mut self, side: Side) -> &mut Flow {
        match side {
            Side::Request => &mut self.request_flow,
            Side::Response => &mut self.response_flow,
        }
    }

    /// Bytes that a body may have which a filter changes.
    pub(crate) fn edited_body_max(&self) -> usize {
        let held = self.request_flow.limit().max(self.response_flow.limit());
        held.max(limits::EDITED_BODY_BYTES_MAX)
    }

    /// Gives an order and wakes the exchange.
    pub(crate) fn order(&mut self, order: Order) {
        self.orders.push(order);
        self.wake();
    }

    /// Wakes the exchange.
    pub(crate) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Whom to wake when an order is given.
    pub(crate) fn register(&mut self, cx: &Context<'_>) {
        match &self.waker {
            Some(waker) if waker.will_wake(cx.waker()) => {}
            _ => self.waker = Some(cx.waker().clone()),
        }
    }

    pub(crate) fn property(&self, path: &[u8]) -> Option<&Property> {
        self.properties
            .iter()
            .find(|property| property.path == path)
    }
}
