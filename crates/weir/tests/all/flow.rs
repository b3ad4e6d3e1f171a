//! Flow control (`guests/flow-control`) in the gateway: what rules in a shared map let through, by all
//! workers together.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use weir::Outcome;

use crate::Folder;
use crate::harness::{Gateway, Upstream, echo, until};

const WORKERS: usize = 8;
const CLIENTS: usize = 16;

const SITE: &str = "workers: 8
listeners:
  - address: 127.0.0.1:0
    routes:
      - { match: { path: /closed }, name: closed, filters: [flow], forward: up }
      - { name: shop, filters: [flow], forward: up }
clusters:
  up: { endpoints: [\"UPSTREAM\"] }
filters:
  flow:
    module: flow-control
    engine: cranelift
    isolation: ISOLATION
    configuration: { parameters: [{ query: user }, client_address] }
    grants: { maps: { flow-rules: [read, list, watch], flow-state: [read, write] } }
MORE
maps: { flow-rules: {}, flow-state: {} }
";

/// Longer than any request takes.
const LONG: Duration = Duration::from_mins(1);

/// When requests that were served were sent and answered.
type Served = Mutex<Vec<(Duration, Duration)>>;

fn start(upstream: &Upstream, isolation: &str, more: &str) -> Gateway {
    let site = SITE.replace("UPSTREAM", &upstream.address.to_string());
    let site = site.replace("ISOLATION", isolation).replace("MORE", more);
    Gateway::start(&site)
}

/// Sets the rules of the set `shop`, once for a gateway, and waits until they hold on all workers.
fn set(gateway: &Gateway, rules: &str) {
    let rules = rules.strip_suffix(']').expect("an array");
    let rules = format!("{rules},{{\"resource\":\"closed\",\"count\":0}}]");
    told(gateway, &rules, "rules: entry shop: taken");
    // With an instance for each request, requests see them a moment later.
    let mut is_closed = || (0..8 * WORKERS).all(|_| gateway.get("/closed", "").status() == 429);
    until("the rules hold", &mut is_closed);
}

fn told(gateway: &Gateway, rules: &str, line: &str) {
    let times = || gateway.log().matches(line).count();
    let before = times();
    let admin = gateway.admin_address();
    let command = format!("map --admin {admin} set flow-rules shop {rules}");
    Folder::new().run(&command).expect(Outcome::Fine, &[]);
    until(line, || times() >= before + WORKERS);
}

/// The statuses of so many requests for each of the clients, at the same time.
fn statuses(gateway: &Gateway, each: usize, path: &str) -> Vec<u16> {
    let ask = || (0..each).map(|_| gateway.get(path, "").status());
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(|| ask().collect::<Vec<_>>()))
            .collect();
        let answers = clients.into_iter();
        answers
            .flat_map(|client| client.join().expect("it only asks"))
            .collect()
    })
}

fn passed(statuses: &[u16]) -> usize {
    let others = statuses
        .iter()
        .filter(|status| ![200, 429].contains(status));
    assert_eq!(others.count(), 0, "{statuses:?}");
    statuses.iter().filter(|status| **status == 200).count()
}

fn tokens_are_exact(isolation: &str) {
    let (upstream, seen) = Upstream::echoing();
    let gateway = start(&upstream, isolation, "");
    set(
        &gateway,
        r#"[{"resource":"shop","paramIdx":0,"count":90,"burstCount":10,"durationInSec":86400}]"#,
    );
    assert_eq!(passed(&statuses(&gateway, 20, "/?a=b&user=x")), 100);
    assert_eq!(seen.take().len(), 100);
    // Another value has its own, and a request without the parameter none.
    assert_eq!(passed(&statuses(&gateway, 1, "/?user=y")), CLIENTS);
    assert_eq!(passed(&statuses(&gateway, 1, "/")), CLIENTS);
    gateway.end();
}

#[test]
fn tokens_of_a_parameter_are_exact_over_all_workers() {
    tokens_are_exact("plugin");
}

#[test]
fn tokens_of_a_parameter_are_exact_with_an_instance_for_each_request() {
    tokens_are_exact("request");
}

#[test]
fn no_second_has_one_request_too_many() {
    const COUNT: usize = 40;
    let (upstream, _) = Upstream::echoing();
    let gateway = start(&upstream, "plugin", "");
    set(&gateway, r#"[{"resource":"shop","count":40}]"#);
    let served = Served::default();
    let since = || {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("it is later")
    };
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while begun.elapsed() < Duration::from_millis(3200) {
                    let sent = since();
                    if gateway.get("/", "").status() == 200 {
                        served.lock().expect("nobody panics").push((sent, since()));
                    }
                }
            });
        }
    });
    let served = served.into_inner().expect("nobody panics");
    let half = |time: Duration| time.as_millis() / 500;
    let (first, last) = (half(served[0].0), half(served[served.len() - 1].1));
    for second in first..=last {
        let within =
            |(sent, got): &&(Duration, Duration)| half(*sent) >= second && half(*got) < second + 2;
        let count = served.iter().filter(within).count();
        assert!(count <= COUNT, "{count} in the second from {second}");
    }
    // Nobody has been refused for nothing, either: three whole seconds were asked for.
    assert!(served.len() >= 3 * COUNT, "{}", served.len());
    gateway.end();
}

