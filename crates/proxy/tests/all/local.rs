//! Local responses: statements 156 to 179.

use crate::guest::guest;
use crate::stage::{GET, Stage, is_oracle, with};
use crate::upstream::Answers;

const CALL: &str = r#"(!call "side" "{:method:GET;:path:/;:authority:s}" "" "" 1000)"#;

#[test]
fn s156_to_s160_s162_s168_a_reply_to_the_request() {
    let gateway = with(guest(
        r#"(request_headers (reply 418 "some details" "body" "{X-B:1;x-a:2;X-B:3;content-length:99}" -1) (say "after") 0)
           (response_headers (show "end" $end) (get 2 ":status") (prop "response\00code_details") (prop "upstream\00address"))
           (response_body (show "size" $size))"#,
    ))
    .start();
    let response = gateway.ask(GET);
    assert_eq!(response.brief(), (418, "body"));
    assert_eq!(
        (
            response.field("content-type"),
            response.all("content-length")
        ),
        ("text/plain", vec!["4"])
    );
    assert_eq!(
        (response.all("x-b"), response.all("x-a")),
        (vec!["1", "3"], vec!["2"])
    );
    gateway.check(
        0,
        &[
            "reply 0",
            "after",
            "end 0",
            "get 0 418",
            "prop 0 some_details",
            "prop 1",
            "size 4",
        ],
    );
    assert!(gateway.upstream.seen().is_empty());
    assert_eq!(gateway.details(), "some_details");
}

/// A reply of the request's headers callback, as the client gets it.
#[track_caller]
fn reply(request: &str, arguments: &str) -> crate::client::Response {
    let gateway = with(guest(&format!("(request_headers (!reply {arguments}))"))).start();
    let mut client = gateway.client();
    client.send(request);
    if request.starts_with("HEAD") {
        client.head_response()
    } else {
        client.response()
    }
}

