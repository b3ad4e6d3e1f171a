//! Changes of single entries. All of them end in [`MemoryStore::store`] or [`MemoryStore::forget`],
//! which keep table, index, budget, references and watchers in step.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use papaya::Guard;
use weir_model::limits::maps as limits;

use super::shard::Index;
use super::{MemoryStore, NEVER, Record};
use crate::MapError;
use crate::budget::Amount;
use crate::budget::payers::{Charge, Payer};
use crate::clock::millis;
use crate::key::{Key, Probe};
use crate::store::{Condition, Counted, Terms};
use crate::value::Value;
use crate::watch::{Event, Wakes};

/// Values from here on are given back to the allocator as soon as no reader looks at them, instead
/// of with a batch of others.
const LARGE_BYTES: usize = 64 << 10;

/// A record that takes up room, live or not.
#[derive(Clone)]
pub(super) struct Current {
    pub(super) value: Value,
    pub(super) version: u64,
    pub(super) expires_ms: u64,
    pub(super) payer: Payer,
}

/// What an entry becomes.
pub(super) struct Next<'a> {
    pub(super) value: &'a Value,
    pub(super) version: u64,
    pub(super) expires_ms: u64,
    pub(super) payer: Payer,
}

impl MemoryStore {
    pub(super) fn put(
        &self,
        key: &[u8],
        value: &Value,
        (terms, payer): (Terms, Payer),
    ) -> Result<u64, MapError> {
        self.check(key, Some(value), terms.ttl)?;
        let probe = self.probe(key);
        let wanted = || (cost(key, value), terms.bytes_max);
        self.with_room(wanted, |wakes| {
            let mut index = self.enter(probe, wakes);
            let current = self.current(probe);
            let version = self.live_version(current.as_ref());
            if !terms.condition.holds(version) {
                return Err(MapError::Again { current: version });
            }
            let charge = charge(key, current.as_ref(), (value, payer));
            let charge = charge.as_ref();
            let freed = self.reserve((key, terms.bytes_max), current.as_ref(), (value, charge))?;
            self.link(key, (current.as_ref(), freed), (value, charge))?;
            let staying = value.staying(&self.budget);
            let next = Next {
                value: staying.as_ref().unwrap_or(value),
                version: self.next_version(),
                expires_ms: self.end_of(terms.ttl),
                payer,
            };
            let version = next.version;
            self.store(&mut index, (probe, current), &next, wakes);
            Ok(version)
        })
    }

    pub(super) fn take_out(&self, key: &[u8], condition: Condition) -> Result<(), MapError> {
        self.check(key, None, None)?;
        let probe = self.probe(key);
        let mut wakes = Wakes::default();
        let mut index = self.enter(probe, &mut wakes);
        let current = self.current(probe);
        let version = self.live_version(current.as_ref());
        if version == 0 {
            return Err(MapError::NoEntry);
        }
        if !condition.holds(version) {
            return Err(MapError::Again { current: version });
        }
        self.forget(&mut index, probe, Event::Deleted, &mut wakes);
        Ok(())
    }

    pub(super) fn count(&self, key: &[u8], delta: i64, payer: Payer) -> Result<Counted, MapError> {
        self.check(key, None, None)?;
        let probe = self.probe(key);
        let wanted = || (cost(key, &Value::number(0)), None);
        self.with_room(wanted, |wakes| {
            let mut index = self.enter(probe, wakes);
            let current = self.current(probe);
            let live = current.as_ref().filter(|current| self.lives(current));
            let before = live.map_or(Ok(0), |current| current.value.as_number())?;
            let sum = before.checked_add(delta);
            let sum = sum.ok_or(MapError::Overflow { needed: 0 })?;
            let value = Value::number(sum);
            let expires_ms = live.map_or_else(|| self.end_of(None), |live| live.expires_ms);
            let payer = live.map_or(payer, |live| live.payer);
            let charge = charge(key, current.as_ref(), (&value, payer));
            self.reserve((key, None), current.as_ref(), (&value, charge.as_ref()))?;
            let next = Next {
                value: &value,
                version: self.next_version(),
                expires_ms,
                payer,
            };
            let version = next.version;
            self.store(&mut index, (probe, current), &next, wakes);
            Ok(Counted {
                value: sum,
                version,
            })
        })
    }

