//! Maps that several gateways share in a real Redis.

use std::fs;
use std::thread;

use tempfile::TempDir;

use crate::all::harness::{Gateway, get};
use crate::exact_requests;
use crate::redis::Redis;

const SITE: &str = "workers: 2
listeners:
  - address: 127.0.0.1:0
    routes:
      - filters: [one]
        respond: { status: 200 }
modules:
  m: { file: FILE }
filters:
  one: { module: m, isolation: request, grants: { maps: { m: [write] } } }
maps:
  m: { store: shared }
stores:
  shared: { redis: { addresses: [\"REDIS\"], password: hush-hush, prefix: shop, deadline: 20s } }
";

const COUNTING: &str = r#"
(import "wasi_map_v1" "open" (func $open (param i32 i32 i64 i32) (result i32)))
(import "wasi_map_v1" "increment" (func $add (param i32 i32 i32 i64 i32) (result i32)))
(request_headers
  (show "open" (call $open (ptr "m") (len "m") (i64.const 2) 60000))
  (show "add" (call $add (i32.load 60000) (ptr "hits") (len "hits") (i64.const 1) 60008)))"#;

/// Connections at the same time to each gateway.
const CLIENTS: i64 = 16;

fn hits(gateway: &Gateway) -> i64 {
    let answer = gateway.admin("/maps/m/entry?key=hits");
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let bytes = <[u8; 8]>::try_from(&answer.body[..]);
    i64::from_le_bytes(bytes.expect("a counter has 8 bytes"))
}

#[test]
fn two_gateways_count_together_and_exactly() {
    let redis = Redis::start("hush-hush");
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("m.wasm");
    let guest = weir_conformance::guest("0.2.1", COUNTING).unwrap();
    fs::write(&file, guest).unwrap();
    let site = SITE
        .replace("FILE", &file.display().to_string())
        .replace("REDIS", &redis.address.to_string());
    let gateways = [Gateway::start(&site), Gateway::start(&site)];
    let requests = i64::try_from(exact_requests()).unwrap() / (2 * CLIENTS);
    thread::scope(|scope| {
        for gateway in gateways
            .iter()
            .flat_map(|one| (0..CLIENTS).map(move |_| one))
        {
            scope.spawn(move || {
                let mut wire = gateway.connect();
                for _ in 0..requests {
                    wire.send(get("/", ""));
                    assert_eq!(wire.response().status(), 200);
                }
            });
        }
    });
    for gateway in &gateways {
        assert_eq!(hits(gateway), 2 * CLIENTS * requests);
        let shown = gateway.admin("/config").text();
        assert!(shown.contains("\"shop\""), "{shown}");
        assert!(!shown.contains("hush-hush") && !gateway.log().contains("hush-hush"));
    }
    assert!(redis.keys("0").contains("shop:{"), "{}", redis.keys("0"));
    for gateway in gateways {
        gateway.end();
    }
}
