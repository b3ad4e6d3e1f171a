//! Statement 195: what filters and logs learn of requests that are refused before any filter.

use crate::guest::guest;
use crate::stage::{Gateway, Role, Stage, is_oracle};

/// A filter that traces itself, and one for the access log.
fn gateway() -> Gateway {
    Stage::new()
        .filter(guest(
            r#"(trace) (log (prop_number "response\00code") (prop "response\00code_details"))"#,
        ))
        .filter(guest(
            r#"(log (prop_number "response\00code") (prop "response\00code_details") (prop "request\00path"))"#,
        ))
        .role(Role::Log)
        .start()
}

/// The filter in the chain learns of the end and of nothing else.
#[track_caller]
fn check_chain(request: &str, status: u16, details: &str) {
    let gateway = gateway();
    assert_eq!(gateway.ask(request).status, status);
    gateway.until(0, "delete 2");
    let code = format!("prop_number 0 {status}");
    let logs = gateway.logs(0);
    let expected = [
        "context_create 2",
        "log 2",
        &code,
        details,
        "done 2",
        "delete 2",
    ];
    let last = &logs[logs.len().saturating_sub(expected.len())..];
    assert_eq!(last, expected);
    assert!(
        !logs.iter().any(|line| line.contains("headers")),
        "{logs:?}"
    );
}

/// The filter for the access log learns it.
#[track_caller]
fn check_log(request: &str, status: u16, expected: &[&str]) {
    let gateway = gateway();
    assert_eq!(gateway.ask(request).status, status);
    gateway.check(1, expected);
    assert_eq!(gateway.log_lines(1)[0]["status"], status);
}

#[test]
fn s195_a_refused_head_reaches_no_filter_but_their_logs() {
    let missing = "prop 0 missing_host_header";
    check_chain("GET / HTTP/1.1\r\n\r\n", 400, missing);
    check_log(
        "GET /p HTTP/1.1\r\n\r\n",
        400,
        &["prop_number 0 400", missing, "prop 0 /p"],
    );
    let upgrade = "GET / HTTP/1.1\r\nhost: h\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n";
    check_chain(upgrade, 403, "prop 0 upgrade_failed");
}

#[test]
fn s195_what_is_no_request_is_logged() {
    let broken = ["prop_number 0 400", "prop 0 http1.codec_error", "prop 1"];
    check_log("GET\r\n\r\n", 400, &broken);
    check_log(
        "GET / HTTP/1.1\r\nhost: h\r\nbad header: x\r\n\r\n",
        400,
        &broken,
    );
    let large = format!(
        "GET / HTTP/1.1\r\nhost: h\r\nx: {}\r\n\r\n",
        "a".repeat(70_000)
    );
    let too_large = [
        "prop_number 0 431",
        "prop 0 http1.headers_too_large",
        "prop 1",
    ];
    check_log(&large, 431, &too_large);
}

#[test]
fn s195_what_is_no_request_has_no_route_and_so_no_filters() {
    if is_oracle() {
        // Envoy's filters belong to the listener.
        return;
    }
    let gateway = gateway();
    assert_eq!(gateway.ask("GET\r\n\r\n").status, 400);
    gateway.logs_when(1, 3);
    gateway.check(0, &["context_create 1"]);
}

#[test]
fn a_body_that_breaks_off_is_answered_through_the_filters() {
    let gateway = gateway();
    let request = "POST /p HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
    assert_eq!(gateway.ask(request).brief(), (400, "Bad Request"));
    gateway.until(0, "delete 2");
    let logs = gateway.logs(0);
    let from = logs.iter().position(|line| line == "request_headers 2");
    let seen = &logs[from.expect("a request")..];
    let expected = [
        "request_headers 2",
        "response_headers 2",
        "response_body 2",
        "log 2",
        "prop_number 0 400",
        "prop 0 http1.codec_error",
        "done 2",
        "delete 2",
    ];
    assert_eq!(seen, expected);
}
