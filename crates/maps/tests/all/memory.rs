//! The memory engine: the suite, and what is its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use weir_maps::budget::{Account, Amount};
use weir_maps::store::{Op, Terms};
use weir_maps::{
    Change, Event, Eviction, ManualClock, MapError, MapOptions, MemoryStore, MemoryTable, NoEdges,
    Value,
};

use crate::suite::{Backend, Plain, open, table};

/// Maps in one table, on a clock that the test moves.
pub(crate) struct Memory {
    clock: ManualClock,
    table: Arc<MemoryTable>,
}

impl Default for Memory {
    fn default() -> Self {
        let clock = ManualClock::default();
        let table = MemoryTable::new(Arc::new(clock.clone()));
        Self { clock, table }
    }
}

impl Backend for Memory {
    type Store = MemoryStore;

    fn open(&self, options: MapOptions) -> MemoryStore {
        self.owned_by(options, &Arc::new(unlimited()))
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }
}

impl Memory {
    pub(crate) fn owned_by(&self, options: MapOptions, owner: &Arc<Account>) -> MemoryStore {
        MemoryStore::new(&self.table, options, Arc::clone(owner), NoEdges).unwrap()
    }
}

pub(crate) fn unlimited() -> Account {
    Account::new(Amount {
        entries: u64::MAX,
        bytes: u64::MAX,
    })
}

mod behaviour {
    crate::suite::all_rows!(crate::memory::Memory);
}

#[test]
fn rows_do_not_disturb_each_other() {
    table::check_all::<Memory>("memory", &crate::suite::rows());
}

#[test]
fn an_owners_maps_share_its_quota() {
    let memory = Memory::default();
    let owner = Arc::new(Account::new(Amount {
        entries: 3,
        bytes: u64::MAX,
    }));
    let one = memory.owned_by(MapOptions::default(), &owner);
    let two = memory.owned_by(MapOptions::anonymous(), &owner);
    one.set(b"a", b"x").unwrap();
    one.set(b"b", b"x").unwrap();
    two.set(b"a", b"x").unwrap();
    let refused = two.set(b"b", b"x");
    assert!(
        matches!(refused, Err(MapError::NoSpace { max: 3, .. })),
        "{refused:?}"
    );
    assert_eq!(two.used().0, 1, "the map's own count is taken back");
    drop(one);
    assert_eq!(
        owner.used().entries,
        1,
        "a map that goes gives its room back"
    );
    two.set(b"b", b"x").unwrap();
    drop(two);
    assert_eq!(owner.used(), Amount::default());
}

#[test]
fn a_full_map_keeps_what_is_used() {
    let memory = Memory::default();
    let map = memory.open(MapOptions {
        entries_max: 1000,
        eviction: Eviction::Lru,
        shards: 4,
        ..MapOptions::default()
    });
    let key = |number: u32| number.to_be_bytes();
    for number in 0..1000 {
        map.set(&key(number), b"x").unwrap();
    }
    for number in 1000..20_000 {
        for hot in 0..10 {
            assert!(
                map.entry(&key(hot)).is_some(),
                "{hot} is read all the time ({number})"
            );
        }
        map.set(&key(number), b"x").unwrap();
    }
    let stat = weir_maps::Store::stat(&map).now().unwrap();
    assert_eq!((stat.entries, stat.evicted), (1000, 19_000));
    assert!(map.entry(&key(19_999)).is_some(), "the newest is there");
}

#[test]
fn an_eviction_is_told_and_makes_room_for_large_values() {
    let memory = Memory::default();
    let map = memory.open(MapOptions {
        bytes_max: 10_000,
        eviction: Eviction::Lru,
        shards: 2,
        ..MapOptions::default()
    });
    for number in 0..20_u8 {
        map.set(&[number], &[0; 300]).unwrap();
    }
    let watch = map.follow(b"");
    map.set(b"large", &[0; 3000]).unwrap();
    let mut evicted = 0;
    while let Some(Change::Entry { event, .. }) = watch.try_next() {
        evicted += u32::from(event == Event::Evicted);
    }
    assert!(evicted >= 4, "{evicted}");
    assert!(map.used().1 <= 10_000);
    assert!(map.set(b"too large", &vec![0; 20_000]).is_err());
}

