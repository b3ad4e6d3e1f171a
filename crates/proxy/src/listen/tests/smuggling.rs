//! Malformed and ambiguous requests: what the client gets, and that the exchange never runs.

use super::toy::Gateway;

/// What happens to a request.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// Refused with this status by the codec or by `vet`, then closed.
    Refused(u16),
    /// Forwarded.
    Served,
}
use Fate::{Refused, Served};

const HOST: &str = "host: a\r\n";

fn check(gateway: &Gateway, request: &str, fate: Fate) {
    // What follows must never be taken for a request of its own when the first was refused.
    let follow_up = "GET /smuggled HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let response = gateway.exchange(format!("{request}{follow_up}"));
    match fate {
        Refused(status) => {
            let start = format!("HTTP/1.1 {status} ");
            assert!(response.starts_with(&start), "{request:?}: {response}");
            assert!(
                response.contains("connection: close\r\n"),
                "{request:?}: {response}"
            );
            assert!(!response.contains("/smuggled"), "{request:?}: {response}");
        }
        Served => {
            assert!(
                response.starts_with("HTTP/1.1 200 "),
                "{request:?}: {response}"
            );
            assert!(response.ends_with("/smuggled"), "{request:?}: {response}");
        }
    }
}

#[test]
fn request_lines() {
    let gateway = Gateway::new();
    let line = |line: &str, fate| check(&gateway, &format!("{line}\r\n{HOST}\r\n"), fate);
    line("GET / HTTP/1.1", Served);
    line("GET /?q HTTP/1.1", Served);
    line("GET http://a/ HTTP/1.1", Served);
    line("OPTIONS * HTTP/1.1", Served);
    line("GET /", Refused(400));
    line("GET", Refused(400));
    line("GET / HTTP/0.9", Refused(400));
    line("GET / HTTP/1.2", Refused(400));
    line("GET / HTTP/2.0", Refused(400));
    line("GET / HTTP/11", Refused(400));
    line("GET / http/1.1", Refused(400));
    line("GET  / HTTP/1.1", Refused(400));
    line("GET /  HTTP/1.1", Refused(400));
    line("GET / HTTP/1.1 ", Refused(400));
    line(" GET / HTTP/1.1", Refused(400));
    line("G(T / HTTP/1.1", Refused(400));
    line("GET /\0 HTTP/1.1", Refused(400));
    line("GET /a b HTTP/1.1", Refused(400));
    line("GET a HTTP/1.1", Refused(400));
    line("GET * HTTP/1.1", Refused(400));
    line("GET ftp://a/ HTTP/1.1", Refused(400));
    line("GET http://u@a/ HTTP/1.1", Refused(400));
    line("PRI * HTTP/2.0", Refused(400));
}

#[test]
fn header_lines() {
    let gateway = Gateway::new();
    let header = |line: &str, fate| {
        check(
            &gateway,
            &format!("GET / HTTP/1.1\r\n{HOST}{line}\r\n\r\n"),
            fate,
        );
    };
    header("x: y", Served);
    header("x:", Served);
    header("x: \u{fc}", Served);
    header("x: a\r\n b", Refused(400));
    header("x: a\r\n\tb", Refused(400));
    header(" x: a", Refused(400));
    header("x : a", Refused(400));
    header("x", Refused(400));
    header(": a", Refused(400));
    header("x: a\0b", Refused(400));
    header("x: a\rb", Refused(400));
    header("x\0: a", Refused(400));
    header("x\u{fc}: a", Refused(400));
    header("host: b", Refused(400));
    header("host: a", Refused(400));
    header("expect: tea", Refused(417));
    check(&gateway, "GET / HTTP/1.1\r\n\r\n", Refused(400));
    check(
        &gateway,
        "GET / HTTP/1.1\r\nhost: a/b\r\n\r\n",
        Refused(400),
    );
}