    /// Removes entries whose time is up, `most` at most. Answers how many.
    pub(super) fn sweep_shard(&self, index: &mut Index, most: usize, wakes: &mut Wakes) -> usize {
        if index.ends.is_empty() {
            return 0;
        }
        let now_ms = self.now_ms();
        for swept in 0..most {
            let Some(key) = index.ended(now_ms) else {
                return swept;
            };
            self.forget(index, key.probe(), Event::Expired, wakes);
            self.expired.fetch_add(1, Ordering::Relaxed);
        }
        most
    }

    /// What can be said of arguments without looking at the map.
    pub(super) fn check(
        &self,
        key: &[u8],
        value: Option<&Value>,
        ttl: Option<Duration>,
    ) -> Result<(), MapError> {
        self.options.admit(key, value, ttl)
    }

    /// Locks the shard of a key, and sweeps a little on the way.
    pub(super) fn enter(&self, probe: Probe<'_>, wakes: &mut Wakes) -> MutexGuard<'_, Index> {
        let mut index = self.shards[self.shard(probe.hash)].lock();
        self.sweep_shard(&mut index, limits::EXPIRED_PER_WRITE, wakes);
        index
    }

    pub(super) fn current(&self, probe: Probe<'_>) -> Option<Current> {
        let records = self.table.records.pin();
        records.get(&probe).map(|record| Current {
            value: record.value.clone(),
            version: record.version,
            expires_ms: record.expires_ms,
            payer: record.payer,
        })
    }

    pub(super) fn lives(&self, current: &Current) -> bool {
        current.expires_ms == NEVER || self.now_ms() < current.expires_ms
    }

    /// 0 if there is none, or its time is up.
    pub(super) fn live_version(&self, current: Option<&Current>) -> u64 {
        let live = current.filter(|current| self.lives(current));
        live.map_or(0, |current| current.version)
    }

    pub(super) fn end_of(&self, ttl: Option<Duration>) -> u64 {
        match ttl.or(self.options.ttl) {
            // The last moment that there is means "never": centuries from now.
            Some(ttl) => self.now_ms().saturating_add(millis(ttl)).min(NEVER - 1),
            None => NEVER,
        }
    }

    fn reserve(
        &self,
        (key, bytes_max): (&[u8], Option<u64>),
        old: Option<&Current>,
        (new, charge): (&Value, Option<&Charge>),
    ) -> Result<Amount, MapError> {
        let freed = old.map_or(Amount::default(), |old| freed_by(key, &old.value, new));
        let changed = self.budget.change(freed, cost(key, new), bytes_max);
        changed.inspect_err(|_| stays(old, new))?;
        let charged = self.payers.charge(charge);
        charged.inspect_err(|_| self.give_up(key, (old, freed), new))?;
        Ok(freed)
    }

    /// Takes a reservation back.
    fn give_up(&self, key: &[u8], (old, freed): (Option<&Current>, Amount), new: &Value) {
        self.budget.free(cost(key, new));
        self.budget.restore(freed);
        stays(old, new);
    }

    /// Counts a new reference; takes the reservation back if that is refused.
    fn link(
        &self,
        key: &[u8],
        old: (Option<&Current>, Amount),
        (new, charge): (&Value, Option<&Charge>),
    ) -> Result<(), MapError> {
        let Some(child) = new.child() else {
            return Ok(());
        };
        self.edges.link(child).inspect_err(|_| {
            self.payers.undo(charge);
            self.give_up(key, old, new);
        })
    }

    /// Puts a record into the table. Its room is reserved and its reference counted.
    pub(super) fn store(
        &self,
        index: &mut Index,
        (probe, old): (Probe<'_>, Option<Current>),
        next: &Next<'_>,
        wakes: &mut Wakes,
    ) {
        let records = self.table.records.pin();
        let known = if old.is_none() || probe.is_short() {
            None
        } else {
            records.get_key_value(&probe)
        };
        let key = known.map_or_else(|| probe.to_key(), |(key, _)| key.clone());
        let record = Record {
            value: next.value.clone(),
            version: next.version,
            expires_ms: next.expires_ms,
            // One that is never looked at again goes first.
            used: AtomicBool::new(old.is_some()),
            payer: next.payer,
        };
        records.insert(key.clone(), record);
        if let Some(old) = &old {
            if old.expires_ms != next.expires_ms && old.expires_ms != NEVER {
                index.ends.remove(&(old.expires_ms, key.clone()));
            }
            if !is_same_stay(&old.value, next.value) {
                self.give_back(&old.value);
            }
        } else {
            index.keys.insert(key.clone());
        }
        if next.expires_ms != NEVER {
            let first = index
                .ends
                .first()
                .is_none_or(|(end, _)| next.expires_ms < *end);
            index.ends.insert((next.expires_ms, key.clone()));
            if first {
                self.edges.ends(next.expires_ms);
            }
        }
        if !self.watchers.is_empty() {
            self.watchers.tell(&key, (Event::Set, next.version), wakes);
        }
    }

    /// Takes a record out of the table, whatever its state.
    pub(super) fn forget(
        &self,
        index: &mut Index,
        probe: Probe<'_>,
        event: Event,
        wakes: &mut Wakes,
    ) {
        let records = self.table.records.pin();
        let Some((key, record)) = records.remove_entry(&probe) else {
            return;
        };
        self.unindex(index, key, record);
        if !self.watchers.is_empty() {
            let version = self.next_version();
            self.watchers.tell(key, (event, version), wakes);
        }
    }

    /// Forgets everything that is known of a record that left the table.
    pub(super) fn unindex(&self, index: &mut Index, key: &Key, record: &Record) {
        index.keys.remove(key);
        if record.expires_ms != NEVER {
            index.ends.remove(&(record.expires_ms, key.clone()));
        }
        let bytes = key.bytes();
        self.budget.free(cost_but_region(bytes, &record.value));
        self.payers.free(record.payer, cost(bytes, &record.value));
        self.give_back(&record.value);
    }

    /// A value left the table: ends its reference or stay, or hurries its memory.
    fn give_back(&self, value: &Value) {
        if let Some(stay) = value.stay() {
            stay.leave();
        }
        if let Some(child) = value.child() {
            self.edges.unlink(child);
        } else if value.room() >= LARGE_BYTES || value.as_region().is_some() {
            self.table.records.guard().flush();
        }
    }
}

/// What a new value means for those who pay for entries.
#[inline]
fn charge(key: &[u8], old: Option<&Current>, (new, payer): (&Value, Payer)) -> Option<Charge> {
    let old = old.map(|old| (old.payer, cost(key, &old.value)));
    Charge::of(payer, cost(key, new), old)
}

/// What an entry takes of the budget.
pub(super) fn cost(key: &[u8], value: &Value) -> Amount {
    let bytes = key.len() + value.room() + limits::ENTRY_BYTES;
    Amount {
        entries: 1,
        bytes: bytes as u64,
    }
}

/// The same without the pages of a region, whose stay counts them.
fn cost_but_region(key: &[u8], value: &Value) -> Amount {
    let mut cost = cost(key, value);
    if value.stay().is_some() {
        cost.bytes -= value.room() as u64;
    }
    cost
}

/// What the value of an entry gives back when another takes its place: of a region that somebody has
/// from there not its pages.
pub(super) fn freed_by(key: &[u8], old: &Value, new: &Value) -> Amount {
    match old.stay() {
        Some(stay) if !is_same_stay(old, new) && !stay.close() => cost_but_region(key, old),
        Some(_) | None => cost(key, old),
    }
}

/// The other value does not take the place of this one after all.
pub(super) fn stays(old: Option<&Current>, new: &Value) {
    let Some(old) = old.map(|old| &old.value) else {
        return;
    };
    if let Some(stay) = old.stay()
        && !is_same_stay(old, new)
    {
        stay.reopen();
    }
}

/// Whether both are the same region in the same entry.
fn is_same_stay(one: &Value, other: &Value) -> bool {
    match (one.stay(), other.stay()) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (Some(_) | None, _) => false,
    }
}
