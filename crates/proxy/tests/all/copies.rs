//! A VM for each request: nothing that a request does is there for the next one.

use std::collections::BTreeSet;
use std::time::Duration;

use weir_guest::FailureKind;
use weir_model::{Isolation, OnFailure, Seeding};

use crate::guest::guest;
use crate::stage::{GET, Gateway, Role, Stage, is_oracle, with};
use crate::upstream::eventually;

const TRAP: &str = "GET /p HTTP/1.1\r\nhost: h\r\nx-trap: 1\r\n\r\n";

fn alone(script: &str) -> Stage {
    with(guest(script)).tune(|filter| filter.isolation = Isolation::Request(Seeding::default()))
}

#[test]
fn what_a_request_leaves_behind_is_not_there_for_the_next() {
    if is_oracle() {
        return;
    }
    let gateway = alone(
        r#"(request_headers (bump a) (show "count" @a)
             (show "memory" (i32.load (i32.const 60000))) (i32.store (i32.const 60000) (i32.const 7))
             (show "pages" (memory.grow (i32.const 1))))"#,
    )
    .start();
    let mut pages = String::new();
    for round in 0..20 {
        assert_eq!(gateway.ask(GET).status, 200);
        let logs = gateway.logs_when(0, 3 * (round + 1));
        let last = &logs[3 * round..];
        assert_eq!(last[..2], ["count 1".to_owned(), "memory 0".to_owned()]);
        if round == 0 {
            pages.clone_from(&last[2]);
        }
        assert_eq!(last[2], pages);
    }
}

#[test]
fn a_copy_is_used_again_when_its_request_has_ended() {
    if is_oracle() {
        return;
    }
    let gateway = alone(r#"(request_headers (bump a) (show "count" @a))"#).start();
    let mut client = gateway.client();
    for _ in 0..50 {
        client.send(GET);
        assert_eq!(client.response().status, 200);
    }
    gateway.check(0, &["count 1"; 50]);
    // The one that was configured, and one or two copies.
    assert!(gateway.report(0).vms <= 3, "{:?}", gateway.report(0));
}

#[test]
fn what_a_timer_learnt_reaches_later_requests() {
    if is_oracle() {
        return;
    }
    let gateway = alone(
        r#"(configure (!tick_every 20) 1)
           (tick (bump b) (if (i32.eq @b 3) (then (show "tick" @b))))
           (request_headers (show "seen" @b) (set b 1000))"#,
    )
    .start();
    gateway.until(0, "tick 3");
    let seen = eventually(|| {
        assert_eq!(gateway.ask(GET).status, 200);
        let logs = gateway.logs(0);
        let last = logs
            .iter()
            .rev()
            .find_map(|line| line.strip_prefix("seen "))?;
        let number: u32 = last.parse().expect("a number");
        assert!(number < 1000, "a request has seen another: {logs:?}");
        (number >= 3).then_some(())
    });
    assert!(seen.is_some());
    let report = gateway.report(0);
    assert!(report.renewals > 0 && report.staleness_max > Duration::ZERO);
}

/// Each tick writes to 2 MiB: more than can be copied that often.
#[test]
fn renewals_take_a_twentieth_of_the_time_and_their_delay_is_told() {
    if is_oracle() {
        return;
    }
    let gateway = alone(
        r#"(configure (drop (memory.grow (i32.const 32))) (!tick_every 1) 1)
           (tick (bump b) (memory.fill (i32.const 131072) @b (i32.const 2097152)))
           (request_headers (show "seen" @b))"#,
    )
    .start();
    let begun = std::time::Instant::now();
    let (mut report, mut dearest) = (gateway.report(0), Duration::ZERO);
    while begun.elapsed() < Duration::from_secs(4) {
        std::thread::sleep(Duration::from_millis(10));
        let next = gateway.report(0);
        dearest = dearest.max(next.renewal.saturating_sub(report.renewal));
        report = next;
    }
    let time = begun.elapsed();
    assert!(report.renewals > 4, "{report:?}");
    // The pause after the last one, which was no dearer than the dearest, is still to come.
    assert!(
        report.renewal.saturating_sub(dearest) < time / 20,
        "{report:?}, {dearest:?}, in {time:?}"
    );
    assert!(
        report.staleness_max > Duration::from_millis(5),
        "{report:?}"
    );
    eventually(|| (gateway.report(0).staleness > Duration::ZERO).then_some(()))
        .expect("an age of what copies do not see");
}

#[test]
fn what_a_callout_of_the_root_fetched_reaches_later_requests() {
    if is_oracle() {
        return;
    }
    let gateway = alone(
        r#"(configure (!call "side" "{:method:GET;:path:/;:authority:s}" "" "" 1000) 1)
           (http_call_response (set a 5) (say "answered"))
           (request_headers (show "a" @a))"#,
    )
    .start();
    gateway.until(0, "answered");
    eventually(|| {
        gateway.ask(GET);
        let logs = gateway.logs(0);
        logs.iter().any(|line| line == "a 5").then_some(())
    })
    .expect("the answer");
}

#[test]
fn a_callout_of_a_request_returns_to_its_copy() {
    if is_oracle() {
        return;
    }
    let gateway = alone(
        r#"(request_headers (bump a) (set b $ctx)
             (!call "side" "{:method:GET;:path:/;:authority:s}" "" "" 1000) 1)
           (http_call_response (bump a) (show "a" @a) (!effective @b) (!continue 0))"#,
    )
    .start();
    let mut clients: Vec<_> = (0..5).map(|_| gateway.client()).collect();
    for client in &mut clients {
        client.send(GET);
    }
    for client in &mut clients {
        assert_eq!(client.response().status, 200);
    }
    gateway.check(0, &["a 2"; 5]);
}

