//! Turns what a module imports into calls through the door.
//!
//! Every function here does three things: read its arguments out of guest memory, ask the world,
//! write the reply back. Order of checks as in Envoy: range of numbers (2), guest memory (6), then
//! the call. No function traps for bad arguments.

mod files;
pub(crate) mod higress;
mod mapping;
mod maps;
mod proxy;
mod wasi;

pub(crate) mod waiting;

use wasmtime::{Caller, Linker, Memory, Trap};

use crate::cell::{Cell, Phase};
use crate::door::{Answer, Call, Reply, Status, Stop, World};
use crate::trace::AllocatorFailed;

/// Adds every function that this host answers, under all its module names.
pub(crate) fn link<W: World>(linker: &mut Linker<Cell<W>>) -> wasmtime::Result<()> {
    link_general(linker)?;
    maps::link(linker)
}

/// Those that are the same whether the guest can be suspended or not, or are replaced then.
fn link_general<W: World>(linker: &mut Linker<Cell<W>>) -> wasmtime::Result<()> {
    proxy::link(linker)?;
    wasi::link(linker)
}

type Guest<'a, W> = Caller<'a, Cell<W>>;

/// When a function may be called.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// In every phase, inside the guest's allocator too.
    Always,
    /// In callbacks and while the module starts.
    Started,
    /// In callbacks only.
    Running,
}

/// Guest memory as a host function sees it.
#[derive(Clone, Copy)]
struct View<'m>(&'m [u8]);

impl<'m> View<'m> {
    /// `length` bytes at `pointer`, or `InvalidMemoryAccess`.
    fn bytes(self, pointer: i32, length: i32) -> Result<&'m [u8], Status> {
        let (start, length) = (offset(pointer), offset(length));
        start
            .checked_add(length)
            .and_then(|end| self.0.get(start..end))
            .ok_or(Status::InvalidMemoryAccess)
    }

    /// The little-endian `u32` at `pointer`.
    fn u32(self, pointer: i32) -> Result<u32, Status> {
        let bytes = self.bytes(pointer, 4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }
}

/// A pointer or length of the guest: unsigned, whatever its WebAssembly type says.
fn offset(number: i32) -> usize {
    number.cast_unsigned() as usize
}

fn memory<W>(guest: &Guest<'_, W>) -> wasmtime::Result<Memory>
where
    W: World,
{
    guest
        .data()
        .memory
        .ok_or_else(|| wasmtime::format_err!("the module exports no memory"))
}

/// Refuses a function in a phase that does not allow it, by a trap.
fn gate<W: World>(guest: &Guest<'_, W>, name: &str, when: When) -> wasmtime::Result<()> {
    let cell = guest.data();
    let is_allowed = match cell.phase {
        Phase::Running => true,
        Phase::Starting => when != When::Running,
        Phase::Allocating => when == When::Always || cell.allocator_is_free,
    };
    if is_allowed {
        return Ok(());
    }
    let phase = match cell.phase {
        Phase::Allocating => "inside the allocator",
        Phase::Starting | Phase::Running => "while the module starts",
    };
    Err(wasmtime::format_err!(
        "{name} may not be called {phase} (restricted callback)"
    ))
}

/// Asks the world one call built from guest memory.
fn ask<W: World>(
    guest: &mut Guest<'_, W>,
    build: impl for<'m> FnOnce(View<'m>) -> Result<Call<'m>, Status>,
) -> wasmtime::Result<Reply> {
    match put(guest, build)? {
        Answer::Ready(reply) => Ok(reply),
        Answer::Pending(_) => Err(Stop::CannotWait.into()),
    }
}

/// Puts a call built from guest memory to the world, whose answer may be pending.
fn put<W: World>(
    guest: &mut Guest<'_, W>,
    build: impl for<'m> FnOnce(View<'m>) -> Result<Call<'m>, Status>,
) -> wasmtime::Result<Answer> {
    let (bytes, cell) = memory(guest)?.data_and_store_mut(guest);
    let asked = build(View(bytes)).and_then(|asked| match asked.overlong() {
        Some(status) => Err(status),
        None => Ok(asked),
    });
    match asked {
        Ok(asked) => Ok(cell.world.call(asked)?),
        Err(status) => Ok(Reply::Refused(status).into()),
    }
}

/// Asks a call whose reply is a status only.
fn ask_status<W: World>(
    guest: &mut Guest<'_, W>,
    build: impl for<'m> FnOnce(View<'m>) -> Result<Call<'m>, Status>,
) -> wasmtime::Result<i32> {
    Ok(status_of(&ask(guest, build)?))
}

/// What a call returns whose reply is a status only.
fn status_of(reply: &Reply) -> i32 {
    match reply {
        Reply::Refused(status) => *status as i32,
        Reply::Done
        | Reply::Bytes(_)
        | Reply::Number(_)
        | Reply::Entry(..)
        | Reply::Outcome(..)
        | Reply::Map(_) => Status::Ok as i32,
    }
}

