//! Batches: the shards of all their keys are locked in one order, everything is decided against
//! what is there, and only then stored, behind the gate.

use std::collections::{BTreeMap, BTreeSet};

use super::MemoryStore;
use super::make_room::Wanted;
use super::write::{Current, Next, cost, freed_by, stays};
use crate::MapError;
use crate::budget::Amount;
use crate::budget::payers::{Charge, Payer};
use crate::store::{Condition, Counted, Done, Op, Terms};
use crate::value::Value;
use crate::watch::{Event, Wakes};

/// What becomes of a key, by the operations so far.
struct Staged {
    old: Option<Current>,
    /// Once it is changed its version is the number of the change within the batch: versions are
    /// given when nothing can be refused any more.
    now: Option<Current>,
    changed: bool,
    /// What the map has now, 0 for none.
    version: u64,
}

impl Staged {
    /// Whether a condition holds. Nobody can know the version of what the batch itself has stored.
    fn allows(&self, condition: Condition) -> Result<(), MapError> {
        let is_there = self.now.is_some();
        let holds = match condition {
            Condition::Always => true,
            Condition::Absent => !is_there,
            Condition::Version(_) => is_there && !self.changed && condition.holds(self.version),
        };
        let current = self.version;
        if holds {
            Ok(())
        } else {
            Err(MapError::Again { current })
        }
    }
}

/// What an operation did.
enum Told {
    Known(Done),
    /// Its version is the number of a change.
    Fresh(Done),
}

type Stage<'a> = BTreeMap<&'a [u8], Staged>;

impl MemoryStore {
    pub(super) fn all_or_none(&self, ops: &[Op], payer: Payer) -> Result<Vec<Done>, MapError> {
        self.options.admit_all(ops)?;
        let refers = |op: &Op| matches!(op, Op::Set(_, value, _) if value.child().is_some());
        if ops.iter().any(refers) {
            return Err(MapError::NotSupported("references to maps in a batch"));
        }
        self.with_room(|| wanted(ops), |wakes| self.try_batch((ops, payer), wakes))
    }

