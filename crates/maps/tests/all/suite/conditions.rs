//! What is stored under a condition.

use super::{Backend, Plain, open, wait};
use weir_maps::store::{Condition, Terms};
use weir_maps::{MapError, Store as _};

pub(crate) fn absent_stores_once<B: Backend>(backend: &B) {
    let map = open(backend);
    let terms = Terms::on(Condition::Absent);
    let version = map.set_on(b"k", b"1", terms).unwrap();
    let again = Err(MapError::Again { current: version });
    assert_eq!(map.set_on(b"k", b"2", terms), again);
    assert_eq!(map.text(b"k").as_deref(), Some("1"));
}

pub(crate) fn a_version_stores_once<B: Backend>(backend: &B) {
    let map = open(backend);
    let first = map.set(b"k", b"1").unwrap();
    let second = map.cas(b"k", first, b"2").unwrap();
    assert!(second > first);
    assert_eq!(
        map.cas(b"k", first, b"3"),
        Err(MapError::Again { current: second })
    );
    assert_eq!(map.text(b"k").as_deref(), Some("2"));
}

pub(crate) fn zero_means_absent<B: Backend>(backend: &B) {
    let map = open(backend);
    assert_eq!(map.cas(b"k", 7, b"x"), Err(MapError::Again { current: 0 }));
    let version = map.cas(b"k", 0, b"x").unwrap();
    assert_eq!(
        map.cas(b"k", 0, b"y"),
        Err(MapError::Again { current: version })
    );
    let zero = Terms::on(Condition::Version(0));
    assert_eq!(
        map.set_on(b"none", b"y", zero),
        Err(MapError::Again { current: 0 })
    );
}

pub(crate) fn a_failed_condition_changes_nothing<B: Backend>(backend: &B) {
    let map = open(backend);
    map.set(b"k", b"1").unwrap();
    let before = (map.entry(b"k"), map.used());
    let watch = map.follow(b"");
    assert!(map.cas(b"k", 0, b"a longer one").is_err());
    assert!(map.cas(b"other", 3, b"a longer one").is_err());
    assert_eq!((map.entry(b"k"), map.used()), before);
    backend.settle();
    assert_eq!(watch.try_next(), None);
}

pub(crate) fn a_version_of_before_a_removal_never_holds<B: Backend>(backend: &B) {
    let map = open(backend);
    let old = map.set(b"k", b"1").unwrap();
    map.delete(b"k").unwrap();
    let new = map.set(b"k", b"1").unwrap();
    assert_eq!(
        map.cas(b"k", old, b"2"),
        Err(MapError::Again { current: new })
    );
}

pub(crate) fn removal_can_be_conditional<B: Backend>(backend: &B) {
    let map = open(backend);
    let version = map.set(b"k", b"1").unwrap();
    let other = Condition::Version(version + 1);
    assert_eq!(
        wait(map.remove(b"k", other)),
        Err(MapError::Again { current: version })
    );
    assert_eq!(wait(map.remove(b"k", Condition::Version(version))), Ok(()));
    assert_eq!(map.entry(b"k"), None);
}
