//! Limits that the system keeps.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use weir_model::limits;

use super::Snapshots;

/// Caps what the process may write to, on top of what it has now.
pub(super) fn cap_memory(guests_bytes: u64) -> Result<(), String> {
    let now = data_bytes()?;
    let most = now
        .saturating_add(guests_bytes)
        .saturating_add(limits::APART_HOST_BYTES);
    lower(Resource::Data, most)
}

/// No further descriptor, process, file, locked page, message queue or core dump; for snapshots, a few
/// files without names.
pub(super) fn freeze(snapshots: &Snapshots) -> Result<(), String> {
    let (files, bytes) = match snapshots {
        Snapshots::None => (0, 0),
        Snapshots::Some { bytes_max } => (limits::APART_FILES_MAX, *bytes_max),
    };
    lower(Resource::Nofile, files)?;
    lower(Resource::Nproc, 0)?;
    lower(Resource::Fsize, bytes)?;
    lower(Resource::Memlock, 0)?;
    lower(Resource::Msgqueue, 0)?;
    lower(Resource::Core, 0)
}

fn lower(resource: Resource, most: u64) -> Result<(), String> {
    let is_lower = |limit: Option<u64>| limit.is_some_and(|limit| limit < most);
    if is_lower(getrlimit(resource).maximum) {
        return Ok(());
    }
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    setrlimit(resource, limit).map_err(|error| format!("{resource:?} cannot be limited: {error}"))
}

/// Private writable memory that the process has now: the sixth number of `statm` (proc(5)).
fn data_bytes() -> Result<u64, String> {
    let text = std::fs::read_to_string("/proc/self/statm")
        .map_err(|error| format!("the memory in use cannot be read: {error}"))?;
    let pages = text.split_whitespace().nth(5);
    let pages: u64 = pages
        .and_then(|pages| pages.parse().ok())
        .ok_or("the memory in use cannot be read: statm is short")?;
    Ok(pages.saturating_mul(rustix::param::page_size() as u64))
}
