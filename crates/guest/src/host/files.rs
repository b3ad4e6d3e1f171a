//! The functions of WASI preview 1 that need files. Where none are granted they answer as in Envoy,
//! and the world is not asked.

use wasmtime::Linker;
use weir_model::limits;

use super::wasi::{BADF, FAULT, INVAL, NOSYS, NOTSUP, Ret, SUCCESS, fault_unless_ok, gather};
use super::{Guest, View, When, ask, gate, memory, offset};
use crate::cell::Cell;
use crate::door::{Call, Reply, Status, World};
use crate::files::{FIRST_FOLDER, FileCall, Opening};

const NOENT: i32 = 44;
/// What Envoy answers for a folder that cannot be listed.
const NO_FOLDER: i32 = 20;
const NAMETOOLONG: i32 = 37;

pub(super) fn link<W: World>(linker: &mut Linker<Cell<W>>, module: &str) -> wasmtime::Result<()> {
    link_bytes(linker, module)?;
    link_facts(linker, module)?;
    link_paths(linker, module)
}

/// Whether files are granted and the descriptor can be one.
pub(super) fn is_file<W: World>(g: &Guest<'_, W>, fd: i32) -> bool {
    fd.cast_unsigned() >= FIRST_FOLDER && g.data().world.has_files()
}

fn link_bytes<W: World>(linker: &mut Linker<Cell<W>>, module: &str) -> wasmtime::Result<()> {
    linker.func_wrap(
        module,
        "fd_read",
        |mut g: Guest<'_, W>, fd: i32, vectors: i32, count: i32, out: i32| -> Ret {
            read(&mut g, fd, (vectors, count), (None, out))
        },
    )?;
    linker.func_wrap(
        module,
        "fd_pread",
        |mut g: Guest<'_, W>, fd: i32, vectors: i32, count: i32, at: i64, out: i32| -> Ret {
            let at = Some(at.cast_unsigned());
            read(&mut g, fd, (vectors, count), (at, out))
        },
    )?;
    linker.func_wrap(
        module,
        "fd_seek",
        |mut g: Guest<'_, W>, fd: i32, distance: i64, whence: i32, out: i32| -> Ret {
            let call = FileCall::Seek {
                fd: fd.cast_unsigned(),
                offset: distance,
                whence: whence.cast_unsigned(),
            };
            place_if_file(&mut g, (fd, out), SUCCESS, call)
        },
    )?;
    linker.func_wrap(
        module,
        "fd_tell",
        |mut g: Guest<'_, W>, fd: i32, out: i32| -> Ret {
            if matches!(fd, 1 | 2) {
                return fault_unless_ok(super::write(&mut g, out, &[0; 8])?);
            }
            let call = FileCall::Seek {
                fd: fd.cast_unsigned(),
                offset: 0,
                whence: 1,
            };
            place_if_file(&mut g, (fd, out), BADF, call)
        },
    )?;
    linker.func_wrap(module, "fd_close", |mut g: Guest<'_, W>, fd: i32| -> Ret {
        if !is_file(&g, fd) {
            return Ok(SUCCESS);
        }
        let fd = fd.cast_unsigned();
        Ok(asked(&mut g, |_| Ok(FileCall::Close { fd }))?.map_or_else(|errno| errno, |_| SUCCESS))
    })?;
    Ok(())
}

