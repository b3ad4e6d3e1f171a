//! Over real sockets: what a client sends, and what it gets.

mod smuggling;
pub(crate) mod toy;

use std::io::ErrorKind;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use toy::{Gateway, eventually};

#[test]
fn pipelined_requests_are_answered_in_order() {
    let gateway = Gateway::new();
    let mut client = gateway.connect();
    let get = |i: usize| format!("GET /{i} HTTP/1.1\r\nhost: a\r\n\r\n");
    let requests: String = (0..10).map(get).collect();
    client.send(requests);
    for i in 0..10 {
        let response = client.read_until(&format!("\r\n\r\n/{i}"));
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    }
    assert_eq!(gateway.totals().connections, 1);
    assert_eq!(gateway.totals().requests, 10);
    assert_eq!(gateway.totals().responses[1], 10);
}

#[test]
fn http_1_0_ends_with_its_response_unless_kept_alive() {
    let gateway = Gateway::new();
    let response = gateway.exchange("GET /x HTTP/1.0\r\n\r\n");
    assert!(response.starts_with("HTTP/1.0 200 OK\r\n"), "{response}");
    assert!(response.ends_with("/x"), "{response}");
    let mut client = gateway.connect();
    client.send("GET /y HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
    client.read_until("/y");
    client.send("GET /z HTTP/1.0\r\n\r\n");
    client.read_until("/z");
}

#[test]
fn head_has_no_body() {
    let gateway = Gateway::new();
    let mut client = gateway.connect();
    client.send("HEAD /long HTTP/1.1\r\nhost: a\r\n\r\nGET /b HTTP/1.1\r\nhost: a\r\n\r\n");
    let response = client.read_until("/b");
    assert!(response.contains("content-length: 5\r\n"), "{response}");
    assert!(!response.contains("/long"), "{response}");
}

#[test]
fn chunks_and_trailers_pass_in_both_directions() {
    let gateway = Gateway::new();
    let mut client = gateway.connect();
    client.send(
        "POST /echo HTTP/1.1\r\nhost: a\r\nte: trailers\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    client.send("3\r\nabc\r\n");
    let head = client.read_until("3\r\nabc\r\n");
    assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
    client.send("0\r\nt: 1\r\n\r\n");
    client.read_until("0\r\nt: 1\r\n\r\n");
    client.send("GET /next HTTP/1.1\r\nhost: a\r\n\r\n");
    client.read_until("/next");
}

#[test]
fn a_client_that_expects_100_gets_it_when_the_body_is_wanted() {
    let gateway = Gateway::new();
    let post = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
        )
    };
    let mut client = gateway.connect();
    client.send(post("/collect"));
    client.read_until("HTTP/1.1 100 Continue\r\n\r\n");
    client.send("ok");
    let response = client.read_until("ok");
    assert!(
        response.starts_with("\r\n") || response.starts_with("HTTP/1.1 200"),
        "{response}"
    );
    let mut client = gateway.connect();
    client.send(post("/unwanted"));
    let (response, _) = client.read_to_end();
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
}

#[test]
fn a_slow_head_is_not_an_idle_connection() {
    let gateway = Gateway::with(1, |listener| {
        listener.request_head_timeout = Duration::from_millis(150);
        listener.idle_timeout = Duration::from_millis(700);
    });
    let begin = Instant::now();
    let mut client = gateway.connect();
    client.send("GET / HTTP/1.1\r\nho");
    let (response, _) = client.read_to_end();
    assert!(
        response.starts_with("HTTP/1.1 408 Request Timeout\r\n"),
        "{response}"
    );
    assert!(begin.elapsed() < Duration::from_millis(650), "head timeout");

    let mut client = gateway.connect();
    client.send("GET /a HTTP/1.1\r\nhost: a\r\n\r\nGET /b HTTP/1.1\r\n");
    let (response, _) = client.read_to_end();
    assert!(
        response.contains("/aHTTP/1.1 408"),
        "a head begun behind another: {response}"
    );

    let begin = Instant::now();
    let mut client = gateway.connect();
    client.send("GET /1 HTTP/1.1\r\nhost: a\r\n\r\n");
    client.read_until("/1");
    std::thread::sleep(Duration::from_millis(300));
    client.send("GET /2 HTTP/1.1\r\nhost: a\r\n\r\n");
    client.read_until("/2");
    let (rest, end) = client.read_to_end();
    assert_eq!(
        (rest.as_str(), end),
        ("", None),
        "an idle connection ends without a word"
    );
    assert!(begin.elapsed() > Duration::from_millis(950), "idle timeout");
    assert_eq!(gateway.totals().requests_refused, 2);
}

