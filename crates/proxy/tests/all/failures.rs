//! What happens when a guest fails: statements 280 to 292.

use std::time::Duration;

use weir_guest::FailureKind;
use weir_model::{Isolation, OnFailure, Quarantine};
use weir_proxy::plugin::BreakerState;

use crate::guest::guest;
use crate::stage::{GET, Stage, is_oracle, with};

/// Fails when asked to.
const FRAGILE: &str = r#"
    (request_headers (bump b) (show "count" @b) (!get 0 "x-trap") (if (i32.eqz (global.get $status)) (then (nop)))
      (if (i32.ne (out) 0) (then (unreachable))))"#;
const TRAP: &str = "GET /p HTTP/1.1\r\nhost: h\r\nx-trap: 1\r\n\r\n";

#[test]
fn s280_a_trap_is_503() {
    let gateway = with(guest(FRAGILE)).start();
    let response = gateway.ask(TRAP);
    assert_eq!(response.brief(), (503, ""));
    assert_eq!(gateway.details(), "wasm_fail_stream");
    assert!(gateway.upstream.seen().is_empty());
    let gateway = with(guest(FRAGILE)).start();
    let response = gateway.ask(
        "POST /p HTTP/1.1\r\nhost: h\r\nx-trap: 1\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n\r\n",
    );
    assert_eq!(
        (response.status, response.field("grpc-status")),
        (200, "14")
    );
}

#[test]
fn s281_other_streams_of_the_vm_fail_too() {
    let gateway = with(guest(
        r#"(request_headers (!get 0 "x-trap") (if (i32.ne (out) 0) (then (unreachable))) (say "waits") 1)"#,
    ))
    .start();
    let mut waiting = gateway.client();
    waiting.send(GET);
    gateway.until(0, "waits");
    assert_eq!(gateway.ask(TRAP).status, 503);
    if !is_oracle() {
        assert_eq!(waiting.response().brief(), (503, ""));
    }
}

#[test]
fn s282_s283_later_requests_meet_the_policy() {
    for (policy, status, count) in [
        (OnFailure::Reload, 200, Some("count 1")),
        (OnFailure::Closed, 503, None),
        (OnFailure::Open, 200, None),
    ] {
        let gateway = with(guest(FRAGILE))
            .tune(|filter| filter.on_failure = policy)
            .start();
        assert_eq!(gateway.ask(GET).status, 200);
        let goes_on = policy == OnFailure::Open && !is_oracle();
        assert_eq!(gateway.ask(TRAP).status, if goes_on { 200 } else { 503 });
        if is_oracle() && policy == OnFailure::Reload {
            std::thread::sleep(Duration::from_millis(1600));
        }
        assert_eq!(gateway.ask(GET).status, status, "{policy:?}");
        let expected: Vec<&str> = ["count 1", "count 2"].into_iter().chain(count).collect();
        gateway.check(0, &expected);
    }
}

#[test]
fn s283_a_row_of_failures_makes_the_next_vm_wait() {
    if is_oracle() {
        return;
    }
    let gateway = with(guest(FRAGILE)).start();
    for _ in 0..4 {
        assert_eq!(gateway.ask(TRAP).status, 503);
    }
    assert_eq!(gateway.ask(GET).status, 503);
    let found = crate::upstream::eventually(|| (gateway.ask(GET).status == 200).then_some(()));
    assert!(found.is_some(), "no new VM");
}

#[test]
fn s283_shared_data_survives_and_globals_do_not() {
    let gateway = with(guest(
        r#"(request_headers (show "a" @a) (set a 1) (get_shared "k") (!set_shared "k" "v" 0)
             (!get 0 "x-trap") (if (i32.ne (out) 0) (then (unreachable))))"#,
    ))
    .start();
    assert_eq!(gateway.ask(TRAP).status, 503);
    if is_oracle() {
        std::thread::sleep(Duration::from_millis(1600));
    }
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["a 0", "get_shared 1", "a 0", "get_shared 0 v"]);
}

