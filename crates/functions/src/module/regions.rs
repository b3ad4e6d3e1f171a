//! Maps of core modules, and regions in their memory (decision 044).

use std::sync::Arc;

use wasmtime::Caller;
use weir_guest::mapping::{self, HasMappings, Mappings};
use weir_maps::region::Lease;
use weir_maps::{MapCall, MapError};
use weir_maps_wasmtime::{MapAnswer, MapDoor, MapHost};

use super::Guest;
use super::memory::Exports;

impl HasMappings for Guest {
    fn mappings(&mut self) -> &mut Mappings {
        &mut self.mappings
    }
}

impl MapHost for Guest {
    fn map_call(&mut self, call: MapCall<'_>) -> wasmtime::Result<MapAnswer> {
        MapDoor::map_call(&mut self.door, call)
    }

    fn map_region(
        guest: &mut Caller<'_, Self>,
        lease: Arc<Lease>,
        range: (u64, u32),
    ) -> wasmtime::Result<Result<u32, MapError>> {
        match Exports::of(guest).memory() {
            Ok(memory) => mapping::map_region(guest, memory, (lease, range)),
            Err(_) => Ok(Err(MapError::NotSupported("mapping without a memory"))),
        }
    }

    fn map_unmap(
        guest: &mut Caller<'_, Self>,
        at: (u32, u32),
    ) -> wasmtime::Result<Result<(), MapError>> {
        mapping::unmap(guest, at)
    }
}
