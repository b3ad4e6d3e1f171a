//! What was understood last, in the plugin's shared data: it outlives the VM that understood it.

use proxy_wasm::hostcalls;
use proxy_wasm::types::{LogLevel, Status};

/// Keeps a value that was understood, unless a newer one is kept.
pub(crate) fn keep(place: &str, version: u64, value: &[u8]) {
    let bytes = [&version.to_le_bytes(), value].concat();
    loop {
        let (known, cas) = hostcalls::get_shared_data(place).unwrap_or_default();
        let known = known.as_deref().and_then(<[u8]>::split_first_chunk);
        if known.is_some_and(|(known, _)| u64::from_le_bytes(*known) >= version) {
            return;
        }
        match hostcalls::set_shared_data(place, Some(&bytes), cas) {
            Err(Status::CasMismatch) => {}
            Ok(()) => return,
            Err(status) => return tell(place, status),
        }
    }
}

/// The value that was understood before this version.
pub(crate) fn kept(place: &str, before: u64) -> Option<Vec<u8>> {
    let (known, _) = hostcalls::get_shared_data(place).ok()?;
    let known = known?;
    let (version, value) = known.split_first_chunk()?;
    (u64::from_le_bytes(*version) < before).then(|| value.to_vec())
}

/// The entry is gone. Shared data have no deletion.
pub(crate) fn forget(place: &str) {
    let (known, _) = hostcalls::get_shared_data(place).unwrap_or_default();
    if known.is_some_and(|known| !known.is_empty())
        && let Err(status) = hostcalls::set_shared_data(place, Some(&[]), None)
    {
        tell(place, status);
    }
}

fn tell(place: &str, status: Status) {
    let text = format!("{place} cannot be kept for VMs that start later: {status:?}");
    let _ = hostcalls::log(LogLevel::Warn, &text);
}
