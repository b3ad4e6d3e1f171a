//! Heads that filters changed: what the upstream reads is what is sent, and what was meant.

use crate::guest::guest;
use crate::stage::{Gateway, is_oracle, with};
use crate::upstream::fields;

fn changing(calls: &str) -> Gateway {
    with(guest(&format!("(request_headers {calls})"))).start()
}

/// A request is answered, and the next one on that connection to the upstream by itself.
#[track_caller]
fn check_length(calls: &str, request: &str, expected: &[&str]) {
    let gateway = changing(calls);
    for _ in 0..2 {
        assert_eq!(gateway.ask(request).brief(), (200, "ok"), "{calls}");
    }
    let seen = gateway.upstream.seen();
    assert_eq!(seen.len(), 2, "{calls}: {seen:?}");
    for seen in seen {
        assert_eq!(fields(&seen.head, "content-length"), expected, "{calls}");
        assert_eq!((&*seen.body, seen.is_whole), ("", true), "{calls}");
    }
}

/// Review 5, F5: a plugin set the length of a request without a body, and the upstream took the
/// beginning of the next client's request for the body.
#[test]
fn a_request_that_ends_with_its_head_announces_no_body() {
    if is_oracle() {
        // It sends what the filter wrote, and nothing.
        return;
    }
    let get = "GET /p HTTP/1.1\r\nhost: h\r\n\r\n";
    let post = "POST /p HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n";
    for length in ["5", "+5", "-1", "0,5", "5 5"] {
        let replace = format!(r#"(replace 0 "content-length" "{length}")"#);
        check_length(&replace, get, &[]);
        check_length(&replace, post, &["0"]);
        check_length(&format!(r#"(add 0 "Content-Length" "{length}")"#), get, &[]);
    }
    let pairs = r#"(set_pairs 0 "{:method:GET;:path:/p;:authority:h;content-length:7}")"#;
    check_length(pairs, post, &[]);
}

/// The same where the end comes with an empty body, which a filter held.
#[test]
fn an_empty_body_that_was_held_is_announced_as_none() {
    if is_oracle() {
        return;
    }
    let script = r#"(request_headers (replace 0 "content-length" "5") 1)
        (request_body (if $end (then (return (i32.const 0)))) 1)"#;
    let gateway = with(guest(script))
        .tune(|filter| filter.headers_stop_iteration = Some(true))
        .start();
    let request = "POST /p HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    for _ in 0..2 {
        assert_eq!(gateway.ask(request).brief(), (200, "ok"));
    }
    for seen in gateway.upstream.seen() {
        assert_eq!(fields(&seen.head, "content-length"), ["0"]);
        assert!(seen.is_whole);
    }
}

/// A body that is shorter than the filter says cannot be sent, and takes its connection with it.
#[test]
fn a_body_shorter_than_announced_is_refused() {
    if is_oracle() {
        return;
    }
    let gateway = changing(r#"(replace 0 "content-length" "50")"#);
    let request = "POST /p HTTP/1.1\r\nhost: h\r\ncontent-length: 8\r\n\r\n12345678";
    let response = gateway.ask(request);
    assert_eq!(
        response.brief(),
        (503, "invalid header value for: content-length")
    );
    let details =
        "filter_removed_required_request_headers{invalid_header_value_for:_content-length}";
    assert_eq!(gateway.details(), details);
    assert!(gateway.upstream.seen().iter().all(|seen| !seen.is_whole));
}

#[test]
fn a_length_that_is_none_never_leaves() {
    if is_oracle() {
        return;
    }
    let request = "POST /p HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc";
    for length in ["+3", "-1", "x", "3,4"] {
        let gateway = changing(&format!(r#"(replace 0 "content-length" "{length}")"#));
        assert_eq!(gateway.ask(request).status, 200);
        let seen = gateway.upstream.until(|_| true);
        assert_eq!(fields(&seen.head, "content-length"), [""; 0], "{length}");
        assert_eq!(fields(&seen.head, "transfer-encoding"), ["chunked"]);
        assert_eq!(seen.body, "abc");
    }
}

/// Review 5, F7: a path in absolute form names a host, which counts more than `host`.
#[test]
fn a_target_that_could_be_read_otherwise_is_refused() {
    if is_oracle() {
        return;
    }
    for (name, value) in [
        (":path", "http://evil.test/admin"),
        (":path", "evil.test/admin"),
        (":path", "*"),
        (":path", ""),
        (":path", "?q"),
        (":path", "/a b"),
        (":method", "PRI"),
        (":method", "G T"),
        (":method", ""),
        (":method", "CONNECT"),
        ("host", "evil.test/x y"),
        (":authority", "u@evil.test"),
        (":authority", "evil.test/x"),
        (":authority", "a b"),
    ] {
        let gateway = changing(&format!(r#"(replace 0 "{name}" "{value}")"#));
        let response = gateway.ask("GET /p HTTP/1.1\r\nhost: h\r\n\r\n");
        assert_eq!(response.status, 503, "{name}: {value}");
        let details = gateway.details();
        assert!(
            details.starts_with("filter_removed_required_request_headers{"),
            "{details}"
        );
        assert_eq!(gateway.upstream.seen(), [], "{name}: {value}");
    }
    let gateway = changing(r#"(replace 0 ":path" "*") (replace 0 ":method" "OPTIONS")"#);
    assert_eq!(gateway.ask(crate::stage::GET).status, 200);
    let head = gateway.upstream.until(|_| true).head;
    assert!(head.starts_with("OPTIONS * HTTP/1.1"), "{head}");
}

/// The same in callouts: a plugin that composes one is told.
#[test]
fn callouts_go_to_paths() {
    if is_oracle() {
        return;
    }
    let call = |head: &str| format!(r#"(call "side" "{{{head}}}" "" "" 1000)"#);
    let calls = [
        call(":method:GET;:path:x;:authority:s"),
        call(":method:GET;:path:*;:authority:s"),
        call(":method:GET;:path:/c;:authority:s s"),
        call(":method:GET;:path:/c;:authority:s@t"),
        call(":method:PRI;:path:/c;:authority:s"),
        call(":method:GET;:path:/c;:authority:outbound|80||s"),
    ];
    let gateway = changing(&calls.join(" "));
    assert_eq!(gateway.ask(crate::stage::GET).status, 200);
    let lines = gateway.logs_when(0, 6);
    assert!(
        lines[..5].iter().all(|line| line.starts_with("call 2")),
        "{lines:?}"
    );
    let head = gateway.side.until(|_| true).head;
    assert!(head.contains("outbound|80||s"), "{head}");
}

/// Review 5, F4: only time bounded what a filter put into a map, and no limit counted it.
#[test]
fn what_filters_write_is_bounded() {
    if is_oracle() {
        return;
    }
    // Bytes at 1 MiB of memory, behind the texts: half of what a map may hold, and too long an answer.
    let add =
        r#"(!env proxy_add_header_map_value 0 (ptr "x-a") 3 1048576 524288) (show "half" @status)"#;
    let script = format!(
        r#"(request_headers (memory.fill (i32.const 1048576) (i32.const 97) (i32.const 524288))
            {add} {add} {add} (!replace 0 "x-a" "b") {add} (!remove 0 "x-a")
            (loop $more (bump a) (!add 0 "x-b" "c") (br_if $more (i32.eqz @status)))
            (show "added" @a)
            (!env proxy_set_buffer_bytes 0 0 0 1048576 16) (show "none" @status)
            (!env proxy_send_local_response 200 0 0 1048576 16777217 0 0 -1) (show "answer" @status)
            (!remove 0 "x-b"))
          (request_body
            (loop $more (bump b) (!env proxy_set_buffer_bytes 0 0 0 1048576 8388608) (br_if $more (i32.eqz @status)))
            (show "parts" @b) (show "status" @status)
            (!env proxy_set_buffer_bytes 0 0 -1 1048576 3) (show "replaced" @status))"#
    );
    let gateway = with(guest(&script)).start();
    let request = "POST /p HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc";
    assert_eq!(gateway.ask(request).brief(), (200, "ok"));
    let lines = gateway.logs_when(0, 10);
    let (first, rest) = lines.split_at(4);
    assert_eq!(first, ["half 0", "half 10", "half 10", "half 0"]);
    let added: u32 = rest[0]
        .strip_prefix("added ")
        .expect("a number")
        .parse()
        .expect("a number");
    assert!((1000..=1024).contains(&added), "{added}");
    let expected = ["none 2", "answer 10", "parts 4", "status 10", "replaced 0"];
    assert_eq!(rest[1..], expected);
    let seen = gateway.upstream.until(|seen| seen.is_whole);
    assert_eq!(seen.body, "aaa");
}
