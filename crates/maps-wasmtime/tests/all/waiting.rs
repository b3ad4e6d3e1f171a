//! Guests that wait: suspended where they can be, ended or answered where they cannot.

use std::sync::Arc;
use std::time::Duration;

use weir_maps::store::{
    Condition, Counted, Done, Found, Op, Page, Range, Seen, Stat, Store, Terms,
};
use weir_maps::{
    Answer, MapError, MapOptions, MemoryStore, MemoryTable, NoEdges, Rights, SystemClock, Value,
    Watch,
};
use weir_maps_wasmtime::CannotWait;

use crate::house::{House, Mode, block_on, unlimited};
use crate::table::{BUFFER, GIVEN, KEY, OUT, prepare};

/// Memory that answers after a moment, as a server does.
struct Slow(MemoryStore);

fn later<T: 'static>(answer: Answer<T>) -> Answer<T> {
    let answer = answer.now();
    Answer::Later(Box::pin(async move {
        tokio::time::sleep(Duration::from_millis(1)).await;
        answer
    }))
}

impl Store for Slow {
    fn read<R>(
        &self,
        key: &[u8],
        _see: &mut impl FnMut(Seen<'_>) -> R,
    ) -> Answer<Option<R>, Option<Found>> {
        let found = self.0.read(key, &mut |seen| Found::from(seen)).now();
        Answer::Later(Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            found
        }))
    }

    fn write(&self, key: &[u8], value: Value, terms: Terms) -> Answer<u64> {
        later(self.0.write(key, value, terms))
    }

    fn remove(&self, key: &[u8], condition: Condition) -> Answer<()> {
        later(self.0.remove(key, condition))
    }

    fn add(&self, key: &[u8], delta: i64) -> Answer<Counted> {
        later(self.0.add(key, delta))
    }

    fn scan(&self, range: Range<'_>) -> Answer<Page> {
        later(self.0.scan(range))
    }

    fn batch(&self, _ops: &[Op]) -> Answer<Vec<Done>> {
        later(Answer::Now(Err(MapError::NotSupported("batches"))))
    }

    fn clear(&self) -> Answer<u64> {
        later(self.0.clear())
    }

    fn watch(&self, prefix: &[u8]) -> Answer<Watch> {
        later(self.0.watch(prefix))
    }

    fn stat(&self) -> Answer<Stat> {
        later(self.0.stat())
    }
}

/// A house whose map `small` answers later.
pub(crate) fn slow() -> House {
    let house = House::new();
    let table = MemoryTable::new(Arc::new(SystemClock::default()));
    let options = MapOptions::default();
    let store = MemoryStore::new(&table, options, unlimited(), NoEdges).unwrap();
    house.engine.undefine("tenant", "small");
    let store = Arc::new(Slow(store));
    house
        .engine
        .define_with("tenant", "small", (options, store))
        .unwrap();
    house
}

fn at(place: usize) -> i64 {
    i64::try_from(place).unwrap()
}

#[test]
fn a_guest_is_suspended_until_the_answer_is_there() {
    let house = slow();
    let mut guest = prepare(&house, Mode::Later);
    let map = guest.handles().open(b"small", Rights::ALL).unwrap();
    let (map, key, out) = (i64::from(map), at(KEY), at(OUT));
    assert_eq!(guest.call("get", &[map, key, 3, at(BUFFER), 9, out, 0]), 44);
    assert_eq!(guest.call("set", &[map, key, 3, key, 3]), 0);
    assert_eq!(guest.call("get", &[map, key, 3, at(BUFFER), 9, out, 0]), 0);
    assert_eq!((guest.read(BUFFER, 3), guest.u32(OUT)), (&b"key"[..], 3));
    assert_eq!(guest.call("get_alloc", &[map, key, 3, out, out + 4, 0]), 0);
    assert_eq!(guest.read(GIVEN, 3), b"key");
    assert_eq!(guest.call("increment", &[map, key, 3, 1, out]), 28);
    assert_eq!(guest.call("stat", &[map, out]), 0);
    assert_eq!(guest.u64(OUT), 1);
    assert_eq!(guest.call("watch", &[map, 0, 0, out]), 0);
    assert_eq!(guest.u32(OUT), 2);
    assert_eq!(guest.call("batch", &[map, 0x900, 4, 0]), 58);
    assert_eq!(guest.call("put_map", &[map, key, 3, 2]), 58);
    assert_eq!(guest.call("clear", &[map]), 0);
    assert_eq!(guest.call("exists", &[map, key, 3, out]), 0);
    assert_eq!(guest.u32(OUT), 0);
}

#[test]
fn a_guest_that_cannot_be_suspended_ends() {
    let house = slow();
    let mut guest = prepare(&house, Mode::Now);
    let map = guest.handles().open(b"small", Rights::ALL).unwrap();
    let error = block_on(async {
        // The host begins what is asked before it knows that nobody will wait for it.
        guest
            .try_call("exists", &[i64::from(map), at(KEY), 3, at(OUT)])
            .unwrap_err()
    });
    assert_eq!(error.downcast_ref(), Some(&CannotWait));
}

#[test]
fn changes_are_waited_for_as_long_as_the_guest_says() {
    let house = House::new();
    let mut guest = prepare(&house, Mode::Later);
    let (buffer, used) = (at(BUFFER), at(OUT));
    assert_eq!(guest.call("next", &[1, -1, buffer, 256, used]), 0);
    let begun = std::time::Instant::now();
    assert_eq!(guest.call("next", &[1, 20, buffer, 256, used]), 73);
    assert!(begun.elapsed() >= Duration::from_millis(20));
    assert_eq!(guest.call("next", &[1, 0, buffer, 256, used]), 6);
    // Somebody else changes the map while the guest waits.
    let map = house.engine.find("tenant", "cache").unwrap();
    let writer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        map.map().store().add(b"late", 1).now().unwrap();
    });
    assert_eq!(guest.call("next", &[1, 10_000, buffer, 256, used]), 0);
    writer.join().unwrap();
    assert_eq!(guest.read(BUFFER + 16, 4), b"late");
}

#[test]
fn a_guest_that_cannot_be_suspended_does_not_wait_for_changes() {
    let house = House::new();
    let mut guest = prepare(&house, Mode::Now);
    let (buffer, used) = (at(BUFFER), at(OUT));
    assert_eq!(guest.call("next", &[1, -1, buffer, 256, used]), 0);
    assert_eq!(guest.call("next", &[1, -1, buffer, 256, used]), 6);
}
