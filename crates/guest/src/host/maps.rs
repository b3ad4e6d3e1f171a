//! Shared maps: `weir-maps-wasmtime` reads the arguments and writes the replies; here is how it gets
//! at guest and world.

use std::sync::Arc;

use wasmtime::{AsContextMut, Caller, Linker, Memory};
use weir_maps::MapError;
use weir_maps::call::{MapCall, MapReply};
use weir_maps::region::Lease;
use weir_maps_wasmtime::{MapAnswer, MapHost};

use super::{When, allocated, gate, memory};
use crate::cell::{Cell, Phase};
use crate::door::{Answer, Call, Reply, Status, World};
use crate::mapping::{self, HasMappings, Mappings};

/// The error of a reply that no world gives to such a call.
const IO: MapReply = MapReply::Refused(29, 0);
/// The error of a world without maps.
const NOTSUP: MapReply = MapReply::Refused(58, 0);

/// Adds the functions of maps to those of a host whose guests are never suspended.
pub(crate) fn link<W: World>(linker: &mut Linker<Cell<W>>) -> wasmtime::Result<()> {
    weir_maps_wasmtime::link_map(linker)
}

/// Adds them, in the place of the others, for guests that can be suspended.
pub(crate) fn link_waiting<W: World + Send>(linker: &mut Linker<Cell<W>>) -> wasmtime::Result<()> {
    weir_maps_wasmtime::link_map_async(linker)
}

impl<W: World> HasMappings for Cell<W> {
    fn mappings(&mut self) -> &mut Mappings {
        &mut self.mappings
    }
}

impl<W: World> MapHost for Cell<W> {
    fn map_call(&mut self, call: MapCall<'_>) -> wasmtime::Result<MapAnswer> {
        Ok(match self.world.call(Call::Map(call))? {
            Answer::Ready(reply) => MapAnswer::Ready(of_maps(reply)),
            Answer::Pending(wait) => {
                MapAnswer::Pending(Box::pin(async move { of_maps(wait.await) }))
            }
        })
    }

    fn map_gate(
        guest: &Caller<'_, Self>,
        _: &'static str,
        function: &'static str,
    ) -> wasmtime::Result<()> {
        gate(guest, function, When::Started)
    }

    fn map_memory(guest: &mut Caller<'_, Self>) -> Option<Memory> {
        guest.data().memory
    }

    fn map_waits(&mut self) {
        self.deadline.suspend();
    }

    fn map_arrived(guest: &mut Caller<'_, Self>, reply: MapReply) -> wasmtime::Result<MapReply> {
        let reply = guest.data_mut().world.arrive(Reply::Map(reply))?;
        let ticks = guest.data_mut().deadline.resume();
        guest.as_context_mut().set_epoch_deadline(ticks);
        Ok(of_maps(reply))
    }

    fn map_region(
        guest: &mut Caller<'_, Self>,
        lease: Arc<Lease>,
        range: (u64, u32),
    ) -> wasmtime::Result<Result<u32, MapError>> {
        let memory = memory(guest)?;
        mapping::map_region(guest, memory, (lease, range))
    }

    fn map_unmap(
        guest: &mut Caller<'_, Self>,
        at: (u32, u32),
    ) -> wasmtime::Result<Result<(), MapError>> {
        mapping::unmap(guest, at)
    }

    fn map_allocating(&mut self) -> u32 {
        std::mem::replace(&mut self.phase, Phase::Allocating) as u32
    }

    fn map_allocated(
        guest: &mut Caller<'_, Self>,
        before: u32,
        address: wasmtime::Result<i32>,
    ) -> wasmtime::Result<i32> {
        guest.data_mut().phase = match before {
            before if before == Phase::Starting as u32 => Phase::Starting,
            before if before == Phase::Allocating as u32 => Phase::Allocating,
            _ => Phase::Running,
        };
        allocated(guest, address)
    }
}

fn of_maps(reply: Reply) -> MapReply {
    match reply {
        Reply::Map(reply) => reply,
        Reply::Refused(Status::Unimplemented) => NOTSUP,
        Reply::Refused(_)
        | Reply::Done
        | Reply::Bytes(_)
        | Reply::Number(_)
        | Reply::Entry(..)
        | Reply::Outcome(..) => IO,
    }
}
