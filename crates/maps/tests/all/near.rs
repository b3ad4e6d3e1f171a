//! Near caches: the suite through one, what others change, and what changes while it is asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use weir_maps::numbers::Known;
use weir_maps::store::{
    Condition, Counted, Done, Found, Op, Page, Range, Seen, Stat, Store, Terms,
};
use weir_maps::{
    Answer, ManualClock, MapError, MapOptions, MemoryStore, MemoryTable, NearCache, NearOptions,
    NoEdges, Value, Watch,
};

use crate::memory::unlimited;
use crate::suite::{Backend, Plain, block_on, wait};

const TTL: Duration = Duration::from_secs(1);

/// A map on another machine: it does what it is asked when the answer is waited for.
#[derive(Clone)]
pub(crate) struct Far(Arc<Place>);

struct Place {
    map: MemoryStore,
    reads: AtomicU64,
    refuses_watches: AtomicBool,
}

impl Far {
    fn later<T: 'static>(
        &self,
        ask: impl FnOnce(&MemoryStore) -> Answer<T> + 'static,
    ) -> Answer<T> {
        let far = self.clone();
        Answer::Later(Box::pin(async move { ask(&far.0.map).now() }))
    }
}

impl Store for Far {
    fn read<R>(
        &self,
        key: &[u8],
        _see: &mut impl FnMut(Seen<'_>) -> R,
    ) -> Answer<Option<R>, Option<Found>> {
        let (far, key) = (self.clone(), key.to_vec());
        Answer::Later(Box::pin(async move {
            far.0.reads.fetch_add(1, Ordering::Relaxed);
            far.0.map.read(&key, &mut |seen| Found::from(seen)).now()
        }))
    }

    fn write(&self, key: &[u8], value: Value, terms: Terms) -> Answer<u64> {
        let key = key.to_vec();
        self.later(move |map| map.write(&key, value, terms))
    }

    fn remove(&self, key: &[u8], condition: Condition) -> Answer<()> {
        let key = key.to_vec();
        self.later(move |map| map.remove(&key, condition))
    }

    fn add(&self, key: &[u8], delta: i64) -> Answer<Counted> {
        let key = key.to_vec();
        self.later(move |map| map.add(&key, delta))
    }

    fn scan(&self, range: Range<'_>) -> Answer<Page> {
        let page = self.0.map.scan(range).now();
        Answer::Later(Box::pin(async move { page }))
    }

    fn batch(&self, ops: &[Op]) -> Answer<Vec<Done>> {
        let ops = ops.to_vec();
        self.later(move |map| map.batch(&ops))
    }

    fn clear(&self) -> Answer<u64> {
        self.later(Store::clear)
    }

    fn watch(&self, prefix: &[u8]) -> Answer<Watch> {
        if self.0.refuses_watches.load(Ordering::Relaxed) {
            return Answer::Later(Box::pin(async { Err(MapError::Io("no".to_owned())) }));
        }
        let prefix = prefix.to_vec();
        self.later(move |map| map.watch(&prefix))
    }

    fn stat(&self) -> Answer<Stat> {
        self.later(Store::stat)
    }

    fn known(&self) -> Known {
        Known::default()
    }
}

/// Near caches on a clock that the test moves. Entries end at their own time; what the caches keep ends
/// when the smallest time has passed.
#[derive(Default)]
pub(crate) struct Caches {
    clock: ManualClock,
}

impl Caches {
    fn far(&self, options: MapOptions) -> Far {
        let table = MemoryTable::new(Arc::new(self.clock.clone()));
        let map = MemoryStore::new(&table, options, Arc::new(unlimited()), NoEdges);
        Far(Arc::new(Place {
            map: map.unwrap(),
            reads: AtomicU64::new(0),
            refuses_watches: AtomicBool::new(false),
        }))
    }

    fn near(&self, far: &Far, ttl: Duration) -> NearCache<Far> {
        let options = NearOptions {
            ttl,
            entries_max: 100,
            bytes_max: 1 << 20,
        };
        NearCache::new(far.clone(), options, Arc::new(self.clock.clone()))
    }
}

impl Backend for Caches {
    type Store = NearCache<Far>;

