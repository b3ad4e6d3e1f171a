//! Filters in processes of their own: the same work, and failures that stay there.

mod again;
mod grants;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::{Gateway, Upstream, get, site, until};

const ALL: &str = "      - { filters: [probe], forward: up }";
const INSIDE: [&str; 2] = ["plugin", "request"];

/// A gateway with one worker and a probe in a process.
fn with_apart(upstream: &Upstream, inside: &str, script: &str, more: &str) -> Gateway {
    let script = script.replace('\n', " ");
    let isolation = format!("isolation: {{ process: {{ inside: {inside} }} }}");
    let filter = format!(
        "filters:\n  probe: {{ module: probe, configuration: {script}, {isolation}{more} }}\n"
    );
    Gateway::start(&site(upstream.address, ALL, &filter).replace("workers: 2", "workers: 1"))
}

/// Processes whose parent is this one, with the letter of their state.
fn children_of(parent: u32) -> Vec<(u32, String)> {
    let folders = fs::read_dir("/proc").expect("Linux").flatten();
    let numbers = folders.filter_map(|folder| folder.file_name().to_str()?.parse::<u32>().ok());
    let child = |id: u32| {
        let status = fs::read_to_string(Path::new("/proc").join(id.to_string()).join("status"));
        let status = status.ok()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            Some(line?.trim().to_owned())
        };
        (field("PPid:")? == parent.to_string()).then(|| Some((id, field("State:")?)))?
    };
    numbers.filter_map(child).collect()
}

/// The only child, which must run.
fn only_child(gateway: &Gateway) -> u32 {
    let children = children_of(gateway.id());
    let [(id, state)] = &children[..] else {
        panic!("not one process: {children:?}");
    };
    assert!(!state.starts_with('Z'), "{state}");
    *id
}

fn kill(id: u32) {
    let status = std::process::Command::new("kill")
        .args(["-KILL", &id.to_string()])
        .status();
    assert!(status.expect("kill can be run").success());
}

fn failures(gateway: &Gateway, kind: &str) -> u64 {
    let stats = gateway.stats();
    stats["filters"][0]["failures_by_kind"][kind]
        .as_u64()
        .unwrap_or(0)
}

#[test]
fn a_filter_in_a_process_does_the_usual_things() {
    INSIDE.into_iter().for_each(check_usual_things);
}

fn check_usual_things(inside: &str) {
    let (upstream, seen) = Upstream::echoing();
    let script = r#"{
        "request_headers": [
            { "add": ["request", "x-path", "{request::path}"] },
            { "share": ["k", "{request::path}"] },
            { "property": ["of.mine", "kept"] },
            { "increment": ["counter", "of_probe", 1] },
            { "log": "{env:ZONE} at {property:request.path}" }
        ],
        "request_body": ["await_end", { "append": "-more" }],
        "response_headers": [
            { "add": ["response", "x-shared", "{shared:k}"] },
            { "remove": ["response", "content-length"] }
        ],
        "response_body": [{ "prepend": "less-" }]
    }"#;
    let gateway = with_apart(&upstream, inside, script, ", environment: { ZONE: here }");
    let answer = gateway.ask(
        "POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    );
    assert_eq!(answer.text(), "less-abc-more");
    assert_eq!(answer.header("x-shared"), Some("/a"));
    assert_eq!(seen.last().header("x-path"), Some("/a"));
    assert_eq!(gateway.access("/a")["properties"]["of.mine"], "kept");
    gateway.logged("here at /a");
    let walls = &gateway.stats()["filters"][0]["walls"];
    assert_eq!(walls["system calls (seccomp)"], true, "{walls}");
    only_child(&gateway);
    gateway.end();
}

#[test]
fn callouts_and_timers_reach_a_filter_in_a_process() {
    INSIDE.into_iter().for_each(check_callouts);
}

fn check_callouts(inside: &str) {
    let (upstream, seen) = Upstream::echoing();
    let script = r#"{
        "configure": [{ "tick": 20 }],
        "tick": [{ "log": "ticked" }, { "tick": 0 }],
        "request_headers": [
            { "call": { "cluster": "up", "headers": [[":method", "POST"], [":path", "/sub"],
                [":authority", "a"]], "body": "asked" } },
            "pause"
        ],
        "call_response": [{ "add": ["request", "x-answer", "{call_body}"] }, "resume"]
    }"#;
    let gateway = with_apart(&upstream, inside, script, "");
    assert_eq!(gateway.get("/", "").status(), 200);
    assert_eq!(seen.last().header("x-answer"), Some("asked"));
    gateway.logged("ticked");
    gateway.end();
}

/// Every tick makes a new image: the one before, and with it its file, is forgotten in the process,
/// which once was a system call too many.
#[test]
fn images_are_renewed_in_a_process() {
    let (upstream, _) = Upstream::echoing();
    let script = r#"{
        "configure": [{ "tick": 10 }],
        "tick": [{ "log": "ticked" }]
    }"#;
    let gateway = with_apart(&upstream, "request", script, "");
    let id = only_child(&gateway);
    let renewals = || gateway.stats()["filters"][0]["snapshots"].as_u64();
    until("images are renewed", || {
        renewals().is_some_and(|count| count > 5)
    });
    assert_eq!(gateway.get("/", "").status(), 200);
    assert_eq!(only_child(&gateway), id, "it is the same process");
    assert_eq!(gateway.stats()["filters"][0]["failures"], 0);
    gateway.end();
}

#[test]
fn a_trap_costs_one_request_and_no_process_is_left_over() {
    INSIDE.into_iter().for_each(check_trap);
}