#[test]
fn s284_open_lets_the_request_that_failed_go_on() {
    let gateway = with(guest(FRAGILE))
        .tune(|filter| filter.on_failure = OnFailure::Open)
        .start();
    // Envoy's FAIL_OPEN does not; its deprecated `fail_open` does (docs/differences.md).
    assert_eq!(
        gateway.ask(TRAP).status,
        if is_oracle() { 503 } else { 200 }
    );
    assert_eq!(gateway.ask(TRAP).status, 200);
}

#[test]
fn s285_a_trap_after_the_head_resets() {
    let gateway = with(guest(
        "(response_body (bump a) (if (i32.eq @a 2) (then (unreachable))))",
    ))
    .upstream("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc|||def")
    .start();
    let response = gateway.ask(GET);
    assert_eq!((response.status, response.was_cut), (200, true));
    assert!(is_oracle() || gateway.details() == "wasm_fail_stream");
}

#[test]
fn a_trap_before_the_response_left_is_503() {
    for script in [
        "(response_headers (unreachable))",
        "(request_body (unreachable))",
    ] {
        let gateway = with(guest(script)).start();
        let response = gateway.ask("POST /p HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc");
        assert_eq!(response.brief(), (503, ""), "{script}");
        assert_eq!(gateway.details(), "wasm_fail_stream");
    }
}

#[test]
fn s286_a_trap_at_the_end_does_not_reach_the_client() {
    for script in [
        "(log (unreachable))",
        "(done (unreachable))",
        "(delete (unreachable))",
    ] {
        let gateway = with(guest(script)).start();
        assert_eq!(gateway.ask(GET).brief(), (200, "ok"), "{script}");
    }
}

#[test]
fn s287_s289_loops_and_recursion_end() {
    if is_oracle() {
        return;
    }
    let spin =
        r#"(request_headers (!get 0 "x-trap") (if (i32.ne (out) 0) (then (loop $l (br $l)))))"#;
    let recurse = r#"(func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) 1))
        (request_headers (!get 0 "x-trap") (if (i32.ne (out) 0) (then (drop (call $deep (i32.const 1))))))"#;
    for script in [spin, recurse] {
        let gateway = with(guest(script))
            .tune(|filter| filter.limits.call = Duration::from_millis(50))
            .start();
        assert_eq!(gateway.ask(TRAP).brief(), (503, ""));
        assert_eq!(gateway.ask(GET).status, 200);
    }
}

#[test]
fn s288_memory_beyond_the_limit_is_refused_to_the_guest() {
    if is_oracle() {
        return;
    }
    let script = r#"(request_headers (show "grow" (memory.grow (i32.const 2000))) (show "small" (i32.ne (memory.grow (i32.const 1)) -1)))"#;
    let gateway = with(guest(script))
        .tune(|filter| filter.limits.memory_bytes = 64 << 20)
        .start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["grow 4294967295", "small 1"]);
}

