//! The `proxy_*` functions of module `env` (Proxy-Wasm 0.1.0 to 0.2.1, reference sections 2.2–2.6).

use bytes::Bytes;
use wasmtime::Linker;

use super::{
    Guest, Out, View, When, allocate, ask, ask_bytes, ask_status, ask_u32, ask_u64, failure, gate,
    give, write,
};
use crate::abi::ENV;
use crate::cell::Cell;
use crate::door::{
    BufferKind, Call, Clock, GrpcCall, HttpCall, LocalResponse, LogLevel, MapKind, MetricKind,
    Reply, Status, StreamKind, World,
};

type Ret = wasmtime::Result<i32>;

/// Offers one function whose parameters are all `i32`, in callbacks only unless said otherwise.
macro_rules! offer {
    ($linker:ident, $name:literal, |$guest:ident $(, $arg:ident)*| $body:expr) => {
        offer!($linker, $name, When::Running, |$guest $(, $arg)*| $body);
    };
    ($linker:ident, $name:literal, $when:expr, |$guest:ident $(, $arg:ident)*| $body:expr) => {
        $linker.func_wrap(ENV, $name, move |mut $guest: Guest<'_, W> $(, $arg: i32)*| -> Ret {
            gate(&$guest, $name, $when)?;
            let $guest = &mut $guest;
            $body
        })?;
    };
}
pub(super) use offer;

pub(super) fn link<W: World>(linker: &mut Linker<Cell<W>>) -> wasmtime::Result<()> {
    link_general(linker)?;
    link_properties(linker)?;
    link_streams(linker)?;
    link_buffers(linker)?;
    link_headers(linker)?;
    link_callouts(linker)?;
    link_grpc(linker)?;
    link_shared(linker)?;
    link_metrics(linker)?;
    linker.func_wrap(ENV, "pthread_equal", |left: i32, right: i32| {
        i32::from(left == right)
    })?;
    linker.func_wrap(ENV, "emscripten_notify_memory_growth", |_: i32| {})?;
    Ok(())
}

fn link_general<W: World>(linker: &mut Linker<Cell<W>>) -> wasmtime::Result<()> {
    offer!(linker, "proxy_log", When::Always, |g, level, p, n| {
        ask_status(g, |m| {
            let level = LogLevel::from_abi(level).ok_or(Status::BadArgument)?;
            Ok(Call::Log {
                level,
                message: m.bytes(p, n)?,
            })
        })
    });
    offer!(linker, "proxy_get_log_level", |g, out| ask_u32(
        g,
        out,
        |_| Ok(Call::LogLevel)
    ));
    offer!(linker, "proxy_get_current_time_nanoseconds", |g, out| {
        ask_u64(g, out, |_| Ok(Call::Now(Clock::Wall)))
    });
    offer!(linker, "proxy_set_tick_period_milliseconds", |g, period| {
        ask_status(g, |_| {
            Ok(Call::SetTick {
                period_ms: period.cast_unsigned(),
            })
        })
    });
    offer!(linker, "proxy_set_effective_context", |g, context| {
        ask_status(g, |_| {
            Ok(Call::SetEffectiveContext {
                context: context.cast_unsigned(),
            })
        })
    });
    offer!(linker, "proxy_done", |g| ask_status(g, |_| Ok(Call::Done)));
    offer!(linker, "proxy_get_status", |g, code, pointer, length| {
        callout_status(g, code, Out { pointer, length })
    });
    Ok(())
}

