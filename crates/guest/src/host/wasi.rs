//! WASI preview 1 as Proxy-Wasm hosts offer it: no sockets, arguments or exit (reference section
//! 2.7), and files only where they are granted (`files.rs`). Clock, randomness, environment and
//! output go through the door like everything else.

use wasmtime::Linker;

use super::{Guest, View, When, ask, files, gate, mapping, memory, offset, write};
use crate::abi::WASI_MODULES;
use crate::cell::Cell;
use crate::door::{Call, Clock, LogLevel, Reply, Status, World};
use crate::files::FileCall;
use crate::pairs;
use weir_model::limits;

pub(super) const SUCCESS: i32 = 0;
pub(super) const BADF: i32 = 8;
pub(super) const FAULT: i32 = 21;
pub(super) const INVAL: i32 = 28;
pub(super) const NOSYS: i32 = 52;
pub(super) const NOTSUP: i32 = 58;

pub(super) type Ret = wasmtime::Result<i32>;

/// Rights of `fdstat`: only writing.
const RIGHT_FD_WRITE: u64 = 64;

pub(super) fn link<W: World>(linker: &mut Linker<Cell<W>>) -> wasmtime::Result<()> {
    for module in WASI_MODULES {
        link_output(linker, module)?;
        link_system(linker, module)?;
        link_environment(linker, module)?;
        link_descriptors(linker, module)?;
        link_paths(linker, module)?;
        files::link(linker, module)?;
        mapping::link(linker, module)?;
    }
    Ok(())
}

fn link_output<W: World>(linker: &mut Linker<Cell<W>>, module: &str) -> wasmtime::Result<()> {
    linker.func_wrap(
        module,
        "fd_write",
        |mut g: Guest<'_, W>, fd: i32, vectors: i32, count: i32, out: i32| -> Ret {
            if files::is_file(&g, fd) {
                return files::write(&mut g, fd, (vectors, count), (None, out));
            }
            print(&mut g, fd, (vectors, count), out)
        },
    )?;
    linker.func_wrap(
        module,
        "fd_pwrite",
        |mut g: Guest<'_, W>, fd: i32, vectors: i32, count: i32, at: i64, out: i32| -> Ret {
            if files::is_file(&g, fd) {
                let at = Some(at.cast_unsigned());
                return files::write(&mut g, fd, (vectors, count), (at, out));
            }
            print(&mut g, fd, (vectors, count), out)
        },
    )?;
    Ok(())
}

/// Joins all vectors to one log line: descriptor 1 at info, 2 at error.
fn print<W: World>(g: &mut Guest<'_, W>, fd: i32, vectors: (i32, i32), out: i32) -> Ret {
    let level = match fd {
        1 => LogLevel::Info,
        2 => LogLevel::Error,
        _ => return Ok(BADF),
    };
    if vectors.1.cast_unsigned() > limits::WRITE_PARTS_MAX {
        return Ok(INVAL);
    }
    let Ok(text) = gather(View(memory(g)?.data(&*g)), vectors) else {
        return Ok(FAULT);
    };
    let line = text.strip_suffix(b"\n").unwrap_or(&text);
    if !line.is_empty() {
        let kept = &line[..line.len().min(limits::GUEST_LOG_BYTES_MAX)];
        g.data_mut().world.call(Call::Log {
            level,
            message: kept,
        })?;
    }
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    fault_unless_ok(write(g, out, &length.to_le_bytes())?)
}

pub(super) fn gather(memory: View<'_>, (vectors, count): (i32, i32)) -> Result<Vec<u8>, Status> {
    let mut text = Vec::new();
    for index in 0..count.cast_unsigned() {
        let vector = vectors
            .checked_add_unsigned(index.checked_mul(8).ok_or(Status::InvalidMemoryAccess)?)
            .ok_or(Status::InvalidMemoryAccess)?;
        let (pointer, length) = (memory.u32(vector)?, memory.u32(vector.wrapping_add(4))?);
        let bytes = memory.bytes(pointer.cast_signed(), length.cast_signed())?;
        if text.len() + bytes.len() > limits::PAIRS_BYTES_MAX {
            return Err(Status::InvalidMemoryAccess);
        }
        text.extend_from_slice(bytes);
    }
    Ok(text)
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "it ends every function that writes a result"
)]
pub(super) fn fault_unless_ok(status: Status) -> Ret {
    Ok(if status == Status::Ok { SUCCESS } else { FAULT })
}