    fn open(&self, options: MapOptions) -> NearCache<Far> {
        self.near(&self.far(options), Duration::from_millis(1))
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }
}

mod behaviour {
    crate::suite::all_rows!(crate::near::Caches);
}

fn reads(far: &Far) -> u64 {
    far.0.reads.load(Ordering::Relaxed)
}

#[test]
fn what_is_read_again_is_answered_at_once_until_its_time_is_up() {
    let caches = Caches::default();
    let far = caches.far(MapOptions::default());
    far.0.refuses_watches.store(true, Ordering::Relaxed);
    let near = caches.near(&far, TTL);
    far.set(b"a", b"1").unwrap();
    for _ in 0..3 {
        assert_eq!(near.text(b"a").as_deref(), Some("1"));
        assert_eq!(near.entry(b"nothing"), None);
    }
    assert_eq!(reads(&far), 2);
    assert!(matches!(
        near.read(b"a", &mut |_| ()),
        Answer::Now(Ok(Some(())))
    ));
    // Somebody else changes both, and nobody tells.
    far.set(b"a", b"2").unwrap();
    far.set(b"nothing", b"3").unwrap();
    caches.pass(Duration::from_millis(999));
    assert_eq!(near.text(b"a").as_deref(), Some("1"));
    assert_eq!(near.entry(b"nothing"), None);
    caches.pass(Duration::from_millis(1));
    assert_eq!(near.text(b"a").as_deref(), Some("2"));
    assert_eq!(near.text(b"nothing").as_deref(), Some("3"));
    let known = near.known().near.unwrap();
    assert_eq!((known.hits, known.misses, known.entries), (7, 4, 2));
    assert!(!known.follows);
}

#[test]
fn what_others_change_is_forgotten_when_the_store_tells() {
    let caches = Caches::default();
    let far = caches.far(MapOptions::default());
    let near = caches.near(&far, TTL);
    far.set(b"a", b"1").unwrap();
    // The first read begins the watch, and what it found came before that.
    assert_eq!(near.text(b"a").as_deref(), Some("1"));
    assert!(near.known().near.unwrap().follows);
    assert_eq!(near.text(b"a").as_deref(), Some("1"));
    assert_eq!(near.text(b"a").as_deref(), Some("1"));
    assert_eq!(reads(&far), 2);
    far.set(b"a", b"2").unwrap();
    assert_eq!(near.text(b"a").as_deref(), Some("2"));
    far.delete(b"a").unwrap();
    assert_eq!(near.entry(b"a"), None);
    assert_eq!(near.entry(b"a"), None);
    far.set(b"b", b"1").unwrap();
    assert_eq!(near.text(b"b").as_deref(), Some("1"));
    wait(far.clear()).unwrap();
    assert_eq!(near.entry(b"b"), None);
    let before = reads(&far);
    assert_eq!((near.entry(b"a"), near.entry(b"b")), (None, None));
    assert_eq!(reads(&far), before + 1, "a was forgotten, b was read since");
}

/// A read that was answered before a change, and comes back after it, must not be kept.
#[test]
fn what_changes_while_it_is_asked_for_is_not_kept() {
    let caches = Caches::default();
    let far = caches.far(MapOptions::default());
    far.0.refuses_watches.store(true, Ordering::Relaxed);
    let near = caches.near(&far, TTL);
    near.set(b"a", b"1").unwrap();
    // Asked for while a change is under way, which ends later.
    let change = near.write(b"a", Value::copy_of(b"2"), Terms::default());
    assert_eq!(near.text(b"a").as_deref(), Some("1"));
    wait(change).unwrap();
    assert_eq!(near.text(b"a").as_deref(), Some("2"));
    // Asked for before a change, answered after it.
    near.delete(b"a").unwrap();
    let Answer::Later(asked) = near.read(b"a", &mut |_| ()) else {
        panic!("nothing was to be kept");
    };
    near.set(b"a", b"3").unwrap();
    far.0.map.set(b"a", b"4").unwrap();
    assert!(block_on(asked).unwrap().is_some());
    far.0.map.set(b"a", b"5").unwrap();
    assert_eq!(near.text(b"a").as_deref(), Some("5"), "4 was kept");
    // A change that nobody waits for is forgotten twice all the same.
    let change = near.write(b"a", Value::copy_of(b"6"), Terms::default());
    assert_eq!(near.text(b"a").as_deref(), Some("5"));
    drop(change);
    far.0.map.set(b"a", b"7").unwrap();
    assert_eq!(near.text(b"a").as_deref(), Some("7"));
}

/// A store that refuses to tell is asked again, but not with each read.
#[test]
fn a_watch_that_is_refused_is_tried_again_after_a_while() {
    let caches = Caches::default();
    let far = caches.far(MapOptions::default());
    far.0.refuses_watches.store(true, Ordering::Relaxed);
    let near = caches.near(&far, TTL);
    assert_eq!(near.entry(b"a"), None);
    far.0.refuses_watches.store(false, Ordering::Relaxed);
    assert_eq!(near.entry(b"b"), None);
    assert!(!near.known().near.unwrap().follows);
    caches.pass(Duration::from_secs(10));
    assert_eq!(near.entry(b"a"), None);
    assert!(near.known().near.unwrap().follows);
}