fn link_properties<W: World>(linker: &mut Linker<Cell<W>>) -> wasmtime::Result<()> {
    offer!(linker, "proxy_get_configuration", |g, pointer, length| {
        configuration(g, Out { pointer, length })
    });
    offer!(
        linker,
        "proxy_call_foreign_function",
        |g, np, nn, ap, an, pointer, length| {
            let reply = ask(g, |m| {
                Ok(Call::Foreign {
                    name: m.bytes(np, nn)?,
                    arguments: m.bytes(ap, an)?,
                })
            })?;
            give_foreign(g, reply, Out { pointer, length })
        }
    );
    offer!(linker, "proxy_get_property", |g, p, n, pointer, length| {
        ask_bytes(g, Out { pointer, length }, |m| {
            Ok(Call::Property {
                path: m.bytes(p, n)?,
            })
        })
    });
    offer!(linker, "proxy_set_property", |g, p, n, vp, vn| ask_status(
        g,
        |m| {
            Ok(Call::SetProperty {
                path: m.bytes(p, n)?,
                value: m.bytes(vp, vn)?,
            })
        }
    ));
    Ok(())
}

/// 0.1.0: the plugin's configuration while there is one to read, else the VM's.
fn configuration<W: World>(g: &mut Guest<'_, W>, out: Out) -> Ret {
    let all = |kind| Call::Buffer {
        kind,
        start: 0,
        max: u32::MAX,
    };
    let mut reply = ask(g, |_| Ok(all(BufferKind::PluginConfiguration)))?;
    if reply == Reply::Refused(Status::NotFound) {
        reply = ask(g, |_| Ok(all(BufferKind::VmConfiguration)))?;
    }
    match reply {
        Reply::Bytes(bytes) => Ok(give(g, &bytes, out)? as i32),
        other => Ok(failure(&other)),
    }
}

fn callout_status<W: World>(g: &mut Guest<'_, W>, code: i32, out: Out) -> Ret {
    match ask(g, |_| Ok(Call::CalloutStatus))? {
        Reply::Outcome(number, message) => {
            if write(g, code, &number.to_le_bytes())? != Status::Ok {
                return Ok(Status::InvalidMemoryAccess as i32);
            }
            Ok(give(g, &message, out)? as i32)
        }
        other => Ok(failure(&other)),
    }
}

/// Result and size are written even if the function failed; zero addresses mean "not wanted".
fn give_foreign<W: World>(g: &mut Guest<'_, W>, reply: Reply, out: Out) -> Ret {
    let (status, bytes) = match foreign_result(reply) {
        Ok(result) => result,
        Err(status) => return Ok(status),
    };
    let is_wanted = !bytes.is_empty() && out.pointer != 0;
    let address = if is_wanted {
        allocate(g, bytes.len())?
    } else {
        0
    };
    if is_wanted && address == 0 {
        return Ok(Status::InvalidMemoryAccess as i32);
    }
    place_foreign(g, &bytes, address, out).map(|failed| failed.unwrap_or(status))
}

/// Status and result of a foreign function; `Err`: the status when there is no result.
pub(super) fn foreign_result(reply: Reply) -> Result<(i32, Bytes), i32> {
    match reply {
        Reply::Outcome(status, bytes) => Ok((status.cast_signed(), bytes)),
        Reply::Bytes(bytes) => Ok((Status::Ok as i32, bytes)),
        Reply::Done => Ok((Status::Ok as i32, Bytes::new())),
        other => Err(failure(&other)),
    }
}

/// Writes a foreign function's result; returns the status if that is not possible.
pub(super) fn place_foreign<W: World>(
    g: &mut Guest<'_, W>,
    bytes: &[u8],
    address: i32,
    out: Out,
) -> wasmtime::Result<Option<i32>> {
    if address != 0 && write(g, address, bytes)? != Status::Ok {
        return Ok(Some(Status::InvalidMemoryAccess as i32));
    }
    let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    for (place, number) in [(out.pointer, address.cast_unsigned()), (out.length, size)] {
        if place != 0 && write(g, place, &number.to_le_bytes())? != Status::Ok {
            return Ok(Some(Status::InvalidMemoryAccess as i32));
        }
    }
    Ok(None)
}

fn stream_kind(number: i32) -> Result<StreamKind, Status> {
    match number {
        0 => Ok(StreamKind::Request),
        1 => Ok(StreamKind::Response),
        2 => Ok(StreamKind::Downstream),
        3 => Ok(StreamKind::Upstream),
        _ => Err(Status::BadArgument),
    }
}

