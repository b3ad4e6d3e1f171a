//! `get_alloc` with every kind of allocator, and with those that misbehave.

use crate::house::{Guest, House, MODES, Mode};

/// A guest with these exports, and the entry `key` = `value!` under handle 1.
fn guest(house: &House, mode: Mode, exports: &str) -> Guest {
    let text = format!(
        r#"(module
            (import "wasi_map_v1" "get_alloc" (func $get_alloc
                (param i32 i32 i32 i32 i32 i32) (result i32)))
            (import "wasi_map_v1" "set" (func $set (param i32 i32 i32 i32 i32) (result i32)))
            (import "wasi_map" "wasi_map_open" (func $open (result i32)))
            (memory (export "memory") 1 2)
            (data (i32.const 0) "keyvalue!")
            (global $arguments (mut i64) (i64.const 0))
            (func (export "arguments") (result i32)
                (i32.wrap_i64 (global.get $arguments)))
            (func (export "run") (result i32)
                (drop (call $open))
                (drop (call $set (i32.const 1) (i32.const 0) (i32.const 3)
                    (i32.const 3) (i32.const 6)))
                (call $get_alloc (i32.const 1) (i32.const 0) (i32.const 3)
                    (i32.const 100) (i32.const 104) (i32.const 108)))
            {exports})"#
    );
    house.guest_of(mode, &text)
}

/// An allocator that takes a length.
fn of_length(name: &str, body: &str) -> String {
    format!(r#"(func (export "{name}") (param i32) (result i32) {body})"#)
}

fn of_realloc(body: &str) -> String {
    format!(r#"(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {body})"#)
}

fn at(address: u32) -> String {
    format!("i32.const {address}")
}

/// What `run` answers, and the address that it wrote.
fn run(mode: Mode, exports: &str) -> (i32, u32) {
    let house = House::new();
    let mut guest = guest(&house, mode, exports);
    let code = guest.call("run", &[]);
    assert_eq!(guest.store.data().allocating, 0);
    let address = guest.u32(100);
    if code == 0 {
        assert_eq!(guest.read(address as usize, 6), b"value!");
        assert_eq!((guest.u32(104), guest.u64(108)), (6, 1));
    } else {
        assert_eq!(guest.read(100, 16), [0; 16]);
    }
    (code, address)
}

#[test]
fn the_first_allocator_in_the_order_is_asked() {
    let all = [
        of_length("wasi_map_alloc", &at(1000)),
        of_realloc(&at(2000)),
        of_length("proxy_on_memory_allocate", &at(3000)),
        of_length("malloc", &at(4000)),
    ];
    for mode in MODES {
        for first in 0..all.len() {
            let address = 1000 * (u32::try_from(first).unwrap() + 1);
            assert_eq!(run(mode, &all[first..].concat()), (0, address));
        }
        assert_eq!(run(mode, ""), (58, 0));
    }
}

#[test]
fn an_allocator_of_another_type_is_none() {
    let wrong = [
        r#"(func (export "wasi_map_alloc") (param i64) (result i32) i32.const 8)"#,
        r#"(func (export "cabi_realloc") (param i32) (result i32) i32.const 8)"#,
        r#"(global (export "proxy_on_memory_allocate") i32 (i32.const 8))"#,
    ];
    for mode in MODES {
        assert_eq!(run(mode, &wrong.concat()), (58, 0));
        let malloc = of_length("malloc", &at(4000));
        assert_eq!(run(mode, &(wrong.concat() + &malloc)), (0, 4000));
    }
}

#[test]
fn an_allocator_is_told_how_much() {
    let note = |value: &str| format!("(global.set $arguments (i64.extend_i32_u {value}))");
    let sum = "(i32.add (i32.mul (local.get 2) (i32.const 100)) (local.get 3))";
    for mode in MODES {
        for (allocator, expected) in [
            (of_length("malloc", &(note("(local.get 0)") + &at(4000))), 6),
            (of_realloc(&(note(sum) + &at(4000))), 806),
        ] {
            let house = House::new();
            let mut guest = guest(&house, mode, &allocator);
            assert_eq!(guest.call("run", &[]), 0);
            assert_eq!(guest.call("arguments", &[]), expected);
        }
    }
}

#[test]
fn garbage_is_a_fault_and_nothing_is_nomem() {
    for mode in MODES {
        for (address, expected) in [
            (0, 48),
            (0x1_0000, 21),
            (0xfffb, 21),
            (u32::MAX, 21),
            (0x8000_0000, 21),
            (0xfffa, 0),
        ] {
            let (code, _) = run(mode, &of_length("malloc", &at(address)));
            assert_eq!(code, expected, "{address:x}");
        }
    }
}

#[test]
fn an_allocator_may_grow_memory() {
    let grow = "(i32.mul (memory.grow (i32.const 1)) (i32.const 65536))";
    for mode in MODES {
        assert_eq!(run(mode, &of_length("malloc", grow)), (0, 0x1_0000));
    }
}

/// What the allocator does to the map comes too late for the value that is handed over.
#[test]
fn an_allocator_may_change_the_map() {
    let body = "(drop (call $set (i32.const 1) (i32.const 0) (i32.const 3)
        (i32.const 0) (i32.const 3))) i32.const 4000";
    for mode in MODES {
        assert_eq!(run(mode, &of_length("malloc", body)), (0, 4000));
    }
}

#[test]
fn an_allocator_that_traps_ends_the_guest() {
    for mode in MODES {
        let house = House::new();
        let mut guest = guest(&house, mode, &of_length("malloc", "unreachable"));
        assert!(guest.try_call("run", &[]).is_err());
        assert_eq!(guest.store.data().allocating, 0);
    }
}