/// The status of a reply that is not the one the call has.
fn failure(reply: &Reply) -> i32 {
    match reply {
        Reply::Refused(status) => *status as i32,
        Reply::Done
        | Reply::Bytes(_)
        | Reply::Number(_)
        | Reply::Entry(..)
        | Reply::Outcome(..)
        | Reply::Map(_) => Status::InternalFailure as i32,
    }
}

/// Where a function shall put returned bytes: the addresses of a pointer and of a length.
#[derive(Clone, Copy)]
struct Out {
    pointer: i32,
    length: i32,
}

/// Asks a call whose reply is bytes, and hands them to the guest.
fn ask_bytes<W: World>(
    guest: &mut Guest<'_, W>,
    out: Out,
    build: impl for<'m> FnOnce(View<'m>) -> Result<Call<'m>, Status>,
) -> wasmtime::Result<i32> {
    Ok(match ask(guest, build)? {
        Reply::Bytes(bytes) => give(guest, &bytes, out)? as i32,
        other => failure(&other),
    })
}

/// Asks a call whose reply is a 32-bit number, and writes it at `address`.
fn ask_u32<W: World>(
    guest: &mut Guest<'_, W>,
    address: i32,
    build: impl for<'m> FnOnce(View<'m>) -> Result<Call<'m>, Status>,
) -> wasmtime::Result<i32> {
    let reply = ask(guest, build)?;
    place_u32(guest, address, &reply)
}

/// Writes the 32-bit number of a reply.
fn place_u32<W: World>(
    guest: &mut Guest<'_, W>,
    address: i32,
    reply: &Reply,
) -> wasmtime::Result<i32> {
    Ok(match reply {
        Reply::Number(number) => {
            let number = u32::try_from(*number).unwrap_or(u32::MAX);
            write(guest, address, &number.to_le_bytes())? as i32
        }
        other => failure(other),
    })
}

/// Asks a call whose reply is a 64-bit number, and writes it at `address`.
fn ask_u64<W: World>(
    guest: &mut Guest<'_, W>,
    address: i32,
    build: impl for<'m> FnOnce(View<'m>) -> Result<Call<'m>, Status>,
) -> wasmtime::Result<i32> {
    Ok(match ask(guest, build)? {
        Reply::Number(number) => write(guest, address, &number.to_le_bytes())? as i32,
        other => failure(&other),
    })
}

/// Writes bytes at an address that the guest gave.
fn write<W: World>(
    guest: &mut Guest<'_, W>,
    address: i32,
    bytes: &[u8],
) -> wasmtime::Result<Status> {
    let memory = memory(guest)?;
    let start = offset(address);
    let place = start
        .checked_add(bytes.len())
        .and_then(|end| memory.data_mut(&mut *guest).get_mut(start..end));
    Ok(match place {
        Some(place) => {
            place.copy_from_slice(bytes);
            Status::Ok
        }
        None => Status::InvalidMemoryAccess,
    })
}

/// Copies bytes into memory that the guest allocates, then writes pointer and length.
///
/// Exactly the length is asked for; nothing is asked for no bytes.
fn give<W: World>(guest: &mut Guest<'_, W>, bytes: &[u8], out: Out) -> wasmtime::Result<Status> {
    let address = if bytes.is_empty() {
        0
    } else {
        allocate(guest, bytes.len())?
    };
    place(guest, bytes, address, out)
}

/// Copies bytes to the address that the allocator gave, then writes pointer and length.
fn place<W: World>(
    guest: &mut Guest<'_, W>,
    bytes: &[u8],
    address: i32,
    out: Out,
) -> wasmtime::Result<Status> {
    if !bytes.is_empty() && (address == 0 || write(guest, address, bytes)? != Status::Ok) {
        return Ok(Status::InvalidMemoryAccess);
    }
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    if write(guest, out.pointer, &address.to_le_bytes())? != Status::Ok {
        return Ok(Status::InvalidMemoryAccess);
    }
    write(guest, out.length, &length.to_le_bytes())
}

fn allocate<W: World>(guest: &mut Guest<'_, W>, length: usize) -> wasmtime::Result<i32> {
    let Some(allocator) = guest.data().allocator.clone() else {
        return Ok(0);
    };
    let Ok(length) = i32::try_from(length) else {
        return Ok(0);
    };
    let before = std::mem::replace(&mut guest.data_mut().phase, Phase::Allocating);
    let address = allocator.call(&mut *guest, length);
    guest.data_mut().phase = before;
    allocated(guest, address)
}

/// What the allocator gave. If it failed there is no memory, and the guest ends after its callback;
/// out of time, it ends at once.
fn allocated<W: World>(
    guest: &mut Guest<'_, W>,
    address: wasmtime::Result<i32>,
) -> wasmtime::Result<i32> {
    address.or_else(|error| {
        if error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) || error.is::<Stop>() {
            return Err(error);
        }
        let error = AllocatorFailed::mark(error);
        guest.data_mut().broken.get_or_insert(error);
        Ok(0)
    })
}
