//! Filters whose calls are answered later: the guest waits, and nobody else does who need not.

use std::time::{Duration, Instant};

use weir_guest::FailureKind;
use weir_model::{Apart, Isolation, OnFailure, Seeding, limits};

use crate::client::Client;
use crate::desk::Desk;
use crate::stage::{GET, Gateway, Role, Stage, is_oracle, with};
use crate::upstream::eventually;

const OTHER: &str = "GET /other HTTP/1.1\r\nhost: h\r\n\r\n";

/// `$wait` reads an entry of the map `m`, which it opens first.
const WAIT: &str = r#"
(import "wasi_map_v1" "open" (func $m_open (param i32 i32 i64 i32) (result i32)))
(import "wasi_map_v1" "get" (func $m_get (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
(import "wasi_map_v1" "set" (func $m_set (param i32 i32 i32 i32 i32) (result i32)))
(global $h (mut i32) (i32.const 0))
(func $wait (param $p i32) (param $n i32) (result i32)
  (if (i32.eqz (global.get $h)) (then
    (i32.store8 (i32.const 59000) (i32.const 109))
    (drop (call $m_open (i32.const 59000) (i32.const 1) (i64.const 3) (i32.const 59004)))
    (global.set $h (i32.load (i32.const 59004)))))
  (call $m_get (global.get $h) (local.get $p) (local.get $n)
    (i32.const 59100) (i32.const 100) (i32.const 59008) (i32.const 59016)))
"#;

fn guest(script: &str) -> Vec<u8> {
    crate::guest::guest(&format!("{WAIT}\n{script}"))
}

fn shared(script: &str, desk: &Desk) -> Stage {
    with(guest(script)).late(desk)
}

/// With a VM for each request.
fn alone(script: &str, desk: &Desk) -> Stage {
    with(guest(script))
        .tune(|filter| filter.isolation = Isolation::Request(Seeding::default()))
        .late(desk)
}

/// Requests that are on their way.
fn send(gateway: &Gateway, request: &str, count: usize) -> Vec<Client> {
    let sent = (0..count).map(|_| {
        let mut client = gateway.client();
        client.send(request);
        client
    });
    sent.collect()
}

#[track_caller]
fn check_all(clients: &mut [Client], expected: u16) {
    for client in clients {
        assert_eq!(client.response().status, expected);
    }
}

const READ: &str = r#"(request_headers (drop (call $wait (ptr "slow") (len "slow"))) 0)"#;

#[test]
fn a_hundred_requests_with_vms_of_their_own_wait_together() {
    if is_oracle() {
        return;
    }
    let desk = Desk::new();
    let script = r#"(request_headers (drop (call $wait (ptr "held") (len "held"))) 0)"#;
    let gateway = alone(script, &desk).start();
    let mut clients = send(&gateway, GET, 100);
    desk.until_asked(100);
    assert_eq!(desk.counts().waiting, 100);
    desk.open();
    check_all(&mut clients, 200);
}

#[test]
fn twenty_milliseconds_of_a_hundred_requests_are_twenty_milliseconds() {
    if is_oracle() {
        return;
    }
    let desk = Desk::new();
    let gateway = alone(READ, &desk).start();
    // Copies are made once.
    let mut clients = send(&gateway, GET, 100);
    check_all(&mut clients, 200);
    let begun = Instant::now();
    for client in &mut clients {
        client.send(GET);
    }
    check_all(&mut clients, 200);
    let took = begun.elapsed();
    assert!(desk.counts().most > 50, "{:?}", desk.counts());
    // One after the other they would take two seconds.
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(took >= Duration::from_millis(20), "{took:?}");
}

#[test]
fn in_a_shared_vm_they_wait_one_after_the_other_in_their_order() {
    if is_oracle() {
        return;
    }
    let desk = Desk::new();
    let script = r#"(request_headers (show "in" $ctx) (drop (call $wait (ptr "slow") (len "slow"))) (show "out" $ctx) 0)"#;
    let gateway = shared(script, &desk).start();
    let mut clients = send(&gateway, GET, 10);
    check_all(&mut clients, 200);
    assert_eq!(desk.counts().most, 1);
    let logs = gateway.logs_when(0, 20);
    for pair in logs.chunks(2) {
        let (entered, left) = (pair[0].strip_prefix("in "), pair[1].strip_prefix("out "));
        assert!(entered.is_some() && entered == left, "{logs:?}");
    }
}

#[test]
fn whoever_need_not_wait_does_not() {
    if is_oracle() {
        return;
    }
    let desk = Desk::new();
    // The first filter waits, in a VM for each request, if it is told to; the second never does.
    let waits = r#"(request_headers (!get 0 "x-prompt") (if (i32.eq (out) 0) (then (drop (call $wait (ptr "held") (len "held"))))) 0)"#;
    let gateway = with(guest(waits))
        .tune(|filter| filter.isolation = Isolation::Request(Seeding::default()))
        .late(&desk)
        .filter(guest(r#"(request_headers (say "second") 0)"#))
        .start();
    let mut held = send(&gateway, GET, 20);
    desk.until_asked(20);
    for _ in 0..20 {
        let request = "GET /p HTTP/1.1\r\nhost: h\r\nx-prompt: 1\r\n\r\n";
        assert_eq!(gateway.ask(request).status, 200);
    }
    assert_eq!(desk.counts().waiting, 20);
    assert_eq!(gateway.logs(1).len(), 20);
    desk.open();
    check_all(&mut held, 200);
    assert_eq!(gateway.logs_when(1, 40).len(), 40);
}

#[test]
fn what_a_guest_ordered_before_it_waited_happens_when_it_has_returned() {
    if is_oracle() {
        return;
    }
    for order in [
        r#"(!reply 403 "d" "no" "" -1)"#,
        "(!continue 0)",
        "(!close 0)",
    ] {
        let desk = Desk::new();
        let script = format!(
            r#"(request_headers (drop (call $wait (ptr "slow") (len "slow"))) {order} (drop (call $wait (ptr "held") (len "held"))) (say "returns") 1)
               (response_headers (say "response") 0)"#
        );
        let gateway = shared(&script, &desk).start();
        let mut client = send(&gateway, GET, 1).remove(0);
        desk.until_asked(2);
        // Nothing goes anywhere for as long as it waits.
        std::thread::sleep(Duration::from_millis(30));
        assert!(gateway.upstream.seen().is_empty() && gateway.logs(0).is_empty());
        desk.open();
        let response = client.response();
        match order {
            "(!continue 0)" => assert_eq!(response.status, 200),
            "(!close 0)" => assert!(response.was_cut),
            _ => assert_eq!(response.brief(), (403, "no")),
        }
        assert_eq!(gateway.logs_when(0, 1)[0], "returns");
    }
}

#[test]
fn every_part_of_both_directions_may_wait() {
    if is_oracle() {
        return;
    }
    let desk = Desk::new();
    let wait = r#"(drop (call $wait (ptr "slow") (len "slow")))"#;
    let script = format!(
        r#"(context_create {wait})
           (request_headers {wait} (say "1") 0) (request_body {wait} (read 0 0 100) 0)
           (response_headers {wait} (!replace 2 "x-late" "1") 0)
           (response_body {wait} (read 1 0 100) 0)
           (log {wait} (say "log")) (done {wait} (say "done") 1) (delete {wait} (say "delete"))"#
    );
    let post = "POST /p HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\nhello";
    for stage in [shared(&script, &desk), alone(&script, &desk)] {
        let gateway = stage.start();
        let mut client = gateway.client();
        for round in 0..3 {
            client.send(post);
            let response = client.response();
            assert_eq!(response.brief(), (200, "ok"));
            assert_eq!(response.field("x-late"), "1");
            let logs = gateway.logs_when(0, 6 * (round + 1));
            let expected = ["1", "read 0 hello", "read 0 ok", "log", "done", "delete"];
            assert_eq!(logs[6 * round..], expected);
        }
        assert_eq!(gateway.upstream.seen()[2].body, "hello");
    }
}

#[test]
fn a_client_that_leaves_while_a_guest_waits_ends_its_exchange_when_the_guest_has_returned() {
    if is_oracle() {
        return;
    }
    let script = r#"(request_headers (drop (call $wait (ptr "held") (len "held"))) (get 0 ":path") (replace 0 "x-a" "1") 1)
        (log (replace 0 "x-a" "1") (say "log")) (done (say "done") 1) (delete (say "delete"))"#;
    let desk = Desk::new();
    for stage in [shared(script, &desk), alone(script, &desk)] {
        let desk = Desk::new();
        let gateway = stage.late(&desk).start();
        for client in send(&gateway, GET, 1) {
            desk.until_asked(1);
            client.hang_up();
        }
        std::thread::sleep(Duration::from_millis(30));
        assert!(gateway.logs(0).is_empty(), "{:?}", gateway.logs(0));
        desk.open();
        // What it was looking at is still there for it.
        let expected = [
            "get 0 /p?q=1",
            "replace 0",
            "replace 2",
            "log",
            "done",
            "delete",
        ];
        gateway.check(0, &expected);
        let line = &gateway.log_lines(1)[0];
        assert_eq!(line["flags"], "DC", "{line}");
        assert!(gateway.upstream.seen().is_empty());
        assert_eq!(gateway.report(0).failures_total(), 0);
    }
}

/// Those whose events have not been delivered are gone without a trace but their end.
#[test]
fn clients_that_leave_while_they_stand_in_line_cost_the_guest_their_end_only() {
    if is_oracle() {
        return;
    }
    let desk = Desk::new();
    let script = r#"(request_headers (show "in" $ctx) (drop (call $wait (ptr "held") (len "held"))) 0)
        (log (show "log" $ctx)) (delete (show "delete" $ctx))"#;
    let gateway = shared(script, &desk).start();
    let mut first = send(&gateway, GET, 1).remove(0);
    desk.until_asked(1);
    let others = send(&gateway, GET, 3);
    // They are known to the gateway.
    eventually(|| (gateway.report(0).vms == 1).then_some(()));
    std::thread::sleep(Duration::from_millis(50));
    for client in others {
        client.hang_up();
    }
    std::thread::sleep(Duration::from_millis(50));
    desk.open();
    assert_eq!(first.response().status, 200);
    let logs = gateway.logs_when(0, 9);
    assert_eq!(logs.iter().filter(|line| line.starts_with("in")).count(), 1);
    assert_eq!(
        logs.iter()
            .filter(|line| line.starts_with("delete"))
            .count(),
        4
    );
}

#[test]
fn a_trap_after_waiting_is_dealt_with_as_always() {
    if is_oracle() {
        return;
    }
    let script =
        r#"(request_headers (drop (call $wait (ptr "held") (len "held"))) (unreachable) 0)"#;
    for (policy, status) in [(OnFailure::Reload, 503), (OnFailure::Open, 200)] {
        let desk = Desk::new();
        let stage = shared(script, &desk);
        let gateway = stage.tune(|filter| filter.on_failure = policy).start();
        let mut clients = send(&gateway, GET, 3);
        desk.until_asked(1);
        std::thread::sleep(Duration::from_millis(30));
        desk.open();
        check_all(&mut clients, status);
        let report = gateway.report(0);
        assert_eq!(report.failures[FailureKind::Trap as usize], 1, "{report:?}");
    }
}

#[test]
fn a_plugin_that_trapped_after_waiting_runs_again_and_may_wait_in_its_start() {
    if is_oracle() {
        return;
    }
    let desk = Desk::new();
    let script = r#"(configure (drop (call $wait (ptr "slow") (len "slow"))) (say "configured") 1)
        (request_headers (drop (call $wait (ptr "slow") (len "slow"))) (!get 0 "x-trap") (if (i32.ne (out) 0) (then (unreachable))) (say "fine") 0)"#;
    for stage in [shared(script, &desk), alone(script, &desk)] {
        let gateway = stage.start();
        let trap = "GET /p HTTP/1.1\r\nhost: h\r\nx-trap: 1\r\n\r\n";
        assert_eq!(gateway.ask(GET).status, 200);
        assert_eq!(gateway.ask(trap).status, 503);
        assert_eq!(gateway.ask(GET).status, 200);
        assert_eq!(gateway.ask(GET).status, 200);
        gateway.until(0, "fine");
    }
    assert!(desk.counts().asked >= 2 * 5);
}

/// State in tables cannot be copied: the VM starts on the worker, which goes on meanwhile.
#[test]
fn a_plugin_whose_state_cannot_be_copied_runs_again_too() {
    if is_oracle() {
        return;
    }
    let desk = Desk::new();
    let script = r#"(table $t 1 funcref)
        (func $hide (table.set $t (i32.const 0) (ref.null func)))
        (configure (call $hide) (drop (call $wait (ptr "half") (len "half"))) 1)
        (request_headers (!get 0 "x-trap") (if (i32.ne (out) 0) (then (unreachable))) (say "fine") 0)"#;
    let gateway = shared(script, &desk).start();
    let trap = "GET /p HTTP/1.1\r\nhost: h\r\nx-trap: 1\r\n\r\n";
    assert_eq!(gateway.ask(trap).status, 503);
    // It waits for the new VM, whose guest waits for its map.
    let begun = Instant::now();
    assert_eq!(gateway.ask(GET).status, 200);
    assert!(
        begun.elapsed() > Duration::from_millis(100),
        "{:?}",
        begun.elapsed()
    );
    gateway.check(0, &["fine"]);
    assert_eq!(gateway.report(0).replacements, 1);
}

#[test]
fn a_vm_that_has_served_its_time_is_replaced_by_one_whose_start_waits() {
    if is_oracle() {
        return;
    }
    let desk = Desk::new();
    let script = r#"(configure (drop (call $wait (ptr "slow") (len "slow"))) 1)
        (request_headers (drop (call $wait (ptr "slow") (len "slow"))) (bump a) (show "count" @a) 0)"#;
    let stage = shared(script, &desk).tune(|filter| filter.recycling.requests = Some(3));
    let gateway = stage.start();
    let replaced = eventually(|| {
        let mut clients = send(&gateway, GET, 2);
        check_all(&mut clients, 200);
        (gateway.report(0).recycled >= 1).then_some(())
    });
    assert!(replaced.is_some(), "{:?}", gateway.report(0));
    let old_is_gone = eventually(|| (gateway.report(0).vms == 1).then_some(()));
    assert!(old_is_gone.is_some(), "{:?}", gateway.report(0));
    assert_eq!(gateway.report(0).failures_total(), 0);
}

#[test]
fn what_a_guest_waited_for_is_what_the_map_holds() {
    if is_oracle() {
        return;
    }
    let desk = Desk::new();
    let script = r#"(request_headers (drop (call $wait (ptr "") (len "")))
          (show "set" (call $m_set @h (ptr "slow") (len "slow") (ptr "value") (len "value"))) 0)
        (response_headers (show "get" (call $wait (ptr "slow") (len "slow")))
          (show "size" (i32.load (i32.const 59008))) (show "first" (i32.load8_u (i32.const 59100)))
          (show "none" (call $wait (ptr "half") (len "half"))) 0)"#;
    let gateway = shared(script, &desk).start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["set 0", "get 0", "size 5", "first 118", "none 44"]);
}

#[test]
fn what_a_request_left_behind_before_or_after_it_waited_is_not_there_for_the_next() {
    if is_oracle() {
        return;
    }
    let desk = Desk::new();
    let gateway = alone(
        r#"(request_headers (bump a) (i32.store (i32.const 60000) (i32.add (i32.load (i32.const 60000)) (i32.const 1)))
             (drop (call $wait (ptr "slow") (len "slow"))) (bump a) (show "count" @a) (show "memory" (i32.load (i32.const 60000)))
             (i32.store (i32.const 61000) (i32.const 7)) (show "other" (i32.load (i32.const 61004)))
             (i32.store (i32.const 61004) (i32.const 7)) 0)"#,
        &desk,
    )
    .start();
    for _ in 0..5 {
        let mut clients = send(&gateway, GET, 10);
        check_all(&mut clients, 200);
    }
    let logs = gateway.logs_when(0, 150);
    for line in &logs {
        assert!(
            ["count 2", "memory 1", "other 0"].contains(&&**line),
            "{line}"
        );
    }
    // They were used again.
    assert!(gateway.report(0).vms <= 21, "{:?}", gateway.report(0));
}

#[test]
fn time_that_a_guest_waits_is_not_running_time_and_what_it_runs_after_it_is() {
    if is_oracle() {
        return;
    }
    let desk = Desk::new();
    let short = |script: &str| {
        let stage = shared(script, &desk);
        stage.tune(|filter| filter.limits.call = Duration::from_millis(100))
    };
    let gateway =
        short(r#"(request_headers (drop (call $wait (ptr "half") (len "half"))) 0)"#).start();
    assert_eq!(gateway.ask(GET).status, 200);
    let gateway =
        short(r#"(request_headers (drop (call $wait (ptr "slow") (len "slow"))) (loop (br 0)) 0)"#)
            .start();
    assert_eq!(gateway.ask(GET).status, 503);
    let report = gateway.report(0);
    assert_eq!(
        report.failures[FailureKind::Deadline as usize],
        1,
        "{report:?}"
    );
}

#[test]
fn an_exchange_does_not_wait_longer_than_it_may() {
    if is_oracle() {
        return;
    }
    let desk = Desk::new();
    let script = r#"(request_headers (drop (call $wait (ptr "held") (len "held"))) (say "returns") (!reply 403 "d" "late" "" -1) 0)
        (response_headers (say "response") 0) (log (say "log")) (delete (say "delete"))"#;
    let idle = Duration::from_secs(1);
    let gateway = shared(script, &desk).idle(idle).start();
    let begun = Instant::now();
    let mut client = send(&gateway, GET, 1).remove(0);
    let response = client.response();
    assert_eq!(response.status, 408, "{response:?}");
    assert!(begun.elapsed() < 2 * idle, "{:?}", begun.elapsed());
    assert!(gateway.logs(0).is_empty());
    desk.open();
    gateway.check(0, &["returns", "log", "delete"]);
    assert_eq!(gateway.log_lines(1)[0]["status"], 408);
    // The connection and the filter are none the worse for it.
    client.send(OTHER);
    assert_eq!(client.response().brief(), (403, "late"));
}

#[test]
fn what_a_guest_orders_after_the_time_was_over_changes_nothing() {
    if is_oracle() {
        return;
    }
    let desk = Desk::new();
    let late = r#"(request_headers (drop (call $wait (ptr "held") (len "held"))) (!reply 403 "d" "late" "" -1) (unreachable) 0)"#;
    // The answer of the gateway is on its way through this one when the other returns.
    let slow = r#"(request_headers (say "in") 0) (response_headers (drop (call $wait (ptr "half") (len "half"))) 0)"#;
    let stage = shared(slow, &desk).filter(guest(late)).late(&desk);
    let gateway = stage.idle(Duration::from_secs(1)).start();
    let mut client = send(&gateway, GET, 1).remove(0);
    desk.until_asked(2);
    desk.open();
    assert_eq!(client.response().status, 408);
    assert_eq!(gateway.report(1).failures_total(), 1);
}

#[test]
fn events_that_wait_for_a_vm_are_limited() {
    if is_oracle() {
        return;
    }
    let desk = Desk::new();
    let script = r#"(request_headers (drop (call $wait (ptr "held") (len "held"))) 0)"#;
    let gateway = shared(script, &desk).start();
    let mut first = send(&gateway, GET, 1);
    desk.until_asked(1);
    // Each brings its context and its headers.
    let count = limits::WAITING_EVENTS_MAX / 2;
    let mut waiting = send(&gateway, OTHER, count);
    // Whoever comes now finds no place.
    let refused = eventually(|| {
        let mut client = gateway.client();
        client.send(OTHER);
        let status = gateway_status(&mut client)?;
        Some(status)
    });
    assert_eq!(refused, Some(503));
    desk.open();
    check_all(&mut first, 200);
    check_all(&mut waiting, 200);
    assert_eq!(gateway.ask(GET).status, 200);
}

/// The status of an answer that comes soon.
fn gateway_status(client: &mut Client) -> Option<u16> {
    client.patience(Duration::from_millis(200));
    let status = client.response().status;
    (status != 0).then_some(status)
}

#[test]
fn a_gateway_that_drains_waits_for_guests_that_wait() {
    if is_oracle() {
        return;
    }
    let script = r#"(request_headers (drop (call $wait (ptr "half") (len "half"))) 0) (log (drop (call $wait (ptr "half") (len "half"))) (say "log"))
        (done (show "done" $ctx) 1) (delete (show "delete" $ctx))"#;
    let desk = Desk::new();
    for stage in [shared(script, &desk), alone(script, &desk)] {
        let desk = Desk::new();
        let gateway = stage.late(&desk).start();
        let lines = gateway.lines(0);
        let mut client = send(&gateway, GET, 1).remove(0);
        desk.until_asked(1);
        // It closes its connection before the log is over.
        let answer = std::thread::spawn(move || client.response().status);
        gateway.drain();
        assert_eq!(answer.join().expect("an answer"), 200);
        let lines = crate::upstream::locked(&lines).clone();
        let last = ["log", "done 2", "delete 2"];
        assert!(
            last.iter()
                .all(|line| lines.iter().any(|known| known == line)),
            "{lines:?}"
        );
        assert!(lines.iter().any(|line| line == "done 1"), "{lines:?}");
    }
}

#[test]
fn a_gateway_does_not_wait_for_ever_for_them() {
    if is_oracle() {
        return;
    }
    let desk = Desk::new();
    let gateway = shared(
        r#"(request_headers (drop (call $wait (ptr "held") (len "held"))) 0)"#,
        &desk,
    )
    .start();
    let mut clients = send(&gateway, GET, 3);
    desk.until_asked(1);
    let begun = Instant::now();
    gateway.drain();
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    for client in &mut clients {
        assert!(client.response().was_cut);
    }
    desk.until_left();
}

#[test]
fn what_happens_to_a_root_stands_in_the_same_line() {
    if is_oracle() {
        return;
    }
    let desk = Desk::new();
    let call = r#"(!call "side" "{:method:GET;:path:/;:authority:s}" "" "" 1000)"#;
    let script = format!(
        r#"(request_headers {call} (set a $ctx) (say "asks") 1)
           (http_call_response (drop (call $wait (ptr "slow") (len "slow"))) (get 6 ":status") (!effective @a) (!continue 0) (drop (call $wait (ptr "slow") (len "slow"))) (say "answered"))
           (response_headers (say "response") 0)"#
    );
    let gateway = shared(&script, &desk).start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["asks", "get 0 200", "answered", "response"]);
}

#[test]
fn a_timer_that_waits_ticks_again_and_its_copies_learn_of_it() {
    if is_oracle() {
        return;
    }
    let desk = Desk::new();
    let script = r#"(configure (!tick_every 10) 1) (tick (drop (call $wait (ptr "slow") (len "slow"))) (bump b) (if (i32.eq @b 3) (then (say "third"))))
        (request_headers (if (i32.ge_u @b 3) (then (say "seen"))) 0)"#;
    let gateway = alone(script, &desk).start();
    gateway.until(0, "third");
    let seen = eventually(|| {
        assert_eq!(gateway.ask(GET).status, 200);
        gateway
            .logs(0)
            .iter()
            .any(|line| line == "seen")
            .then_some(())
    });
    assert!(seen.is_some());
}

#[test]
fn what_a_start_began_goes_on_when_the_guest_has_waited_for_its_end() {
    if is_oracle() {
        return;
    }
    let desk = Desk::new();
    let script = r#"(configure (!tick_every 1) (drop (call $wait (ptr "half") (len "half"))) (say "configured") 1)
        (tick (bump b) (if (i32.le_u @b 2) (then (say "tick"))))"#;
    let gateway = shared(script, &desk).start();
    gateway.check(0, &["configured", "tick", "tick"]);
}

#[test]
fn what_a_log_filter_says_after_waiting_is_in_the_access_log() {
    if is_oracle() {
        return;
    }
    let desk = Desk::new();
    let script = r#"(log (drop (call $wait (ptr "slow") (len "slow"))) (get 2 ":status") (!set_prop "tag" "late"))"#;
    let gateway = shared(script, &desk).role(Role::Log).start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["get 0 200"]);
    let line = gateway.log_lines(1)[0].to_string();
    assert!(line.contains("tag"), "{line}");
}

#[test]
fn log_calls_with_vms_of_their_own_share_none() {
    if is_oracle() {
        return;
    }
    let desk = Desk::new();
    let script = r#"(log (!get 0 "x-prompt") (if (i32.eq (out) 0) (then (drop (call $wait (ptr "slow") (len "slow")))))
        (bump a) (show "count" @a))"#;
    let gateway = alone(script, &desk).role(Role::Log).start();
    let prompt = "GET /p HTTP/1.1\r\nhost: h\r\nx-prompt: 1\r\n\r\n";
    for round in 1..4 {
        assert_eq!(gateway.ask(prompt).status, 200);
        assert_eq!(gateway.ask(prompt).status, 200);
        check_all(&mut send(&gateway, GET, 8), 200);
        let logs = gateway.logs_when(0, 10 * round);
        assert!(logs.iter().all(|line| line == "count 1"), "{logs:?}");
    }
}

#[test]
fn where_nobody_can_wait_the_gateway_does_not_start() {
    if is_oracle() {
        return;
    }
    let desk = Desk::new();
    let stage =
        shared(READ, &desk).tune(|filter| filter.isolation = Isolation::Process(Apart::default()));
    let error = stage.try_start().err().expect("an error");
    assert!(
        error.contains("a process of its own cannot be suspended"),
        "{error}"
    );
}
