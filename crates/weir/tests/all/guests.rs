//! Filters in real traffic: order, configuration, answers of their own, and what their failures
//! cost: one request, never the gateway.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;

use crate::harness::{Gateway, Upstream, Wire, get, refused, site, until};

const ALL: &str = "      - { filters: [probe], forward: up }";
const MISBEHAVE: &str = include_str!("../../../../guests/probe/scripts/misbehave.json");

/// A filter that plays a script.
fn probe(name: &str, script: &str, more: &str) -> String {
    let script = script.replace('\n', " ");
    format!("  {name}: {{ module: probe, configuration: {script}{more} }}\n")
}

fn with_probe(upstream: &Upstream, script: &str, more: &str) -> Gateway {
    let filters = format!("filters:\n{}", probe("probe", script, more));
    Gateway::start(&site(upstream.address, ALL, &filters).replace("workers: 2", "workers: 1"))
}

#[test]
fn filters_run_in_order_and_back() {
    let (upstream, seen) = Upstream::echoing();
    let add = |word: &str| {
        format!(
            r#"{{ "request_headers": [{{ "add": ["request", "x-order", "{word}"] }}],
                 "request_body": [{{ "append": "-{word}" }}],
                 "response_headers": [{{ "add": ["response", "x-order", "{word}"] }}] }}"#
        )
    };
    let filters = ["one", "two", "three"]
        .map(|name| probe(name, &add(name), ""))
        .concat();
    let routes = "      - { filters: [one, two, three], forward: up }";
    let gateway = Gateway::start(&site(
        upstream.address,
        routes,
        &format!("filters:\n{filters}"),
    ));
    let answer = gateway
        .ask("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\n0\r\n0\r\n\r\n");
    let orders = |headers: &[(String, String)]| -> Vec<String> {
        let orders = headers.iter().filter(|(name, _)| name == "x-order");
        orders.map(|(_, value)| value.clone()).collect()
    };
    assert_eq!(orders(&answer.headers), ["three", "two", "one"]);
    let request = seen.last();
    assert_eq!(orders(&request.headers), ["one", "two", "three"]);
    assert!(
        request.text() == "0-one-two-three-one-two-three",
        "{}",
        request.text()
    );
    gateway.end();
}

#[test]
fn a_route_may_have_its_own_configuration() {
    let (upstream, _) = Upstream::echoing();
    let routes = "      - match: { path: /bonjour }
        filters: [{ use: hello, configuration: { greeting: Bonjour } }, shout]
        forward: up
      - { filters: [hello], forward: up }";
    let filters = "filters:\n  hello: { module: hello, configuration: { greeting: Hello } }\n  shout: { module: shout }";
    let gateway = Gateway::start(&site(upstream.address, routes, filters));
    let greet = |path: &str| {
        let request = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc");
        let answer = gateway.ask(request);
        (
            answer.header("x-greeting").unwrap().to_owned(),
            answer.text(),
        )
    };
    assert_eq!(greet("/bonjour"), ("Bonjour".into(), "ABC".into()));
    assert_eq!(greet("/"), ("Hello".into(), "abc".into()));
    assert_eq!(gateway.get("/secret", "").status(), 401);
    gateway.end();
}

