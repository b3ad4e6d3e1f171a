//! Requests of functions to servers of `https`.

use std::fmt::Write as _;
use std::fs;

use super::{Gateway, none_is_left, site};
use crate::harness::{Authority, Odd, Upstream};

/// A gateway that trusts this authority, if any, and whose function may go to `localhost`.
fn gateway(authority: Option<&Authority>, port: u16) -> Gateway {
    let grants = format!("http: [{{ host: \"localhost:{port}\", private: true }}]");
    let trust = authority.map_or_else(String::new, |authority| {
        format!(
            "trust: {{ system: false, files: [\"{}\"] }}",
            authority.file()
        )
    });
    Gateway::start(&site(
        &format!("kind: http, grants: {{ {grants} }}"),
        &trust,
    ))
}

/// What a function says of a request to `localhost`.
fn ask(authority: Option<&Authority>, port: u16) -> String {
    let gateway = gateway(authority, port);
    let uri = format!("https://localhost:{port}/");
    let text = gateway.get(&format!("/fetch?POST,{uri}"), "").text();
    none_is_left(&gateway);
    let fetches = &gateway.stats()["functions"][0]["fetches"];
    let is_answered = text == "from the guest";
    let count = |outcome: &str| fetches[outcome].as_u64().unwrap_or_default();
    assert_eq!(count("answered"), u64::from(is_answered), "{fetches}");
    assert_eq!(count("failed"), u64::from(!is_answered), "{fetches}");
    gateway.end();
    text
}

#[test]
fn a_server_is_asked_by_its_name_and_its_connection_kept() {
    let (plain, seen) = Upstream::echoing();
    let authority = Authority::new();
    let server = authority.serve(&["localhost"], Odd::Nothing, plain.address);
    let port = server.address.port();
    let gateway = gateway(Some(&authority), port);
    for _ in 0..5 {
        let way = format!("/fetch?POST,https://LocalHost:{port}/way?x=1");
        let response = gateway.get(&way, "");
        assert_eq!(response.header("x-status"), Some("200"), "{response:?}");
        assert_eq!(response.text(), "from the guest");
    }
    let requests = seen.take();
    assert_eq!(requests.len(), 5);
    assert_eq!(requests[0].path(), "/way?x=1");
    let host = format!("LocalHost:{port}");
    assert_eq!(requests[0].header("host"), Some(host.as_str()));
    assert!(server.connections() <= 2, "one for each worker at most");
    assert_eq!(server.names()[0].as_deref(), Some("localhost"));
    none_is_left(&gateway);
    gateway.end();
}

#[test]
fn a_large_answer_comes_whole() {
    const BYTES: usize = 8 << 20;
    let plain = Upstream::start(|mut wire, _| {
        while let Ok(Some(_)) = wire.try_request() {
            wire.send(format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {BYTES}\r\n\r\n"
            ));
            wire.send(vec![b'x'; BYTES]);
        }
    });
    let authority = Authority::new();
    let server = authority.serve(&["localhost"], Odd::Nothing, plain.address);
    let text = ask_text(&authority, server.address.port());
    assert_eq!(text.len(), BYTES);
}

fn ask_text(authority: &Authority, port: u16) -> String {
    let gateway = gateway(Some(authority), port);
    let uri = format!("https://localhost:{port}/");
    let text = gateway.get(&format!("/fetch?GET,{uri}"), "").text();
    none_is_left(&gateway);
    gateway.end();
    text
}

#[test]
fn certificates_that_will_not_do_are_refused() {
    let (plain, seen) = Upstream::echoing();
    let authority = Authority::new();
    let expired = authority.serve(&["localhost"], Odd::Expired, plain.address);
    let other = authority.serve(&["other.example"], Odd::Nothing, plain.address);
    let stranger = Authority::new().serve(&["localhost"], Odd::Nothing, plain.address);
    for server in [&expired, &other, &stranger] {
        let told = ask(Some(&authority), server.address.port());
        assert!(told.contains("TlsCertificateError"), "{told}");
    }
    // The system trusts nobody of a test.
    let good = authority.serve(&["localhost"], Odd::Nothing, plain.address);
    let told = ask(None, good.address.port());
    assert!(told.contains("TlsCertificateError"), "{told}");
    assert_eq!(seen.take().len(), 0, "nothing was sent to any of them");
    assert_eq!(ask(Some(&authority), good.address.port()), "from the guest");
}

