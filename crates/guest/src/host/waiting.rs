//! The functions in which a guest may wait, and those that must not block it.
//!
//! In a store that can suspend, Wasmtime refuses every synchronous call into the guest, the one of
//! its allocator too. So what hands bytes to the guest stands here a second time, besides what may
//! have to wait: shared data and queues, which can live on another machine. The rest answers at
//! once in both kinds of host.

use wasmtime::{AsContextMut, Linker};

use super::proxy::{buffer_kind, foreign_result, map_kind, place_foreign};
use super::{
    Answer, Guest, Out, Status, View, When, allocated, failure, gate, place, place_u32, put,
    status_of, write,
};
use crate::abi::ENV;
use crate::cell::{Cell, Phase};
use crate::door::{BufferKind, Call, Reply, World};

type Ret = wasmtime::Result<i32>;

/// Offers one function whose parameters are all `i32`, in callbacks only.
macro_rules! offer {
    ($linker:ident, $name:literal, |$guest:ident $(, $arg:ident)*| $body:expr) => {
        $linker.func_wrap_async(
            ENV,
            $name,
            |mut $guest: Guest<'_, W>, ($($arg,)*): ($(offer!(@int $arg),)*)| {
                Box::new(async move {
                    gate(&$guest, $name, When::Running)?;
                    let $guest = &mut $guest;
                    let code: Ret = $body;
                    code
                })
            },
        )?;
    };
    (@int $arg:ident) => { i32 };
}

