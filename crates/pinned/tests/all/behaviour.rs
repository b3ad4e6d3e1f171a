//! What the operations do.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use weir_pinned::{Access, Condition, PinError, Pinned, Shape, Tended};

const SHAPE: Shape = Shape {
    buckets: 16,
    slots: 16,
    key_bytes: 20,
    value_bytes: 100,
};
const ALWAYS: (Option<Duration>, Condition) = (None, Condition::Always);

/// A folder, and a path in it.
pub(crate) fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map");
    (folder, path)
}

pub(crate) fn value(map: &Pinned, key: &[u8]) -> Option<Vec<u8>> {
    let mut value = Vec::new();
    let found = map.get(key, &mut value).unwrap();
    found.map(|_| value)
}

#[test]
fn what_one_writes_the_other_reads() {
    let (_folder, path) = place();
    let gateway = Pinned::make(&path, &SHAPE).unwrap();
    let writer = Pinned::open(&path, Access::Write).unwrap();
    let reader = Pinned::open(&path, Access::Read).unwrap();
    let first = gateway.set(b"k", b"one", ALWAYS).unwrap();
    assert_eq!(value(&reader, b"k").unwrap(), b"one");
    let second = writer.set(b"k", b"", ALWAYS).unwrap();
    assert!(second > first);
    assert_eq!(value(&gateway, b"k").unwrap(), b"");
    assert_eq!(value(&reader, b"other"), None);
    assert!(gateway.delete(b"k", Condition::Always).unwrap());
    assert!(!writer.delete(b"k", Condition::Always).unwrap());
    assert_eq!(value(&reader, b"k"), None);
    let refused = [
        reader.set(b"k", b"", ALWAYS).map(|_| ()),
        reader.delete(b"k", Condition::Always).map(|_| ()),
        reader.add(b"k", (1, None)).map(|_| ()),
        reader.tend().map(|_| ()),
    ];
    assert!(
        refused
            .iter()
            .all(|it| matches!(it, Err(PinError::ReadOnly)))
    );
}

#[test]
fn conditions_decide() {
    let (_folder, path) = place();
    let map = Pinned::make(&path, &SHAPE).unwrap();
    let on = |condition| (None, condition);
    let again = |result: Result<u64, PinError>| match result {
        Err(PinError::Again { current }) => current,
        other => panic!("{other:?}"),
    };
    assert_eq!(again(map.set(b"k", b"", on(Condition::Version(1)))), 0);
    let version = map.set(b"k", b"", on(Condition::Absent)).unwrap();
    assert_eq!(again(map.set(b"k", b"", on(Condition::Absent))), version);
    assert_eq!(
        again(map.set(b"k", b"", on(Condition::Version(version + 1)))),
        version
    );
    map.set(b"k", b"", on(Condition::Version(version))).unwrap();
}

#[test]
fn entries_end_and_their_slots_come_back() {
    let (_folder, path) = place();
    let map = Pinned::make(&path, &SHAPE).unwrap();
    let soon = (Some(Duration::from_millis(30)), Condition::Always);
    for number in 0..50_u32 {
        map.set(&number.to_le_bytes(), b"v", soon).unwrap();
    }
    map.set(b"stays", b"v", ALWAYS).unwrap();
    assert_eq!((map.keys().count(), map.entries()), (51, 51));
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(value(&map, &3_u32.to_le_bytes()), None);
    assert_eq!(
        map.keys().map(Result::unwrap).collect::<Vec<_>>(),
        [b"stays"]
    );
    let version = map.set(&3_u32.to_le_bytes(), b"w", (None, Condition::Absent));
    version.unwrap();
    let expected = Tended {
        ended: 49,
        entries: 2,
        ..Tended::default()
    };
    assert_eq!(map.tend().unwrap(), expected);
    let rest = Tended {
        ended: 0,
        ..expected
    };
    assert_eq!(map.tend().unwrap(), rest);
}