#[test]
fn s291_other_vms_go_on() {
    let gateway = Stage::new()
        .filter(guest(r#"(request_headers (bump a) (show "count" @a))"#))
        .filter(guest(FRAGILE))
        .start();
    assert_eq!(gateway.ask(TRAP).status, 503);
    gateway.ask(GET);
    gateway.check(0, &["count 1", "count 2"]);
}

#[test]
fn s291_one_vm_by_module_fails_for_both() {
    let shared = |filter: &mut weir_model::Filter| {
        (filter.isolation, filter.vm_id) = (Isolation::Module, "one".into());
        filter.on_failure = OnFailure::Closed;
    };
    let gateway = Stage::new()
        .filter(guest(FRAGILE))
        .tune(shared)
        .filter(guest(FRAGILE))
        .tune(shared)
        .start();
    assert_eq!(gateway.ask(TRAP).status, 503);
    assert_eq!(gateway.ask(GET).status, 503);
}

#[test]
fn s292_a_failed_vm_is_told_nothing_more() {
    let gateway = with(guest(&format!(
        "(log (say \"log\")) (done (say \"done\")) (delete (say \"delete\")) {FRAGILE}"
    )))
    .start();
    assert_eq!(gateway.ask(TRAP).status, 503);
    gateway.details();
    gateway.check(0, &["count 1"]);
}

#[test]
fn s252_a_failed_vm_does_not_tick() {
    if is_oracle() {
        // Its main thread has a VM of its own that logs, too.
        return;
    }
    let gateway = with(guest(
        r#"(configure (!tick_every 20) 1) (tick (bump a) (show "tick" @a) (if (i32.eq @a 2) (then (unreachable))))"#,
    ))
    .start();
    gateway.until(0, "tick 2");
    std::thread::sleep(Duration::from_millis(80));
    gateway.check(0, &["tick 1", "tick 2"]);
}

#[test]
fn a_trap_in_a_root_callback_ends_paused_streams() {
    if is_oracle() {
        return;
    }
    let gateway = with(guest(
        r#"(request_headers (!call "side" "{:method:GET;:path:/;:authority:s}" "" "" 1000) 1) (http_call_response (unreachable))"#,
    ))
    .start();
    assert_eq!(gateway.ask(GET).brief(), (503, ""));
    assert_eq!(gateway.details(), "wasm_fail_stream");
}

#[test]
fn a_trap_as_the_context_is_made_is_503() {
    let gateway = with(guest(
        "(context_create (if (i32.ne $parent 0) (then (unreachable))))",
    ))
    .start();
    assert_eq!(gateway.ask(GET).brief(), (503, ""));
}

#[test]
fn a_vm_comes_back_without_a_request() {
    if is_oracle() {
        return;
    }
    let gateway = with(guest(
        r#"(configure (get_shared "k") (!set_shared "k" "v" 0) (!tick_every 10) 1)
           (tick (bump a) (show "tick" @a) (!get_shared "k") (if (i32.eq @a 3) (then (unreachable))))"#,
    ))
    .start();
    // Its timer fails in the first life; the second one begins by itself.
    gateway.until(0, "tick 3");
    gateway.until(0, "get_shared 0 v");
}

/// What a start begins happens once it is over, however long it takes and wherever it runs.
#[test]
fn a_new_vm_hears_of_what_its_start_began() {
    if is_oracle() {
        return;
    }
    let script = format!(
        r#"(configure (!call "side" "{{:method:GET;:path:/;:authority:s}}" "" "" 1000)
             (!register "q") (set c (out)) (!enqueue @c "item") (!tick_every 1)
             (loop $l (set b (i32.add @b (i32.const 1))) (br_if $l (i32.lt_u @b (i32.const 100000000))))
             (set b 0) (say "configured") 1)
           (tick (bump a) (if (i32.eq @a 1) (then (say "tick"))))
           (http_call_response (say "answered"))
           (queue_ready (say "queue"))
           {FRAGILE}"#
    );
    let gateway = with(guest(&script)).start();
    let effects = ["tick", "answered", "queue"];
    let times = |what: &str| gateway.logs(0).iter().filter(|line| *line == what).count();
    let all = |times_each: usize| {
        crate::upstream::eventually(|| {
            effects
                .iter()
                .all(|what| times(what) == times_each)
                .then_some(())
        })
        .unwrap_or_else(|| panic!("{:?}", gateway.logs(0)));
    };
    all(1);
    assert_eq!(gateway.ask(TRAP).status, 503);
    assert_eq!(gateway.ask(GET).status, 200);
    all(2);
    let logs = gateway.logs(0);
    let second = logs.iter().rposition(|line| line == "configured").unwrap();
    for what in effects {
        let last = logs.iter().rposition(|line| line == what).unwrap();
        assert!(last > second, "{logs:?}");
    }
}

#[test]
fn a_request_in_time_is_what_closes_the_breaker() {
    if is_oracle() {
        return;
    }
    let gateway = with(guest(FRAGILE))
        .tune(|filter| {
            filter.failures.breaker.failures = 1;
            filter.failures.breaker.wait = Duration::from_millis(200);
        })
        .start();
    assert_eq!(gateway.ask(TRAP).status, 503);
    assert_eq!(gateway.ask(TRAP).status, 503);
    assert_eq!(gateway.report(0).breaker, BreakerState::Open);
    assert_eq!(gateway.ask(GET).status, 503);
    assert_eq!(gateway.report(0).refused, 1);
    let found = crate::upstream::eventually(|| (gateway.ask(GET).status == 200).then_some(()));
    assert!(found.is_some(), "no new VM");
    crate::upstream::eventually(|| {
        (gateway.report(0).breaker == BreakerState::Closed).then_some(())
    })
    .expect("a breaker that closes");
}

#[test]
fn open_may_recover() {
    if is_oracle() {
        return;
    }
    let gateway = with(guest(FRAGILE))
        .tune(|filter| {
            filter.on_failure = OnFailure::Open;
            filter.failures.open_recovers = true;
        })
        .start();
    assert_eq!(gateway.ask(TRAP).status, 200);
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["count 1", "count 1"]);
    assert_eq!(gateway.report(0).bypassed, 1);
}