#[test]
fn a_copy_lives_until_its_callouts_are_answered() {
    if is_oracle() {
        return;
    }
    let gateway = alone(
        r#"(request_headers (!call "side" "{:method:GET;:path:/;:authority:s}" "" "" 1000))
           (done (say "done") 1)
           (http_call_response (say "answered"))"#,
    )
    .start();
    for _ in 0..3 {
        assert_eq!(gateway.ask(GET).status, 200);
    }
    eventually(|| {
        let logs = gateway.logs(0);
        let answered = logs.iter().filter(|line| *line == "answered").count();
        (answered == 3).then_some(())
    })
    .expect("three answers");
}

#[test]
fn a_trap_is_one_requests_own() {
    if is_oracle() {
        return;
    }
    for policy in [OnFailure::Reload, OnFailure::Closed, OnFailure::Open] {
        let gateway = alone(
            r#"(request_headers (!get 0 "x-trap") (if (i32.ne (out) 0) (then (unreachable)))
                 (!get 0 "x-wait") (if (i32.ne (out) 0) (then
                   (set b $ctx) (say "waits")
                   (!call "side" "{:method:GET;:path:/;:authority:s}" "" "" 1000) (return (i32.const 1))))
                 (say "passes"))
               (http_call_response (!effective @b) (!continue 0))"#,
        )
        .tune(|filter| filter.on_failure = policy)
        .start();
        let mut waiting = gateway.client();
        waiting.send("GET /p HTTP/1.1\r\nhost: h\r\nx-wait: 1\r\n\r\n");
        gateway.until(0, "waits");
        for _ in 0..20 {
            let met = if policy == OnFailure::Open { 200 } else { 503 };
            assert_eq!(gateway.ask(TRAP).status, met, "{policy:?}");
            assert_eq!(gateway.ask(GET).status, 200, "{policy:?}");
        }
        assert_eq!(waiting.response().status, 200);
        let report = gateway.report(0);
        assert_eq!(report.failures[FailureKind::Trap as usize], 20);
        assert_eq!((report.failures_total(), report.refused), (20, 0));
    }
}

#[test]
fn a_root_that_fails_takes_no_request_along() {
    if is_oracle() {
        return;
    }
    let gateway = alone(
        r#"(configure (!tick_every 10) 1)
           (tick (bump b) (if (i32.eq @b 2) (then (unreachable))))
           (request_headers (say "passes"))"#,
    )
    .tune(|filter| filter.on_failure = OnFailure::Closed)
    .start();
    eventually(|| (gateway.report(0).failures_total() == 1).then_some(())).expect("a failure");
    for _ in 0..5 {
        assert_eq!(gateway.ask(GET).status, 200);
    }
}

