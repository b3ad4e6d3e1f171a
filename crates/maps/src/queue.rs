//! Shared queues: first in, first out, known by a token to every VM of the process.
//!
//! The items are entries of the VM id's map ([`KEY_PREFIX`]). Whoever else may use that map can read
//! them and take them out; the queue passes over what is gone. Invariants: tokens start at 1 and are
//! not given twice while a queue has them; the queues of one VM id together never hold more than
//! their limit; a listener is called without any lock held.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use rustc_hash::FxHashMap;
use weir_model::limits::maps as limits;

use crate::MapError;
use crate::graph::Root;
use crate::store::{Condition, Found, Range, Seen, Store, Terms};
use crate::value::Value;

/// Called with the token after each enqueue, on the enqueuing thread. It must only post a message
/// to the registrant's thread: never run a guest, never block. It should not own a
/// [`Space`](crate::Space), which it would keep alive.
pub type QueueListener = Arc<dyn Fn(u32) + Send + Sync>;

/// Numbers that may be missing between two items which are found in a map.
const GAP_MAX: u64 = 1 << 16;
/// No queue comes to more than this.
const FIRST_MAX: u64 = u64::MAX >> 1;

/// What the keys of queues begin with: then come the queue's name, a stroke and the item's number
/// (8 bytes, big-endian, so that the order of keys is that of items).
pub const KEY_PREFIX: &[u8] = b"queue/";

/// Why a queue was not registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// The VM id has as many queues as are allowed.
    #[error("this VM id has {queues_max} shared queues already, which is the limit")]
    TooManyQueues {
        /// The limit.
        queues_max: usize,
    },
    /// What the map holds of it already cannot be read.
    #[error(transparent)]
    Map(#[from] MapError),
}

/// Why an item was not appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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
        quota_bytes: u64,
    },
    /// The map does not take it.
    #[error(transparent)]
    Map(#[from] MapError),
}

