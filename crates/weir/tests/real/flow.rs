//! Flow control is exact: two gateways with four workers each on one real Redis, and one gateway with
//! eight workers and its map in memory.
//!
//! `WEIR_EXACT_REQUESTS` says how many requests (50 000 unless it is set). What was admitted is known
//! twice: clients count answers, and the filter's map says what each half of a second admitted.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use base64ct::{Base64, Encoding as _};
use serde_json::Value;

use crate::all::harness::{Gateway, get, until};
use crate::exact_requests;
use crate::redis::Redis;

const SITE: &str = "workers: WORKERS
listeners:
  - address: 127.0.0.1:0
    access_log: off
    routes:
      - { match: { path: /closed }, name: closed, filters: [flow], respond: { status: 200 } }
      - { name: shop, filters: [flow], respond: { status: 200 } }
filters:
  flow:
    module: flow-control
    engine: cranelift
    isolation: ISOLATION
    limits: { request_time: 1m }
    configuration: { parameters: [{ query: user }] }
    grants: { maps: { flow-rules: [read, list, watch], flow-state: [read, write] } }
";

const MEMORY: &str = "maps: { flow-rules: {}, flow-state: {} }\n";
const SHARED: &str = "maps: { flow-rules: { store: shared }, flow-state: { store: shared } }
stores: { shared: { redis: { addresses: [\"REDIS\"], deadline: 20s } } }
";

/// Admitted in a second.
const COUNT: u64 = 101;
/// Clients, over all gateways.
const CLIENTS: usize = 32;
/// Halves of a second are known for half a minute: they are looked at more often.
const LOOK: Duration = Duration::from_secs(5);

fn start(workers: usize, isolation: &str, maps: &str) -> Gateway {
    let site = SITE.replace("WORKERS", &workers.to_string());
    Gateway::start(&(site.replace("ISOLATION", isolation) + maps))
}

fn map(gateway: &Gateway, arguments: &[&str]) -> String {
    let admin = gateway.admin_address().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["map", "--admin", &admin])
        .args(arguments)
        .output()
        .expect("weir runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("weir speaks UTF-8")
}

/// Sets the rules, and waits until they hold everywhere.
fn set(gateways: &[Gateway], rule: &str) {
    let rules = format!("[{rule},{{\"resource\":\"closed\",\"count\":0}}]");
    map(&gateways[0], &["set", "flow-rules", "shop", &rules]);
    for gateway in gateways {
        let mut is_closed = || (0..64).all(|_| gateway.get("/closed", "").status() == 429);
        until("the rules hold", &mut is_closed);
    }
}

/// What clients saw.
struct Seen {
    admitted: usize,
    /// Halves of a second within which somebody was asked for and refused.
    refused: BTreeSet<u64>,
}

/// The half of a second that it is.
fn half() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.expect("it is later").as_millis() / 500).expect("it fits")
}

/// Asks so many times over all clients and gateways at once.
fn ask(gateways: &[Gateway], requests: usize, path: &str, meanwhile: impl FnMut() + Send) -> Seen {
    let (next, admitted) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let refused = Mutex::<BTreeSet<u64>>::default();
    let is_over = AtomicBool::new(false);
    let one = |number: usize| {
        let mut wire = gateways[number % gateways.len()].connect();
        while next.fetch_add(1, Ordering::Relaxed) < requests {
            let before = half();
            wire.send(get(path, ""));
            match wire.response().status() {
                200 => _ = admitted.fetch_add(1, Ordering::Relaxed),
                429 if half() == before => _ = refused.lock().expect("it is kept").insert(before),
                429 => {}
                other => panic!("the answer is {other}"),
            }
        }
    };
    thread::scope(|scope| {
        let (one, is_over) = (&one, &is_over);
        scope.spawn(move || look(is_over, meanwhile));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| scope.spawn(move || one(number)))
            .collect();
        let all = clients.into_iter().map(thread::ScopedJoinHandle::join);
        let failed = all.filter(Result::is_err).count();
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(failed, 0, "clients that failed");
    });
    Seen {
        admitted: admitted.into_inner(),
        refused: refused.into_inner().expect("it is kept"),
    }
}

fn look(is_over: &AtomicBool, mut meanwhile: impl FnMut()) {
    let mut looked = Instant::now();
    while !is_over.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(20));
        if looked.elapsed() > LOOK {
            meanwhile();
            looked = Instant::now();
        }
    }
}

