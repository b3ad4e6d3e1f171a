//! TCP listeners: bytes both ways, each half ending by itself, network filters, upstreams that are
//! not there, and nothing left behind.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use weir::Outcome;

use crate::Folder;
use crate::harness::{Gateway, LONG, until};

/// Holds the client's bytes until there are six, then puts `!` behind them; puts `?` behind each
/// piece of the upstream's; closes the connection where the client's bytes begin with `x`.
const FILTER: &str = r#"(module
    (import "env" "proxy_set_buffer_bytes" (func $write (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_get_buffer_bytes" (func $read (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_close_stream" (func $close (param i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 64) "!?")
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) (i32.const 128))
    (func (export "proxy_on_downstream_data") (param i32 i32 i32) (result i32)
        (drop (call $read (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 4)))
        (if (i32.eq (i32.load8_u (i32.load (i32.const 0))) (i32.const 120))
            (then (drop (call $close (i32.const 2)))))
        (if (i32.lt_u (local.get 1) (i32.const 6)) (then (return (i32.const 1))))
        (drop (call $write (i32.const 2) (local.get 1) (i32.const 0) (i32.const 64) (i32.const 1)))
        (i32.const 0))
    (func (export "proxy_on_upstream_data") (param i32 i32 i32) (result i32)
        (drop (call $write (i32.const 3) (local.get 1) (i32.const 0) (i32.const 65) (i32.const 1)))
        (i32.const 0)))"#;

/// An HTTP plugin.
const HTTP_ONLY: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) (i32.const 0))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0)))"#;

/// A server of raw bytes, one closure for each connection.
fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = listener.local_addr().expect("it is bound");
    let serve = std::sync::Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = std::sync::Arc::clone(&serve);
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Sends back what it gets, until the client ends.
fn echo(mut stream: TcpStream) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut bytes) {
        if stream.write_all(&bytes[..count]).is_err() {
            return;
        }
    }
}

/// A site of one TCP listener; `keys` stand beside `tcp`, `tcp` within it.
fn site(endpoints: &[SocketAddr], keys: &str, tcp: &str) -> String {
    let endpoints: Vec<String> = endpoints.iter().map(|one| format!("\"{one}\"")).collect();
    format!(
        "workers: 2\nlisteners:\n  - address: 127.0.0.1:0\n    name: raw\n{keys}    tcp: {{ cluster: up, {tcp} }}\n\
         clusters:\n  up: {{ endpoints: [{}], ejection: off }}\n",
        endpoints.join(", ")
    )
}

fn connect(gateway: &Gateway) -> TcpStream {
    let stream = TcpStream::connect(gateway.address()).expect("the gateway listens");
    stream
        .set_read_timeout(Some(LONG))
        .expect("a socket takes it");
    stream.set_nodelay(true).expect("a socket takes it");
    stream
}

#[track_caller]
fn expect(stream: &mut TcpStream, expected: &str) {
    let mut bytes = vec![0; expected.len()];
    stream.read_exact(&mut bytes).expect("as many bytes come");
    assert_eq!(String::from_utf8_lossy(&bytes), expected);
}

#[track_caller]
fn expect_end(stream: &mut TcpStream) {
    assert_eq!(stream.read(&mut [0]).expect("the end comes"), 0);
}

#[test]
fn bytes_go_both_ways_and_the_log_tells_how_many() {
    let gateway = Gateway::start(&site(&[server(echo)], "", ""));
    let mut client = connect(&gateway);
    for text in ["hello", "again"] {
        client.write_all(text.as_bytes()).unwrap();
        expect(&mut client, text);
    }
    drop(client);
    let line = gateway.access("\"raw\"");
    let expected = serde_json::json!(["TCP", 10, 10, "up", 1, null, null, 0]);
    let keys = [
        "protocol",
        "bytes_in",
        "bytes_out",
        "cluster",
        "attempts",
        "flags",
        "method",
        "status",
    ];
    let found: Vec<_> = keys.iter().map(|key| line[key].clone()).collect();
    assert_eq!(serde_json::json!(found), expected);
    gateway.end();
}

