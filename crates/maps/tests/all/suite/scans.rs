//! Listing, page by page, while the map changes.

use std::collections::BTreeSet;

use super::{Backend, Plain, open, wait};
use weir_maps::store::{Item, Range, Terms};
use weir_maps::{MapError, Store as _};

fn filled<B: Backend>(backend: &B, count: u32) -> B::Store {
    let map = open(backend);
    for number in (0..count).rev() {
        map.set(format!("{number:05}").as_bytes(), b"x").unwrap();
    }
    map
}

pub(crate) fn pages_come_in_order<B: Backend>(backend: &B) {
    let map = filled(backend, 500);
    let all: Vec<Vec<u8>> = (0..500).map(|n| format!("{n:05}").into_bytes()).collect();
    for entries in [1, 7, 64, 499, 500, 1000] {
        assert_eq!(map.keys(b"", entries), all, "pages of {entries}");
    }
    assert!(map.list(b"", None, 500).items.len() == 500);
}

pub(crate) fn a_prefix_limits_a_scan<B: Backend>(backend: &B) {
    let map = open(backend);
    for key in ["a", "ab", "ab/1", "ab/2", "ac", "b", ""] {
        map.set(key.as_bytes(), b"x").unwrap();
    }
    map.set(b"ab\xff", b"x").unwrap();
    let keys = |prefix: &[u8]| map.keys(prefix, 2);
    assert_eq!(keys(b"ab"), [&b"ab"[..], b"ab/1", b"ab/2", b"ab\xff"]);
    assert_eq!(keys(b"ab/"), [b"ab/1", b"ab/2"]);
    assert_eq!(keys(b"c"), Vec::<Vec<u8>>::new());
    assert_eq!(keys(b"").len(), 8);
    let before = map.list(b"b", Some(b"a"), 10);
    assert_eq!(
        before.items.len(),
        1,
        "a cursor before the prefix begins with it"
    );
}

pub(crate) fn a_page_has_a_limit_in_bytes<B: Backend>(backend: &B) {
    let map = filled(backend, 20);
    let range = Range {
        prefix: b"",
        after: None,
        entries: 100,
        bytes: 5 * Item::packed_bytes(5, 1),
    };
    let page = wait(map.scan(range)).unwrap();
    assert_eq!((page.items.len(), page.more), (5, true));
}

pub(crate) fn an_entry_too_large_for_the_page_says_so<B: Backend>(backend: &B) {
    let map = open(backend);
    map.set(b"k", &[0; 100]).unwrap();
    let range = Range {
        prefix: b"",
        after: None,
        entries: 100,
        bytes: 50,
    };
    let needed = Item::packed_bytes(1, 100);
    assert_eq!(wait(map.scan(range)), Err(MapError::Overflow { needed }));
}

pub(crate) fn a_cursor_survives_its_entry<B: Backend>(backend: &B) {
    let map = filled(backend, 10);
    let first = map.list(b"", None, 4);
    map.delete(b"00003").unwrap();
    map.delete(b"00004").unwrap();
    let next = map.list(b"", Some(&first.items[3].key), 1);
    assert_eq!(next.items[0].key, "00005");
}

pub(crate) fn what_ended_is_not_listed<B: Backend>(backend: &B) {
    let map = filled(backend, 3);
    let terms = Terms::lasting(B::TIMES.life);
    map.set_on(b"00001", b"x", terms).unwrap();
    backend.pass(B::TIMES.life);
    assert_eq!(map.keys(b"", 1), [b"00000", b"00002"]);
}

/// Half of the entries stay; the others come and go between the pages.
pub(crate) fn no_entry_is_missed_or_repeated_under_change<B: Backend>(backend: &B) {
    let map = filled(backend, 400);
    let mut seed = 7_u64;
    let mut seen: Vec<Vec<u8>> = Vec::new();
    loop {
        let page = map.list(b"", seen.last().map(Vec::as_slice), 13);
        seen.extend(page.items.iter().map(|item| item.key.to_vec()));
        if !page.more {
            break;
        }
        for _ in 0..40 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let key = format!("{:05}", (seed >> 33) % 200 * 2 + 1);
            if seed & (1 << 20) == 0 {
                map.delete(key.as_bytes()).ok();
            } else {
                map.set(key.as_bytes(), b"y").unwrap();
            }
        }
    }
    let distinct: BTreeSet<&Vec<u8>> = seen.iter().collect();
    assert_eq!(distinct.len(), seen.len(), "nothing is repeated");
    for number in (0..400).step_by(2) {
        let key = format!("{number:05}").into_bytes();
        assert!(distinct.contains(&key), "{number} was there all the time");
    }
}
