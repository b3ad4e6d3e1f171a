//! Starts that never return: at the start of the gateway, and after a crash.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{check_counts, filter, script, text};
use crate::harness::{Ends, Gateway, LONG, Upstream, get, until};

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

/// Every start takes some hundred milliseconds of running time.
const SLOW: &str = r#"
    (configure (set a 0)
        (loop $l (set a (i32.add @a (i32.const 1))) (br_if $l (i32.lt_u @a (i32.const 400000000)))) 1)
    (request_headers (!get 0 "x-trap") (if (i32.ne (out) 0) (then (unreachable))) 0)"#;

/// Asks for what needs no plugin until told to stop; says how long the slowest answer took.
fn slowest_well(gateway: &Gateway, is_over: &AtomicBool) -> Duration {
    let mut wire = gateway.connect();
    let mut slowest = Duration::ZERO;
    while !is_over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        wire.send(get("/well", ""));
        assert_eq!(wire.response().status(), 200);
        slowest = slowest.max(begun.elapsed());
        thread::sleep(Duration::from_millis(1));
    }
    slowest
}

#[test]
fn a_worker_serves_others_while_a_large_plugin_starts_again() {
    for keys in ["", ", isolation: module", ", isolation: configuration"] {
        let gateway = script(SLOW)
            .keys(&format!("on_failure: reload{keys}"))
            .start();
        let is_over = AtomicBool::new(false);
        let (slowest, waits) = thread::scope(|scope| {
            let end = Ends(&is_over);
            let well = scope.spawn(|| slowest_well(&gateway, &is_over));
            thread::sleep(Duration::from_millis(50));
            assert_eq!(gateway.get("/", "x-trap: 1\r\n").status(), 503);
            let ask = || {
                let begun = Instant::now();
                assert_eq!(gateway.get("/", "").status(), 200);
                begun.elapsed()
            };
            let waiting: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            let waits: Vec<_> = waiting.into_iter().map(|one| one.join().unwrap()).collect();
            drop(end);
            (well.join().unwrap(), waits)
        });
        let start = *waits.iter().max().unwrap();
        assert!(
            start > Duration::from_millis(100),
            "no slow start: {start:?}"
        );
        // On a busy machine any thread may wait; nobody waits for the start.
        assert!(slowest * 3 < start, "{slowest:?} of {start:?}");
        // Eight requests that need a VM are one start.
        check_counts(&gateway, 1, 1);
        assert_eq!(filter(&gateway)["refused"], 0);
        gateway.end();
    }
}

#[test]
fn a_connection_waits_for_a_plugin_that_starts_again() {
    let (upstream, _) = Upstream::echoing();
    let slow = SLOW.replace(
        "(request_headers",
        "(new_connection (!get_shared \"k\") (if (i32.ne (global.get $status) 0) (then (!set_shared \"k\" \"v\" 0) (unreachable))) 0) (request_headers",
    );
    let gateway = script(&slow).before(&upstream).tcp().start();
    let mut first = gateway.connect();
    first.wait_end();
    let begun = Instant::now();
    let mut second = gateway.connect();
    second.send(get("/", ""));
    assert_eq!(second.response().status(), 200);
    assert!(begun.elapsed() > Duration::from_millis(50));
    drop(second);
    check_counts(&gateway, 1, 1);
    gateway.end();
}

#[test]
fn nobody_waits_for_ever_for_a_plugin_that_does_not_start_again() {
    let gateway = script(ONCE).limits("start_time: 60s").start();
    assert_eq!(gateway.get("/", "").status(), 200);
    assert_eq!(gateway.get("/", "x-trap: 1\r\n").status(), 503);
    let begun = Instant::now();
    assert_eq!(gateway.get("/", "").status(), 503);
    let waited = begun.elapsed();
    assert!(
        waited > Duration::from_secs(4) && waited < LONG,
        "{waited:?}"
    );
    // From then on requests are answered at once, though the start still goes on.
    let begun = Instant::now();
    for _ in 0..10 {
        assert_eq!(gateway.get("/", "").status(), 503);
        assert_eq!(gateway.get("/well", "").status(), 200);
    }
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(filter(&gateway)["refused"], 11);
    gateway.end();
}
