//! What each function does when all is well, through the guest's memory.

use weir_maps::Rights;
use weir_maps::call::packed;

use crate::house::{Guest, House, MODES, Mode};
use crate::table::{
    BUFFER, CHILD, COUNT, CURSOR, GIVEN, KEY, NAME, OPTIONS, OUT, TERMS, TICKET, VALUE, Words,
    prepare, terms,
};

fn each(check: impl Fn(&House, &mut Guest, Mode)) {
    for mode in MODES {
        let house = House::new();
        let mut guest = prepare(&house, mode);
        check(&house, &mut guest, mode);
    }
}

/// Pointers and lengths as arguments.
fn at(place: usize) -> i64 {
    i64::try_from(place).unwrap()
}

#[test]
fn get_copies_a_value_and_tells_its_size_and_version() {
    each(|_, guest, _| {
        let (buffer, out) = (at(BUFFER), at(OUT));
        let version = out + 8;
        let args = [1, at(KEY), 3, buffer, 6, out, version];
        assert_eq!(guest.call("get", &args), 0);
        assert_eq!(guest.read(BUFFER, 7), b"value!\0");
        assert_eq!((guest.u32(OUT), guest.u64(OUT + 8)), (6, 1));
        // Too small: the size alone.
        guest.write(BUFFER, &[0; 8]);
        guest.write(OUT, &[9; 16]);
        let args = [1, at(KEY), 3, buffer, 5, out, version];
        assert_eq!(guest.call("get", &args), 61);
        assert_eq!(guest.read(BUFFER, 6), [0; 6]);
        assert_eq!(
            (guest.u32(OUT), guest.u64(OUT + 8)),
            (6, 0x0909_0909_0909_0909)
        );
        // Neither the value nor the version is wanted.
        let args = [1, at(KEY), 3, 0, 0, out, 0];
        assert_eq!(guest.call("get", &args), 61);
        assert_eq!(guest.call("get", &[1, at(VALUE), 6, 0, 0, out, 0]), 44);
        assert_eq!(guest.call("get", &[1, at(CHILD), 5, 0, 0, out, 0]), 28);
    });
}

#[test]
fn the_last_byte_of_memory_is_memory() {
    each(|_, guest, _| {
        let end = 0x40000;
        guest.write(0x40000 - 5, b"count");
        let args = [1, end - 5, 5, end - 16, 8, end - 28, end - 24];
        assert_eq!(guest.call("get", &args), 0);
        assert_eq!(guest.u64(0x40000 - 16), 42);
        // A range of no bytes may lie at the very end, and no further.
        assert_eq!(guest.call("exists", &[1, end, 0, 0]), 0);
        assert_eq!(guest.call("exists", &[1, end + 1, 0, 0]), 21);
    });
}

#[test]
fn sets_are_conditional_and_last() {
    each(|house, guest, _| {
        let (key, value, out) = (at(KEY), at(VALUE), at(OUT));
        let set_with = [1, key, 3, value, 6, at(TERMS), out];
        guest.write(TERMS, &terms(packed::IF_ABSENT, 0, 0));
        assert_eq!(guest.call("set_with", &set_with), 6);
        assert_eq!(guest.u64(OUT), 0, "written on success only");
        guest.write(TERMS, &terms(packed::IF_VERSION | packed::WITH_TTL, 1, 100));
        assert_eq!(guest.call("set_with", &set_with), 0);
        let version = guest.u64(OUT);
        assert!(version > 1);
        house.clock.advance(std::time::Duration::from_millis(99));
        assert_eq!(guest.call("exists", &[1, key, 3, out]), 0);
        assert_eq!(guest.u32(OUT), 1);
        house.clock.advance(std::time::Duration::from_millis(1));
        assert_eq!(guest.call("exists", &[1, key, 3, out]), 0);
        assert_eq!(guest.u32(OUT), 0);
        assert_eq!(guest.call("delete", &[1, key, 3]), 44);
        assert_eq!(guest.call("set", &[1, key, 3, value, 6]), 0);
        assert_eq!(guest.call("delete", &[1, key, 3]), 0);
    });
}

#[test]
fn compare_and_swap_tells_the_version_that_is_there() {
    each(|_, guest, _| {
        let (key, value, out) = (at(KEY), at(VALUE), at(OUT));
        assert_eq!(
            guest.call("compare_and_swap", &[1, key, 3, 0, value, 6, out]),
            6
        );
        assert_eq!(guest.u64(OUT), 1);
        assert_eq!(
            guest.call("compare_and_swap", &[1, key, 3, 1, value, 6, out]),
            0
        );
        let version = guest.u64(OUT);
        assert_eq!(
            guest.call("compare_and_swap", &[1, key, 3, 1, value, 6, 0]),
            6
        );
        let next = i64::try_from(version).unwrap();
        assert_eq!(
            guest.call("compare_and_swap", &[1, key, 3, next, value, 6, 0]),
            0
        );
        assert_eq!(
            guest.call("compare_and_swap", &[1, value, 6, 0, value, 6, out]),
            0
        );
    });
}

