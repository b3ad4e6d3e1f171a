//! What callbacks return, and what is held then: statements 127 to 150.

use crate::guest::guest;
use crate::stage::{GET, Gateway, Stage, with};
use crate::upstream::Answers;

const HEAD: &str = "POST /p HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n";
const END: &str = "0\r\n\r\n";
const CALL: &str = r#"(!call "side" "{:method:GET;:path:/;:authority:s}" "" "" 1000)"#;

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// Sends a body in two pieces, so that the gateway sees the first before the second.
fn post_slowly(gateway: &Gateway, first: &str) -> crate::client::Response {
    let mut client = gateway.client();
    client.send(format!("{HEAD}{}", chunk("abc")));
    gateway.until(0, first);
    client.send(format!("{}{END}", chunk("def")));
    client.response()
}

#[test]
fn s127_headers_go_on_at_once() {
    let gateway = with(guest("(request_headers 0) (request_body 0)")).start();
    let mut client = gateway.client();
    client.send(HEAD);
    assert!(
        !gateway
            .upstream
            .until(|seen| !seen.head.is_empty())
            .is_whole
    );
    client.send(format!("{}{END}", chunk("abc")));
    assert_eq!(client.response().status, 200);
    assert_eq!(gateway.forwarded().body, "abc");
}

/// A filter that stops in headers with this value and is resumed by a callout once the second part
/// of the body is there.
fn stopping(value: u32) -> Vec<u8> {
    guest(&format!(
        r#"(request_headers {CALL} (set a $ctx) {value})
           (request_body (if (i32.eqz @b) (then (show "size" $size))) (set b 1))
           (http_call_response (say "resumed") (!effective @a) (!continue 0))"#
    ))
}

#[test]
fn s128_s132_s133_stopped_headers_hold_the_body() {
    for value in [1, 3, 4, 99] {
        let gateway = with(stopping(value))
            .side(
                "|||HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
                Answers::AfterBody,
            )
            .start();
        let mut client = gateway.client();
        client.send(format!("{HEAD}{}{}", chunk("abc"), chunk("def")));
        gateway.until(0, "resumed");
        client.send(END);
        assert_eq!(client.response().status, 200, "{value}");
        gateway.check(0, &["resumed", "size 6"]);
        assert_eq!(gateway.forwarded().body, "abcdef");
    }
}

