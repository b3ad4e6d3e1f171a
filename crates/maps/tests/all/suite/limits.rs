//! What is too much is refused, and changes nothing.

use super::{Backend, Plain, open};
use weir_maps::{MapError, MapOptions};
use weir_model::limits::maps::{ENTRY_BYTES, KEY_BYTES_MAX};

pub(crate) fn entries_are_bounded<B: Backend>(backend: &B) {
    let options = MapOptions {
        entries_max: 2,
        ..MapOptions::default()
    };
    let map = backend.open(options);
    map.set(b"a", b"").unwrap();
    map.plus(b"b", 1).unwrap();
    for refused in [map.set(b"c", b""), map.plus(b"c", 1).map(|it| it.version)] {
        assert!(
            matches!(refused, Err(MapError::NoSpace { max: 2, .. })),
            "{refused:?}"
        );
    }
    assert_eq!(map.entry(b"c"), None);
    map.set(b"a", b"still").unwrap();
    assert_eq!(map.used().0, 2);
}

pub(crate) fn bytes_are_bounded<B: Backend>(backend: &B) {
    let entry = ENTRY_BYTES as u64;
    let options = MapOptions {
        bytes_max: 2 * entry + 10,
        ..MapOptions::default()
    };
    let map = backend.open(options);
    map.set(b"a", b"1234").unwrap();
    map.set(b"b", b"1234").unwrap();
    assert_eq!(map.used(), (2, 2 * entry + 10));
    for refused in [map.set(b"c", b""), map.set(b"a", b"12345")] {
        assert!(
            matches!(refused, Err(MapError::NoSpace { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(map.text(b"a").as_deref(), Some("1234"));
    assert_eq!(map.used(), (2, 2 * entry + 10));
}

pub(crate) fn a_key_is_bounded<B: Backend>(backend: &B) {
    let map = open(backend);
    map.set(&vec![1; KEY_BYTES_MAX], b"x").unwrap();
    let long = vec![1; KEY_BYTES_MAX + 1];
    assert!(matches!(map.set(&long, b"x"), Err(MapError::Invalid(_))));
    assert!(matches!(map.plus(&long, 1), Err(MapError::Invalid(_))));
    assert!(matches!(map.delete(&long), Err(MapError::Invalid(_))));
    assert_eq!(map.used().0, 1);
}

pub(crate) fn a_value_is_bounded<B: Backend>(backend: &B) {
    let options = MapOptions {
        value_bytes_max: 100,
        ..MapOptions::default()
    };
    let map = backend.open(options);
    map.set(b"k", &[0; 100]).unwrap();
    let refused = map.set(b"k", &[0; 101]);
    assert!(matches!(refused, Err(MapError::NoSpace { max: 100, .. })));
    assert_eq!(map.entry(b"k").unwrap().value.length(), 100);
}

pub(crate) fn what_shrinks_is_admitted<B: Backend>(backend: &B) {
    let options = MapOptions {
        bytes_max: ENTRY_BYTES as u64 + 10,
        ..MapOptions::default()
    };
    let map = backend.open(options);
    map.set(b"k", b"123456789").unwrap();
    map.set(b"k", b"123456780").unwrap();
    map.set(b"k", b"1").unwrap();
    map.set(b"k", b"123456789").unwrap();
}

pub(crate) fn a_removed_entry_gives_its_room_back<B: Backend>(backend: &B) {
    let options = MapOptions {
        entries_max: 3,
        ..MapOptions::default()
    };
    let map = backend.open(options);
    for round in 0..20_u8 {
        map.set(&[round], b"some value").unwrap();
        if round >= 2 {
            map.delete(&[round - 2]).unwrap();
        }
    }
    assert_eq!(map.used().0, 2);
    super::wait(weir_maps::Store::clear(&map)).unwrap();
    assert_eq!(map.used(), (0, 0));
}
