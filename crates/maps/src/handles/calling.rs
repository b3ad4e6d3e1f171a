//! Carries out what guests ask: [`Handles::call`].
//!
//! Checked in this order, and all of it before anything happens: what can be said of the arguments
//! alone, the handle, its rights, the map.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use weir_model::limits::maps as limits;

use super::{Ends, Handles};
use crate::MapError;
use crate::call::{Called, MapCall, MapOp, MapReply, packed};
use crate::engine::check_name;
use crate::region::{Access, Lease};
use crate::rights::Rights;
use crate::scan::Cursor;
use crate::store::{Answer, Condition, Op, Seen, Store, Terms};
use crate::value::Value;

type Refusable<T> = Result<T, MapError>;

impl Handles {
    /// Does what a guest asks. `ends`: when what it lends now ends at the latest, which says which
    /// request asks, too.
    ///
    /// A reply that comes later has nothing of this table; if the table is dropped or restored
    /// meanwhile, the operation is not undone.
    pub fn call(&mut self, call: MapCall<'_>, ends: Ends) -> Called {
        let spent = self.spend(&call, ends);
        let spent = spent.and_then(|spent| self.identity.meter.admit(&call).map(|()| spent));
        let (called, spent) = match spent {
            Ok(spent) => (self.carry_out(call, ends), spent),
            Err(error) => (refused(error), None),
        };
        let called = self.identity.meter.noted(called);
        match spent {
            None => called,
            Some(spent) => self.spent_more(spent, called),
        }
    }

    fn carry_out(&mut self, call: MapCall<'_>, ends: Ends) -> Called {
        match call {
            MapCall::Get { handle, key } => self.call_get(handle, key),
            MapCall::Set {
                handle,
                key,
                value,
                terms,
            } => self.call_set(handle, key, (value, terms)),
            MapCall::Delete { handle, key } => self.call_delete(handle, key),
            MapCall::Exists { handle, key } => self.call_exists(handle, key),
            MapCall::Add { handle, key, delta } => self.call_add(handle, key, delta),
            MapCall::Scan {
                handle,
                prefix,
                cursor,
                bytes,
            } => self.call_scan(handle, prefix, (&cursor, bytes)),
            MapCall::Batch { handle, ops } => self.call_batch(handle, ops),
            MapCall::Clear { handle } => self.call_clear(handle),
            MapCall::Watch { handle, prefix } => self.call_watch(handle, prefix),
            MapCall::Next {
                watch,
                timeout_ms,
                bytes,
            } => self.call_next(watch, timeout_ms, bytes),
            MapCall::Stat { handle } => self.call_stat(handle),
            MapCall::Open { .. }
            | MapCall::OpenGranted { .. }
            | MapCall::Create { .. }
            | MapCall::Close { .. }
            | MapCall::Dup { .. }
            | MapCall::Lend { .. }
            | MapCall::Transfer { .. }
            | MapCall::Accept { .. }
            | MapCall::Rights { .. }
            | MapCall::Unwatch { .. }
            | MapCall::PutMap { .. }
            | MapCall::GetMap { .. }
            | MapCall::RegionCreate { .. }
            | MapCall::RegionMap { .. }
            | MapCall::RegionHand { .. }
            | MapCall::RegionUnmap { .. } => {
                let reply = self.call_at_once(call, ends);
                Called::Now(reply.unwrap_or_else(MapReply::from))
            }
        }
    }

