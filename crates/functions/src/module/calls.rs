//! The host functions of core modules: import module `weir_v1` (docs/functions.md).
//!
//! Invariant: no bad argument traps; each call answers a number, 0 if it was done.

use std::future::Future;

use http::{HeaderName, HeaderValue, StatusCode};
use tokio::io::AsyncWriteExt as _;
use wasmtime::{AsContextMut as _, Caller, Linker};
use weir_model::limits::{self, functions as of};

use super::memory::{self, Errno, Exports};
use super::{Guest, fetch};
use crate::surroundings::Stream;

/// The name of the import module.
pub(crate) const MODULE: &str = "weir_v1";

/// What a call answers: refusals are for the guest, the outer error ends it.
pub(super) type Answered = wasmtime::Result<Result<(), Errno>>;

/// Two numbers that stand for a range of memory.
type Range = (i32, i32);

/// Adds the calls to a linker.
pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "log",
        |mut guest: Caller<'_, Guest>, level: i32, at: i32, bytes: i32| {
            number(log(&mut guest, level, (at, bytes)))
        },
    )?;
    linker.func_wrap(MODULE, "clock_wall", |guest: Caller<'_, Guest>| {
        nanos(guest.data().door.ask().wall_clock())
    })?;
    linker.func_wrap(MODULE, "clock_monotonic", |guest: Caller<'_, Guest>| {
        nanos(guest.data().door.ask().monotonic_clock())
    })?;
    linker.func_wrap(
        MODULE,
        "random",
        |mut guest: Caller<'_, Guest>, at: i32, bytes: i32| number(random(&mut guest, (at, bytes))),
    )?;
    linker.func_wrap(
        MODULE,
        "respond_status",
        |mut guest: Caller<'_, Guest>, status: i32| number(respond_status(&mut guest, status)),
    )?;
    linker.func_wrap(
        MODULE,
        "respond_header",
        |mut guest: Caller<'_, Guest>, name: i32, name_bytes: i32, value: i32, value_bytes: i32| {
            number(respond_header(
                &mut guest,
                (name, name_bytes),
                (value, value_bytes),
            ))
        },
    )?;
    linker.func_wrap_async(
        MODULE,
        "respond_write",
        |guest: Caller<'_, Guest>, at: Range| later(respond_write(guest, at)),
    )?;
    linker.func_wrap_async(
        MODULE,
        "setting",
        |guest: Caller<'_, Guest>, (key, bytes, out): (i32, i32, i32)| {
            later(setting(guest, (key, bytes), out))
        },
    )?;
    linker.func_wrap_async(
        MODULE,
        "fetch",
        |guest: Caller<'_, Guest>,
         (m, m_bytes, u, u_bytes, h, h_bytes, b, b_bytes, out): (
            i32,
            i32,
            i32,
            i32,
            i32,
            i32,
            i32,
            i32,
            i32,
        )| {
            let parts = [(m, m_bytes), (u, u_bytes), (h, h_bytes), (b, b_bytes)];
            later(fetch::fetch(guest, parts, out))
        },
    )?;
    Ok(())
}

/// The number that a guest gets.
fn number(answered: Result<(), Errno>) -> i32 {
    let refused = answered.err().unwrap_or(Errno::SUCCESS);
    refused.0
}

type Called<'a> = Box<dyn Future<Output = wasmtime::Result<i32>> + Send + 'a>;

fn later<'a>(call: impl Future<Output = Answered> + Send + 'a) -> Called<'a> {
    Box::new(async { call.await.map(number) })
}

