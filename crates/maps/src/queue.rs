//! Shared queues: first in, first out, known by a token to every VM of the process.
//!
//! Invariants: tokens start at 1 and are not given twice while a queue has them; the queues of one
//! VM id together never hold more than their limit; a listener is called without any lock held.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use rustc_hash::FxHashMap;

/// Called with the token after each enqueue, on the enqueuing thread. It must only post a message
/// to the registrant's thread: never run a guest, never block. It should not own a
/// [`Space`](crate::Space), which it would keep alive.
pub type QueueListener = Arc<dyn Fn(u32) + Send + Sync>;

/// Bytes counted for an item beside its content, so that empty items are bounded too.
pub const ITEM_BYTES: usize = size_of::<Bytes>();

/// Why a queue was not registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// The VM id has as many queues as are allowed.
    #[error("this VM id has {queues_max} shared queues already, which is the limit")]
    TooManyQueues {
        /// The limit.
        queues_max: usize,
    },
}

/// Why an item was not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnqueueError {
    /// No queue has this token.
    #[error("no shared queue has the token {0}")]
    UnknownToken(u32),
    /// It is full, or its neighbours of the same VM id are.
    #[error("the shared queue {token} is full: its VM id may have {quota_bytes} bytes in queues")]
    Full {
        /// Of the queue.
        token: u32,
        /// Its limit.
        quota_bytes: usize,
    },
}

/// Why nothing could be taken. An empty queue is no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DequeueError {
    /// No queue has this token.
    #[error("no shared queue has the token {0}")]
    UnknownToken(u32),
}

/// All queues of the process by token.
#[derive(Default)]
pub(crate) struct Queues {
    by_token: RwLock<ByToken>,
}

#[derive(Default)]
struct ByToken {
    queues: FxHashMap<u32, Arc<Queue>>,
    last_token: u32,
}

struct Queue {
    quota_bytes: usize,
    /// What all queues of its VM id hold.
    held: Arc<AtomicUsize>,
    state: Mutex<State>,
}

struct State {
    items: VecDeque<Bytes>,
    listener: QueueListener,
}

impl Queues {
    /// Makes a queue and its token. `held` is what all queues hold that share the quota.
    pub(crate) fn create(
        &self,
        listener: QueueListener,
        held: Arc<AtomicUsize>,
        quota_bytes: usize,
    ) -> u32 {
        let state = State {
            items: VecDeque::new(),
            listener,
        };
        let queue = Arc::new(Queue {
            quota_bytes,
            held,
            state: Mutex::new(state),
        });
        let mut by_token = self
            .by_token
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let mut token = by_token.last_token.wrapping_add(1);
        while token == 0 || by_token.queues.contains_key(&token) {
            token = token.wrapping_add(1);
        }
        by_token.last_token = token;
        by_token.queues.insert(token, queue);
        token
    }

    /// From now on `listener` is the one notified. The content stays.
    pub(crate) fn take_over(&self, token: u32, listener: QueueListener) {
        let Some(queue) = self.queue(token) else {
            return;
        };
        let before = {
            let mut state = queue.state.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut state.listener, listener)
        };
        drop(before);
    }

    pub(crate) fn remove(&self, token: u32) {
        let removed = {
            let mut by_token = self
                .by_token
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            by_token.queues.remove(&token)
        };
        drop(removed);
    }

    pub(crate) fn enqueue(&self, token: u32, item: Bytes) -> Result<(), EnqueueError> {
        let queue = self.queue(token).ok_or(EnqueueError::UnknownToken(token))?;
        let listener = queue.append(token, item)?;
        listener(token);
        Ok(())
    }

    pub(crate) fn dequeue(&self, token: u32) -> Result<Option<Bytes>, DequeueError> {
        let queue = self.queue(token).ok_or(DequeueError::UnknownToken(token))?;
        Ok(queue.take())
    }

    fn queue(&self, token: u32) -> Option<Arc<Queue>> {
        let by_token = self.by_token.read().unwrap_or_else(PoisonError::into_inner);
        by_token.queues.get(&token).cloned()
    }
}

impl Queue {
    fn append(&self, token: u32, item: Bytes) -> Result<QueueListener, EnqueueError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let take = |held: usize| {
            let after = held.saturating_add(ITEM_BYTES).saturating_add(item.len());
            (after <= self.quota_bytes).then_some(after)
        };
        let taken = self
            .held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        if taken.is_err() {
            return Err(EnqueueError::Full {
                token,
                quota_bytes: self.quota_bytes,
            });
        }
        state.items.push_back(item);
        Ok(Arc::clone(&state.listener))
    }

    fn take(&self) -> Option<Bytes> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let item = state.items.pop_front()?;
        self.held
            .fetch_sub(ITEM_BYTES + item.len(), Ordering::Relaxed);
        Some(item)
    }
}
