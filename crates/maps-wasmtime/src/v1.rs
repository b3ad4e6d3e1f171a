//! The functions of `wasi_map_v1`: how the arguments of each become a call, and where its reply
//! goes. `docs/wasi-map.md` has them as a table.

use wasmtime::{Caller, Linker};
use weir_maps::MapCall;
use weir_maps::MapOptions;
use weir_maps::call::packed;
use weir_maps::store::{Condition, Terms};

use crate::host::MapHost;
use crate::plan::{Asked, Plan, Then, ops};
use crate::run::{run, run_async};
use crate::view::{View, rights};

/// What guests import the core ABI from.
pub const MODULE: &str = "wasi_map_v1";

/// Offers functions in a linker, as functions that wait or that do not.
macro_rules! offer {
    ($mode:ident $linker:ident $module:ident;
     $($name:literal ($($arg:ident: $ty:ident),*) $refused:expr, |$view:ident| $plan:expr;)*) => {
        $(crate::v1::offer!(@$mode $linker, ($module, $name), ($($arg: $ty),*), $refused, |$view| $plan);)*
    };
    (@now $linker:ident, $name:expr, ($($arg:ident: $ty:ident),*), $refused:expr, |$view:ident| $plan:expr) => {
        let name = $name;
        $linker.func_wrap(
            name.0,
            name.1,
            move |mut guest: Caller<'_, T>, $($arg: $ty),*| -> wasmtime::Result<i32> {
                run(&mut guest, (name, $refused), |$view: View<'_>| $plan)
            },
        )?;
    };
    (@later $linker:ident, $name:expr, ($($arg:ident: $ty:ident),*), $refused:expr, |$view:ident| $plan:expr) => {
        let name = $name;
        $linker.func_wrap_async(
            name.0,
            name.1,
            move |mut guest: Caller<'_, T>, ($($arg,)*): ($($ty,)*)| {
                Box::new(async move {
                    run_async(&mut guest, (name, $refused), move |$view: View<'_>| $plan).await
                })
            },
        )?;
    };
}
pub(crate) use offer;

/// Functions about handles.
macro_rules! handles {
    ($mode:ident $linker:ident) => {
        offer! { $mode $linker MODULE;
            "open" (name_ptr: i32, name_len: i32, rights_bits: i64, handle_out: i32) Then::Done, |m| {
                let out = m.out(handle_out, 4)?;
                let name = m.bytes(name_ptr, name_len)?;
                let rights = rights(rights_bits)?;
                Ok(Plan::of(MapCall::Open { name, rights }, Then::U32(out)))
            };
            "create" (options_ptr: i32, handle_out: i32) Then::Done, |m| {
                let out = m.out(handle_out, 4)?;
                let options = match options_ptr {
                    0 => MapOptions::anonymous(),
                    pointer => packed::options(m.array(pointer)?)?,
                };
                Ok(Plan::of(MapCall::Create { options }, Then::U32(out)))
            };
            "close" (handle: i32) Then::Done, |_m| {
                let handle = handle.cast_unsigned();
                Ok(Plan::of(MapCall::Close { handle }, Then::Done))
            };
            "dup" (handle: i32, rights_bits: i64, handle_out: i32) Then::Done, |m| {
                let out = m.out(handle_out, 4)?;
                let (handle, rights) = (handle.cast_unsigned(), rights(rights_bits)?);
                Ok(Plan::of(MapCall::Dup { handle, rights }, Then::U32(out)))
            };
            "lend" (handle: i32, rights_bits: i64, use_ptr: i32, use_len: i32, ticket_out: i32) Then::Done, |m| {
                let out = m.out(ticket_out, 16)?;
                let to = m.bytes(use_ptr, use_len)?;
                let (handle, rights) = (handle.cast_unsigned(), rights(rights_bits)?);
                Ok(Plan::of(MapCall::Lend { handle, rights, to }, Then::Fixed(Some(out))))
            };
            "transfer" (handle: i32, use_ptr: i32, use_len: i32, ticket_out: i32) Then::Done, |m| {
                let out = m.out(ticket_out, 16)?;
                let to = m.bytes(use_ptr, use_len)?;
                let handle = handle.cast_unsigned();
                Ok(Plan::of(MapCall::Transfer { handle, to }, Then::Fixed(Some(out))))
            };
            "accept" (ticket_ptr: i32, handle_out: i32) Then::Done, |m| {
                let out = m.out(handle_out, 4)?;
                let ticket = *m.array(ticket_ptr)?;
                Ok(Plan::of(MapCall::Accept { ticket }, Then::U32(out)))
            };
            "rights" (handle: i32, rights_out: i32) Then::Done, |m| {
                let out = m.out(rights_out, 8)?;
                let handle = handle.cast_unsigned();
                Ok(Plan::of(MapCall::Rights { handle }, Then::U64(Some(out))))
            };
            "stat" (handle: i32, stat_out: i32) Then::Done, |m| {
                let out = m.out(stat_out, packed::STAT_BYTES)?;
                let handle = handle.cast_unsigned();
                Ok(Plan::of(MapCall::Stat { handle }, Then::Fixed(Some(out))))
            };
            "id" (handle: i32, id_out: i32) Then::Done, |m| {
                let out = m.out(id_out, 8)?;
                let handle = handle.cast_unsigned();
                Ok(Plan::of(MapCall::Stat { handle }, Then::Id(out)))
            };
            "put_map" (handle: i32, key_ptr: i32, key_len: i32, child: i32) Then::Done, |m| {
                let key = m.bytes(key_ptr, key_len)?;
                let (handle, child) = (handle.cast_unsigned(), child.cast_unsigned());
                Ok(Plan::of(MapCall::PutMap { handle, key, child }, Then::Done))
            };
            "get_map" (handle: i32, key_ptr: i32, key_len: i32, handle_out: i32) Then::Done, |m| {
                let out = m.out(handle_out, 4)?;
                let key = m.bytes(key_ptr, key_len)?;
                let handle = handle.cast_unsigned();
                Ok(Plan::of(MapCall::GetMap { handle, key }, Then::U32(out)))
            };
        }
    };
}