#[test]
fn who_speaks_otherwise_is_told_apart() {
    let (plain, seen) = Upstream::echoing();
    let authority = Authority::new();
    let speaks_plain = Upstream::start(|mut wire, _| {
        wire.send("HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = wire.read_rest();
    });
    let told = ask(Some(&authority), speaks_plain.address.port());
    assert!(told.contains("TlsProtocolError"), "{told}");
    let newer = authority.serve(&["localhost"], Odd::Http2Only, plain.address);
    let told = ask(Some(&authority), newer.address.port());
    assert!(
        told.contains("TlsAlertReceived") && told.contains("Some(120)"),
        "{told}"
    );
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = silent.local_addr().expect("it is bound").port();
    let told = ask(Some(&authority), port);
    assert!(told.contains("ConnectionTimeout"), "{told}");
    assert_eq!(seen.take().len(), 0);
}

#[test]
fn addresses_are_judged_as_for_plain_requests() {
    let (plain, _) = Upstream::echoing();
    let authority = Authority::new();
    let server = authority.serve(&["localhost", "127.0.0.1"], Odd::Nothing, plain.address);
    let port = server.address.port();
    let trust = format!("trust: {{ files: [\"{}\"] }}", authority.file());
    let told = |grant: &str, host: &str| {
        let settings = format!("kind: http, grants: {{ http: [\"{grant}\"] }}");
        let gateway = Gateway::start(&site(&settings, &trust));
        let text = gateway.get(&format!("/fetch?POST,https://{host}:{port}/"), "");
        none_is_left(&gateway);
        gateway.end();
        text.text()
    };
    let refused = told(&format!("localhost:{port}"), "localhost");
    assert!(refused.contains("HttpRequestDenied"), "{refused}");
    // The port of `https` is another one.
    let refused = told("127.0.0.1", "127.0.0.1");
    assert!(refused.contains("HttpRequestDenied"), "{refused}");
    assert_eq!(server.connections(), 0);
    let granted = told(&format!("127.0.0.1:{port}"), "127.0.0.1");
    assert_eq!(granted, "from the guest");
    assert_eq!(server.names(), [None], "an address is no name to ask for");
}

/// A core module that fetches this and answers 200 and the error's number, with what came.
fn fetching(url: &str) -> Vec<u8> {
    let mut text = String::new();
    let length = url.len();
    write!(
        text,
        r#"(module
            (import "weir_v1" "fetch" (func $fetch (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
            (import "weir_v1" "respond_status" (func $status (param i32) (result i32)))
            (import "weir_v1" "respond_write" (func $write (param i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "GET")
            (data (i32.const 16) "{url}")
            (func (export "handle") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
                (drop (call $status (i32.add (i32.const 200) (call $fetch
                    (i32.const 0) (i32.const 3) (i32.const 16) (i32.const {length})
                    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 4096)))))
                (drop (call $write (i32.load (i32.const 4108)) (i32.load (i32.const 4112))))
                (i32.const 0)))"#
    )
    .expect("text takes text");
    wat::parse_str(text).expect("a module")
}

/// What a core module answers that fetches from such a server.
fn of_core(authority: &Authority, port: u16) -> (u16, String) {
    let module = tempfile::NamedTempFile::new().expect("a file can be made");
    let url = format!("https://localhost:{port}/");
    fs::write(module.path(), fetching(&url)).expect("it can be written");
    let site = format!(
        "listeners:\n  - {{ address: \"127.0.0.1:0\", routes: [{{ function: it }}] }}\nmodules:\n  \
         m: {{ file: {} }}\nfunctions:\n  it: {{ module: m, grants: {{ http: [{{ host: \
         \"localhost:{port}\", private: true }}] }} }}\ntrust: {{ files: [\"{}\"] }}\n",
        module.path().display(),
        authority.file()
    );
    let gateway = Gateway::start(&site);
    let response = gateway.get("/", "");
    gateway.end();
    (response.status(), response.text())
}

#[test]
fn core_modules_are_told_the_reason() {
    let (plain, _) = Upstream::echoing();
    let authority = Authority::new();
    let good = authority.serve(&["localhost"], Odd::Nothing, plain.address);
    assert_eq!(of_core(&authority, good.address.port()).0, 200);
    let other = authority.serve(&["other.example"], Odd::Nothing, plain.address);
    let (status, told) = of_core(&authority, other.address.port());
    assert_eq!(status, 265, "proto: {told}");
    assert!(
        told.contains("certificate is refused") && told.contains("localhost"),
        "{told}"
    );
}

/// Whoever cuts a connection must not be able to shorten an answer unseen.
#[test]
fn an_answer_without_an_end_is_none() {
    let plain = Upstream::start(|mut wire, _| {
        if let Ok(Some(_)) = wire.try_request() {
            wire.send("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nso far");
        }
    });
    let authority = Authority::new();
    let cutting = authority.serve(&["localhost"], Odd::Cutting, plain.address);
    let (status, told) = of_core(&authority, cutting.address.port());
    assert_eq!(status, 229, "io: {told}");
    let whole = authority.serve(&["localhost"], Odd::Nothing, plain.address);
    let told = of_core(&authority, whole.address.port());
    assert_eq!(told, (200, "so far".to_owned()));
}
