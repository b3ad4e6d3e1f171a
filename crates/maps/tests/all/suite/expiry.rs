//! Entries end exactly when they are to.

use std::time::Duration;

use super::{Backend, Plain, open};
use bytes::Bytes;
use weir_maps::store::{Condition, Op, Terms};
use weir_maps::{MapError, MapOptions, Value};

pub(crate) fn an_entry_ends_exactly_in_time<B: Backend>(backend: &B) {
    let map = open(backend);
    map.set_on(b"k", b"x", Terms::lasting(B::TIMES.life))
        .unwrap();
    map.set(b"stays", b"x").unwrap();
    backend.pass(B::TIMES.nearly);
    assert!(map.entry(b"k").is_some());
    backend.pass(B::TIMES.just);
    assert_eq!(map.entry(b"k"), None);
    assert_eq!(map.delete(b"k"), Err(MapError::NoEntry));
    backend.pass(B::TIMES.long);
    assert!(map.entry(b"stays").is_some());
}

pub(crate) fn the_maps_time_is_the_default<B: Backend>(backend: &B) {
    let options = MapOptions {
        ttl: Some(B::TIMES.life),
        ..MapOptions::default()
    };
    let map = backend.open(options);
    map.set(b"a", b"x").unwrap();
    map.plus(b"n", 1).unwrap();
    map.set_on(b"b", b"x", Terms::lasting(B::TIMES.life * 3))
        .unwrap();
    backend.pass(B::TIMES.life);
    assert_eq!(map.keys(b"", 10), [b"b"]);
    backend.pass(B::TIMES.life * 2);
    assert_eq!(map.entry(b"b"), None);
}

pub(crate) fn writing_again_begins_anew<B: Backend>(backend: &B) {
    let map = open(backend);
    map.set_on(b"k", b"1", Terms::lasting(B::TIMES.life))
        .unwrap();
    backend.pass(B::TIMES.nearly);
    map.set_on(b"k", b"2", Terms::lasting(B::TIMES.life))
        .unwrap();
    backend.pass(B::TIMES.nearly);
    assert_eq!(map.text(b"k").as_deref(), Some("2"));
    map.set(b"k", b"3").unwrap();
    backend.pass(B::TIMES.life * 5);
    assert_eq!(
        map.text(b"k").as_deref(),
        Some("3"),
        "without a time it stays"
    );
}

pub(crate) fn what_ended_does_not_count_as_there<B: Backend>(backend: &B) {
    let map = open(backend);
    let version = map
        .set_on(b"k", b"1", Terms::lasting(B::TIMES.life))
        .unwrap();
    backend.pass(B::TIMES.life);
    assert_eq!(
        map.cas(b"k", version, b"2"),
        Err(MapError::Again { current: 0 })
    );
    let absent = Terms::on(Condition::Absent);
    assert!(map.set_on(b"k", b"2", absent).unwrap() > version);
    assert_eq!(map.text(b"k").as_deref(), Some("2"));
    assert_eq!(map.used().0, 1);
}

pub(crate) fn what_ended_makes_room<B: Backend>(backend: &B) {
    let options = MapOptions {
        entries_max: 10,
        ..MapOptions::default()
    };
    let map = backend.open(options);
    for number in 0..10_u8 {
        map.set_on(&[number], b"x", Terms::lasting(B::TIMES.life))
            .unwrap();
    }
    assert!(map.set(b"new", b"x").is_err());
    backend.pass(B::TIMES.life);
    for number in 100..110_u8 {
        map.set(&[number], b"x").unwrap();
    }
    assert_eq!(map.used().0, 10);
}

/// Once eight looks for room were all, of some entries each: a large value was refused in a map that was
/// full of what had ended.
pub(crate) fn many_that_ended_make_room_for_one<B: Backend>(backend: &B) {
    let options = MapOptions {
        bytes_max: 200_000,
        ..MapOptions::default()
    };
    let map = backend.open(options);
    let ops = |first: u32| -> Vec<Op> {
        let op = |number: u32| {
            let key = Bytes::copy_from_slice(&number.to_be_bytes());
            Op::Set(key, Value::copy_of(b"x"), Terms::lasting(B::TIMES.life))
        };
        (first..first + 100).map(op).collect()
    };
    for first in 0..10 {
        map.all(&ops(first * 100)).unwrap();
    }
    backend.pass(B::TIMES.life);
    map.set(b"large", &vec![0; 190_000]).unwrap();
}

pub(crate) fn too_short_a_time_is_refused<B: Backend>(backend: &B) {
    let map = open(backend);
    let none = map.set_on(b"k", b"x", Terms::lasting(Duration::ZERO));
    assert!(matches!(none, Err(MapError::Invalid(_))));
    map.set_on(b"k", b"x", Terms::lasting(Duration::MAX))
        .unwrap();
    backend.pass(B::TIMES.long);
    assert!(map.entry(b"k").is_some());
}