#[test]
fn no_more_copies_live_than_may() {
    if is_oracle() {
        return;
    }
    for (policy, met) in [(OnFailure::Reload, 503), (OnFailure::Open, 200)] {
        let gateway = alone(r#"(request_headers (!get 0 "x-wait") (if (i32.eqz (out)) (then (return (i32.const 0)))) (say "waits") 1)"#)
            .tune(|filter| {
                filter.on_failure = policy;
                filter.limits.instances = 2;
            })
            .start();
        let mut waiting: Vec<_> = (0..2).map(|_| gateway.client()).collect();
        for client in &mut waiting {
            client.send("GET /p HTTP/1.1\r\nhost: h\r\nx-wait: 1\r\n\r\n");
        }
        gateway.logs_when(0, 2);
        assert_eq!(gateway.ask(GET).status, met);
        assert_eq!(gateway.report(0).exhausted, 1);
        drop(waiting);
        eventually(|| {
            let before = gateway.report(0).exhausted;
            let response = gateway.ask(GET);
            (response.status == 200 && gateway.report(0).exhausted == before).then_some(())
        })
        .expect("a free copy");
    }
}

#[test]
fn queues_belong_to_the_root() {
    if is_oracle() {
        return;
    }
    let gateway = alone(
        r#"(request_headers (!register "q") (set c (out)) (!enqueue @c "item"))
           (queue_ready (bump a) (show "item" @a))"#,
    )
    .start();
    gateway.ask(GET);
    gateway.until(0, "item 1");
    gateway.ask(GET);
    gateway.until(0, "item 2");
}

#[test]
fn access_log_plugins_have_a_copy_for_each_exchange() {
    if is_oracle() {
        return;
    }
    let gateway = alone(r#"(log (bump a) (show "log" @a))"#)
        .role(Role::Log)
        .start();
    for _ in 0..3 {
        assert_eq!(gateway.ask(GET).status, 200);
    }
    gateway.check(0, &["log 1"; 3]);
}

#[test]
fn a_module_that_can_hide_state_is_refused_by_reason() {
    if is_oracle() {
        return;
    }
    let script =
        "(table $t 2 funcref) (request_headers (table.set $t (i32.const 0) (ref.null func)))";
    let error = alone(script).try_start().err().expect("a refusal");
    assert!(
        error.contains("isolation request") && error.contains("table.set"),
        "{error}"
    );
    assert!(with(guest(script)).try_start().is_ok());
}

/// What requests have told of the random number of their VM's start.
fn seeds(gateway: &Gateway) -> BTreeSet<String> {
    let mut lines = gateway.logs(0);
    lines.retain(|line| line.starts_with("seed "));
    lines.into_iter().collect()
}

#[test]
fn random_numbers_of_the_start_are_not_the_same_for_ever() {
    if is_oracle() {
        return;
    }
    let script = |more: &str| {
        format!(
            r#"(configure (wasi random_get 136 8) (set d (i32.load 136)) {more} 1)
               (request_headers (show "seed" @d))"#
        )
    };
    let gateway = alone(&script("")).start();
    eventually(|| {
        gateway.ask(GET);
        (seeds(&gateway).len() > 2).then_some(())
    })
    .expect("several seeds");
    // With one image, which is of another start every other second: more than two in all.
    let gateway = alone(&script(""))
        .tune(|filter| {
            filter.isolation = Isolation::Request(Seeding {
                images: 1,
                renewal: Duration::from_secs(1),
            });
        })
        .start();
    eventually(|| {
        gateway.ask(GET);
        (seeds(&gateway).len() > 2).then_some(())
    })
    .expect("a new start again and again");
    // A plugin whose state changes between requests has one image: that of the VM that changes.
    let gateway = alone(&script("(!tick_every 100000)")).start();
    for _ in 0..30 {
        gateway.ask(GET);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(seeds(&gateway).len(), 1);
}