#[test]
fn s160_the_guests_content_type_stays() {
    let response = reply(GET, r#"200 "" "{}" "{content-type:application/json}" -1"#);
    assert_eq!(response.all("content-type"), ["application/json"]);
}

#[test]
fn s161_an_empty_body_has_no_type() {
    let gateway = with(guest(
        r#"(request_headers (!reply 403 "" "" "{content-type:text/html;content-length:3}" -1)) (response_headers (show "end" $end))"#,
    ))
    .start();
    let response = gateway.ask(GET);
    assert_eq!(
        (response.brief(), response.field("content-type")),
        ((403, ""), "")
    );
    assert_eq!(response.field("content-length"), "0");
    gateway.check(0, &["end 1"]);
}

#[test]
fn s163_a_reply_to_head_has_a_length_and_no_body() {
    let response = reply(
        "HEAD / HTTP/1.1\r\nhost: h\r\n\r\n",
        r#"200 "" "body" "" -1"#,
    );
    assert_eq!(
        (
            response.field("content-length"),
            response.field("content-type")
        ),
        ("4", "text/plain")
    );
}

#[test]
fn s164_s165_replies_to_grpc() {
    let request =
        "POST / HTTP/1.1\r\nhost: h\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n\r\n";
    for (arguments, status, message) in [
        (r#"403 "" "no way%" "" -1"#, "7", "no way%25"),
        (r#"403 "" "" "" 5"#, "5", ""),
        (r#"401 "" "" "" 17"#, "16", ""),
        (r#"429 "" "" "" -1"#, "14", ""),
        (r#"418 "" "" "" -1"#, "2", ""),
        (r#"200 "" "" "{grpc-status:9}" -1"#, "9", ""),
    ] {
        let response = reply(request, arguments);
        assert_eq!(
            (response.status, response.field("content-type")),
            (200, "application/grpc"),
            "{arguments}"
        );
        assert_eq!(
            (
                response.field("grpc-status"),
                response.field("grpc-message")
            ),
            (status, message),
            "{arguments}"
        );
    }
}

#[test]
fn s169_malformed_headers_are_left_out() {
    let response = reply(GET, r#"403 "" "no" "\02\00\00\00\ff" -1"#);
    assert_eq!(response.brief(), (403, "no"));
}

#[test]
fn s170_s179_a_reply_from_the_body() {
    let gateway = with(guest(
        r#"(request_body (say "body") (!reply 403 "d" "no" "" -1))"#,
    ))
    .start();
    let mut client = gateway.client();
    client.send("POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
    assert_eq!(client.response().brief(), (403, "no"));
    client.send("3\r\ndef\r\n0\r\n\r\n");
    gateway.check(0, &["body"]);
}

#[test]
fn s171_s178_a_reply_from_a_callout() {
    let script = format!(
        r#"(request_headers {CALL} (set a $ctx) 1)
           (http_call_response (!effective @a) (reply 403 "d" "no" "" -1) (continue 0))
           (response_headers (get 2 ":status"))"#
    );
    let gateway = with(guest(&script)).start();
    assert_eq!(gateway.ask(GET).brief(), (403, "no"));
    gateway.check(0, &["reply 0", "continue 0", "get 0 403"]);
    assert!(gateway.upstream.seen().is_empty());
}

#[test]
fn s172_a_reply_to_the_response_goes_straight_to_the_client() {
    let gateway = Stage::new()
        .filter(guest(
            r#"(response_headers (say "seen") (!add 2 "x-a" "1"))"#,
        ))
        .filter(guest(
            r#"(response_headers (!reply 418 "d" "no" "{x-b:1}" -1))"#,
        ))
        .start();
    let response = gateway.ask(GET);
    assert_eq!(
        (
            response.brief(),
            response.field("x-b"),
            response.field("x-a")
        ),
        ((418, "no"), "1", "")
    );
    gateway.check(0, &[]);
}

#[test]
fn s172_a_reply_from_a_callout_while_the_response_is_held() {
    let script = format!(
        r#"(response_headers {CALL} (set a $ctx) 1)
           (http_call_response (!effective @a) (reply 418 "d" "no" "" -1))"#
    );
    let gateway = with(guest(&script)).start();
    assert_eq!(gateway.ask(GET).brief(), (418, "no"));
}

#[test]
fn s173_a_reply_after_the_head_resets_the_stream() {
    let gateway = with(guest(
        r#"(response_body (bump a) (if (i32.eq @a 2) (then (!reply 418 "d" "no" "" -1))))"#,
    ))
    .upstream("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc|||def")
    .start();
    let response = gateway.ask(GET);
    assert_eq!((response.status, response.was_cut), (200, true));
}

#[test]
fn s174_a_reply_to_ones_own_reply_is_the_one() {
    let gateway = with(guest(
        r#"(request_headers (!reply 403 "first" "one" "" -1)) (response_headers (!reply 404 "second" "two" "" -1))"#,
    ))
    .start();
    let mut client = gateway.client();
    client.send(GET);
    assert_eq!(client.response().brief(), (404, "two"));
}

#[test]
fn s175_the_first_of_two_wins() {
    let response = reply(GET, r#"403 "" "one" "" -1) (!reply 404 "" "two" "" -1"#);
    assert_eq!(response.brief(), (403, "one"));
}

#[test]
fn s176_s177_without_a_stream_nothing_happens() {
    // Envoy 1.40 drops the connection if a guest replies in its log phase.
    let log = if is_oracle() {
        ""
    } else {
        r#"(log (reply 403 "" "" "" -1))"#
    };
    let gateway = with(guest(&format!(
        r#"(configure (!tick_every 20) 1)
           (tick (bump a) (if (i32.eq @a 1) (then (reply 403 "" "" "" -1) (continue 0) (close 0))))
           {log}"#
    )))
    .start();
    gateway.until(0, "close 0");
    assert_eq!(gateway.ask(GET).brief(), (200, "ok"));
    let mut expected = vec!["reply 0", "continue 0", "close 0"];
    if is_oracle() {
        return;
    }
    expected.push("reply 0");
    gateway.check(0, &expected);
}

#[test]
fn a_reply_while_the_upstream_is_silent_frees_it() {
    let script = format!(
        r#"(request_headers {CALL} (set a $ctx) 0)
           (http_call_response (!effective @a) (reply 403 "d" "no" "" -1))"#
    );
    let gateway = with(guest(&script)).answers(Answers::Never).start();
    assert_eq!(gateway.ask(GET).brief(), (403, "no"));
    gateway.upstream.until(|seen| seen.broke_off);
    assert!(is_oracle() || gateway.details() == "d");
}
