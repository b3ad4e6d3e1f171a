//! Counters are exact, and wrap never.

use super::{Backend, Plain, open};
use weir_maps::MapError;
use weir_maps::store::Terms;

pub(crate) fn a_counter_begins_at_zero<B: Backend>(backend: &B) {
    let map = open(backend);
    assert_eq!(map.plus(b"n", 5).unwrap().value, 5);
    let last = map.plus(b"n", -12).unwrap();
    assert_eq!(last.value, -7);
    let found = map.entry(b"n").unwrap();
    assert_eq!(found.value.bytes(), Some(&(-7_i64).to_le_bytes()[..]));
    assert_eq!(found.version, last.version);
}

pub(crate) fn an_overflow_changes_nothing<B: Backend>(backend: &B) {
    let map = open(backend);
    for (start, step) in [(i64::MAX, 1), (i64::MIN, -1)] {
        map.delete(b"n").ok();
        map.plus(b"n", start).unwrap();
        let before = map.entry(b"n");
        assert_eq!(map.plus(b"n", step), Err(MapError::Overflow { needed: 0 }));
        assert_eq!(map.entry(b"n"), before);
        assert_eq!(map.plus(b"n", -step).unwrap().value, start - step);
    }
}

pub(crate) fn only_eight_bytes_count<B: Backend>(backend: &B) {
    let map = open(backend);
    map.set(b"k", b"text").unwrap();
    assert!(matches!(map.plus(b"k", 1), Err(MapError::Invalid(_))));
    assert_eq!(map.text(b"k").as_deref(), Some("text"));
    map.set(b"k", &41_i64.to_le_bytes()).unwrap();
    assert_eq!(map.plus(b"k", 1).unwrap().value, 42);
}

pub(crate) fn a_counter_keeps_its_time<B: Backend>(backend: &B) {
    let map = open(backend);
    let life = B::TIMES.life;
    let terms = Terms::lasting(life);
    map.set_on(b"n", &1_i64.to_le_bytes(), terms).unwrap();
    backend.pass(life * 6 / 10);
    assert_eq!(map.plus(b"n", 1).unwrap().value, 2);
    backend.pass(life * 6 / 10);
    assert_eq!(map.entry(b"n"), None);
    assert_eq!(
        map.plus(b"n", 1).unwrap().value,
        1,
        "a counter that ended begins anew"
    );
}
