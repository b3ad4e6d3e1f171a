//! What happens to a guest: one event for each callback of the ABI.

use smallvec::{SmallVec, smallvec};

use super::ContextId;

/// What happens to a guest. Each event is one call of one `proxy_on_*` export.
#[expect(
    missing_docs,
    reason = "the fields are the parameters of the ABI, by their names there"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A context begins. `parent` 0: a root context.
    ContextCreate {
        context: ContextId,
        parent: ContextId,
    },
    /// The VM starts for a root context; `size` bytes of VM configuration wait in its buffer.
    VmStart { root: ContextId, size: u32 },
    /// A root context gets its configuration of `size` bytes.
    Configure { root: ContextId, size: u32 },
    /// The root's timer fired.
    Tick { root: ContextId },
    /// A request head of `count` entries is there.
    RequestHeaders {
        context: ContextId,
        count: u32,
        end: bool,
    },
    /// `size` bytes of request body can be read.
    RequestBody {
        context: ContextId,
        size: u32,
        end: bool,
    },
    /// Request trailers of `count` entries are there.
    RequestTrailers { context: ContextId, count: u32 },
    /// A response head of `count` entries is there.
    ResponseHeaders {
        context: ContextId,
        count: u32,
        end: bool,
    },
    /// `size` bytes of response body can be read.
    ResponseBody {
        context: ContextId,
        size: u32,
        end: bool,
    },
    /// Response trailers of `count` entries are there.
    ResponseTrailers { context: ContextId, count: u32 },
    /// A client has connected.
    NewConnection { context: ContextId },
    /// `size` bytes from the client can be read, those that were held back included.
    DownstreamData {
        context: ContextId,
        size: u32,
        end: bool,
    },
    /// `size` bytes from the upstream can be read, those that were held back included.
    UpstreamData {
        context: ContextId,
        size: u32,
        end: bool,
    },
    /// The client's connection is closed.
    DownstreamConnectionClose { context: ContextId, by: Peer },
    /// The upstream will send nothing more.
    UpstreamConnectionClose { context: ContextId, by: Peer },
    /// The context is about to end. The result 0 of a root delays its end.
    Done { context: ContextId },
    /// The exchange is complete: time to log it.
    Log { context: ContextId },
    /// The context ended.
    Delete { context: ContextId },
    /// An HTTP callout answered; all zero: it failed.
    HttpCallResponse {
        root: ContextId,
        token: u32,
        headers: u32,
        body_size: u32,
        trailers: u32,
    },
    /// A gRPC callout's initial metadata is there.
    GrpcInitialMetadata {
        root: ContextId,
        token: u32,
        count: u32,
    },
    /// A gRPC message of `size` bytes is there.
    GrpcMessage {
        root: ContextId,
        token: u32,
        size: u32,
    },
    /// A gRPC callout's trailing metadata is there.
    GrpcTrailingMetadata {
        root: ContextId,
        token: u32,
        count: u32,
    },
    /// A gRPC callout ended.
    GrpcClose {
        root: ContextId,
        token: u32,
        status: u32,
    },
    /// An item was put into a queue this root registered.
    QueueReady { root: ContextId, token: u32 },
    /// WASI-Map: a watch that this context began has something to tell.
    MapChange { context: ContextId, watch: u32 },
    /// WASI-Map: a map that this use had put somewhere or borrowed is gone.
    MapRelease { root: ContextId, map: u64 },
    /// Higress: a Redis command was answered with `size` bytes; `status` 1: the connection failed.
    RedisReply {
        root: ContextId,
        token: u32,
        status: u32,
        size: u32,
    },
    /// The host calls a foreign function of the guest.
    ForeignFunction {
        root: ContextId,
        function: u32,
        size: u32,
    },
}

/// Who closed a TCP connection (Proxy-Wasm 0.2.1, `proxy_peer_type_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Peer {
    /// It is not told.
    Unknown = 0,
    /// This gateway.
    Local = 1,
    /// The other end.
    Remote = 2,
}

impl Peer {
    /// The peer of a number of the ABI.
    #[must_use]
    pub fn from_abi(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Unknown,
            1 => Self::Local,
            2 => Self::Remote,
            _ => return None,
        })
    }
}

impl Event {
    /// The context whose callback this is.
    #[must_use]
    pub fn context(&self) -> ContextId {
        match *self {
            Self::ContextCreate { context, .. }
            | Self::RequestHeaders { context, .. }
            | Self::RequestBody { context, .. }
            | Self::RequestTrailers { context, .. }
            | Self::ResponseHeaders { context, .. }
            | Self::ResponseBody { context, .. }
            | Self::ResponseTrailers { context, .. }
            | Self::NewConnection { context }
            | Self::DownstreamData { context, .. }
            | Self::UpstreamData { context, .. }
            | Self::DownstreamConnectionClose { context, .. }
            | Self::UpstreamConnectionClose { context, .. }
            | Self::MapChange { context, .. }
            | Self::Done { context }
            | Self::Log { context }
            | Self::Delete { context } => context,
            Self::VmStart { root, .. }
            | Self::Configure { root, .. }
            | Self::Tick { root }
            | Self::HttpCallResponse { root, .. }
            | Self::GrpcInitialMetadata { root, .. }
            | Self::GrpcMessage { root, .. }
            | Self::GrpcTrailingMetadata { root, .. }
            | Self::GrpcClose { root, .. }
            | Self::QueueReady { root, .. }
            | Self::MapRelease { root, .. }
            | Self::RedisReply { root, .. }
            | Self::ForeignFunction { root, .. } => root,
        }
    }

