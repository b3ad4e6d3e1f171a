//! What clients and upstreams get from a gateway without filters.

use crate::harness::{Gateway, Message, Upstream, get, site};

/// Everything to one upstream.
const ALL: &str = "      - forward: up";

#[test]
fn requests_and_responses_pass() {
    let (upstream, seen) = Upstream::echoing();
    let gateway = Gateway::start(&site(upstream.address, ALL, ""));
    let answer = gateway.ask("POST /a?b=c HTTP/1.1\r\nhost: x:1\r\nConnection: keep-alive, x-hop\r\nx-hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\ncontent-length: 3\r\n\r\nabc");
    assert_eq!((answer.status(), &*answer.text()), (200, "abc"));
    let request = seen.last();
    assert_eq!(request.line, "POST /a?b=c HTTP/1.1");
    let expected = [
        ("host", Some("x:1")),
        ("content-length", Some("3")),
        ("x-forwarded-for", Some("127.0.0.1")),
        ("x-forwarded-proto", Some("http")),
        ("x-hop", None),
        ("keep-alive", None),
        ("via", None),
    ];
    for (name, value) in expected {
        assert_eq!(request.header(name), value, "{name}");
    }
    assert!(request.header("x-request-id").is_some());
    let line = gateway.access("/a?b=c");
    assert_eq!(line["method"], "POST");
    assert_eq!(line["status"], 200);
    assert_eq!(line["host"], "x:1");
    assert_eq!(
        (&line["bytes_in"], &line["bytes_out"]),
        (&3.into(), &3.into())
    );
    assert_eq!(
        (&*line["route"].to_string(), &*line["cluster"].to_string()),
        ("\"main/0\"", "\"up\"")
    );
    assert_eq!(line["upstream"], upstream.address.to_string());
    assert_eq!(line["details"], "via_upstream");
    assert_eq!(line["request_id"].as_str(), request.header("x-request-id"));
    gateway.end();
}

#[test]
fn connections_are_kept_on_both_sides() {
    let (upstream, _) = Upstream::echoing();
    let site = site(upstream.address, ALL, "").replace("workers: 2", "workers: 1");
    let gateway = Gateway::start(&site);
    let mut client = gateway.connect();
    // Pipelined: answered one after the other, in order.
    client.send([get("/1", ""), get("/2", ""), get("/3", "")].concat());
    for line in ["GET /1 HTTP/1.1", "GET /2 HTTP/1.1", "GET /3 HTTP/1.1"] {
        assert_eq!(client.response().header("x-line"), Some(line));
    }
    client.send(get("/4", "connection: close\r\n"));
    assert_eq!(client.response().header("connection"), Some("close"));
    assert_eq!(client.read_rest().unwrap(), b"");
    assert_eq!(upstream.connections(), 1);
    assert_eq!(gateway.total("connections"), 1);
    gateway.end();
}

#[test]
fn chunks_and_trailers_pass_both_ways() {
    let upstream = Upstream::start(|mut wire, _| {
        while let Ok(Some(request)) = wire.try_request() {
            let sum = request.trailer("x-sum").unwrap_or("none").to_owned();
            assert_eq!(request.header("transfer-encoding"), Some("chunked"));
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n";
            wire.send(format!(
                "{head}3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nx-sum: {sum}\r\n\r\n"
            ));
        }
    });
    let gateway = Gateway::start(&site(upstream.address, ALL, ""));
    let mut client = gateway.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\nte: trailers\r\n\r\n");
    client.send("5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n");
    let answer = client.response();
    assert_eq!((answer.status(), &*answer.text()), (200, "abcde"));
    assert_eq!(answer.trailer("x-sum"), Some("42"));
    drop(client);
    gateway.end();
}

#[test]
fn head_has_the_head_only() {
    let upstream = Upstream::start(|mut wire, _| {
        while let Ok(Some(_)) = wire.try_request() {
            wire.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n");
        }
    });
    let gateway = Gateway::start(&site(upstream.address, ALL, ""));
    let mut client = gateway.connect();
    for _ in 0..2 {
        client.send("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n");
        let head = client.head();
        assert_eq!(
            (head.status(), head.header("content-length")),
            (200, Some("100"))
        );
    }
    drop(client);
    gateway.end();
}

#[test]
fn statuses_without_a_body_have_none() {
    let upstream = Upstream::start(|mut wire, _| {
        while let Ok(Some(request)) = wire.try_request() {
            let status = request.path().trim_start_matches('/').to_owned();
            wire.send(format!("HTTP/1.1 {status} X\r\nx-kept: 1\r\n\r\n"));
        }
    });
    let gateway = Gateway::start(&site(upstream.address, ALL, ""));
    let mut client = gateway.connect();
    for status in [204, 304, 204] {
        client.send(get(&format!("/{status}"), ""));
        let head = client.head();
        assert_eq!((head.status(), head.header("x-kept")), (status, Some("1")));
        assert_eq!(head.header("transfer-encoding"), None);
    }
    drop(client);
    gateway.end();
}

