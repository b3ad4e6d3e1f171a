//! Dynamic configuration (`guests/dynamic-configuration`) in the gateway: settings in a shared map hold
//! from when they are stored, without a reload.

use weir::Outcome;

use crate::Folder;
use crate::harness::{Gateway, Upstream, until};

const SITE: &str = "workers: 2
listeners:
  - address: 127.0.0.1:0
    routes:
      - { filters: [settings], forward: up }
clusters:
  up: { endpoints: [\"UPSTREAM\"] }
filters:
  settings:
    module: dynamic-configuration
    engine: cranelift
    isolation: ISOLATION
    configuration: { map: live }
    grants: { maps: { live: [read, list, watch] } }
maps: { live: {} }
";

/// Runs `weir map`, and waits until both workers have told what they make of it.
fn map(gateway: &Gateway, line: &str, told: &str) {
    let times = || gateway.log().matches(told).count();
    let before = times();
    let command = format!("map --admin {} {line}", gateway.admin_address());
    Folder::new().run(&command).expect(Outcome::Fine, &[]);
    until(told, || times() >= before + 2);
}

fn follows(isolation: &str) {
    let (upstream, seen) = Upstream::echoing();
    let site = SITE.replace("UPSTREAM", &upstream.address.to_string());
    let gateway = Gateway::start(&site.replace("ISOLATION", isolation));
    assert_eq!(gateway.get("/api/x", "").header("x-banner"), None);

    let headers = r#"{"path_prefix":"/api","request_headers":{"x-tier":"blue","cookie":null},"response_headers":{"x-banner":"sale"}}"#;
    map(
        &gateway,
        &format!("set live colours {headers}"),
        "entry colours: taken",
    );
    // With an instance for each request, requests see it a moment later.
    let ask = || gateway.get("/api/x", "cookie: a=b\r\nx-kept: 1\r\n");
    until("the banner is there", || {
        ask().header("x-banner") == Some("sale")
    });
    let request = seen.last();
    assert_eq!(request.header("x-tier"), Some("blue"));
    assert_eq!(request.header("cookie"), None);
    assert_eq!(request.header("x-kept"), Some("1"));
    assert_eq!(gateway.get("/other", "").header("x-banner"), None);

    let answer = r#"{"answer":{"status":503,"headers":{"retry-after":"60"},"body":"soon"}}"#;
    map(
        &gateway,
        &format!("set live maintenance {answer}"),
        "entry maintenance: taken",
    );
    let is_closed = || gateway.get("/api/x", "").status() == 503;
    until("it is closed", || (0..16).all(|_| is_closed()));
    let answer = gateway.get("/api/x", "");
    assert_eq!(answer.text(), "soon");
    assert_eq!(answer.header("retry-after"), Some("60"));

    let why = "entry maintenance: refused: answer: status: 42; expected 200 to 599; what it said \
               before still holds";
    let wrong = r#"{"answer":{"status":42}}"#;
    map(&gateway, &format!("set live maintenance {wrong}"), why);
    assert_eq!(gateway.get("/", "").status(), 503);
    let wrong = r#"{"response_headers":{"bad\u0020name":"x"}}"#;
    let why = "entry new: refused: response_headers: \"bad name\" is no name of a header; nothing of \
               it holds";
    map(&gateway, &format!("set live new {wrong}"), why);

    map(
        &gateway,
        "delete live maintenance",
        "entry maintenance: gone",
    );
    until("it is open", || gateway.get("/", "").status() == 200);
    gateway.end();
}

#[test]
fn settings_hold_as_soon_as_they_are_stored() {
    follows("plugin");
}

#[test]
fn settings_hold_with_an_instance_for_each_request() {
    follows("request");
}
