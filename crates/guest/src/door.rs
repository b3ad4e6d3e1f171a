//! The only door between a guest and everything else.
//!
//! A guest is a function from [`Event`]s to [`Call`]s. Whoever answers the calls is a [`World`]:
//! live traffic, a tape, or a test script. Invariant: a guest learns nothing (no clock, no random
//! byte, no environment) that did not come through [`World::call`], so whatever it did can be
//! replayed from the replies.

mod bounds;
mod ending;
mod event;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use weir_maps::call::{MapCall, MapReply};
use weir_model::Exceeded;

use crate::budget::MemoryBudget;

pub use ending::{Cause, Failure, FailureKind, Frame, NoLines, Source, Stop, Trace};
pub use event::{Event, Peer};

use crate::files::FileCall;

/// Identifier of a context inside one VM. 0 is the VM itself.
pub type ContextId = u32;

/// Result of a Proxy-Wasm host function (Proxy-Wasm 0.2.1, `proxy_result_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// There is no such thing.
    NotFound = 1,
    /// An argument is out of range, or the thing cannot be used now.
    BadArgument = 2,
    /// A value has no byte form.
    SerializationFailure = 3,
    /// Bytes have no meaning.
    ParseFailure = 4,
    /// A pointer or length lies outside the guest's memory.
    InvalidMemoryAccess = 6,
    /// Nothing is there yet.
    Empty = 7,
    /// Somebody else was faster.
    CasMismatch = 8,
    /// The host failed.
    InternalFailure = 10,
    /// A peer went away.
    BrokenConnection = 11,
    /// The host does not do this.
    Unimplemented = 12,
}

/// The header maps of Proxy-Wasm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MapKind {
    /// Of the client's request.
    RequestHeaders = 0,
    /// Of the client's request.
    RequestTrailers = 1,
    /// Of the answer to the client.
    ResponseHeaders = 2,
    /// Of the answer to the client.
    ResponseTrailers = 3,
    /// Of a gRPC callout.
    GrpcInitialMetadata = 4,
    /// Of a gRPC callout.
    GrpcTrailingMetadata = 5,
    /// Of an HTTP callout's response.
    CalloutHeaders = 6,
    /// Of an HTTP callout's response.
    CalloutTrailers = 7,
}

impl MapKind {
    /// The kind of a number of the ABI.
    #[must_use]
    pub fn from_abi(number: i32) -> Option<Self> {
        Some(match number {
            0 => Self::RequestHeaders,
            1 => Self::RequestTrailers,
            2 => Self::ResponseHeaders,
            3 => Self::ResponseTrailers,
            4 => Self::GrpcInitialMetadata,
            5 => Self::GrpcTrailingMetadata,
            6 => Self::CalloutHeaders,
            7 => Self::CalloutTrailers,
            _ => return None,
        })
    }
}

/// The buffers of Proxy-Wasm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BufferKind {
    /// Of the client's request.
    RequestBody = 0,
    /// Of the answer to the client.
    ResponseBody = 1,
    /// Of a TCP connection.
    DownstreamBytes = 2,
    /// Of a TCP connection.
    UpstreamBytes = 3,
    /// Of an HTTP callout's response.
    CalloutBody = 4,
    /// Of a gRPC callout.
    GrpcMessage = 5,
    /// Behind `proxy_on_vm_start`.
    VmConfiguration = 6,
    /// Behind `proxy_on_configure`.
    PluginConfiguration = 7,
    /// Arguments of a foreign function.
    CallArguments = 8,
    /// Higress: reply of a Redis call.
    RedisReply = 9,
}

impl BufferKind {
    /// The kind of a number of the ABI.
    #[must_use]
    pub fn from_abi(number: i32) -> Option<Self> {
        Some(match number {
            0 => Self::RequestBody,
            1 => Self::ResponseBody,
            2 => Self::DownstreamBytes,
            3 => Self::UpstreamBytes,
            4 => Self::CalloutBody,
            5 => Self::GrpcMessage,
            6 => Self::VmConfiguration,
            7 => Self::PluginConfiguration,
            8 => Self::CallArguments,
            9 => Self::RedisReply,
            _ => return None,
        })
    }
}

/// The halves of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamKind {
    /// HTTP, from the client.
    Request,
    /// HTTP, to the client.
    Response,
    /// TCP, from the client.
    Downstream,
    /// TCP, from the upstream.
    Upstream,
}

/// Kinds of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Distribution.
    Histogram,
}

/// Severity of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Finest.
    Trace = 0,
    /// For developers.
    Debug = 1,
    /// For operators.
    Info = 2,
    /// Worked around.
    Warn = 3,
    /// Failed.
    Error = 4,
    /// Failed for good.
    Critical = 5,
}

impl LogLevel {
    /// The level of a number of the ABI.
    #[must_use]
    pub fn from_abi(number: i32) -> Option<Self> {
        Some(match number {
            0 => Self::Trace,
            1 => Self::Debug,
            2 => Self::Info,
            3 => Self::Warn,
            4 => Self::Error,
            5 => Self::Critical,
            _ => return None,
        })
    }
}

