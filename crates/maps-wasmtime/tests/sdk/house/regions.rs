//! Regions of a host that copies them: into memory that it grows, and back when a mapping for writing
//! ends. A guest cannot tell; that the gateway maps pages instead is tested in `crates/guest`.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime::{AsContextMut, Caller};
use weir_maps::MapError;
use weir_maps::region::{Access, Lease};

use super::Host;

const PAGE: u64 = 64 << 10;

/// What is mapped in an instance, by address: the lease, offset and length.
pub(super) type Regions = BTreeMap<u32, (Arc<Lease>, (u64, u32))>;

pub(super) fn map(
    guest: &mut Caller<'_, Host>,
    lease: Arc<Lease>,
    (offset, bytes): (u64, u32),
) -> wasmtime::Result<u32> {
    let memory = Host::map_memory_of(guest);
    let pages = u64::from(bytes).div_ceil(PAGE);
    let at = memory.grow(guest.as_context_mut(), pages)? * PAGE;
    let at = u32::try_from(at)?;
    let (all, host) = memory.data_and_store_mut(guest.as_context_mut());
    let range = &mut all[at as usize..][..bytes as usize];
    lease.read(offset, range)?;
    host.regions.insert(at, (lease, (offset, bytes)));
    Ok(at)
}

pub(super) fn unmap(
    guest: &mut Caller<'_, Host>,
    (at, bytes): (u32, u32),
) -> wasmtime::Result<Result<(), MapError>> {
    let memory = Host::map_memory_of(guest);
    let (all, host) = memory.data_and_store_mut(guest.as_context_mut());
    let unknown = MapError::Invalid("nothing is mapped there");
    match host.regions.remove(&at) {
        Some((lease, (offset, mapped))) if mapped == bytes => {
            let range = &mut all[at as usize..][..bytes as usize];
            if lease.access() == Access::Write {
                lease.write(offset, range)?;
            }
            range.fill(0);
            Ok(Ok(()))
        }
        Some(other) => {
            host.regions.insert(at, other);
            Ok(Err(unknown))
        }
        None => Ok(Err(unknown)),
    }
}

impl Host {
    fn map_memory_of(guest: &mut Caller<'_, Self>) -> wasmtime::Memory {
        let memory = guest.get_export("memory");
        memory.and_then(wasmtime::Extern::into_memory).unwrap()
    }
}
