//! gRPC callouts: what statements 241 to 248 of the conformance kit leave out, or need to see from
//! within.

use std::time::{Duration, Instant};

use h2::Reason;

use crate::guest::guest;
use crate::peer::{Peer, Step, framed};
use crate::stage::{GET, Gateway, is_oracle, with};
use crate::upstream::eventually;

/// A gateway whose guest makes calls to a server that plays steps.
fn calling(script: &str, steps: Vec<Step>) -> (Gateway, Peer) {
    let peer = Peer::start(steps);
    let gateway = with(guest(script)).peer(peer.address).start();
    (gateway, peer)
}

const OK: &[(&str, &str)] = &[("grpc-status", "0")];

#[test]
fn s242_a_call_and_its_answer() {
    let (gateway, peer) = calling(
        r#"(request_headers (grpc_call "peer" "pkg.Svc" "Do" "{x-a:1;x-b-bin:\00\01}" "hello" 1000))
           (grpc_receive (show "of" $token) (read 5 0 -1))"#,
        vec![
            Step::Head(200, &[]),
            Step::Message("one"),
            Step::Trailers(OK),
        ],
    );
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["grpc_call 0 5", "of 5", "read 0 one"]);
    let call = peer.until(|call| call.has_ended);
    assert_eq!((&*call.path, &*call.authority), ("/pkg.Svc/Do", "peer"));
    let names: Vec<&str> = call.fields.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "te",
        "grpc-timeout",
        "content-type",
        "x-a",
        "x-b-bin",
        "x-envoy-internal",
        "x-envoy-expected-rq-timeout-ms",
    ];
    assert_eq!(names, expected);
    assert_eq!(call.field("x-b-bin"), Some("AAE="));
    assert_eq!(call.messages, [b"hello"]);
}

/// What a server sends behind its head, and the status that comes of it.
#[track_caller]
fn check_frames(bytes: &'static [u8], expected: &[&str]) {
    let (gateway, peer) = calling(
        r#"(request_headers (!grpc_stream "peer" "s" "m" ""))
           (grpc_receive (show "message" $size))
           (grpc_close (show "close" $status))"#,
        vec![
            Step::Head(200, &[]),
            Step::Bytes(bytes::Bytes::from_static(bytes)),
            Step::Pause(Duration::from_millis(50)),
            Step::Trailers(OK),
        ],
    );
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, expected);
    peer.until(|call| expected.last() == Some(&"close 0") || call.reset.is_some());
}

#[test]
fn bytes_that_are_no_messages_end_a_stream() {
    check_frames(b"\0\0\0\0\x01a\x01\0\0\0\x01b", &["message 1", "close 13"]);
    check_frames(b"\x04", &["close 13"]);
    check_frames(b"\x80\0\0\0\0", &["close 13"]);
    check_frames(b"\x01\0\0\0\0", &["message 0", "close 0"]);
    check_frames(b"\0\0\0\0\x05ab", &["close 0"]);
}

#[test]
fn a_message_beyond_the_limit_ends_a_stream() {
    if is_oracle() {
        return;
    }
    check_frames(b"\0\x7F\0\0\0", &["close 8"]);
}

#[test]
fn a_guest_that_sends_without_end_learns_it() {
    if is_oracle() {
        return;
    }
    // 64 times a mebibyte of its own memory.
    let (gateway, peer) = calling(
        r#"(request_headers (!grpc_stream "peer" "s" "m" "") (set a (out))
             (loop $again
               (drop (call $proxy_grpc_send (global.get $a) (i32.const 0x100000) (i32.const 0x100000) (i32.const 0)))
               (bump b) (if (i32.lt_u @b 64) (then (br $again))))
             (grpc_send @a "x" 0))
           (grpc_receive_trailing_metadata (show "trailing" $n))
           (grpc_close (show "close" $status) (status) (grpc_close $token) (grpc_close $token))"#,
        vec![Step::Pause(Duration::from_secs(20))],
    );
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(
        0,
        &[
            "grpc_send 0",
            "trailing 0",
            "close 8",
            "status 0 8 the server does not take what the plugin sends",
            "grpc_close 0",
            "grpc_close 1",
        ],
    );
    drop(peer);
}

