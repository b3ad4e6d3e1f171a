//! A call as one line of text: what tests compare and tapes hold.
//!
//! Invariant: two calls have the same text only if they are equal.

use std::fmt;

use weir_guest::door::{Call, GrpcCall, HttpCall, LocalResponse, RedisInit};
use weir_guest::files::FileCall;

/// Bytes between quotes, escaped as in a Rust byte string.
pub struct Quoted<'b>(pub &'b [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// The text of a call: its name, then its arguments.
#[must_use]
pub fn text(call: &Call<'_>) -> String {
    let q = Quoted;
    match *call {
        Call::Log { level, message } => format!("Log {level:?} {}", q(message)),
        Call::Property { path } => format!("Property {}", q(path)),
        Call::SetProperty { path, value } => format!("SetProperty {} {}", q(path), q(value)),
        Call::LocalResponse(response) => local_response(&response),
        Call::SetBuffer {
            kind,
            start,
            length,
            bytes,
        } => {
            format!("SetBuffer {kind:?} {start} {length} {}", q(bytes))
        }
        Call::Header { map, name } => format!("Header {map:?} {}", q(name)),
        Call::AddHeader { map, name, value } => {
            format!("AddHeader {map:?} {} {}", q(name), q(value))
        }
        Call::ReplaceHeader { map, name, value } => {
            format!("ReplaceHeader {map:?} {} {}", q(name), q(value))
        }
        Call::RemoveHeader { map, name } => format!("RemoveHeader {map:?} {}", q(name)),
        Call::SetHeaders { map, pairs } => format!("SetHeaders {map:?} {}", q(pairs)),
        Call::HttpCall(request) => http_call(&request),
        Call::GrpcCall(request) => format!("GrpcCall {}", grpc_call(&request)),
        Call::GrpcStream(request) => format!("GrpcStream {}", grpc_call(&request)),
        Call::GrpcSend {
            token,
            message,
            end,
        } => format!("GrpcSend {token} {} {end}", q(message)),
        Call::SharedEntry { key } => format!("SharedEntry {}", q(key)),
        Call::SetSharedEntry { key, value, cas } => {
            format!("SetSharedEntry {} {} {cas}", q(key), q(value))
        }
        Call::RegisterQueue { name } => format!("RegisterQueue {}", q(name)),
        Call::ResolveQueue { vm_id, name } => format!("ResolveQueue {} {}", q(vm_id), q(name)),
        Call::Enqueue { token, item } => format!("Enqueue {token} {}", q(item)),
        Call::DefineMetric { kind, name } => format!("DefineMetric {kind:?} {}", q(name)),
        Call::Withheld { function } => format!("Withheld {function}"),
        Call::Touched { function } => format!("Touched {function}"),
        Call::File(call) => file(&call),
        Call::RedisInit(init) => redis_init(&init),
        Call::RedisCall { service, query } => format!("RedisCall {} {}", q(service), q(query)),
        Call::Inject { bytes, end } => format!("Inject {} {end}", q(bytes)),
        Call::OverrideHost { address } => format!("OverrideHost {}", q(address)),
        Call::Foreign { name, arguments } => format!("Foreign {} {}", q(name), q(arguments)),
        _ => without_bytes(call),
    }
}

/// The calls whose arguments are numbers and words only: their `Debug` form is short already.
fn without_bytes(call: &Call<'_>) -> String {
    format!("{call:?}")
}

/// Paths and bytes as texts, the rest in its `Debug` form.
fn file(call: &FileCall<'_>) -> String {
    match call {
        FileCall::Open {
            folder,
            path,
            opening,
        } => format!("File Open {folder} {} {opening:?}", Quoted(path)),
        FileCall::StatusOf {
            folder,
            path,
            follows,
        } => format!("File StatusOf {folder} {} {follows}", Quoted(path)),
        FileCall::Write { fd, bytes, at } => format!("File Write {fd} {} {at:?}", Quoted(bytes)),
        FileCall::Folder { .. }
        | FileCall::Facts { .. }
        | FileCall::Status { .. }
        | FileCall::Read { .. }
        | FileCall::Seek { .. }
        | FileCall::List { .. }
        | FileCall::Close { .. } => format!("File {call:?}"),
    }
}

fn local_response(response: &LocalResponse<'_>) -> String {
    let LocalResponse {
        status,
        details,
        body,
        headers,
        grpc_status,
    } = *response;
    format!(
        "LocalResponse {status} {} {} {} {grpc_status}",
        Quoted(details),
        Quoted(body),
        Quoted(headers)
    )
}

fn http_call(request: &HttpCall<'_>) -> String {
    let HttpCall {
        cluster,
        headers,
        body,
        trailers,
        timeout_ms,
    } = *request;
    format!(
        "HttpCall {} {} {} {} {timeout_ms}",
        Quoted(cluster),
        Quoted(headers),
        Quoted(body),
        Quoted(trailers)
    )
}

fn redis_init(init: &RedisInit<'_>) -> String {
    let RedisInit {
        service,
        username,
        password,
        timeout_ms,
    } = *init;
    format!(
        "RedisInit {} {} {} {timeout_ms}",
        Quoted(service),
        Quoted(username),
        Quoted(password)
    )
}

fn grpc_call(request: &GrpcCall<'_>) -> String {
    let GrpcCall {
        service,
        service_name,
        method,
        metadata,
        message,
        timeout_ms,
    } = *request;
    format!(
        "{} {} {} {} {} {timeout_ms}",
        Quoted(service),
        Quoted(service_name),
        Quoted(method),
        Quoted(metadata),
        Quoted(message)
    )
}
