//! A near cache: reads of a map on other machines, answered from memory for a while.
//!
//! Invariants: nothing is read that was asked for longer ago than `ttl`; a change that was made through
//! this cache is seen by all reads that begin after it was answered; so is one that the store has told
//! of. What is asked for while the entry changes is not kept.

mod shard;

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use weir_model::limits::maps as limits;

use crate::MapError;
use crate::clock::{Clock, millis};
use crate::numbers::{Known, Near as Numbers};
use crate::store::{
    Answer, Condition, Counted, Done, Found, Op, Page, Range, Seen, Stat, Store, Terms,
};
use crate::tally::Tally;
use crate::value::Value;
use crate::watch::{Change, Watch};
use shard::{Look, Room, Shard, Stamp};

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NearOptions {
    /// Since the store was asked.
    pub ttl: Duration,
    /// Entries at most, those that are known to be absent included.
    pub entries_max: u64,
    /// Bytes at most: keys, values, and [`limits::ENTRY_BYTES`] for each entry.
    pub bytes_max: u64,
}

/// A store with a near cache in front of it.
pub struct NearCache<S> {
    store: S,
    near: Arc<Near>,
}

/// What is kept, and who tells of changes.
struct Near {
    ttl_ms: u64,
    /// Of each shard.
    room: Room,
    clock: Arc<dyn Clock>,
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
    tally: Tally,
    watching: Mutex<Watching>,
    /// Whether that has begun, or begins.
    follows: AtomicBool,
}

/// Whether the store tells of changes.
enum Watching {
    /// It is to be asked to from this moment on.
    From(u64),
    Begins,
    Begun(Watch),
}

impl<S: Store> NearCache<S> {
    /// An empty cache.
    #[must_use]
    pub fn new(store: S, options: NearOptions, clock: Arc<dyn Clock>) -> Self {
        let shards = usize::try_from(options.entries_max / 256).unwrap_or(usize::MAX);
        let shards = shards.clamp(1, limits::NEAR_SHARDS_MAX);
        let near = Near {
            ttl_ms: millis(options.ttl),
            room: Room {
                entries: (options.entries_max / shards as u64).max(1),
                bytes: options.bytes_max / shards as u64,
            },
            clock,
            hasher: RandomState::new(),
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            tally: Tally::default(),
            watching: Mutex::new(Watching::From(0)),
            follows: AtomicBool::new(false),
        };
        Self {
            store,
            near: Arc::new(near),
        }
    }

    /// Asks the store to tell of changes, if nobody has done that yet.
    fn follow(&self) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        let begins = self.near.begin()?;
        match self.store.watch(b"") {
            Answer::Now(watch) => {
                begins.begun(watch);
                None
            }
            Answer::Later(later) => Some(Box::pin(async move { begins.begun(later.await) })),
        }
    }

    fn changes(&self, what: What) -> Changes {
        let changes = Changes {
            near: Arc::clone(&self.near),
            what,
        };
        changes.forget();
        changes
    }
}

impl<S: Store> Store for NearCache<S> {
    fn read<R>(
        &self,
        key: &[u8],
        see: &mut impl FnMut(Seen<'_>) -> R,
    ) -> Answer<Option<R>, Option<Found>> {
        let now_ms = self.near.clock.now_ms();
        let stamp = match self.near.look(key, now_ms) {
            Look::Known(found) => {
                let show = |found: Found| {
                    see(Seen {
                        value: &found.value,
                        version: found.version,
                    })
                };
                return Answer::Now(Ok(found.map(show)));
            }
            Look::Unknown(stamp) => stamp,
        };
        let asked = match self.store.read(key, see) {
            Answer::Now(found) => return Answer::Now(found),
            Answer::Later(asked) => asked,
        };
        let follows = self.follow();
        let (near, key) = (Arc::clone(&self.near), Bytes::copy_from_slice(key));
        Answer::Later(Box::pin(async move {
            let found = asked.await?;
            near.keep(&key, found.clone(), (stamp, now_ms));
            if let Some(follows) = follows {
                follows.await;
            }
            Ok(found)
        }))
    }

    fn write(&self, key: &[u8], value: Value, terms: Terms) -> Answer<u64> {
        let changes = self.changes(What::key(key));
        changed(self.store.write(key, value, terms), changes)
    }

    fn remove(&self, key: &[u8], condition: Condition) -> Answer<()> {
        let changes = self.changes(What::key(key));
        changed(self.store.remove(key, condition), changes)
    }

    fn add(&self, key: &[u8], delta: i64) -> Answer<Counted> {
        let changes = self.changes(What::key(key));
        changed(self.store.add(key, delta), changes)
    }

    fn scan(&self, range: Range<'_>) -> Answer<Page> {
        self.store.scan(range)
    }

    fn batch(&self, ops: &[Op]) -> Answer<Vec<Done>> {
        let writes = ops.iter().filter(|op| !matches!(op, Op::Check(..)));
        let keys = writes.map(|op| Bytes::copy_from_slice(op.key()));
        let changes = self.changes(What::Keys(keys.collect()));
        changed(self.store.batch(ops), changes)
    }

    fn clear(&self) -> Answer<u64> {
        let changes = self.changes(What::All);
        changed(self.store.clear(), changes)
    }

    fn watch(&self, prefix: &[u8]) -> Answer<Watch> {
        self.store.watch(prefix)
    }

    fn stat(&self) -> Answer<Stat> {
        self.store.stat()
    }

    fn known(&self) -> Known {
        Known {
            near: Some(self.near.numbers()),
            ..self.store.known()
        }
    }
}

impl<S> fmt::Debug for NearCache<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NearCache")
            .field("near", &self.near.numbers())
            .finish_non_exhaustive()
    }
}