/// What each half of a second has admitted, by its number; of those that are over, or of all.
fn halves(gateway: &Gateway, with_open: bool, known: &mut BTreeMap<u64, u64>) {
    for line in map(gateway, &["scan", "flow-state", "q/shop/shop/", "--json"]).lines() {
        let entry: Value = serde_json::from_str(line).expect("JSON");
        let key = entry["key"].as_str().expect("a key");
        let half = key
            .rsplit('/')
            .next()
            .and_then(|number| number.parse().ok());
        let half = half.unwrap_or_else(|| panic!("no half of a second: {key}"));
        match entry["counter"].as_i64() {
            Some(value) if with_open => {
                let (room, used) = ((value >> 32) & 0x3fff_ffff, value & 0xffff_ffff);
                known.insert(
                    half,
                    u64::try_from(room.min(used)).expect("both are positive"),
                );
            }
            Some(_) => {}
            None => {
                let bytes = bytes_of(&entry["value"]);
                let number = bytes
                    .iter()
                    .rev()
                    .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
                known.insert(half, number);
            }
        }
    }
}

/// A value: text, or base64 of what is none.
fn bytes_of(value: &Value) -> Vec<u8> {
    match value.as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => Base64::decode_vec(value["base64"].as_str().expect("base64")).expect("base64"),
    }
}

#[expect(
    clippy::print_stderr,
    reason = "figures of a run, for who reads its output"
)]
fn seconds_are_exact(gateways: &[Gateway]) {
    let requests = exact_requests();
    set(
        gateways,
        &format!("{{\"resource\":\"shop\",\"count\":{COUNT}}}"),
    );
    let (begun, mut known) = (Instant::now(), BTreeMap::new());
    let Seen { admitted, refused } = ask(gateways, requests, "/", || {
        halves(&gateways[0], false, &mut known);
    });
    let took = begun.elapsed();
    halves(&gateways[0], true, &mut known);
    let sum: u64 = known.values().sum();
    eprintln!(
        "{requests} requests in {took:?}: {admitted} admitted, {sum} by the map, in {} halves",
        known.len()
    );
    assert_eq!(
        sum, admitted as u64,
        "what was admitted, and what was counted"
    );
    let second = |half: u64| {
        let admitted = |half| known.get(&half).copied().unwrap_or_default();
        admitted(half - 1) + admitted(half)
    };
    for half in known.keys() {
        let count = second(*half);
        assert!(count <= COUNT, "{count} in the second up to {half}");
    }
    // Nobody was refused while there was room.
    assert!(
        !refused.is_empty(),
        "fewer than {COUNT} requests in a second"
    );
    for half in refused {
        assert_eq!(second(half), COUNT, "in the second up to {half}");
    }
}

fn tokens_are_exact(gateways: &[Gateway]) {
    let tokens = exact_requests() / 50;
    let rule = format!(
        "{{\"resource\":\"shop\",\"paramIdx\":0,\"count\":{tokens},\"durationInSec\":86400}}"
    );
    set(gateways, &rule);
    let seen = ask(gateways, 2 * tokens, "/?user=x", || {});
    assert_eq!(seen.admitted, tokens);
}

fn on_redis(exact: impl Fn(&[Gateway])) {
    let redis = Redis::start("");
    let maps = SHARED.replace("REDIS", &redis.address.to_string());
    let gateways = [start(4, "request", &maps), start(4, "request", &maps)];
    exact(&gateways);
    for gateway in gateways {
        gateway.end();
    }
}

fn in_memory(exact: impl Fn(&[Gateway])) {
    let gateways = [start(8, "plugin", MEMORY)];
    exact(&gateways);
    for gateway in gateways {
        gateway.end();
    }
}

#[test]
fn seconds_are_exact_over_two_gateways() {
    on_redis(seconds_are_exact);
}

#[test]
fn seconds_are_exact_over_eight_workers() {
    in_memory(seconds_are_exact);
}

#[test]
fn tokens_are_exact_over_two_gateways() {
    on_redis(tokens_are_exact);
}

#[test]
fn tokens_are_exact_over_eight_workers() {
    in_memory(tokens_are_exact);
}
