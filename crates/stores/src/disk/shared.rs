//! What the callers of a map and its threads have in common, and how changes become visible.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use weir_maps::budget::{Amount, Budget, Room};
use weir_maps::watch::{Wakes, Watchers};
use weir_maps::{Clock, Event, Eviction, MapError, MapOptions};
use weir_model::limits::maps as map_limits;
use weir_model::limits::{disk as limits, maps::BATCH_OPS_MAX};

use super::ending::Ending;
use super::file::File;
use super::index::{Hand, Index, Written};
use super::pending::Pending;
use super::queue::Queue;
use super::readers::Readers;
use super::record::{Name, sum};
use super::stage::{Change, Outcome, Plan, Stage, Versions, Work};

/// When an operation is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// When the disk has it.
    Synced,
    /// At once. The disk has it this much later, if it can.
    Relaxed(Duration),
}

/// What readers see.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) index: Index,
    /// What is visible and not on the disk yet: only if the map is relaxed.
    pub(crate) dirty: Pending,
    /// Since when there is any.
    pub(crate) dirty_since: Option<Instant>,
}

impl State {
    /// Notes since when there is something to write, and answers whether that is new.
    pub(crate) fn note_dirt(&mut self) -> bool {
        let first = self.dirty_since.is_none() && !self.dirty.is_empty();
        if first {
            self.dirty_since = Some(Instant::now());
        }
        first
    }
}

/// What is to be done when no lock is held any more: keep it longer than the lock.
#[derive(Debug, Default)]
pub(crate) struct After {
    /// Who waits for changes.
    wakes: Wakes,
    /// What was cleared: it may be much.
    gone: Vec<Index>,
}

/// A map over a file.
pub(crate) struct Shared {
    state: RwLock<State>,
    pub(crate) file: File,
    pub(crate) options: MapOptions,
    pub(crate) durability: Durability,
    pub(crate) memory_bytes: usize,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) budget: Budget,
    pub(crate) versions: Versions,
    pub(crate) evicted: AtomicU64,
    pub(crate) expired: AtomicU64,
    /// Where the search for entries to be evicted stopped.
    hand: Mutex<Hand>,
    pub(crate) watchers: Watchers,
    pub(crate) queue: Queue,
    pub(crate) readers: Readers,
    /// The disk failed last time.
    pub(crate) failing: AtomicBool,
    /// No more changes are to come.
    is_closing: AtomicBool,
    pub(crate) ending: Ending,
}

/// What a map is made of.
pub(crate) struct Parts {
    pub(crate) index: Index,
    pub(crate) file: File,
    pub(crate) options: MapOptions,
    pub(crate) durability: Durability,
    pub(crate) memory_bytes: usize,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) budget: Budget,
}

impl Shared {
    pub(crate) fn new(parts: Parts) -> Self {
        parts.budget.restore(parts.index.total);
        Self {
            versions: Versions::after(parts.file.ceiling()),
            state: RwLock::new(State {
                index: parts.index,
                ..State::default()
            }),
            file: parts.file,
            options: parts.options,
            durability: parts.durability,
            memory_bytes: parts.memory_bytes,
            clock: parts.clock,
            budget: parts.budget,
            evicted: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            hand: Mutex::default(),
            watchers: Watchers::default(),
            queue: Queue::default(),
            readers: Readers::default(),
            failing: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
            ending: Ending::default(),
        }
    }

    pub(crate) fn see(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn change(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets what was begun be written, and nothing more.
    pub(crate) fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
        self.queue.close();
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Does an operation at once, if the map is relaxed and nothing stands against it: `None` means
    /// that the thread which writes must be asked.
    pub(crate) fn at_once(&self, work: &Work) -> Option<Result<Outcome, MapError>> {
        let asked = self.durability == Durability::Synced
            || self.failing.load(Ordering::Acquire)
            || self.is_near_ceiling();
        if asked || matches!(work, Work::Clear) {
            return None;
        }
        let mut after = After::default();
        let mut state = self.change();
        // Asked under the lock: what is done after the last look of the thread would be lost.
        let is_closing = self.is_closing.load(Ordering::Acquire);
        if is_closing || state.dirty.bytes > limits::UNSYNCED_BYTES_MAX {
            return None;
        }
        let result = self.execute(&mut state, work, &mut after);
        let first = state.note_dirt();
        let much = state.dirty.bytes > limits::UNSYNCED_BYTES_MAX / 2;
        drop(state);
        if first || much {
            self.queue.nudge();
        }
        Some(result)
    }

    /// Whether versions could be given out soon that the disk does not know of.
    pub(crate) fn is_near_ceiling(&self) -> bool {
        // As many as one operation takes, with what gives way to it, and some other threads' ones.
        let room = limits::VERSIONS_AHEAD / 4 + BATCH_OPS_MAX as u64;
        self.versions.last().saturating_add(room) > self.file.ceiling()
    }

    /// Does an operation on what is visible; the disk follows.
    pub(crate) fn execute(
        &self,
        state: &mut State,
        work: &Work,
        after: &mut After,
    ) -> Result<Outcome, MapError> {
        let nothing = Pending::default();
        let mut removed = 0;
        loop {
            let stage = self.stage(&state.index, &nothing, state.index.total);
            let plan = stage.decide(work)?;
            let Err(refused) = self.budget.change(plan.freed, plan.needed, None) else {
                self.apply(state, &plan.changes, Written::NotYet, after);
                return Ok(plan.outcome);
            };
            let room = self.room(stage, &plan);
            removed += room.changes.len();
            if room.changes.is_empty() || removed > map_limits::REMOVED_FOR_ROOM_MAX {
                return Err(refused);
            }
            self.budget.free(room.freed);
            self.apply(state, &room.changes, Written::NotYet, after);
        }
    }

    /// An operation's plan, with room for it: what goes before it is in plans of its own.
    pub(crate) fn admit(
        &self,
        index: &Index,
        (pending, mut total): (&mut Pending, Amount),
        work: &Work,
    ) -> Result<(Vec<Plan>, Plan), (Vec<Plan>, MapError)> {
        let mut before: Vec<Plan> = Vec::new();
        let mut removed = 0;
        loop {
            let stage = self.stage(index, pending, total);
            let plan = match stage.decide(work) {
                Ok(plan) => plan,
                Err(refused) => return Err((before, refused)),
            };
            let Err(refused) = self.budget.change(plan.freed, plan.needed, None) else {
                note(pending, &plan.changes);
                return Ok((before, plan));
            };
            let room = self.room(stage, &plan);
            removed += room.changes.len();
            if room.changes.is_empty() || removed > map_limits::REMOVED_FOR_ROOM_MAX {
                return Err((before, refused));
            }
            self.budget.free(room.freed);
            total = super::record::rest(total, room.freed);
            note(pending, &room.changes);
            before.push(room);
        }
    }

    pub(crate) fn stage<'a>(
        &'a self,
        index: &'a Index,
        pending: &'a Pending,
        total: Amount,
    ) -> Stage<'a> {
        Stage {
            index,
            pending,
            total,
            now_ms: self.now_ms(),
            options: &self.options,
            versions: &self.versions,
        }
    }

