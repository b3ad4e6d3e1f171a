//! Memory of core modules: what they point at, and what the host puts there.
//!
//! Invariants: a range is looked at before it is used, memory is written only where the guest's own
//! allocator said or where the host grew it, and no answer of an allocator is believed.

use wasmtime::{
    AsContext as _, AsContextMut as _, Caller, Extern, Memory, StoreContextMut, TypedFunc,
    WasmParams,
};

use super::Guest;

/// Why a call is refused: numbers of WASI preview 1, as the calls of shared maps answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) i32);

impl Errno {
    pub(crate) const SUCCESS: Self = Self(0);
    pub(crate) const ACCES: Self = Self(2);
    pub(crate) const ALREADY: Self = Self(7);
    pub(crate) const CONNREFUSED: Self = Self(14);
    pub(crate) const FAULT: Self = Self(21);
    pub(crate) const FBIG: Self = Self(22);
    pub(crate) const HOSTUNREACH: Self = Self(23);
    pub(crate) const INVAL: Self = Self(28);
    pub(crate) const IO: Self = Self(29);
    pub(crate) const NOENT: Self = Self(44);
    pub(crate) const NOMEM: Self = Self(48);
    pub(crate) const NOTSUP: Self = Self(58);
    pub(crate) const PROTO: Self = Self(65);
    pub(crate) const TIMEDOUT: Self = Self(73);
}

/// Of what memory that the host asks for is aligned to: whatever it holds.
const ALIGNMENT: u32 = 8;
/// Address of what is empty: not null, as languages have it, and aligned.
const EMPTY: u32 = ALIGNMENT;
const PAGE: u64 = 64 << 10;

/// What the host needs of a module's exports.
#[derive(Clone)]
pub(crate) struct Exports {
    memory: Option<Memory>,
    allocator: Allocator,
}

/// Where memory for the guest comes from.
#[derive(Clone)]
enum Allocator {
    /// A function that takes a length.
    Length(&'static str, TypedFunc<i32, i32>),
    /// `cabi_realloc`: old address, old length, alignment, new length.
    Realloc(TypedFunc<(i32, i32, i32, i32), i32>),
    /// The guest has none: its memory is grown.
    Growth,
}

/// A part of memory that the host grew and has not given away yet.
#[derive(Clone, Copy, Default)]
pub(crate) struct Grown {
    next: u64,
    end: u64,
}

/// An allocator said what cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "its allocator `{allocator}` answered {address:#x} for {bytes} bytes, but its memory ends at \
     {memory_bytes:#x}"
)]
pub(crate) struct Misallocated {
    allocator: &'static str,
    address: u32,
    bytes: u32,
    memory_bytes: usize,
}

impl Exports {
    /// Looks for them.
    pub(crate) fn find(
        mut store: StoreContextMut<'_, Guest>,
        mut export: impl FnMut(&mut StoreContextMut<'_, Guest>, &'static str) -> Option<Extern>,
    ) -> Self {
        let memory = export(&mut store, "memory").and_then(Extern::into_memory);
        let memory = memory.filter(|memory| !memory.ty(&store).is_64());
        let mut allocator = Allocator::Growth;
        for name in [
            "malloc",
            "proxy_on_memory_allocate",
            "cabi_realloc",
            "alloc",
        ] {
            let found = export(&mut store, name);
            if let Some(realloc) = typed(&store, found.clone()).filter(|_| name == "cabi_realloc") {
                allocator = Allocator::Realloc(realloc);
            } else if let Some(alloc) = typed(&store, found).filter(|_| name != "cabi_realloc") {
                allocator = Allocator::Length(name, alloc);
            } else {
                continue;
            }
            break;
        }
        Self { memory, allocator }
    }

    /// Those of a guest that calls.
    pub(crate) fn of(guest: &mut Caller<'_, Guest>) -> Self {
        if let Some(exports) = &guest.data().exports {
            return exports.clone();
        }
        // It is still being instantiated, and calls from its start function.
        let memory = guest.get_export("memory").and_then(Extern::into_memory);
        let memory = memory.filter(|memory| !memory.ty(&*guest).is_64());
        Self {
            memory,
            allocator: Allocator::Growth,
        }
    }

    /// The linear memory.
    pub(crate) fn memory(&self) -> Result<Memory, Errno> {
        self.memory.ok_or(Errno::FAULT)
    }
}

