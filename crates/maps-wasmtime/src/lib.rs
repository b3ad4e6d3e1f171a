//! WASI-Map for any host that runs WebAssembly in Wasmtime: the functions of the core ABI
//! (`wasi_map_v1`), those of its first draft (`wasi_map`), and for components `wasi-map:map` and
//! `wasi:keyvalue`.
//!
//! A host implements [`MapHost`] for the data of its stores, calls [`link_map`] or
//! [`link_map_async`], and hands each [`MapCall`] to the [`Handles`](weir_maps::Handles) of the
//! instance. `examples/host.rs` is such a host. For components it implements [`MapView`] and calls
//! [`link_component`].
//!
//! Invariants: no bad argument traps; every pointer that a call has is checked before the operation
//! begins, and what is refused has changed nothing and written nothing but the size that *overflow*
//! tells. Where calls are put together and replies are written there is no other work.

mod alloc;
mod component;
mod draft;
mod host;
mod plan;
mod run;
mod v1;
mod view;

pub use alloc::Allocator;
pub use component::{Begun, MapCtx, MapDoor, MapView, link_component};
pub use draft::{DRAFT, link_draft_forms};
pub use host::{CannotWait, MapAnswer, MapHost, MapWait};
pub use v1::MODULE;
pub use weir_maps::{MapCall, MapReply};

use wasmtime::Linker;

/// Adds the functions of the core ABI and of its first draft to a linker. A guest of it is never
/// suspended: an answer that comes later ends it with [`CannotWait`], and waiting for a change is
/// answered at once.
///
/// # Errors
/// The linker has one of the names already.
pub fn link_map<T: MapHost>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    v1::link(linker)?;
    draft::link(linker)
}

/// The same, for stores whose guests can be suspended (`call_async`).
///
/// # Errors
/// The linker has one of the names already.
pub fn link_map_async<T: MapHost + Send>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    v1::link_async(linker)?;
    draft::link_async(linker)
}