    /// The export that receives it.
    #[must_use]
    pub fn callback(&self) -> &'static str {
        match self {
            Self::ContextCreate { .. } => "proxy_on_context_create",
            Self::VmStart { .. } => "proxy_on_vm_start",
            Self::Configure { .. } => "proxy_on_configure",
            Self::Tick { .. } => "proxy_on_tick",
            Self::RequestHeaders { .. } => "proxy_on_request_headers",
            Self::RequestBody { .. } => "proxy_on_request_body",
            Self::RequestTrailers { .. } => "proxy_on_request_trailers",
            Self::ResponseHeaders { .. } => "proxy_on_response_headers",
            Self::ResponseBody { .. } => "proxy_on_response_body",
            Self::ResponseTrailers { .. } => "proxy_on_response_trailers",
            Self::NewConnection { .. } => "proxy_on_new_connection",
            Self::DownstreamData { .. } => "proxy_on_downstream_data",
            Self::UpstreamData { .. } => "proxy_on_upstream_data",
            Self::DownstreamConnectionClose { .. } => "proxy_on_downstream_connection_close",
            Self::UpstreamConnectionClose { .. } => "proxy_on_upstream_connection_close",
            Self::Done { .. } => "proxy_on_done",
            Self::Log { .. } => "proxy_on_log",
            Self::Delete { .. } => "proxy_on_delete",
            Self::HttpCallResponse { .. } => "proxy_on_http_call_response",
            Self::GrpcInitialMetadata { .. } => "proxy_on_grpc_receive_initial_metadata",
            Self::GrpcMessage { .. } => "proxy_on_grpc_receive",
            Self::GrpcTrailingMetadata { .. } => "proxy_on_grpc_receive_trailing_metadata",
            Self::GrpcClose { .. } => "proxy_on_grpc_close",
            Self::QueueReady { .. } => "proxy_on_queue_ready",
            Self::RedisReply { .. } => "proxy_on_redis_call_response",
            Self::ForeignFunction { .. } => "proxy_on_foreign_function",
            Self::MapChange { .. } => "wasi_map_on_change",
            Self::MapRelease { .. } => "wasi_map_on_release",
        }
    }

    /// The callback's arguments in the order of the ABI, the `end_of_stream` of headers included.
    /// A number of 64 bits is its lower and its upper half, behind the root context that hears of it.
    #[must_use]
    pub fn parameters(&self) -> SmallVec<[u32; 5]> {
        match *self {
            Self::ContextCreate { context, parent } => smallvec![context, parent],
            Self::VmStart { root, size } | Self::Configure { root, size } => smallvec![root, size],
            Self::Tick { root } => smallvec![root],
            Self::RequestHeaders {
                context,
                count,
                end,
            }
            | Self::ResponseHeaders {
                context,
                count,
                end,
            } => {
                smallvec![context, count, u32::from(end)]
            }
            Self::RequestBody { context, size, end }
            | Self::ResponseBody { context, size, end }
            | Self::DownstreamData { context, size, end }
            | Self::UpstreamData { context, size, end } => {
                smallvec![context, size, u32::from(end)]
            }
            Self::RequestTrailers { context, count }
            | Self::ResponseTrailers { context, count } => {
                smallvec![context, count]
            }
            Self::DownstreamConnectionClose { context, by }
            | Self::UpstreamConnectionClose { context, by } => smallvec![context, by as u32],
            Self::NewConnection { context }
            | Self::Done { context }
            | Self::Log { context }
            | Self::Delete { context } => {
                smallvec![context]
            }
            Self::HttpCallResponse {
                root,
                token,
                headers,
                body_size,
                trailers,
            } => {
                smallvec![root, token, headers, body_size, trailers]
            }
            Self::GrpcInitialMetadata { root, token, count }
            | Self::GrpcTrailingMetadata { root, token, count } => smallvec![root, token, count],
            Self::GrpcMessage { root, token, size } => smallvec![root, token, size],
            Self::GrpcClose {
                root,
                token,
                status,
            } => smallvec![root, token, status],
            Self::QueueReady { root, token } => smallvec![root, token],
            Self::MapChange { context, watch } => smallvec![context, watch],
            Self::MapRelease { root, map } => {
                let [low, high] = [map & u64::from(u32::MAX), map >> 32];
                let half = |number| u32::try_from(number).unwrap_or(u32::MAX);
                smallvec![root, half(low), half(high)]
            }
            Self::RedisReply {
                root,
                token,
                status,
                size,
            } => smallvec![root, token, status, size],
            Self::ForeignFunction {
                root,
                function,
                size,
            } => smallvec![root, function, size],
        }
    }
}