/// An answer to a change of these keys. They are forgotten before it and after it, so that no read in
/// between is kept.
fn changed<T: 'static>(answer: Answer<T>, changes: Changes) -> Answer<T> {
    match answer {
        Answer::Now(result) => {
            drop(changes);
            Answer::Now(result)
        }
        Answer::Later(later) => Answer::Later(Box::pin(async move {
            let result = later.await;
            drop(changes);
            result
        })),
    }
}

/// What is changed.
enum What {
    Keys(Vec<Bytes>),
    All,
}

impl What {
    fn key(key: &[u8]) -> Self {
        Self::Keys(vec![Bytes::copy_from_slice(key)])
    }
}

/// A change that is under way. However it ends, the entries are forgotten again.
struct Changes {
    near: Arc<Near>,
    what: What,
}

impl Changes {
    fn forget(&self) {
        match &self.what {
            What::Keys(keys) => keys.iter().for_each(|key| self.near.forget(key)),
            What::All => self.near.forget_all(),
        }
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.forget();
    }
}

/// The store is asked to tell of changes. Dropped before it has answered: somebody else is to ask.
struct Begins(Arc<Near>);

impl Begins {
    fn begun(self, watch: Result<Watch, MapError>) {
        let Ok(watch) = watch else { return };
        *self.0.watching() = Watching::Begun(watch.clone());
        // What changed before this was told to nobody.
        self.0.forget_all();
        watch.ring(Waker::from(Arc::new(Ear(Arc::downgrade(&self.0)))));
    }
}

impl Drop for Begins {
    fn drop(&mut self) {
        let pause_ms = millis(limits::NEAR_WATCH_PAUSE);
        let from_ms = self.0.clock.now_ms().saturating_add(pause_ms);
        let mut watching = self.0.watching();
        if matches!(*watching, Watching::Begins) {
            *watching = Watching::From(from_ms);
            self.0.follows.store(false, Ordering::Relaxed);
        }
    }
}

/// Has a cache forget what others have changed, on the thread that heard of it. The store holds no lock
/// then.
struct Ear(Weak<Near>);

impl Wake for Ear {
    fn wake(self: Arc<Self>) {
        if let Some(near) = self.0.upgrade() {
            near.hear();
        }
    }
}

impl Near {
    fn begin(self: &Arc<Self>) -> Option<Begins> {
        if self.follows.load(Ordering::Relaxed) {
            return None;
        }
        let now_ms = self.clock.now_ms();
        let mut watching = self.watching();
        match *watching {
            Watching::From(from_ms) if now_ms >= from_ms => *watching = Watching::Begins,
            Watching::From(_) | Watching::Begins | Watching::Begun(_) => return None,
        }
        self.follows.store(true, Ordering::Relaxed);
        drop(watching);
        Some(Begins(Arc::clone(self)))
    }

    fn hear(&self) {
        let watch = match &*self.watching() {
            Watching::Begun(watch) => watch.clone(),
            Watching::From(_) | Watching::Begins => return,
        };
        while let Some(change) = watch.try_next() {
            match change {
                Change::Entry { key, .. } => self.forget(key.bytes()),
                Change::Cleared | Change::Resync => self.forget_all(),
                Change::Gone => return self.forget_all(),
            }
        }
    }

    fn look(&self, key: &[u8], now_ms: u64) -> Look {
        let hash = self.hasher.hash_one(key);
        let look = self.shard(hash).look(key, hash, now_ms);
        self.tally.count(matches!(look, Look::Known(_)));
        look
    }

    fn keep(&self, key: &[u8], found: Option<Found>, (stamp, asked_ms): (Stamp, u64)) {
        let ends_ms = asked_ms.saturating_add(self.ttl_ms);
        let hash = self.hasher.hash_one(key);
        self.shard(hash)
            .keep(key, (found, ends_ms), (stamp, self.room));
    }

    fn forget(&self, key: &[u8]) {
        let hash = self.hasher.hash_one(key);
        self.shard(hash).forget(key, hash);
    }

    fn forget_all(&self) {
        for shard in &self.shards {
            lock(shard).forget_all();
        }
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        let number = usize::try_from(hash & u64::from(u32::MAX)).unwrap_or_default();
        lock(&self.shards[number % self.shards.len()])
    }

    fn numbers(&self) -> Numbers {
        let counts = self.tally.counts();
        let mut numbers = Numbers {
            hits: counts.hits,
            misses: counts.misses,
            follows: matches!(*self.watching(), Watching::Begun(_)),
            ..Numbers::default()
        };
        for shard in &self.shards {
            let (entries, bytes) = lock(shard).held();
            numbers.entries += entries;
            numbers.bytes += bytes;
        }
        numbers
    }

    fn watching(&self) -> MutexGuard<'_, Watching> {
        lock(&self.watching)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
