//! The functions of the first public draft, import module `wasi_map`, exactly as its examples use
//! them.

use wasmtime::{Caller, ExternType, Linker, Module};
use weir_maps::MapCall;
use weir_maps::store::Terms;

use crate::host::MapHost;
use crate::plan::{Plan, Then};
use crate::run::{run, run_async};
use crate::v1::offer;
use crate::view::View;

/// What guests import the first draft from.
pub const DRAFT: &str = "wasi_map";

/// The function that has two forms.
const OPEN: &str = "wasi_map_open";

macro_rules! functions {
    ($mode:ident $linker:ident) => {
        offer! { $mode $linker DRAFT;
            "wasi_map_open" () Then::Handle, |_m| {
                Ok(Plan::of(MapCall::OpenGranted { name: None }, Then::Handle))
            };
            "wasi_map_set" (handle: i32, key_ptr: i32, key_len: i32, val_ptr: i32, val_len: i32) Then::Done, |m| {
                let key = m.bytes(key_ptr, key_len)?;
                let value = m.bytes(val_ptr, val_len)?;
                let (handle, terms) = (handle.cast_unsigned(), Terms::default());
                Ok(Plan::of(MapCall::Set { handle, key, value, terms }, Then::Done))
            };
            "wasi_map_get" (handle: i32, key_ptr: i32, key_len: i32, buf_ptr: i32, buf_len: i32) Then::Number, |m| {
                let buffer = m.buffer(buf_ptr, buf_len)?;
                let key = m.bytes(key_ptr, key_len)?;
                let handle = handle.cast_unsigned();
                Ok(Plan::of(MapCall::Get { handle, key }, Then::Cut(buffer)))
            };
            "wasi_map_delete" (handle: i32, key_ptr: i32, key_len: i32) Then::Done, |m| {
                let key = m.bytes(key_ptr, key_len)?;
                let handle = handle.cast_unsigned();
                Ok(Plan::of(MapCall::Delete { handle, key }, Then::Done))
            };
            "wasi_map_exists" (handle: i32, key_ptr: i32, key_len: i32) Then::Number, |m| {
                let key = m.bytes(key_ptr, key_len)?;
                let handle = handle.cast_unsigned();
                Ok(Plan::of(MapCall::Exists { handle, key }, Then::Number))
            };
        }
    };
}

macro_rules! open_by_name {
    ($mode:ident $linker:ident) => {
        offer! { $mode $linker DRAFT;
            "wasi_map_open" (name_ptr: i32, name_len: i32) Then::Handle, |m| {
                let name = Some(m.bytes(name_ptr, name_len)?);
                Ok(Plan::of(MapCall::OpenGranted { name }, Then::Handle))
            };
        }
    };
}

pub(crate) fn link<T: MapHost>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    functions!(now linker);
    Ok(())
}

pub(crate) fn link_async<T: MapHost + Send>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    functions!(later linker);
    Ok(())
}

/// Puts the other form of `wasi_map_open`, which takes a name, in the place of the first one if this
/// module imports that: a linker has one function of a name. A module that imports both forms cannot
/// be linked.
///
/// # Errors
/// The linker is of another engine.
pub fn link_draft_forms<T: MapHost>(
    linker: &mut Linker<T>,
    module: &Module,
) -> wasmtime::Result<()> {
    if opens_by_name(module) {
        linker.allow_shadowing(true);
        open_by_name!(now linker);
        linker.allow_shadowing(false);
    }
    Ok(())
}

fn opens_by_name(module: &Module) -> bool {
    module.imports().any(|import| {
        let takes_two = matches!(import.ty(), ExternType::Func(ty) if ty.params().len() == 2);
        import.module() == DRAFT && import.name() == OPEN && takes_two
    })
}