    /// What concerns handles, and never has to be waited for.
    fn call_at_once(&mut self, call: MapCall<'_>, ends: Ends) -> Refusable<MapReply> {
        let handle = match call {
            MapCall::Open { name, rights } => self.open(name, rights)?,
            MapCall::OpenGranted { name } => self.open_granted(name)?,
            MapCall::Create { options } => self.create(options)?,
            MapCall::Dup { handle, rights } => self.dup(handle, rights)?,
            MapCall::Accept { ticket } => self.accept(&ticket)?,
            MapCall::GetMap { handle, key } => {
                check_key(key)?;
                self.get_map(handle, key)?
            }
            MapCall::PutMap { handle, key, child } => {
                check_key(key)?;
                return self.put_map(handle, key, child).map(MapReply::Number);
            }
            MapCall::Rights { handle } => {
                return self
                    .rights(handle)
                    .map(|rights| MapReply::Number(rights.bits()));
            }
            MapCall::Lend { handle, rights, to } => {
                let ticket = self.lend(handle, rights, (check_name(to)?, ends))?;
                return Ok(MapReply::Ticket(ticket));
            }
            MapCall::Transfer { handle, to } => {
                let ticket = self.transfer(handle, check_name(to)?)?;
                return Ok(MapReply::Ticket(ticket));
            }
            MapCall::Close { handle } => {
                self.close(handle)?;
                self.settle();
                return Ok(MapReply::Done);
            }
            MapCall::Unwatch { watch } => {
                self.unwatch(watch)?;
                return Ok(MapReply::Done);
            }
            MapCall::RegionCreate { handle, key, bytes } => {
                check_key(key)?;
                let version = self.region_create(handle, key, bytes)?;
                return Ok(MapReply::Number(version));
            }
            MapCall::RegionMap { .. } => return self.call_region(&call),
            MapCall::RegionHand {
                handle,
                key,
                to,
                to_key,
            } => {
                check_key(key)?;
                check_key(to_key)?;
                let version = self.region_hand((handle, key), (to, to_key))?;
                return Ok(MapReply::Number(version));
            }
            // The host has the mappings, and ends this one.
            MapCall::RegionUnmap { .. } => return Ok(MapReply::Done),
            // Answered by `call` itself.
            MapCall::Get { .. }
            | MapCall::Set { .. }
            | MapCall::Delete { .. }
            | MapCall::Exists { .. }
            | MapCall::Add { .. }
            | MapCall::Scan { .. }
            | MapCall::Batch { .. }
            | MapCall::Clear { .. }
            | MapCall::Watch { .. }
            | MapCall::Next { .. }
            | MapCall::Stat { .. } => return Err(MapError::NotSupported("this call")),
        };
        Ok(MapReply::Number(u64::from(handle)))
    }

    fn call_region(&self, call: &MapCall<'_>) -> Refusable<MapReply> {
        let MapCall::RegionMap {
            handle,
            key,
            offset,
            bytes,
            prot,
        } = *call
        else {
            return Err(MapError::NotSupported("this call"));
        };
        check_key(key)?;
        let access = Access::of_abi(prot)?;
        Lease::check_grain(offset, bytes)?;
        let range = offset..offset.saturating_add(u64::from(bytes));
        let lease = self.region(handle, key, (access, range))?;
        Ok(MapReply::Region(Arc::new(lease)))
    }

    #[inline]
    fn call_get(&self, handle: u32, key: &[u8]) -> Called {
        let map = match self.map_for(handle, key, Rights::READ) {
            Ok(map) => map,
            Err(error) => return refused(error),
        };
        let max = map.options().value_bytes_max;
        let mut see = |seen: Seen<'_>| entry(seen.value.clone(), (seen.version, max));
        match map.store().read(key, &mut see) {
            Answer::Now(Ok(Some(reply))) => Called::Now(reply),
            Answer::Now(Ok(None)) => refused(MapError::NoEntry),
            Answer::Now(Err(error)) => refused(error),
            Answer::Later(later) => reply_later(async move {
                let found = later.await?.ok_or(MapError::NoEntry)?;
                Ok(entry(found.value, (found.version, max)))
            }),
        }
    }

    fn call_exists(&self, handle: u32, key: &[u8]) -> Called {
        let map = match self.map_for(handle, key, Rights::READ) {
            Ok(map) => map,
            Err(error) => return refused(error),
        };
        let number = |is_there| MapReply::Number(u64::from(is_there));
        match map.store().read(key, &mut |_: Seen<'_>| ()) {
            Answer::Now(Ok(seen)) => Called::Now(number(seen.is_some())),
            Answer::Now(Err(error)) => refused(error),
            Answer::Later(later) => reply_later(async move { Ok(number(later.await?.is_some())) }),
        }
    }

