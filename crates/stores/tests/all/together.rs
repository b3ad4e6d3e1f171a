//! Threads against one map: nothing is lost, a batch is seen whole, and a sync is shared.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use weir_maps::store::{Op, Terms};
use weir_maps::{MapError, MapOptions, Value};
use weir_stores::disk::{DiskStore, Durability};

use crate::behaviour::Durable;
use crate::suite::Plain as _;

/// Synced with few rounds, relaxed with many, and with a memory for nothing.
fn every(test: impl Fn(&Durable, &DiskStore, i64)) {
    let relaxed = Durability::Relaxed(Duration::from_millis(2));
    for (durability, memory, rounds) in [
        (Durability::Synced, 1 << 20, 100),
        (Durability::Synced, 0, 100),
        (relaxed, 0, 5000),
    ] {
        let durable = Durable::with(durability, memory);
        let map = durable.named("map", MapOptions::default());
        test(&durable, &map, rounds);
    }
}

#[test]
fn increments_of_many_threads_are_exact() {
    every(|_, map, rounds| {
        std::thread::scope(|scope| {
            for thread in 0..8_u8 {
                scope.spawn(move || {
                    for _ in 0..rounds {
                        map.plus(b"shared", 1).unwrap();
                        map.plus(&[thread], 1).unwrap();
                    }
                });
            }
        });
        assert_eq!(map.plus(b"shared", 0).unwrap().value, 8 * rounds);
        assert_eq!(map.plus(&[3], 0).unwrap().value, rounds);
    });
}

#[test]
fn many_writers_share_a_sync() {
    let durable = Durable::with(Durability::Synced, 0);
    let map = durable.named("map", MapOptions::default());
    std::thread::scope(|scope| {
        for thread in 0..16_u8 {
            let map = &map;
            scope.spawn(move || {
                for round in 0..50_u8 {
                    map.set(&[thread, round], b"x").unwrap();
                }
            });
        }
    });
    assert_eq!(map.used().0, 800);
    assert!(map.syncs() < 400, "{} syncs for 800 writes", map.syncs());
}

#[test]
fn compare_and_swap_of_many_threads_loses_nothing() {
    every(|_, map, rounds| {
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
                scope.spawn(|| (0..rounds / 4).for_each(|_| step()));
            }
        });
        assert_eq!(map.plus(b"n", 0).unwrap().value, rounds);
    });
}

/// Entries that always change together; who reads one of them and then another must not find an
/// older one there. Their values are large, so that some of them are on the disk alone.
#[test]
fn readers_never_see_half_a_batch() {
    every(|_, map, rounds| {
        let keys: Vec<Vec<u8>> = (0..8_u8).map(|number| vec![number]).collect();
        let ops = |number: i64| -> Vec<Op> {
            let mut value = number.to_le_bytes().to_vec();
            value.resize(100, 0);
            let value = Value::copy_of(&value);
            let set = |key: &Vec<u8>| Op::Set(key.clone().into(), value.clone(), Terms::default());
            keys.iter().map(set).collect()
        };
        map.all(&ops(0)).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (1..rounds).for_each(|number| drop(map.all(&ops(number)).unwrap()));
                done.store(true, Ordering::Release);
            });
            for _ in 0..2 {
                scope.spawn(|| {
                    let read = |key: &[u8]| {
                        let found = map.entry(key).unwrap();
                        i64::from_le_bytes(found.value.bytes().unwrap()[..8].try_into().unwrap())
                    };
                    while !done.load(Ordering::Acquire) {
                        let mut last = 0;
                        for key in keys.iter().chain(keys.iter().rev()) {
                            let now = read(key);
                            assert!(now >= last, "{now} after {last}");
                            last = now;
                        }
                    }
                });
            }
        });
    });
}