#[test]
fn counters_count_and_never_wrap() {
    each(|_, guest, _| {
        let (key, out) = (at(COUNT), at(OUT));
        assert_eq!(guest.call("increment", &[1, key, 5, -2, out]), 0);
        assert_eq!(guest.u64(OUT), 40);
        assert_eq!(guest.call("increment", &[1, key, 5, i64::MAX, out]), 61);
        assert_eq!(guest.u64(OUT), 40);
        assert_eq!(guest.call("increment", &[1, at(KEY), 3, 1, out]), 28);
    });
}

#[test]
fn handles_are_made_lent_moved_and_closed() {
    each(|house, guest, _| {
        let out = at(OUT);
        assert_eq!(guest.call("open", &[at(NAME), 5, 3, out]), 0);
        assert_eq!(guest.u32(OUT), 3);
        assert_eq!(guest.call("rights", &[3, out]), 0);
        assert_eq!(guest.u64(OUT), 3);
        assert_eq!(guest.call("dup", &[3, 1, out]), 0);
        assert_eq!(guest.u32(OUT), 4);
        assert_eq!(guest.call("accept", &[at(TICKET), out]), 0);
        assert_eq!(guest.u32(OUT), 5);
        assert_eq!(guest.call("accept", &[at(TICKET), out]), 44);
        assert_eq!(guest.call("lend", &[1, 1, 0xa00, 5, out]), 0);
        let ticket = guest.read(OUT, 16).try_into().unwrap();
        let mut other = house.handles("other");
        let borrowed = other.accept(&ticket).unwrap();
        assert_eq!(other.rights(borrowed), Ok(Rights::READ));
        guest.handles().end_request(1);
        assert!(
            other.rights(borrowed).is_err(),
            "the host said when it ends"
        );
        assert_eq!(guest.call("transfer", &[5, 0xa00, 5, out]), 0);
        let ticket = guest.read(OUT, 16).try_into().unwrap();
        let moved = other.accept(&ticket).unwrap();
        assert_eq!(other.rights(moved), Ok(Rights::ALL));
        assert_eq!(guest.call("close", &[5]), 8);
        assert_eq!(guest.call("close", &[4]), 0);
        assert_eq!(guest.call("close", &[4]), 8);
    });
}

#[test]
fn anonymous_maps_have_options_and_numbers() {
    each(|house, guest, _| {
        let out = at(OUT);
        let long: Vec<u8> = Words(&[]).with(&[2, 0, 10, 1000]);
        guest.write(OPTIONS, &[long, Words(&[1, 2]).with(&[])].concat());
        assert_eq!(guest.call("create", &[at(OPTIONS), out]), 0);
        let handle = guest.u32(OUT);
        let map = i64::from(handle);
        for (length, expected) in [(10, 0), (11, 51)] {
            let set = [map, at(KEY), 3, at(VALUE), length];
            assert_eq!(guest.call("set", &set), expected);
        }
        assert_eq!(guest.call("stat", &[map, out]), 0);
        let numbers: Vec<u64> = (0..6).map(|place| guest.u64(OUT + place * 8)).collect();
        assert_eq!(numbers, [1, 160 + 13, 1, 64 << 20, 1, 6]);
        // The third entry takes the place of another one; the second second ends it.
        for key in [KEY, VALUE, CHILD] {
            assert_eq!(guest.call("set", &[map, at(key), 3, 0, 0]), 0);
        }
        assert_eq!(guest.call("stat", &[map, out]), 0);
        assert_eq!(guest.u64(OUT), 2);
        house.clock.advance(std::time::Duration::from_secs(1));
        assert_eq!(guest.call("delete", &[map, at(CHILD), 3]), 44);
        assert_eq!(guest.call("create", &[0, out]), 0);
        assert_eq!(guest.call("stat", &[1, out]), 0);
        assert_eq!(guest.u64(OUT + 40), packed::STAT_NAMED);
        // 48 bytes and no more; the id is asked for by itself.
        guest.write(OUT, &[9; 64]);
        assert_eq!(guest.call("stat", &[1, out]), 0);
        assert_eq!(guest.read(OUT + 48, 8), [9; 8]);
        assert_eq!(guest.call("id", &[1, out]), 0);
        let id = guest.u64(OUT);
        assert_eq!(guest.handles().id(1).unwrap().0, id);
    });
}

#[test]
fn references_are_followed() {
    each(|house, guest, _| {
        let out = at(OUT);
        assert_eq!(guest.call("get_map", &[1, at(CHILD), 5, out]), 0);
        let child = guest.u32(OUT);
        let handles = guest.handles();
        assert_eq!(handles.id(child), handles.id(2));
        assert_eq!(guest.call("put_map", &[2, at(KEY), 3, 2]), 0);
        assert_eq!(guest.call("get_map", &[1, at(KEY), 3, out]), 28);
        assert_eq!(guest.call("get_map", &[1, at(NAME), 5, out]), 44);
        assert_eq!(guest.call("delete", &[1, at(CHILD), 5]), 0);
        for handle in [2, i64::from(child)] {
            assert_eq!(guest.call("close", &[handle]), 0);
        }
        // It refers to itself: the collector's.
        for _ in 0..10 {
            let _ = house.engine.tend(10_000);
        }
        assert_eq!(house.engine.stat().anonymous, 0);
    });
}