#[test]
fn a_connection_without_a_request_ends_after_the_idle_timeout() {
    let gateway = Gateway::with(1, |listener| {
        listener.idle_timeout = Duration::from_millis(100);
    });
    let (response, end) = gateway.connect().read_to_end();
    assert_eq!((response.as_str(), end), ("", None));
}

#[test]
fn oversized_heads_are_refused() {
    let gateway = Gateway::with(1, |listener| listener.request_head_bytes = 10_000);
    let refused = |request: String| {
        let response = gateway.exchange(request);
        let status = "HTTP/1.1 431 Request Header Fields Too Large\r\n";
        assert!(response.starts_with(status), "{response}");
        assert!(response.contains("connection: close\r\n"), "{response}");
    };
    let head = |bytes: usize| {
        let filling = "x".repeat(bytes - 35);
        format!("GET /fit HTTP/1.1\r\nhost: a\r\nx: {filling}\r\n\r\n")
    };
    assert_eq!(head(10_000).len(), 10_000);
    refused(head(10_001));
    refused(head(100_000));
    refused(format!("GET /{}", "x".repeat(20_000)));
    refused(format!(
        "GET / HTTP/1.1\r\nhost: a\r\n{}\r\n",
        "a: b\r\n".repeat(100)
    ));
    let mut client = gateway.connect();
    client.send(head(10_000));
    client.read_until("/fit");
    assert_eq!(gateway.totals().requests_refused, 4);
}

#[test]
fn a_reset_never_looks_like_an_end() {
    let gateway = Gateway::new();
    let response = gateway.exchange("GET /reset HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(response, "");
    let response = gateway.exchange("GET /torn HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(!response.contains("0\r\n\r\n"), "{response}");
    let mut client = gateway.connect();
    client.send("GET /torn HTTP/1.0\r\n\r\n");
    assert_eq!(client.read_to_end().1, Some(ErrorKind::ConnectionReset));
    assert_eq!(gateway.totals().requests_reset, 3);
    eventually("no exchange", || gateway.totals().requests_active == 0);
}

#[test]
fn a_client_that_goes_away_ends_its_exchange() {
    let gateway = Gateway::new();
    let alive = |count: u32| {
        eventually("exchanges alive", || {
            gateway.stage.alive.load(Ordering::SeqCst) == count
        });
    };
    let requests = [
        "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf",
        "POST /collect HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf",
        "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /flood HTTP/1.1\r\nhost: a\r\n\r\n",
    ];
    for request in requests {
        let mut client = gateway.connect();
        client.send(request);
        alive(1);
        drop(client);
        alive(0);
    }
    // Only half of the connection is closed: as Envoy, the end of the client's bytes is its end.
    let mut client = gateway.connect();
    client.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
    alive(1);
    client.0.shutdown(std::net::Shutdown::Write).unwrap();
    alive(0);
    eventually("no connection", || gateway.totals().connections_active == 0);
    assert_eq!(gateway.totals().requests_active, 0);
}

#[test]
fn connections_above_the_limit_are_closed() {
    let gateway = Gateway::with(2, |listener| listener.max_connections = 2);
    let kept = [gateway.connect(), gateway.connect()];
    eventually("two", || gateway.totals().connections_active == 2);
    let (response, _) = gateway.connect().read_to_end();
    assert_eq!(response, "");
    assert_eq!(gateway.totals().connections_refused, 1);
    drop(kept);
    eventually("none", || gateway.totals().connections_active == 0);
    let mut client = gateway.connect();
    client.send("GET /again HTTP/1.1\r\nhost: a\r\n\r\n");
    client.read_until("/again");
}

#[test]
fn a_panic_ends_one_connection_and_is_counted() {
    let gateway = Gateway::new();
    assert_eq!(
        gateway.exchange("GET /panic HTTP/1.1\r\nhost: a\r\n\r\n"),
        ""
    );
    eventually("counted", || gateway.totals().panics == 1);
    assert_eq!(gateway.totals().requests_active, 0);
    let mut client = gateway.connect();
    client.send("GET /after HTTP/1.1\r\nhost: a\r\n\r\n");
    client.read_until("/after");
}

#[test]
fn a_parked_connection_serves_again() {
    let gateway = Gateway::new();
    let mut client = gateway.connect();
    let park = weir_model::limits::CONNECTION_PARK_AFTER;
    for _ in 0..2 {
        client.send("GET /a HTTP/1.1\r\nhost: a\r\n\r\n");
        client.read_until("/a");
        std::thread::sleep(park + Duration::from_millis(200));
    }
    client.send("GET /b HTTP/1.1\r\nhost: a\r\n\r\n");
    client.read_until("/b");
    assert_eq!(gateway.totals().connections, 1);
}