#[test]
fn framing() {
    let gateway = Gateway::new();
    let post = |headers: &str, body: &str, fate| {
        let request = format!("POST /collect HTTP/1.1\r\n{HOST}{headers}\r\n\r\n{body}");
        check(&gateway, &request, fate);
    };
    let chunks = "3\r\nabc\r\n0\r\n\r\n";
    post("content-length: 3", "abc", Served);
    post("content-length: 3\r\ncontent-length: 3", "abc", Served);
    post("transfer-encoding: chunked", chunks, Served);
    post("transfer-encoding: CHUNKED", chunks, Served);
    post("transfer-encoding:\tchunked ", chunks, Served);
    post(
        "transfer-encoding: chunked",
        "3;x=\"y\"\r\nabc\r\n0\r\nt: 1\r\n\r\n",
        Served,
    );

    post(
        "content-length: 3\r\ncontent-length: 4",
        "abc",
        Refused(400),
    );
    post("content-length: 3, 3", "abc", Refused(400));
    post("content-length: +3", "abc", Refused(400));
    post("content-length: -3", "abc", Refused(400));
    post("content-length: 0x3", "abc", Refused(400));
    post("content-length: 3 3", "abc", Refused(400));
    post("content-length:", "abc", Refused(400));
    post("content-length: 99999999999999999999", "abc", Refused(400));
    post(
        "content-length: 14\r\ntransfer-encoding: chunked",
        chunks,
        Refused(400),
    );
    post(
        "transfer-encoding: chunked\r\ncontent-length: 14",
        chunks,
        Refused(400),
    );
    post(
        "Transfer-encoding: chunked\r\nContent-length: 14",
        chunks,
        Refused(400),
    );
    post(
        "transfer-encoding: chunked\r\ncontent-length: x",
        chunks,
        Refused(400),
    );
    post("transfer-encoding: gzip, chunked", chunks, Refused(501));
    post("transfer-encoding: chunked, gzip", chunks, Refused(400));
    post("transfer-encoding: chunked, chunked", chunks, Refused(501));
    post("transfer-encoding: xchunked", chunks, Refused(400));
    post("transfer-encoding: identity", chunks, Refused(400));
    post("transfer-encoding: \"chunked\"", chunks, Refused(400));
    post(
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        chunks,
        Refused(400),
    );
    post(
        "transfer-encoding: gzip\r\ntransfer-encoding: chunked",
        chunks,
        Refused(501),
    );
    post(
        "transfer-encoding: chunked\r\ntransfer-encoding: x",
        chunks,
        Refused(400),
    );
    post("transfer-encoding: \u{b}chunked", chunks, Refused(400));
    post("transfer-encoding : chunked", chunks, Refused(400));
    post("transfer-encoding\0: chunked", chunks, Refused(400));
    let old = format!("POST /collect HTTP/1.0\r\n{HOST}transfer-encoding: chunked\r\n\r\n{chunks}");
    check(&gateway, &old, Refused(400));
}

#[test]
fn chunk_lines() {
    let gateway = Gateway::new();
    let body = |body: &str, fate| {
        let head = format!("POST /collect HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\n\r\n");
        check(&gateway, &format!("{head}{body}"), fate);
    };
    body("03\r\nabc\r\n0\r\n\r\n", Served);
    body("3 \r\nabc\r\n0\r\n\r\n", Served);
    // The exchange had begun: it sees an error of the body, and answers here.
    body("x\r\nabc\r\n0\r\n\r\n", Refused(400));
    body("0x3\r\nabc\r\n0\r\n\r\n", Refused(400));
    body("-3\r\nabc\r\n0\r\n\r\n", Refused(400));
    body(" 3\r\nabc\r\n0\r\n\r\n", Refused(400));
    body("3\nabc\n0\n\n", Refused(400));
    body("3\r\nabcd\r\n0\r\n\r\n", Refused(400));
    body("3;a\nb\r\nabc\r\n0\r\n\r\n", Refused(400));
    body("3\rabc\r\n0\r\n\r\n", Refused(400));
    body("fffffffffffffffff\r\nabc", Refused(400));
    body("\r\nabc\r\n0\r\n\r\n", Refused(400));
    body("0\r\nx : y\r\n\r\n", Refused(400));
    body("0\r\nx: y\n\r\n", Refused(400));
}

#[test]
fn split_reads_change_nothing() {
    use std::io::Write as _;
    let gateway = Gateway::new();
    let mut client = gateway.connect();
    let request = "POST /collect HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n";
    for byte in request.bytes() {
        // The gateway may have closed already.
        let _ = client.0.write_all(&[byte]);
    }
    let (response, _) = client.read_to_end();
    assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
}