/// Functions about one entry.
macro_rules! entries {
    ($mode:ident $linker:ident) => {
        offer! { $mode $linker MODULE;
            "get" (handle: i32, key_ptr: i32, key_len: i32, buf_ptr: i32, buf_len: i32, size_out: i32, version_out: i32) Then::Done, |m| {
                let buffer = m.buffer(buf_ptr, buf_len)?;
                let (size, version) = (m.out(size_out, 4)?, m.wanted(version_out, 8)?);
                let key = m.bytes(key_ptr, key_len)?;
                let handle = handle.cast_unsigned();
                let then = Then::Value { buffer, size, version };
                Ok(Plan::of(MapCall::Get { handle, key }, then))
            };
            "get_alloc" (handle: i32, key_ptr: i32, key_len: i32, ptr_out: i32, size_out: i32, version_out: i32) Then::Done, |m| {
                let (pointer, size) = (m.out(ptr_out, 4)?, m.out(size_out, 4)?);
                let version = m.wanted(version_out, 8)?;
                let key = m.bytes(key_ptr, key_len)?;
                let handle = handle.cast_unsigned();
                let then = Then::Allocated { pointer, size, version };
                Ok(Plan::of(MapCall::Get { handle, key }, then))
            };
            "set" (handle: i32, key_ptr: i32, key_len: i32, val_ptr: i32, val_len: i32) Then::Done, |m| {
                let key = m.bytes(key_ptr, key_len)?;
                let value = m.bytes(val_ptr, val_len)?;
                let (handle, terms) = (handle.cast_unsigned(), Terms::default());
                Ok(Plan::of(MapCall::Set { handle, key, value, terms }, Then::Done))
            };
            "set_with" (handle: i32, key_ptr: i32, key_len: i32, val_ptr: i32, val_len: i32, options_ptr: i32, version_out: i32) Then::Done, |m| {
                let out = m.wanted(version_out, 8)?;
                let key = m.bytes(key_ptr, key_len)?;
                let value = m.bytes(val_ptr, val_len)?;
                let terms = packed::terms(m.array(options_ptr)?)?;
                let handle = handle.cast_unsigned();
                Ok(Plan::of(MapCall::Set { handle, key, value, terms }, Then::U64(out)))
            };
            "compare_and_swap" (handle: i32, key_ptr: i32, key_len: i32, expected: i64, val_ptr: i32, val_len: i32, version_out: i32) Then::Done, |m| {
                let out = m.wanted(version_out, 8)?;
                let key = m.bytes(key_ptr, key_len)?;
                let value = m.bytes(val_ptr, val_len)?;
                let terms = Terms::on(Condition::expected(expected.cast_unsigned()));
                let handle = handle.cast_unsigned();
                Ok(Plan::of(MapCall::Set { handle, key, value, terms }, Then::Version(out)))
            };
            "delete" (handle: i32, key_ptr: i32, key_len: i32) Then::Done, |m| {
                let key = m.bytes(key_ptr, key_len)?;
                let handle = handle.cast_unsigned();
                Ok(Plan::of(MapCall::Delete { handle, key }, Then::Done))
            };
            "exists" (handle: i32, key_ptr: i32, key_len: i32, out: i32) Then::Done, |m| {
                let out = m.out(out, 4)?;
                let key = m.bytes(key_ptr, key_len)?;
                let handle = handle.cast_unsigned();
                Ok(Plan::of(MapCall::Exists { handle, key }, Then::U32(out)))
            };
            "increment" (handle: i32, key_ptr: i32, key_len: i32, delta: i64, value_out: i32) Then::Done, |m| {
                let out = m.out(value_out, 8)?;
                let key = m.bytes(key_ptr, key_len)?;
                let handle = handle.cast_unsigned();
                Ok(Plan::of(MapCall::Add { handle, key, delta }, Then::Counted(out)))
            };
        }
    };
}

