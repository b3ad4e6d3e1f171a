//! Threads against one map: nothing is lost, and a batch is seen whole.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use weir_maps::store::{Condition, Counted, Done, Op, Terms};
use weir_maps::{MapError, Store, Value};

use crate::memory::Memory;
use crate::suite::{Plain, open};

/// Rounds: fewer where each step is interpreted.
const ROUNDS: i64 = if cfg!(miri) { 20 } else { 20_000 };

#[test]
fn increments_of_many_threads_are_exact() {
    let map = open(&Memory::default());
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let map = &map;
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    map.plus(b"shared", 1).unwrap();
                    map.plus(&[thread], 1).unwrap();
                }
            });
        }
    });
    assert_eq!(map.plus(b"shared", 0).unwrap().value, 4 * ROUNDS);
    assert_eq!(map.plus(&[3], 0).unwrap().value, ROUNDS);
}

#[test]
fn compare_and_swap_of_many_threads_loses_nothing() {
    let map = open(&Memory::default());
    map.set(b"n", &0_i64.to_le_bytes()).unwrap();
    let step = || {
        loop {
            let found = map.entry(b"n").unwrap();
            let next = found.value.as_number().unwrap() + 1;
            match map.cas(b"n", found.version, &next.to_le_bytes()) {
                Ok(_) => return,
                Err(MapError::Again { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..ROUNDS / 4).for_each(|_| step()));
        }
    });
    assert_eq!(map.plus(b"n", 0).unwrap().value, ROUNDS);
}

/// Two entries of different shards always change together; who reads the first and then the second
/// must not find an older one there.
#[test]
fn readers_never_see_half_a_batch() {
    let map = open(&Memory::default());
    let keys: Vec<Vec<u8>> = (0..8_u8).map(|number| vec![number]).collect();
    let ops = |number: i64| -> Vec<Op> {
        let set =
            |key: &Vec<u8>| Op::Set(key.clone().into(), Value::number(number), Terms::default());
        keys.iter().map(set).collect()
    };
    map.all(&ops(0)).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (1..ROUNDS).for_each(|number| drop(map.all(&ops(number)).unwrap()));
            done.store(true, Ordering::Release);
        });
        scope.spawn(|| {
            let read = |key: &[u8]| map.entry(key).unwrap().value.as_number().unwrap();
            while !done.load(Ordering::Acquire) {
                let mut last = 0;
                for key in keys.iter().chain(keys.iter().rev()) {
                    let now = read(key);
                    assert!(now >= last, "{now} after {last}");
                    last = now;
                }
            }
        });
    });
}

/// A refused batch once used up versions, which `stat` shows.
#[test]
fn a_batch_gives_versions_only_if_nothing_is_refused() {
    let map = open(&Memory::default());
    let key = || Bytes::from_static(b"key");
    let set = |condition| Op::Set(key(), Value::copy_of(b"v"), Terms::on(condition));
    let check = |condition| Op::Check(key(), condition);
    let version = || map.stat().now().unwrap().version;
    for (second, told) in [
        (check(Condition::Absent), 0),
        (set(Condition::Absent), 0),
        // Nobody can know the version that the batch itself gives.
        (check(Condition::Version(1)), 0),
        (set(Condition::Version(1)), 0),
    ] {
        let refused = map.batch(&[set(Condition::Always), second]).now();
        assert_eq!(refused, Err(MapError::Again { current: told }));
        assert_eq!(version(), 0);
    }
    let done = map.batch(&[
        set(Condition::Absent),
        check(Condition::Always),
        Op::Delete(key()),
        check(Condition::Absent),
        Op::Add(key(), 3),
        check(Condition::Always),
    ]);
    let counted = Counted {
        value: 3,
        version: 2,
    };
    let expected = [
        Done::Stored(1),
        Done::Checked(1),
        Done::Deleted(true),
        Done::Checked(0),
        Done::Counted(counted),
        Done::Checked(2),
    ];
    assert_eq!(done.now().unwrap(), expected);
    assert_eq!(version(), 2);
}
