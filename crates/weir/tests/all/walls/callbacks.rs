//! A trap in each callback: who gets what, and that nobody else does.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::{check_counts, script};
use crate::harness::{Gateway, LONG, Upstream, get, until};

/// Ends the guest if the request asked for it.
const IF_ASKED: &str = "(if (global.get $a) (then (unreachable)))";
/// Notes whether the request asks for it, and lets those wait that want to.
const NOTE: &str = r#"(!get 0 "x-trap") (if (i32.ne (out) 0) (then (set a 1)))
    (!get 0 "x-wait") (if (i32.and (i32.eqz (global.get $a)) (i32.ne (size) 0)) (then (return (i32.const 1))))"#;
const TRAP: &str = "POST /bad HTTP/1.1\r\nhost: h\r\nx-trap: 1\r\ntransfer-encoding: chunked\r\nte: trailers\r\n\r\n1\r\na\r\n0\r\nx-t: 1\r\n\r\n";

/// An upstream whose answers have bodies and trailers.
fn upstream() -> Upstream {
    Upstream::start(|mut wire, _| {
        while let Ok(Some(_)) = wire.try_request() {
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-t\r\n\r\n";
            wire.send(format!("{head}3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n"));
        }
    })
}

/// What the client gets whose request makes a callback trap.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Gets {
    Status(u16),
    /// The response had begun: it is broken off.
    Reset,
}

#[track_caller]
fn check(callback: &str, expected: Gets) {
    let upstream = upstream();
    let guest = match callback {
        "request_headers" => format!("(request_headers {NOTE} {IF_ASKED} 0)"),
        _ => format!("(request_headers {NOTE} 0) ({callback} {IF_ASKED})"),
    };
    let gateway = script(&guest).before(&upstream).start();
    let mut waits = gateway.connect();
    waits.send(get("/waits", "x-wait: 1\r\n"));
    gateway.wait_for_total("requests_active", 1);
    let mut client = gateway.connect();
    client.send(TRAP);
    let found = client.try_response();
    match (&found, expected) {
        (Ok(answer), Gets::Status(status)) => assert_eq!(answer.status(), status, "{callback}"),
        (Err(_), Gets::Reset) => {}
        _ => panic!("{callback}: expected {expected:?}, found {found:?}"),
    }
    // Its context lived in the VM that broke.
    assert_eq!(waits.response().status(), 503, "{callback}");
    for path in ["/well", "/next"] {
        assert_eq!(
            gateway.get(path, "te: trailers\r\n").status(),
            200,
            "{callback}"
        );
    }
    check_counts(&gateway, 1, 1);
    gateway.logged(&format!("callback=\"proxy_on_{callback}\""));
    drop((client, waits));
    gateway.end();
}

#[test]
fn a_trap_in_a_callback_of_a_request() {
    check("request_headers", Gets::Status(503));
    check("request_body", Gets::Status(503));
    check("request_trailers", Gets::Status(503));
}

#[test]
fn a_trap_in_a_callback_of_a_response() {
    check("response_headers", Gets::Status(503));
    check("response_body", Gets::Reset);
    check("response_trailers", Gets::Reset);
}

#[test]
fn a_trap_after_the_response_costs_its_client_nothing() {
    check("log", Gets::Status(200));
    check("done", Gets::Status(200));
    check("delete", Gets::Status(200));
}

/// The VM that a request had started in place of a failed one was once replaced a second later,
/// together with the contexts in it: their requests waited for ever.
#[test]
fn a_new_vm_stays() {
    let guest = format!("(request_headers {NOTE} {IF_ASKED} 0)");
    let upstream = upstream();
    let gateway = script(&guest).before(&upstream).start();
    assert_eq!(gateway.get("/bad", "x-trap: 1\r\n").status(), 503);
    assert_eq!(gateway.get("/next", "").status(), 200);
    std::thread::sleep(weir_model::limits::RESTART_DELAY * 3 / 2);
    check_counts(&gateway, 1, 1);
    gateway.end();
}

