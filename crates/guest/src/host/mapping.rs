//! Files as guests map them: `memory_map`. Pages of regions are in `mapping`.
//!
//! A file is copied, not mapped: somebody else may cut it, and touching a page that is gone would end
//! the gateway. What the guest sees is what a private mapping shows, as the file was at that moment.

use wasmtime::Linker;
use weir_maps::region::Lease;
use weir_model::limits;

use super::wasi::{BADF, INVAL, NOTSUP, Ret, SUCCESS};
use super::{Guest, When, files, gate, memory, offset};
use crate::cell::Cell;
use crate::door::World;
use crate::files::FileCall;
use crate::mapping;

const NOMEM: i32 = 48;
/// Protection: the guest will write, to its own pages.
const WRITE: i32 = 2;
/// Flags: what is written stays with the guest.
const PRIVATE: i32 = 1;
/// Flags: what is written is in the file.
const SHARED: i32 = 2;

pub(super) fn link<W: World>(linker: &mut Linker<Cell<W>>, module: &str) -> wasmtime::Result<()> {
    linker.func_wrap(
        module,
        "memory_map",
        |mut g: Guest<'_, W>, fd: i32, at: i32, bytes: i32, prot: i32, flags: i32| -> Ret {
            let mapped = map_file(&mut g, (fd, at), offset(bytes), (prot, flags))?;
            Ok(mapped.unwrap_or_else(|errno| -errno))
        },
    )?;
    linker.func_wrap(
        module,
        "memory_unmap",
        |mut g: Guest<'_, W>, address: i32, bytes: i32| -> Ret {
            gate(&g, "memory_unmap", When::Started)?;
            Ok(
                match mapping::unmap(&mut g, (address.cast_unsigned(), bytes.cast_unsigned()))? {
                    Ok(()) => SUCCESS,
                    Err(error) => error.errno(),
                },
            )
        },
    )?;
    Ok(())
}

/// Copies a part of a file into new memory and answers the address, or an `errno`.
fn map_file<W: World>(
    g: &mut Guest<'_, W>,
    (fd, at): (i32, i32),
    bytes: usize,
    (prot, flags): (i32, i32),
) -> wasmtime::Result<Result<i32, i32>> {
    gate(g, "memory_map", When::Started)?;
    if !files::is_file(g, fd) {
        return Ok(Err(BADF));
    }
    let is_known = (1..=1 | WRITE).contains(&prot) && [PRIVATE, SHARED].contains(&flags);
    let Ok(length) = u32::try_from(bytes) else {
        return Ok(Err(INVAL));
    };
    if !is_known || Lease::check_grain(u64::from(at.cast_unsigned()), length).is_err() {
        return Ok(Err(INVAL));
    }
    if flags == SHARED {
        return Ok(Err(NOTSUP));
    }
    if bytes > limits::GUEST_FILE_MAPPED_BYTES_MAX {
        return Ok(Err(NOMEM));
    }
    // The first bytes are read before memory is grown for them: the file may not be there.
    let first = match read(g, fd, (u64::from(at.cast_unsigned()), bytes))? {
        Ok(first) => first,
        Err(errno) => return Ok(Err(errno)),
    };
    let memory = memory(g)?;
    let place = match mapping::find_place(g, memory, bytes)? {
        Ok(place) => place,
        Err(error) => return Ok(Err(error.errno())),
    };
    let address = i32::try_from(place.start())?;
    let from = (u64::from(at.cast_unsigned()), bytes);
    let filled = fill(g, (fd, from), place.start(), first)?;
    let mappings = &mut g.data_mut().mappings;
    mappings.put_own(place, bytes);
    match filled {
        Ok(()) => Ok(Ok(address)),
        Err(errno) => {
            mappings.unmap(offset(address), bytes)?;
            Ok(Err(errno))
        }
    }
}

/// Copies a file to an address, until its end. What lies behind the end stays zero.
fn fill<W: World>(
    g: &mut Guest<'_, W>,
    (fd, (at, bytes)): (i32, (u64, usize)),
    start: usize,
    first: bytes::Bytes,
) -> wasmtime::Result<Result<(), i32>> {
    let mut done = 0;
    let mut next = first;
    loop {
        let memory = memory(g)?;
        let to = memory
            .data_mut(&mut *g)
            .get_mut(start + done..start + bytes);
        let to = to.and_then(|to| to.get_mut(..next.len()));
        let Some(to) = to.filter(|to| !to.is_empty()) else {
            return Ok(Ok(()));
        };
        to.copy_from_slice(&next);
        done += next.len();
        if done == bytes {
            return Ok(Ok(()));
        }
        next = match read(g, fd, (at + done as u64, bytes - done))? {
            Ok(next) => next,
            Err(errno) => return Ok(Err(errno)),
        };
    }
}

/// Bytes of a file from a place on; none: it ends there.
fn read<W: World>(
    g: &mut Guest<'_, W>,
    fd: i32,
    (at, bytes): (u64, usize),
) -> wasmtime::Result<Result<bytes::Bytes, i32>> {
    let call = FileCall::Read {
        fd: fd.cast_unsigned(),
        max: u32::try_from(bytes).unwrap_or(u32::MAX),
        at: Some(at),
    };
    files::asked(g, |_| Ok(call))
}
