//! Where the requests of functions may go.

use super::{Gateway, none_is_left, number, site};
use crate::harness::{Upstream, get};

/// What the guest says of a request that the gateway does not let go.
const REFUSED: &str = "HttpRequestDenied";

/// What a function with these granted hosts says of a request to this URI.
fn ask(grants: &str, uri: &str) -> String {
    let gateway = Gateway::start(&site(&format!("kind: http, grants: {{ {grants} }}"), ""));
    let text = gateway.get(&format!("/fetch?POST,{uri}"), "").text();
    none_is_left(&gateway);
    gateway.end();
    text
}

#[test]
fn a_granted_server_is_reached_and_its_connection_kept() {
    let (upstream, seen) = Upstream::echoing();
    let to = upstream.address;
    let gateway = Gateway::start(&site(
        &format!("kind: http, grants: {{ http: [\"{to}\"] }}"),
        "",
    ));
    for _ in 0..3 {
        let response = gateway.get(&format!("/fetch?POST,http://{to}/way?x=1"), "");
        assert_eq!(response.header("x-status"), Some("200"), "{response:?}");
        assert_eq!(response.text(), "from the guest");
    }
    let requests = seen.take();
    assert_eq!(requests.len(), 3);
    assert_eq!(requests[0].path(), "/way?x=1");
    assert_eq!(requests[0].header("host"), Some(to.to_string().as_str()));
    assert_eq!(requests[0].body, b"from the guest");
    assert!(upstream.connections() <= 2, "one for each worker at most");
    let fetches = &gateway.stats()["functions"][0]["fetches"];
    assert_eq!(fetches["answered"], 3, "{fetches}");
    none_is_left(&gateway);
    gateway.end();
}

#[test]
fn what_is_not_granted_is_refused() {
    let (upstream, seen) = Upstream::echoing();
    let port = upstream.address.port();
    let nothing = ask("http: []", &format!("http://127.0.0.1:{port}/"));
    assert!(nothing.contains(REFUSED), "{nothing}");
    // Another port, and other spellings of the same address.
    let grants = "http: [\"127.0.0.1:1\", \"a.example\"]";
    for host in [
        "127.0.0.1",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f.1",
        "a.example",
    ] {
        let told = ask(grants, &format!("http://{host}:{port}/"));
        assert!(told.contains(REFUSED), "{host}: {told}");
    }
    assert_eq!(seen.take().len(), 0);
}

/// What a name stands for counts, not the name: `localhost` is always rebound.
#[test]
fn a_name_that_stands_for_loopback_is_refused_unless_that_is_granted() {
    let (upstream, seen) = Upstream::echoing();
    let uri = format!("http://localhost:{}/", upstream.address.port());
    let host = format!("localhost:{}", upstream.address.port());
    let told = ask(&format!("http: [\"{host}\"]"), &uri);
    assert!(told.contains(REFUSED), "{told}");
    assert_eq!(seen.take().len(), 0);
    let told = ask(
        &format!("http: [{{ host: \"{host}\", private: true }}]"),
        &uri,
    );
    assert_eq!(told, "from the guest");
    assert_eq!(seen.take().len(), 1);
}

#[test]
fn a_guest_that_follows_a_redirection_is_judged_again() {
    let inner = Upstream::start(|_, _| panic!("nobody may come here"));
    let target = inner.address;
    let outer = Upstream::start(move |mut wire, _| {
        while let Ok(Some(_)) = wire.try_request() {
            wire.send(format!(
                "HTTP/1.1 302 Found\r\nlocation: http://{target}/\r\ncontent-length: 0\r\n\r\n"
            ));
        }
    });
    let from = outer.address;
    let gateway = Gateway::start(&site(
        &format!("kind: http, grants: {{ http: [\"{from}\"] }}"),
        "",
    ));
    let first = gateway.get(&format!("/fetch?GET,http://{from}/"), "");
    assert_eq!(
        first.header("x-status"),
        Some("302"),
        "the gateway follows nothing itself"
    );
    let second = gateway.get(&format!("/fetch?GET,http://{target}/"), "");
    assert!(second.text().contains(REFUSED), "{second:?}");
    assert_eq!(inner.connections(), 0);
    let told = gateway.logged("an outgoing request was refused");
    assert!(told.contains(&target.to_string()), "{told}");
    none_is_left(&gateway);
    gateway.end();
}

#[test]
fn servers_that_are_gone_or_broken_fail_the_request_only() {
    let silent = Upstream::start(|mut wire, _| {
        let _ = wire.try_request();
        wire.send("this is no HTTP\r\n\r\n");
    });
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = gone.local_addr().expect("it is bound");
    drop(gone);
    let hosts = format!("http: [\"{}\", \"{address}\"]", silent.address);
    for uri in [
        format!("http://{address}/"),
        format!("http://{}/", silent.address),
    ] {
        let told = ask(&hosts, &uri);
        assert!(told.starts_with("no response"), "{uri}: {told}");
    }
    let told = ask(&hosts, &format!("https://{address}/"));
    assert!(
        told.starts_with("no response") || told.starts_with("not sent"),
        "{told}"
    );
}

/// `it` may call `next`, which may call `it` and itself.
fn circle(limits: &str) -> Gateway {
    let text = site(&format!("kind: http, grants: {{ functions: [next] }}, {limits}"), "").replace(
        "functions:\n",
        "functions:\n  next: { module: handler, kind: http, grants: { functions: [it, next, last] } }\n  \
         last: { module: handler, kind: http }\n",
    );
    Gateway::start(&text)
}

#[test]
fn functions_call_each_other_without_the_network() {
    let gateway = circle("limits: { depth: 1 }");
    let call = |path: &str| gateway.get(&format!("/fetch?POST,{path}"), "").text();
    assert_eq!(call("weir://next/echo"), "from the guest");
    assert_eq!(call("weir://next/"), "hello");
    let refused = call("weir://last/");
    assert!(refused.contains(REFUSED), "not granted: {refused}");
    let circle = call("weir://next/fetch?POST,weir://it/");
    assert!(circle.contains("in a circle: it > next > it"), "{circle}");
    let circle = call("weir://next/fetch?POST,weir://next/");
    assert!(circle.contains("in a circle: it > next > next"), "{circle}");
    let deep = call("weir://next/fetch?POST,weir://last/");
    assert!(deep.contains("limits.depth"), "{deep}");
    let failed = call("weir://next/trap");
    assert!(failed.contains("next"), "{failed}");
    let stats = gateway.stats();
    let running = stats["functions"].as_array().expect("a list").iter();
    assert_eq!(
        running.map(|one| &one["name"]).collect::<Vec<_>>(),
        ["it", "last", "next"]
    );
    gateway.end();
}

#[test]
fn a_caller_that_leaves_ends_who_it_called() {
    let gateway = circle("");
    let mut client = gateway.connect();
    client.send(get("/fetch?POST,weir://next/sleep?100000", ""));
    let running = || {
        let stats = gateway.stats();
        let functions = stats["functions"].as_array().expect("a list").clone();
        let running = functions.iter().filter_map(|one| one["running"].as_u64());
        running.sum::<u64>()
    };
    crate::harness::until("both run", || running() == 2);
    drop(client);
    crate::harness::until("none runs", || running() == 0);
    assert_eq!(number(&gateway, "calls"), 1);
    gateway.end();
}
