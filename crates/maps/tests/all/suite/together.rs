//! Batches: all or nothing.

use bytes::Bytes;

use super::{Backend, Plain, open};
use weir_maps::store::{Condition, Done, Op, Terms};
use weir_maps::{MapError, MapOptions, Value};

fn key(name: &'static str) -> Bytes {
    Bytes::from_static(name.as_bytes())
}

fn set(name: &'static str, value: &str) -> Op {
    Op::Set(
        key(name),
        Value::copy_of(value.as_bytes()),
        Terms::default(),
    )
}

pub(crate) fn a_batch_is_done_in_order<B: Backend>(backend: &B) {
    let map = open(backend);
    let version = map.set(b"old", b"1").unwrap();
    let done = map.all(&[
        Op::Check(key("old"), Condition::Version(version)),
        set("old", "2"),
        Op::Add(key("n"), 4),
        Op::Add(key("n"), 5),
        Op::Delete(key("old")),
        Op::Delete(key("old")),
        Op::Check(key("old"), Condition::Absent),
        set("new", "3"),
    ]);
    let done = done.unwrap();
    assert_eq!(done[0], Done::Checked(version));
    assert!(matches!(done[3], Done::Counted(counted) if counted.value == 9));
    assert_eq!(
        done[4..7],
        [Done::Deleted(true), Done::Deleted(false), Done::Checked(0)]
    );
    assert_eq!(map.keys(b"", 9), [&b"n"[..], b"new"]);
    let stored = map.entry(b"new").unwrap().version;
    assert_eq!(done[7], Done::Stored(stored));
    assert!(stored > version);
    assert_eq!(map.all(&[]), Ok(vec![]));
}

pub(crate) fn one_refusal_undoes_all<B: Backend>(backend: &B) {
    let map = open(backend);
    map.set(b"a", b"1").unwrap();
    map.plus(b"n", i64::MAX).unwrap();
    let before = (map.entry(b"a"), map.entry(b"n"), map.used());
    let watch = map.follow(b"");
    let refusing = [
        Op::Check(key("a"), Condition::Absent),
        Op::Add(key("n"), 1),
        Op::Add(key("a"), 1),
        Op::Set(
            key("a"),
            Value::copy_of(&vec![0; 2 << 20]),
            Terms::default(),
        ),
        Op::Set(
            key("b"),
            Value::copy_of(b""),
            Terms::on(Condition::Version(1)),
        ),
    ];
    for refused in refusing {
        let ops = [
            set("a", "2"),
            set("b", "2"),
            Op::Delete(key("a")),
            refused.clone(),
        ];
        let ops = if matches!(refused, Op::Add(..) | Op::Check(..)) {
            [
                set("b", "2"),
                refused.clone(),
                set("c", "3"),
                Op::Delete(key("a")),
            ]
        } else {
            ops
        };
        assert!(map.all(&ops).is_err(), "{refused:?}");
        let now = (map.entry(b"a"), map.entry(b"n"), map.used());
        assert_eq!(now, before, "{refused:?}");
        assert_eq!(map.entry(b"b"), None);
    }
    backend.settle();
    assert_eq!(watch.try_next(), None);
}

pub(crate) fn a_batch_is_counted_as_a_whole<B: Backend>(backend: &B) {
    let options = MapOptions {
        entries_max: 2,
        ..MapOptions::default()
    };
    let map = backend.open(options);
    map.set(b"a", b"1").unwrap();
    let refused = map.all(&[set("b", "1"), set("c", "1")]);
    assert!(matches!(refused, Err(MapError::NoSpace { .. })));
    assert_eq!(map.keys(b"", 9), [b"a"]);
    map.all(&[set("b", "1"), set("b", "2"), set("a", "2")])
        .unwrap();
    assert_eq!(map.used().0, 2);
    map.all(&[Op::Delete(key("a")), Op::Delete(key("b"))])
        .unwrap();
    assert_eq!(map.used(), (0, 0));
}

pub(crate) fn too_many_operations_are_refused<B: Backend>(backend: &B) {
    let map = open(backend);
    let ops = vec![Op::Add(key("n"), 1); 1024];
    map.all(&ops).unwrap();
    let ops = vec![Op::Add(key("n"), 1); 1025];
    assert!(matches!(map.all(&ops), Err(MapError::Invalid(_))));
    assert_eq!(map.plus(b"n", 0).unwrap().value, 1024);
}