/// Once a write evicted eight entries at most, so that a map full of small ones refused every value that
/// needed the room of more of them; and a write that could never succeed evicted them all the same.
#[test]
fn a_large_value_takes_the_place_of_many_small_ones() {
    let memory = Memory::default();
    let options = MapOptions {
        bytes_max: 1 << 20,
        eviction: Eviction::Lru,
        shards: 4,
        ..MapOptions::default()
    };
    let map = memory.open(options);
    for number in 0..7000_u32 {
        map.set(&number.to_be_bytes(), b"x").unwrap();
    }
    let evicted = |map: &MemoryStore| weir_maps::Store::stat(map).now().unwrap().evicted;
    let before = evicted(&map);
    map.set(b"large", &vec![0; 512 << 10]).unwrap();
    assert!(map.used().1 <= 1 << 20);
    let gone = evicted(&map) - before;
    assert!((3000..3500).contains(&gone), "no more than needed: {gone}");
    let (used, before) = (map.used(), evicted(&map));
    assert!(map.set(b"too large", &vec![0; 1 << 20]).is_err());
    assert_eq!(
        (map.used(), evicted(&map)),
        (used, before),
        "nothing has changed"
    );
}

/// Likewise a full map refused what there was room for among entries that had ended.
#[test]
fn a_large_value_takes_the_place_of_many_that_ended() {
    let memory = Memory::default();
    let options = MapOptions {
        bytes_max: 1 << 20,
        ..MapOptions::default()
    };
    let map = memory.open(options);
    for number in 0..6000_u32 {
        let terms = Terms::lasting(Duration::from_millis(5));
        map.set_on(&number.to_be_bytes(), b"x", terms).unwrap();
    }
    memory.pass(Duration::from_millis(5));
    map.set(b"large", &vec![0; 900 << 10]).unwrap();
}

/// What an owner has in other maps is not what evicting here would help with.
#[test]
fn nothing_is_evicted_for_room_that_others_take() {
    let memory = Memory::default();
    let owner = Arc::new(Account::new(Amount {
        entries: 10,
        bytes: u64::MAX,
    }));
    let other = memory.owned_by(MapOptions::anonymous(), &owner);
    let options = MapOptions {
        eviction: Eviction::Lru,
        ..MapOptions::anonymous()
    };
    let map = memory.owned_by(options, &owner);
    for number in 0..5_u8 {
        other.set(&[number], b"x").unwrap();
        map.set(&[number], b"x").unwrap();
    }
    let ops = |count: u8| -> Vec<Op> {
        let op = |number: u8| {
            let value = Value::copy_of(b"new");
            Op::Set(vec![b'n', number].into(), value, Terms::default())
        };
        (0..count).map(op).collect()
    };
    let batch = |count| weir_maps::Store::batch(&map, &ops(count)).now();
    assert!(matches!(batch(6), Err(MapError::NoSpace { max: 10, .. })));
    assert_eq!(map.text(&[0]).as_deref(), Some("x"), "nothing has changed");
    batch(5).unwrap();
    assert_eq!((map.used().0, map.entry(&[0])), (5, None));
}

#[test]
fn sweeping_removes_what_ended_and_tells_it() {
    let memory = Memory::default();
    let map = open(&memory);
    for number in 0..100_u8 {
        let ttl = Duration::from_millis(u64::from(number) + 1);
        map.set_on(&[number], b"x", Terms::lasting(ttl)).unwrap();
    }
    let watch = map.follow(b"");
    assert_eq!(map.next_end_ms(), Some(1));
    memory.pass(Duration::from_millis(60));
    assert_eq!(map.used().0, 100, "nothing was swept yet");
    assert_eq!((map.tend(50), map.tend(50), map.tend(50)), (50, 10, 0));
    assert_eq!(map.used().0, 40);
    assert_eq!(map.next_end_ms(), Some(61));
    let told = std::iter::from_fn(|| watch.try_next());
    let ended = told.filter(|change| {
        matches!(
            change,
            Change::Entry {
                event: Event::Expired,
                ..
            }
        )
    });
    assert_eq!(ended.count(), 60);
}

#[test]
fn a_waiting_watcher_is_woken_with_no_lock_held() {
    struct Reads(MemoryStore, AtomicBool);
    impl Wake for Reads {
        fn wake(self: Arc<Self>) {
            // Would wait forever if the shard were still locked.
            self.0.set(b"k", b"from the waker").unwrap();
            self.1.store(true, Ordering::SeqCst);
        }
    }
    let map = Memory::default().open(MapOptions::anonymous());
    let watch = map.follow(b"");
    let reads = Arc::new(Reads(map, AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&reads));
    assert!(
        watch
            .poll_next(&mut Context::from_waker(&waker))
            .is_pending()
    );
    reads.0.set(b"k", b"x").unwrap();
    assert!(reads.1.load(Ordering::SeqCst));
    let ready = watch.poll_next(&mut Context::from_waker(&waker));
    assert!(matches!(ready, Poll::Ready(Change::Entry { .. })));
    assert_eq!(reads.0.text(b"k").as_deref(), Some("from the waker"));
}