fn link_system<W: World>(linker: &mut Linker<Cell<W>>, module: &str) -> wasmtime::Result<()> {
    linker.func_wrap(
        module,
        "clock_time_get",
        |mut g: Guest<'_, W>, id: i32, _precision: i64, out: i32| -> Ret {
            let clock = match id {
                0 => Clock::Wall,
                1 => Clock::Monotonic,
                _ => return Ok(NOTSUP),
            };
            match ask(&mut g, |_| Ok(Call::Now(clock)))? {
                Reply::Number(nanos) => fault_unless_ok(write(&mut g, out, &nanos.to_le_bytes())?),
                _ => Ok(NOTSUP),
            }
        },
    )?;
    linker.func_wrap(
        module,
        "clock_res_get",
        |mut g: Guest<'_, W>, id: i32, out: i32| -> Ret {
            gate(&g, "clock_res_get", When::Started)?;
            if !(0..=1).contains(&id) {
                return Ok(NOTSUP);
            }
            let clock = if id == 0 {
                Clock::Wall
            } else {
                Clock::Monotonic
            };
            let step = match ask(&mut g, |_| Ok(Call::Resolution(clock)))? {
                Reply::Number(nanos) => nanos,
                Reply::Done
                | Reply::Refused(_)
                | Reply::Bytes(_)
                | Reply::Entry(..)
                | Reply::Outcome(..)
                | Reply::Map(_) => 1,
            };
            fault_unless_ok(write(&mut g, out, &step.to_le_bytes())?)
        },
    )?;
    linker.func_wrap(
        module,
        "random_get",
        |mut g: Guest<'_, W>, p: i32, n: i32| -> Ret {
            gate(&g, "random_get", When::Started)?;
            let length = n.cast_unsigned();
            if length > limits::RANDOM_BYTES_MAX {
                return Ok(INVAL);
            }
            if length == 0 {
                return Ok(SUCCESS);
            }
            if View(memory(&g)?.data(&g)).bytes(p, n).is_err() {
                return Ok(FAULT);
            }
            match ask(&mut g, |_| Ok(Call::Random { length }))? {
                Reply::Bytes(bytes) => fault_unless_ok(write(&mut g, p, &bytes)?),
                Reply::Outcome(errno, _) => Ok(errno.cast_signed()),
                _ => Ok(NOTSUP),
            }
        },
    )?;
    link_scheduling(linker, module)
}

/// Waiting and ending, neither of which a plugin can.
fn link_scheduling<W: World>(linker: &mut Linker<Cell<W>>, module: &str) -> wasmtime::Result<()> {
    linker.func_wrap(module, "sched_yield", |g: Guest<'_, W>| -> Ret {
        gate(&g, "sched_yield", When::Running)?;
        Ok(SUCCESS)
    })?;
    linker.func_wrap(
        module,
        "poll_oneoff",
        |mut g: Guest<'_, W>, _: i32, _: i32, _: i32, out: i32| -> Ret {
            fault_unless_ok(write(&mut g, out, &0u32.to_le_bytes())?)
        },
    )?;
    linker.func_wrap(
        module,
        "proc_exit",
        |mut g: Guest<'_, W>, code: i32| -> wasmtime::Result<()> {
            gate(&g, "proc_exit", When::Running)?;
            let message = format!("proc_exit({code}) called; a plugin cannot exit");
            g.data_mut().world.call(Call::Log {
                level: LogLevel::Error,
                message: message.as_bytes(),
            })?;
            Ok(())
        },
    )?;
    Ok(())
}

fn link_environment<W: World>(linker: &mut Linker<Cell<W>>, module: &str) -> wasmtime::Result<()> {
    linker.func_wrap(
        module,
        "args_sizes_get",
        |mut g: Guest<'_, W>, count: i32, size: i32| -> Ret {
            gate(&g, "args_sizes_get", When::Started)?;
            if write(&mut g, count, &[0; 4])? != Status::Ok {
                return Ok(FAULT);
            }
            fault_unless_ok(write(&mut g, size, &[0; 4])?)
        },
    )?;
    linker.func_wrap(
        module,
        "args_get",
        |g: Guest<'_, W>, _: i32, _: i32| -> Ret {
            gate(&g, "args_get", When::Started)?;
            Ok(SUCCESS)
        },
    )?;
    linker.func_wrap(
        module,
        "environ_sizes_get",
        |mut g: Guest<'_, W>, count: i32, size: i32| -> Ret {
            gate(&g, "environ_sizes_get", When::Started)?;
            let variables = environment(&mut g)?;
            let bytes: usize = variables.iter().map(Vec::len).sum();
            for (place, number) in [(count, variables.len()), (size, bytes)] {
                let number = u32::try_from(number).unwrap_or(u32::MAX);
                if write(&mut g, place, &number.to_le_bytes())? != Status::Ok {
                    return Ok(FAULT);
                }
            }
            Ok(SUCCESS)
        },
    )?;
    linker.func_wrap(
        module,
        "environ_get",
        |mut g: Guest<'_, W>, pointers: i32, texts: i32| -> Ret {
            gate(&g, "environ_get", When::Started)?;
            let (mut pointer, mut text) = (offset(pointers), offset(texts));
            for variable in environment(&mut g)? {
                let address = u32::try_from(text).unwrap_or(u32::MAX);
                let place = i32_of(pointer);
                if write(&mut g, place, &address.to_le_bytes())? != Status::Ok
                    || write(&mut g, i32_of(text), &variable)? != Status::Ok
                {
                    return Ok(FAULT);
                }
                pointer += 4;
                text += variable.len();
            }
            Ok(SUCCESS)
        },
    )?;
    Ok(())
}

fn i32_of(address: usize) -> i32 {
    u32::try_from(address).unwrap_or(u32::MAX).cast_signed()
}

