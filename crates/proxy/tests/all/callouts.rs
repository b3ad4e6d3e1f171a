//! HTTP callouts: statements 224 to 240.

use crate::guest::guest;
use crate::stage::{GET, OK, is_oracle, with};
use crate::upstream::{Answers, PATIENCE};

const CALL: &str = r#"(call "side" "{:method:GET;:path:/c;:authority:s}" "" "" 1000)"#;

/// A guest whose request waits for these calls.
fn calling(steps: &str, answered: &str) -> Vec<u8> {
    guest(&format!(
        r#"(request_headers {steps} (set a $ctx) 1)
           (http_call_response {answered} (!effective @a) (!continue 0))"#
    ))
}

#[test]
fn s224_to_s227_calls_that_cannot_be_made() {
    let gateway = with(guest(
        r#"(request_headers
             (call "nosuch" "{:method:GET;:path:/;:authority:s}" "" "" 1000)
             (call "side" "{:method:GET;:path:/}" "" "" 1000)
             (call "side" "{:method:GET;:authority:s}" "" "" 1000)
             (call "side" "{:path:/;:authority:s}" "" "" 1000)
             (call "side" "{:method:GET;:path:/;:authority:s}" "" "" -1)
             (call "side" "{:method:GET;:path:/;:authority:s}" "" "" 1000 -4))"#,
    ))
    .start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(
        0,
        &[
            "call 2 0", "call 2 0", "call 2 0", "call 2 0", "call 2 0", "call 6 0",
        ],
    );
    assert!(gateway.side.seen().is_empty());
}

#[test]
fn s228_s229_a_call_and_its_answer() {
    let gateway = with(calling(
        r#"(call "side" "{:method:POST;:path:/c;:authority:s;x-a:1;x-a:2}" "body" "{t:v}" 1000)"#,
        r#"(show "ctx" $ctx) (show "token" $token) (show "n" $n) (show "size" $size) (show "trailers" $trailers)
           (get 6 ":status") (get 6 "x-b") (pairs 6) (read 4 0 -1) (length 4) (pairs 7) (status)"#,
    ))
    .side("HTTP/1.1 201 Created\r\nx-b: 1\r\ncontent-length: 6\r\n\r\nanswer", Answers::AfterBody)
    .start();
    assert_eq!(gateway.ask(GET).status, 200);
    let seen = gateway.side.until(|seen| seen.is_whole);
    assert!(seen.head.starts_with("POST /c HTTP/1.1"), "{}", seen.head);
    assert_eq!(
        (seen.all("host"), seen.all("content-length"), &*seen.body),
        (vec!["s"], vec!["4"], "body")
    );
    assert_eq!(
        (
            seen.all("x-a"),
            seen.all("x-envoy-internal"),
            seen.all("x-forwarded-for").len()
        ),
        (vec!["1", "2"], vec!["true"], 0)
    );
    let logs = gateway.logs_when(0, 13);
    let (n, pairs) = if is_oracle() {
        (&logs[3], &logs[8])
    } else {
        (
            &"n 3".to_owned(),
            &"pairs 0 :status=201;x-b=1;content-length=6;".to_owned(),
        )
    };
    assert_eq!(
        logs,
        [
            "call 0 4",
            "ctx 1",
            "token 4",
            n,
            "size 6",
            "trailers 0",
            "get 0 201",
            "get 0 1",
            pairs,
            "read 0 answer",
            "length 0 6 0",
            "pairs 0 -",
            "status 0 0 -"
        ]
    );
}

#[test]
fn s230_calls_in_flight_have_their_tokens() {
    let gateway = with(guest(&format!(
        r#"(request_headers {CALL} {CALL} {CALL} (set a $ctx) 1)
           (http_call_response (bump b) (show "token" $token) (if (i32.eq @b 3) (then (!effective @a) (!continue 0))))"#
    )))
    .start();
    assert_eq!(gateway.ask(GET).status, 200);
    let mut logs = gateway.logs_when(0, 6);
    logs[3..].sort();
    assert_eq!(
        logs,
        [
            "call 0 4",
            "call 0 8",
            "call 0 12",
            "token 12",
            "token 4",
            "token 8"
        ]
    );
}