#[test]
fn requests_like_those_that_kill_are_kept_away_and_others_are_not() {
    if is_oracle() {
        return;
    }
    for (policy, met) in [(OnFailure::Reload, 503), (OnFailure::Open, 200)] {
        let gateway = with(guest(FRAGILE))
            .tune(|filter| {
                filter.on_failure = policy;
                filter.failures.open_recovers = true;
                filter.failures.quarantine = Some(Quarantine {
                    failures: 2,
                    time: Duration::from_millis(1500),
                });
            })
            .start();
        let trap = |id: u32| format!("GET /items/{id} HTTP/1.1\r\nhost: h\r\nx-trap: {id}\r\n\r\n");
        for id in 1..=5 {
            assert_eq!(gateway.ask(trap(id)).status, met);
        }
        let report = gateway.report(0);
        assert_eq!((report.failures_total(), report.quarantined), (2, 3));
        assert_eq!(report.quarantined_patterns, 1);
        assert_eq!(gateway.ask(GET).status, 200);
        gateway.check(0, &["count 1", "count 1", "count 1"]);
        // It ends.
        let failed = || (gateway.report(0).failures_total() > 2).then_some(());
        crate::upstream::eventually(|| {
            gateway.ask(trap(9));
            failed()
        })
        .expect("the end of the quarantine");
    }
}

#[test]
fn a_vm_that_has_served_its_time_is_replaced_and_no_request_notices() {
    if is_oracle() {
        return;
    }
    let gateway = with(guest(
        r#"(request_headers (bump b) (show "count" @b) (!get 0 "x-wait") (if (i32.eqz (out)) (then (return (i32.const 0)))) 1)
           (done (show "done" @b) 1)"#,
    ))
    .tune(|filter| filter.recycling.requests = Some(2))
    .start();
    let mut waiting = gateway.client();
    waiting.send("GET /p HTTP/1.1\r\nhost: h\r\nx-wait: 1\r\n\r\n");
    gateway.until(0, "count 1");
    for _ in 0..3 {
        assert_eq!(gateway.ask(GET).status, 200);
    }
    crate::upstream::eventually(|| (gateway.report(0).recycled == 1).then_some(()))
        .expect("a new VM");
    // The first one lives as long as the request that waits in it.
    assert_eq!(gateway.report(0).vms, 2);
    drop(waiting);
    crate::upstream::eventually(|| (gateway.report(0).vms == 1).then_some(()))
        .expect("the end of the first VM");
    let logs = gateway.logs(0);
    assert_eq!(
        logs.iter().filter(|line| *line == "count 1").count(),
        2,
        "{logs:?}"
    );
    assert_eq!(gateway.report(0).failures_total(), 0);
}

