//! Maps that another back end than memory keeps, whose answers come later.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use weir_maps::store::{
    Condition, Counted, Done, Found, Op, Page, Range, Seen, Stat, Store, Terms,
};
use weir_maps::{
    Answer, Called, MapCall, MapError, MapOptions, MapReply, MemoryStore, MemoryTable, NoEdges,
    Rights, SystemClock, Value, Watch,
};

use super::{ENDS, now, poll, set};
use crate::handles::House;
use crate::memory::unlimited;

/// Does everything at once and says so one poll later.
struct Slow(MemoryStore);

fn later<T: 'static>(answer: Answer<T>) -> Answer<T> {
    let mut answer = Some(answer.now());
    let mut polls = 0;
    Answer::Later(Box::pin(poll_fn(move |_| {
        polls += 1;
        if polls == 1 {
            return Poll::Pending;
        }
        Poll::Ready(answer.take().unwrap())
    })))
}

impl Store for Slow {
    fn read<R>(
        &self,
        key: &[u8],
        _see: &mut impl FnMut(Seen<'_>) -> R,
    ) -> Answer<Option<R>, Option<Found>> {
        let found = self.0.read(key, &mut |seen| Found::from(seen)).now();
        match later(Answer::Now(found)) {
            Answer::Later(later) => Answer::Later(later),
            Answer::Now(_) => unreachable!(),
        }
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
        Answer::Now(Err(MapError::NotSupported("batches")))
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

#[test]
fn another_back_end_answers_later_and_has_no_references() {
    let house = House::new();
    let table = MemoryTable::new(Arc::new(SystemClock::default()));
    let options = MapOptions::default();
    let store = MemoryStore::new(&table, options, Arc::new(unlimited()), NoEdges).unwrap();
    house.engine.undefine("tenant", "cache");
    house
        .engine
        .define_with("tenant", "cache", (options, Arc::new(Slow(store))))
        .unwrap();
    let mut one = house.instance("filter", Rights::ALL);
    let handle = super::cache(&mut one);
    let key = b"key";
    let mut wait = |call: MapCall<'_>| {
        let Called::Later(mut reply) = one.call(call, ENDS) else {
            panic!("{call:?} was answered at once");
        };
        assert_eq!(poll(&mut reply), Poll::Pending);
        match poll(&mut reply) {
            Poll::Ready(reply) => reply,
            Poll::Pending => panic!("{call:?} takes too long"),
        }
    };
    assert_eq!(wait(set(handle, key, b"value")), MapReply::Number(1));
    let entry = MapReply::Entry(Value::copy_of(b"value"), 1);
    assert_eq!(wait(MapCall::Get { handle, key }), entry);
    assert_eq!(wait(MapCall::Exists { handle, key }), MapReply::Number(1));
    let watched = wait(MapCall::Watch {
        handle,
        prefix: b"",
    });
    assert_eq!(watched, MapReply::Number(1));
    assert!(matches!(wait(MapCall::Stat { handle }), MapReply::Bytes(_)));
    let mut cursor = [0; 16];
    wait(set(handle, b"other", b"value"));
    for more in [true, false] {
        let page = wait(MapCall::Scan {
            handle,
            prefix: b"",
            cursor,
            bytes: 32,
        });
        let MapReply::Page(_, next) = page else {
            panic!("{page:?}");
        };
        assert_eq!(next != [0; 16], more);
        cursor = next;
    }
    assert_eq!(wait(MapCall::Delete { handle, key }), MapReply::Done);
    assert_eq!(wait(MapCall::Get { handle, key }), MapReply::Refused(44, 0));
    assert_eq!(wait(MapCall::Clear { handle }), MapReply::Number(1));
    // What it cannot do is said at once.
    let options = MapOptions::anonymous();
    let child = 2;
    assert_eq!(
        now(&mut one, MapCall::Create { options }),
        MapReply::Number(2)
    );
    let put = MapCall::PutMap { handle, key, child };
    assert_eq!(now(&mut one, put), MapReply::Refused(58, 0));
    let get = MapCall::GetMap { handle, key };
    assert_eq!(now(&mut one, get), MapReply::Refused(58, 0));
    let batch = MapCall::Batch { handle, ops: &[] };
    assert_eq!(now(&mut one, batch), MapReply::Refused(58, 0));
    // Two events wait, told through the watch that was begun later.
    let next = MapCall::Next {
        watch: 1,
        timeout_ms: 0,
        bytes: 1000,
    };
    assert!(matches!(now(&mut one, next), MapReply::Bytes(_)));
}
