//! Pages of regions in the memories of guests, of this room and of others.
//!
//! An engine whose guests are to map regions has [`MappedMemories`] for its memories. Each store keeps
//! the [`Mappings`] of its guest, which end with it. Invariant: what was mapped is gone from a memory
//! before its region is given back, and before its addresses are used again.

use std::sync::Arc;

use wasmparser::{Parser, Payload};
use wasmtime::{AsContext, Caller, Config, Memory};
use weir_maps::MapError;
use weir_maps::region::Lease;
use weir_model::limits::maps as limits;

use crate::memory::Memories;
pub use crate::memory::mapped::Mappings;
use crate::memory::mapped::{GRAIN, MappingError, Place};

/// Module and name of the import that maps regions.
const MAP: (&str, &str) = ("wasi_map_v1", "region_map");

/// Memories that regions can be mapped into. Cheap to clone.
#[derive(Clone)]
pub struct MappedMemories(Arc<Memories>);

impl Default for MappedMemories {
    fn default() -> Self {
        Self(Arc::new(Memories::findable()))
    }
}

impl MappedMemories {
    /// Makes these the memories of an engine, which must make its instances one by one.
    pub fn serve(&self, config: &mut Config) {
        config
            .memory_init_cow(false)
            .with_host_memory(Arc::clone(&self.0) as Arc<dyn wasmtime::MemoryCreator>);
    }

    /// No mappings yet, of a guest with this memory. In a memory of another engine nothing can be
    /// mapped.
    #[must_use]
    pub fn mappings(&self, memory: Memory, store: impl AsContext) -> Mappings {
        Mappings::of(self.0.find(memory.data_ptr(store)))
    }
}

/// Whether a core module imports the function that maps regions.
#[must_use]
pub fn maps_regions(module: &[u8]) -> bool {
    for payload in Parser::new(0).parse_all(module) {
        match payload {
            Ok(Payload::ImportSection(imports)) => {
                return imports
                    .into_imports()
                    .flatten()
                    .any(|import| (import.module, import.name) == MAP);
            }
            // The engine says what is wrong with it.
            Err(_) | Ok(Payload::CodeSectionStart { .. }) => return false,
            Ok(_) => {}
        }
    }
    false
}

/// The data of a store whose guest may map regions.
pub trait HasMappings: 'static {
    /// What its guest has mapped.
    fn mappings(&mut self) -> &mut Mappings;
}

/// Maps a part of a region into a guest's memory and answers the address.
///
/// # Errors
///
/// When the guest must end. The inner error is for the guest.
pub fn map_region<T: HasMappings>(
    guest: &mut Caller<'_, T>,
    memory: Memory,
    (lease, (at, bytes)): (Arc<Lease>, (u64, u32)),
) -> wasmtime::Result<Result<u32, MapError>> {
    let checked = lease.check(at, u64::from(bytes));
    if let Err(error) = checked.and_then(|()| Lease::check_grain(at, bytes)) {
        return Ok(Err(error));
    }
    let length = bytes as usize;
    let place = match find_place(guest, memory, length)? {
        Ok(place) => place,
        Err(error) => return Ok(Err(error)),
    };
    let address = u32::try_from(place.start())?;
    let mappings = guest.data_mut().mappings();
    match mappings.put_region(place, lease, (at, length)) {
        Ok(()) => Ok(Ok(address)),
        Err(MappingError::Refused(error)) => Ok(Err(MapError::Io(error.to_string()))),
        Err(error @ (MappingError::Broken(_) | MappingError::NotMapped)) => Err(error.into()),
    }
}

/// Ends a mapping, which must have exactly this address and length.
///
/// # Errors
///
/// As for [`map_region`].
pub fn unmap<T: HasMappings>(
    guest: &mut Caller<'_, T>,
    (address, bytes): (u32, u32),
) -> wasmtime::Result<Result<(), MapError>> {
    let mappings = guest.data_mut().mappings();
    match mappings.unmap(address as usize, bytes as usize) {
        Ok(()) => Ok(Ok(())),
        Err(MappingError::NotMapped) => Ok(Err(MapError::Invalid(
            "nothing of this length is mapped at this address",
        ))),
        Err(error @ (MappingError::Broken(_) | MappingError::Refused(_))) => Err(error.into()),
    }
}

/// Zeros for a mapping: a range that was unmapped, or new memory.
pub(crate) fn find_place<T: HasMappings>(
    guest: &mut Caller<'_, T>,
    memory: Memory,
    bytes: usize,
) -> wasmtime::Result<Result<Place, MapError>> {
    let mappings = guest.data_mut().mappings();
    if mappings.are_full() {
        let (what, max) = ("mappings of this instance", limits::MAPPINGS_MAX);
        return Ok(Err(MapError::NoMemory { what, max }));
    }
    if mappings.memory().is_none() || memory.page_size(&*guest) != GRAIN as u64 {
        let what = "mapping into this memory";
        return Ok(Err(MapError::NotSupported(what)));
    }
    if let Some(place) = guest.data_mut().mappings().reuse(bytes)? {
        return Ok(Ok(place));
    }
    let pages = bytes.div_ceil(GRAIN);
    let start = memory.data_size(&*guest);
    // Addresses are answered as numbers that may not be negative.
    let end = start.saturating_add(pages * GRAIN);
    if end > 1 << 31 || memory.grow(&mut *guest, pages as u64).is_err() {
        let (what, max) = ("pages of memory that this guest may have", start / GRAIN);
        return Ok(Err(MapError::NoMemory { what, max }));
    }
    Ok(Ok(Place::grown(start..end)))
}
