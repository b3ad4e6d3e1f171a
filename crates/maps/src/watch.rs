//! Watches: who wants to know what changes in a map.
//!
//! Invariants: a change after [`Watchers::add`] is told, or a [`Change::Resync`] in its place; what
//! waits for a watcher is bounded; nobody is woken under a lock.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::task::{Context, Poll, Waker};

use rustc_hash::FxBuildHasher;
use weir_model::limits::maps as limits;

use crate::MapError;
use crate::key::Key;

/// What happened to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was stored.
    Set,
    /// It was removed.
    Deleted,
    /// Its time was up. Readers missed it from that moment on; watchers are told when it is swept.
    Expired,
    /// It gave way to another.
    Evicted,
}

/// What a watcher is told. Several changes of one key may be told as the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Of one entry. Changes of different keys come in no particular order.
    Entry {
        /// Its key.
        key: Key,
        /// What happened.
        event: Event,
        /// Its version since then; for one that is gone, the version of its going.
        version: u64,
    },
    /// All entries were removed at once.
    Cleared,
    /// The map is gone. Nothing follows.
    Gone,
    /// There was more than could wait: read the map again. What follows is later than this.
    Resync,
}

impl Change {
    /// Its length in the ABI's packed form: key's length, kind, version and key, padded to 8.
    #[must_use]
    pub fn packed_bytes(&self) -> usize {
        match self {
            Self::Entry { key, .. } => packed_bytes(key),
            Self::Cleared | Self::Gone | Self::Resync => HEAD_BYTES,
        }
    }
}

/// Of a packed change, before its key.
const HEAD_BYTES: usize = 16;

fn packed_bytes(key: &Key) -> usize {
    (HEAD_BYTES + key.bytes().len()).next_multiple_of(8)
}

/// Whom one map tells.
#[derive(Debug, Default)]
pub struct Watchers {
    count: AtomicUsize,
    list: RwLock<Vec<Weak<Queue>>>,
}

/// What waits to be woken once no lock is held any more: keep it longer than the locks.
#[derive(Debug, Default)]
pub struct Wakes(Vec<Waker>);

impl Drop for Wakes {
    fn drop(&mut self) {
        for waker in self.0.drain(..) {
            waker.wake();
        }
    }
}

#[derive(Debug)]
struct Queue {
    prefix: Box<[u8]>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Told before all others.
    first: Option<Change>,
    order: VecDeque<Key>,
    changes: HashMap<Key, (Event, u64), FxBuildHasher>,
    bytes: usize,
    waker: Option<Waker>,
    /// Woken by every change.
    bell: Option<Waker>,
    gone: bool,
}

/// One watch. Ends when it and all its clones are dropped; they share what waits.
#[derive(Clone, Debug)]
pub struct Watch(Arc<Queue>);

impl Watchers {
    /// Begins a watch. The caller must then make sure that all writers that looked at
    /// [`is_empty`](Self::is_empty) before have finished: it takes and drops each of their locks.
    ///
    /// # Errors
    /// [`MapError::NoMemory`]: the map has too many.
    pub fn add(&self, prefix: &[u8]) -> Result<Watch, MapError> {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        list.retain(|queue| queue.strong_count() > 0);
        if list.len() >= limits::WATCHES_MAX {
            let max = limits::WATCHES_MAX;
            return Err(MapError::NoMemory {
                what: "watches of this map",
                max,
            });
        }
        let queue = Arc::new(Queue {
            prefix: prefix.into(),
            waiting: Mutex::default(),
        });
        list.push(Arc::downgrade(&queue));
        self.count.store(list.len(), Ordering::Relaxed);
        Ok(Watch(queue))
    }

    /// Whether nobody watches. To be asked under the lock of the changed entry's shard.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// Watches that may live.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Tells all whom it concerns.
    pub(crate) fn tell(&self, key: &Key, (event, version): (Event, u64), wakes: &mut Wakes) {
        let concerned = |queue: &Queue| key.bytes().starts_with(&queue.prefix);
        self.each(concerned, wakes, |waiting| {
            waiting.put(key, event, version);
        });
    }

    /// Tells all that the map is empty.
    pub fn tell_cleared(&self, wakes: &mut Wakes) {
        self.each(|_| true, wakes, |waiting| waiting.restart(Change::Cleared));
    }

    /// Tells all whom it concerns, and wakes them: for back ends, which hold no lock meanwhile.
    pub fn announce(&self, key: &[u8], event: Event, version: u64) {
        if !self.is_empty() {
            self.tell(&Key::alone(key), (event, version), &mut Wakes::default());
        }
    }

    /// As [`announce`](Self::announce), for back ends that change and tell under one lock: whoever
    /// waits is woken when `wakes` is dropped.
    pub fn note(&self, key: &[u8], event: Event, version: u64, wakes: &mut Wakes) {
        if !self.is_empty() {
            self.tell(&Key::alone(key), (event, version), wakes);
        }
    }

    /// Tells all that the map is empty, and wakes them.
    pub fn announce_cleared(&self) {
        self.tell_cleared(&mut Wakes::default());
    }

