//! The crate over maps in memory. What only a host can do is tested with one: `sdk/checks`.

use std::time::Duration;

use crate::fake;
use crate::{Batch, Condition, Done, Error, Map, Options, Rights, Terms};

fn map(name: &str) -> Map {
    fake::reset();
    Map::open(name, Rights::ALL).unwrap()
}

#[test]
fn numbers_of_errors_go_both_ways() {
    for number in [6, 8, 20, 21, 28, 29, 37, 44, 48, 51, 58, 61, 72, 73, 76, 99] {
        assert_eq!(Error::of(number).map(Error::errno), Some(number));
    }
    assert_eq!(Error::of(0), None);
}

#[test]
fn what_is_set_is_there_small_and_large() {
    let map = map("m");
    for size in [0, 1, 511, 512, 513, 100_000] {
        let value = vec![7; size];
        map.set(b"key", &value).unwrap();
        let entry = map.get(b"key").unwrap().unwrap();
        assert_eq!(entry.value, value);
        let mut small = [0; 512];
        let into = map.get_into(b"key", &mut small);
        let expected = match size {
            0..=512 => Ok(Some((size, entry.version))),
            _ => Err(Error::Overflow { needed: size }),
        };
        assert_eq!(into, expected);
    }
    assert_eq!(map.delete(b"key"), Ok(true));
    assert_eq!(map.delete(b"key"), Ok(false));
    assert_eq!(map.get(b"key"), Ok(None));
    assert_eq!(map.exists(b"key"), Ok(false));
}

#[test]
fn conditions_hold_or_tell_the_version() {
    let map = map("m");
    let first = map.compare_and_swap(b"key", 0, b"1").unwrap();
    let again = Err(Error::Again { current: first });
    assert_eq!(map.compare_and_swap(b"key", 0, b"2"), again);
    let absent = Terms::on(Condition::Absent);
    assert_eq!(map.set_with(b"key", b"2", &absent), again);
    let second = map.compare_and_swap(b"key", first, b"2").unwrap();
    assert!(second > first);
}

#[test]
fn entries_end() {
    let map = map("m");
    let terms = Terms::lasting(Duration::from_millis(10));
    map.set_with(b"key", b"1", &terms).unwrap();
    fake::advance(Duration::from_millis(9));
    assert_eq!(map.exists(b"key"), Ok(true));
    fake::advance(Duration::from_millis(1));
    assert_eq!(map.exists(b"key"), Ok(false));
}

#[test]
fn counters_count_and_never_wrap() {
    let map = map("m");
    assert_eq!(map.increment(b"n", i64::MAX), Ok(i64::MAX));
    assert_eq!(map.increment(b"n", 1), Err(Error::Overflow { needed: 0 }));
    assert_eq!(map.increment(b"n", -1), Ok(i64::MAX - 1));
    map.set(b"text", b"no").unwrap();
    assert_eq!(map.increment(b"text", 1), Err(Error::Invalid));
}

#[test]
fn scans_list_a_prefix_in_pages_that_grow() {
    let map = map("m");
    for number in 0..200_u32 {
        map.set(format!("a{number:03}").as_bytes(), &[1; 100])
            .unwrap();
    }
    map.set(b"a100", &vec![2; 9000]).unwrap();
    map.set(b"b", b"").unwrap();
    let items = map.scan(b"a").collect::<Result<Vec<_>, _>>().unwrap();
    assert_eq!(items.len(), 200);
    assert!(items.is_sorted_by_key(|item| item.key.clone()));
    assert_eq!(items[100].value, Some(vec![2; 9000]));
    assert_eq!(map.scan(b"c").count(), 0);
}

#[test]
fn batches_are_whole_or_nothing() {
    let map = map("m");
    let batch = Batch::new()
        .check(b"new", Condition::Absent)
        .set(b"new", b"1", &Terms::default())
        .increment(b"n", 5)
        .delete(b"none");
    let counted = Done::Counted {
        value: 5,
        version: 2,
    };
    let done = [
        Done::Checked(0),
        Done::Stored(1),
        counted,
        Done::Deleted(false),
    ];
    assert_eq!(map.batch(&batch).as_deref(), Ok(&done[..]));
    let refused = Batch::new()
        .increment(b"n", 1)
        .check(b"new", Condition::Absent);
    assert!(matches!(map.batch(&refused), Err(Error::Again { .. })));
    assert_eq!(map.increment(b"n", 0), Ok(5));
}

#[test]
fn rights_never_grow_and_handles_close() {
    let map = map("m");
    let reader = map.duplicate(Rights::READ).unwrap();
    assert_eq!(reader.rights(), Ok(Rights::READ));
    assert_eq!(reader.set(b"key", b"1"), Err(Error::NotCapable));
    assert_eq!(reader.duplicate(Rights::ALL), Err(Error::NotCapable));
    let number = reader.handle();
    reader.close().unwrap();
    assert_eq!(Map::from_handle(number).get(b"key"), Err(Error::BadHandle));
    map.clear().unwrap();
    assert_eq!(map.stat().map(|stat| stat.entries), Ok(0));
    let own = Map::create(&Options::default()).unwrap();
    own.set(b"key", b"1").unwrap();
    assert_eq!(map.exists(b"key"), Ok(false));
}
