//! Section 9.3: how bytes travel between host and guest.

use weir_guest::door::Status;
use weir_guest::{Cause, ProgramOptions};
use weir_model::{Dialect, Strictness};
use weir_testkit::run::{self, CALL};
use weir_testkit::{Script, start};

use crate::common::{MARKER, MEMORY, REQUEST_HEADERS, ask, callback, env, on_request, words};

const MISSING: i32 = Status::NotFound as i32;
const BAD_MEMORY: i32 = Status::InvalidMemoryAccess as i32;

/// A world with a property `p` of seven bytes and an empty property `e`.
fn world() -> Script {
    Script::new().property("p", "1234567").property("e", "")
}

/// A guest that asks for the property of one letter and then runs `check`; on failure it returns
/// the status.
fn reader(malloc: &str, letter: char, (pointer, length): (i64, i64), check: &str) -> String {
    let body = format!(
        "(local $status i32)
         (i32.store8 (i32.const 0) (i32.const {}))
         (local.set $status (call $proxy_get_property
            (i32.const 0) (i32.const 1) (i32.const {pointer}) (i32.const {length})))
         (if (result i32) (local.get $status) (then (local.get $status)) (else {check}))",
        u32::from(letter)
    );
    format!(
        "(module {} {MARKER} {MEMORY} (func (export \"malloc\") (param i32) (result i32) {malloc}) {})",
        env(&["proxy_get_property"]),
        callback("proxy_on_request_headers", 3, &body)
    )
}

fn check(text: &str, expected: i32) {
    assert_eq!(ask(text, world()).0, Ok(expected), "{text}");
}

#[test]
fn s46_exactly_the_returned_length_is_allocated() {
    let malloc = "(i32.store (i32.const 32) (local.get 0)) (i32.const 1024)";
    let sum = "(i32.add (i32.load (i32.const 32))
                 (i32.add (i32.mul (i32.const 100) (i32.load (i32.const 68)))
                   (i32.add (i32.load (i32.const 64)) (i32.load8_u (i32.const 1030)))))";
    check(
        &reader(malloc, 'p', (64, 68), sum),
        7 + 700 + 1024 + i32::from(b'7'),
    );
}

#[test]
fn s47_empty_results_allocate_nothing_and_write_zeros() {
    let text = reader(
        "unreachable",
        'e',
        (64, 68),
        "(i64.eqz (i64.load (i32.const 64)))",
    )
    .replace(
        "(local $status i32)",
        "(local $status i32) (i64.store (i32.const 64) (i64.const -1))",
    );
    check(&text, 1);
}

#[test]
fn s48_results_outside_memory_are_a_status() {
    for (pointer, length) in [
        (65533, 64),
        (64, 65533),
        (0xffff_fffc, 64),
        (64, 0xffff_ffff),
        (65536, 65536),
    ] {
        check(
            &reader("(i32.const 1024)", 'p', (pointer, length), "i32.const 0"),
            BAD_MEMORY,
        );
    }
    check(
        &reader("(i32.const 1024)", 'p', (65528, 65532), "i32.const 0"),
        0,
    );
}

#[test]
fn s49_s50_arguments_outside_memory_are_a_status() {
    for (pointer, length, expected) in [
        (65535_u32, 1, MISSING),
        (65535, 2, BAD_MEMORY),
        (65536, 0, MISSING),
        (65537, 0, BAD_MEMORY),
        (0, 65536, MISSING),
        (1, 65536, BAD_MEMORY),
        (16, 0xffff_ffff_u32, BAD_MEMORY),
        (0xffff_ffff, 0xffff_ffff, BAD_MEMORY),
        (0xffff_fff0, 0x20, BAD_MEMORY),
    ] {
        let call = format!(
            "(call $proxy_get_property (i32.const {pointer}) (i32.const {length})
                (i32.const 64) (i32.const 68))"
        );
        check(&on_request(&env(&["proxy_get_property"]), &call), expected);
    }
}

#[test]
fn s51_an_allocator_without_memory_is_a_status() {
    check(
        &reader("(i32.const 0)", 'p', (64, 68), "i32.const 0"),
        BAD_MEMORY,
    );
    check(
        &reader("(i32.const 65530)", 'p', (64, 68), "i32.const 0"),
        BAD_MEMORY,
    );
    check(
        &reader("(i32.const -8)", 'p', (64, 68), "i32.const 0"),
        BAD_MEMORY,
    );
    check(
        &reader("(i32.const 65529)", 'p', (64, 68), "i32.const 0"),
        0,
    );
}

#[test]
fn s52_memory_may_grow_inside_the_allocator() {
    let malloc = "(i32.mul (memory.grow (i32.const 200)) (i32.const 65536))";
    let text = reader(
        malloc,
        'p',
        (64, 68),
        "(i32.load8_u (i32.add (i32.load (i32.const 64)) (i32.const 6)))",
    );
    check(&text, i32::from(b'7'));
}

#[test]
fn s53_an_allocator_that_traps_ends_the_guest() {
    let (result, mut vm) = ask(
        &reader("unreachable", 'p', (64, 68), "i32.const 0"),
        world(),
    );
    assert!(words(&result).contains("unreachable"), "{result:?}");
    assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL), Err(Cause::Gone.into()));
}

#[test]
fn s54_results_may_be_unaligned() {
    let sum = "(i32.add (i32.load (i32.const 65)) (i32.load (i32.const 71)))";
    check(&reader("(i32.const 1025)", 'p', (65, 71), sum), 1025 + 7);
}

#[test]
fn s49_big_results_are_refused_when_they_do_not_fit() {
    let world = world().property("b", vec![b'x'; 65537]);
    let text = reader("(i32.const 1)", 'b', (64, 68), "i32.const 0");
    assert_eq!(ask(&text, world).0, Ok(BAD_MEMORY));
}

/// Section 1.4: what the allocator may call depends on the dialect.
#[test]
fn the_allocator_may_log_but_not_ask() {
    let text = |call: &str| {
        format!(
            "(module {} {MARKER} {MEMORY}
               (func (export \"malloc\") (param i32) (result i32) {call} (i32.const 1024)) {})",
            env(&["proxy_log", "proxy_get_property", "proxy_get_current_time_nanoseconds"]),
            callback(
                "proxy_on_request_headers",
                3,
                "(i32.store8 (i32.const 0) (i32.const 112))
                 (call $proxy_get_property (i32.const 0) (i32.const 1) (i32.const 64) (i32.const 68))"
            )
        )
    };
    let log = text("(drop (call $proxy_log (i32.const 2) (i32.const 0) (i32.const 1)))");
    let time = text("(drop (call $proxy_get_current_time_nanoseconds (i32.const 80)))");
    check(&log, 0);
    let (result, _) = ask(&time, world());
    assert!(
        words(&result).contains("may not be called inside the allocator"),
        "{result:?}"
    );
    let options = ProgramOptions {
        strictness: Strictness::Tolerant,
        dialect: Dialect::Higress,
    };
    let program = run::load(time.as_bytes(), options).expect("a module");
    let mut vm = start(&program, world()).expect("a guest");
    assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL), Ok(0));
}