#[test]
fn workers_share_data() {
    let (upstream, _) = Upstream::echoing();
    let routes = "      - { filters: [hello], forward: up }";
    let gateway = Gateway::start(&site(
        upstream.address,
        routes,
        "filters: { hello: { module: hello } }",
    ));
    let visits: BTreeSet<u32> = (0..40)
        .map(|_| {
            gateway
                .get("/", "")
                .header("x-visits")
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    assert_eq!(visits, (1..=40).collect());
    let filter = &gateway.stats()["filters"][0];
    assert_eq!(
        (&filter["vms"], &filter["failures"]),
        (&2.into(), &0.into())
    );
    gateway.end();
}

/// A filter's answer, in each phase.
#[track_caller]
fn check_reply(script: &str, expected: Option<u16>) {
    let upstream = Upstream::start(|mut wire, _| {
        while let Ok(Some(_)) = wire.try_request() {
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-t\r\n\r\n";
            wire.send(format!("{head}3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n"));
        }
    });
    let reply =
        r#"{ "reply": { "status": 418, "headers": [["x-by", "probe"]], "body": "no" } }, "pause""#;
    let end = if script.contains("await_end") {
        "\r\n"
    } else {
        "x-t: 1\r\n\r\n"
    };
    let script = script.replace("REPLY", reply);
    let gateway = with_probe(
        &upstream,
        &script,
        ", allow_on_headers_stop_iteration: true",
    );
    let mut client = gateway.connect();
    let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nte: trailers\r\n\r\n";
    client.send(format!("{head}3\r\nabc\r\n0\r\n{end}"));
    match (client.try_response(), expected) {
        (Ok(answer), Some(status)) => {
            assert_eq!(
                (answer.status(), answer.header("x-by")),
                (status, Some("probe")),
                "{script}"
            );
            assert_eq!(answer.text(), "no");
        }
        (Err(_), None) => {}
        (outcome, _) => panic!("{script}: {outcome:?}"),
    }
    drop(client);
    gateway.end();
}

#[test]
fn filters_may_answer_in_each_phase() {
    check_reply(r#"{ "request_headers": [REPLY] }"#, Some(418));
    check_reply(r#"{ "request_body": [REPLY] }"#, Some(418));
    check_reply(r#"{ "request_body": ["await_end", REPLY] }"#, Some(418));
    check_reply(r#"{ "request_trailers": [REPLY] }"#, Some(418));
    check_reply(r#"{ "response_headers": [REPLY] }"#, Some(418));
    check_reply(
        r#"{ "response_headers": ["pause"], "response_body": [REPLY] }"#,
        Some(418),
    );
    check_reply(
        r#"{ "response_headers": ["pause"], "response_body": ["pause"], "response_trailers": [REPLY] }"#,
        Some(418),
    );
}

#[test]
fn bodies_beyond_the_limit_are_refused() {
    let upstream = Upstream::start(|mut wire, _| {
        while let Ok(Some(_)) = wire.try_request() {
            wire.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n");
            // The gateway does not take it all.
            let _ = wire.try_send(vec![b'x'; 1_000_000]);
        }
    });
    let filters = format!(
        "filters:\n  shout: {{ module: shout }}\n{}{}",
        probe("hold", r#"{ "request_body": ["await_end"] }"#, ""),
        probe(
            "hold_all",
            r#"{ "response_headers": ["pause"], "response_body": ["await_end"] }"#,
            ", allow_on_headers_stop_iteration: true",
        )
    );
    let routes = "      - { match: { path: /request }, filters: [hold], forward: up }
      - { match: { path: /response }, filters: [hold_all], forward: up }
      - { match: { path: /head_has_gone }, filters: [shout], forward: up }";
    let site = site(upstream.address, routes, &filters)
        .replace("name: main", "name: main\n    body_buffer: 4KiB");
    let gateway = Gateway::start(&site);
    let mut client = gateway.connect();
    client.send("POST /request HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n");
    client.send(vec![b'x'; 100_000]);
    assert_eq!(client.response().status(), 413);
    assert_eq!(
        gateway.access("/request")["details"],
        "request_payload_too_large"
    );
    drop(client);
    assert_eq!(gateway.get("/response", "").status(), 500);
    assert_eq!(
        gateway.access("/response")["details"],
        "response_payload_too_large"
    );
    let mut client = gateway.connect();
    client.send(get("/head_has_gone", ""));
    client
        .try_response()
        .expect_err("the response is broken off");
    let line = gateway.access("/head_has_gone");
    assert_eq!(
        (&line["details"], line["flags"].as_str()),
        (&"response_payload_too_large".into(), None)
    );
    drop(client);
    gateway.end();
}

#[test]
fn the_access_log_has_what_filters_set() {
    let (upstream, _) = Upstream::echoing();
    let script = r#"{ "request_headers": [{ "property": ["user.name", "ada"] }],
        "log": [{ "log": "{property:request.path} gave {number:response.code}" }] }"#;
    let routes = "      - { filters: [probe], forward: up }";
    let site = site(
        upstream.address,
        routes,
        &format!("filters:\n{}", probe("probe", script, "")),
    )
    .replace("name: main", "name: main\n    log_filters: [probe]");
    let gateway = Gateway::start(&site);
    assert_eq!(gateway.get("/logged", "user-agent: test\r\n").status(), 200);
    let line = gateway.access("/logged");
    assert_eq!(line["user_agent"], "test");
    assert!(line["properties"].to_string().contains("ada"), "{line}");
    gateway.logged("/logged gave 200");
    gateway.end();
}

#[test]
fn levels_of_plugins_change_while_they_run() {
    let (upstream, _) = Upstream::echoing();
    let script = r#"{ "request_headers": [{ "log_at": ["debug", "detail of {request::path}"] }] }"#;
    let filters = format!(
        "filters:\n{}{}",
        probe("one", script, ""),
        probe("two", script, "")
    );
    let routes = "      - { filters: [one, two], forward: up }";
    let gateway = Gateway::start(&site(upstream.address, routes, &filters));
    let order = |query: &str| {
        let mut wire = Wire::connect(gateway.admin_address());
        wire.send(format!(
            "POST /log?{query} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n"
        ));
        wire.response().status()
    };
    assert_eq!(gateway.get("/quiet", "").status(), 200);
    assert_eq!(order("plugin=two&level=debug"), 200);
    assert_eq!(gateway.get("/loud", "").status(), 200);
    let line = gateway.logged("detail of /loud");
    assert!(line.contains("two"), "{line}");
    let shown = gateway.admin("/log").text();
    assert!(shown.contains("\"two\": \"debug\""), "{shown}");
    assert_eq!(order("plugin=three&level=debug"), 400);
    assert_eq!(order("plugin=two&level=loud"), 400);
    assert_eq!(order("plugin=two&level=default"), 200);
    assert_eq!(order("plugins=critical"), 200);
    assert_eq!(gateway.get("/silent", "").status(), 200);
    assert_eq!(order("level=info,wasm=trace"), 200);
    assert_eq!(gateway.get("/again", "").status(), 200);
    let line = gateway.logged("detail of /again");
    assert!(line.contains("one") || line.contains("two"), "{line}");
    let log = gateway.log();
    assert!(!log.contains("/quiet") && !log.contains("/silent"), "{log}");
    gateway.end();
}

#[test]
fn a_failure_costs_one_request() {
    let (upstream, seen) = Upstream::echoing();
    let kinds = ["panic", "loop", "recurse", "hog", "exit", "panic_response"];
    let limits = ", limits: { memory: 16MiB, time: 50ms }";
    let filters: String = kinds.map(|kind| probe(kind, MISBEHAVE, limits)).concat();
    let routes = kinds.map(|kind| {
        format!("      - {{ match: {{ path: /{kind} }}, filters: [{kind}], forward: up }}\n")
    });
    let site = site(
        upstream.address,
        &routes.concat(),
        &format!("filters:\n{filters}"),
    )
    .replace("workers: 2", "workers: 1");
    let gateway = Gateway::start(&site);
    let vm_requests = || seen.last().header("x-vm-requests").unwrap().to_owned();
    let mut client = gateway.connect();
    for kind in kinds {
        let path = format!("/{kind}");
        client.send(get(&path, ""));
        assert_eq!(
            (client.response().status(), &*vm_requests()),
            (200, "1"),
            "{kind}"
        );
        client.send(get(&path, &format!("x-misbehave: {kind}\r\nx-bad: 1\r\n")));
        assert_eq!(client.response().status(), 503, "{kind}");
        seen.take();
        client.send(get(&path, ""));
        assert_eq!(
            (client.response().status(), &*vm_requests()),
            (200, "1"),
            "{kind}"
        );
        assert_eq!(
            gateway.access(&format!("\"failed_filters\":[\"{kind}\"]"))["details"],
            "wasm_fail_stream"
        );
    }
    for filter in gateway.stats()["filters"].as_array().unwrap() {
        let numbers = ["vms", "failures", "replacements", "refused"].map(|name| &filter[name]);
        assert_eq!(numbers, [1, 1, 1, 0], "{filter}");
    }
    drop(client);
    gateway.end();
}

#[test]
fn memory_that_is_not_granted_is_an_error_of_the_guest_only() {
    let (upstream, seen) = Upstream::echoing();
    let gateway = with_probe(&upstream, MISBEHAVE, ", limits: { memory: 16MiB }");
    for count in ["1", "2"] {
        assert_eq!(gateway.get("/", "x-misbehave: grow\r\n").status(), 200);
        let request = seen.last();
        assert_eq!(request.header("x-vm-requests"), Some(count));
    }
    let filter = &gateway.stats()["filters"][0];
    assert!(
        filter["memory_bytes"].as_u64().unwrap() <= 16 << 20,
        "{filter}"
    );
    gateway.end();
}

#[test]
fn a_failure_while_logging_costs_nobody_anything() {
    let (upstream, _) = Upstream::echoing();
    let gateway = with_probe(&upstream, MISBEHAVE, "");
    let mut client = gateway.connect();
    for how in ["panic_log", "-"] {
        client.send(get("/", &format!("x-misbehave: {how}\r\n")));
        assert_eq!(client.response().status(), 200);
    }
    drop(client);
    gateway.end();
}

#[test]
fn requests_in_a_failed_vm_fail_with_it() {
    let (tell, told) = sync_channel::<()>(0);
    let told = Mutex::new(told);
    let upstream = Upstream::start(move |mut wire, _| {
        while let Ok(Some(request)) = wire.try_request() {
            match request.path() {
                "/waits" => drop(told.lock().unwrap().recv()),
                "/streams" => wire.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc"),
                _ => wire.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
            }
        }
    });
    let gateway = with_probe(&upstream, MISBEHAVE, "");
    let (mut waits, mut streams) = (gateway.connect(), gateway.connect());
    waits.send(get("/waits", ""));
    gateway.wait_for_total("requests_active", 1);
    streams.send(get("/streams", ""));
    assert_eq!(streams.head().status(), 200);
    assert_eq!(streams.read_exactly(3).unwrap(), b"abc");
    assert_eq!(gateway.get("/bad", "x-misbehave: panic\r\n").status(), 503);
    assert_eq!(waits.response().status(), 503);
    assert_eq!(streams.read_rest().unwrap_or_default(), b"");
    assert_eq!(gateway.get("/next", "").status(), 200);
    drop((waits, streams, tell));
    gateway.end();
}

#[test]
fn a_crash_loop_is_slowed_down_and_ends() {
    let (upstream, _) = Upstream::echoing();
    let gateway = with_probe(&upstream, MISBEHAVE, "");
    for _ in 0..6 {
        assert_eq!(gateway.get("/", "x-misbehave: panic\r\n").status(), 503);
    }
    let filter = gateway.stats()["filters"][0].clone();
    assert!(filter["failures"].as_u64().unwrap() < 6, "{filter}");
    assert!(filter["refused"].as_u64().unwrap() > 0, "{filter}");
    until("the filter runs again", || {
        gateway.get("/", "").status() == 200
    });
    gateway.end();
}

#[track_caller]
fn check_on_failure(policy: &str, failing: u16, later: u16) {
    let (upstream, seen) = Upstream::echoing();
    let gateway = with_probe(&upstream, MISBEHAVE, &format!(", on_failure: {policy}"));
    assert_eq!(
        gateway.get("/", "x-misbehave: panic\r\n").status(),
        failing,
        "{policy}"
    );
    for _ in 0..5 {
        assert_eq!(gateway.get("/", "").status(), later, "{policy}");
    }
    if later == 200 {
        assert_eq!(seen.take()[1].header("x-vm-requests"), None);
    }
    assert_eq!(gateway.stats()["filters"][0]["state"], "failed");
    gateway.end();
}

#[test]
fn failed_filters_stay_closed_or_open_if_told_so() {
    check_on_failure("closed", 503, 503);
    check_on_failure("open", 200, 200);
}

#[test]
fn a_filter_that_does_not_start_stops_the_start() {
    let module = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../guests/prebuilt/probe.wasm"
    );
    let site = format!(
        "listeners: [{{ address: \"127.0.0.1:0\", routes: [{{ filters: [f], echo: true }}] }}]\n\
         modules: {{ m: {{ file: {module} }} }}\n\
         filters: {{ f: {{ module: m, configuration: {{ no_such_callback: [] }} }} }}\n"
    );
    let (code, text) = refused(&site);
    assert_eq!(code, Some(1));
    assert!(
        text.contains("filter f") && text.contains("refuses its configuration"),
        "{text}"
    );
}

/// Sends one request through a filter with this script; gives status, `content-length` and body.
fn played(script: &str, more: &str) -> (u16, Option<String>, String) {
    let (upstream, _) = Upstream::echoing();
    let gateway = with_probe(&upstream, script, more);
    let answer = gateway.get("/", "");
    let length = answer.header("content-length").map(ToOwned::to_owned);
    let seen = (answer.status(), length, answer.text());
    gateway.end();
    seen
}

/// An answer in the response phase replaces the flow; resuming a stage of the old one once panicked.
#[test]
fn an_answer_to_a_response_may_be_followed_by_anything() {
    let reply = r#"{ "reply": { "status": 418, "body": "r" } }"#;
    let resumed = format!(r#"{{ "response_headers": [{reply}, "resume_response"] }}"#);
    assert_eq!(played(&resumed, "").0, 418);
    let panics = format!(r#"{{ "response_headers": [{reply}, {{ "panic": "x" }}] }}"#);
    assert_eq!(played(&panics, ", on_failure: open").0, 418);
}

/// hyper would send a 101, or nothing at all, and the log would blame the client.
#[test]
fn a_head_that_cannot_be_sent_is_502() {
    for (name, value) in [
        (":status", "101"),
        (":status", "103"),
        (":status", "0"),
        ("content-length", "abc"),
        ("content-length", "+1"),
        ("content-length", "99999999999999999999"),
    ] {
        let script = format!(
            r#"{{ "response_headers": [{{ "set": ["response", "{name}", "{value}"] }}] }}"#
        );
        assert_eq!(played(&script, "").0, 502, "{name}: {value}");
    }
    let local = r#"{ "request_headers": [{ "reply": { "status": 101, "body": "x" } }, "pause"] }"#;
    assert_eq!(played(local, "").0, 502);
}

#[test]
fn no_content_has_no_length() {
    let local = r#"{ "request_headers": [{ "reply": { "status": 204, "body": "x" } }, "pause"] }"#;
    assert_eq!(played(local, ""), (204, None, String::new()));
}

/// What a client still sends to an answered request is read, or it is told that the connection ends.
#[test]
fn an_early_answer_says_whether_the_connection_goes_on() {
    let (upstream, _) = Upstream::echoing();
    let script = r#"{ "request_headers": [{ "reply": { "status": 403, "body": "x" } }, "pause"] }"#;
    let gateway = with_probe(&upstream, script, "");
    let mut client = gateway.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc");
    assert_eq!(client.response().header("connection"), None);
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 700000\r\n\r\nabc");
    let answer = client.response();
    assert_eq!(
        (answer.status(), answer.header("connection")),
        (403, Some("close"))
    );
    gateway.end();
}
