//! Which calls of a guest leave something behind that its end does not undo.
//!
//! A request whose process dies, and which did nothing of that kind, can begin again in another
//! process, and nobody can tell. What a guest reads leaves nothing. Its edits of the headers that its
//! filter still holds are undone with it. Log lines and metrics tell of calls, and there was one: they
//! may tell of it twice. All else lasts.

use weir_maps::call::MapCall;

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
        Call::Map(call) => lasts_in_maps(call),
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

/// Handles, scans and watches go with the VM that has them, and so do maps that only it has. A
/// handle that came with a ticket comes only once.
fn lasts_in_maps(call: &MapCall<'_>) -> bool {
    match call {
        MapCall::Open { .. }
        | MapCall::OpenGranted { .. }
        | MapCall::Create { .. }
        | MapCall::Close { .. }
        | MapCall::Dup { .. }
        | MapCall::Rights { .. }
        | MapCall::Stat { .. }
        | MapCall::Get { .. }
        | MapCall::Exists { .. }
        | MapCall::Scan { .. }
        | MapCall::Watch { .. }
        | MapCall::Next { .. }
        | MapCall::Unwatch { .. }
        | MapCall::GetMap { .. }
        | MapCall::RegionMap { .. }
        | MapCall::RegionUnmap { .. } => false,
        MapCall::Lend { .. }
        | MapCall::Transfer { .. }
        | MapCall::Accept { .. }
        | MapCall::Set { .. }
        | MapCall::Delete { .. }
        | MapCall::Add { .. }
        | MapCall::Batch { .. }
        | MapCall::Clear { .. }
        | MapCall::PutMap { .. }
        | MapCall::RegionCreate { .. }
        | MapCall::RegionHand { .. } => true,
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
