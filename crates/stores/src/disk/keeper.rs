//! The thread that writes one map's file.
//!
//! Of a synced map it does everything: it takes all operations that wait, decides them one after the
//! other, writes what they change in one transaction, and only when the disk has that makes it
//! visible and answers. While it waits for the disk the next group gathers. Of a relaxed map it
//! writes what has changed since the last time, and does what its callers could not do at once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use weir_maps::MapError;
use weir_maps::budget::Amount;
use weir_model::limits::disk as limits;

use super::index::Written;
use super::pending::Pending;
use super::queue::{Request, Turn, closed};
use super::record::{rest, sum};
use super::shared::{After, Durability, Shared};
use super::stage::{Outcome, Plan, Work};

/// Entries that are marked as written under one lock: some microseconds.
const SETTLED_AT_ONCE: usize = 64;

type Reply = oneshot::Sender<Result<Outcome, MapError>>;

/// Operations that are written together.
#[derive(Default)]
struct Group {
    pending: Pending,
    plans: Vec<Plan>,
    replies: Vec<(Reply, Answer)>,
}

/// What to answer when the group is written.
enum Answer {
    /// The outcome of this plan.
    Plan(usize),
    Refused(MapError),
}

/// Works until the map is closed.
pub(crate) fn keep(shared: &Arc<Shared>) {
    // However this ends, nobody is to wait for it for ever.
    let _at_end = AtEnd(shared);
    let mut swept = Instant::now();
    loop {
        let turn = shared.queue.take(next_time(shared, swept));
        if swept.elapsed() >= limits::SWEEP_INTERVAL {
            swept = Instant::now();
            sweep(shared);
        }
        let closing = turn.closing;
        let written = match shared.durability {
            Durability::Synced => {
                write_through(shared, turn);
                Ok(())
            }
            Durability::Relaxed(interval) => write_behind(shared, turn, interval),
        };
        if closing {
            return end(shared, written);
        }
    }
}

/// The end of the thread.
struct AtEnd<'a>(&'a Shared);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.queue.end();
        self.0.readers.close();
        self.0.ending.tell(&Err(closed()));
    }
}

/// Closes the file. `written`: whether it has everything.
fn end(shared: &Shared, written: Result<(), MapError>) {
    let closed = shared.file.close(shared.versions.last());
    let path = shared.file.path().display();
    if let Err(error) = &written {
        tracing::error!(%path, %error, "the last changes of a map could not be written");
    } else if let Err(error) = &closed {
        tracing::warn!(%path, %error, "a map's file was not closed cleanly");
    }
    shared.ending.tell(&written.and(closed));
}

/// When there is something to do even if nobody asks.
fn next_time(shared: &Shared, swept: Instant) -> Option<Instant> {
    let state = shared.see();
    let sweep = state.index.first_end_ms().map(|end| {
        let wait = Duration::from_millis(end.saturating_sub(shared.now_ms()));
        let wait = wait.min(limits::SYNC_INTERVAL_MAX);
        (Instant::now() + wait).max(swept + limits::SWEEP_INTERVAL)
    });
    let sync = match shared.durability {
        Durability::Synced => None,
        Durability::Relaxed(interval) => {
            let wait = if shared.failing.load(Ordering::Acquire) {
                limits::RETRY_AFTER
            } else {
                interval
            };
            state.dirty_since.map(|since| since + wait)
        }
    };
    [sweep, sync].into_iter().flatten().min()
}

/// Asks for the removal of what has ended.
fn sweep(shared: &Shared) {
    let ended = shared.see().index.first_end_ms();
    if ended.is_some_and(|end| end <= shared.now_ms()) {
        // Nobody waits for it; if the queue is full there is more urgent work.
        shared.queue.push(Work::Sweep(limits::SWEEP_MAX)).ok();
    }
}

/// Does all operations of a turn, in as few transactions as their places allow.
fn write_through(shared: &Shared, turn: Turn) {
    let mut requests = turn.requests;
    while !requests.is_empty() {
        let group = gather(shared, &mut requests);
        finish(shared, group);
    }
}

