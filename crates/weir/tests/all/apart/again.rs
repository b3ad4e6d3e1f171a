//! Requests whose process dies while they wait in it: those that left nothing there begin again in
//! the next one, the others get 503.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tempfile::TempDir;

use super::{children_of, failures, kill, only_child};
use crate::harness::{Gateway, Seen, Upstream, Wire, until};

/// A gateway with one filter in a process, which serves one worker.
struct Held {
    gateway: Gateway,
    seen: Seen,
    _upstream: Upstream,
    _folder: TempDir,
}

/// Holds a request until its body has ended. `BEFORE` stands for what it does before.
const HOLD: &str = r#"(request_headers (add 0 "x-seen" "once") BEFORE (say "held") 1)
    (request_body (if $end (then (return (i32.const 0)))) 1)"#;

fn start(script: &str, action: &str, keys: &str) -> Held {
    let folder = TempDir::new().expect("a folder can be made");
    let file = folder.path().join("one.wasm");
    let code = weir_conformance::guest("0.2.1", script);
    let code = code.unwrap_or_else(|flaw| panic!("{flaw}\n{script}"));
    fs::write(&file, code).expect("the folder can be written");
    let (upstream, seen) = Upstream::echoing();
    let (address, file) = (upstream.address, file.display());
    let gateway = Gateway::start(&format!(
        "workers: 1\nlisteners:\n  - address: 127.0.0.1:0\n    routes:\n      - {{ filters: [one], {action} }}\n\
         clusters:\n  up: {{ endpoints: [\"{address}\"], ejection: off }}\n\
         modules:\n  m: {{ file: {file} }}\n\
         filters:\n  one:\n    module: m\n    isolation: process\n    allow_on_headers_stop_iteration: true\n    \
         on_failure: {{ policy: reload, breaker: {{ failures: 1000 }} }}\n    {keys}\n"
    ));
    Held {
        gateway,
        seen,
        _upstream: upstream,
        _folder: folder,
    }
}

impl Held {
    fn said(&self, what: &str) -> usize {
        let log = self.gateway.log();
        log.matches(&format!(" wasm: {what} plugin=")).count()
    }

    /// Requests that the filter holds, with one half of their bodies.
    fn requests(&self, count: usize) -> Vec<Wire> {
        let before = self.said("held");
        let head = "POST /p HTTP/1.1\r\nhost: h\r\ncontent-length: 6\r\n\r\nabc";
        let wires = (0..count).map(|_| {
            let mut wire = self.gateway.connect();
            wire.send(head);
            wire
        });
        let wires: Vec<Wire> = wires.collect();
        until("they are held", || self.said("held") == before + count);
        wires
    }

    fn count(&self, name: &str) -> u64 {
        let stats = self.gateway.stats();
        stats["filters"][0][name].as_u64().expect("a number")
    }
}

#[test]
fn requests_that_left_nothing_begin_again() {
    let held = start(&HOLD.replace("BEFORE", ""), "forward: up", "");
    let mut wires = held.requests(8);
    for kills in 1..=2 {
        kill(only_child(&held.gateway));
        until("all have begun again", || {
            held.said("held") as u64 == 8 * (kills + 1)
        });
        assert_eq!(held.count("restarted"), 8 * kills);
        assert_eq!(failures(&held.gateway, "process"), kills);
    }
    for wire in &mut wires {
        wire.send("def");
        let answer = wire.response();
        assert_eq!((answer.status(), answer.text()), (200, "abcdef".to_owned()));
    }
    for request in held.seen.take() {
        let seen = request.headers.iter().filter(|(name, _)| name == "x-seen");
        assert_eq!(seen.count(), 1, "{request:?}");
    }
    assert_eq!(held.said("held"), 24);
    assert_eq!(held.count("refused"), 0);
    drop(wires);
    held.gateway.end();
}

/// What a filter does before it holds a request, and whether the request can begin again.
#[track_caller]
fn check(before: &str, action: &str, again: bool) {
    let script = HOLD.replace("BEFORE", before);
    let held = start(&script, action, "environment: { A: b }");
    let mut wires = held.requests(3);
    kill(only_child(&held.gateway));
    if again {
        until("all have begun again", || held.said("held") == 6);
    }
    for wire in &mut wires {
        if again {
            wire.send("def");
        }
        let expected = if again { 200 } else { 503 };
        assert_eq!(wire.response().status(), expected, "{before}");
    }
    assert_eq!(
        held.count("restarted"),
        if again { 3 } else { 0 },
        "{before}"
    );
    drop(wires);
    held.gateway.end();
}