/// Why nothing could be taken. An empty queue is no error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DequeueError {
    /// No queue has this token.
    #[error("no shared queue has the token {0}")]
    UnknownToken(u32),
    /// The map does not give it.
    #[error(transparent)]
    Map(#[from] MapError),
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

/// Bytes that all queues of one VM id hold.
#[derive(Debug, Default)]
pub(crate) struct Held(AtomicU64);

impl Held {
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts more, up to a limit. `false`: it would be beyond.
    fn take(&self, bytes: u64, max: u64) -> bool {
        let more = |held: u64| held.checked_add(bytes).filter(|after| *after <= max);
        let (set, get) = (Ordering::Relaxed, Ordering::Relaxed);
        self.0.fetch_update(set, get, more).is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

struct Queue {
    quota_bytes: u64,
    held: Arc<Held>,
    /// What the keys of its items begin with.
    prefix: Box<[u8]>,
    map: Root,
    state: Mutex<State>,
}

struct State {
    /// From the first on.
    items: VecDeque<Waiting>,
    /// Number of the next item that is appended.
    next: u64,
    listener: QueueListener,
}

/// An item as its queue knows it.
#[derive(Clone, Copy)]
struct Waiting {
    number: u64,
    /// What it is counted as.
    cost: u64,
}

impl Queues {
    /// Makes a queue and its token; what the map holds of it is in it. `held` is what all queues
    /// hold that share the quota.
    ///
    /// # Errors
    /// [`MapError`]: the map cannot be read.
    pub(crate) fn create(
        &self,
        (name, map): (&[u8], &Root),
        listener: QueueListener,
        (held, quota_bytes): (&Arc<Held>, u64),
    ) -> Result<u32, MapError> {
        let mut queue = Queue {
            quota_bytes,
            held: Arc::clone(held),
            prefix: [KEY_PREFIX, name, b"/"].concat().into(),
            map: map.clone(),
            state: Mutex::new(State {
                items: VecDeque::new(),
                next: 0,
                listener,
            }),
        };
        queue.recover()?;
        let queue = Arc::new(queue);
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
        Ok(token)
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

    pub(crate) fn enqueue(&self, token: u32, item: &[u8]) -> Result<(), EnqueueError> {
        let queue = self.queue(token).ok_or(EnqueueError::UnknownToken(token))?;
        let listener = queue.append(token, item)?;
        listener(token);
        Ok(())
    }

    pub(crate) fn dequeue(&self, token: u32) -> Result<Option<Bytes>, DequeueError> {
        let queue = self.queue(token).ok_or(DequeueError::UnknownToken(token))?;
        Ok(queue.take()?)
    }

    /// What a queue keeps in mind.
    #[cfg(test)]
    pub(crate) fn waiting(&self, token: u32) -> usize {
        let queue = self.queue(token);
        queue.map_or(0, |queue| {
            queue.state.lock().map_or(0, |state| state.items.len())
        })
    }

    fn queue(&self, token: u32) -> Option<Arc<Queue>> {
        let by_token = self.by_token.read().unwrap_or_else(PoisonError::into_inner);
        by_token.queues.get(&token).cloned()
    }
}

impl Queue {
    fn append(&self, token: u32, item: &[u8]) -> Result<QueueListener, EnqueueError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let number = state.next;
        let key = self.key(number);
        let cost = (key.len() + item.len() + limits::ENTRY_BYTES) as u64;
        if !self.held.take(cost, self.quota_bytes) {
            return Err(EnqueueError::Full {
                token,
                quota_bytes: self.quota_bytes,
            });
        }
        let value = Value::copy_of(item);
        let store = self.map.map().store();
        if let Err(error) = store.write(&key, value, Terms::default()).now() {
            self.held.give_back(cost);
            return Err(error.into());
        }
        state.items.push_back(Waiting { number, cost });
        state.next = number.saturating_add(1);
        Ok(Arc::clone(&state.listener))
    }

    /// The first item that is still there.
    fn take(&self) -> Result<Option<Bytes>, MapError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let store = self.map.map().store();
        while let Some(&Waiting { number, cost }) = state.items.front() {
            let key = self.key(number);
            let found = store.read(&key, &mut { |seen: Seen<'_>| Found::from(seen) });
            let item = match found.now()? {
                // One that is replaced meanwhile is the other's.
                Some(found) => match store.remove(&key, Condition::Version(found.version)).now() {
                    Ok(()) => found.value.to_bytes(),
                    Err(MapError::NoEntry | MapError::Again { .. }) => None,
                    Err(error) => return Err(error),
                },
                None => None,
            };
            state.items.pop_front();
            self.held.give_back(cost);
            if item.is_some() {
                return Ok(item);
            }
        }
        Ok(None)
    }

    /// Finds out what a map that has outlived its queues holds of this one.
    fn recover(&mut self) -> Result<(), MapError> {
        let mut after: Option<Bytes> = None;
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        loop {
            let page = self.map.map().store().scan(Range {
                prefix: &self.prefix,
                after: after.as_deref(),
                entries: limits::PAGE_ENTRIES_MAX,
                bytes: usize::MAX,
            });
            let page = page.now()?;
            for item in &page.items {
                let number = item.key.strip_prefix(&*self.prefix);
                let Some(number) = number.and_then(|number| number.try_into().ok()) else {
                    continue;
                };
                let number = u64::from_be_bytes(number);
                if state.items.is_empty() && number <= FIRST_MAX {
                    state.next = number;
                }
                // What is far from the others is nothing that a queue has written. Short gaps are
                // passed over.
                let gap = number.checked_sub(state.next);
                let is_ours = gap.is_some_and(|gap| gap <= GAP_MAX);
                if !is_ours || number == u64::MAX {
                    continue;
                }
                let cost = (item.key.len() + item.value.length() + limits::ENTRY_BYTES) as u64;
                state.items.push_back(Waiting { number, cost });
                state.next = number + 1;
                self.held.take(cost, u64::MAX);
            }
            after = page.items.last().map(|item| item.key.clone());
            if !page.more {
                return Ok(());
            }
        }
    }

    fn key(&self, number: u64) -> Vec<u8> {
        [&*self.prefix, &number.to_be_bytes()].concat()
    }
}
