//! The example of a filter with maps (`examples/maps/rust/limiter`) in the gateway: as many requests
//! as it allows are let through, by all workers together, and not one more.

use std::thread;

use crate::harness::{Gateway, Upstream};

const THREADS: usize = 8;
const EACH: usize = 40;
const ALLOWED: usize = 100;

/// A window that does not end during the test.
const SITE: &str = "workers: 2
listeners:
  - address: 127.0.0.1:0
    routes:
      - filters: [limiter]
        forward: up
clusters:
  up: { endpoints: [\"UPSTREAM\"] }
modules:
  limiter: { file: FILE }
filters:
  limiter:
    module: limiter
    isolation: ISOLATION
    configuration: { requests: 100, seconds: 1000000000, map: counters }
    grants: { maps: GRANTS }
maps:
  counters: {}
";

fn site(isolation: &str, grants: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/maps/rust");
    SITE.replace("FILE", &format!("{folder}/limiter/limiter.wasm"))
        .replace("ISOLATION", isolation)
        .replace("GRANTS", grants)
}

fn exact(isolation: &str) {
    let (upstream, _) = Upstream::echoing();
    let site = site(isolation, "{ counters: [read, write] }");
    let gateway = Gateway::start(&site.replace("UPSTREAM", &upstream.address.to_string()));
    let ask = || {
        let statuses = (0..EACH).map(|number| gateway.get(&format!("/p?{number}"), "").status());
        statuses.filter(|status| *status == 200).count()
    };
    let admitted: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(ask)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("it only asks"))
            .sum()
    });
    assert_eq!(admitted, ALLOWED);
    let refused = gateway.get("/p", "");
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.text(), "too many requests\n");
    assert_eq!(gateway.get("/another", "").status(), 200);
    gateway.end();
}

#[test]
fn a_limit_is_exact_over_all_workers() {
    exact("plugin");
}

#[test]
fn a_limit_is_exact_with_an_instance_for_each_request() {
    exact("request");
}

#[test]
fn without_its_grant_the_limiter_does_not_start() {
    let (code, text) = crate::harness::refused(
        &site("plugin", "{ counters: [read] }").replace("UPSTREAM", "127.0.0.1:1"),
    );
    assert_eq!(code, Some(1), "{text}");
    let why = "map counters: a right is missing; is it granted, to read and write?";
    assert!(text.contains(why), "{text}");
}
