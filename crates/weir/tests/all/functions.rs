//! Functions in the running gateway: what clients get, whatever a function does.

mod capacity;
mod egress;
mod hostile;
mod https;
mod maps;

use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Gateway, get, until};
use crate::{Folder, Outcome};

/// Every request goes to the function `it`, whose settings are these (a YAML flow mapping's inside).
fn site(settings: &str, more: &str) -> String {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../guests/prebuilt/handler.wasm"
    );
    format!(
        "workers: 2\nlisteners:\n  - address: 127.0.0.1:0\n    name: main\n    routes:\n      \
         - function: it\nmodules:\n  handler: {{ file: {file} }}\nfunctions:\n  \
         it: {{ module: handler, {settings} }}\n{more}\n"
    )
}

fn gateway(settings: &str) -> Gateway {
    Gateway::start(&site(settings, ""))
}

/// A number of the function `it`.
fn number(gateway: &Gateway, key: &str) -> u64 {
    let stats = gateway.stats();
    let value = &stats["functions"][0][key];
    value
        .as_u64()
        .unwrap_or_else(|| panic!("no {key} in {stats}"))
}

/// Nothing of any call is left: waited for, because guests end a little after their responses.
#[track_caller]
fn none_is_left(gateway: &Gateway) {
    until("no instance is there", || number(gateway, "running") == 0);
    assert_eq!(number(gateway, "waiting"), 0);
}

#[test]
fn a_route_ends_in_a_function() {
    let gateway = gateway("kind: http");
    let response = gateway.get("/greeting?x=1", "");
    assert_eq!((response.status(), &*response.text()), (200, "hello"));
    let line = gateway.access("/greeting");
    assert_eq!(line["details"], "via_function", "{line}");
    assert_eq!(line["flags"], Value::Null, "{line}");
    none_is_left(&gateway);
    let metrics = gateway.admin("/metrics").text();
    for line in [
        "weir_function_calls_total{function=\"it\"} 1",
        "weir_function_starts_total{function=\"it\",start=\"cold\"} 1",
        "weir_function_running{function=\"it\"} 0",
        "weir_function_faults_total{function=\"it\",kind=\"trap\"} 0",
        "weir_function_response_microseconds_count{function=\"it\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is missing in {metrics}");
    }
    gateway.end();
}

#[test]
fn bodies_stream_both_ways() {
    let gateway = gateway("kind: http");
    let mut client = gateway.connect();
    client.send(
        "POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n",
    );
    let head = client.head();
    assert_eq!(head.status(), 200, "{head:?}");
    // The first piece comes back while the request goes on.
    let begin = client.read_exactly(10).expect("a chunk comes back");
    assert_eq!(begin, b"5\r\nfirst\r\n");
    client.send("6\r\nsecond\r\n0\r\nx-sum: 11\r\n\r\n");
    // Trailers that no `trailer` announces end here, as everywhere.
    let rest = b"6\r\nsecond\r\n0\r\n\r\n";
    let read = client
        .read_exactly(rest.len())
        .expect("the rest comes back");
    assert_eq!(
        String::from_utf8_lossy(&read),
        String::from_utf8_lossy(rest)
    );
    drop(client);
    none_is_left(&gateway);
    gateway.end();
}

/// The guest sends back the trailers that it gets, and announces those that are announced.
#[test]
fn trailers_go_through_a_function() {
    let gateway = gateway("kind: http");
    let mut client = gateway.connect();
    let ask = "POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n";
    let body = "5\r\nhello\r\n0\r\nX-Sum: 42\r\nx-other: a b\r\n\r\n";
    client.send(format!(
        "{ask}te: trailers\r\ntrailer: x-sum, x-other\r\n\r\n{body}"
    ));
    let answer = client.response();
    assert_eq!((answer.status(), &*answer.text()), (200, "hello"));
    assert_eq!(answer.trailer("x-sum"), Some("42"), "{answer:?}");
    assert_eq!(answer.trailer("x-other"), Some("a b"), "{answer:?}");
    // Who does not take any gets none.
    client.send(format!("{ask}\r\n{body}"));
    let answer = client.response();
    assert_eq!((&*answer.text(), answer.trailers.len()), ("hello", 0));
    drop(client);
    none_is_left(&gateway);
    gateway.end();
}

