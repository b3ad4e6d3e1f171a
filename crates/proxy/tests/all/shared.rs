//! Timers, shared data and queues: statements 249 to 264.

use crate::guest::guest;
use crate::stage::{GET, Role, Stage, is_oracle, with};

#[test]
fn s249_s250_ticks_repeat_until_stopped() {
    if is_oracle() {
        // Its main thread has a VM of its own that logs, too.
        return;
    }
    let gateway = with(guest(
        r#"(configure (!tick_every 20) 1) (tick (bump a) (show "tick" @a) (if (i32.eq @a 3) (then (tick_every 0) (set b 1))))
           (request_headers (show "after" @a))"#,
    ))
    .start();
    gateway.until(0, "tick_every 0");
    std::thread::sleep(std::time::Duration::from_millis(80));
    gateway.ask(GET);
    gateway.until(0, "after 3");
    gateway.check(
        0,
        &["tick 1", "tick 2", "tick 3", "tick_every 0", "after 3"],
    );
}

#[test]
fn s253_to_s256_s259_shared_data() {
    let gateway = with(guest(
        r#"(request_headers (get_shared "k") (set_shared "k" "v" 0) (get_shared "k") (set a (version)) (show "set" (i32.ne @a 0))
             (set_shared "k" "w" @a) (get_shared "k") (set_shared "k" "x" @a) (get_shared "k") (set_shared "k" "y" 0) (get_shared "k")
             (set_shared "new" "z" 77) (get_shared "new") (set_shared "k" "" 0) (get_shared "k"))"#,
    ))
    .start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(
        0,
        &[
            "get_shared 1",
            "set_shared 0",
            "get_shared 0 v",
            "set 1",
            "set_shared 0",
            "get_shared 0 w",
            "set_shared 8",
            "get_shared 0 w",
            "set_shared 0",
            "get_shared 0 y",
            "set_shared 0",
            "get_shared 0 z",
            "set_shared 0",
            "get_shared 0 -",
        ],
    );
}

#[test]
fn s257_data_is_shared_by_vm_id() {
    let read = || guest(r#"(request_headers (get_shared "k"))"#);
    let gateway = Stage::new()
        .filter(guest(r#"(configure (!set_shared "k" "v" 0) 1)"#))
        .tune(|filter| filter.vm_id = "one-257".into())
        .filter(read())
        .tune(|filter| filter.vm_id = "one-257".into())
        .filter(read())
        .tune(|filter| filter.vm_id = "two-257".into())
        .workers(2)
        .start();
    gateway.ask(GET);
    gateway.check(1, &["get_shared 0 v"]);
    gateway.check(2, &["get_shared 1"]);
}

#[test]
fn s260_to_s263_queues() {
    let gateway = with(guest(
        r#"(request_headers (register "q") (set a (out)) (register "q") (show "same" (i32.eq @a (out)))
             (resolve "" "q") (show "same" (i32.eq @a (out))) (resolve "nosuch" "q") (resolve "" "nosuch")
             (dequeue @a) (enqueue @a "1") (enqueue @a "") (enqueue @a "3") (register "q")
             (dequeue @a) (dequeue @a) (dequeue @a) (dequeue @a) (enqueue 999999 "x") (dequeue 999999))"#,
    ))
    .start();
    assert_eq!(gateway.ask(GET).status, 200);
    let logs: Vec<String> = gateway
        .logs_when(0, 18)
        .into_iter()
        .map(|line| {
            if line.starts_with("register 0") || line.starts_with("resolve 0") {
                line.split(' ').take(2).collect::<Vec<_>>().join(" ")
            } else {
                line
            }
        })
        .collect();
    assert_eq!(
        logs,
        [
            "register 0",
            "register 0",
            "same 1",
            "resolve 0",
            "same 1",
            "resolve 1",
            "resolve 1",
            "dequeue 7",
            "enqueue 0",
            "enqueue 0",
            "enqueue 0",
            "register 0",
            "dequeue 0 1",
            "dequeue 0 -",
            "dequeue 0 3",
            "dequeue 7",
            "enqueue 1",
            "dequeue 1",
        ]
    );
}

#[test]
fn s263_s264_the_last_registrant_is_told() {
    let gateway = Stage::new()
        .filter(guest(
            r#"(configure (!register "q") 1) (queue_ready (show "ready" $ctx) (dequeue $token))"#,
        ))
        .tune(|filter| filter.vm_id = "q-264".into())
        .role(Role::Background)
        .filter(guest(
            r#"(request_headers (!resolve "q-264" "q") (set a (out)) (enqueue @a "one") (enqueue @a "two") (say "after"))"#,
        ))
        .workers(2)
        .start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(1, &["enqueue 0", "enqueue 0", "after"]);
    gateway.check(0, &["ready 1", "dequeue 0 one", "ready 1", "dequeue 0 two"]);
}

#[test]
fn s264_a_notice_never_comes_within_the_enqueue() {
    let gateway = with(guest(
        r#"(configure (!register "q") (set a (out)) 1)
           (request_headers (enqueue @a "one") (say "after"))
           (queue_ready (say "ready"))"#,
    ))
    .start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["enqueue 0", "after", "ready"]);
}

#[test]
fn s258_data_ends_with_the_last_vm_of_its_id() {
    if is_oracle() {
        return;
    }
    let script = r#"(request_headers (get_shared "k") (set_shared "k" "v" 0))"#;
    let once = || {
        let gateway = with(guest(script))
            .tune(|filter| filter.vm_id = "one-258".into())
            .start();
        gateway.ask(GET);
        gateway.check(0, &["get_shared 1", "set_shared 0"]);
    };
    once();
    once();
}