fn link_streams<W: World>(linker: &mut Linker<Cell<W>>) -> wasmtime::Result<()> {
    offer!(linker, "proxy_continue_stream", |g, kind| {
        ask_status(g, |_| Ok(Call::ContinueStream(stream_kind(kind)?)))
    });
    offer!(linker, "proxy_close_stream", |g, kind| {
        ask_status(g, |_| Ok(Call::CloseStream(stream_kind(kind)?)))
    });
    offer!(linker, "proxy_continue_request", |g| {
        ask_status(g, |_| Ok(Call::ContinueStream(StreamKind::Request)))
    });
    offer!(linker, "proxy_continue_response", |g| {
        ask_status(g, |_| Ok(Call::ContinueStream(StreamKind::Response)))
    });
    offer!(linker, "proxy_clear_route_cache", |g| ask_status(
        g,
        |_| Ok(Call::ClearRouteCache)
    ));
    offer!(
        linker,
        "proxy_send_local_response",
        |g, status, dp, dn, bp, bn, hp, hn, grpc| {
            ask_status(g, |m| {
                Ok(Call::LocalResponse(LocalResponse {
                    status: status.cast_unsigned(),
                    details: m.bytes(dp, dn)?,
                    body: m.bytes(bp, bn)?,
                    headers: m.bytes(hp, hn)?,
                    grpc_status: grpc,
                }))
            })
        }
    );
    Ok(())
}

pub(super) fn buffer_kind(number: i32) -> Result<BufferKind, Status> {
    BufferKind::from_abi(number).ok_or(Status::BadArgument)
}

fn link_buffers<W: World>(linker: &mut Linker<Cell<W>>) -> wasmtime::Result<()> {
    offer!(
        linker,
        "proxy_get_buffer_bytes",
        |g, kind, start, max, pointer, length| {
            ask_bytes(g, Out { pointer, length }, |_| {
                let (start, max) = (start.cast_unsigned(), max.cast_unsigned());
                Ok(Call::Buffer {
                    kind: buffer_kind(kind)?,
                    start,
                    max,
                })
            })
        }
    );
    offer!(
        linker,
        "proxy_get_buffer_status",
        |g, kind, length, flags| {
            let status = ask_u32(g, length, |_| {
                Ok(Call::BufferLength {
                    kind: buffer_kind(kind)?,
                })
            })?;
            if status != Status::Ok as i32 {
                return Ok(status);
            }
            Ok(write(g, flags, &0u32.to_le_bytes())? as i32)
        }
    );
    offer!(
        linker,
        "proxy_set_buffer_bytes",
        |g, kind, start, length, p, n| ask_status(g, |m| {
            let kind = buffer_kind(kind)?;
            let (start, length) = (start.cast_unsigned(), length.cast_unsigned());
            Ok(Call::SetBuffer {
                kind,
                start,
                length,
                bytes: m.bytes(p, n)?,
            })
        })
    );
    Ok(())
}

pub(super) fn map_kind(number: i32) -> Result<MapKind, Status> {
    MapKind::from_abi(number).ok_or(Status::BadArgument)
}