#[test]
fn code_of_functions_is_kept_on_disk() {
    let folder = tempfile::TempDir::new().expect("a folder can be made");
    let cache = format!("code_cache: {{ path: \"{}\" }}", folder.path().display());
    let count = |gateway: &Gateway, name: &str| {
        let stats = gateway.stats();
        let count = stats["code"]["cache"][name].as_u64();
        count.unwrap_or_else(|| panic!("no {name} in {stats}"))
    };
    let first = Gateway::start(&site("kind: http", &cache));
    assert_eq!((count(&first, "hits"), count(&first, "stored")), (0, 1));
    first.end();
    // `weir compile` finds what a gateway keeps, and the other way round.
    let told = Folder::new().with("weir.yaml", site("kind: http", &cache));
    let told = told.run("compile --configuration @weir.yaml");
    told.expect(
        Outcome::Fine,
        &["handler.wasm: is there, for the function it"],
    );
    let second = Gateway::start(&site("kind: http", &cache));
    assert_eq!((count(&second, "hits"), count(&second, "stored")), (1, 0));
    assert_eq!(count(&second, "misses"), 0);
    assert_eq!(second.get("/", "").text(), "hello");
    second.end();
}

#[test]
fn a_large_body_goes_through_in_pieces() {
    const BYTES: usize = 20 << 20;
    let gateway = gateway("kind: http, limits: { memory: 8MiB }");
    let mut client = gateway.connect();
    client.send(get(&format!("/large?{BYTES}"), ""));
    let response = client.response();
    assert_eq!((response.status(), response.body.len()), (200, BYTES));
    drop(client);
    gateway.end();
}

#[track_caller]
fn check(gateway: &Gateway, path: &str, status: u16, details: &str) {
    let response = gateway.get(path, "");
    assert_eq!(response.status(), status, "{path}: {response:?}");
    let line = gateway.access(&format!("\"{path}\""));
    assert_eq!(line["details"], details, "{line}");
}

#[test]
fn every_failure_has_its_status_and_harms_nobody() {
    let limits = "limits: { memory: 16MiB, time: 200ms, timeout: 2s }";
    let gateway = gateway(&format!("kind: http, {limits}"));
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..100 {
                assert_eq!(gateway.get("/", "").text(), "hello");
            }
        });
        check(&gateway, "/trap", 500, "function_trap");
        check(&gateway, "/none", 500, "function_no_response");
        check(&gateway, "/error", 500, "function_bad_response");
        check(&gateway, "/loop", 504, "function_deadline");
        check(&gateway, "/sleep?60000", 504, "function_deadline");
        check(&gateway, "/grow?64", 500, "function_limit");
    });
    let log = gateway.logged("a function failed");
    assert!(
        log.contains("function=\"it\"") || log.contains("function=it"),
        "{log}"
    );
    let stats = gateway.stats();
    let kinds = &stats["functions"][0]["faults_by_kind"];
    assert_eq!(kinds["no_response"], 1, "{kinds}");
    none_is_left(&gateway);
    gateway.end();
}

#[test]
fn a_failure_after_the_head_cuts_the_connection() {
    let gateway = gateway("kind: http, limits: { time: 200ms, timeout: 2s }");
    for (path, details) in [
        ("/loop-later", "function_deadline_after_head"),
        ("/sleep-later?60000", "function_deadline_after_head"),
    ] {
        let mut client = gateway.connect();
        client.send(get(path, ""));
        assert_eq!(client.head().status(), 200, "{path}");
        let rest = client.read_rest();
        let is_whole = rest.is_ok_and(|rest| rest.ends_with(b"0\r\n\r\n"));
        assert!(
            !is_whole,
            "{path}: the body ended as if nothing had happened"
        );
        let line = gateway.access(&format!("\"{path}\""));
        assert_eq!(line["details"], details, "{line}");
    }
    none_is_left(&gateway);
    assert_eq!(gateway.get("/", "").status(), 200);
    gateway.end();
}

#[test]
fn grpc_clients_read_failures_as_statuses() {
    let gateway = gateway("kind: http, limits: { timeout: 1s }");
    let kind = "content-type: application/grpc\r\n";
    for (path, status) in [("/trap", "2"), ("/sleep?60000", "14")] {
        let response = gateway.get(path, kind);
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.header("grpc-status"), Some(status), "{path}");
    }
    gateway.end();
}