#[test]
fn a_full_bucket_and_long_things_are_refused() {
    let (_folder, path) = place();
    let shape = Shape {
        buckets: 1,
        slots: 3,
        ..SHAPE
    };
    let map = Pinned::make(&path, &shape).unwrap();
    for key in [b"a", b"b", b"c"] {
        map.set(key, b"v", ALWAYS).unwrap();
    }
    assert!(matches!(
        map.set(b"d", b"v", ALWAYS),
        Err(PinError::Full { slots: 3 })
    ));
    map.set(b"a", b"w", ALWAYS).unwrap();
    map.delete(b"b", Condition::Always).unwrap();
    map.set(b"d", b"v", ALWAYS).unwrap();
    assert!(matches!(
        map.set(&[0; 21], b"", ALWAYS),
        Err(PinError::Key { bytes: 21, max: 20 })
    ));
    assert!(matches!(
        map.set(b"a", &[0; 101], ALWAYS),
        Err(PinError::Value {
            bytes: 101,
            max: 100
        })
    ));
    assert_eq!(value(&map, b"a").unwrap(), b"w");
    map.set(&[7; 20], &[9; 100], ALWAYS).unwrap_err();
    map.delete(b"a", Condition::Always).unwrap();
    map.set(&[7; 20], &[9; 100], ALWAYS).unwrap();
    assert_eq!(value(&map, &[7; 20]).unwrap(), [9; 100]);
}

#[test]
fn counters_of_many_threads_are_exact() {
    const THREADS: i64 = 4;
    const TIMES: i64 = 5000;
    let (_folder, path) = place();
    let map = Pinned::make(&path, &SHAPE).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let other = Pinned::open(&path, Access::Write).unwrap();
                let mut done = 0;
                while done < TIMES {
                    match other.add(b"n", (1, None)) {
                        Ok(_) => done += 1,
                        Err(PinError::Busy) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
    assert_eq!(map.add(b"n", (0, None)).unwrap().0, THREADS * TIMES);
    map.set(b"n", b"seven..", ALWAYS).unwrap();
    assert!(matches!(map.add(b"n", (1, None)), Err(PinError::NoCounter)));
    map.set(b"n", &i64::MAX.to_le_bytes(), ALWAYS).unwrap();
    assert!(matches!(map.add(b"n", (1, None)), Err(PinError::Overflow)));
    assert_eq!(map.add(b"n", (-1, None)).unwrap().0, i64::MAX - 1);
}

#[test]
fn random_operations_agree_with_a_plain_map() {
    let (_folder, path) = place();
    let map = Pinned::make(&path, &SHAPE).unwrap();
    let mut model: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
    let mut seed = 11_u64;
    for step in 0..20_000_u32 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let key = format!("key-{}", (seed >> 33) % 300).into_bytes();
        match (seed >> 20) % 4 {
            0 => {
                let length = usize::try_from((seed >> 40) % 101).unwrap();
                let value = [step.to_le_bytes()[0]].repeat(length);
                match map.set(&key, &value, ALWAYS) {
                    Ok(_) => {
                        model.insert(key, value);
                    }
                    Err(PinError::Full { .. }) => assert!(!model.contains_key(&key)),
                    Err(error) => panic!("{error}"),
                }
            }
            1 => assert_eq!(
                map.delete(&key, Condition::Always).unwrap(),
                model.remove(&key).is_some()
            ),
            _ => assert_eq!(value(&map, &key).as_ref(), model.get(&key)),
        }
    }
    let keys: HashSet<Vec<u8>> = map.keys().map(Result::unwrap).collect();
    assert_eq!(keys, model.keys().cloned().collect());
}

#[test]
fn a_map_stays_unless_it_is_to_have_another_shape() {
    let (folder, path) = place();
    let map = Pinned::make(&path, &SHAPE).unwrap();
    map.set(b"k", b"v", ALWAYS).unwrap();
    let again = Pinned::make(&path, &SHAPE).unwrap();
    assert_eq!(value(&again, b"k").unwrap(), b"v");
    let larger = Shape {
        buckets: 32,
        ..SHAPE
    };
    let other = Pinned::make(&path, &larger).unwrap();
    assert_eq!(value(&other, b"k"), None);
    assert!(matches!(
        map.get(b"k", &mut Vec::new()),
        Err(PinError::Retired)
    ));
    assert!(matches!(map.set(b"k", b"", ALWAYS), Err(PinError::Retired)));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn writers_have_numbers_which_come_back() {
    let (_folder, path) = place();
    let map = Pinned::make(&path, &SHAPE).unwrap();
    let others: Vec<_> = (1..256)
        .map(|_| Pinned::open(&path, Access::Write).unwrap())
        .collect();
    let one_more = Pinned::open(&path, Access::Write);
    assert!(matches!(one_more, Err(PinError::File { .. })));
    drop(others);
    Pinned::open(&path, Access::Write).unwrap();
    map.set(b"k", b"v", ALWAYS).unwrap();
}
