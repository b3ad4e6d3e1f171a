//! What goes through the door, as bytes: events, calls and replies.
//!
//! The matches behind these tables have no default: a variant that is added to the door and not
//! here does not compile.

use super::{choices, record};
use crate::door::{
    BufferKind, Call, Clock, Event, GrpcCall, HttpCall, LocalResponse, LogLevel, MapKind,
    MetricKind, Peer, RedisInit, Reply, Status, StreamKind,
};
use crate::files::{FileCall, Opening};

choices!(impl['b] Call<'b>, "there is no such call" {
    0 Log { level, message };
    1 LogLevel;
    2 Now(clock);
    3 Random { length };
    4 Environment;
    5 SetTick { period_ms };
    6 SetEffectiveContext { context };
    7 Done;
    8 CalloutStatus;
    9 Property { path };
    10 SetProperty { path, value };
    11 ContinueStream(kind);
    12 CloseStream(kind);
    13 ClearRouteCache;
    14 LocalResponse(response);
    15 Buffer { kind, start, max };
    16 BufferLength { kind };
    17 SetBuffer { kind, start, length, bytes };
    18 Header { map, name };
    19 AddHeader { map, name, value };
    20 ReplaceHeader { map, name, value };
    21 RemoveHeader { map, name };
    22 Headers { map };
    23 SetHeaders { map, pairs };
    24 HeadersSize { map };
    25 HttpCall(call);
    26 GrpcCall(call);
    27 GrpcStream(call);
    28 GrpcSend { token, message, end };
    29 GrpcClose { token };
    30 GrpcCancel { token };
    31 SharedEntry { key };
    32 SetSharedEntry { key, value, cas };
    33 RegisterQueue { name };
    34 ResolveQueue { vm_id, name };
    35 Enqueue { token, item };
    36 Dequeue { token };
    37 DefineMetric { kind, name };
    38 IncrementMetric { id, offset };
    39 RecordMetric { id, value };
    40 Metric { id };
    41 Withheld { function };
    42 RedisInit(init);
    43 RedisCall { service, query };
    44 Inject { bytes, end };
    45 UpstreamHosts;
    46 OverrideHost { address };
    47 Foreign { name, arguments };
    48 Touched { function };
    49 Resolution(clock);
    50 File(call);
    51 Map(call);
});

choices!(impl['b] FileCall<'b>, "there is no such call about files" {
    0 Folder { fd };
    1 Facts { fd };
    2 Status { fd };
    3 StatusOf { folder, path, follows };
    4 Open { folder, path, opening };
    5 Read { fd, max, at };
    6 Write { fd, bytes, at };
    7 Seek { fd, offset, whence };
    8 List { fd, cookie, max };
    9 Close { fd };
});

choices!(impl[] Event, "there is no such event" {
    0 ContextCreate { context, parent };
    1 VmStart { root, size };
    2 Configure { root, size };
    3 Tick { root };
    4 RequestHeaders { context, count, end };
    5 RequestBody { context, size, end };
    6 RequestTrailers { context, count };
    7 ResponseHeaders { context, count, end };
    8 ResponseBody { context, size, end };
    9 ResponseTrailers { context, count };
    10 NewConnection { context };
    11 DownstreamData { context, size, end };
    12 UpstreamData { context, size, end };
    13 DownstreamConnectionClose { context, by };
    14 UpstreamConnectionClose { context, by };
    15 Done { context };
    16 Log { context };
    17 Delete { context };
    18 HttpCallResponse { root, token, headers, body_size, trailers };
    19 GrpcInitialMetadata { root, token, count };
    20 GrpcMessage { root, token, size };
    21 GrpcTrailingMetadata { root, token, count };
    22 GrpcClose { root, token, status };
    23 QueueReady { root, token };
    24 RedisReply { root, token, status, size };
    25 ForeignFunction { root, function, size };
    26 MapChange { context, watch };
    27 MapRelease { root, map };
});

choices!(impl[] Reply, "there is no such reply" {
    0 Done;
    1 Refused(status);
    2 Bytes(bytes);
    3 Number(number);
    4 Entry(value, cas);
    5 Outcome(status, bytes);
    6 Map(reply);
});

record!(Opening {
    lookup,
    open,
    rights,
    flags
});
record!(LocalResponse<'b> { status, details, body, headers, grpc_status });
record!(HttpCall<'b> { cluster, headers, body, trailers, timeout_ms });
record!(GrpcCall<'b> { service, service_name, method, metadata, message, timeout_ms });
record!(RedisInit<'b> { service, username, password, timeout_ms });

choices!(impl[] Status, "there is no such status" {
    0 Ok; 1 NotFound; 2 BadArgument; 3 SerializationFailure; 4 ParseFailure;
    6 InvalidMemoryAccess; 7 Empty; 8 CasMismatch; 10 InternalFailure; 11 BrokenConnection;
    12 Unimplemented;
});

choices!(impl[] MapKind, "there is no such header map" {
    0 RequestHeaders; 1 RequestTrailers; 2 ResponseHeaders; 3 ResponseTrailers;
    4 GrpcInitialMetadata; 5 GrpcTrailingMetadata; 6 CalloutHeaders; 7 CalloutTrailers;
});

choices!(impl[] BufferKind, "there is no such buffer" {
    0 RequestBody; 1 ResponseBody; 2 DownstreamBytes; 3 UpstreamBytes; 4 CalloutBody;
    5 GrpcMessage; 6 VmConfiguration; 7 PluginConfiguration; 8 CallArguments; 9 RedisReply;
});

choices!(impl[] StreamKind, "there is no such stream" {
    0 Request; 1 Response; 2 Downstream; 3 Upstream;
});

choices!(impl[] MetricKind, "there is no such metric" { 0 Counter; 1 Gauge; 2 Histogram; });

choices!(impl[] LogLevel, "there is no such log level" {
    0 Trace; 1 Debug; 2 Info; 3 Warn; 4 Error; 5 Critical;
});

choices!(impl[] Clock, "there is no such clock" { 0 Wall; 1 Monotonic; });

choices!(impl[] Peer, "there is no such peer" { 0 Unknown; 1 Local; 2 Remote; });