#[test]
fn failures_are_counted_by_kind_and_the_last_one_is_known() {
    if is_oracle() {
        return;
    }
    let spin = "(request_headers (loop $l (br $l)))";
    let grow = "(request_headers (drop (memory.grow (i32.const 60000))) (unreachable))";
    let recurse = r#"(func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) 1))
        (request_headers (drop (call $deep (i32.const 1))))"#;
    for (script, kind) in [
        ("(request_headers (unreachable))", FailureKind::Trap),
        (spin, FailureKind::Deadline),
        (grow, FailureKind::Memory),
        (recurse, FailureKind::Stack),
    ] {
        let gateway = with(guest(script))
            .tune(|filter| filter.limits.call = Duration::from_millis(50))
            .start();
        assert_eq!(gateway.ask(GET).status, 503);
        let report = gateway.report(0);
        let expected = FailureKind::ALL.map(|known| u64::from(known == kind));
        assert_eq!(report.failures, expected, "{kind:?}");
        let last = report.last_failure.expect("a last failure");
        assert_eq!(
            (last.kind, last.callback),
            (kind, "proxy_on_request_headers")
        );
        assert!(!last.trace.frames.is_empty());
    }
}

#[test]
fn a_start_that_fails_is_counted_as_such() {
    if is_oracle() {
        return;
    }
    // It starts once: the second time its shared data is there.
    let gateway = with(guest(
        r#"(configure (!get_shared "k") (if (i32.eqz (global.get $status)) (then (return (i32.const 0)))) (!set_shared "k" "v" 0) 1)
           (request_headers (unreachable))"#,
    ))
    .start();
    for _ in 0..2 {
        assert_eq!(gateway.ask(GET).status, 503);
    }
    let report = gateway.report(0);
    assert_eq!(report.failures[FailureKind::Trap as usize], 1);
    assert_eq!(report.failures[FailureKind::Start as usize], 1);
    assert_eq!(report.vms, 0);
}

#[test]
fn each_configuration_may_have_a_vm_of_its_own() {
    if is_oracle() {
        return;
    }
    for (isolation, second) in [
        (Isolation::Plugin, "count 2"),
        (Isolation::Configuration, "count 1"),
    ] {
        let gateway = with(guest(r#"(request_headers (bump b) (show "count" @b))"#))
            .tune(|filter| filter.isolation = isolation)
            .configure("other", "something else")
            .start();
        assert_eq!(gateway.ask(GET).status, 200);
        assert_eq!(
            gateway.ask("GET /other HTTP/1.1\r\nhost: h\r\n\r\n").status,
            200
        );
        gateway.check(0, &["count 1", second]);
    }
}

/// A trap in a callback of a gRPC call or stream: who waits is answered, and a new VM takes over.
#[track_caller]
fn check_grpc_trap(callback: &str, begin: &str, steps: Vec<crate::peer::Step>) {
    let script = format!(
        r#"(request_headers (!get 0 "x-trap") (if (i32.eqz (size)) (then (return (i32.const 0)))) {begin} 1)
           ({callback} (unreachable))"#
    );
    let peer = crate::peer::Peer::start(steps);
    let gateway = with(guest(&script)).peer(peer.address).start();
    assert_eq!(gateway.ask(TRAP).brief(), (503, ""), "{callback}");
    assert_eq!(gateway.ask(GET).status, 200, "{callback}");
}

#[test]
fn a_trap_in_a_callback_of_a_grpc_call_answers_those_who_wait() {
    use crate::peer::Step;
    if is_oracle() {
        return;
    }
    let stream = r#"(!grpc_stream "peer" "s" "m" "")"#;
    let ok: &[(&str, &str)] = &[("grpc-status", "0")];
    let steps = || {
        vec![
            Step::Head(200, &[]),
            Step::Message("one"),
            Step::Trailers(ok),
        ]
    };
    check_grpc_trap("grpc_receive_initial_metadata", stream, steps());
    check_grpc_trap("grpc_receive", stream, steps());
    check_grpc_trap("grpc_receive_trailing_metadata", stream, steps());
    check_grpc_trap("grpc_close", stream, steps());
    let call = r#"(!grpc_call "peer" "s" "m" "" "hello" 5000)"#;
    check_grpc_trap("grpc_receive", call, steps());
    check_grpc_trap(
        "grpc_close",
        call,
        vec![
            Step::Head(200, &[]),
            Step::Trailers(&[("grpc-status", "7")]),
        ],
    );
}