/// Functions about many entries, and about changes.
macro_rules! many {
    ($mode:ident $linker:ident) => {
        offer! { $mode $linker MODULE;
            "scan" (handle: i32, prefix_ptr: i32, prefix_len: i32, cursor_ptr: i32, buf_ptr: i32, buf_len: i32, used_out: i32) Then::Done, |m| {
                let (place, used) = (m.out(cursor_ptr, 16)?, m.out(used_out, 4)?);
                let buffer = m.buffer(buf_ptr, buf_len)?;
                let prefix = m.bytes(prefix_ptr, prefix_len)?;
                let cursor = *m.array(cursor_ptr)?;
                let (handle, bytes) = (handle.cast_unsigned(), buf_len.cast_unsigned());
                let then = Then::Page { cursor: place, buffer, used };
                Ok(Plan::of(MapCall::Scan { handle, prefix, cursor, bytes }, then))
            };
            "batch" (handle: i32, ops_ptr: i32, ops_count: i32, results_ptr: i32) Then::Done, |m| {
                let ops = ops(m, (ops_ptr, ops_count))?;
                let results = m.wanted(results_ptr, ops.len() * packed::RESULT_BYTES)?;
                let asked = Asked::Batch(handle.cast_unsigned(), ops);
                Ok(Plan { asked, then: Then::Fixed(results) })
            };
            "clear" (handle: i32) Then::Done, |_m| {
                let handle = handle.cast_unsigned();
                Ok(Plan::of(MapCall::Clear { handle }, Then::Done))
            };
            "watch" (handle: i32, prefix_ptr: i32, prefix_len: i32, watch_out: i32) Then::Done, |m| {
                let out = m.out(watch_out, 4)?;
                let prefix = m.bytes(prefix_ptr, prefix_len)?;
                let handle = handle.cast_unsigned();
                Ok(Plan::of(MapCall::Watch { handle, prefix }, Then::U32(out)))
            };
            "next" (watch: i32, timeout_ms: i64, buf_ptr: i32, buf_len: i32, used_out: i32) Then::Done, |m| {
                let (buffer, used) = (m.buffer(buf_ptr, buf_len)?, m.out(used_out, 4)?);
                let (watch, bytes) = (watch.cast_unsigned(), buf_len.cast_unsigned());
                Ok(Plan::of(MapCall::Next { watch, timeout_ms, bytes }, Then::List { buffer, used }))
            };
            "unwatch" (watch: i32) Then::Done, |_m| {
                let watch = watch.cast_unsigned();
                Ok(Plan::of(MapCall::Unwatch { watch }, Then::Done))
            };
        }
    };
}

/// Functions about memory that is shared without copying.
macro_rules! regions {
    ($mode:ident $linker:ident) => {
        offer! { $mode $linker MODULE;
            "region_create" (handle: i32, key_ptr: i32, key_len: i32, len: i64) Then::Done, |m| {
                let key = m.bytes(key_ptr, key_len)?;
                let (handle, bytes) = (handle.cast_unsigned(), len.cast_unsigned());
                Ok(Plan::of(MapCall::RegionCreate { handle, key, bytes }, Then::Done))
            };
            "region_map" (handle: i32, key_ptr: i32, key_len: i32, offset: i64, len: i32, prot: i32, addr_out: i32) Then::Done, |m| {
                let out = m.out(addr_out, 4)?;
                let key = m.bytes(key_ptr, key_len)?;
                let (handle, prot) = (handle.cast_unsigned(), prot.cast_unsigned());
                let (offset, bytes) = (offset.cast_unsigned(), len.cast_unsigned());
                Ok(Plan::of(MapCall::RegionMap { handle, key, offset, bytes, prot }, Then::Region { address: out, range: (offset, bytes) }))
            };
            "region_unmap" (addr: i32, len: i32) Then::Done, |_m| {
                let (address, bytes) = (addr.cast_unsigned(), len.cast_unsigned());
                Ok(Plan::of(MapCall::RegionUnmap { address, bytes }, Then::Unmapped(address, bytes)))
            };
        }
    };
}

pub(crate) fn link<T: MapHost>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    handles!(now linker);
    entries!(now linker);
    many!(now linker);
    regions!(now linker);
    Ok(())
}

pub(crate) fn link_async<T: MapHost + Send>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    handles!(later linker);
    entries!(later linker);
    many!(later linker);
    regions!(later linker);
    Ok(())
}
