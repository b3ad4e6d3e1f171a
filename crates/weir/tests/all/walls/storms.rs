//! Guests that never come back, call the host without end, or fill the log.

use std::time::Duration;

use super::{check_counts, hits, script};
use crate::harness::{Upstream, Wire, get};

#[test]
fn an_endless_loop_holds_its_worker_up_for_twice_the_deadline_at_most() {
    const LIMIT: Duration = Duration::from_millis(500);
    let guest =
        r#"(request_headers (!get 0 "x-loop") (if (i32.ne (out) 0) (then (loop (br 0)))) 0)"#;
    let gateway = script(guest).limits("time: 500ms").start();
    let mut others: Vec<_> = (0..4).map(|_| gateway.connect()).collect();
    for other in &mut others {
        other.send(get("/well", ""));
        assert_eq!(other.response().status(), 200);
    }
    let before = gateway.cpu_time();
    let mut looping = gateway.connect();
    looping.send(get("/loop", "x-loop: 1\r\n"));
    std::thread::sleep(Duration::from_millis(50));
    for other in &mut others {
        other.send(get("/well", ""));
    }
    for other in &mut others {
        assert_eq!(other.response().status(), 200);
    }
    // Running time, not the clock on the wall: other tests run as well.
    let waited = gateway.cpu_time().saturating_sub(before);
    assert!(waited < 2 * LIMIT, "{waited:?}");
    assert_eq!(looping.response().status(), 503);
    check_counts(&gateway, 1, 1);
    assert_eq!(hits(&gateway, "time"), 1);
    gateway.logged("limits.time: 500ms");
    assert_eq!(gateway.get("/next", "").status(), 200);
    drop((others, looping));
    gateway.end();
}

#[test]
fn an_endless_loop_is_nothing_to_the_other_workers() {
    let guest =
        r#"(request_headers (!get 0 "x-loop") (if (i32.ne (out) 0) (then (loop (br 0)))) 0)"#;
    let gateway = script(guest)
        .limits("time: 20s, request_time: 40s")
        .workers(2)
        .start();
    let mut looping = gateway.connect();
    looping.send(get("/loop", "x-loop: 1\r\n"));
    std::thread::sleep(Duration::from_millis(100));
    // Connections are spread by the system: of so many, some are on the other worker.
    let mut others: Vec<_> = (0..32).map(|_| gateway.connect()).collect();
    for other in &mut others {
        other.send(get("/well", ""));
    }
    let before = gateway.cpu_time();
    let is_answered = |wire: &mut Wire| {
        let short = Some(Duration::from_millis(500));
        wire.stream
            .set_read_timeout(short)
            .expect("a socket takes it");
        wire.try_response()
            .is_ok_and(|answer| answer.status() == 200)
    };
    assert!(others.iter_mut().any(is_answered), "nobody was served");
    assert!(gateway.cpu_time().saturating_sub(before) < Duration::from_secs(19));
    check_counts(&gateway, 0, 0);
    drop((others, looping));
}

#[test]
fn host_calls_of_a_request_are_counted() {
    let calls = "(local $i i32) (loop $again (drop (call $proxy_get_log_level (i32.const 0)))
        (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $again (i32.lt_u (local.get $i) (i32.const 600))))";
    let guest = format!("(request_headers {calls} 0) (response_headers {calls} 0)");
    for (limit, status) in [(2000, 200), (1000, 503), (500, 503)] {
        let gateway = script(&guest)
            .limits(&format!("host_calls: {limit}"))
            .start();
        for _ in 0..2 {
            assert_eq!(gateway.get("/", "").status(), status, "{limit}");
        }
        if status == 503 {
            check_counts(&gateway, 2, 2);
            assert_eq!(hits(&gateway, "host_calls"), 2);
            gateway.logged(&format!("limits.host_calls: {limit}"));
        }
        gateway.end();
    }
}

#[test]
fn a_storm_of_host_calls_is_ended_by_time() {
    let guest =
        "(request_headers (loop (drop (call $proxy_get_log_level (i32.const 0))) (br 0)) 0)";
    let gateway = script(guest)
        .limits("host_calls: 4294967295, time: 100ms")
        .start();
    assert_eq!(gateway.get("/", "").status(), 503);
    assert_eq!(hits(&gateway, "time"), 1);
    assert_eq!(gateway.get("/well", "").status(), 200);
    gateway.end();
}

#[test]
fn log_lines_beyond_the_rate_are_dropped_and_counted() {
    const LINES: usize = 5000;
    let line = "x".repeat(100);
    let guest = format!(
        r#"(request_headers (local $i i32) (loop $again (say "{line}")
            (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $again (i32.lt_u (local.get $i) (i32.const {LINES})))) 0)"#
    );
    let gateway = script(&guest)
        .limits("log_rate: 1KiB, log_burst: 64KiB, time: 10s, request_time: 20s")
        .start();
    assert_eq!(gateway.get("/", "").status(), 200);
    let told = gateway.logged("log lines of the plugin were dropped");
    let number = |text: &str| -> Option<usize> {
        let rest = told.split_once(text)?.1;
        rest.split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse()
            .ok()
    };
    let dropped = number("lines=").unwrap_or_else(|| panic!("{told}"));
    let written = gateway.log().matches(&*line).count();
    assert_eq!(written + dropped, LINES, "{told}");
    // The burst, and what the rate gave meanwhile.
    assert!((600..900).contains(&written), "{written}");
    assert!(told.contains("limits.log_rate: 1KiB per second"), "{told}");
    assert_eq!(hits(&gateway, "log_rate"), dropped as u64);
    gateway.end();
}

#[test]
fn a_request_that_takes_its_time_in_small_bites_is_ended_alone() {
    // Each piece of the body costs a little, far below the limit of one call.
    let spin = "(local $n i32) (local.set $n (i32.const 3000000))
        (loop (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))";
    let guest = format!(
        "(request_headers (!get 0 \"x-wait\") (if (i32.ne (out) 0) (then (return (i32.const 1)))) 0) (request_body {spin} 0)"
    );
    let (upstream, _) = Upstream::echoing();
    let gateway = script(&guest)
        .before(&upstream)
        .limits("time: 10s, request_time: 20ms")
        .start();
    let mut waits = gateway.connect();
    waits.send(get("/waits", "x-wait: 1\r\n"));
    gateway.wait_for_total("requests_active", 1);
    let mut client = gateway.connect();
    client.send("POST /bites HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n");
    for _ in 0..100 {
        if client.try_send("1\r\na\r\n").is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(client.try_response().map_or(503, |answer| answer.status()) == 503);
    assert_eq!(hits(&gateway, "request_time"), 1);
    gateway.logged("limits.request_time: 20ms");
    // The VM is whole if no call was interrupted.
    let failures = super::filter(&gateway)["failures"].as_u64();
    if failures == Some(0) {
        assert_eq!(
            gateway.total("requests_active"),
            1,
            "the other one still waits"
        );
    }
    drop((client, waits));
    gateway.end();
}
