//! What an operation would do, decided against what is visible and what is pending, without doing it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use weir_maps::budget::Amount;
use weir_maps::store::{Condition, Counted, Done, Op, Terms};
use weir_maps::{Event, MapError, MapOptions, Value};

use super::index::Index;
use super::pending::{Known, Pending};
use super::record::{Held, NEVER, Name, Record, cost, sum};

/// What is asked of a map.
#[derive(Debug)]
pub(crate) enum Work {
    /// All of these or none.
    Ops(Vec<Op>),
    /// The removal of an entry that must be there.
    Remove(Bytes, Condition),
    Clear,
    /// The removal of as many entries whose time is up.
    Sweep(usize),
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    Done(Vec<Done>),
    Removed,
    /// As many entries.
    Gone(u64),
}

/// A change of the map.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Entry {
        name: Name,
        /// `None`: it is gone.
        now: Option<Record>,
        event: Event,
        version: u64,
    },
    Cleared,
}

/// What an operation does if it is done.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) outcome: Outcome,
    pub(crate) changes: Vec<Change>,
    /// Of the budget.
    pub(crate) freed: Amount,
    pub(crate) needed: Amount,
}

/// The source of a map's versions.
#[derive(Debug)]
pub(crate) struct Versions(AtomicU64);

impl Versions {
    pub(crate) fn after(last: u64) -> Self {
        Self(AtomicU64::new(last))
    }

    pub(crate) fn last(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Its low half is never 0 either: Proxy-Wasm's cas is a view of it, and 0 means "whatever".
    pub(crate) fn next(&self) -> u64 {
        loop {
            let version = self.0.fetch_add(1, Ordering::AcqRel) + 1;
            if version.trailing_zeros() < u32::BITS {
                return version;
            }
        }
    }
}

/// Where operations are decided.
#[derive(Clone, Copy)]
pub(crate) struct Stage<'a> {
    /// What is visible.
    pub(crate) index: &'a Index,
    /// What will be, by operations that were decided before.
    pub(crate) pending: &'a Pending,
    /// What the map holds by then.
    pub(crate) total: Amount,
    pub(crate) now_ms: u64,
    pub(crate) options: &'a MapOptions,
    pub(crate) versions: &'a Versions,
}

/// What becomes of a key, by the operations so far.
struct Staged {
    /// What its entry takes of the budget.
    old: Amount,
    now: Option<Record>,
    change: Option<(Event, u64)>,
}

