//! When header maps can be used, and what changing them does: statements 97 to 113.

use crate::guest::guest;
use crate::stage::{GET, with};

/// What a script in the request's headers callback logs for the plain request.
#[track_caller]
fn check(steps: &str, expected: &[&str]) {
    let gateway = with(guest(&format!("(request_headers {steps})"))).start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, expected);
}

#[test]
fn s097_there_are_eight_maps() {
    check(
        r#"(get 8 "a") (add 8 "a" "b") (replace 8 "a" "b") (remove 8 "a") (pairs 8) (set_pairs 8 "") (bytes_of 8)"#,
        &[
            "get 2",
            "add 2",
            "replace 2",
            "remove 2",
            "pairs 2",
            "set_pairs 2",
            "bytes_of 2",
        ],
    );
}

#[test]
fn s098_to_s100_s104_maps_come_and_go() {
    let gateway = with(guest(
        r#"(request_headers (get 2 ":status") (pairs 2) (get 0 ":path") 0)
           (request_body (if $end (then (get 0 ":path") (pairs 0) (add 0 "x" "y") (bytes_of 0))))
           (response_headers (get 0 ":path") (get 2 ":status"))
           (response_body (if $end (then (get 2 ":status") (pairs 2))))"#,
    ))
    .start();
    let request = "POST /p HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\n\r\na";
    assert_eq!(gateway.ask(request).status, 200);
    gateway.check(
        0,
        &[
            "get 2",
            "pairs 0 -",
            "get 0 /p",
            "get 2",
            "pairs 0 -",
            "add 2",
            "bytes_of 2",
            "get 2",
            "get 0 200",
            "get 2",
            "pairs 0 -",
        ],
    );
}

const CALL: &str = r#"(!call "side" "{:method:GET;:path:/;:authority:s}" "" "" 1000)"#;

#[test]
fn s101_s102_request_headers_stay_while_the_callback_holds() {
    let gateway = with(guest(&format!(
        r#"(request_headers {CALL} (set a $ctx) 1)
           (http_call_response (effective @a) (get 0 ":path") (replace 0 ":path" "/new") (continue 0) (get 0 ":path"))
           (response_headers (get 0 ":path"))"#
    )))
    .start();
    assert_eq!(gateway.ask(GET).status, 200);
    assert_eq!(gateway.forwarded().path(), "/new");
    let logs = gateway.logs_when(0, 6);
    assert_eq!(
        logs[..4],
        ["effective 0", "get 0 /p?q=1", "replace 0", "continue 0"]
    );
    assert_eq!(logs.last().map(String::as_str), Some("get 2"));
}

#[test]
fn s103_resuming_the_response_takes_request_headers_only() {
    let gateway = with(guest(&format!(
        r#"(request_headers (set a $ctx) 0)
           (response_headers {CALL} (get 2 ":status") 1)
           (http_call_response (!effective @a) (continue 1))
           (response_body (get 0 ":path") (get 2 ":status"))"#
    )))
    .start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["get 0 200", "continue 0", "get 2", "get 0 200"]);
}

#[test]
fn s105_s106_the_log_phase_reads_and_does_not_write() {
    let gateway = with(guest(
        r#"(log (get 0 ":path") (get 2 ":status") (get 3 "t") (get 1 "rt") (get 0 "x-absent") (get 2 "x-absent")
                (add 0 "x" "y") (add 2 "x" "y") (remove 3 "t") (pairs 1) (bytes_of 0))"#,
    ))
    .upstream("HTTP/1.1 200 OK\r\ntrailer: t, u\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nt: v\r\n\r\n")
    .start();
    let request = "POST /p HTTP/1.1\r\nhost: h\r\nte: trailers\r\ntrailer: rt\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nrt: v\r\n\r\n";
    assert_eq!(gateway.ask(request).status, 200);
    gateway.check(
        0,
        &[
            "get 0 /p",
            "get 0 200",
            "get 0 v",
            "get 1",
            "get 1",
            "get 1",
            "add 2",
            "add 2",
            "remove 2",
            "pairs 0 -",
            "bytes_of 2",
        ],
    );
}