fn link_headers<W: World>(linker: &mut Linker<Cell<W>>) -> wasmtime::Result<()> {
    offer!(
        linker,
        "proxy_get_header_map_value",
        |g, map, p, n, pointer, length| {
            ask_bytes(g, Out { pointer, length }, |m| {
                Ok(Call::Header {
                    map: map_kind(map)?,
                    name: m.bytes(p, n)?,
                })
            })
        }
    );
    offer!(
        linker,
        "proxy_add_header_map_value",
        |g, map, p, n, vp, vn| ask_status(g, |m| {
            let map = map_kind(map)?;
            Ok(Call::AddHeader {
                map,
                name: m.bytes(p, n)?,
                value: m.bytes(vp, vn)?,
            })
        })
    );
    offer!(
        linker,
        "proxy_replace_header_map_value",
        |g, map, p, n, vp, vn| ask_status(g, |m| {
            let map = map_kind(map)?;
            Ok(Call::ReplaceHeader {
                map,
                name: m.bytes(p, n)?,
                value: m.bytes(vp, vn)?,
            })
        })
    );
    offer!(linker, "proxy_remove_header_map_value", |g, map, p, n| {
        ask_status(g, |m| {
            Ok(Call::RemoveHeader {
                map: map_kind(map)?,
                name: m.bytes(p, n)?,
            })
        })
    });
    offer!(
        linker,
        "proxy_get_header_map_pairs",
        |g, map, pointer, length| {
            ask_bytes(g, Out { pointer, length }, |_| {
                Ok(Call::Headers {
                    map: map_kind(map)?,
                })
            })
        }
    );
    offer!(linker, "proxy_set_header_map_pairs", |g, map, p, n| {
        ask_status(g, |m| {
            Ok(Call::SetHeaders {
                map: map_kind(map)?,
                pairs: m.bytes(p, n)?,
            })
        })
    });
    offer!(linker, "proxy_get_header_map_size", |g, map, out| {
        ask_u32(g, out, |_| {
            Ok(Call::HeadersSize {
                map: map_kind(map)?,
            })
        })
    });
    Ok(())
}

/// The token's address is tried before anything is sent, and holds 0 on failure.
pub(super) fn ask_token<W: World>(
    g: &mut Guest<'_, W>,
    out: i32,
    build: impl for<'m> FnOnce(View<'m>) -> Result<Call<'m>, Status>,
) -> Ret {
    if write(g, out, &0u32.to_le_bytes())? != Status::Ok {
        return Ok(Status::InvalidMemoryAccess as i32);
    }
    ask_u32(g, out, build)
}

fn link_callouts<W: World>(linker: &mut Linker<Cell<W>>) -> wasmtime::Result<()> {
    offer!(
        linker,
        "proxy_http_call",
        |g, cp, cn, hp, hn, bp, bn, tp, tn, timeout_ms, out| {
            ask_token(g, out, |m| {
                Ok(Call::HttpCall(HttpCall {
                    cluster: m.bytes(cp, cn)?,
                    headers: m.bytes(hp, hn)?,
                    body: m.bytes(bp, bn)?,
                    trailers: m.bytes(tp, tn)?,
                    timeout_ms,
                }))
            })
        }
    );
    Ok(())
}

fn link_grpc<W: World>(linker: &mut Linker<Cell<W>>) -> wasmtime::Result<()> {
    offer!(
        linker,
        "proxy_grpc_call",
        |g, cp, cn, sp, sn, np, nn, dp, dn, mp, mn, timeout_ms, out| ask_u32(g, out, |m| {
            Ok(Call::GrpcCall(GrpcCall {
                service: m.bytes(cp, cn)?,
                service_name: m.bytes(sp, sn)?,
                method: m.bytes(np, nn)?,
                metadata: m.bytes(dp, dn)?,
                message: m.bytes(mp, mn)?,
                timeout_ms,
            }))
        })
    );
    offer!(
        linker,
        "proxy_grpc_stream",
        |g, cp, cn, sp, sn, np, nn, dp, dn, out| {
            ask_u32(g, out, |m| {
                Ok(Call::GrpcStream(GrpcCall {
                    service: m.bytes(cp, cn)?,
                    service_name: m.bytes(sp, sn)?,
                    method: m.bytes(np, nn)?,
                    metadata: m.bytes(dp, dn)?,
                    message: &[],
                    timeout_ms: 0,
                }))
            })
        }
    );
    offer!(linker, "proxy_grpc_send", |g, token, p, n, end| ask_status(
        g,
        |m| {
            let token = token.cast_unsigned();
            Ok(Call::GrpcSend {
                token,
                message: m.bytes(p, n)?,
                end: end != 0,
            })
        }
    ));
    offer!(linker, "proxy_grpc_close", |g, token| {
        ask_status(g, |_| {
            Ok(Call::GrpcClose {
                token: token.cast_unsigned(),
            })
        })
    });
    offer!(linker, "proxy_grpc_cancel", |g, token| {
        ask_status(g, |_| {
            Ok(Call::GrpcCancel {
                token: token.cast_unsigned(),
            })
        })
    });
    Ok(())
}