/// Adds every function that this host answers, under all its module names.
pub(crate) fn link<W: World + Send>(linker: &mut Linker<Cell<W>>) -> wasmtime::Result<()> {
    super::link_general(linker)?;
    super::maps::link_waiting(linker)?;
    linker.allow_shadowing(true);
    link_general(linker)?;
    link_streams(linker)?;
    link_shared(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Adds Higress's functions, as [`super::higress::link`] does.
pub(crate) fn link_higress<W: World + Send>(linker: &mut Linker<Cell<W>>) -> wasmtime::Result<()> {
    super::higress::link(linker)?;
    linker.allow_shadowing(true);
    offer!(linker, "proxy_get_upstream_hosts", |g, pointer, length| {
        let reply = ask(g, |_| Ok(Call::UpstreamHosts)).await?;
        give_bytes(g, &reply, Out { pointer, length }).await
    });
    linker.allow_shadowing(false);
    Ok(())
}

fn link_general<W: World + Send>(linker: &mut Linker<Cell<W>>) -> wasmtime::Result<()> {
    offer!(linker, "proxy_get_status", |g, code, pointer, length| {
        match ask(g, |_| Ok(Call::CalloutStatus)).await? {
            Reply::Outcome(number, message) => {
                if write(g, code, &number.to_le_bytes())? != Status::Ok {
                    return Ok(Status::InvalidMemoryAccess as i32);
                }
                Ok(give(g, &message, Out { pointer, length }).await? as i32)
            }
            other => Ok(failure(&other)),
        }
    });
    offer!(linker, "proxy_get_configuration", |g, pointer, length| {
        let all = |kind| Call::Buffer {
            kind,
            start: 0,
            max: u32::MAX,
        };
        let mut reply = ask(g, move |_| Ok(all(BufferKind::PluginConfiguration))).await?;
        if reply == Reply::Refused(Status::NotFound) {
            reply = ask(g, move |_| Ok(all(BufferKind::VmConfiguration))).await?;
        }
        give_bytes(g, &reply, Out { pointer, length }).await
    });
    offer!(
        linker,
        "proxy_call_foreign_function",
        |g, np, nn, ap, an, pointer, length| {
            let reply = ask(g, move |m| {
                Ok(Call::Foreign {
                    name: m.bytes(np, nn)?,
                    arguments: m.bytes(ap, an)?,
                })
            })
            .await?;
            give_foreign(g, reply, Out { pointer, length }).await
        }
    );
    offer!(linker, "proxy_get_property", |g, p, n, pointer, length| {
        let reply = ask(g, move |m| {
            Ok(Call::Property {
                path: m.bytes(p, n)?,
            })
        })
        .await?;
        give_bytes(g, &reply, Out { pointer, length }).await
    });
    Ok(())
}

fn link_streams<W: World + Send>(linker: &mut Linker<Cell<W>>) -> wasmtime::Result<()> {
    offer!(
        linker,
        "proxy_get_buffer_bytes",
        |g, kind, start, max, pointer, length| {
            let reply = ask(g, move |_| {
                let (start, max) = (start.cast_unsigned(), max.cast_unsigned());
                Ok(Call::Buffer {
                    kind: buffer_kind(kind)?,
                    start,
                    max,
                })
            })
            .await?;
            give_bytes(g, &reply, Out { pointer, length }).await
        }
    );
    offer!(
        linker,
        "proxy_get_header_map_value",
        |g, map, p, n, pointer, length| {
            let reply = ask(g, move |m| {
                Ok(Call::Header {
                    map: map_kind(map)?,
                    name: m.bytes(p, n)?,
                })
            })
            .await?;
            give_bytes(g, &reply, Out { pointer, length }).await
        }
    );
    offer!(
        linker,
        "proxy_get_header_map_pairs",
        |g, map, pointer, length| {
            let reply = ask(g, move |_| {
                Ok(Call::Headers {
                    map: map_kind(map)?,
                })
            })
            .await?;
            give_bytes(g, &reply, Out { pointer, length }).await
        }
    );
    Ok(())
}

fn link_shared<W: World + Send>(linker: &mut Linker<Cell<W>>) -> wasmtime::Result<()> {
    offer!(
        linker,
        "proxy_get_shared_data",
        |g, p, n, pointer, length, cas| {
            match ask(g, move |m| {
                Ok(Call::SharedEntry {
                    key: m.bytes(p, n)?,
                })
            })
            .await?
            {
                Reply::Entry(bytes, number) => {
                    let status = give(g, &bytes, Out { pointer, length }).await?;
                    if status != Status::Ok {
                        return Ok(status as i32);
                    }
                    Ok(write(g, cas, &number.to_le_bytes())? as i32)
                }
                other => Ok(failure(&other)),
            }
        }
    );
    offer!(linker, "proxy_set_shared_data", |g, p, n, vp, vn, cas| {
        let reply = ask(g, move |m| {
            let (key, value) = (m.bytes(p, n)?, m.bytes(vp, vn)?);
            Ok(Call::SetSharedEntry {
                key,
                value,
                cas: cas.cast_unsigned(),
            })
        })
        .await?;
        Ok(status_of(&reply))
    });
    offer!(linker, "proxy_register_shared_queue", |g, p, n, out| {
        let reply = ask(g, move |m| {
            Ok(Call::RegisterQueue {
                name: m.bytes(p, n)?,
            })
        })
        .await?;
        place_u32(g, out, &reply)
    });
    offer!(
        linker,
        "proxy_resolve_shared_queue",
        |g, vp, vn, p, n, out| {
            let reply = ask(g, move |m| {
                Ok(Call::ResolveQueue {
                    vm_id: m.bytes(vp, vn)?,
                    name: m.bytes(p, n)?,
                })
            })
            .await?;
            place_u32(g, out, &reply)
        }
    );
    offer!(linker, "proxy_enqueue_shared_queue", |g, token, p, n| {
        let token = token.cast_unsigned();
        let reply = ask(g, move |m| {
            Ok(Call::Enqueue {
                token,
                item: m.bytes(p, n)?,
            })
        })
        .await?;
        Ok(status_of(&reply))
    });
    offer!(
        linker,
        "proxy_dequeue_shared_queue",
        |g, token, pointer, length| {
            let token = token.cast_unsigned();
            let reply = ask(g, move |_| Ok(Call::Dequeue { token })).await?;
            give_bytes(g, &reply, Out { pointer, length }).await
        }
    );
    Ok(())
}

/// Asks the world; suspends the guest on its own stack until the reply is there.
///
/// The deadline of the call stands still meanwhile: what limits waiting is the deadline of whoever
/// waits for the guest.
async fn ask<W: World + Send>(
    guest: &mut Guest<'_, W>,
    build: impl for<'m> FnOnce(View<'m>) -> Result<Call<'m>, Status> + Send,
) -> wasmtime::Result<Reply> {
    let wait = match put(guest, build)? {
        Answer::Ready(reply) => return Ok(reply),
        Answer::Pending(wait) => wait,
    };
    guest.data_mut().deadline.suspend();
    let reply = wait.await;
    let reply = guest.data_mut().world.arrive(reply)?;
    let ticks = guest.data_mut().deadline.resume();
    guest.as_context_mut().set_epoch_deadline(ticks);
    Ok(reply)
}

async fn give_bytes<W: World + Send>(g: &mut Guest<'_, W>, reply: &Reply, out: Out) -> Ret {
    match reply {
        Reply::Bytes(bytes) => Ok(give(g, bytes, out).await? as i32),
        other => Ok(failure(other)),
    }
}

async fn give<W: World + Send>(
    guest: &mut Guest<'_, W>,
    bytes: &[u8],
    out: Out,
) -> wasmtime::Result<Status> {
    let address = if bytes.is_empty() {
        0
    } else {
        allocate(guest, bytes.len()).await?
    };
    place(guest, bytes, address, out)
}

async fn give_foreign<W: World + Send>(g: &mut Guest<'_, W>, reply: Reply, out: Out) -> Ret {
    let (status, bytes) = match foreign_result(reply) {
        Ok(result) => result,
        Err(status) => return Ok(status),
    };
    let is_wanted = !bytes.is_empty() && out.pointer != 0;
    let address = if is_wanted {
        allocate(g, bytes.len()).await?
    } else {
        0
    };
    if is_wanted && address == 0 {
        return Ok(Status::InvalidMemoryAccess as i32);
    }
    place_foreign(g, &bytes, address, out).map(|failed| failed.unwrap_or(status))
}

async fn allocate<W: World + Send>(
    guest: &mut Guest<'_, W>,
    length: usize,
) -> wasmtime::Result<i32> {
    let Some(allocator) = guest.data().allocator.clone() else {
        return Ok(0);
    };
    let Ok(length) = i32::try_from(length) else {
        return Ok(0);
    };
    let before = std::mem::replace(&mut guest.data_mut().phase, Phase::Allocating);
    let address = allocator.call_async(&mut *guest, length).await;
    guest.data_mut().phase = before;
    allocated(guest, address)
}
