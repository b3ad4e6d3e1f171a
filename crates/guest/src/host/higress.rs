//! The functions that only Higress has (reference section 10.1): linked for its dialect alone.

use wasmtime::Linker;

use super::proxy::{ask_token, offer};
use super::{Guest, Out, When, ask, ask_status, failure, gate, give};
use crate::abi::ENV;
use crate::cell::Cell;
use crate::door::{Call, RedisInit, Reply, World};

type Ret = wasmtime::Result<i32>;

/// Adds Higress's functions to those that every dialect has.
pub(crate) fn link<W: World>(linker: &mut Linker<Cell<W>>) -> wasmtime::Result<()> {
    offer!(
        linker,
        "proxy_redis_init",
        |g, sp, sn, up, un, pp, pn, timeout_ms| ask_status(g, |m| {
            Ok(Call::RedisInit(RedisInit {
                service: m.bytes(sp, sn)?,
                username: m.bytes(up, un)?,
                password: m.bytes(pp, pn)?,
                timeout_ms: timeout_ms.cast_unsigned(),
            }))
        })
    );
    offer!(linker, "proxy_redis_call", |g, sp, sn, qp, qn, out| {
        ask_token(g, out, |m| {
            Ok(Call::RedisCall {
                service: m.bytes(sp, sn)?,
                query: m.bytes(qp, qn)?,
            })
        })
    });
    offer!(
        linker,
        "proxy_inject_encoded_data_to_filter_chain",
        |g, p, n, end| ask_status(g, |m| {
            Ok(Call::Inject {
                bytes: m.bytes(p, n)?,
                end: end != 0,
            })
        })
    );
    offer!(linker, "proxy_get_upstream_hosts", |g, pointer, length| {
        match ask(g, |_| Ok(Call::UpstreamHosts))? {
            Reply::Bytes(bytes) => Ok(give(g, &bytes, Out { pointer, length })? as i32),
            other => Ok(failure(&other)),
        }
    });
    offer!(linker, "proxy_set_upstream_override_host", |g, p, n| {
        ask_status(g, |m| {
            Ok(Call::OverrideHost {
                address: m.bytes(p, n)?,
            })
        })
    });
    Ok(())
}