fn check_trap(inside: &str) {
    let (upstream, _) = Upstream::echoing();
    let script = r#"{ "request_headers": [
        { "if": { "value": "{request::path}", "is": "/bad", "then": [{ "panic": "on purpose" }] } }
    ] }"#;
    let gateway = with_apart(&upstream, inside, script, "");
    let first = only_child(&gateway);
    for _ in 0..3 {
        assert_eq!(gateway.get("/bad", "").status(), 503);
        assert_eq!(gateway.get("/good", "").status(), 200);
    }
    assert_eq!(failures(&gateway, "trap"), 3);
    until("the old processes are gone", || {
        children_of(gateway.id()).len() == 1
    });
    // A copy that traps is dropped; the process goes on, with the others.
    assert_eq!(only_child(&gateway) == first, inside == "request");
    gateway.end();
}

#[test]
fn an_endless_loop_and_a_memory_bomb_stay_in_the_process() {
    INSIDE.into_iter().for_each(check_limits);
}

fn check_limits(inside: &str) {
    let (upstream, _) = Upstream::echoing();
    let script = r#"{ "request_headers": [
        { "if": { "value": "{request::path}", "is": "/loop", "then": ["loop"] } },
        { "if": { "value": "{request::path}", "is": "/hog", "then": [{ "hog": 1000 }] } }
    ] }"#;
    let gateway = with_apart(
        &upstream,
        inside,
        script,
        ", limits: { memory: 32MiB, time: 100ms }",
    );
    assert_eq!(gateway.get("/loop", "").status(), 503);
    assert_eq!(failures(&gateway, "deadline"), 1);
    assert_eq!(gateway.get("/hog", "").status(), 503);
    assert_eq!(gateway.get("/good", "").status(), 200);
    gateway.end();
}

#[test]
fn a_process_takes_its_memory_from_the_filters() {
    let (upstream, _) = Upstream::echoing();
    let script = r#"{ "request_headers": [
        { "if": { "value": "{request::path}", "is": "/hog", "then": [{ "hog": 1000 }] } }
    ] }"#;
    let limits = ", limits: { memory: 1GiB, total_memory: 16MiB }";
    let gateway = with_apart(&upstream, "request", script, limits);
    let taken = || gateway.stats()["filters"][0]["total_memory_bytes"].as_u64();
    assert!(taken() > Some(0), "{:?}", taken());
    assert_eq!(gateway.get("/hog", "").status(), 503);
    gateway.logged("limits.total_memory: 16MiB");
    assert!(taken() <= Some(16 << 20), "{:?}", taken());
    assert_eq!(gateway.get("/good", "").status(), 200);
    gateway.end();
}

#[test]
fn a_killed_process_is_replaced_under_load() {
    INSIDE.into_iter().for_each(check_kill_under_load);
}

fn check_kill_under_load(inside: &str) {
    let (upstream, _) = Upstream::echoing();
    let gateway = with_apart(&upstream, inside, r#"{ "request_headers": [] }"#, "");
    let is_over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (address, is_over) = (gateway.address(), Arc::clone(&is_over));
            std::thread::spawn(move || {
                let (mut good, mut bad) = (0, 0);
                let mut wire = crate::harness::Wire::connect(address);
                while !is_over.load(Ordering::Relaxed) {
                    wire.send(get("/", ""));
                    match wire.response().status() {
                        200 => good += 1,
                        503 => bad += 1,
                        other => panic!("{other}"),
                    }
                }
                (good, bad)
            })
        })
        .collect();
    for kills in 1..=3 {
        kill(only_child(&gateway));
        until("the end is counted", || {
            failures(&gateway, "process") >= kills
        });
        until("another one runs", || children_of(gateway.id()).len() == 1);
        until("it serves", || gateway.get("/", "").status() == 200);
    }
    is_over.store(true, Ordering::Relaxed);
    let counts = clients
        .into_iter()
        .map(|client| client.join().expect("no panic"));
    let (good, bad) = counts.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    // Whoever was inside when it was killed, at most: one for each client and kill.
    assert!(good > 0 && bad <= 12, "{good} good, {bad} bad");
    gateway.end();
}

#[test]
fn a_process_that_is_killed_while_idle_costs_no_request() {
    INSIDE.into_iter().for_each(check_kill_while_idle);
}

fn check_kill_while_idle(inside: &str) {
    let (upstream, _) = Upstream::echoing();
    let gateway = with_apart(&upstream, inside, r#"{ "request_headers": [] }"#, "");
    let first = only_child(&gateway);
    kill(first);
    until("another one runs", || {
        let children = children_of(gateway.id());
        matches!(&children[..], [(id, _)] if *id != first)
    });
    assert_eq!(gateway.get("/", "").status(), 200);
    assert_eq!(failures(&gateway, "process"), 1);
    gateway.end();
}

#[test]
fn a_drain_ends_processes_after_their_requests() {
    let (upstream, _) = Upstream::echoing();
    let mut gateway = with_apart(&upstream, "request", r#"{ "request_headers": [] }"#, "");
    assert_eq!(gateway.get("/", "").status(), 200);
    let id = only_child(&gateway);
    gateway.signal("TERM");
    assert_eq!(gateway.exit().code(), Some(0));
    until("the process is gone", || {
        !Path::new(&format!("/proc/{id}")).exists()
    });
}

#[test]
fn a_gateway_that_is_killed_leaves_no_process() {
    let (upstream, _) = Upstream::echoing();
    let mut gateway = with_apart(&upstream, "request", r#"{ "request_headers": [] }"#, "");
    let id = only_child(&gateway);
    gateway.signal("KILL");
    gateway.exit();
    until("the process is gone", || {
        !Path::new(&format!("/proc/{id}")).exists()
    });
}

#[test]
fn the_command_of_plugins_is_not_for_people() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_weir"))
        .arg("plugin")
        .stdin(std::process::Stdio::null())
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("isolation: process"), "{text}");
}