#[test]
fn each_half_ends_by_itself() {
    let summing = server(|mut stream| {
        let mut all = String::new();
        stream.read_to_string(&mut all).unwrap();
        stream
            .write_all(format!("{} bytes", all.len()).as_bytes())
            .unwrap();
    });
    let gateway = Gateway::start(&site(&[summing], "", ""));
    let mut client = connect(&gateway);
    client.write_all(b"seven..").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "7 bytes");
    gateway.end();

    let ending = server(|mut stream| {
        stream.write_all(b"bye").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "still there");
    });
    let gateway = Gateway::start(&site(&[ending], "", ""));
    let mut client = connect(&gateway);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "bye");
    client.write_all(b"still there").unwrap();
    drop(client);
    let line = gateway.access("\"raw\"");
    assert_eq!(
        (&line["bytes_in"], &line["bytes_out"]),
        (&11.into(), &3.into())
    );
    gateway.end();
}

#[test]
fn nothing_is_lost_where_the_client_reads_late() {
    const BYTES: usize = 16 << 20;
    let source = server(|mut stream| {
        let piece: Vec<u8> = (0..=250).collect();
        let mut left = BYTES;
        while left > 0 {
            let count = left.min(piece.len());
            stream.write_all(&piece[..count]).unwrap();
            left -= count;
        }
    });
    let gateway = Gateway::start(&site(&[source], "", ""));
    let mut client = connect(&gateway);
    let before = gateway.resident_kib();
    thread::sleep(Duration::from_millis(300));
    let held = gateway.resident_kib().saturating_sub(before);
    assert!(
        held < 8 << 10,
        "{held} KiB are held for a client that does not read"
    );
    let mut all = Vec::new();
    client.read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), BYTES);
    assert!(
        all.iter()
            .enumerate()
            .all(|(at, byte)| usize::from(*byte) == at % 251)
    );
    drop(client);
    gateway.end();
}

#[test]
fn another_endpoint_is_tried_where_one_refuses() {
    let dead = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let alive = server(echo);
    let gateway = Gateway::start(&site(&[dead, alive], "", "connect_attempts: 2"));
    for _ in 0..4 {
        let mut client = connect(&gateway);
        client.write_all(b"a").unwrap();
        expect(&mut client, "a");
    }
    gateway.end();
    let gateway = Gateway::start(&site(&[dead], "", "connect_attempts: 3"));
    expect_end(&mut connect(&gateway));
    let line = gateway.access("\"raw\"");
    assert_eq!(line["flags"], "UF,URX");
    assert_eq!(line["attempts"], 3);
    assert_eq!(line["details"], "delayed_connect_error:_Connection_refused");
    gateway.end();
}

#[test]
fn silence_ends_a_connection() {
    let gateway = Gateway::start(&site(&[server(echo)], "    idle_timeout: 200ms\n", ""));
    let mut client = connect(&gateway);
    client.write_all(b"a").unwrap();
    expect(&mut client, "a");
    expect_end(&mut client);
    assert_eq!(
        gateway.access("\"raw\"")["details"],
        "tcp_session_idle_timeout"
    );
    gateway.end();
}

