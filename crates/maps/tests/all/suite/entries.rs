//! Entries are stored, read and removed.

use super::{Backend, Plain, open};
use weir_maps::MapError;

pub(crate) fn absent_is_none<B: Backend>(backend: &B) {
    let map = open(backend);
    assert_eq!(map.entry(b"k"), None);
    assert_eq!(map.delete(b"k"), Err(MapError::NoEntry));
}

pub(crate) fn what_is_set_is_read_back<B: Backend>(backend: &B) {
    let map = open(backend);
    let version = map.set(b"k", b"one").unwrap();
    let found = map.entry(b"k").unwrap();
    assert_eq!(
        (found.value.bytes(), found.version),
        (Some(&b"one"[..]), version)
    );
    map.set(b"k", b"a much longer value than the one before it")
        .unwrap();
    assert_eq!(
        map.text(b"k").unwrap(),
        "a much longer value than the one before it"
    );
}

pub(crate) fn empty_and_long_values_and_keys<B: Backend>(backend: &B) {
    let map = open(backend);
    let long = vec![b'x'; 64 << 10];
    for key in [&b""[..], b"\0", b"\xff\xff", &long] {
        for value in [&b""[..], b"\0\xff", &long] {
            map.set(key, value).unwrap();
            assert_eq!(map.entry(key).unwrap().value.bytes(), Some(value));
        }
    }
    assert_eq!(map.used().0, 4);
}

pub(crate) fn a_removed_entry_is_gone<B: Backend>(backend: &B) {
    let map = open(backend);
    map.set(b"a", b"1").unwrap();
    map.set(b"b", b"2").unwrap();
    map.delete(b"a").unwrap();
    assert_eq!(map.entry(b"a"), None);
    assert_eq!(map.delete(b"a"), Err(MapError::NoEntry));
    assert_eq!(map.text(b"b").as_deref(), Some("2"));
    assert_eq!(map.keys(b"", 10), [b"b"]);
}

pub(crate) fn versions_increase_and_outlive_the_entry<B: Backend>(backend: &B) {
    let map = open(backend);
    let mut last = 0;
    for round in 0..5 {
        for version in [
            map.set(b"k", b"x").unwrap(),
            map.plus(b"n", 1).unwrap().version,
        ] {
            assert!(version > last, "round {round}");
            last = version;
        }
        map.delete(b"k").unwrap();
    }
}

pub(crate) fn clear_removes_everything_once<B: Backend>(backend: &B) {
    let map = open(backend);
    for number in 0..100_u32 {
        map.set(&number.to_be_bytes(), b"x").unwrap();
    }
    assert_eq!(super::wait(map.clear()), Ok(100));
    assert_eq!((map.keys(b"", 10), map.used()), (vec![], (0, 0)));
    assert_eq!(super::wait(map.clear()), Ok(0));
    let version = map.set(b"k", b"x").unwrap();
    assert!(version > 100, "versions go on after a clear");
}

pub(crate) fn maps_do_not_see_each_other<B: Backend>(backend: &B) {
    let (one, two) = (open(backend), open(backend));
    one.set(b"k", b"1").unwrap();
    assert_eq!(two.entry(b"k"), None);
    two.set(b"k", b"2").unwrap();
    super::wait(two.clear()).unwrap();
    assert_eq!(one.text(b"k").as_deref(), Some("1"));
}

use weir_maps::Store as _;
