//! Maps for components: `wasi-map:map@1.0.0` of `wit/map.wit`, and `wasi:keyvalue` over the same maps
//! in both drafts that components are built with.
//!
//! A host implements [`MapView`] for the data of its stores and calls [`link_component`]. What a
//! component asks becomes the same [`MapCall`] that a core module's call becomes, so rights, limits
//! and errors are the same; a resource stands for a handle, a watch or something begun.
//!
//! Invariants: no argument and no resource traps or panics here but one that the host itself never
//! gave out; whatever a component can begin has a limit (`weir_model::limits::maps`); what the host
//! allocates for one answer has one too.

mod asking;
mod begun;
mod keyvalue;
mod lists;
mod maps;
mod refused;
mod regions;
mod watching;

use wasmtime::component::{HasData, Linker, ResourceTable};
use weir_maps::{MapCall, MapReply};

use crate::host::MapAnswer;

pub use begun::Begun;

/// What answers the calls of one component's instance.
pub trait MapDoor: Send {
    /// Answers one call: see [`MapHost::map_call`](crate::MapHost::map_call).
    ///
    /// # Errors
    /// The guest is ended with it. What the guest is to be told is a [`MapReply::Refused`].
    fn map_call(&mut self, call: MapCall<'_>) -> wasmtime::Result<MapAnswer>;

    /// The guest is about to be suspended.
    fn map_waits(&mut self) {}

    /// The reply that it waited for is there, and may still be changed.
    ///
    /// # Errors
    /// The guest is ended with it.
    fn map_arrived(&mut self, reply: MapReply) -> wasmtime::Result<MapReply> {
        Ok(reply)
    }
}

/// What component stores have for maps.
pub struct MapCtx<'a> {
    /// Answers calls.
    pub door: &'a mut dyn MapDoor,
    /// What the instance has begun: one for each store, made by default.
    pub begun: &'a mut Begun,
    /// The table that the host's `wasi:io` uses too: pollables are there.
    pub table: &'a mut ResourceTable,
}

/// The data of a store whose components may use maps.
pub trait MapView: Send + 'static {
    /// What there is of maps in it.
    fn maps(&mut self) -> MapCtx<'_>;
}

struct HasMaps;

impl HasData for HasMaps {
    type Data<'a> = MapCtx<'a>;
}

/// The bindings of the interfaces in `wit/`.
mod made {
    pub(crate) mod map {
        wasmtime::component::bindgen!({
            path: "../../wit",
            world: "imports",
            imports: { default: async | trappable },
            with: {
                "wasi-map:map/maps.map": crate::component::Map,
                "wasi-map:map/maps.scanner": crate::component::begun::Scanner,
                "wasi-map:map/maps.watcher": crate::component::watching::Watcher,
                "wasi:io": wasmtime_wasi_io::bindings::wasi::io,
            },
            trappable_error_type: { "wasi-map:map/types.error" => crate::component::refused::Refused },
        });
    }

    pub(crate) mod draft {
        pub(crate) use self::wasi::keyvalue0_2_0_draft as keyvalue;

        wasmtime::component::bindgen!({
            path: "../../wit",
            world: "wasi:keyvalue/imports@0.2.0-draft",
            imports: { default: async | trappable },
            with: { "wasi:keyvalue/store@0.2.0-draft.bucket": crate::component::begun::Bucket },
            trappable_error_type: { "wasi:keyvalue/store@0.2.0-draft.error" => crate::component::refused::Refused },
        });
    }

    pub(crate) mod draft2 {
        pub(crate) use self::wasi::keyvalue0_2_0_draft2 as keyvalue;

        wasmtime::component::bindgen!({
            path: "../../wit",
            world: "wasi:keyvalue/imports@0.2.0-draft2",
            imports: { default: async | trappable },
            with: {
                "wasi:keyvalue/store@0.2.0-draft2.bucket": crate::component::begun::Bucket,
                "wasi:keyvalue/atomics@0.2.0-draft2.cas": crate::component::begun::Cas,
            },
            trappable_error_type: { "wasi:keyvalue/store@0.2.0-draft2.error" => crate::component::refused::Refused },
        });
    }
}

/// A component's handle to a map: its number is the handle's.
#[expect(unreachable_pub, reason = "the bindings hand it on")]
pub enum Map {}

/// Adds `wasi-map:map` and both drafts of `wasi:keyvalue` (`store`, `atomics`, `batch`) to a linker.
/// Components of it are called asynchronously (`call_async`); those that wait for changes need
/// `wasi:io/poll` beside, which is the host's to link.
///
/// # Errors
/// The linker has one of the names already.
pub fn link_component<T: MapView>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    made::map::wasi_map::map::types::add_to_linker::<T, HasMaps>(linker, T::maps)?;
    made::map::wasi_map::map::maps::add_to_linker::<T, HasMaps>(linker, T::maps)?;
    made::map::wasi_map::map::regions::add_to_linker::<T, HasMaps>(linker, T::maps)?;
    keyvalue::link(linker)
}