    /// Tells all that changes were missed, and wakes them.
    pub fn announce_gap(&self) {
        let mut wakes = Wakes::default();
        self.each(
            |_| true,
            &mut wakes,
            |waiting| waiting.restart(Change::Resync),
        );
    }

    fn each(
        &self,
        concerned: impl Fn(&Queue) -> bool,
        wakes: &mut Wakes,
        tell: impl Fn(&mut Waiting),
    ) {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        let mut ended = false;
        for queue in list.iter() {
            let Some(queue) = queue.upgrade() else {
                ended = true;
                continue;
            };
            if concerned(&queue) {
                let mut waiting = queue.lock();
                tell(&mut waiting);
                wakes.0.extend(waiting.waker.take());
                wakes.0.extend(waiting.bell.clone());
            }
        }
        drop(list);
        if ended {
            self.forget_ended();
        }
    }

    /// Counts no watch that was dropped.
    pub fn forget_ended(&self) {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        list.retain(|queue| queue.strong_count() > 0);
        self.count.store(list.len(), Ordering::Relaxed);
    }
}

/// With the map.
impl Drop for Watchers {
    fn drop(&mut self) {
        let mut wakes = Wakes::default();
        self.each(|_| true, &mut wakes, |waiting| waiting.gone = true);
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn put(&mut self, key: &Key, event: Event, version: u64) {
        if let Some(change) = self.changes.get_mut(key) {
            *change = (event, version);
            return;
        }
        if matches!(self.first, Some(Change::Resync)) {
            // Whoever takes it reads the map after that, and this change with it.
            return;
        }
        let bytes = self.bytes.saturating_add(key.bytes().len());
        if self.order.len() >= limits::WATCH_CHANGES_MAX || bytes > limits::WATCH_BYTES_MAX {
            self.restart(Change::Resync);
            return;
        }
        self.bytes = bytes;
        self.order.push_back(key.clone());
        self.changes.insert(key.clone(), (event, version));
    }

    fn restart(&mut self, first: Change) {
        if !matches!(self.first, Some(Change::Resync)) {
            self.first = Some(first);
        }
        self.order.clear();
        self.changes.clear();
        self.bytes = 0;
    }

    /// What [`take`](Self::take) would give, packed.
    fn next_bytes(&self) -> Option<usize> {
        let key = self.order.front().map(packed_bytes);
        let other = self.first.is_some() || key.is_none() && self.gone;
        if other { Some(HEAD_BYTES) } else { key }
    }

    fn take_some(&mut self, bytes: usize) -> Result<Vec<Change>, MapError> {
        let mut room = bytes;
        let mut some = Vec::new();
        while let Some(needed) = self.next_bytes() {
            if needed > room && some.is_empty() {
                return Err(MapError::Overflow { needed });
            }
            if needed > room || some.last() == Some(&Change::Gone) {
                break;
            }
            room -= needed;
            some.extend(self.take());
        }
        Ok(some)
    }

    fn take(&mut self) -> Option<Change> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let Some(key) = self.order.pop_front() else {
            return self.gone.then_some(Change::Gone);
        };
        self.bytes = self.bytes.saturating_sub(key.bytes().len());
        let (event, version) = self.changes.remove(&key)?;
        Some(Change::Entry {
            key,
            event,
            version,
        })
    }
}

impl Watch {
    /// The next change if one waits.
    #[must_use]
    pub fn try_next(&self) -> Option<Change> {
        self.0.lock().take()
    }

    /// The changes that wait, at most so many packed bytes of them.
    ///
    /// # Errors
    /// [`MapError::Overflow`]: the first one alone is longer; it waits on.
    pub fn take_some(&self, bytes: usize) -> Result<Vec<Change>, MapError> {
        self.0.lock().take_some(bytes)
    }

    /// The same, or a wake-up when there are some: see [`poll_next`](Self::poll_next).
    ///
    /// # Errors
    /// As [`take_some`](Self::take_some).
    pub fn poll_some(
        &self,
        bytes: usize,
        context: &mut Context<'_>,
    ) -> Poll<Result<Vec<Change>, MapError>> {
        let mut waiting = self.0.lock();
        let some = waiting.take_some(bytes);
        if some.as_ref().is_ok_and(Vec::is_empty) {
            waiting.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(some)
    }

    /// From now on `bell` is woken by each change, whether somebody polls or not; at once if there is
    /// something already. It may be woken as [`poll_next`](Self::poll_next)'s waker is, and more
    /// often than there are changes to take.
    pub fn ring(&self, bell: Waker) {
        let mut waiting = self.0.lock();
        waiting.bell = Some(bell.clone());
        let is_waiting = waiting.next_bytes().is_some();
        drop(waiting);
        if is_waiting {
            bell.wake();
        }
    }

    /// The next change, or a wake-up when there is one. The waker may be called on another thread,
    /// inside of the operation that made the change: it must only post a message.
    pub fn poll_next(&self, context: &mut Context<'_>) -> Poll<Change> {
        let mut waiting = self.0.lock();
        if let Some(change) = waiting.take() {
            return Poll::Ready(change);
        }
        waiting.waker = Some(context.waker().clone());
        Poll::Pending
    }
}