#[test]
fn a_trap_in_a_grpc_callback_ends_the_calls_of_the_vm() {
    if is_oracle() {
        return;
    }
    let (gateway, peer) = calling(
        r#"(request_headers (!grpc_stream "peer" "s" "hold" "") (!grpc_call "dead2" "s" "m" "" "x" 1000) (say "asked") 1)
           (grpc_close (say "close") (unreachable))"#,
        vec![],
    );
    // The paused request fails with the VM.
    assert_eq!(gateway.ask(GET).status, 503);
    gateway.check(0, &["asked", "close"]);
    let call = peer.until(|call| call.reset.is_some());
    assert_eq!(call.reset, Some(u32::from(Reason::CANCEL)));
    // The next VM begins anew.
    assert_eq!(gateway.ask(GET).status, 503);
    gateway.check(0, &["asked", "close", "asked", "close"]);
}

#[test]
fn calls_end_with_their_root() {
    if is_oracle() {
        return;
    }
    let (gateway, peer) = calling(
        r#"(request_headers (!grpc_stream "peer" "s" "m" "") (say "asked"))"#,
        vec![],
    );
    assert_eq!(gateway.ask(GET).status, 200);
    peer.until(|call| call.reset.is_none());
    gateway.drain();
    peer.until(|call| call.reset.is_some());
}

#[test]
fn all_calls_share_a_connection() {
    let (gateway, peer) = calling(
        r#"(request_headers
             (loop $again (!grpc_call "peer" "s" "m" "" "x" 5000) (bump b) (if (i32.lt_u @b 60) (then (br $again)))))
           (grpc_receive (bump c) (if (i32.eq @c 60) (then (say "all"))))"#,
        vec![
            Step::Pause(Duration::from_millis(30)),
            Step::Head(200, &[]),
            Step::Message("one"),
            Step::Trailers(OK),
        ],
    );
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["all"]);
    assert_eq!((peer.calls().len(), peer.connections()), (60, 1));
}

#[test]
fn no_more_calls_than_allowed() {
    if is_oracle() {
        return;
    }
    let (gateway, _peer) = calling(
        r#"(request_headers
             (loop $again (!grpc_stream "peer" "s" "m" "") (set a (out)) (bump b) (if (i32.lt_u @b 1024) (then (br $again))))
             (show "last" @a) (grpc_stream "peer" "s" "m" "") (grpc_call "peer" "s" "m" "" "x" 1000)
             (grpc_cancel @a) (grpc_stream "peer" "s" "m" ""))"#,
        vec![],
    );
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(
        0,
        &[
            "last 4098",
            "grpc_stream 10 0",
            "grpc_call 10 0",
            "grpc_cancel 0",
            "grpc_stream 0 4106",
        ],
    );
}

#[test]
fn many_small_messages_do_not_hold_up_others() {
    let (gateway, _peer) = calling(
        r#"(request_headers (if (i32.eqz @b) (then (set b 1) (!grpc_stream "peer" "s" "m" ""))))
           (grpc_receive (bump c))
           (grpc_close (show "messages" @c))"#,
        vec![
            Step::Head(200, &[]),
            Step::Bytes(framed(b"").repeat(40_000).into()),
            Step::Trailers(OK),
        ],
    );
    let begun = Instant::now();
    for _ in 0..20 {
        assert_eq!(gateway.ask(GET).status, 200);
    }
    assert!(begun.elapsed() < Duration::from_secs(5));
    let found = eventually(|| (gateway.logs(0) == ["messages 40000"]).then_some(()));
    assert!(found.is_some(), "{:?}", gateway.logs(0));
}

#[test]
fn google_grpc_is_refused() {
    if is_oracle() {
        return;
    }
    let (gateway, _peer) = calling(
        r#"(request_headers (grpc_call "\12\08\0a\01a\22\03sss" "s" "m" "" "x" 100) (grpc_stream "\12\03\0a\01a" "s" "m" ""))"#,
        vec![],
    );
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["grpc_call 2 0", "grpc_stream 2 0"]);
}

#[test]
fn requests_and_http_callouts_go_over_http2_too() {
    let (gateway, peer) = calling(
        r#"(request_headers (!call "peer" "{:method:POST;:path:/c?q=1;:authority:s;x-a:1}" "body" "" 1000) (set a $ctx) 1)
           (http_call_response (get 6 ":status") (get 6 "x-b") (read 4 0 -1) (show "trailers" $trailers) (!effective @a) (!continue 0))"#,
        vec![
            Step::Head(201, &[("x-b", "1")]),
            Step::Bytes("answer".into()),
            Step::End,
        ],
    );
    assert_eq!(gateway.ask(GET).status, 200);
    gateway.check(0, &["get 0 201", "get 0 1", "read 0 answer", "trailers 0"]);
    let call = peer.until(|call| call.has_ended);
    assert_eq!((&*call.path, &*call.authority), ("/c", "s"));
    assert_eq!(call.field("content-length"), Some("4"));
    assert_eq!(call.field("x-a"), Some("1"));
}