    /// Makes changes visible, under the lock that all readers respect.
    pub(crate) fn apply(
        &self,
        state: &mut State,
        changes: &[Change],
        written: Written,
        after: &mut After,
    ) {
        for change in changes {
            match change {
                Change::Entry {
                    name,
                    now,
                    event,
                    version,
                } => {
                    let was = state.index.get(name).is_some();
                    match now {
                        Some(record) => state.index.put(name, record.clone(), written),
                        None => state.index.remove(name),
                    }
                    let counter = match event {
                        Event::Evicted => Some(&self.evicted),
                        Event::Expired => Some(&self.expired),
                        Event::Set | Event::Deleted => None,
                    };
                    if let Some(counter) = counter {
                        counter.fetch_add(1, Ordering::Relaxed);
                    }
                    if was || now.is_some() {
                        self.watchers.note(name, *event, *version, &mut after.wakes);
                    }
                }
                Change::Cleared => {
                    after.gone.push(state.index.take_all());
                    self.watchers.tell_cleared(&mut after.wakes);
                }
            }
        }
        if written == Written::NotYet {
            note(&mut state.dirty, changes);
        }
        state.index.cool(self.memory_bytes);
    }

    /// What can go for the sake of a plan: what has ended, or else what was not used for long.
    fn room(&self, stage: Stage<'_>, plan: &Plan) -> Plan {
        let ended = stage.sweep(map_limits::EVICTION_LOOKS_MAX);
        if !ended.changes.is_empty() || self.options.eviction == Eviction::Refuse {
            return ended;
        }
        if self.budget.room_for(plan.needed, None) == Room::Never {
            return stage.removal(Vec::new(), Event::Evicted);
        }
        let own = |name: &Name| {
            let is_it = |change: &Change| match change {
                Change::Entry { name: changed, .. } => changed == name,
                Change::Cleared => true,
            };
            plan.changes.iter().any(is_it)
        };
        let short = plan.needed.bytes.saturating_sub(plan.freed.bytes);
        let mut hand = self.hand.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<Name> = Vec::new();
        let mut bytes = 0;
        while names.len() < map_limits::EVICTION_LOOKS_MAX && (bytes < short || names.is_empty()) {
            let may = |name: &Name| stage.is_untouched(name) && !own(name) && !names.contains(name);
            let Some(name) = stage.index.least_used(&mut hand, may) else {
                break;
            };
            let length = stage.index.get(&name).map(|slot| slot.record.held.length());
            bytes += super::record::cost(&name, length.unwrap_or_default()).bytes;
            names.push(name);
        }
        stage.removal(names, Event::Evicted)
    }

    /// Counts as it was before these plans.
    pub(crate) fn undo(&self, plans: &[Plan]) {
        let both = plans.iter().map(|plan| (plan.freed, plan.needed));
        let (freed, needed) = both.fold(Default::default(), |(freed, needed), plan| {
            (sum(freed, plan.0), sum(needed, plan.1))
        });
        self.budget.restore(freed);
        self.budget.free(needed);
    }
}

/// Notes changes for a transaction.
pub(crate) fn note(pending: &mut Pending, changes: &[Change]) {
    for change in changes {
        match change {
            Change::Entry { name, now, .. } => pending.put(name, now.clone()),
            Change::Cleared => pending.clear(),
        }
    }
}

/// With the last of its threads.
impl Drop for Shared {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.budget.free(state.index.total);
        self.budget.close(own_cost());
    }
}

/// What a map costs its owner without any entry.
pub(crate) fn own_cost() -> Amount {
    Amount {
        entries: 0,
        bytes: map_limits::MAP_BYTES,
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("path", &self.file.path())
            .finish_non_exhaustive()
    }
}