#[test]
fn s231_a_timeout_looks_like_504() {
    let gateway = with(calling(
        r#"(call "side" "{:method:GET;:path:/c;:authority:s}" "" "" 50)"#,
        r#"(get 6 ":status") (read 4 0 -1) (status)"#,
    ))
    .side("", Answers::Never)
    .start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(
        0,
        &[
            "call 0 4",
            "get 0 504",
            "read 0 upstream request timeout",
            "status 0 0 -",
        ],
    );
}

#[test]
fn s232_a_refused_connection_looks_like_503() {
    let gateway = with(calling(
        r#"(call "dead" "{:method:GET;:path:/c;:authority:s}" "" "" 1000)"#,
        r#"(get 6 ":status") (status)"#,
    ))
    .start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["call 0 4", "get 0 503", "status 0 0 -"]);
}

#[test]
fn s233_a_reset_within_the_body() {
    let gateway = with(calling(
        CALL,
        r#"(show "n" $n) (show "size" $size) (get 6 ":status") (pairs 6) (read 4 0 -1) (status)"#,
    ))
    .side(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 6\r\n\r\nabc",
        Answers::AfterBody,
    )
    .start();
    assert_eq!(gateway.ask(GET).status, 200);
    let logs = gateway.logs_when(0, 7);
    assert_eq!(logs[1..3], ["n 0", "size 0"]);
    assert_eq!(logs[4..], ["pairs 0 -", "read 1", "status 0 11 reset"]);
}

#[test]
fn s234_the_answer_never_comes_within_the_call() {
    let gateway = with(calling(
        &format!(r#"{CALL} (say "after")"#),
        r#"(say "answer")"#,
    ))
    .start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["call 0 4", "after", "answer"]);
}

#[test]
fn s235_the_answer_comes_although_the_stream_ended() {
    let gateway = with(guest(&format!(
        r#"(request_headers {CALL} (set a $ctx)) (delete (say "deleted")) (http_call_response (get 6 ":status") (effective @a))"#
    )))
    .side(format!("|||||{OK}"), Answers::AfterBody)
    .start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["call 0 4", "deleted", "get 0 200", "effective 2"]);
}

#[test]
fn s236_outside_the_callback_there_is_nothing() {
    let gateway = with(guest(
        r#"(request_headers (get 6 ":status") (pairs 6) (read 4 0 9) (length 4) (bytes_of 6) (status))"#,
    ))
    .start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(
        0,
        &[
            "get 2",
            "pairs 0 -",
            "read 1",
            "length 1",
            "bytes_of 2",
            "status 0 0 -",
        ],
    );
}

#[test]
fn s237_s238_calls_from_root_callbacks() {
    if is_oracle() {
        // Its main thread has a VM of its own that logs, too.
        return;
    }
    let gateway = with(guest(&format!(
        r#"(vm_start {CALL} 1) (configure {CALL} (!tick_every 30) 1)
           (tick (!tick_every 0) {CALL})
           (http_call_response (get 6 ":status") (bump b) (if (i32.eq @b 3) (then {CALL})))"#
    )))
    .start();
    let logs = gateway.logs_when(0, 8);
    assert_eq!(
        logs.iter().filter(|line| *line == "get 0 200").count(),
        4,
        "{logs:?}"
    );
}

#[test]
fn s239_trailers_of_the_answer() {
    let gateway = with(calling(
        CALL,
        r#"(show "trailers" $trailers) (get 7 "t") (pairs 7)"#,
    ))
    .side(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nt: v\r\n\r\n",
        Answers::AfterBody,
    )
    .start();
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["call 0 4", "trailers 1", "get 0 v", "pairs 0 t=v;"]);
}

#[test]
fn s240_a_root_that_is_gone_gets_no_answer() {
    if is_oracle() {
        return;
    }
    let gateway = with(guest(&format!(
        r#"(configure {CALL} 1) (delete (show "delete" $ctx)) (http_call_response (say "answer"))"#
    )))
    .side(format!("||||||||{OK}"), Answers::AfterBody)
    .start();
    gateway.side.until(|seen| seen.is_whole);
    let lines = gateway.lines(0);
    gateway.drain();
    std::thread::sleep(PATIENCE / 16);
    assert_eq!(*crate::upstream::locked(&lines), ["call 0 4", "delete 1"]);
}
