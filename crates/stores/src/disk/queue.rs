//! Operations on their way to the thread that writes.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;
use weir_maps::MapError;
use weir_maps::store::Op;
use weir_model::limits::disk as limits;

use super::stage::{Outcome, Work};

/// An operation, and who waits for it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) work: Work,
    pub(crate) reply: oneshot::Sender<Result<Outcome, MapError>>,
}

/// What the thread finds when it wakes up.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    pub(crate) requests: VecDeque<Request>,
    /// Nothing comes after these.
    pub(crate) closing: bool,
}

/// The queue of one map; bounded.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    requests: VecDeque<(Request, usize)>,
    bytes: usize,
    /// Whether there is something to do that is in no request.
    nudged: bool,
    closing: bool,
}

impl Queue {
    /// Takes an operation in; the answer comes through what is returned.
    ///
    /// # Errors
    /// [`MapError::NoMemory`]: too many wait; [`MapError::Io`]: the map is closed.
    pub(crate) fn push(
        &self,
        work: Work,
    ) -> Result<oneshot::Receiver<Result<Outcome, MapError>>, MapError> {
        let bytes = bytes_of(&work);
        let mut waiting = self.lock();
        if waiting.closing {
            return Err(closed());
        }
        let full = waiting.requests.len() >= limits::WAITING_MAX
            || waiting.bytes.saturating_add(bytes) > limits::WAITING_BYTES_MAX;
        if full && !waiting.requests.is_empty() {
            let max = limits::WAITING_MAX;
            return Err(MapError::NoMemory {
                what: "operations or bytes waiting for the disk",
                max,
            });
        }
        let (reply, answer) = oneshot::channel();
        waiting.bytes += bytes;
        waiting.requests.push_back((Request { work, reply }, bytes));
        if waiting.requests.len() == 1 {
            self.bell.notify_one();
        }
        Ok(answer)
    }

    /// Wakes the thread up: there is something to do.
    pub(crate) fn nudge(&self) {
        self.lock().nudged = true;
        self.bell.notify_one();
    }

    /// Lets nothing in any more; what is in is still done.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.bell.notify_one();
    }

    /// Lets nothing in any more, and refuses what is in.
    pub(crate) fn end(&self) {
        let mut waiting = self.lock();
        waiting.closing = true;
        let refused = std::mem::take(&mut waiting.requests);
        drop(waiting);
        drop(refused);
    }

    /// The next operations to be done together; waits for them until then at most.
    pub(crate) fn take(&self, until: Option<Instant>) -> Turn {
        let mut waiting = self.lock();
        while waiting.requests.is_empty() && !waiting.nudged && !waiting.closing {
            let now = Instant::now();
            waiting = match until {
                Some(until) if until <= now => break,
                Some(until) => {
                    let wait = self.bell.wait_timeout(waiting, until - now);
                    wait.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let wait = self.bell.wait(waiting);
                    wait.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
        waiting.nudged = false;
        let mut turn = Turn::default();
        let mut bytes = 0;
        while turn.requests.len() < limits::GROUP_MAX && bytes < limits::GROUP_BYTES_MAX {
            let Some((request, length)) = waiting.requests.pop_front() else {
                break;
            };
            bytes += length;
            turn.requests.push_back(request);
        }
        waiting.bytes = waiting.bytes.saturating_sub(bytes);
        turn.closing = waiting.closing && waiting.requests.is_empty();
        turn
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What operations on a closed map fail with.
pub(crate) fn closed() -> MapError {
    MapError::Io("the map is closed".into())
}

fn bytes_of(work: &Work) -> usize {
    let value = |op: &Op| match op {
        Op::Set(_, value, _) => value.length(),
        Op::Check(..) | Op::Delete(_) | Op::Add(..) => 0,
    };
    match work {
        Work::Ops(ops) => ops.iter().map(|op| op.key().len() + value(op)).sum(),
        Work::Remove(key, _) => key.len(),
        Work::Clear | Work::Sweep(_) => 0,
    }
}