    fn try_batch(
        &self,
        (ops, payer): (&[Op], Payer),
        wakes: &mut Wakes,
    ) -> Result<Vec<Done>, MapError> {
        let hashes = ops.iter().map(|op| self.probe(op.key()).hash);
        let shards: BTreeSet<usize> = hashes.map(|hash| self.shard(hash)).collect();
        let mut indexes: BTreeMap<usize, _> = shards
            .into_iter()
            .map(|shard| (shard, self.shards[shard].lock()))
            .collect();
        let mut stage = Stage::new();
        let mut changes = 0;
        let told = ops
            .iter()
            .map(|op| self.stage(&mut stage, (op, payer), &mut changes));
        let told = told.collect::<Result<Vec<_>, _>>()?;
        stage.retain(|_, staged| staged.changed);
        self.reserve_all(ops, &stage, payer)?;
        let done = self.give_versions(&mut stage, told, changes);
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
                        payer: now.payer,
                    };
                    self.store(index, (probe, staged.old), &next, wakes);
                }
                None => self.forget(index, probe, Event::Deleted, wakes),
            }
        }
        drop(closed);
        Ok(done)
    }

    /// Puts versions in the place of numbers of changes.
    fn give_versions(&self, stage: &mut Stage<'_>, told: Vec<Told>, changes: u64) -> Vec<Done> {
        let versions: Vec<u64> = (0..changes).map(|_| self.next_version()).collect();
        let version = |change: u64| {
            let place = usize::try_from(change).ok().and_then(|n| n.checked_sub(1));
            let version = place.and_then(|place| versions.get(place));
            version.copied().unwrap_or_default()
        };
        for now in stage.values_mut().filter_map(|staged| staged.now.as_mut()) {
            now.version = version(now.version);
        }
        let done = |told| match told {
            Told::Known(done) | Told::Fresh(done @ Done::Deleted(_)) => done,
            Told::Fresh(Done::Checked(change)) => Done::Checked(version(change)),
            Told::Fresh(Done::Stored(change)) => Done::Stored(version(change)),
            Told::Fresh(Done::Counted(counted)) => Done::Counted(Counted {
                version: version(counted.version),
                ..counted
            }),
        };
        told.into_iter().map(done).collect()
    }

    fn stage<'a>(
        &self,
        stage: &mut Stage<'a>,
        (op, payer): (&'a Op, Payer),
        changes: &mut u64,
    ) -> Result<Told, MapError> {
        let staged = stage.entry(op.key()).or_insert_with(|| {
            let old = self.current(self.probe(op.key()));
            let now = old.clone().filter(|old| self.lives(old));
            Staged {
                version: now.as_ref().map_or(0, |now| now.version),
                old,
                now,
                changed: false,
            }
        });
        match op {
            Op::Check(_, condition) => {
                staged.allows(*condition)?;
                let version = staged.now.as_ref().map_or(0, |now| now.version);
                let is_fresh = staged.changed && version != 0;
                let told = if is_fresh { Told::Fresh } else { Told::Known };
                Ok(told(Done::Checked(version)))
            }
            Op::Set(_, value, terms) => {
                staged.allows(terms.condition)?;
                *changes += 1;
                let done = self.stage_set(staged, (value, *terms, payer), *changes);
                Ok(Told::Fresh(done))
            }
            Op::Delete(_) => {
                let was = staged.now.take().is_some();
                // An entry whose time is up is left to the sweep.
                staged.changed |= was;
                Ok(Told::Known(Done::Deleted(was)))
            }
            Op::Add(_, delta) => {
                *changes += 1;
                self.stage_add(staged, (*delta, payer), *changes)
                    .map(Told::Fresh)
            }
        }
    }

    fn stage_set(
        &self,
        at: &mut Staged,
        (value, terms, payer): (&Value, Terms, Payer),
        version: u64,
    ) -> Done {
        at.now = Some(Current {
            value: value.clone(),
            version,
            expires_ms: self.end_of(terms.ttl),
            payer,
        });
        at.changed = true;
        Done::Stored(version)
    }

    fn stage_add(
        &self,
        at: &mut Staged,
        (delta, payer): (i64, Payer),
        version: u64,
    ) -> Result<Done, MapError> {
        let before = at.now.as_ref();
        let number = before.map_or(Ok(0), |now| now.value.as_number())?;
        let value = number.checked_add(delta);
        let value = value.ok_or(MapError::Overflow { needed: 0 })?;
        let expires_ms = before.map_or_else(|| self.end_of(None), |now| now.expires_ms);
        let payer = before.map_or(payer, |now| now.payer);
        at.now = Some(Current {
            value: Value::number(value),
            version,
            expires_ms,
            payer,
        });
        at.changed = true;
        Ok(Done::Counted(Counted { value, version }))
    }

    /// Reserves what the batch adds in all; what it frees is counted as it goes.
    fn reserve_all(&self, ops: &[Op], stage: &Stage<'_>, payer: Payer) -> Result<(), MapError> {
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
            let old = staged.old.as_ref();
            let old = old.map(|old| freed_by(key, &old.value, &now.value));
            freed.entries += old.map_or(0, |old| old.entries);
            freed.bytes += old.map_or(0, |old| old.bytes);
        }
        let bytes_max = ops.iter().filter_map(|op| match op {
            Op::Set(_, _, terms) => terms.bytes_max,
            Op::Check(..) | Op::Delete(_) | Op::Add(..) => None,
        });
        let stay_all = || {
            for staged in stage.values() {
                if let Some(now) = &staged.now {
                    stays(staged.old.as_ref(), &now.value);
                }
            }
        };
        let changed = self.budget.change(freed, needed, bytes_max.min());
        changed.inspect_err(|_| stay_all())?;
        self.charge_all(stage, payer).inspect_err(|_| {
            self.budget.free(needed);
            self.budget.restore(freed);
            stay_all();
        })
    }

    /// The same for those who pay: whoever asked for the batch has to have room, the others gain or
    /// keep what they had.
    fn charge_all(&self, stage: &Stage<'_>, payer: Payer) -> Result<(), MapError> {
        let mut own = Charge {
            payer,
            ..Charge::default()
        };
        let mut others = Vec::new();
        for (key, staged) in stage {
            let Some(now) = &staged.now else {
                continue;
            };
            let old = staged.old.as_ref();
            let old = old.map(|old| (old.payer, cost(key, &old.value)));
            let Some(charge) = Charge::of(now.payer, cost(key, &now.value), old) else {
                continue;
            };
            if charge.payer != payer {
                others.push(charge);
                continue;
            }
            own.freed = own.freed.and(charge.freed);
            own.needed = own.needed.and(charge.needed);
            others.extend(charge.other.map(|other| Charge {
                other: Some(other),
                ..Charge::default()
            }));
        }
        self.payers.charge(Some(&own))?;
        for charge in others {
            // Its own payer did not ask for this, and pays as much as before.
            self.payers.pay(charge.payer, charge.needed);
            self.payers.free(charge.payer, charge.freed);
            if let Some((other, cost)) = charge.other {
                self.payers.free(other, cost);
            }
        }
        Ok(())
    }
}

/// What a batch stores, if each key was new.
fn wanted(ops: &[Op]) -> Wanted {
    let mut stored: BTreeMap<&[u8], Amount> = BTreeMap::new();
    let mut bytes_max = None;
    for op in ops {
        match op {
            Op::Check(..) => {}
            Op::Delete(key) => {
                stored.remove(&key[..]);
            }
            Op::Set(key, value, terms) => {
                stored.insert(key, cost(key, value));
                bytes_max = bytes_max.into_iter().chain(terms.bytes_max).min();
            }
            Op::Add(key, _) => {
                stored.insert(key, cost(key, &Value::number(0)));
            }
        }
    }
    let sum = stored.values().fold(Amount::default(), |sum, one| Amount {
        entries: sum.entries + one.entries,
        bytes: sum.bytes + one.bytes,
    });
    (sum, bytes_max)
}
