//! Slow, silent and vanishing clients, and back-pressure: each with the right status or reset, and
//! nothing left behind.

use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use crate::harness::{Gateway, LONG, Upstream, Wire, get, site, until};

const ALL: &str = "      - forward: up";
/// A body that no buffer on the way can hold.
const LARGE: usize = 200 << 20;
/// What a gateway may take while it holds back such a body: sockets' buffers are not its own.
const HELD_KIB: u64 = 16 << 10;

#[test]
fn a_client_may_send_byte_by_byte() {
    let (upstream, seen) = Upstream::echoing();
    let gateway = Gateway::start(&site(upstream.address, ALL, ""));
    let mut client = gateway.connect();
    client.dribble("POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(client.response().text(), "hello");
    client.dribble("POST /slow HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n");
    assert_eq!(client.response().text(), "hello");
    assert_eq!(seen.take().len(), 2);
    drop(client);
    gateway.end();
}

#[test]
fn a_head_that_takes_too_long_gets_408() {
    let site = site(([127, 0, 0, 1], 9).into(), ALL, "")
        .replace("name: main", "name: main\n    request_head_timeout: 100ms");
    let gateway = Gateway::start(&site);
    let mut client = gateway.connect();
    client.send("GET / HTTP/1.1\r\nhost:");
    assert_eq!(client.response().status(), 408);
    assert_eq!(client.read_rest().unwrap(), b"");
    drop(client);
    gateway.end();
}

#[test]
fn a_body_that_takes_too_long_gets_408() {
    let (upstream, _) = Upstream::echoing();
    let routes = "      - forward: { cluster: up, idle_timeout: 100ms }";
    let gateway = Gateway::start(&site(upstream.address, routes, ""));
    let mut client = gateway.connect();
    client.send("POST /silent HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhe");
    assert_eq!(client.response().status(), 408);
    assert_eq!(gateway.access("/silent")["flags"], "SI");
    client.wait_end();
    drop(client);
    gateway.end();
}

#[test]
fn an_idle_connection_is_closed() {
    let site = site(([127, 0, 0, 1], 9).into(), ALL, "")
        .replace("name: main", "name: main\n    idle_timeout: 100ms");
    let gateway = Gateway::start(&site);
    let mut client = gateway.connect();
    assert_eq!(client.read_rest().unwrap(), b"");
    drop(client);
    gateway.end();
}

/// The memory of the gateway when nothing has moved for some looks at it.
fn resident_when_still(gateway: &Gateway) -> u64 {
    let (mut bytes, mut still) = (0, 0);
    until("the traffic stops", || {
        let now = gateway.total("bytes_in") * 2 + gateway.total("bytes_out");
        still = if now == bytes { still + 1 } else { 0 };
        bytes = now;
        still > 40
    });
    gateway.resident_kib()
}

#[test]
fn a_client_that_does_not_read_holds_the_upstream_back() {
    let sent_all = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&sent_all);
    let upstream = Upstream::start(move |mut wire, _| {
        wire.request();
        wire.send(format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n"
        ));
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..LARGE >> 20 {
            if wire.try_send(&piece).is_err() {
                return;
            }
        }
        told.store(true, Ordering::SeqCst);
    });
    let gateway = Gateway::start(&site(upstream.address, ALL, ""));
    let before = gateway.resident_kib();
    let mut client = gateway.connect();
    client.send(get("/large", ""));
    let head = client.head();
    assert_eq!(head.status(), 200);
    let held = resident_when_still(&gateway) - before;
    assert!(held < HELD_KIB, "{held} KiB are held");
    assert!(!sent_all.load(Ordering::SeqCst));
    // It reads after all: every byte is there.
    let mut left = LARGE - client.read_buffered().len();
    let mut piece = vec![0; 1 << 20];
    while left > 0 {
        left -= client.stream.read(&mut piece).unwrap();
    }
    until("the log line", || {
        gateway.access("/large")["bytes_out"] == LARGE
    });
    drop(client);
    gateway.end();
}