#[test]
fn scans_go_by_pages() {
    each(|_, guest, _| {
        let (cursor, buffer, used) = (at(CURSOR), at(BUFFER), at(OUT));
        let scan = |bytes| [1, 0, 0, cursor, buffer, bytes, used];
        assert_eq!(guest.call("scan", &scan(20)), 61);
        assert_eq!(guest.u32(OUT), 24);
        assert_eq!(guest.call("scan", &scan(63)), 0);
        assert_eq!(guest.u32(OUT), 56);
        let first = Words(&[5, packed::IS_MAP]).with(&[3]);
        assert_eq!(
            guest.read(BUFFER, 24),
            [&first[..], b"child\0\0\0"].concat()
        );
        let second = Words(&[5, 8]).with(&[4]);
        let count = [&second[..], b"count", &42_u64.to_le_bytes(), &[0; 3]].concat();
        assert_eq!(guest.read(BUFFER + 24, 32), count);
        let middle = guest.read(CURSOR, 16).to_vec();
        assert_ne!(middle, [0; 16]);
        assert_eq!(guest.call("scan", &scan(63)), 0);
        let third = Words(&[3, 6]).with(&[1]);
        assert_eq!(guest.read(BUFFER, 25), [&third[..], b"keyvalue!"].concat());
        assert_eq!((guest.u32(OUT), guest.read(CURSOR, 16)), (32, &[0; 16][..]));
        guest.write(CURSOR, &middle);
        assert_eq!(guest.call("scan", &scan(63)), 72);
    });
}

#[test]
fn a_batch_tells_what_each_operation_did() {
    each(|house, guest, _| {
        assert_eq!(guest.call("batch", &[1, 0x900, 4, at(BUFFER)]), 0);
        let numbers: Vec<u64> = (0..8).map(|place| guest.u64(BUFFER + place * 8)).collect();
        let [checked, _, set, _, none, was_there, counted, sum] = numbers[..] else {
            panic!("{numbers:?}");
        };
        assert_eq!((checked, none, was_there, sum), (1, 0, 0, 41));
        assert!(set > 4 && counted > set);
        assert_eq!(house.contents("cache").0.len(), 3);
        assert_eq!(guest.call("batch", &[1, 0x900, 0, 0]), 0);
        assert_eq!(
            guest.call("batch", &[1, 0x900, 4, 0]),
            6,
            "the version is another one"
        );
        assert_eq!(guest.call("clear", &[1]), 0);
        assert_eq!(house.contents("cache").0, []);
    });
}

#[test]
fn changes_are_told_once() {
    each(|_, guest, _| {
        let (buffer, used) = (at(BUFFER), at(OUT));
        assert_eq!(guest.call("next", &[1, 0, buffer, 23, used]), 61);
        assert_eq!(guest.u32(OUT), 24);
        assert_eq!(guest.call("next", &[1, 0, buffer, 24, used]), 0);
        let event = Words(&[5, 1]).with(&[4]);
        assert_eq!(
            guest.read(BUFFER, 24),
            [&event[..], b"count\0\0\0"].concat()
        );
        assert_eq!(guest.call("next", &[1, 0, buffer, 24, used]), 6);
        assert_eq!(guest.call("delete", &[1, at(KEY), 3]), 0);
        assert_eq!(guest.call("clear", &[1]), 0);
        assert_eq!(guest.call("next", &[1, 0, buffer, 256, used]), 0);
        assert_eq!(guest.read(BUFFER, 16), Words(&[0, 5]).with(&[0]));
        assert_eq!(guest.u32(OUT), 16);
        assert_eq!(guest.call("watch", &[1, at(KEY), 3, used]), 0);
        assert_eq!(guest.u32(OUT), 2);
        assert_eq!(guest.call("unwatch", &[1]), 0);
        assert_eq!(guest.call("unwatch", &[1]), 8);
    });
}

#[test]
fn get_alloc_puts_a_value_where_the_guest_says() {
    each(|_, guest, _| {
        let out = at(OUT);
        let args = [1, at(KEY), 3, out, out + 4, out + 8];
        assert_eq!(guest.call("get_alloc", &args), 0);
        assert_eq!(guest.u32(OUT), u32::try_from(GIVEN).unwrap());
        assert_eq!((guest.u32(OUT + 4), guest.u64(OUT + 8)), (6, 1));
        assert_eq!(guest.read(GIVEN, 6), b"value!");
        // Nothing is allocated for no bytes.
        assert_eq!(guest.call("set", &[1, at(KEY), 3, 0, 0]), 0);
        assert_eq!(guest.call("get_alloc", &args), 0);
        assert_eq!((guest.u32(OUT), guest.u32(OUT + 4)), (0, 0));
        assert_eq!(guest.call("get_alloc", &[1, at(VALUE), 6, out, out, 0]), 44);
        assert_eq!(guest.store.data().allocating, 0);
    });
}