    fn call_set(&self, handle: u32, key: &[u8], (value, terms): (&[u8], Terms)) -> Called {
        let map = match self.map_for(handle, key, Rights::WRITE) {
            Ok(map) => map,
            Err(error) => return refused(error),
        };
        // Before it is copied.
        let max = map.options().value_bytes_max;
        if value.len() > max {
            let (what, max) = ("bytes of a value", max as u64);
            return refused(MapError::NoSpace { what, max });
        }
        let written = (key, Value::copy_of(value), terms);
        let answer = map.stored().write_for(self.payer(handle), written);
        self.settle();
        reply(answer, MapReply::Number)
    }

    fn call_delete(&self, handle: u32, key: &[u8]) -> Called {
        let map = match self.map_for(handle, key, Rights::DELETE) {
            Ok(map) => map,
            Err(error) => return refused(error),
        };
        let answer = map.store().remove(key, Condition::Always);
        self.settle();
        reply(answer, |()| MapReply::Done)
    }

    fn call_add(&self, handle: u32, key: &[u8], delta: i64) -> Called {
        let map = match self.map_for(handle, key, Rights::WRITE) {
            Ok(map) => map,
            Err(error) => return refused(error),
        };
        let answer = map.stored().add_for(self.payer(handle), key, delta);
        reply(answer, |counted| {
            MapReply::Counted(counted.value, counted.version)
        })
    }

    fn call_scan(&mut self, handle: u32, prefix: &[u8], (cursor, bytes): (&Cursor, u32)) -> Called {
        if let Err(error) = check_key(prefix) {
            return refused(error);
        }
        let answer = self.scan(handle, cursor, (prefix, bytes as usize));
        reply(answer, |(page, next)| {
            MapReply::Page(packed::page(&page.items), next)
        })
    }