fn link_facts<W: World>(linker: &mut Linker<Cell<W>>, module: &str) -> wasmtime::Result<()> {
    linker.func_wrap(
        module,
        "fd_filestat_get",
        |mut g: Guest<'_, W>, fd: i32, out: i32| -> Ret {
            let call = FileCall::Status {
                fd: fd.cast_unsigned(),
            };
            place_if_file(&mut g, (fd, out), BADF, call)
        },
    )?;
    linker.func_wrap(
        module,
        "fd_prestat_get",
        |mut g: Guest<'_, W>, fd: i32, out: i32| -> Ret {
            if !is_file(&g, fd) {
                return Ok(BADF);
            }
            let fd = fd.cast_unsigned();
            match asked(&mut g, |_| Ok(FileCall::Folder { fd }))? {
                Ok(path) => {
                    // Kind 0: a folder; then the length of its path.
                    let length = u32::try_from(path.len()).unwrap_or(u32::MAX);
                    let stat = u64::from(length) << 32;
                    fault_unless_ok(super::write(&mut g, out, &stat.to_le_bytes())?)
                }
                Err(errno) => Ok(errno),
            }
        },
    )?;
    linker.func_wrap(
        module,
        "fd_prestat_dir_name",
        |mut g: Guest<'_, W>, fd: i32, out: i32, room: i32| -> Ret {
            if !is_file(&g, fd) {
                return Ok(NOSYS);
            }
            let fd = fd.cast_unsigned();
            match asked(&mut g, |_| Ok(FileCall::Folder { fd }))? {
                Ok(path) if path.len() > offset(room) => Ok(NAMETOOLONG),
                Ok(path) => fault_unless_ok(super::write(&mut g, out, &path)?),
                Err(errno) => Ok(errno),
            }
        },
    )?;
    linker.func_wrap(
        module,
        "fd_readdir",
        |mut g: Guest<'_, W>, fd: i32, p: i32, room: i32, cookie: i64, out: i32| -> Ret {
            if !is_file(&g, fd) {
                super::write(&mut g, out, &[0; 4])?;
                return Ok(NO_FOLDER);
            }
            let call = FileCall::List {
                fd: fd.cast_unsigned(),
                cookie: cookie.cast_unsigned(),
                max: room.cast_unsigned(),
            };
            match asked(&mut g, |_| Ok(call))? {
                Ok(bytes) => scatter(&mut g, &[(p, bytes.len())], &bytes, out),
                Err(errno) => Ok(errno),
            }
        },
    )?;
    Ok(())
}

fn link_paths<W: World>(linker: &mut Linker<Cell<W>>, module: &str) -> wasmtime::Result<()> {
    linker.func_wrap(
        module,
        "path_open",
        |mut g: Guest<'_, W>,
         fd: i32,
         lookup: i32,
         p: i32,
         n: i32,
         open: i32,
         rights: i64,
         _inheriting: i64,
         flags: i32,
         out: i32|
         -> Ret {
            if !is_file(&g, fd) {
                return Ok(NOENT);
            }
            let opening = Opening {
                lookup: lookup.cast_unsigned(),
                open: open.cast_unsigned(),
                rights: rights.cast_unsigned(),
                flags: flags.cast_unsigned(),
            };
            let folder = fd.cast_unsigned();
            let opened = asked(&mut g, |m| {
                Ok(FileCall::Open {
                    folder,
                    path: m.bytes(p, n)?,
                    opening,
                })
            })?;
            match opened {
                Ok(fd) => fault_unless_ok(super::write(&mut g, out, &fd)?),
                Err(errno) => Ok(errno),
            }
        },
    )?;
    linker.func_wrap(
        module,
        "path_filestat_get",
        |mut g: Guest<'_, W>, fd: i32, lookup: i32, p: i32, n: i32, out: i32| -> Ret {
            if !is_file(&g, fd) {
                return Ok(NOTSUP);
            }
            let folder = fd.cast_unsigned();
            let status = asked(&mut g, |m| {
                Ok(FileCall::StatusOf {
                    folder,
                    path: m.bytes(p, n)?,
                    follows: lookup & 1 != 0,
                })
            })?;
            match status {
                Ok(status) => fault_unless_ok(super::write(&mut g, out, &status)?),
                Err(errno) => Ok(errno),
            }
        },
    )?;
    Ok(())
}

/// Asks for something of a file: its bytes, or an `errno`.
pub(super) fn asked<W: World>(
    g: &mut Guest<'_, W>,
    build: impl for<'m> FnOnce(View<'m>) -> Result<FileCall<'m>, Status>,
) -> wasmtime::Result<Result<bytes::Bytes, i32>> {
    gate(g, "a function of files", When::Started)?;
    Ok(match ask(g, |m| Ok(Call::File(build(m)?)))? {
        Reply::Outcome(0, bytes) => Ok(bytes),
        Reply::Outcome(errno, _) => Err(errno.cast_signed()),
        Reply::Refused(Status::InvalidMemoryAccess) => Err(FAULT),
        Reply::Refused(_)
        | Reply::Done
        | Reply::Bytes(_)
        | Reply::Number(_)
        | Reply::Entry(..)
        | Reply::Map(_) => Err(NOTSUP),
    })
}

/// Writes the answer of a call at an address; where no files are granted, the answer is `otherwise`.
pub(super) fn place<W: World>(
    g: &mut Guest<'_, W>,
    out: i32,
    otherwise: i32,
    call: FileCall<'static>,
) -> Ret {
    if !g.data().world.has_files() {
        return Ok(otherwise);
    }
    match asked(g, |_| Ok(call))? {
        Ok(bytes) => fault_unless_ok(super::write(g, out, &bytes)?),
        Err(errno) => Ok(errno),
    }
}