impl Stage<'_> {
    pub(crate) fn decide(&self, work: &Work) -> Result<Plan, MapError> {
        match work {
            Work::Ops(ops) => {
                let mut staged = BTreeMap::new();
                let done = ops.iter().map(|op| self.step(&mut staged, op));
                let done = done.collect::<Result<_, _>>()?;
                Ok(plan(Outcome::Done(done), staged))
            }
            Work::Remove(key, condition) => {
                let mut staged = BTreeMap::new();
                self.remove(self.at(&mut staged, key), *condition)?;
                Ok(plan(Outcome::Removed, staged))
            }
            Work::Clear => Ok(Plan {
                outcome: Outcome::Gone(self.live()),
                changes: vec![Change::Cleared],
                freed: self.total,
                needed: Amount::default(),
            }),
            Work::Sweep(most) => Ok(self.sweep(*most)),
        }
    }

    /// Removes entries whose time is up.
    pub(crate) fn sweep(&self, most: usize) -> Plan {
        let ended = self.index.ended(self.now_ms);
        let ended = ended.filter(|name| self.is_untouched(name));
        self.removal(ended.take(most).cloned().collect(), Event::Expired)
    }

    /// Removes these, which are visible and not pending.
    pub(crate) fn removal(&self, names: Vec<Name>, event: Event) -> Plan {
        let outcome = Outcome::Gone(names.len() as u64);
        let mut freed = Amount::default();
        for name in &names {
            let slot = self.index.get(name);
            freed = slot.map_or(freed, |slot| {
                sum(freed, cost(name, slot.record.held.length()))
            });
        }
        let gone = |name| Change::Entry {
            name,
            now: None,
            event,
            version: self.versions.next(),
        };
        Plan {
            outcome,
            changes: names.into_iter().map(gone).collect(),
            freed,
            needed: Amount::default(),
        }
    }

    /// Whether nothing is pending of an entry.
    pub(crate) fn is_untouched(&self, name: &[u8]) -> bool {
        matches!(self.pending.known(name), Known::Nothing)
    }

    /// Entries that live.
    fn live(&self) -> u64 {
        let lives = |record: &Record| record.lives(self.now_ms);
        let coming = self.pending.changes.values().flatten();
        let coming = coming.filter(|record| lives(record)).count();
        if self.pending.cleared {
            return coming as u64;
        }
        let here = self.index.len() - self.index.ended(self.now_ms).count();
        let changed = self.pending.changes.keys();
        let visible = |name: &&Name| {
            let slot = self.index.get(name);
            slot.is_some_and(|slot| lives(&slot.record))
        };
        (here - changed.filter(visible).count() + coming) as u64
    }

    fn record(&self, key: &[u8]) -> Option<&Record> {
        match self.pending.known(key) {
            Known::Becomes(record) => record,
            Known::Nothing => self.index.get(key).map(|slot| &slot.record),
        }
    }

    fn at<'s>(&self, staged: &'s mut BTreeMap<Name, Staged>, key: &[u8]) -> &'s mut Staged {
        staged.entry(key.into()).or_insert_with(|| {
            let record = self.record(key);
            let length = record.map(|record| record.held.length());
            Staged {
                old: length.map_or(Amount::default(), |length| cost(key, length)),
                now: record.filter(|record| record.lives(self.now_ms)).cloned(),
                change: None,
            }
        })
    }

    fn step(&self, staged: &mut BTreeMap<Name, Staged>, op: &Op) -> Result<Done, MapError> {
        let at = self.at(staged, op.key());
        let current = at.now.as_ref().map_or(0, |now| now.version);
        match op {
            Op::Check(_, condition) if condition.holds(current) => Ok(Done::Checked(current)),
            Op::Check(..) => Err(MapError::Again { current }),
            Op::Set(_, value, terms) => self.set(at, value, *terms),
            Op::Delete(_) => Ok(Done::Deleted(self.remove(at, Condition::Always).is_ok())),
            Op::Add(_, delta) => self.add(at, *delta),
        }
    }

    fn set(&self, at: &mut Staged, value: &Value, terms: Terms) -> Result<Done, MapError> {
        let current = at.now.as_ref().map_or(0, |now| now.version);
        if !terms.condition.holds(current) {
            return Err(MapError::Again { current });
        }
        let expires_ms = self.end_of(terms.ttl);
        Ok(Done::Stored(self.store(at, value.clone(), expires_ms)))
    }

    fn add(&self, at: &mut Staged, delta: i64) -> Result<Done, MapError> {
        let no_counter = MapError::Invalid("the entry is no counter of 8 bytes");
        let (before, expires_ms) = match &at.now {
            None => (0, self.end_of(None)),
            Some(record) => match &record.held {
                Held::Here(value) => (value.as_number()?, record.expires_ms),
                Held::Cold(_) => return Err(no_counter),
            },
        };
        let value = before.checked_add(delta);
        let value = value.ok_or(MapError::Overflow { needed: 0 })?;
        let version = self.store(at, Value::number(value), expires_ms);
        Ok(Done::Counted(Counted { value, version }))
    }

    fn store(&self, at: &mut Staged, value: Value, expires_ms: u64) -> u64 {
        let version = self.versions.next();
        at.now = Some(Record {
            held: Held::Here(value),
            version,
            expires_ms,
        });
        at.change = Some((Event::Set, version));
        version
    }

    fn remove(&self, at: &mut Staged, condition: Condition) -> Result<(), MapError> {
        // An entry whose time is up is left to the sweep.
        let current = at.now.as_ref().map(|now| now.version);
        let current = current.ok_or(MapError::NoEntry)?;
        if !condition.holds(current) {
            return Err(MapError::Again { current });
        }
        at.now = None;
        at.change = Some((Event::Deleted, self.versions.next()));
        Ok(())
    }

    fn end_of(&self, ttl: Option<Duration>) -> u64 {
        let Some(ttl) = ttl.or(self.options.ttl) else {
            return NEVER;
        };
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(NEVER);
        // The last moment that there is means "never": centuries from now.
        self.now_ms.saturating_add(ttl).min(NEVER - 1)
    }
}

/// Sums up what is to be done.
fn plan(outcome: Outcome, staged: BTreeMap<Name, Staged>) -> Plan {
    let mut plan = Plan {
        outcome,
        changes: Vec::with_capacity(staged.len()),
        freed: Amount::default(),
        needed: Amount::default(),
    };
    for (name, staged) in staged {
        let Some((event, version)) = staged.change else {
            continue;
        };
        let length = staged.now.as_ref().map(|now| now.held.length());
        let needed = length.map_or(Amount::default(), |length| cost(&name, length));
        plan.freed = sum(plan.freed, staged.old);
        plan.needed = sum(plan.needed, needed);
        plan.changes.push(Change::Entry {
            name,
            now: staged.now,
            event,
            version,
        });
    }
    plan
}