#[test]
fn a_body_that_is_never_read_stops_nobody() {
    let gateway = gateway("kind: http");
    for _ in 0..20 {
        let mut client = gateway.connect();
        client.send("POST /unread HTTP/1.1\r\nhost: test\r\ncontent-length: 1000000000\r\n\r\n");
        // More than the gateway holds of it; it may answer and close meanwhile.
        let _ = client.try_send(vec![b'x'; 4 << 20]);
        let response = client.try_response();
        assert!(response.map_or(true, |response| response.status() == 200));
    }
    none_is_left(&gateway);
    gateway.end();
}

#[test]
fn a_client_that_leaves_ends_the_guest() {
    let gateway = gateway("kind: http");
    let mut reader = gateway.connect();
    reader.send(get("/endless", ""));
    assert_eq!(reader.head().status(), 200);
    let mut waiter = gateway.connect();
    waiter.send(get("/sleep?100000", ""));
    until("both run", || number(&gateway, "running") == 2);
    drop(reader);
    drop(waiter);
    none_is_left(&gateway);
    gateway.end();
}

#[test]
fn a_head_ends_with_its_head() {
    let gateway = gateway("kind: http");
    let mut client = gateway.connect();
    for _ in 0..2 {
        client.send("HEAD / HTTP/1.1\r\nhost: test\r\n\r\n");
        assert_eq!(client.head().status(), 200);
    }
    drop(client);
    none_is_left(&gateway);
    let line = gateway.access("\"HEAD\"");
    assert_eq!(line["flags"], Value::Null, "{line}");
    gateway.end();
}

#[test]
fn filters_see_what_goes_in_and_comes_out() {
    let text = site(
        "kind: http",
        "filters:\n  probe: { module: probe, configuration: \"\" }",
    )
    .replace("- function: it", "- function: it\n        filters: [hello]")
    .replace(
        "probe: { module: probe, configuration: \"\" }",
        "hello: { module: greeter }",
    )
    .replace(
        "modules:\n",
        &format!(
            "modules:\n  greeter: {{ file: {}/../../guests/prebuilt/hello.wasm }}\n",
            env!("CARGO_MANIFEST_DIR")
        ),
    );
    let gateway = Gateway::start(&text);
    let response = gateway.get("/", "");
    assert_eq!(response.text(), "hello");
    assert!(
        response
            .headers
            .iter()
            .any(|(name, _)| name == "x-greeting"),
        "{response:?}"
    );
    // The filter answers itself: no function is called.
    let calls = number(&gateway, "calls");
    assert_eq!(gateway.get("/secret", "").status(), 401);
    assert_eq!(number(&gateway, "calls"), calls);
    gateway.end();
}

#[test]
fn a_guest_may_go_on_after_its_response_for_a_while() {
    let gateway = gateway("kind: http, limits: { timeout: 5s }");
    assert_eq!(gateway.get("/after?2000", "").text(), "whole");
    assert_eq!(
        number(&gateway, "running"),
        1,
        "it has a turn for as long as it is there"
    );
    gateway.logged("afterwards");
    none_is_left(&gateway);
    gateway.end();
}

#[test]
fn what_a_guest_writes_is_logged_under_its_name() {
    let gateway = gateway("kind: http, environment: { COLOUR: red }, settings: { colour: blue }");
    let about = gateway.get("/about", "").text();
    assert!(about.contains("$COLOUR=red"), "{about}");
    assert!(about.contains("setting colour=blue"), "{about}");
    assert_eq!(gateway.get("/after?1", "").text(), "whole");
    let line = gateway.logged("afterwards");
    assert!(line.contains("function=\"it\""), "{line}");
    gateway.end();
}

#[test]
fn a_module_that_is_no_function_is_explained() {
    let folder = Folder::new()
        .with("m.wasm", wat::parse_str("(module)").expect("it is valid"))
        .with(
            "weir.yaml",
            "listeners: [{ address: 127.0.0.1:0, routes: [{ function: f }] }]\n\
             modules: { m: { file: m.wasm } }\nfunctions: { f: { module: m, kind: http } }\n",
        );
    let parts = [
        "problem: start: function f: module m: kind http",
        "a component",
    ];
    folder
        .run("check @weir.yaml")
        .expect(Outcome::Problem, &parts);
    let fine = Folder::new().with("weir.yaml", site("kind: http", ""));
    fine.run("check @weir.yaml")
        .expect(Outcome::Fine, &["1 route, 1 module, 1 function"]);
}

/// Between two looks at something that ought not to change.
const MOMENT: Duration = Duration::from_millis(50);