fn typed<P: WasmParams>(
    store: &StoreContextMut<'_, Guest>,
    found: Option<Extern>,
) -> Option<TypedFunc<P, i32>> {
    found?.into_func()?.typed(store).ok()
}

/// A pointer or length of the guest: unsigned, whatever its WebAssembly type says.
pub(crate) fn offset(number: i32) -> usize {
    number.cast_unsigned() as usize
}

/// The bytes of a range.
pub(crate) fn range(memory: &[u8], (pointer, length): (i32, i32)) -> Result<&[u8], Errno> {
    let start = offset(pointer);
    let end = start.checked_add(offset(length)).ok_or(Errno::FAULT)?;
    memory.get(start..end).ok_or(Errno::FAULT)
}

/// The bytes of a range of a guest that calls, if they are no more than this.
pub(crate) fn taken(
    guest: &mut Caller<'_, Guest>,
    at: (i32, i32),
    bytes_max: usize,
) -> Result<Vec<u8>, Errno> {
    let memory = Exports::of(guest).memory()?;
    let bytes = range(memory.data(&*guest), at)?;
    if bytes.len() > bytes_max {
        return Err(Errno::FBIG);
    }
    Ok(bytes.to_vec())
}

/// Writes numbers from an address on, if all of them have a place there.
pub(crate) fn put(memory: &mut [u8], pointer: i32, numbers: &[u32]) -> Result<(), Errno> {
    let start = offset(pointer);
    let end = start.checked_add(4 * numbers.len()).ok_or(Errno::FAULT)?;
    let place = memory.get_mut(start..end).ok_or(Errno::FAULT)?;
    for (place, number) in place.chunks_exact_mut(4).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    Ok(())
}

/// Puts bytes where the guest has made room for them, and answers their address.
///
/// # Errors
/// The allocator trapped, or said what cannot be: the guest is ended with it. The inner error is for
/// the guest.
pub(crate) async fn give(
    mut store: StoreContextMut<'_, Guest>,
    exports: &Exports,
    bytes: &[u8],
) -> wasmtime::Result<Result<u32, Errno>> {
    let Ok(memory) = exports.memory() else {
        return Ok(Err(Errno::FAULT));
    };
    let Ok(length) = u32::try_from(bytes.len()) else {
        return Ok(Err(Errno::NOMEM));
    };
    if length == 0 {
        return Ok(Ok(EMPTY));
    }
    let (allocator, address) = match &exports.allocator {
        Allocator::Length(name, alloc) => {
            let address = alloc.call_async(&mut store, length.cast_signed()).await?;
            (*name, address)
        }
        Allocator::Realloc(realloc) => {
            let arguments = (0, 0, ALIGNMENT.cast_signed(), length.cast_signed());
            let address = realloc.call_async(&mut store, arguments).await?;
            ("cabi_realloc", address)
        }
        Allocator::Growth => match grown(store.as_context_mut(), memory, length).await? {
            Some(address) => ("memory.grow", address.cast_signed()),
            None => return Ok(Err(Errno::NOMEM)),
        },
    };
    if address == 0 {
        return Ok(Err(Errno::NOMEM));
    }
    let memory_bytes = memory.data_size(store.as_context());
    let start = offset(address);
    let place = start.checked_add(bytes.len());
    let place = place.and_then(|end| memory.data_mut(&mut store).get_mut(start..end));
    let Some(place) = place else {
        return Err(wasmtime::Error::new(Misallocated {
            allocator,
            address: address.cast_unsigned(),
            bytes: length,
            memory_bytes,
        }));
    };
    place.copy_from_slice(bytes);
    Ok(Ok(address.cast_unsigned()))
}

/// Room behind the end of a memory whose guest has no allocator. `None`: it may not grow so far.
async fn grown(
    mut store: StoreContextMut<'_, Guest>,
    memory: Memory,
    bytes: u32,
) -> wasmtime::Result<Option<u32>> {
    let Grown { next, end } = store.data().grown;
    let bytes = u64::from(bytes).next_multiple_of(u64::from(ALIGNMENT));
    let (start, end) = if bytes <= end - next {
        (next, end)
    } else {
        let pages = bytes.div_ceil(PAGE);
        let Ok(before) = memory.grow_async(&mut store, pages).await else {
            return Ok(None);
        };
        (before * PAGE, (before + pages) * PAGE)
    };
    store.data_mut().grown = Grown {
        next: start + bytes,
        end,
    };
    Ok(u32::try_from(start).ok())
}
