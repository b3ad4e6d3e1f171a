//! Starts that never return: at the start of the gateway, and after a crash.

use std::time::{Duration, Instant};

use super::{filter, script, text};
use crate::harness::{LONG, until};

/// Longer than any start of the program itself on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

#[track_caller]
fn check_refused(body: &str, part: &str) {
    let memory = r#"(memory (export "memory") 1)"#;
    let begun = Instant::now();
    let told = text(&format!("{memory} {body}"))
        .limits("start_time: 300ms")
        .refused();
    assert!(
        begun.elapsed() < PATIENCE.min(LONG),
        "{:?}",
        begun.elapsed()
    );
    assert!(told.contains("filter f") && told.contains(part), "{told}");
    assert!(told.contains("300ms"), "{told}");
}

#[test]
fn a_start_that_never_returns_ends_the_start_of_the_gateway() {
    check_refused(
        r#"(func (export "_initialize") (loop (br 0)))"#,
        "_initialize",
    );
    check_refused(
        r#"(func (export "proxy_on_vm_start") (param i32 i32) (result i32) (loop (br 0)) (i32.const 1))"#,
        "proxy_on_vm_start",
    );
    check_refused(
        r#"(func (export "proxy_on_configure") (param i32 i32) (result i32) (loop (br 0)) (i32.const 1))"#,
        "proxy_on_configure",
    );
}

/// The first VM starts; every one after it does not. Shared data outlives a VM.
const ONCE: &str = r#"
    (vm_start (!get_shared "started") (if (i32.eqz (global.get $status)) (then (loop (br 0))))
        (!set_shared "started" "1" 0) 1)
    (request_headers (!get 0 "x-trap") (if (i32.ne (out) 0) (then (unreachable))) 0)"#;

#[test]
fn a_start_that_never_returns_after_a_crash_is_not_tried_for_ever() {
    let gateway = script(ONCE).limits("start_time: 200ms").start();
    assert_eq!(gateway.get("/", "").status(), 200);
    assert_eq!(gateway.get("/", "x-trap: 1\r\n").status(), 503);
    let before = gateway.cpu_time();
    for _ in 0..40 {
        assert_eq!(gateway.get("/", "").status(), 503);
        assert_eq!(gateway.get("/well", "").status(), 200);
    }
    // Far from forty starts of 200 ms each: most requests are refused without one.
    let spent = gateway.cpu_time().saturating_sub(before);
    assert!(spent < Duration::from_secs(5), "{spent:?}");
    until("requests are refused without a start", || {
        filter(&gateway)["refused"].as_u64() > Some(20)
    });
    gateway.end();
}
