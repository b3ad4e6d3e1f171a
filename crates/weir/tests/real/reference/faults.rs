//! The same faults in both hosts: what clients get, and whether others are served.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::envoy::Envoy;
use super::{Chain, address_of};
use crate::all::harness::{Gateway, Upstream, Wire, get};

const MISBEHAVE: &str = include_str!("../../../../../guests/probe/scripts/misbehave.json");
/// Clients at once.
const CLIENTS: usize = 4;

fn chains() -> [Chain; 1] {
    let script: Value = serde_json::from_str(MISBEHAVE).expect("the script is JSON");
    [Chain {
        name: "probe",
        filter: Some(("probe", script)),
        cases: Vec::new(),
    }]
}

fn weir(upstream: &Upstream, isolation: &str) -> Gateway {
    let script = MISBEHAVE.replace('\n', " ");
    Gateway::start(&format!(
        "workers: 1\nlisteners:\n  - address: 127.0.0.1:0\n    name: probe\n    routes:\n      \
         - {{ filters: [probe], forward: up }}\nclusters:\n  up: {{ endpoints: [\"{}\"], ejection: off }}\n\
         filters:\n  probe: {{ module: probe, configuration: {script}, isolation: {isolation} }}\n",
        upstream.address
    ))
}

/// What clients got: 200 and 503, for requests that crash the module and for the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    crashing: [u64; 2],
    others: [u64; 2],
}

/// Every second request of each client crashes the module.
fn load(address: SocketAddr, time: Duration) -> Tally {
    let begun = Instant::now();
    let client = || {
        let (mut tally, mut is_crash) = (Tally::default(), false);
        let mut wire = Wire::connect(address);
        while begun.elapsed() < time {
            wire.send(get(
                "/",
                if is_crash {
                    "x-misbehave: panic\r\n"
                } else {
                    ""
                },
            ));
            let answer = wire.response();
            let counts = if is_crash {
                &mut tally.crashing
            } else {
                &mut tally.others
            };
            match answer.status() {
                200 => counts[0] += 1,
                503 => counts[1] += 1,
                other => panic!("a client got {other}"),
            }
            if answer.header("connection") == Some("close") {
                wire = Wire::connect(address);
            }
            is_crash = !is_crash;
        }
        tally
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        let tallies = clients
            .into_iter()
            .map(|one| one.join().expect("no client fails"));
        tallies.fold(Tally::default(), |all, one| Tally {
            crashing: [0, 1].map(|index| all.crashing[index] + one.crashing[index]),
            others: [0, 1].map(|index| all.others[index] + one.others[index]),
        })
    })
}

/// Weir's default brings the module back, as often as its breaker allows; with a VM for each request
/// only those fail that crash it. Envoy's default answers 503 to everybody from the first crash on.
#[test]
fn a_module_that_crashes_on_half_of_its_requests() {
    let seconds = std::env::var("WEIR_CRASH_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(5);
    let time = Duration::from_secs(seconds);
    let (upstream, _) = Upstream::echoing();
    let ours = |isolation| {
        let gateway = weir(&upstream, isolation);
        let tally = load(address_of(&gateway, "probe"), time);
        gateway.end();
        tally
    };
    let (our_tally, copies_tally) = (ours("plugin"), ours("request"));
    let theirs = Envoy::start(&chains(), upstream.address);
    let their_tally = load(theirs.address_of("probe"), time);
    tell(&format!(
        "Weir, plugin: {our_tally:?}\nWeir, request: {copies_tally:?}\nEnvoy: {their_tally:?}"
    ));
    assert_eq!([our_tally.crashing[0], their_tally.crashing[0]], [0, 0]);
    assert!(our_tally.others[0] > 0);
    // A VM for each request: nobody but those who crash it notices.
    assert_eq!((copies_tally.crashing[0], copies_tally.others[1]), (0, 0));
    assert!(copies_tally.others[0] > 0);
    // Each client may have been served once before the first crash.
    assert!(their_tally.others[0] <= CLIENTS as u64, "{their_tally:?}");
}

#[expect(
    clippy::print_stderr,
    reason = "numbers for people, with `--nocapture`"
)]
fn tell(text: &str) {
    eprintln!("{text}");
}