#[test]
fn s131_two_is_continue() {
    let gateway = with(guest(r#"(request_headers 2) (response_headers 2)"#)).start();
    assert_eq!(gateway.ask(GET).brief(), (200, "ok"));
}

#[test]
fn s129_s139_too_much_held_is_413() {
    for script in ["(request_headers 3)", "(request_body 1)"] {
        let gateway = with(guest(script)).buffer(16 << 10).start();
        let response = gateway.ask(format!("{HEAD}{}", chunk(&"x".repeat(100 << 10))));
        assert_eq!(response.brief(), (413, "Payload Too Large"), "{script}");
        assert_eq!(gateway.details(), "request_payload_too_large");
    }
}

#[test]
fn s130_back_pressure_is_no_error() {
    let script = format!(
        r#"(request_headers {CALL} (set a $ctx) 4)
           (http_call_response (say "resumed") (!effective @a) (!continue 0))"#
    );
    let gateway = with(guest(&script))
        .buffer(16 << 10)
        .side(
            "|||HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            Answers::AfterBody,
        )
        .start();
    let body = "x".repeat(300 << 10);
    let response = gateway.ask(format!("{HEAD}{}{END}", chunk(&body)));
    assert_eq!(response.status, 200);
    assert_eq!(gateway.forwarded().body.len(), body.len());
}

#[test]
fn s134_s135_with_stop_iteration_bodies_go_on() {
    let gateway = with(guest(
        r#"(request_headers (say "headers") 1)
           (request_body (show "size" $size) (if $end (then (add 0 "x-late" "1") (return 0))) 1)"#,
    ))
    .tune(|filter| filter.headers_stop_iteration = Some(true))
    .start();
    assert_eq!(post_slowly(&gateway, "size 3").status, 200);
    let seen = gateway.forwarded();
    assert_eq!((&*seen.body, seen.all("x-late")), ("abcdef", vec!["1"]));
    let logs = gateway.logs(0);
    assert_eq!(logs[logs.len() - 2..], ["size 6", "add 0"]);
}

#[test]
fn s136_s137_buffered_bodies_accumulate() {
    let gateway = with(guest(
        r#"(request_body (show "size" $size) (if $end (then (read 0 0 -1) (!write 0 0 -1 "new") (return 0))) 1)"#,
    ))
    .start();
    assert_eq!(post_slowly(&gateway, "size 3").status, 200);
    gateway.until(0, "size 6");
    let logs = gateway.logs(0);
    assert_eq!(
        (&*logs[0], &*logs[logs.len() - 2], &*logs[logs.len() - 1]),
        ("size 3", "size 6", "read 0 abcdef")
    );
    assert_eq!(gateway.forwarded().body, "new");
}

#[test]
fn s138_after_a_release_chunks_are_shown_singly() {
    let gateway = with(guest(
        r#"(request_body (show "size" $size) (bump a) (if (i32.eq @a 1) (then (return 1))) 0)"#,
    ))
    .start();
    let mut client = gateway.client();
    client.send(format!("{HEAD}{}", chunk("abc")));
    gateway.until(0, "size 3");
    client.send(chunk("def"));
    gateway.until(0, "size 6");
    client.send(chunk("g"));
    gateway.until(0, "size 1");
    client.send(END);
    assert_eq!(client.response().status, 200);
    assert_eq!(gateway.forwarded().body, "abcdefg");
}

#[test]
fn s139_a_response_too_large_is_500() {
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{}",
        100 << 10,
        "x".repeat(100 << 10)
    );
    let held = with(guest("(response_headers 3)"))
        .buffer(16 << 10)
        .upstream(answer.clone())
        .start();
    assert_eq!(held.ask(GET).brief(), (500, "Internal Server Error"));
    assert_eq!(held.details(), "response_payload_too_large");
    // The head has gone: only a cut is left.
    let sent = with(guest("(response_body 1)"))
        .buffer(16 << 10)
        .upstream(answer)
        .start();
    let response = sent.ask(GET);
    assert!(
        response.was_cut || response.status == 500,
        "{}",
        response.status
    );
    assert_eq!(sent.details(), "response_payload_too_large");
}

#[test]
fn s140_watermarked_bodies_show_new_bytes_only() {
    let gateway = with(guest(
        r#"(request_body (show "size" $size) (if $end (then (return 0))) 2)"#,
    ))
    .start();
    assert_eq!(post_slowly(&gateway, "size 3").status, 200);
    assert!(!gateway.logs(0).contains(&"size 6".to_owned()));
    assert_eq!(gateway.forwarded().body, "abcdef");
}

#[test]
fn s141_three_drops_the_chunk() {
    let gateway = with(guest(
        r#"(request_body (show "size" $size) (bump a) (if (i32.eq @a 1) (then (return 3))) 0)"#,
    ))
    .start();
    assert_eq!(post_slowly(&gateway, "size 3").status, 200);
    assert_eq!(gateway.forwarded().body, "def");
}

#[test]
fn s142_a_held_end_is_released_by_continue() {
    let script = format!(
        r#"(request_body (if $end (then {CALL} (set a $ctx))) 1)
           (http_call_response (!effective @a) (read 0 0 -1) (write 0 0 0 "x") (continue 0) (read 0 0 -1))"#
    );
    let gateway = with(guest(&script)).start();
    assert_eq!(
        gateway.ask(format!("{HEAD}{}{END}", chunk("abc"))).status,
        200
    );
    gateway.check(0, &["read 0 abc", "write 0", "continue 0", "read 0 xabc"]);
    assert_eq!(gateway.forwarded().body, "xabc");
}

#[test]
fn s143_trailers_can_be_held() {
    let script = format!(
        r#"(request_trailers {CALL} (set a $ctx) (say "trailers") 1)
           (http_call_response (!effective @a) (get 1 "t") (continue 0) (get 1 "t"))"#
    );
    let gateway = with(guest(&script)).start();
    let request = format!(
        "{}{}0\r\nt: v\r\n\r\n",
        HEAD.replace("host: h", "host: h\r\ntrailer: t"),
        chunk("abc")
    );
    assert_eq!(gateway.ask(request).status, 200);
    gateway.check(0, &["trailers", "get 0 v", "continue 0", "get 2"]);
    assert_eq!(
        (&*gateway.forwarded().body, &*gateway.forwarded().trailers),
        ("abc", "t: v\n")
    );
}

#[test]
fn s144_missing_callbacks_let_everything_pass() {
    for script in [
        "",
        "(request_headers 0)",
        "(request_body 0)",
        "(response_headers 0)",
        "(response_body 0)",
    ] {
        let gateway = with(guest(script)).start();
        assert_eq!(
            gateway.ask(format!("{HEAD}{}{END}", chunk("abc"))).brief(),
            (200, "ok"),
            "{script}"
        );
        assert_eq!(gateway.forwarded().body, "abc");
    }
}

#[test]
fn s145_an_end_without_bytes_is_shown() {
    let gateway = with(guest(
        r#"(request_body (show "size" $size) (show "end" $end))"#,
    ))
    .start();
    let mut client = gateway.client();
    client.send(format!("{HEAD}{}", chunk("abc")));
    gateway.until(0, "end 0");
    client.send(END);
    assert_eq!(client.response().status, 200);
    gateway.check(0, &["size 3", "end 0", "size 0", "end 1"]);
}

#[test]
fn s146_a_request_without_body_ends_with_its_headers() {
    let gateway = with(guest(
        r#"(request_headers (show "end" $end)) (request_body (say "body"))"#,
    ))
    .start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["end 1"]);
}