/// Decides as many operations as fit together.
fn gather(shared: &Shared, requests: &mut VecDeque<Request>) -> Group {
    let state = shared.see();
    let mut total = state.index.total;
    let mut group = Group::default();
    while let Some(request) = requests.pop_front() {
        let begun = !group.pending.is_empty();
        let at = (&mut group.pending, total);
        let (before, result) = match shared.admit(&state.index, at, &request.work) {
            Ok((before, plan)) => (before, Ok(plan)),
            Err((before, refused)) => (before, Err(refused)),
        };
        for plan in before {
            total = after(total, &plan);
            group.plans.push(plan);
        }
        match result {
            Ok(plan) => {
                total = after(total, &plan);
                let answer = Answer::Plan(group.plans.len());
                group.plans.push(plan);
                group.replies.push((request.reply, answer));
            }
            // What was decided before may make room, once it is visible.
            Err(MapError::NoSpace { .. }) if begun => {
                requests.push_front(request);
                break;
            }
            Err(refused) => group
                .replies
                .push((request.reply, Answer::Refused(refused))),
        }
    }
    group
}

fn after(total: Amount, plan: &Plan) -> Amount {
    rest(sum(total, plan.needed), plan.freed)
}

/// Writes a group, makes it visible, and answers.
fn finish(shared: &Shared, group: Group) {
    let Group {
        pending,
        plans,
        replies,
    } = group;
    if !pending.is_empty() {
        let written = shared.file.commit(&pending, shared.versions.last());
        tell(shared, written.as_ref().err());
        if let Err(error) = written {
            shared.undo(&plans);
            for (reply, _) in replies {
                reply.send(Err(error.clone())).ok();
            }
            return;
        }
        for plan in &plans {
            let mut after = After::default();
            let mut state = shared.change();
            shared.apply(&mut state, &plan.changes, Written::Yes, &mut after);
        }
    }
    let mut outcomes: Vec<Option<Outcome>> =
        plans.into_iter().map(|plan| Some(plan.outcome)).collect();
    for (reply, answer) in replies {
        let answer = match answer {
            Answer::Plan(at) => outcomes[at].take().ok_or_else(closed),
            Answer::Refused(refused) => Err(refused),
        };
        // Whoever asked may have gone meanwhile.
        reply.send(answer).ok();
    }
}

/// Writes what is due, and does what callers could not do at once.
fn write_behind(shared: &Shared, turn: Turn, interval: Duration) -> Result<(), MapError> {
    let (due, much) = {
        let state = shared.see();
        let due = state.dirty_since.map(|since| since.elapsed());
        let much = state.dirty.bytes > limits::UNSYNCED_BYTES_MAX / 2;
        (due, much)
    };
    let failing = shared.failing.load(Ordering::Acquire);
    let wait = if failing {
        limits::RETRY_AFTER
    } else {
        interval
    };
    let asked = !turn.requests.is_empty() && (failing || shared.is_near_ceiling());
    let due = due.is_some_and(|since| since >= wait);
    let written = if asked || due || (much && !failing) || turn.closing {
        flush(shared)
    } else {
        Ok(())
    };
    for request in turn.requests {
        let answer = written.clone().and_then(|()| {
            let mut after = After::default();
            let mut state = shared.change();
            let result = shared.execute(&mut state, &request.work, &mut after);
            state.note_dirt();
            result
        });
        request.reply.send(answer).ok();
    }
    if turn.closing { flush(shared) } else { Ok(()) }
}

/// Writes all that is visible and not on the disk yet.
fn flush(shared: &Shared) -> Result<(), MapError> {
    let pending = {
        let mut state = shared.change();
        state.dirty_since = None;
        std::mem::take(&mut state.dirty)
    };
    if pending.is_empty() && !shared.is_near_ceiling() {
        return Ok(());
    }
    let written = shared.file.commit(&pending, shared.versions.last());
    tell(shared, written.as_ref().err());
    if written.is_err() {
        let mut state = shared.change();
        pending.under(&mut state.dirty);
        state.dirty_since = Some(Instant::now());
        return written;
    }
    let mut records = pending.changes.iter().peekable();
    while records.peek().is_some() {
        // A few at a time, as callers wait for the lock.
        let mut state = shared.change();
        for (name, record) in records.by_ref().take(SETTLED_AT_ONCE) {
            if let Some(record) = record {
                state.index.settle(name, record.version);
            }
        }
        state.index.cool(shared.memory_bytes);
    }
    Ok(())
}

/// Tells the operator when the disk begins to fail, and when it works again.
fn tell(shared: &Shared, error: Option<&MapError>) {
    let failed = shared.failing.swap(error.is_some(), Ordering::AcqRel);
    let path = shared.file.path().display();
    match error {
        Some(error) if !failed => {
            tracing::error!(%path, %error, "the disk under a map fails: writes are refused");
        }
        None if failed => tracing::info!(%path, "the disk under a map works again"),
        Some(_) | None => {}
    }
}