#[test]
fn what_only_looks_logs_and_counts_begins_again() {
    check(
        r#"(!get 0 ":path") (!pairs 0) (!prop "source\00address") (!now) (!get_shared "k")
        (replace 0 "x-seen" "twice") (!remove 0 "host") (!define 0 "n") (!increment (out) 1)
        (clear_route) (wasi random_get 64 8) (wasi environ_sizes_get 64 72)
        (call "nowhere" "{:method:GET;:path:/c;:authority:s}" "" "" 1000)"#,
        "echo: true",
        true,
    );
}

#[test]
fn what_others_may_have_seen_is_not_done_twice() {
    for before in [
        r#"(!call "up" "{:method:GET;:path:/c;:authority:s}" "" "" 1000)"#,
        r#"(!grpc_call "up" "s" "m" "" "" 1000)"#,
        r#"(!set_shared "k" "v" 0)"#,
        r#"(!register "q")"#,
        r#"(!set_prop "a" "b")"#,
        r#"(!foreign "compress" "x")"#,
    ] {
        check(before, "echo: true", false);
    }
}

/// Its head has gone on, and the upstream knows of it.
#[test]
fn what_was_sent_upstream_is_not_sent_twice() {
    let script = r#"(request_headers (say "held") 0)"#;
    let held = start(script, "forward: up", "");
    let mut wires = held.requests(3);
    kill(only_child(&held.gateway));
    for wire in &mut wires {
        assert_eq!(wire.response().status(), 503);
    }
    assert_eq!(held.count("restarted"), 0);
    drop(wires);
    held.gateway.finish();
}

/// It begins again, but not for ever.
#[test]
fn a_request_that_loses_every_process_fails() {
    let held = start(&HOLD.replace("BEFORE", ""), "echo: true", "");
    let mut wires = held.requests(1);
    for kills in 1..=3 {
        kill(only_child(&held.gateway));
        until("it has begun again", || {
            held.said("held") as u64 == kills + 1
        });
    }
    kill(only_child(&held.gateway));
    assert_eq!(wires[0].response().status(), 503);
    assert_eq!(held.count("restarted"), 3);
    drop(wires);
    held.gateway.end();
}

/// Whoever loses its VM to a trap has itself to blame, and nobody else notices.
#[test]
fn a_trap_in_a_process_fails_its_request_only() {
    let script =
        r#"(request_headers (say "held") 1) (request_body (if $end (then (unreachable))) 1)"#;
    let held = start(script, "echo: true", "");
    let mut wires = held.requests(3);
    let id = only_child(&held.gateway);
    wires[1].send("def");
    assert_eq!(wires[1].response().status(), 503);
    assert_eq!(
        (only_child(&held.gateway), held.count("restarted")),
        (id, 0)
    );
    drop(wires);
    held.gateway.finish();
}

const KILLS: u64 = 5;

#[test]
fn a_killed_process_fails_one_request_under_load() {
    let held = start(&HOLD.replace("BEFORE", ""), "echo: true", "");
    let is_over = Arc::new(AtomicBool::new(false));
    let served = Arc::new(AtomicU64::new(0));
    let client = |_| {
        let (address, is_over) = (held.gateway.address(), Arc::clone(&is_over));
        let served = Arc::clone(&served);
        std::thread::spawn(move || {
            let mut bad = 0;
            let mut wire = Wire::connect(address);
            while !is_over.load(Ordering::Relaxed) {
                wire.send("POST /p HTTP/1.1\r\nhost: h\r\ncontent-length: 6\r\n\r\nabc");
                std::thread::sleep(std::time::Duration::from_millis(1));
                // It may have been refused already.
                let _ = wire.try_send("def");
                match wire.response().status() {
                    200 => drop(served.fetch_add(1, Ordering::Relaxed)),
                    503 => {
                        bad += 1;
                        wire = Wire::connect(address);
                    }
                    other => panic!("{other}"),
                }
            }
            bad
        })
    };
    let clients: Vec<_> = (0..6).map(client).collect();
    for kills in 1..=KILLS {
        let before = served.load(Ordering::Relaxed);
        until("it serves", || served.load(Ordering::Relaxed) > before + 50);
        kill(only_child(&held.gateway));
        until("the end is counted", || {
            failures(&held.gateway, "process") >= kills
        });
        until("another one runs", || {
            children_of(held.gateway.id()).len() == 1
        });
    }
    is_over.store(true, Ordering::Relaxed);
    let bad: u64 = clients
        .into_iter()
        .map(|client| client.join().expect("no panic"))
        .sum();
    let (served, again) = (served.load(Ordering::Relaxed), held.count("restarted"));
    // One worker delivers one event at a time: at most one request runs when a process is killed.
    assert!(
        bad <= KILLS && again > 0,
        "{served} served, {bad} failed, {again} began again"
    );
    assert_eq!(failures(&held.gateway, "process"), KILLS);
    held.gateway.end();
}