fn link_shared<W: World>(linker: &mut Linker<Cell<W>>) -> wasmtime::Result<()> {
    offer!(
        linker,
        "proxy_get_shared_data",
        |g, p, n, pointer, length, cas| {
            match ask(g, |m| {
                Ok(Call::SharedEntry {
                    key: m.bytes(p, n)?,
                })
            })? {
                Reply::Entry(bytes, number) => {
                    let status = give(g, &bytes, Out { pointer, length })?;
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
        ask_status(g, |m| {
            let (key, value) = (m.bytes(p, n)?, m.bytes(vp, vn)?);
            Ok(Call::SetSharedEntry {
                key,
                value,
                cas: cas.cast_unsigned(),
            })
        })
    });
    offer!(linker, "proxy_register_shared_queue", |g, p, n, out| {
        ask_u32(g, out, |m| {
            Ok(Call::RegisterQueue {
                name: m.bytes(p, n)?,
            })
        })
    });
    offer!(
        linker,
        "proxy_resolve_shared_queue",
        |g, vp, vn, p, n, out| ask_u32(g, out, |m| {
            Ok(Call::ResolveQueue {
                vm_id: m.bytes(vp, vn)?,
                name: m.bytes(p, n)?,
            })
        })
    );
    offer!(linker, "proxy_enqueue_shared_queue", |g, token, p, n| {
        ask_status(g, |m| {
            Ok(Call::Enqueue {
                token: token.cast_unsigned(),
                item: m.bytes(p, n)?,
            })
        })
    });
    offer!(
        linker,
        "proxy_dequeue_shared_queue",
        |g, token, pointer, length| {
            let token = token.cast_unsigned();
            ask_bytes(g, Out { pointer, length }, |_| Ok(Call::Dequeue { token }))
        }
    );
    Ok(())
}

fn link_metrics<W: World>(linker: &mut Linker<Cell<W>>) -> wasmtime::Result<()> {
    offer!(linker, "proxy_define_metric", |g, kind, p, n, out| ask_u32(
        g,
        out,
        |m| {
            let kind = match kind {
                0 => MetricKind::Counter,
                1 => MetricKind::Gauge,
                2 => MetricKind::Histogram,
                _ => return Err(Status::BadArgument),
            };
            Ok(Call::DefineMetric {
                kind,
                name: m.bytes(p, n)?,
            })
        }
    ));
    linker.func_wrap(
        ENV,
        "proxy_increment_metric",
        |mut g: Guest<'_, W>, id: i32, offset: i64| -> Ret {
            gate(&g, "proxy_increment_metric", When::Running)?;
            let id = id.cast_unsigned();
            ask_status(&mut g, |_| Ok(Call::IncrementMetric { id, offset }))
        },
    )?;
    linker.func_wrap(
        ENV,
        "proxy_record_metric",
        |mut g: Guest<'_, W>, id: i32, value: i64| -> Ret {
            gate(&g, "proxy_record_metric", When::Running)?;
            let (id, value) = (id.cast_unsigned(), value.cast_unsigned());
            ask_status(&mut g, |_| Ok(Call::RecordMetric { id, value }))
        },
    )?;
    offer!(linker, "proxy_get_metric", |g, id, out| {
        ask_u64(g, out, |_| {
            Ok(Call::Metric {
                id: id.cast_unsigned(),
            })
        })
    });
    Ok(())
}