#[test]
fn a_trap_while_a_context_is_made() {
    // The root's context is the first.
    let guest = "(context_create (bump b) (if (i32.eq (global.get $b) (i32.const 3)) (then (unreachable))))";
    let upstream = upstream();
    let gateway = script(guest).before(&upstream).start();
    let statuses: Vec<u16> = (0..3).map(|_| gateway.get("/", "").status()).collect();
    assert_eq!(statuses, [200, 503, 200]);
    check_counts(&gateway, 1, 1);
    gateway.end();
}

/// Traps in a callback of the root; the request that asked for it waits for what never comes.
#[track_caller]
fn check_root(guest: &str, callback: &str) {
    let upstream = upstream();
    let gateway = script(guest).before(&upstream).start();
    let answer = gateway.get("/bad", "x-trap: 1\r\n");
    assert_eq!(answer.status(), 503, "{callback}");
    assert_eq!(gateway.get("/next", "").status(), 200, "{callback}");
    check_counts(&gateway, 1, 1);
    gateway.logged(&format!("callback=\"proxy_on_{callback}\""));
    gateway.end();
}

#[test]
fn a_trap_in_a_callback_of_the_root_answers_those_who_wait() {
    let asked = |then: &str| {
        format!(
            r#"(request_headers (!get 0 "x-trap") (if (i32.ne (out) 0) (then (set a 1) {then} (return (i32.const 1)))) 0)"#
        )
    };
    check_root(
        &format!(
            "(configure (tick_every 20) 1) {} (tick {IF_ASKED})",
            asked("")
        ),
        "tick",
    );
    let call = r#"(call "up" "{:method;GET;:path;/;:authority;h}" "" "" 5000)"#.replace(
        "{:method;GET;:path;/;:authority;h}",
        "{:method:GET;:path:/;:authority:h}",
    );
    check_root(
        &format!("{} (http_call_response {IF_ASKED})", asked(&call)),
        "http_call_response",
    );
    check_root(
        &format!(
            r#"(configure (register "q") (set b (out)) 1) {} (queue_ready {IF_ASKED})"#,
            asked(r#"(enqueue @b "item")"#)
        ),
        "queue_ready",
    );
}

/// One TCP connection, until its end.
fn carry(gateway: &Gateway, bytes: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(gateway.address()).expect("the gateway listens");
    stream
        .set_read_timeout(Some(LONG))
        .expect("a socket takes it");
    stream
        .write_all(bytes.as_bytes())
        .expect("the gateway reads");
    // It may be closed already.
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut all = Vec::new();
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut all);
    all
}

#[track_caller]
fn check_tcp(callback: &str, gets: &str) {
    let upstream = Upstream::start(|mut wire, _| {
        let bytes = wire.read_rest().unwrap_or_default();
        wire.send(bytes);
    });
    // The second connection of a VM meets the trap.
    let guest = if callback == "new_connection" {
        "(new_connection (bump b) (if (i32.eq (global.get $b) (i32.const 2)) (then (unreachable))))"
            .to_owned()
    } else {
        format!(
            "(new_connection (bump b) (if (i32.eq (global.get $b) (i32.const 2)) (then (set a 1)))) \
             ({callback} {IF_ASKED})"
        )
    };
    let gateway = script(&guest).before(&upstream).tcp().start();
    assert_eq!(carry(&gateway, "one"), b"one", "{callback}");
    assert_eq!(carry(&gateway, "two"), gets.as_bytes(), "{callback}");
    until("the failure is counted", || {
        super::filter(&gateway)["failures"] == 1
    });
    assert_eq!(carry(&gateway, "three"), b"three", "{callback}");
    check_counts(&gateway, 1, 1);
    gateway.logged(&format!("callback=\"proxy_on_{callback}\""));
    gateway.end();
}

#[test]
fn a_trap_in_a_callback_of_a_connection_closes_it() {
    check_tcp("new_connection", "");
    check_tcp("downstream_data", "");
    check_tcp("upstream_data", "");
}

#[test]
fn a_trap_when_a_connection_ends_costs_nobody_anything() {
    check_tcp("downstream_connection_close", "two");
}