/// The granted variables, each as `NAME=value` with a NUL behind it.
fn environment<W: World>(g: &mut Guest<'_, W>) -> wasmtime::Result<Vec<Vec<u8>>> {
    let Reply::Bytes(bytes) = ask(g, |_| Ok(Call::Environment))? else {
        return Ok(Vec::new());
    };
    let variable = |(name, value): (&[u8], &[u8])| [name, b"=", value, b"\0"].concat();
    Ok(pairs::decode(&bytes).into_iter().map(variable).collect())
}

/// 0 for standard output and error, "bad descriptor" for the rest.
pub(super) fn on_output(fd: i32) -> i32 {
    if matches!(fd, 1 | 2) { SUCCESS } else { BADF }
}

fn link_descriptors<W: World>(linker: &mut Linker<Cell<W>>, module: &str) -> wasmtime::Result<()> {
    linker.func_wrap(
        module,
        "fd_fdstat_get",
        |mut g: Guest<'_, W>, fd: i32, out: i32| -> Ret {
            gate(&g, "fd_fdstat_get", When::Started)?;
            if on_output(fd) != SUCCESS {
                let call = FileCall::Facts {
                    fd: fd.cast_unsigned(),
                };
                return files::place(&mut g, out, BADF, call);
            }
            let mut stat = [0u8; 24];
            stat[8..16].copy_from_slice(&RIGHT_FD_WRITE.to_le_bytes());
            fault_unless_ok(write(&mut g, out, &stat)?)
        },
    )?;
    linker.func_wrap(module, "fd_fdstat_set_flags", |_: i32, _: i32| NOSYS)?;
    linker.func_wrap(module, "fd_fdstat_set_rights", |fd: i32, _: i64, _: i64| {
        on_output(fd)
    })?;
    linker.func_wrap(module, "fd_advise", |_: i32, _: i64, _: i64, _: i32| {
        SUCCESS
    })?;
    linker.func_wrap(module, "fd_allocate", |fd: i32, _: i64, _: i64| {
        on_output(fd)
    })?;
    linker.func_wrap(module, "fd_datasync", on_output)?;
    linker.func_wrap(module, "fd_sync", on_output)?;
    linker.func_wrap(module, "fd_filestat_set_size", |fd: i32, _: i64| {
        on_output(fd)
    })?;
    linker.func_wrap(
        module,
        "fd_filestat_set_times",
        |fd: i32, _: i64, _: i64, _: i32| on_output(fd),
    )?;
    linker.func_wrap(module, "fd_renumber", |from: i32, _: i32| {
        if on_output(from) == SUCCESS {
            NOTSUP
        } else {
            BADF
        }
    })?;
    Ok(())
}

fn link_paths<W: World>(linker: &mut Linker<Cell<W>>, module: &str) -> wasmtime::Result<()> {
    for name in [
        "path_create_directory",
        "path_remove_directory",
        "path_unlink_file",
    ] {
        linker.func_wrap(module, name, |_: i32, _: i32, _: i32| NOTSUP)?;
    }
    let set_times = |_: i32, _: i32, _: i32, _: i32, _: i64, _: i64, _: i32| NOTSUP;
    linker.func_wrap(module, "path_filestat_set_times", set_times)?;
    linker.func_wrap(
        module,
        "path_readlink",
        |mut g: Guest<'_, W>, _: i32, _: i32, _: i32, _: i32, _: i32, out: i32| -> Ret {
            write(&mut g, out, &[0; 4])?;
            Ok(NOTSUP)
        },
    )?;
    let link = |_: i32, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32| NOTSUP;
    linker.func_wrap(module, "path_link", link)?;
    linker.func_wrap(
        module,
        "path_symlink",
        |_: i32, _: i32, _: i32, _: i32, _: i32| NOTSUP,
    )?;
    let rename = |_: i32, _: i32, _: i32, _: i32, _: i32, _: i32| NOTSUP;
    linker.func_wrap(module, "path_rename", rename)?;
    linker.func_wrap(
        module,
        "sock_accept",
        |mut g: Guest<'_, W>, _: i32, _: i32, socket: i32| nothing_at(&mut g, &[socket]),
    )?;
    linker.func_wrap(
        module,
        "sock_recv",
        |mut g: Guest<'_, W>, _: i32, _: i32, _: i32, _: i32, length: i32, flags: i32| {
            nothing_at(&mut g, &[length, flags])
        },
    )?;
    linker.func_wrap(
        module,
        "sock_send",
        |mut g: Guest<'_, W>, _: i32, _: i32, _: i32, _: i32, length: i32| {
            nothing_at(&mut g, &[length])
        },
    )?;
    linker.func_wrap(module, "sock_shutdown", |_: i32, _: i32| NOTSUP)?;
    Ok(())
}

/// A socket call gives nothing: zeros where its results would be, and that it is not supported.
fn nothing_at<W: World>(g: &mut Guest<'_, W>, results: &[i32]) -> Ret {
    for address in results {
        if write(g, *address, &0u32.to_le_bytes())? != Status::Ok {
            return Ok(FAULT);
        }
    }
    Ok(NOTSUP)
}
