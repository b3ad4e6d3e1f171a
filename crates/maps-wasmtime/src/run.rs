//! Runs a plan: reads arguments, asks the host, writes the reply.

use std::sync::Arc;

use wasmtime::{AsContextMut, Caller};
use weir_maps::region::Lease;
use weir_maps::{MapCall, MapReply, Value};

use crate::alloc;
use crate::host::{CannotWait, MapAnswer, MapHost};
use crate::plan::{Asked, Finish, Plan, Then};
use crate::view::{Code, View};

type Ret = wasmtime::Result<i32>;

/// Module and function, for the gate.
pub(crate) type Name = (&'static str, &'static str);

/// Whether a guest can be suspended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    Yes,
    No,
}

/// Asks the host. The other side: what the function answers without asking.
fn put<T: MapHost>(
    guest: &mut Caller<'_, T>,
    (name, waits, refused): (Name, Waits, Then),
    plan: impl for<'m> FnOnce(View<'m>) -> Result<Plan<'m>, Code>,
) -> wasmtime::Result<Result<(MapAnswer, Then), i32>> {
    T::map_gate(guest, name.0, name.1)?;
    let Some(memory) = T::map_memory(guest) else {
        return Ok(Err(refused.refusal(Code::FAULT)));
    };
    let (bytes, host) = memory.data_and_store_mut(guest.as_context_mut());
    let plan = match plan(View(bytes)) {
        Ok(plan) => plan,
        Err(code) => return Ok(Err(refused.refusal(code))),
    };
    let answer = match plan.asked {
        Asked::One(MapCall::Next { watch, bytes, .. }) if waits == Waits::No => {
            host.map_call(MapCall::Next {
                watch,
                bytes,
                timeout_ms: 0,
            })?
        }
        Asked::One(call) => host.map_call(call)?,
        Asked::Batch(handle, ops) => host.map_call(MapCall::Batch { handle, ops: &ops })?,
    };
    Ok(Ok((answer, plan.then)))
}

/// Runs a function in a store whose guests are never suspended. `refused`: how it says so.
pub(crate) fn run<T: MapHost>(
    guest: &mut Caller<'_, T>,
    (name, refused): (Name, Then),
    plan: impl for<'m> FnOnce(View<'m>) -> Result<Plan<'m>, Code>,
) -> Ret {
    let (answer, then) = match put(guest, (name, Waits::No, refused), plan)? {
        Ok(asked) => asked,
        Err(code) => return Ok(code),
    };
    let MapAnswer::Ready(reply) = answer else {
        return Err(CannotWait.into());
    };
    match finish(guest, then, reply) {
        Finish::Answer(code) => Ok(code),
        Finish::Allocate(value, version) => {
            let address = match room_for(&value) {
                Some(bytes) => alloc::allocate(guest, bytes)?,
                None => Ok(0),
            };
            Ok(place(guest, then, (address, &value, version)))
        }
        Finish::Map(lease, range) => map(guest, then, (lease, range)),
        Finish::Unmap(address, bytes) => unmap(guest, then, (address, bytes)),
    }
}

/// Runs a function in a store whose guests can be suspended.
pub(crate) async fn run_async<T: MapHost + Send>(
    guest: &mut Caller<'_, T>,
    (name, refused): (Name, Then),
    plan: impl for<'m> FnOnce(View<'m>) -> Result<Plan<'m>, Code> + Send,
) -> Ret {
    let (answer, then) = match put(guest, (name, Waits::Yes, refused), plan)? {
        Ok(asked) => asked,
        Err(code) => return Ok(code),
    };
    let reply = match answer {
        MapAnswer::Ready(reply) => reply,
        MapAnswer::Pending(wait) => {
            guest.data_mut().map_waits();
            let reply = wait.await;
            T::map_arrived(guest, reply)?
        }
    };
    match finish(guest, then, reply) {
        Finish::Answer(code) => Ok(code),
        Finish::Allocate(value, version) => {
            let address = match room_for(&value) {
                Some(bytes) => alloc::allocate_async(guest, bytes).await?,
                None => Ok(0),
            };
            Ok(place(guest, then, (address, &value, version)))
        }
        Finish::Map(lease, range) => map(guest, then, (lease, range)),
        Finish::Unmap(address, bytes) => unmap(guest, then, (address, bytes)),
    }
}

fn finish<T: MapHost>(guest: &mut Caller<'_, T>, then: Then, reply: MapReply) -> Finish {
    match T::map_memory(guest) {
        Some(memory) => then.finish(memory.data_mut(guest.as_context_mut()), reply),
        None => Finish::Answer(then.refusal(Code::FAULT)),
    }
}

/// Lets the host map a region.
fn map<T: MapHost>(
    guest: &mut Caller<'_, T>,
    then: Then,
    (lease, range): (Arc<Lease>, (u64, u32)),
) -> Ret {
    let address = match T::map_region(guest, lease, range)? {
        Ok(address) => address,
        Err(error) => return Ok(then.refusal(error.into())),
    };
    Ok(match T::map_memory(guest) {
        Some(memory) => then.put_mapped(memory.data_mut(guest.as_context_mut()), address),
        None => Code::FAULT.0,
    })
}

/// Lets the host end a mapping.
fn unmap<T: MapHost>(guest: &mut Caller<'_, T>, then: Then, mapping: (u32, u32)) -> Ret {
    let unmapped = T::map_unmap(guest, mapping)?;
    Ok(unmapped.map_or_else(|error| then.refusal(error.into()), |()| 0))
}

/// Nothing is asked for no bytes.
fn room_for(value: &Value) -> Option<usize> {
    value.bytes().map(<[u8]>::len).filter(|bytes| *bytes > 0)
}

fn place<T: MapHost>(
    guest: &mut Caller<'_, T>,
    then: Then,
    (address, value, version): (Result<i32, Code>, &Value, u64),
) -> i32 {
    let Some(memory) = T::map_memory(guest) else {
        return Code::FAULT.0;
    };
    match address {
        Ok(address) => {
            let memory = memory.data_mut(guest.as_context_mut());
            then.put_allocated(memory, (address, value, version))
        }
        Err(Code(errno)) => errno,
    }
}
