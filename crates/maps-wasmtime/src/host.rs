//! What the linker needs of a host.

use std::pin::Pin;
use std::sync::Arc;

use wasmtime::{Caller, Extern, Memory};
use weir_maps::region::Lease;
use weir_maps::{MapCall, MapError, MapReply};

use crate::alloc::Allocator;

/// A reply that is not there yet. It crosses the suspension of the guest, so it must be `Send`: a
/// host that is bound to its thread lets a local task do the work and waits for it on a channel.
pub type MapWait = Pin<Box<dyn Future<Output = MapReply> + Send>>;

/// How a host answers.
pub enum MapAnswer {
    /// At once.
    Ready(MapReply),
    /// Later: the guest is suspended until then.
    Pending(MapWait),
}

impl From<MapReply> for MapAnswer {
    fn from(reply: MapReply) -> Self {
        Self::Ready(reply)
    }
}

/// A call had to wait in a store whose guests cannot be suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CannotWait;

impl std::fmt::Display for CannotWait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the map answers later, and this guest cannot be suspended")
    }
}

impl std::error::Error for CannotWait {}

/// The data of a store whose guests may use maps. Only [`map_call`](Self::map_call) has to be there.
pub trait MapHost: Sized + 'static {
    /// Answers one call, mostly by [`Handles::call`](weir_maps::Handles::call). Whoever answers later
    /// also limits how long, as far as the call says ([`MapCall::patience`]).
    ///
    /// # Errors
    /// The guest is ended with it. What the guest is to be told is a [`MapReply::Refused`].
    fn map_call(&mut self, call: MapCall<'_>) -> wasmtime::Result<MapAnswer>;

    /// Whether the guest may call this function (of `module`) now.
    ///
    /// # Errors
    /// The guest is ended with it.
    fn map_gate(
        guest: &Caller<'_, Self>,
        module: &'static str,
        function: &'static str,
    ) -> wasmtime::Result<()> {
        let _ = (guest, module, function);
        Ok(())
    }

    /// The memory that pointers point into; `None`: every call is a *fault*. A host that keeps it
    /// with its data saves a search by name in each call.
    fn map_memory(guest: &mut Caller<'_, Self>) -> Option<Memory> {
        guest.get_export("memory").and_then(Extern::into_memory)
    }

    /// The guest is about to be suspended.
    fn map_waits(&mut self) {}

    /// The reply that it waited for is there, and may still be changed.
    ///
    /// # Errors
    /// The guest is ended with it.
    fn map_arrived(guest: &mut Caller<'_, Self>, reply: MapReply) -> wasmtime::Result<MapReply> {
        let _ = guest;
        Ok(reply)
    }

    /// Puts bytes of a region, from an offset on, into the guest's memory and answers the address. The
    /// range is in the region. Whoever maps it keeps the lease until nothing of it is mapped any more.
    ///
    /// # Errors
    /// The guest is ended with it. What it is to be told is the inner error.
    fn map_region(
        guest: &mut Caller<'_, Self>,
        lease: Arc<Lease>,
        range: (u64, u32),
    ) -> wasmtime::Result<Result<u32, MapError>> {
        let _ = (guest, lease, range);
        Ok(Err(MapError::NotSupported("mapping regions")))
    }

    /// Ends the mapping that begins at an address and is so long.
    ///
    /// # Errors
    /// As for [`map_region`](Self::map_region).
    fn map_unmap(
        guest: &mut Caller<'_, Self>,
        mapping: (u32, u32),
    ) -> wasmtime::Result<Result<(), MapError>> {
        let _ = (guest, mapping);
        Ok(Err(MapError::NotSupported("mapping regions")))
    }

    /// What allocates memory in the guest.
    fn map_allocator(guest: &mut Caller<'_, Self>) -> Option<Allocator> {
        Allocator::of(guest)
    }

    /// The guest's allocator is about to run. [`map_allocated`](Self::map_allocated) gets what this
    /// answers.
    fn map_allocating(&mut self) -> u32 {
        0
    }

    /// The allocator has run. An address of 0 is *nomem* for the guest.
    ///
    /// # Errors
    /// The guest is ended with it: by default, if its allocator has failed.
    fn map_allocated(
        guest: &mut Caller<'_, Self>,
        before: u32,
        address: wasmtime::Result<i32>,
    ) -> wasmtime::Result<i32> {
        let _ = (guest, before);
        address
    }
}
