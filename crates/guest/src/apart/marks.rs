//! Which calls of a guest leave something behind that its end does not undo.
//!
//! A request whose process dies, and which did nothing of that kind, can begin again in another
//! process, and nobody can tell. What a guest reads leaves nothing. Its edits of the headers that its
//! filter still holds are undone with it. Log lines and metrics tell of calls, and there was one: they
//! may tell of it twice. All else lasts.

use crate::door::Call;
use crate::files::FileCall;

/// Whether a call leaves something behind, if it is not refused.
pub(super) fn lasts(call: &Call<'_>) -> bool {
    match call {
        Call::Log { .. }
        | Call::LogLevel
        | Call::Now(_)
        | Call::Resolution(_)
        | Call::Random { .. }
        | Call::Environment
        | Call::SetEffectiveContext { .. }
        | Call::CalloutStatus
        | Call::Property { .. }
        | Call::ClearRouteCache
        | Call::Buffer { .. }
        | Call::BufferLength { .. }
        | Call::Header { .. }
        | Call::AddHeader { .. }
        | Call::ReplaceHeader { .. }
        | Call::RemoveHeader { .. }
        | Call::Headers { .. }
        | Call::SetHeaders { .. }
        | Call::HeadersSize { .. }
        | Call::SharedEntry { .. }
        | Call::ResolveQueue { .. }
        | Call::DefineMetric { .. }
        | Call::IncrementMetric { .. }
        | Call::RecordMetric { .. }
        | Call::Metric { .. }
        | Call::UpstreamHosts
        | Call::Withheld { .. }
        | Call::Touched { .. } => false,
        Call::SetTick { .. }
        | Call::Done
        | Call::SetProperty { .. }
        | Call::ContinueStream(_)
        | Call::CloseStream(_)
        | Call::LocalResponse(_)
        | Call::SetBuffer { .. }
        | Call::HttpCall(_)
        | Call::GrpcCall(_)
        | Call::GrpcStream(_)
        | Call::GrpcSend { .. }
        | Call::GrpcClose { .. }
        | Call::GrpcCancel { .. }
        | Call::SetSharedEntry { .. }
        | Call::RegisterQueue { .. }
        | Call::Enqueue { .. }
        | Call::Dequeue { .. }
        | Call::RedisInit(_)
        | Call::RedisCall { .. }
        | Call::Inject { .. }
        | Call::OverrideHost { .. }
        | Call::Foreign { .. } => true,
        Call::File(call) => lasts_in_files(call),
    }
}

fn lasts_in_files(call: &FileCall<'_>) -> bool {
    match call {
        // It may make the file, or empty it.
        FileCall::Open { opening, .. } => opening.open != 0,
        FileCall::Write { .. } => true,
        FileCall::Folder { .. }
        | FileCall::Facts { .. }
        | FileCall::Status { .. }
        | FileCall::StatusOf { .. }
        | FileCall::Read { .. }
        | FileCall::Seek { .. }
        | FileCall::List { .. }
        | FileCall::Close { .. } => false,
    }
}
