//! Batches: the shards of all their keys are locked in one order, everything is decided against
//! what is there, and only then stored, behind the gate.

use std::collections::{BTreeMap, BTreeSet};

use weir_model::limits::maps as limits;

use super::MemoryStore;
use super::write::{Current, Next, cost};
use crate::MapError;
use crate::budget::Amount;
use crate::store::{Counted, Done, Op, Terms};
use crate::value::Value;
use crate::watch::{Event, Wakes};

/// What becomes of a key, by the operations so far.
struct Staged {
    old: Option<Current>,
    now: Option<Current>,
    changed: bool,
}

type Stage<'a> = BTreeMap<&'a [u8], Staged>;

impl MemoryStore {
    pub(super) fn all_or_none(&self, ops: &[Op]) -> Result<Vec<Done>, MapError> {
        if ops.len() > limits::BATCH_OPS_MAX {
            return Err(MapError::Invalid("a batch has at most 1024 operations"));
        }
        for op in ops {
            match op {
                Op::Set(key, value, terms) => self.check(key, Some(value), terms.ttl)?,
                Op::Check(key, _) | Op::Delete(key) | Op::Add(key, _) => {
                    self.check(key, None, None)?;
                }
            }
            if matches!(op, Op::Set(_, value, _) if value.child().is_some()) {
                return Err(MapError::NotSupported("references to maps in a batch"));
            }
        }
        self.with_room(|wakes| self.try_batch(ops, wakes))
    }

    fn try_batch(&self, ops: &[Op], wakes: &mut Wakes) -> Result<Vec<Done>, MapError> {
        let hashes = ops.iter().map(|op| self.probe(op.key()).hash);
        let shards: BTreeSet<usize> = hashes.map(|hash| self.shard(hash)).collect();
        let mut indexes: BTreeMap<usize, _> = shards
            .into_iter()
            .map(|shard| (shard, self.shards[shard].lock()))
            .collect();
        let mut stage = Stage::new();
        let done = ops.iter().map(|op| self.stage(&mut stage, op));
        let done = done.collect::<Result<Vec<_>, _>>()?;
        stage.retain(|_, staged| staged.changed);
        self.reserve_all(&stage)?;
        let closed = self.gate.close();
        for (key, staged) in stage {
            let probe = self.probe(key);
            let Some(index) = indexes.get_mut(&self.shard(probe.hash)) else {
                continue;
            };
            match staged.now {
                Some(now) => {
                    let next = Next {
                        value: &now.value,
                        version: now.version,
                        expires_ms: now.expires_ms,
                    };
                    self.store(index, (probe, staged.old), &next, wakes);
                }
                None => self.forget(index, probe, Event::Deleted, wakes),
            }
        }
        drop(closed);
        Ok(done)
    }

    fn stage<'a>(&self, stage: &mut Stage<'a>, op: &'a Op) -> Result<Done, MapError> {
        let staged = stage.entry(op.key()).or_insert_with(|| {
            let old = self.current(self.probe(op.key()));
            let now = old.clone().filter(|old| self.lives(old));
            Staged {
                old,
                now,
                changed: false,
            }
        });
        let version = staged.now.as_ref().map_or(0, |now| now.version);
        match op {
            Op::Check(_, condition) if condition.holds(version) => Ok(Done::Checked(version)),
            Op::Check(..) => Err(MapError::Again { current: version }),
            Op::Set(_, value, terms) => self.stage_set(staged, value, *terms),
            Op::Delete(_) => {
                let was = staged.now.take().is_some();
                // An entry whose time is up is left to the sweep.
                staged.changed |= was;
                Ok(Done::Deleted(was))
            }
            Op::Add(_, delta) => self.stage_add(staged, *delta),
        }
    }

    fn stage_set(&self, at: &mut Staged, value: &Value, terms: Terms) -> Result<Done, MapError> {
        let current = at.now.as_ref().map_or(0, |now| now.version);
        if !terms.condition.holds(current) {
            return Err(MapError::Again { current });
        }
        let version = self.next_version();
        at.now = Some(Current {
            value: value.clone(),
            version,
            expires_ms: self.end_of(terms.ttl),
        });
        at.changed = true;
        Ok(Done::Stored(version))
    }

    fn stage_add(&self, at: &mut Staged, delta: i64) -> Result<Done, MapError> {
        let before = at.now.as_ref();
        let number = before.map_or(Ok(0), |now| now.value.as_number())?;
        let value = number.checked_add(delta);
        let value = value.ok_or(MapError::Overflow { needed: 0 })?;
        let version = self.next_version();
        let expires_ms = before.map_or_else(|| self.end_of(None), |now| now.expires_ms);
        at.now = Some(Current {
            value: Value::number(value),
            version,
            expires_ms,
        });
        at.changed = true;
        Ok(Done::Counted(Counted { value, version }))
    }

    /// Reserves what the batch adds in all; what it frees is counted as it goes.
    fn reserve_all(&self, stage: &Stage<'_>) -> Result<(), MapError> {
        let mut freed = Amount::default();
        let mut needed = Amount::default();
        for (key, staged) in stage {
            // Deleted ones are freed by `forget`: nobody else may take that room before.
            let Some(now) = &staged.now else {
                continue;
            };
            let new = cost(key, &now.value);
            needed.entries += new.entries;
            needed.bytes += new.bytes;
            let old = staged.old.as_ref().map(|old| cost(key, &old.value));
            freed.entries += old.map_or(0, |old| old.entries);
            freed.bytes += old.map_or(0, |old| old.bytes);
        }
        self.budget.change(freed, needed)
    }
}
