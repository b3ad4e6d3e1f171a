//! Slow, silent and broken upstreams, timeouts and retries: each with the right status or reset, and
//! nothing left behind.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::harness::{Gateway, Upstream, echo, get, site};

const ALL: &str = "      - forward: up";

/// A gateway in front of an upstream that answers so and then closes.
fn answering(answer: &'static [u8]) -> Gateway {
    let upstream = Upstream::start(move |mut wire, _| {
        if wire.try_request().is_ok_and(|request| request.is_some()) {
            wire.send(answer);
        }
    });
    Gateway::start(&site(upstream.address, ALL, ""))
}

#[test]
fn an_upstream_may_send_byte_by_byte() {
    let upstream = Upstream::start(|mut wire, _| {
        while let Ok(Some(_)) = wire.try_request() {
            wire.dribble(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            );
        }
    });
    let gateway = Gateway::start(&site(upstream.address, ALL, ""));
    let mut client = gateway.connect();
    for _ in 0..2 {
        client.send(get("/", ""));
        assert_eq!(client.response().text(), "hello");
    }
    drop(client);
    gateway.end();
}

#[track_caller]
fn check_before_head(answer: &'static [u8], status: u16, flags: &str) {
    let gateway = answering(answer);
    let response = gateway.get("/broken", "");
    assert_eq!(response.status(), status, "{answer:?}");
    let line = gateway.access("/broken");
    assert_eq!(
        (&line["flags"], &line["status"]),
        (&flags.into(), &status.into()),
        "{line}"
    );
    gateway.end();
}

#[test]
fn an_upstream_that_closes_before_its_head_gets_the_client_503() {
    check_before_head(b"", 503, "UC");
}

#[test]
fn an_upstream_that_closes_within_its_head_gets_the_client_502() {
    check_before_head(b"HTTP/1.1 200 OK\r\ncontent-le", 502, "UPE");
}

