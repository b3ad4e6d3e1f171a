//! A map whose answers come when a test says so.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use weir_maps::budget::{Account, Amount};
use weir_maps::store::{
    Condition, Counted, Done, Found, Later, Op, Page, Range, Seen, Stat, Store, Terms,
};
use weir_maps::{
    Answer, MapError, MapOptions, MemoryStore, MemoryTable, NoEdges, SystemClock, Value, Watch,
};

use crate::upstream::{eventually, locked};

/// Who answers: `held` when the desk opens, `slow` after 20 ms, `half` after half a second, all other
/// keys at once.
#[derive(Clone)]
pub(crate) struct Desk(Arc<Inner>);

struct Inner {
    asked: Mutex<Counts>,
    gate: watch::Sender<bool>,
}

/// Who waits and has waited.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) asked: usize,
    pub(crate) waiting: usize,
    pub(crate) most: usize,
}

/// Counts one that waits, for as long as it does.
struct Place(Arc<Inner>);

impl Drop for Place {
    fn drop(&mut self) {
        locked(&self.0.asked).waiting -= 1;
    }
}

impl Desk {
    pub(crate) fn new() -> Self {
        let (gate, _) = watch::channel(false);
        Self(Arc::new(Inner {
            asked: Mutex::default(),
            gate,
        }))
    }

    pub(crate) fn counts(&self) -> Counts {
        *locked(&self.0.asked)
    }

    /// Waits until so many have asked.
    #[track_caller]
    pub(crate) fn until_asked(&self, count: usize) {
        let asked = eventually(|| (self.counts().asked >= count).then_some(()));
        assert!(asked.is_some(), "only {:?}", self.counts());
    }

    /// Waits until nobody waits any more.
    #[track_caller]
    pub(crate) fn until_left(&self) {
        let left = eventually(|| (self.counts().waiting == 0).then_some(()));
        assert!(left.is_some(), "still {:?}", self.counts());
    }

    /// Everybody gets the answer, from now on.
    pub(crate) fn open(&self) {
        self.0.gate.send_replace(true);
    }

    /// Waits as the key says.
    fn wait(&self, key: &[u8]) -> Option<impl Future<Output = ()> + 'static> {
        let pause = match key {
            b"held" => None,
            b"slow" => Some(Duration::from_millis(20)),
            b"half" => Some(Duration::from_millis(500)),
            _ => return None,
        };
        let mut gate = self.0.gate.subscribe();
        {
            let counts = &mut *locked(&self.0.asked);
            counts.asked += 1;
            counts.waiting += 1;
            counts.most = counts.most.max(counts.waiting);
        }
        let place = Place(Arc::clone(&self.0));
        Some(async move {
            let _place = place;
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => drop(gate.wait_for(|is_open| *is_open).await),
            }
        })
    }

    /// A map in memory, as the desk answers.
    pub(crate) fn store(&self) -> Arc<dyn weir_maps::BackEnd> {
        let table = MemoryTable::new(Arc::new(SystemClock::default()));
        let most = Amount {
            entries: u64::MAX,
            bytes: u64::MAX,
        };
        let account = Arc::new(Account::new(most));
        let store = MemoryStore::new(&table, MapOptions::default(), account, NoEdges);
        Arc::new(SlowStore {
            store: store.expect("a store"),
            desk: self.clone(),
        })
    }
}

/// A store that does everything at once, and says so when the desk does.
struct SlowStore {
    store: MemoryStore,
    desk: Desk,
}

impl SlowStore {
    fn later<T: 'static>(&self, key: &[u8], done: Result<T, MapError>) -> Later<T> {
        let wait = self.desk.wait(key);
        Box::pin(async move {
            if let Some(wait) = wait {
                wait.await;
            }
            done
        })
    }
}

impl Store for SlowStore {
    fn read<R>(
        &self,
        key: &[u8],
        _see: &mut impl FnMut(Seen<'_>) -> R,
    ) -> Answer<Option<R>, Option<Found>> {
        let found = self.store.read(key, &mut |seen| Found::from(seen)).now();
        Answer::Later(self.later(key, found))
    }

    fn write(&self, key: &[u8], value: Value, terms: Terms) -> Answer<u64> {
        Answer::Later(self.later(key, self.store.write(key, value, terms).now()))
    }

    fn remove(&self, key: &[u8], condition: Condition) -> Answer<()> {
        Answer::Later(self.later(key, self.store.remove(key, condition).now()))
    }

    fn add(&self, key: &[u8], delta: i64) -> Answer<Counted> {
        Answer::Later(self.later(key, self.store.add(key, delta).now()))
    }

    fn scan(&self, range: Range<'_>) -> Answer<Page> {
        Answer::Later(self.later(b"", self.store.scan(range).now()))
    }

    fn batch(&self, ops: &[Op]) -> Answer<Vec<Done>> {
        Answer::Later(self.later(b"", self.store.batch(ops).now()))
    }

    fn clear(&self) -> Answer<u64> {
        Answer::Later(self.later(b"", self.store.clear().now()))
    }

    fn watch(&self, prefix: &[u8]) -> Answer<Watch> {
        Answer::Later(self.later(prefix, self.store.watch(prefix).now()))
    }

    fn stat(&self) -> Answer<Stat> {
        Answer::Later(self.later(b"", self.store.stat().now()))
    }
}
