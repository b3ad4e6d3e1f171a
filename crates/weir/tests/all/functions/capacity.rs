//! Turns, the queue, and what is left when a burst is over.

use std::thread;
use std::time::{Duration, Instant};

use super::{Gateway, MOMENT, gateway, none_is_left, number, site};
use crate::harness::{get, until};

#[test]
fn as_many_run_as_may_others_wait_and_the_rest_is_sent_away() {
    let limits = "instances: 2, queue: 2, queue_timeout: 400ms, timeout: 1m";
    let gateway = gateway(&format!("kind: http, limits: {{ {limits} }}"));
    let begin = |path: &str| {
        let mut client = gateway.connect();
        client.send(get(path, ""));
        client
    };
    let mut running = [begin("/sleep?1500"), begin("/sleep?1500")];
    until("two run", || number(&gateway, "running") == 2);
    let mut waiting = [begin("/late"), begin("/late")];
    until("two wait", || number(&gateway, "waiting") == 2);
    let refused = gateway.get("/refused", "");
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.header("retry-after"), Some("1"));
    let line = gateway.access("/refused");
    assert_eq!(
        (&line["details"], &line["flags"]),
        (&"function_no_capacity".into(), &"UO".into())
    );
    for client in &mut waiting {
        let late = client.response();
        assert_eq!(
            (late.status(), late.header("retry-after")),
            (503, Some("1"))
        );
    }
    assert_eq!(
        gateway.access("/late")["details"],
        "function_queue_deadline"
    );
    assert_eq!(number(&gateway, "running"), 2);
    for client in &mut running {
        assert_eq!(client.response().text(), "awake");
    }
    drop((running, waiting));
    none_is_left(&gateway);
    gateway.end();
}

#[test]
fn who_waits_gets_the_turn_of_who_ends() {
    let gateway = gateway("kind: http, limits: { instances: 1, queue: 10, queue_timeout: 1m }");
    thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| assert_eq!(gateway.get("/sleep?50", "").text(), "awake"));
        }
    });
    none_is_left(&gateway);
    gateway.end();
}

#[test]
fn who_leaves_the_queue_gives_its_place_up() {
    let gateway = gateway("kind: http, limits: { instances: 1, queue: 1, queue_timeout: 1m }");
    let mut running = gateway.connect();
    running.send(get("/sleep?100000", ""));
    until("one runs", || number(&gateway, "running") == 1);
    let mut waiting = gateway.connect();
    waiting.send(get("/", ""));
    until("one waits", || number(&gateway, "waiting") == 1);
    drop(waiting);
    until("none waits", || number(&gateway, "waiting") == 0);
    drop(running);
    assert_eq!(gateway.get("/", "").status(), 200);
    none_is_left(&gateway);
    gateway.end();
}

#[test]
fn the_gateways_cap_holds() {
    let gateway = Gateway::start(&site(
        "kind: http, limits: { queue: 0, timeout: 1m }",
        "function_instances: 1",
    ));
    let mut running = gateway.connect();
    running.send(get("/sleep?100000", ""));
    until("one runs", || number(&gateway, "running") == 1);
    assert_eq!(gateway.get("/", "").status(), 503);
    let told = gateway.logged("function_instances: 1");
    assert!(told.contains("no_capacity"), "{told}");
    drop(running);
    none_is_left(&gateway);
    gateway.end();
}

/// More at once than run and wait together: each has an answer, and in time.
#[test]
fn a_burst_loses_nobody() {
    const CLIENTS: usize = 300;
    let limits = "instances: 20, queue: 100, queue_timeout: 500ms";
    let gateway = gateway(&format!("kind: http, limits: {{ {limits} }}"));
    let ask = |_| {
        let begun = Instant::now();
        let status = gateway.get("/sleep?20", "").status();
        (status, begun.elapsed())
    };
    let answers: Vec<(u16, Duration)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..CLIENTS)
            .map(|one| scope.spawn(move || ask(one)))
            .collect();
        let answers = threads
            .into_iter()
            .map(|thread| thread.join().expect("it only asks"));
        answers.collect()
    });
    let fine = answers.iter().filter(|(status, _)| *status == 200).count();
    let busy = answers.iter().filter(|(status, _)| *status == 503).count();
    assert_eq!(fine + busy, CLIENTS, "{answers:?}");
    assert!(fine >= 20, "{fine} of {CLIENTS}");
    none_is_left(&gateway);
    let resident = gateway.resident_kib();
    thread::sleep(MOMENT);
    assert!(
        gateway.resident_kib() <= resident + 1024,
        "it grows while nothing is done"
    );
    gateway.end();
}