#[test]
fn a_reset_reaches_the_other_end() {
    let resetting = server(|mut stream| {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        let socket = socket2::SockRef::from(&stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    });
    let gateway = Gateway::start(&site(&[resetting], "", ""));
    let mut client = connect(&gateway);
    client.write_all(b"a").unwrap();
    let broken = client.read(&mut [0]).unwrap_err();
    assert_eq!(broken.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(gateway.access("\"raw\"")["flags"], "UR");
    gateway.end();
}

#[test]
fn a_drain_waits_for_connections_and_then_cuts_them() {
    let text = site(&[server(echo)], "", "") + "drain_timeout: 500ms\n";
    let mut gateway = Gateway::start(&text);
    let mut client = connect(&gateway);
    client.write_all(b"a").unwrap();
    expect(&mut client, "a");
    gateway.signal("TERM");
    client.write_all(b"b").unwrap();
    expect(&mut client, "b");
    expect_end(&mut client);
    assert_eq!(gateway.exit().code(), Some(0));
    assert_eq!(gateway.access("\"raw\"")["details"], "drained");
}

fn with_filter(folder: &Folder, upstream: SocketAddr, limit: &str) -> String {
    let file = folder.path("filter.wasm");
    site(&[upstream], limit, "filters: [f]")
        + &format!(
            "modules: {{ m: {{ file: {} }} }}\nfilters: {{ f: {{ module: m }} }}\n",
            file.display()
        )
}

#[test]
fn a_filter_holds_edits_and_closes() {
    let folder = Folder::new().with("filter.wasm", wat::parse_str(FILTER).unwrap());
    let gateway = Gateway::start(&with_filter(&folder, server(echo), ""));
    let mut client = connect(&gateway);
    client.write_all(b"abc").unwrap();
    until("the filter holds three bytes", || {
        gateway.total("bytes_in") == 3
    });
    client.write_all(b"def").unwrap();
    expect(&mut client, "abcdef!?");
    client.write_all(b"x").unwrap();
    expect_end(&mut client);
    assert_eq!(
        gateway.access("\"raw\"")["details"],
        "wasm_downstream_close"
    );
    gateway.end();
}

/// Chooses the cluster `other`, as the Rust SDK's example of TCP routing does.
const CHOOSER: &str = r#"(module
    (import "env" "proxy_call_foreign_function"
        (func $foreign (param i32 i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 64) "set_envoy_filter_state\0a\17envoy.tcp_proxy.cluster\12\05other")
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) (i32.const 256))
    (func (export "proxy_on_new_connection") (param i32) (result i32)
        (call $foreign (i32.const 64) (i32.const 22) (i32.const 86) (i32.const 32) (i32.const 0) (i32.const 4))))"#;

#[test]
fn a_filter_chooses_the_cluster() {
    let chosen = server(|mut stream| stream.write_all(b"the other").unwrap());
    let folder = Folder::new().with("filter.wasm", wat::parse_str(CHOOSER).unwrap());
    let text = with_filter(&folder, server(echo), "");
    let both = format!("clusters:\n  other: {{ endpoints: [\"{chosen}\"] }}\n");
    let gateway = Gateway::start(&text.replace("clusters:\n", &both));
    let mut answer = String::new();
    connect(&gateway).read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "the other");
    assert_eq!(gateway.access("\"raw\"")["cluster"], "other");
    gateway.end();
    // There is none.
    let gateway = Gateway::start(&text);
    expect_end(&mut connect(&gateway));
    assert_eq!(gateway.access("\"raw\"")["flags"], "NC");
    gateway.end();
}

#[test]
fn what_a_filter_holds_is_bounded() {
    let folder = Folder::new().with(
        "filter.wasm",
        wat::parse_str(FILTER.replace("(i32.const 6))", "(i32.const 0x7fffffff))")).unwrap(),
    );
    let text = with_filter(&folder, server(echo), "    body_buffer: 64KiB\n");
    let gateway = Gateway::start(&(text + "drain_timeout: 200ms\n"));
    let mut client = connect(&gateway);
    client
        .set_write_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let block = [b'a'; 4096];
    let full = std::iter::repeat_with(|| client.write_all(&block))
        .take(16_384)
        .find_map(Result::err);
    assert!(full.is_some(), "64 MiB went nowhere");
    assert!(
        gateway.total("bytes_in") <= 128 << 10,
        "{}",
        gateway.total("bytes_in")
    );
    drop(client);
    gateway.finish();
}

#[test]
fn check_tells_filters_that_cannot_see_what_they_are_used_for() {
    let upstream = SocketAddr::from(([127, 0, 0, 1], 9));
    let folder = Folder::new().with("filter.wasm", wat::parse_str(HTTP_ONLY).unwrap());
    let text = with_filter(&folder, upstream, "");
    folder
        .with("weir.yaml", &text)
        .run("check @weir.yaml")
        .expect(
            Outcome::Fine,
            &["filter f is used for TCP connections, but the module has no callback for them"],
        );
    let folder = Folder::new().with("filter.wasm", wat::parse_str(FILTER).unwrap());
    let text = with_filter(&folder, upstream, "").replace(
        "tcp: { cluster: up, filters: [f] }",
        "routes: [{ filters: [f], echo: true }]",
    );
    folder
        .with("weir.yaml", &text)
        .run("check @weir.yaml")
        .expect(
            Outcome::Fine,
            &["filter f is used for HTTP, but the module only has callbacks for TCP connections"],
        );
}
