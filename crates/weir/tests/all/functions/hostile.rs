//! Functions that mean harm, or do it: others go on.

use std::thread;

use tempfile::TempDir;

use super::{Gateway, none_is_left, number};
use crate::harness::get;

/// Core functions by their names, as text, with the settings of each; a route for each, and `/plain`.
fn gateway(functions: &[(&str, &str, &str)], more: &str) -> (Gateway, TempDir) {
    let folder = TempDir::new().expect("a folder can be made");
    let (mut routes, mut modules, mut settings) = (Vec::new(), Vec::new(), Vec::new());
    for (name, text, own) in functions {
        let file = folder.path().join(name).with_extension("wasm");
        std::fs::write(&file, wat::parse_str(text).expect(name)).expect("it can be written");
        let file = file.display();
        routes.push(format!(
            "      - {{ match: {{ path_prefix: /{name} }}, function: {name} }}\n"
        ));
        modules.push(format!("  {name}: {{ file: {file} }}\n"));
        settings.push(format!(
            "  {name}: {{ module: {name}, kind: core, {own} }}\n"
        ));
    }
    let (routes, modules) = (routes.concat(), modules.concat());
    let settings = settings.concat();
    let text = format!(
        "workers: 1\nlisteners:\n  - address: 127.0.0.1:0\n    routes:\n{routes}      \
         - {{ match: {{ path: /plain }}, respond: {{ status: 200, body: plain }} }}\n\
         modules:\n{modules}functions:\n{settings}{more}\n"
    );
    (Gateway::start(&text), folder)
}

/// A core function that does this.
fn core(parts: &str, handle: &str) -> String {
    format!(
        r#"(module
            (import "weir_v1" "respond_header" (func $header (param i32 i32 i32 i32) (result i32)))
            (import "weir_v1" "respond_write" (func $write (param i32 i32) (result i32)))
            (import "weir_v1" "fetch"
                (func $fetch (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 2) {parts}
            (func (export "handle")
                (param $m i32) (param $ml i32) (param $p i32) (param $pl i32)
                (param $h i32) (param $hl i32) (param $b i32) (param $bl i32) (result i32)
                {handle}))"#
    )
}

/// Each turn of a guest that computes was followed by the next one's, sixty times, before the worker
/// looked for requests: an ordinary one took a quarter of a second.
#[test]
fn ordinary_requests_go_on_while_functions_compute() {
    let spin = core("", "(loop (br 0)) (i32.const 200)");
    let (gateway, _folder) = gateway(&[("it", &spin, "limits: { time: 500ms, timeout: 5m }")], "");
    let plain = thread::scope(|scope| {
        let spinning: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| assert_eq!(gateway.get("/it", "").status(), 504)))
            .collect();
        let mut client = gateway.connect();
        let mut plain = 0;
        while !spinning.iter().all(thread::ScopedJoinHandle::is_finished) {
            client.send(get("/plain", ""));
            assert_eq!(client.response().text(), "plain");
            plain += 1;
        }
        plain
    });
    assert!(plain >= 50, "only {plain} in a second and a half");
    none_is_left(&gateway);
    gateway.end();
}

/// All places were held by callers, each of which waited for a place for whom it called.
#[test]
fn callers_do_not_take_the_places_of_those_that_they_call() {
    let url = r#"(data (i32.const 16) "GET") (data (i32.const 32) "weir://inner/")"#;
    let outer = core(
        url,
        "(drop (call $fetch (i32.const 16) (i32.const 3) (i32.const 32) (i32.const 13)
            (i32.const 8) (i32.const 0) (i32.const 8) (i32.const 0) (i32.const 64)))
         (i32.load (i32.const 64))",
    );
    let inner = core("", "(i32.const 204)");
    let limits = "limits: { queue_timeout: 5s }";
    let (gateway, _folder) = gateway(
        &[
            (
                "outer",
                &outer,
                &format!("grants: {{ functions: [inner] }}, {limits}"),
            ),
            ("inner", &inner, limits),
        ],
        "function_instances: 2",
    );
    thread::scope(|scope| {
        for _ in 0..30 {
            scope.spawn(|| assert_eq!(gateway.get("/outer", "").status(), 204));
        }
    });
    none_is_left(&gateway);
    gateway.end();
}

/// The client got nothing, or less than all, and the access log said that all was well.
#[test]
fn a_body_that_has_not_the_length_of_its_head_is_no_response() {
    let lie = |declared: &str, body: usize| {
        let data =
            format!(r#"(data (i32.const 16) "content-length") (data (i32.const 48) "{declared}")"#);
        core(
            &data,
            &format!(
                "(drop (call $header (i32.const 16) (i32.const 14) (i32.const 48) (i32.const {})))
                 (if (i32.const {body}) (then
                    (drop (call $write (i32.const 64) (i32.const {body})))))
                 (i32.const 200)",
                declared.len()
            ),
        )
    };
    let (none, short, long) = (lie("100", 0), lie("100", 12), lie("2", 12));
    let (early, fits) = (lie("2", 0), lie("12", 12));
    let functions = [
        ("none", none),
        ("short", short),
        ("long", long),
        ("early", early),
    ];
    let mut all: Vec<_> = functions
        .iter()
        .map(|(name, text)| (*name, &**text, ""))
        .collect();
    all.push(("fits", &fits, ""));
    let (gateway, _folder) = gateway(&all, "");
    for (name, _) in &functions {
        let mut client = gateway.connect();
        client.send(get(&format!("/{name}"), ""));
        if let Ok(response) = client.try_response() {
            assert_eq!(response.status(), 500, "{name}: {response:?}");
        }
        let line = gateway.access(&format!("\"/{name}\""));
        let details = line["details"].as_str().unwrap_or_default();
        assert!(details.starts_with("function_bad_response"), "{line}");
        assert_eq!(line["flags"], "UPE", "{line}");
    }
    assert_eq!(gateway.get("/fits", "").body.len(), 12);
    let mut client = gateway.connect();
    client.send("HEAD /none HTTP/1.1\r\nhost: test\r\n\r\n");
    assert_eq!(client.head().status(), 200, "a HEAD has no body to measure");
    drop(client);
    assert_eq!(number(&gateway, "running"), 0);
    gateway.end();
}