#[test]
fn s147_responses_are_held_alike() {
    let answer =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n|3\r\ndef\r\n|0\r\n\r\n";
    for (steps, body) in [
        (r#"(response_headers 2)"#, "abcdef"),
        (
            r#"(response_body (if $end (then (!write 1 0 -1 "new") (return 0))) 1)"#,
            "new",
        ),
        (r#"(response_body (if $end (then (return 0))) 2)"#, "abcdef"),
        (
            r#"(response_body (bump a) (if (i32.eq @a 1) (then (return 3))) 0)"#,
            "def",
        ),
        (
            r#"(response_body (bump a) (if (i32.eq @a 1) (then (!write 1 0 -1 "x"))) 0)"#,
            "xdef",
        ),
    ] {
        let gateway = with(guest(steps)).upstream(answer).start();
        assert_eq!(gateway.ask(GET).brief(), (200, body), "{steps}");
    }
    for value in [1, 3, 4] {
        let script = format!(
            r#"(response_headers {CALL} (set a $ctx) {value})
               (response_body (if (i32.eqz @b) (then (show "size" $size))) (set b 1))
               (http_call_response (!effective @a) (get 2 ":status") (add 2 "x-late" "1") (!continue 1))"#
        );
        let gateway = with(guest(&script))
            .upstream(answer)
            .side(
                "||||HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
                Answers::AfterBody,
            )
            .start();
        let response = gateway.ask(GET);
        assert_eq!(
            (response.brief(), response.field("x-late")),
            ((200, "abcdef"), "1")
        );
        gateway.check(0, &["get 0 200", "add 0", "size 6"]);
    }
}

#[test]
fn s147_stop_iteration_of_responses() {
    let gateway = with(guest(
        r#"(response_headers (!remove 2 "content-length") 1)
           (response_body (if $end (then (read 1 0 -1) (replace 2 "x-late" "1") (!write 1 0 -1 "new") (return 0))) 1)"#,
    ))
    .tune(|filter| filter.headers_stop_iteration = Some(true))
    .start();
    let response = gateway.ask(GET);
    assert_eq!(
        (response.brief(), response.field("x-late")),
        ((200, "new"), "1")
    );
    gateway.check(0, &["read 0 ok", "replace 0"]);
}

#[test]
fn s148_a_client_that_goes_away_ends_a_paused_stream() {
    let gateway = with(guest(r#"(trace) (request_headers 1)"#)).start();
    let mut client = gateway.client();
    client.send(GET);
    gateway.until(0, "request_headers 2");
    client.hang_up();
    gateway.until(0, "delete 2");
    let logs = gateway.logs(0);
    assert_eq!(
        logs[logs.len() - 5..],
        [
            "context_create 2",
            "request_headers 2",
            "log 2",
            "done 2",
            "delete 2"
        ]
    );
}

#[test]
fn s149_an_interim_response_is_not_shown() {
    let answer =
        "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let gateway = with(guest(r#"(response_headers (get 2 ":status"))"#))
        .upstream(answer)
        .start();
    assert_eq!(gateway.ask(GET).brief(), (200, "ok"));
    gateway.check(0, &["get 0 200"]);
}

#[test]
fn s149_an_expectation_is_answered_by_the_gateway() {
    let gateway = with(guest(r#"(request_headers (get 0 "expect"))"#)).start();
    let mut client = gateway.client();
    client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n");
    gateway.until(0, "get 1");
    client.send("abc");
    assert_eq!(client.response().brief(), (200, "ok"));
}

#[test]
fn s150_a_response_may_come_while_the_request_is_held() {
    let gateway = Stage::new()
        .filter(guest(
            r#"(request_body (say "body") 2) (response_headers (say "response"))"#,
        ))
        .answers(Answers::AfterHead)
        .start();
    let mut client = gateway.client();
    client.send(format!("{HEAD}{}", chunk("abc")));
    assert_eq!(client.response().brief(), (200, "ok"));
    let mut logs = gateway.logs(0);
    logs.sort();
    assert_eq!(logs, ["body", "response"]);
}