#[test]
fn an_upstream_that_sends_garbage_gets_the_client_502() {
    check_before_head(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", 502, "UPE");
    check_before_head(b"HTTP/1.1 abc OK\r\n\r\n", 502, "UPE");
    check_before_head(b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n", 502, "UPE");
    check_before_head(
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        502,
        "UPE",
    );
    check_before_head(
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        502,
        "UPE",
    );
}

/// After the head the client's response is broken off: it must notice.
#[track_caller]
fn check_after_head(answer: &'static [u8]) {
    let gateway = answering(answer);
    let mut client = gateway.connect();
    client.send(get("/broken", ""));
    client
        .try_response()
        .expect_err("the response is broken off");
    drop(client);
    gateway.settle();
    assert_eq!(gateway.access("/broken")["flags"], "UPE");
    assert_eq!(gateway.total("requests_reset"), 1);
    gateway.end();
}

#[test]
fn an_upstream_that_breaks_off_its_body_breaks_off_the_client_s() {
    check_after_head(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello");
    check_after_head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
    check_after_head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nz\r\n");
}

#[test]
fn an_upstream_may_reset() {
    let upstream = Upstream::start(|mut wire, number| {
        wire.request();
        if number > 0 {
            wire.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello");
            // The gateway passes on what came before the reset; without this it may be lost.
            std::thread::yield_now();
        }
        wire.reset();
    });
    let gateway = Gateway::start(&site(upstream.address, ALL, ""));
    assert_eq!(gateway.get("/before", "").status(), 503);
    let mut client = gateway.connect();
    client.send(get("/within", ""));
    let outcome = client.try_response();
    assert!(
        outcome.as_ref().is_err() || outcome.as_ref().is_ok_and(|answer| answer.status() == 503),
        "{outcome:?}"
    );
    drop(client);
    gateway.end();
}

#[test]
fn an_early_answer_ends_the_upload() {
    let upstream = Upstream::start(|mut wire, _| {
        wire.head();
        wire.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno");
        wire.wait_end();
    });
    let gateway = Gateway::start(&site(upstream.address, ALL, ""));
    let mut client = gateway.connect();
    client.send("POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nabc");
    let answer = client.response();
    assert_eq!((answer.status(), &*answer.text()), (403, "no"));
    client.wait_end();
    drop(client);
    gateway.end();
}

#[test]
fn an_unreachable_upstream_gets_the_client_503() {
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let gateway = Gateway::start(&site(gone, ALL, ""));
    assert_eq!(gateway.get("/gone", "").status(), 503);
    let line = gateway.access("/gone");
    assert_eq!(line["flags"], "UF");
    gateway.end();
}

#[test]
fn timeouts_of_route_and_try() {
    let upstream = Upstream::start(|mut wire, _| {
        wire.request();
        wire.wait_end();
    });
    let routes = "      - { match: { path: /route }, forward: { cluster: up, timeout: 100ms } }
      - match: { path: /try }
        forward: { cluster: up, retries: { attempts: 2, per_try_timeout: 50ms } }";
    let gateway = Gateway::start(&site(upstream.address, routes, ""));
    assert_eq!(gateway.get("/route", "").status(), 504);
    let line = gateway.access("/route");
    assert_eq!(
        (&line["flags"], &line["details"]),
        (&"UT".into(), &"response_timeout".into())
    );
    assert_eq!(gateway.get("/try", "").status(), 504);
    let line = gateway.access("/try");
    assert_eq!(
        (&line["attempts"], &line["details"]),
        (&3.into(), &"upstream_per_try_timeout".into())
    );
    assert_eq!(upstream.connections(), 4);
    gateway.end();
}

#[test]
fn a_timeout_within_the_body_breaks_it_off() {
    let upstream = Upstream::start(|mut wire, _| {
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello");
        wire.wait_end();
    });
    let routes = "      - forward: { cluster: up, timeout: 100ms }";
    let gateway = Gateway::start(&site(upstream.address, routes, ""));
    let mut client = gateway.connect();
    client.send(get("/late", ""));
    client
        .try_response()
        .expect_err("the response is broken off");
    assert_eq!(gateway.access("/late")["flags"], "UT");
    drop(client);
    gateway.end();
}

/// An upstream that fails some times, then echoes.
fn recovering(failures: usize, answer: &'static str) -> Upstream {
    let tries = AtomicUsize::new(0);
    Upstream::start(move |mut wire, _| {
        while let Ok(Some(request)) = wire.try_request() {
            if tries.fetch_add(1, Ordering::SeqCst) >= failures {
                wire.send(echo(&request));
            } else if answer.is_empty() {
                return;
            } else {
                wire.send(answer);
            }
        }
    })
}

#[test]
fn what_may_be_sent_again_is() {
    let busy = "HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy";
    let routes = "      - forward: { cluster: up, retries: { attempts: 2, statuses: [503] } }";
    for (failures, answer, status, attempts) in
        [(2, busy, 200, 3), (3, busy, 503, 3), (2, "", 200, 3)]
    {
        let upstream = recovering(failures, answer);
        let gateway = Gateway::start(&site(upstream.address, routes, ""));
        let response =
            gateway.ask("POST /again HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc");
        let body = if status == 200 { "abc" } else { "busy" };
        assert_eq!((response.status(), &*response.text()), (status, body));
        let line = gateway.access("/again");
        assert_eq!(line["attempts"], attempts, "{line}");
        gateway.end();
    }
}

#[test]
fn a_body_too_large_to_keep_is_sent_once() {
    let upstream = recovering(1, "HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy");
    let routes = "      - forward: { cluster: up, retries: { attempts: 2, statuses: [503] } }";
    let gateway = Gateway::start(&site(upstream.address, routes, ""));
    let mut client = gateway.connect();
    client.send("POST /once HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n");
    client.send(vec![b'x'; 1_000_000]);
    assert_eq!(client.response().status(), 503);
    assert_eq!(gateway.access("/once")["attempts"], 1);
    drop(client);
    gateway.end();
}

#[test]
fn a_stale_connection_costs_nothing() {
    // Each connection serves one request and is closed unannounced.
    let upstream = Upstream::start(|mut wire, _| {
        let request = wire.request();
        wire.send(echo(&request));
    });
    let site = site(upstream.address, ALL, "").replace("workers: 2", "workers: 1");
    let gateway = Gateway::start(&site);
    let mut client = gateway.connect();
    for _ in 0..20 {
        client.send(get("/", ""));
        assert_eq!(client.response().status(), 200);
    }
    drop(client);
    gateway.end();
}

/// Two parties could read different bodies: neither reading is passed on.
#[test]
fn a_response_of_ambiguous_length_is_502() {
    for framing in [
        "content-length: 2\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 2",
        "transfer-encoding: gzip",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "content-length: 2\r\ncontent-length: 2",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
        let upstream = Upstream::start(move |mut wire, _| {
            if wire.try_request().is_ok_and(|request| request.is_some()) {
                wire.send(&answer);
            }
        });
        let gateway = Gateway::start(&site(upstream.address, ALL, ""));
        assert_eq!(gateway.get("/", "").status(), 502, "{framing}");
        gateway.end();
    }
}
