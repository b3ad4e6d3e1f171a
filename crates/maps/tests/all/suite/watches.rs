//! Watchers are told of every change, or that they missed some.

use std::collections::BTreeSet;

use super::{Backend, Plain, open, wait};
use weir_maps::store::{Op, Terms};
use weir_maps::{Change, Event, Store, Watch};
use weir_model::limits::maps::{WATCH_CHANGES_MAX, WATCHES_MAX};

/// What is told of all that was done so far.
fn told<B: Backend>(backend: &B, watch: &Watch) -> Option<Change> {
    backend.settle();
    watch.try_next()
}

/// Key, what happened, version.
fn next<B: Backend>(backend: &B, watch: &Watch) -> Option<(String, Event, u64)> {
    match told(backend, watch)? {
        Change::Entry {
            key,
            event,
            version,
        } => Some((String::from_utf8_lossy(key.bytes()).into(), event, version)),
        Change::Cleared | Change::Gone | Change::Resync => panic!("not a change of one entry"),
    }
}

pub(crate) fn changes_are_told<B: Backend>(backend: &B) {
    let map = open(backend);
    map.set(b"before", b"x").unwrap();
    let watch = map.follow(b"");
    assert_eq!(told(backend, &watch), None);
    let set = map.set(b"a", b"x").unwrap();
    assert_eq!(next(backend, &watch), Some(("a".into(), Event::Set, set)));
    let counted = map.plus(b"n", 1).unwrap().version;
    assert_eq!(
        next(backend, &watch),
        Some(("n".into(), Event::Set, counted))
    );
    map.delete(b"a").unwrap();
    let (key, event, version) = next(backend, &watch).unwrap();
    assert_eq!((key.as_str(), event), ("a", Event::Deleted));
    assert!(version > counted);
    map.all(&[Op::Add("n".into(), 1), Op::Add("m".into(), 1)])
        .unwrap();
    let both: BTreeSet<String> = [next(backend, &watch), next(backend, &watch)]
        .into_iter()
        .flatten()
        .map(|it| it.0)
        .collect();
    assert_eq!(both, BTreeSet::from(["m".into(), "n".into()]));
    assert_eq!(told(backend, &watch), None);
}

pub(crate) fn a_prefix_limits_a_watch<B: Backend>(backend: &B) {
    let map = open(backend);
    let watch = map.follow(b"users/");
    map.set(b"user", b"x").unwrap();
    map.set(b"users/1", b"x").unwrap();
    assert_eq!(next(backend, &watch).unwrap().0, "users/1");
    assert_eq!(told(backend, &watch), None);
}

pub(crate) fn changes_of_one_key_are_joined<B: Backend>(backend: &B) {
    let map = open(backend);
    let watch = map.follow(b"");
    map.set(b"a", b"1").unwrap();
    map.set(b"b", b"1").unwrap();
    for _ in 0..WATCH_CHANGES_MAX * 2 {
        map.set(b"a", b"x").unwrap();
    }
    let last = map.entry(b"a").unwrap().version;
    assert_eq!(next(backend, &watch), Some(("a".into(), Event::Set, last)));
    assert_eq!(next(backend, &watch).unwrap().0, "b");
    assert_eq!(told(backend, &watch), None);
}

pub(crate) fn a_gap_is_told_as_resync<B: Backend>(backend: &B) {
    let map = open(backend);
    let watch = map.follow(b"");
    for number in 0..=WATCH_CHANGES_MAX {
        map.set(number.to_string().as_bytes(), b"x").unwrap();
    }
    map.set(b"within", b"x").unwrap();
    assert_eq!(told(backend, &watch), Some(Change::Resync));
    map.set(b"after", b"x").unwrap();
    assert_eq!(next(backend, &watch).unwrap().0, "after");
    assert_eq!(told(backend, &watch), None);
}

pub(crate) fn a_clear_is_told<B: Backend>(backend: &B) {
    let map = open(backend);
    let watch = map.follow(b"some prefix");
    let all = map.follow(b"");
    map.set(b"a", b"x").unwrap();
    wait(map.clear()).unwrap();
    map.set(b"b", b"x").unwrap();
    assert_eq!(told(backend, &watch), Some(Change::Cleared));
    assert_eq!(told(backend, &all), Some(Change::Cleared));
    assert_eq!(next(backend, &all).unwrap().0, "b");
}

pub(crate) fn an_end_is_told<B: Backend>(backend: &B) {
    let map = open(backend);
    let terms = Terms::lasting(B::TIMES.life);
    map.set_on(b"k", b"x", terms).unwrap();
    let watch = map.follow(b"");
    backend.pass(B::TIMES.life);
    map.set(b"k", b"y").unwrap();
    // The last change of a key is enough.
    let last = next(backend, &watch).unwrap();
    assert_eq!((last.0.as_str(), last.1), ("k", Event::Set));
    assert_eq!(told(backend, &watch), None);
}

pub(crate) fn a_dropped_watch_ends<B: Backend>(backend: &B) {
    let map = open(backend);
    let kept: Vec<Watch> = (0..WATCHES_MAX).map(|_| map.follow(b"")).collect();
    assert!(wait(map.watch(b"")).is_err());
    drop(kept);
    map.set(b"k", b"x").unwrap();
    backend.settle();
    assert_eq!(wait(map.stat()).unwrap().watches, 0);
    map.follow(b"");
}