/// Which clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Nanoseconds since the Unix epoch.
    Wall,
    /// Nanoseconds since some point in the past; never goes back.
    Monotonic,
}

/// What a guest asks of the world. Byte slices point into the guest's memory.
#[expect(
    missing_docs,
    reason = "the fields are the parameters of the ABI, by their names there"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call<'c> {
    /// Write a log line.
    Log { level: LogLevel, message: &'c [u8] },
    /// The lowest level that is written; 6: none.
    LogLevel,
    /// Read a clock.
    Now(Clock),
    /// Random bytes for keys.
    Random { length: u32 },
    /// The environment that was granted, as pairs.
    Environment,
    /// Set the root's timer; 0 stops it.
    SetTick { period_ms: u32 },
    /// Let the calls that follow act on another context.
    SetEffectiveContext { context: ContextId },
    /// The root is done with its delayed end.
    Done,
    /// Status of the last callout.
    CalloutStatus,
    /// Read an attribute.
    Property { path: &'c [u8] },
    /// Set an attribute of the stream.
    SetProperty { path: &'c [u8], value: &'c [u8] },
    /// Go on with a paused stream.
    ContinueStream(StreamKind),
    /// Close a stream.
    CloseStream(StreamKind),
    /// Choose the route again.
    ClearRouteCache,
    /// Answer the client.
    LocalResponse(LocalResponse<'c>),
    /// Read bytes of a buffer.
    Buffer {
        kind: BufferKind,
        start: u32,
        max: u32,
    },
    /// Length of a buffer.
    BufferLength { kind: BufferKind },
    /// Replace bytes of a buffer.
    SetBuffer {
        kind: BufferKind,
        start: u32,
        length: u32,
        bytes: &'c [u8],
    },
    /// First value of a header.
    Header { map: MapKind, name: &'c [u8] },
    /// Add a value to a header.
    AddHeader {
        map: MapKind,
        name: &'c [u8],
        value: &'c [u8],
    },
    /// Set a header to one value.
    ReplaceHeader {
        map: MapKind,
        name: &'c [u8],
        value: &'c [u8],
    },
    /// Remove a header.
    RemoveHeader { map: MapKind, name: &'c [u8] },
    /// All headers, as pairs.
    Headers { map: MapKind },
    /// Replace all headers by these pairs.
    SetHeaders { map: MapKind, pairs: &'c [u8] },
    /// Sum of the lengths of all names and values.
    HeadersSize { map: MapKind },
    /// Send an HTTP request to a cluster.
    HttpCall(HttpCall<'c>),
    /// Send one gRPC message to a cluster.
    GrpcCall(GrpcCall<'c>),
    /// Open a gRPC stream to a cluster.
    GrpcStream(GrpcCall<'c>),
    /// Send a message on a gRPC stream.
    GrpcSend {
        token: u32,
        message: &'c [u8],
        end: bool,
    },
    /// Close a gRPC call.
    GrpcClose { token: u32 },
    /// Cancel a gRPC call.
    GrpcCancel { token: u32 },
    /// Read an entry of the shared data.
    SharedEntry { key: &'c [u8] },
    /// Write an entry of the shared data.
    SetSharedEntry {
        key: &'c [u8],
        value: &'c [u8],
        cas: u32,
    },
    /// Make or take over a queue.
    RegisterQueue { name: &'c [u8] },
    /// Find a queue.
    ResolveQueue { vm_id: &'c [u8], name: &'c [u8] },
    /// Put an item into a queue.
    Enqueue { token: u32, item: &'c [u8] },
    /// Take an item from a queue.
    Dequeue { token: u32 },
    /// Define a metric.
    DefineMetric { kind: MetricKind, name: &'c [u8] },
    /// Change a metric.
    IncrementMetric { id: u32, offset: i64 },
    /// Set a metric or record a value.
    RecordMetric { id: u32, value: u64 },
    /// Read a metric.
    Metric { id: u32 },
    /// A host function was called that [`World::allows`] withholds; the reply changes nothing.
    Withheld { function: &'c str },
    /// A host function is called whose world [watches](World::watches); the reply changes nothing.
    Touched { function: &'c str },
    /// How many nanoseconds are between two times of a clock.
    Resolution(Clock),
    /// Ask for something of granted files. Replies are [`Reply::Outcome`]s: an `errno` of WASI, and
    /// the bytes that are written into the guest's memory.
    File(FileCall<'c>),
    /// Do something with shared maps. Replies are [`Reply::Map`].
    Map(MapCall<'c>),
    /// Higress: keep credentials and time limit for the Redis behind a cluster.
    RedisInit(RedisInit<'c>),
    /// Higress: send one command to a Redis.
    RedisCall { service: &'c [u8], query: &'c [u8] },
    /// Higress: put bytes behind this filter into the response.
    Inject { bytes: &'c [u8], end: bool },
    /// Higress: the endpoints of the route's cluster, as pairs.
    UpstreamHosts,
    /// Higress: send this request to one endpoint of its cluster.
    OverrideHost { address: &'c [u8] },
    /// Call a function of the host by name.
    Foreign { name: &'c [u8], arguments: &'c [u8] },
}

/// An answer that the guest gives to the client itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalResponse<'c> {
    /// HTTP status.
    pub status: u32,
    /// For logs.
    pub details: &'c [u8],
    /// May be empty.
    pub body: &'c [u8],
    /// Serialised pairs.
    pub headers: &'c [u8],
    /// 0 to 16; anything else: unset.
    pub grpc_status: i32,
}

/// An HTTP request of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpCall<'c> {
    /// Name of a cluster.
    pub cluster: &'c [u8],
    /// Serialised pairs, pseudo-headers included.
    pub headers: &'c [u8],
    /// May be empty.
    pub body: &'c [u8],
    /// Serialised pairs.
    pub trailers: &'c [u8],
    /// 0: no limit; negative: refused.
    pub timeout_ms: i32,
}

/// How the Redis behind a cluster is spoken to (Higress).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedisInit<'c> {
    /// Name of a cluster, with options behind a question mark.
    pub service: &'c [u8],
    /// May be empty.
    pub username: &'c [u8],
    /// Empty: no authentication.
    pub password: &'c [u8],
    /// For each command.
    pub timeout_ms: u32,
}

/// A gRPC call of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrpcCall<'c> {
    /// Name of a cluster, or a serialised `GrpcService`.
    pub service: &'c [u8],
    /// Package and service.
    pub service_name: &'c [u8],
    /// Method.
    pub method: &'c [u8],
    /// Serialised pairs.
    pub metadata: &'c [u8],
    /// The message of a unary call.
    pub message: &'c [u8],
    /// 0: no limit.
    pub timeout_ms: i32,
}

/// What the world answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Done, and nothing to say.
    Done,
    /// It cannot be done.
    Refused(Status),
    /// Bytes. Empty bytes are an answer, not an absence.
    Bytes(Bytes),
    /// A number: token, length, level, nanoseconds, value of a metric.
    Number(u64),
    /// An entry of the shared data and its compare-and-swap number.
    Entry(Bytes, u32),
    /// A status with bytes beside it: of a foreign function, or of the last callout.
    Outcome(u32, Bytes),
    /// To a call about shared maps.
    Map(MapReply),
}

/// A reply that is not there yet.
///
/// Only this crosses the suspension, so only this must be `Send`: a world that is bound to its
/// thread lets a local task do the work and waits for it on a channel.
pub type Wait = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// How a world answers a call.
pub enum Answer {
    /// At once.
    Ready(Reply),
    /// Later: the guest is suspended until then, the thread is not.
    Pending(Wait),
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self::Ready(reply)
    }
}

/// Says whether memory that is counted elsewhere may be so many bytes.
pub type MemoryCount = std::rc::Rc<dyn Fn(u64) -> bool>;

/// Answers calls.
///
/// A world answers at once wherever it can; [`Answer::Pending`] is for what must wait on something
/// outside the process. Only a guest of a [`WaitingHost`](crate::WaitingHost) can be suspended, in
/// the calls that it lists; everywhere else a pending answer is a mistake of the host and ends the
/// guest with [`Stop::CannotWait`].
pub trait World: 'static {
    /// Learns that an event is about to be delivered. The calls that follow, until
    /// [`World::leave`], are the guest's answer to it.
    fn enter(&mut self, _event: &Event) {}

    /// Learns that the guest has returned from the event, and with what: the callback's result, or
    /// why there is none.
    fn leave(&mut self, _event: &Event, _outcome: &Result<i32, Failure>) {}

    /// Whether the guest may call the host function, or is called at the callback, of this name. The
    /// others are stubs that answer with a failure, and callbacks that are taken for absent. Asked
    /// while the guest is made, and not again.
    fn allows(&self, _name: &str) -> bool {
        true
    }

    /// What the memories and tables of its guest are taken from, beside the guest's own limit.
    /// Asked while the guest is made, and not again.
    fn memory_budget(&self) -> Option<Arc<MemoryBudget>> {
        None
    }

    /// What counts the memories and tables of its guest, if that is done elsewhere: it is told how
    /// many bytes they are to be together, and says whether they may be. Asked while the guest is
    /// made, and not again; used on the guest's thread only.
    fn memory_count(&self) -> Option<MemoryCount> {
        None
    }

    /// Learns that the guest has hit a limit that does not end it: memory was not granted.
    fn exceeded(&mut self, _what: Exceeded) {}

    /// Whether the world wants to be told each host function that is called, by
    /// [`Call::Touched`]. Asked while the guest is made, and not again.
    fn watches(&self) -> bool {
        false
    }

    /// Whether the guest is granted any files; without them, functions about files answer as in
    /// Envoy. The answer is always the same.
    fn has_files(&self) -> bool {
        false
    }

    /// Answers one call.
    ///
    /// # Errors
    ///
    /// [`Stop`] when the guest may not go on.
    fn call(&mut self, call: Call<'_>) -> Result<Answer, Stop>;
    /// Learns the reply that was pending, before the guest does, and may still change it.
    ///
    /// # Errors
    ///
    /// [`Stop`] when the guest may not go on.
    fn arrive(&mut self, reply: Reply) -> Result<Reply, Stop> {
        Ok(reply)
    }
}