/// An upstream that answers when it is told to.
fn slow() -> (Upstream, mpsc::Receiver<mpsc::Sender<()>>) {
    let (waiting, arrived) = mpsc::channel();
    let waiting = Mutex::new(waiting);
    let upstream = Upstream::start(move |mut wire, _| {
        while let Ok(Some(request)) = wire.try_request() {
            let (go, told) = mpsc::channel();
            waiting
                .lock()
                .expect("nobody panics")
                .send(go)
                .expect("the test waits");
            let _ = told.recv();
            if wire.try_send(echo(&request)).is_err() {
                return;
            }
        }
    });
    (upstream, arrived)
}

fn at_the_same_time(isolation: &str) {
    let (upstream, arrived) = slow();
    let gateway = Arc::new(start(&upstream, isolation, ""));
    set(&gateway, r#"[{"resource":"shop","grade":0,"count":3}]"#);
    let inside: Vec<_> = (0..3)
        .map(|_| {
            let asking = Arc::clone(&gateway);
            let client = thread::spawn(move || asking.get("/", "").status());
            (client, arrived.recv_timeout(LONG).expect("there is room"))
        })
        .collect();
    assert_eq!(passed(&statuses(&gateway, 3, "/")), 0);
    for (client, go) in inside {
        go.send(()).expect("the upstream waits");
        assert_eq!(client.join().expect("it only asks"), 200);
    }
    // A client that leaves gives its place back, too.
    for _ in 0..4 {
        let mut wire = gateway.connect();
        wire.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n");
        let go = arrived.recv_timeout(LONG).expect("there is room");
        drop(wire);
        let _ = go.send(());
        gateway.wait_for_total("requests_active", 0);
    }
    Arc::into_inner(gateway)
        .expect("all clients are done")
        .end();
}

#[test]
fn requests_at_the_same_time_are_limited() {
    at_the_same_time("plugin");
}

#[test]
fn requests_at_the_same_time_are_limited_with_an_instance_for_each() {
    at_the_same_time("request");
}

fn throttled(isolation: &str) {
    let (upstream, seen) = Upstream::echoing();
    let gateway = start(&upstream, isolation, "");
    set(
        &gateway,
        r#"[{"resource":"shop","count":20,"controlBehavior":2,"maxQueueingTimeMs":60000}]"#,
    );
    let begun = Instant::now();
    assert_eq!(passed(&statuses(&gateway, 1, "/")), CLIENTS);
    // The first one goes at once, each other one 50 ms after the one before.
    let least = Duration::from_millis(50 * (CLIENTS as u64 - 1));
    assert!(begun.elapsed() >= least, "{:?}", begun.elapsed());
    assert_eq!(seen.take().len(), CLIENTS);
    gateway.end();
}

#[test]
fn who_would_wait_for_too_long_is_refused() {
    let (upstream, _) = Upstream::echoing();
    let gateway = start(&upstream, "plugin", "");
    set(
        &gateway,
        r#"[{"resource":"shop","count":0.01,"controlBehavior":2,"maxQueueingTimeMs":5000}]"#,
    );
    assert_eq!(passed(&statuses(&gateway, 1, "/")), 1);
    gateway.end();
}

#[test]
fn throttled_requests_wait_for_their_turn() {
    throttled("plugin");
}

#[test]
fn throttled_requests_wait_for_their_turn_with_an_instance_for_each() {
    throttled("request");
}

#[test]
fn rules_change_without_a_reload_and_broken_ones_are_refused() {
    let (upstream, _) = Upstream::echoing();
    let gateway = start(&upstream, "plugin", "    recycle: { requests: 3 }");
    assert_eq!(passed(&statuses(&gateway, 2, "/")), 2 * CLIENTS);
    set(&gateway, r#"[{"resource":"shop","count":0}]"#);
    let refused = gateway.get("/", "");
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.header("x-flow-rule"), Some("shop/0"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    let text = "too many requests: rule shop/0 lets shop have 0 per second\n";
    assert_eq!(refused.text(), text);
    let why = "rules: entry shop: refused: rule 0 (resource \"shop\"): grade: 7; expected 0 \
               (concurrency) or 1 (requests per second); what it said before still holds";
    told(
        &gateway,
        r#"[{"resource":"shop","count":9,"grade":7}]"#,
        why,
    );
    // In VMs that are started later, too.
    assert_eq!(passed(&statuses(&gateway, 4, "/")), 0);
    let admin = gateway.admin_address();
    let command = format!("map --admin {admin} delete flow-rules shop");
    Folder::new().run(&command).expect(Outcome::Fine, &[]);
    until("no rules hold", || {
        gateway.log().matches("entry shop: gone").count() >= WORKERS
    });
    assert_eq!(passed(&statuses(&gateway, 2, "/")), 2 * CLIENTS);
    gateway.end();
}

#[test]
fn without_its_grants_flow_control_does_not_start() {
    let module = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../guests/prebuilt/flow-control.wasm"
    );
    let site = SITE.replace("UPSTREAM", "127.0.0.1:1").replace("MORE", "");
    let site = site
        .replace("ISOLATION", "plugin")
        .replace("[read, list, watch]", "[read]");
    let site = format!("{site}modules: {{ flow-control: {{ file: {module} }} }}\n");
    let (code, text) = crate::harness::refused(&site);
    assert_eq!(code, Some(1), "{text}");
    let why = "rules: map flow-rules: a right is missing; is it granted, to read, list, watch?";
    assert!(text.contains(why), "{text}");
}
