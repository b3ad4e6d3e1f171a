//! What a plugin makes the gateway say fills no disk: each thing once a second, with the filter's
//! name and how often it was not said.

use std::time::Instant;

use crate::harness::{Gateway, Upstream, site, until};

/// Puts three items into its queue for each that it is told of, and sends Redis two thousand
/// commands for each request that are none.
const LOUD: &str = r#"(module
    (import "env" "proxy_register_shared_queue" (func $register (param i32 i32 i32) (result i32)))
    (import "env" "proxy_enqueue_shared_queue" (func $enqueue (param i32 i32 i32) (result i32)))
    (import "env" "proxy_redis_call" (func $redis (param i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 8) "up") (data (i32.const 16) "SUBSCRIBE x\0d\0a")
    (func (export "proxy_abi_version_0_2_100"))
    (func (export "malloc") (param i32) (result i32) i32.const 0)
    (func $put (drop (call $enqueue (i32.load (i32.const 0)) (i32.const 8) (i32.const 2))))
    (func (export "proxy_on_configure") (param i32 i32) (result i32)
        (drop (call $register (i32.const 8) (i32.const 2) (i32.const 0)))
        call $put i32.const 1)
    (func (export "proxy_on_queue_ready") (param i32 i32) call $put call $put call $put)
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local i32)
        (loop
            (drop (call $redis (i32.const 8) (i32.const 2) (i32.const 16) (i32.const 13) (i32.const 4)))
            (local.set 3 (i32.add (local.get 3) (i32.const 1)))
            (br_if 0 (i32.lt_u (local.get 3) (i32.const 2000))))
        i32.const 0))"#;

/// How often the line was written, and what the lines sum up.
fn told(log: &str, what: &str) -> (u64, u64) {
    let lines = log.lines().filter(|line| line.contains(what));
    lines.fold((0, 0), |(lines, untold), line| {
        assert!(line.contains("filter=\"loud\""), "{line}");
        let rest = line.split_once("untold=").map(|(_, rest)| rest);
        let number = rest.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        (lines + 1, untold + number.expect("a count"))
    })
}

#[test]
fn storms_of_warnings_are_a_line_a_second() {
    let (upstream, _) = Upstream::echoing();
    let folder = tempfile::tempdir().expect("a folder");
    let module = folder.path().join("loud.wasm");
    let code = wat::parse_str(LOUD).expect("the test's text is valid");
    std::fs::write(&module, code).expect("the folder can be written");
    let more = format!(
        "modules: {{ m: {{ file: {} }} }}\nfilters: {{ loud: {{ module: m }} }}",
        module.display()
    );
    let routes = "      - { filters: [loud], forward: up }";
    let since = Instant::now();
    let gateway = Gateway::start(&site(upstream.address, routes, &more));
    assert_eq!(gateway.get("/", "").status(), 200);
    let what = [
        "notice of a shared queue was dropped",
        "Redis command was not sent",
    ];
    until("second lines", || {
        assert_eq!(gateway.get("/", "").status(), 200);
        what.iter().all(|what| told(&gateway.log(), what).0 > 1)
    });
    let log = gateway.log();
    let seconds = since.elapsed().as_secs() + 1;
    for what in what {
        let (lines, untold) = told(&log, what);
        assert!(lines <= seconds, "{lines} lines in {seconds} s: {what}");
        assert!(untold > 1000, "{untold}: {what}");
    }
    gateway.end();
}
