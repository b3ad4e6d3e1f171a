//! The first draft's functions, as its examples use them.

use std::sync::Arc;

use weir_maps::{Grants, Handles, Identity, Rights};

use crate::house::{Guest, House, MODES, Mode, unlimited};

/// The functions that the tests below make mistakes with.
pub(crate) const TRIED: [&str; 5] = [
    "wasi_map_open",
    "wasi_map_set",
    "wasi_map_get",
    "wasi_map_delete",
    "wasi_map_exists",
];

const EXPORTS: &str = r#"
    (import "wasi_map" "wasi_map_set"
        (func $set (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_map" "wasi_map_get"
        (func $get (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_map" "wasi_map_delete" (func $delete (param i32 i32 i32) (result i32)))
    (import "wasi_map" "wasi_map_exists" (func $exists (param i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "key")
    (data (i32.const 8) "value!")
    (data (i32.const 16) "small")
    (func (export "set") (param i32 i32 i32 i32 i32) (result i32)
        local.get 0 local.get 1 local.get 2 local.get 3 local.get 4 call $set)
    (func (export "get") (param i32 i32 i32 i32 i32) (result i32)
        local.get 0 local.get 1 local.get 2 local.get 3 local.get 4 call $get)
    (func (export "delete") (param i32 i32 i32) (result i32)
        local.get 0 local.get 1 local.get 2 call $delete)
    (func (export "exists") (param i32 i32 i32) (result i32)
        local.get 0 local.get 1 local.get 2 call $exists)"#;

const OPEN: &str = r#"
    (import "wasi_map" "wasi_map_open" (func $open (result i32)))"#;
const OPEN_BY_NAME: &str = r#"
    (import "wasi_map" "wasi_map_open" (func $open (param i32 i32) (result i32)))"#;

fn guest(house: &House, mode: Mode) -> Guest {
    let open = r#"(func (export "open") (result i32) call $open)"#;
    house.guest_of(mode, &format!("(module {OPEN} {EXPORTS} {open})"))
}

fn guest_by_name(house: &House, mode: Mode) -> Guest {
    let open = r#"(func (export "open") (param i32 i32) (result i32)
        local.get 0 local.get 1 call $open)"#;
    house.guest_of(mode, &format!("(module {OPEN_BY_NAME} {EXPORTS} {open})"))
}

#[test]
fn the_default_map_is_opened_and_used() {
    for mode in MODES {
        let house = House::new();
        let mut guest = guest(&house, mode);
        assert_eq!(guest.call("open", &[]), 1);
        assert_eq!(guest.call("exists", &[1, 0, 3]), 0);
        assert_eq!(guest.call("get", &[1, 0, 3, 100, 10]), -44);
        assert_eq!(guest.call("set", &[1, 0, 3, 8, 6]), 0);
        assert_eq!(guest.call("exists", &[1, 0, 3]), 1);
        assert_eq!(guest.call("get", &[1, 0, 3, 100, 10]), 6);
        assert_eq!(guest.read(100, 7), b"value!\0");
        // The buffer is too small: what fits, and the whole length.
        assert_eq!(guest.call("get", &[1, 0, 3, 200, 4]), 6);
        assert_eq!(guest.read(200, 6), b"valu\0\0");
        assert_eq!(guest.call("delete", &[1, 0, 3]), 0);
        assert_eq!(guest.call("delete", &[1, 0, 3]), 44);
        assert_eq!(house.contents("cache").0, []);
    }
}

#[test]
fn the_form_with_a_name_is_accepted() {
    for mode in MODES {
        let house = House::new();
        let mut guest = guest_by_name(&house, mode);
        assert_eq!(guest.call("open", &[16, 5]), 1);
        assert_eq!(guest.call("set", &[1, 0, 3, 8, 6]), 0);
        assert_eq!(house.contents("small").0.len(), 1);
        for bad in [[0, 3], [16, 0], [0, 257], [0x10000, 5], [16, -1]] {
            assert_eq!(guest.call("open", &bad), 0, "{bad:?}");
        }
        assert_eq!(guest.handles().len(), 1);
    }
}

#[test]
fn without_a_default_there_is_no_handle() {
    for mode in MODES {
        let house = House::new();
        let mut guest = guest(&house, mode);
        let identity = |grants| Identity {
            in_use: "filter".into(),
            grants: Arc::new(grants),
            owner: unlimited(),
            meter: Arc::default(),
        };
        let none = Grants::of("tenant").with("cache", Rights::ALL);
        let not_granted = Grants::of("tenant").with_default("cache");
        for grants in [none, not_granted] {
            *guest.handles() = Handles::new(&house.engine, identity(grants));
            assert_eq!(guest.call("open", &[]), 0);
        }
        let few = Grants::of("tenant").with("cache", Rights::READ);
        *guest.handles() = Handles::new(&house.engine, identity(few.with_default("cache")));
        assert_eq!(guest.call("open", &[]), 1);
        assert_eq!(guest.call("set", &[1, 0, 3, 8, 6]), 76);
        assert_eq!(guest.call("delete", &[1, 0, 3]), 76);
        assert_eq!(guest.call("exists", &[1, 0, 3]), 0);
    }
}

#[test]
fn mistakes_are_numbers_below_zero_or_errors_and_change_nothing() {
    let outside = 0x1_0000;
    let cases: &[(&str, &[i64], i32)] = &[
        ("set", &[0, 0, 3, 8, 6], 8),
        ("set", &[999, 0, 3, 8, 6], 8),
        ("set", &[1, outside, 3, 8, 6], 21),
        ("set", &[1, 0, -1, 8, 6], 21),
        ("set", &[1, 0, 3, outside - 5, 6], 21),
        ("set", &[1, 0, 3, 8, -1], 21),
        ("set", &[1, 0, 3, 8, 1001], 51),
        ("get", &[0, 0, 3, 100, 6], -8),
        ("get", &[1, outside, 3, 100, 6], -21),
        ("get", &[1, 0, 3, outside, 6], -21),
        ("get", &[1, 0, 3, 100, -1], -21),
        ("get", &[1, 0, -1, 100, 6], -21),
        ("delete", &[0, 0, 3], 8),
        ("delete", &[1, -1, 3], 21),
        ("delete", &[1, 0, i64::MAX, 3], 21),
        ("exists", &[0, 0, 3], -8),
        ("exists", &[1, outside, 3], -21),
        ("exists", &[1, 0, -1], -21),
    ];
    for mode in MODES {
        let house = House::new();
        let mut guest = guest(&house, mode);
        assert_eq!(guest.call("open", &[]), 1);
        assert_eq!(guest.call("set", &[1, 0, 3, 8, 6]), 0);
        for (name, args, expected) in cases {
            let before = (house.contents("cache"), guest.read(0, 0x1_0000).to_vec());
            assert_eq!(guest.call(name, args), *expected, "{name} {args:?}");
            let after = (house.contents("cache"), guest.read(0, 0x1_0000).to_vec());
            assert!(before == after, "{name} {args:?}");
        }
    }
}