    fn call_batch(&self, handle: u32, ops: &[MapOp<'_>]) -> Called {
        match self.begin_batch(handle, ops) {
            Ok(called) => called,
            Err(error) => refused(error),
        }
    }

    fn begin_batch(&self, handle: u32, ops: &[MapOp<'_>]) -> Refusable<Called> {
        if ops.len() > limits::BATCH_OPS_MAX {
            return Err(MapError::Invalid("a batch has at most 1024 operations"));
        }
        let mut needed = Rights::default();
        for op in ops {
            let (key, right) = match op {
                MapOp::Check { key, .. } => (key, Rights::READ),
                MapOp::Set { key, .. } | MapOp::Add { key, .. } => (key, Rights::WRITE),
                MapOp::Delete { key } => (key, Rights::DELETE),
            };
            check_key(key)?;
            needed = needed.and(right);
        }
        let map = self.map(handle, needed)?;
        // Before they are copied.
        check_bytes(ops, map.options().value_bytes_max)?;
        let ops: Vec<Op> = ops.iter().map(owned).collect();
        let answer = map.stored().batch_for(self.payer(handle), &ops);
        self.settle();
        Ok(reply(answer, |done| {
            MapReply::Bytes(packed::results(&done))
        }))
    }

    fn call_clear(&self, handle: u32) -> Called {
        let map = match self.map(handle, Rights::CLEAR) {
            Ok(map) => map,
            Err(error) => return refused(error),
        };
        let answer = map.store().clear();
        self.settle();
        reply(answer, MapReply::Number)
    }

    fn call_watch(&mut self, handle: u32, prefix: &[u8]) -> Called {
        if let Err(error) = check_key(prefix) {
            return refused(error);
        }
        let number = |watch| MapReply::Number(u64::from(watch));
        reply(self.watch(handle, prefix), number)
    }

    fn call_next(&self, watch: u32, timeout_ms: i64, bytes: u32) -> Called {
        let following = match self.following(watch) {
            Ok(following) => following,
            Err(error) => return refused(error),
        };
        let packed = |changes: Vec<_>| MapReply::Bytes(packed::changes(&changes));
        let bytes = bytes as usize;
        match following.watch.take_some(bytes) {
            Err(error) => refused(error),
            Ok(changes) if !changes.is_empty() => Called::Now(packed(changes)),
            Ok(_) if timeout_ms == 0 => refused(MapError::Again { current: 0 }),
            Ok(_) => reply_later(async move {
                let next = poll_fn(|context| following.watch.poll_some(bytes, context)).await;
                match following.loan {
                    Some(loan) if loan.is_over() => Err(MapError::Stale),
                    Some(_) | None => next.map(packed),
                }
            }),
        }
    }

    fn call_stat(&self, handle: u32) -> Called {
        let facts = self.map(handle, Rights::READ);
        let facts = match facts {
            Ok(map) => (map.id(), *map.options(), map.name().is_some()),
            Err(error) => return refused(error),
        };
        reply(self.stat(handle), move |stat| {
            let (id, options, is_named) = facts;
            let stat = packed::stat(&stat, (id, &options, is_named));
            MapReply::Bytes(Bytes::copy_from_slice(&stat))
        })
    }

    #[inline]
    fn map_for(&self, handle: u32, key: &[u8], needed: Rights) -> Refusable<super::InUse<'_>> {
        check_key(key)?;
        self.map(handle, needed)
    }
}

#[inline]
fn check_key(key: &[u8]) -> Refusable<()> {
    if key.len() <= limits::KEY_BYTES_MAX {
        return Ok(());
    }
    Err(MapError::Invalid("the key is longer than 64 KiB"))
}

/// Whether the bytes of a batch may be copied, each value and all together.
fn check_bytes(ops: &[MapOp<'_>], value_bytes_max: usize) -> Refusable<()> {
    let mut all = 0_usize;
    for op in ops {
        let (key, value) = match *op {
            MapOp::Set { key, value, .. } => (key, value),
            MapOp::Check { key, .. } | MapOp::Delete { key } | MapOp::Add { key, .. } => {
                (key, &[][..])
            }
        };
        if value.len() > value_bytes_max {
            let (what, max) = ("bytes of a value", value_bytes_max as u64);
            return Err(MapError::NoSpace { what, max });
        }
        all = all.saturating_add(key.len()).saturating_add(value.len());
    }
    if all > limits::BATCH_BYTES_MAX {
        let (what, max) = ("bytes of a batch", limits::BATCH_BYTES_MAX as u64);
        return Err(MapError::NoSpace { what, max });
    }
    Ok(())
}

fn owned(op: &MapOp<'_>) -> Op {
    let copy = |key: &[u8]| Bytes::copy_from_slice(key);
    match *op {
        MapOp::Check { key, condition } => Op::Check(copy(key), condition),
        MapOp::Set { key, value, terms } => Op::Set(copy(key), Value::copy_of(value), terms),
        MapOp::Delete { key } => Op::Delete(copy(key)),
        MapOp::Add { key, delta } => Op::Add(copy(key), delta),
    }
}

/// The reply to a get: guests see bytes, and follow references by `get_map`. Of a region they get a
/// copy, if it is no longer than values are here.
fn entry(value: Value, (version, bytes_max): (u64, usize)) -> MapReply {
    if value.child().is_some() {
        return MapError::Invalid("the entry refers to a map").into();
    }
    let Some(region) = value.as_region() else {
        return MapReply::Entry(value, version);
    };
    let copy = region.copy(version, bytes_max);
    copy.map_or_else(MapReply::from, |copy| {
        MapReply::Entry(Value::from(copy), version)
    })
}

fn refused(error: MapError) -> Called {
    Called::Now(error.into())
}

fn reply<T: 'static>(answer: Answer<T>, into: impl FnOnce(T) -> MapReply + 'static) -> Called {
    match answer {
        Answer::Now(result) => Called::Now(result.map_or_else(MapReply::from, into)),
        Answer::Later(later) => reply_later(async move { later.await.map(into) }),
    }
}

fn reply_later(reply: impl Future<Output = Refusable<MapReply>> + 'static) -> Called {
    Called::Later(Box::pin(async move {
        reply.await.unwrap_or_else(MapReply::from)
    }))
}