fn nanos(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

fn log(guest: &mut Caller<'_, Guest>, level: i32, at: Range) -> Result<(), Errno> {
    let level = u8::try_from(level).ok().filter(|level| *level <= 5);
    let level = level.ok_or(Errno::INVAL)?;
    let memory = Exports::of(guest).memory()?;
    let (memory, of_guest) = memory.data_and_store_mut(&mut *guest);
    let text = memory::range(memory, at)?;
    let text = text.get(..limits::GUEST_LOG_BYTES_MAX).unwrap_or(text);
    of_guest.door.ask().log(Stream::Log(level), text);
    Ok(())
}

fn random(guest: &mut Caller<'_, Guest>, at: Range) -> Result<(), Errno> {
    let memory = Exports::of(guest).memory()?;
    let (memory, of_guest) = memory.data_and_store_mut(&mut *guest);
    let bytes = memory::range(memory, at)?.len();
    if bytes > of::RANDOM_BYTES {
        return Err(Errno::FBIG);
    }
    let start = memory::offset(at.0);
    let place = memory.get_mut(start..start + bytes).ok_or(Errno::FAULT)?;
    of_guest.door.ask().random(place);
    Ok(())
}

fn respond_status(guest: &mut Caller<'_, Guest>, status: i32) -> Result<(), Errno> {
    let status = final_status(status).ok_or(Errno::INVAL)?;
    let answer = guest.data_mut().answer.as_mut().ok_or(Errno::NOTSUP)?;
    answer.head()?.status = status;
    Ok(())
}

/// A status that ends an exchange.
pub(crate) fn final_status(status: i32) -> Option<StatusCode> {
    let status = u16::try_from(status).ok()?;
    let status = StatusCode::from_u16(status).ok()?;
    (!status.is_informational() && status.as_u16() < 600).then_some(status)
}

fn respond_header(guest: &mut Caller<'_, Guest>, name: Range, value: Range) -> Result<(), Errno> {
    let name = memory::taken(guest, name, of::HEAD_BYTES)?;
    let value = memory::taken(guest, value, of::HEAD_BYTES)?;
    let name = HeaderName::from_bytes(&name).map_err(|_| Errno::INVAL)?;
    let value = HeaderValue::from_bytes(&value).map_err(|_| Errno::INVAL)?;
    if super::is_of_connection(&name) {
        return Err(Errno::INVAL);
    }
    let answer = guest.data_mut().answer.as_mut().ok_or(Errno::NOTSUP)?;
    let head = answer.head()?;
    head.bytes += name.as_str().len() + value.len();
    if head.bytes > of::HEAD_BYTES {
        return Err(Errno::FBIG);
    }
    head.headers.append(name, value);
    Ok(())
}

/// Writes part after part, each when the one before has room: so the host holds little of it.
async fn respond_write(mut guest: Caller<'_, Guest>, (at, bytes): Range) -> Answered {
    let exports = Exports::of(&mut guest);
    let memory = match exports.memory() {
        Ok(memory) => memory,
        Err(errno) => return Ok(Err(errno)),
    };
    if let Err(errno) = memory::range(memory.data(&guest), (at, bytes)) {
        return Ok(Err(errno));
    }
    let Some(answer) = guest.data_mut().answer.as_mut() else {
        return Ok(Err(Errno::NOTSUP));
    };
    answer.send_head();
    let (start, end) = (
        memory::offset(at),
        memory::offset(at) + memory::offset(bytes),
    );
    for from in (start..end).step_by(of::WRITE_BYTES) {
        let to = end.min(from + of::WRITE_BYTES);
        let part = memory
            .data(&guest)
            .get(from..to)
            .unwrap_or_default()
            .to_vec();
        let Some(answer) = guest.data_mut().answer.as_mut() else {
            return Ok(Err(Errno::NOTSUP));
        };
        if answer.body.write_all(&part).await.is_err() {
            return Ok(Err(Errno::IO));
        }
    }
    Ok(Ok(()))
}

async fn setting(mut guest: Caller<'_, Guest>, key: Range, out: i32) -> Answered {
    let found = memory::taken(&mut guest, key, of::HEAD_BYTES).and_then(|key| {
        let settings = &guest.data().settings;
        let found = settings.iter().find(|(name, _)| name.as_bytes() == key);
        found.map(|(_, value)| value.clone()).ok_or(Errno::NOENT)
    });
    match found {
        Ok(value) => hand_over(&mut guest, &[value.as_bytes()], (out, &[])).await,
        Err(errno) => Ok(Err(errno)),
    }
}

/// Puts pieces into the guest's memory, and behind some numbers their addresses and lengths where the
/// guest wants them: at an address that is checked first.
pub(super) async fn hand_over(
    guest: &mut Caller<'_, Guest>,
    pieces: &[&[u8]],
    (out, first): (i32, &[u32]),
) -> Answered {
    let exports = Exports::of(guest);
    let memory = match exports.memory() {
        Ok(memory) => memory,
        Err(errno) => return Ok(Err(errno)),
    };
    let place = 4 * (first.len() + 2 * pieces.len());
    let place = i32::try_from(place).unwrap_or(i32::MAX);
    if let Err(errno) = memory::range(memory.data(&*guest), (out, place)) {
        return Ok(Err(errno));
    }
    let mut numbers = first.to_vec();
    for piece in pieces {
        match memory::give(guest.as_context_mut(), &exports, piece).await? {
            Ok(address) => numbers.extend([address, u32::try_from(piece.len()).unwrap_or(0)]),
            Err(errno) => return Ok(Err(errno)),
        }
    }
    Ok(memory::put(memory.data_mut(guest), out, &numbers))
}