#[test]
fn an_upstream_that_does_not_read_holds_the_client_back() {
    let (tell, told) = mpsc::sync_channel::<()>(0);
    let told = std::sync::Mutex::new(told);
    let upstream = Upstream::start(move |mut wire, _| {
        wire.head();
        let _ = told.lock().unwrap().recv();
        let body = wire.count(LARGE);
        wire.send(format!(
            "HTTP/1.1 200 OK\r\nx-bytes: {body}\r\ncontent-length: 0\r\n\r\n"
        ));
    });
    let gateway = Gateway::start(&site(upstream.address, ALL, ""));
    let before = gateway.resident_kib();
    let mut client = gateway.connect();
    client.send(format!(
        "POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: {LARGE}\r\n\r\n"
    ));
    let mut sender = Wire::of(client.stream.try_clone().unwrap());
    let sending = std::thread::spawn(move || {
        let piece = vec![b'x'; 1 << 20];
        (0..LARGE >> 20).for_each(|_| sender.send(&piece));
    });
    let held = resident_when_still(&gateway) - before;
    assert!(held < HELD_KIB, "{held} KiB are held");
    assert!(!sending.is_finished());
    tell.send(()).unwrap();
    assert_eq!(
        client.response().header("x-bytes"),
        Some(&*LARGE.to_string())
    );
    sending.join().unwrap();
    drop(client);
    gateway.end();
}

#[test]
fn a_client_that_aborts_takes_its_request_along() {
    for with_reset in [true, false] {
        let (tell, told) = mpsc::channel();
        let upstream = Upstream::start(move |mut wire, _| {
            if wire.try_head().is_ok_and(|head| head.is_some()) {
                tell.send(0).unwrap();
                // Whatever of the body came: the end comes, and nothing complete.
                let rest = wire.read_rest();
                tell.send(rest.map_or(0, |rest| rest.len())).unwrap();
            }
        });
        let gateway = Gateway::start(&site(upstream.address, ALL, ""));
        let mut client = gateway.connect();
        client.send("POST /abort HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n");
        client.send([b'x'; 500]);
        told.recv_timeout(LONG).unwrap();
        if with_reset {
            client.reset();
        } else {
            drop(client);
        }
        assert!(told.recv_timeout(LONG).unwrap() < 1000);
        gateway.settle();
        let line = gateway.access("/abort");
        assert_ne!(line["status"], 200, "{line}");
        gateway.end();
    }
}

#[test]
fn a_client_that_leaves_during_the_response_closes_the_upstream() {
    let (tell, told) = mpsc::channel();
    let upstream = Upstream::start(move |mut wire, _| {
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
        wire.wait_end();
        tell.send(()).unwrap();
    });
    let gateway = Gateway::start(&site(upstream.address, ALL, ""));
    let mut client = gateway.connect();
    client.send(get("/left", ""));
    assert_eq!(client.head().status(), 200);
    drop(client);
    told.recv_timeout(LONG).unwrap();
    gateway.settle();
    let line = gateway.access("/left");
    assert_eq!(
        (&line["flags"], &line["details"]),
        (&"DC".into(), &"downstream_remote_disconnect".into())
    );
    gateway.end();
}

#[test]
fn a_client_that_leaves_before_the_response_closes_the_upstream() {
    let (tell, told) = mpsc::channel();
    let upstream = Upstream::start(move |mut wire, _| {
        wire.request();
        tell.send(()).unwrap();
        wire.wait_end();
        tell.send(()).unwrap();
    });
    let gateway = Gateway::start(&site(upstream.address, ALL, ""));
    let mut client = gateway.connect();
    client.send(get("/left", ""));
    told.recv_timeout(LONG).unwrap();
    drop(client);
    told.recv_timeout(LONG).unwrap();
    gateway.settle();
    let line = gateway.access("/left");
    assert_eq!((&line["flags"], &line["status"]), (&"DC".into(), &0.into()));
    gateway.end();
}