#[test]
fn s107_the_size_is_of_keys_and_values() {
    check(
        r#"(!set_pairs 0 "{:method:GET;:path:/;:authority:h;:scheme:http;x-forwarded-proto:http;x:}") (bytes_of 0)"#,
        &["bytes_of 0 60"],
    );
}

#[test]
fn s108_s109_callout_maps_outside_their_callbacks() {
    let one =
        |map: u32| format!(r#"(get {map} "a") (pairs {map}) (add {map} "a" "b") (bytes_of {map})"#);
    let steps: String = (4..8).map(one).collect();
    let expected = ["get 2", "pairs 0 -", "add 2", "bytes_of 2"].repeat(4);
    check(&steps, &expected);
}

#[test]
fn s110_a_request_header_selects_the_route_again() {
    let gateway = with(guest(r#"(request_headers (add 0 "x-route" "side"))"#)).start();
    assert_eq!(gateway.ask(GET).status, 200);
    assert_eq!(
        (gateway.upstream.seen().len(), gateway.side.seen().len()),
        (0, 1)
    );
    let gateway = with(guest(r#"(request_headers (replace 0 ":path" "/other"))"#)).start();
    assert_eq!(gateway.ask(GET).brief(), (200, "other"));
    let gateway = with(guest(
        r#"(response_headers (add 2 "x-route" "side") (prop "xds\00route_name"))"#,
    ))
    .start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["add 0", "prop 0 main"]);
}

#[test]
fn s110_properties_tell_the_old_route_until_the_new_one_is_chosen() {
    check(
        r#"(prop "xds\00route_name") (add 0 "x-route" "side") (prop "xds\00route_name") (prop "xds\00cluster_name")"#,
        &["prop 0 main", "add 0", "prop 0 main", "prop 0 up"],
    );
}

#[test]
fn s111_trailers_can_be_made_at_the_end_of_a_body() {
    let gateway = with(guest(
        r#"(request_body (if $end (then (add 1 "rt" "v"))))
                                (request_trailers (say "never"))"#,
    ))
    .filter(guest(
        r#"(request_body (show "end" $end)) (request_trailers (show "trailers" $n) (get 1 "rt"))"#,
    ))
    .start();
    let request = "POST /p HTTP/1.1\r\nhost: h\r\ntrailer: rt\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
    assert_eq!(gateway.ask(request).status, 200);
    gateway.check(0, &["add 0"]);
    let logs = gateway.logs(1);
    assert_eq!(logs[logs.len() - 2..], ["trailers 1", "get 0 v"]);
    assert!(!logs.iter().any(|line| line == "end 1"), "{logs:?}");
    assert_eq!(gateway.forwarded().trailers, "rt: v\n");
}

#[test]
fn s112_s113_trailers_before_the_end_are_not_there() {
    let gateway = with(guest(
        r#"(request_body (if (i32.eqz $end) (then (get 1 "rt") (add 1 "rt" "v"))))
                                (request_trailers (say "never"))"#,
    ))
    .start();
    let mut client = gateway.client();
    client.send("POST /p HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\na");
    gateway.until(0, "add 2");
    client.send("b");
    assert_eq!(client.response().status, 200);
    assert_eq!(gateway.logs(0)[..2], ["get 2", "add 2"]);
    assert_eq!(gateway.forwarded().trailers, "");
}

#[test]
fn trailers_of_both_sides_pass_and_can_be_edited() {
    let gateway = with(guest(
        r#"(request_trailers (show "n" $n) (get 1 "rt") (replace 1 "rt" "w"))
           (response_trailers (show "n" $n) (get 3 "t") (add 3 "u" "x"))"#,
    ))
    .upstream("HTTP/1.1 200 OK\r\ntrailer: t, u\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nt: v\r\n\r\n")
    .start();
    let request = "POST /p HTTP/1.1\r\nhost: h\r\nte: trailers\r\ntrailer: rt\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nrt: v\r\n\r\n";
    let response = gateway.ask(request);
    gateway.check(
        0,
        &["n 1", "get 0 v", "replace 0", "n 1", "get 0 v", "add 0"],
    );
    assert_eq!(gateway.forwarded().trailers, "rt: w\n");
    assert_eq!(response.trailers, "t: v\nu: x\n");
}