#[test]
fn informational_heads_are_not_the_answer() {
    let upstream = Upstream::start(|mut wire, _| {
        while let Ok(Some(_)) = wire.try_request() {
            wire.send("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        }
    });
    let gateway = Gateway::start(&site(upstream.address, ALL, ""));
    let answer = gateway.get("/", "");
    assert_eq!((answer.status(), &*answer.text()), (200, "ok"));
    gateway.end();
}

#[test]
fn a_client_that_expects_100_gets_it() {
    let (upstream, seen) = Upstream::echoing();
    let gateway = Gateway::start(&site(upstream.address, ALL, ""));
    let mut client = gateway.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n");
    assert_eq!(client.head().status(), 100);
    client.send("abc");
    assert_eq!(client.response().text(), "abc");
    assert_eq!(seen.take()[0].header("expect"), None);
    drop(client);
    gateway.end();
}

#[test]
fn http_1_0_is_served_and_closed() {
    let upstream = Upstream::start(|mut wire, _| {
        while let Ok(Some(request)) = wire.try_request() {
            assert!(request.line.ends_with(" HTTP/1.1"), "{request:?}");
            wire.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
        }
    });
    let gateway = Gateway::start(&site(upstream.address, ALL, ""));
    let answer = gateway.ask("GET / HTTP/1.0\r\nhost: a\r\n\r\n");
    assert_eq!((answer.status(), &*answer.text()), (200, "abc"));
    assert_eq!(answer.header("transfer-encoding"), None);
    assert_eq!(gateway.access("HTTP/1.0")["status"], 200);
    assert_eq!(gateway.ask("GET / HTTP/1.0\r\n\r\n").status(), 400);
    gateway.end();
}

#[test]
fn an_upstream_of_http_1_0_ends_its_body_with_the_connection() {
    let upstream = Upstream::start(|mut wire, _| {
        wire.request();
        wire.send("HTTP/1.0 200 OK\r\n\r\nto the end");
    });
    let gateway = Gateway::start(&site(upstream.address, ALL, ""));
    let mut client = gateway.connect();
    for _ in 0..2 {
        client.send(get("/", ""));
        assert_eq!(client.response().text(), "to the end");
    }
    drop(client);
    gateway.end();
}

#[test]
fn what_the_gateway_answers_itself() {
    let (upstream, seen) = Upstream::echoing();
    let routes = "      - { match: { path_prefix: /up }, forward: up }
      - match: { path: /fixed }
        respond: { status: 418, headers: { x-a: [b, c] }, body: \"tea\\n\" }
      - { match: { path: /echo }, echo: true }";
    let gateway = Gateway::start(&site(upstream.address, routes, ""));
    let fixed = gateway.get("/fixed", "");
    assert_eq!((fixed.status(), &*fixed.text()), (418, "tea\n"));
    assert_eq!(fixed.header("content-type"), Some("text/plain"));
    assert!(
        gateway
            .get("/echo", "x-b: c\r\n")
            .text()
            .contains("x-b: c\n")
    );
    assert_eq!(gateway.get("/nowhere", "").status(), 404);
    assert_eq!(gateway.access("/nowhere")["flags"], "NR");
    let refused: [(&str, u16); 4] = [
        (
            "GET /up HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
            403,
        ),
        ("CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n", 403),
        ("GET /up HTTP/1.1\r\nhost: a\r\nexpect: cake\r\n\r\n", 417),
        ("GET /up HTTP/1.1\r\n\r\n", 400),
    ];
    for (request, status) in refused {
        let mut client = gateway.connect();
        client.send(request);
        assert_eq!(client.response().status(), status, "{request}");
        assert_eq!(client.read_rest().unwrap(), b"", "{request}");
    }
    assert!(seen.take().is_empty());
    gateway.end();
}

#[test]
fn a_client_that_asks_for_h2c_is_served_without() {
    let (upstream, seen) = Upstream::echoing();
    let gateway = Gateway::start(&site(upstream.address, ALL, ""));
    let offer =
        "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n";
    assert_eq!(gateway.get("/", offer).status(), 200);
    let request: Message = seen.last();
    assert_eq!(
        (request.header("upgrade"), request.header("http2-settings")),
        (None, None)
    );
    gateway.end();
}

#[test]
fn routes_are_tried_in_order() {
    let (upstream, _) = Upstream::echoing();
    let route = |matches: &str, body: &str| {
        format!("      - {{ match: {{ {matches} }}, respond: {{ status: 200, body: {body} }} }}\n")
    };
    let routes = [
        route("path: /a, method: POST", "post"),
        route("path: /a, host: \"*.example.com\"", "host"),
        route("path: /a, headers: [{ name: x-kind, exact: b }]", "header"),
        route("path_prefix: /a", "prefix"),
        route("headers: [{ name: x-gone, absent: true }]", "rest"),
    ];
    let gateway = Gateway::start(&site(upstream.address, &routes.concat(), ""));
    let check = |request: &str, expected: &str| {
        let answer = gateway.ask(request);
        let body = match answer.status() {
            200 => answer.text(),
            status => status.to_string(),
        };
        assert_eq!(body, expected, "{request}");
    };
    check(
        "POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n",
        "post",
    );
    check(
        "GET /a HTTP/1.1\r\nhost: www.EXAMPLE.com:80\r\n\r\n",
        "host",
    );
    check(
        "GET http://x.example.com/a HTTP/1.1\r\nhost: a\r\n\r\n",
        "host",
    );
    check(
        "GET /a?q HTTP/1.1\r\nhost: a\r\nX-Kind: b\r\n\r\n",
        "header",
    );
    check("GET /ab HTTP/1.1\r\nhost: a\r\n\r\n", "prefix");
    check("GET /b HTTP/1.1\r\nhost: a\r\n\r\n", "rest");
    check("GET /b HTTP/1.1\r\nhost: a\r\nx-gone: not\r\n\r\n", "404");
    gateway.end();
}
