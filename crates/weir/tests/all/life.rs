//! Starting, looking at, and stopping a gateway.

use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{SyncSender, sync_channel};

use crate::harness::{Gateway, Upstream, Wire, get, refused, site, until};

/// An upstream that answers when it is told to.
fn patient() -> (Upstream, SyncSender<()>) {
    let (tell, told) = sync_channel(1);
    let told = Mutex::new(told);
    let upstream = Upstream::start(move |mut wire, _| {
        wire.request();
        let told = told.lock().expect("no test panics here");
        told.recv().expect("the test tells");
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate");
    });
    (upstream, tell)
}

#[test]
fn a_drain_finishes_what_is_in_flight() {
    let (upstream, tell) = patient();
    let mut gateway = Gateway::start(&site(upstream.address, "      - forward: up", ""));
    let mut idle = gateway.connect();
    let mut client = gateway.connect();
    client.send(get("/slow", ""));
    gateway.wait_for_total("requests_active", 1);
    gateway.signal("TERM");
    idle.wait_end();
    TcpStream::connect(gateway.address()).expect_err("the listener is closed");
    tell.send(()).unwrap();
    let answer = client.response();
    assert_eq!((answer.status(), &*answer.text()), (200, "late"));
    assert_eq!(answer.header("connection"), Some("close"));
    drop((client, idle));
    assert_eq!(gateway.exit().code(), Some(0));
    assert_eq!(gateway.access("/slow")["status"], 200);
    assert!(gateway.logged("drained").contains("connections_cut=0"));
}

#[test]
fn a_drain_cuts_what_takes_too_long() {
    let upstream = Upstream::start(|mut wire, _| {
        wire.request();
        wire.wait_end();
    });
    let site = site(
        upstream.address,
        "      - forward: up",
        "drain_timeout: 100ms",
    );
    let mut gateway = Gateway::start(&site);
    let mut client = gateway.connect();
    client.send(get("/stuck", ""));
    gateway.wait_for_total("requests_active", 1);
    gateway.signal("TERM");
    client.try_response().expect_err("the connection is cut");
    assert_eq!(gateway.exit().code(), Some(0));
    assert!(gateway.logged("drained").contains("connections_cut=1"));
}

#[test]
fn a_second_signal_stops_at_once() {
    let upstream = Upstream::start(|mut wire, _| {
        wire.request();
        wire.wait_end();
    });
    let mut gateway = Gateway::start(&site(upstream.address, "      - forward: up", ""));
    let mut client = gateway.connect();
    client.send(get("/stuck", ""));
    gateway.wait_for_total("requests_active", 1);
    assert_eq!(gateway.admin("/readyz").status(), 200);
    gateway.signal("TERM");
    gateway.logged("asked to stop");
    until("it is not ready", || {
        gateway.admin("/readyz").status() == 503
    });
    assert_eq!(gateway.admin("/healthz").status(), 200);
    gateway.logged("a further signal");
    gateway.signal("TERM");
    assert_eq!(gateway.exit().code(), Some(1));
    client.try_response().expect_err("the connection is cut");
}

#[test]
fn what_cannot_be_served_is_refused() {
    let (code, text) = refused("listeners:\n  - address: 127.0.0.1:0\n    routs: []\n");
    assert_eq!(code, Some(1));
    assert!(
        text.contains("weir.yaml:3:5") && text.contains("routes"),
        "{text}"
    );
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let sites = [
        format!("listeners: [{{ address: \"{address}\" }}]"),
        format!("listeners: [{{ address: \"127.0.0.1:0\" }}]\nadmin: {{ address: \"{address}\" }}"),
    ];
    for site in sites {
        let (code, text) = refused(&site);
        assert_eq!(code, Some(1), "{text}");
        let parts = [&*address.to_string(), "hint", "in use"];
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    }
}

#[test]
fn the_admin_pages_tell() {
    let (upstream, _) = Upstream::echoing();
    let gateway = Gateway::start(&site(
        upstream.address,
        "      - forward: { cluster: up, retries: 2 }",
        "",
    ));
    assert_eq!(gateway.get("/", "").status(), 200);
    let check = |path: &str, kind: &str, part: &str| {
        let page = gateway.admin(path);
        assert_eq!(page.status(), 200, "{path}");
        assert_eq!(
            page.header("content-type").unwrap().split(';').next(),
            Some(kind),
            "{path}"
        );
        assert!(page.text().contains(part), "{path}: {}", page.text());
    };
    check("/", "text/html", "<html");
    check("/healthz", "text/plain", "ok");
    check("/readyz", "text/plain", "ready");
    check("/metrics", "text/plain", "weir_requests_total 1");
    check(
        "/metrics",
        "text/plain",
        "weir_responses_total{class=\"2xx\"} 1",
    );
    check("/stats.json", "application/json", "\"requests\": 1");
    check("/config", "application/json", "\"retries\": 2");
    assert_eq!(gateway.admin("/nothing").status(), 404);
    let mut wire = Wire::connect(gateway.admin_address());
    wire.send("POST /log?level=debug HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n");
    let answer = wire.response();
    assert_eq!(answer.status(), 200, "{answer:?}");
    gateway.logged("the log level was set");
    gateway.end();
}

/// Sockets share ports among workers; a gateway that was forgotten must not share them unnoticed.
#[test]
fn a_second_gateway_on_the_same_port_is_refused() {
    let site = "listeners: [{ address: \"127.0.0.1:0\", routes: [{ echo: true }] }]\n";
    let first = Gateway::start(site);
    let taken = format!(
        "listeners: [{{ address: \"{}\", routes: [{{ echo: true }}] }}]\n",
        first.address()
    );
    let (code, text) = refused(&taken);
    assert_eq!(code, Some(1));
    assert!(text.contains("bind") && text.contains("in use"), "{text}");
    first.end();
}