fn place_if_file<W: World>(
    g: &mut Guest<'_, W>,
    (fd, out): (i32, i32),
    otherwise: i32,
    call: FileCall<'static>,
) -> Ret {
    if is_file(g, fd) {
        place(g, out, otherwise, call)
    } else {
        Ok(otherwise)
    }
}

/// Reads into the guest's vectors.
fn read<W: World>(
    g: &mut Guest<'_, W>,
    fd: i32,
    vectors: (i32, i32),
    (at, out): (Option<u64>, i32),
) -> Ret {
    if !is_file(g, fd) {
        return Ok(NOSYS);
    }
    if vectors.1.cast_unsigned() > limits::WRITE_PARTS_MAX {
        return Ok(INVAL);
    }
    let Ok(places) = places(View(memory(g)?.data(&*g)), vectors) else {
        return Ok(FAULT);
    };
    let room = places
        .iter()
        .fold(0usize, |sum, (_, length)| sum.saturating_add(*length));
    let call = FileCall::Read {
        fd: fd.cast_unsigned(),
        max: u32::try_from(room).unwrap_or(u32::MAX),
        at,
    };
    match asked(g, |_| Ok(call))? {
        Ok(bytes) => scatter(g, &places, &bytes, out),
        Err(errno) => Ok(errno),
    }
}

/// Addresses and lengths of vectors that all lie in the guest's memory.
fn places(memory: View<'_>, (vectors, count): (i32, i32)) -> Result<Vec<(i32, usize)>, Status> {
    let mut places = Vec::new();
    for index in 0..count.cast_unsigned() {
        let vector = vectors
            .checked_add_unsigned(index.checked_mul(8).ok_or(Status::InvalidMemoryAccess)?)
            .ok_or(Status::InvalidMemoryAccess)?;
        let (pointer, length) = (memory.u32(vector)?, memory.u32(vector.wrapping_add(4))?);
        let bytes = memory.bytes(pointer.cast_signed(), length.cast_signed())?;
        places.push((pointer.cast_signed(), bytes.len()));
    }
    Ok(places)
}

/// Writes bytes into places, one after the other, and how many there were.
fn scatter<W: World>(g: &mut Guest<'_, W>, places: &[(i32, usize)], bytes: &[u8], out: i32) -> Ret {
    let mut rest = bytes;
    for (address, room) in places {
        let (now, later) = rest.split_at((*room).min(rest.len()));
        if super::write(g, *address, now)? != Status::Ok {
            return Ok(FAULT);
        }
        rest = later;
    }
    let count = u32::try_from(bytes.len() - rest.len()).unwrap_or(u32::MAX);
    fault_unless_ok(super::write(g, out, &count.to_le_bytes())?)
}

/// Writes the guest's vectors into a file.
pub(super) fn write<W: World>(
    g: &mut Guest<'_, W>,
    fd: i32,
    vectors: (i32, i32),
    (at, out): (Option<u64>, i32),
) -> Ret {
    if vectors.1.cast_unsigned() > limits::WRITE_PARTS_MAX {
        return Ok(INVAL);
    }
    let Ok(bytes) = gather(View(memory(g)?.data(&*g)), vectors) else {
        return Ok(FAULT);
    };
    gate(g, "fd_write", When::Started)?;
    let call = Call::File(FileCall::Write {
        fd: fd.cast_unsigned(),
        bytes: &bytes,
        at,
    });
    match ask_directly(g, call)? {
        Reply::Outcome(0, written) => fault_unless_ok(super::write(g, out, &written)?),
        Reply::Outcome(errno, _) => Ok(errno.cast_signed()),
        Reply::Refused(_)
        | Reply::Done
        | Reply::Bytes(_)
        | Reply::Number(_)
        | Reply::Entry(..)
        | Reply::Map(_) => Ok(NOTSUP),
    }
}

/// Asks the world a call whose bytes are the host's.
fn ask_directly<W: World>(g: &mut Guest<'_, W>, call: Call<'_>) -> wasmtime::Result<Reply> {
    match g.data_mut().world.call(call)? {
        crate::door::Answer::Ready(reply) => Ok(reply),
        crate::door::Answer::Pending(_) => Err(crate::door::Stop::CannotWait.into()),
    }
}
