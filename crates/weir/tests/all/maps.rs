//! Shared maps as operators meet them: the configuration, what commands say of modules, numbers.

use serde_json::json;
use weir::Outcome;

use crate::Folder;
use crate::harness::{Gateway, Upstream, until};

const SCRIPT: &str = r#"
(import "wasi_map_v1" "open" (func $open (param i32 i32 i64 i32) (result i32)))
(import "wasi_map_v1" "create" (func $create (param i32 i32) (result i32)))
(import "wasi_map_v1" "set" (func $set (param i32 i32 i32 i32 i32) (result i32)))
(request_headers
  (show "open" (call $open (ptr "m") (len "m") (i64.const 2) 60000))
  (show "set" (call $set (i32.load 60000) (ptr "k") (len "k") (ptr "value") (len "value")))
  (show "create" (call $create 0 60000)))"#;

const SITE: &str = "listeners:
  - address: 127.0.0.1:0
    routes:
      - filters: [one]
        forward: up
clusters:
  up: { endpoints: [\"UPSTREAM\"] }
modules:
  m: { file: FILE }
filters:
  one: { module: m, GRANTS }
maps:
  m: { bytes: 1MiB }
code_cache: off
";

fn guest() -> Vec<u8> {
    weir_conformance::guest("0.2.1", SCRIPT).unwrap_or_else(|flaw| panic!("{flaw}"))
}

fn site(file: &str, grants: &str) -> String {
    SITE.replace("FILE", file).replace("GRANTS", grants)
}

#[test]
fn numbers_of_maps_are_shown_and_no_entries() {
    let folder = Folder::new().with("m.wasm", guest());
    let (upstream, _) = Upstream::echoing();
    let file = folder.path("m.wasm").display().to_string();
    let site = site(&file, "grants: { maps: { m: [write] } }");
    let gateway = Gateway::start(&site.replace("UPSTREAM", &upstream.address.to_string()));
    assert_eq!(gateway.get("/p", "").status(), 200);
    assert_eq!(gateway.get("/p", "").status(), 200);
    let metrics = || gateway.admin("/metrics").text();
    // An entry counts with 160 bytes, its key and its value.
    for line in [
        "weir_map_entries{map=\"m\"} 1\n",
        "weir_map_bytes{map=\"m\"} 166\n",
        "weir_map_bytes_max{map=\"m\"} 1048576\n",
        "weir_map_changes_total{map=\"m\"} 2\n",
        "weir_map_version{map=\"m\"} 2\n",
        "weir_map_hits_total{map=\"m\"} 0\n",
        "weir_map_misses_total{map=\"m\"} 0\n",
        "weir_map_refused_total{map=\"m\"} 0\n",
        "weir_map_granted{map=\"m\",filter=\"one\"} 1\n",
        "weir_maps_anonymous 2\n",
        "weir_filter_map_bytes{filter=\"one\"} 2048\n",
    ] {
        until(line, || metrics().contains(line));
    }
    // An operator's look counts as any other.
    assert_eq!(gateway.admin("/maps/m/entry?key=k").text(), "value");
    assert_eq!(gateway.admin("/maps/m/entry?key=x").status(), 404);
    let maps = &gateway.stats()["maps"];
    let map = &maps["maps"][0];
    let shown = ["name", "entries", "hits", "misses"].map(|key| map[key].clone());
    assert_eq!(shown, [json!("m"), json!(1), json!(1), json!(1)]);
    assert_eq!(map["granted"], json!({ "one": ["write"] }));
    assert_eq!(maps["anonymous"]["maps"], 2);
    assert!(!maps.to_string().contains("\"value\""), "{maps}");
    // The page of maps and the command show the same.
    let page: serde_json::Value =
        serde_json::from_slice(&gateway.admin("/maps").body).expect("JSON");
    assert_eq!(page, *maps);
    let admin = gateway.admin_address();
    let stat = folder.run(&format!("map --admin {admin} stat m"));
    stat.expect(Outcome::Fine, &["hits", "expired", "references"]);
    let config: serde_json::Value =
        serde_json::from_str(&gateway.admin("/config").text()).expect("JSON");
    let granted = &config["filters"]["one"]["grants"]["maps"];
    assert_eq!(*granted, serde_json::json!({ "m": ["write"] }));
    gateway.end();
}

#[test]
fn a_module_that_uses_maps_is_recognised() {
    let folder = Folder::new().with("m.wasm", guest()).with(
        "weir.yaml",
        site("m.wasm", "").replace("UPSTREAM", "127.0.0.1:1"),
    );
    let parts = [
        "shared maps",
        "wasi_map_v1.open",
        "which Envoy has not",
        "wasi_map_open",
    ];
    folder.run("inspect @m.wasm").expect(Outcome::Fine, &parts);
    let parts = [
        "its module opens shared maps, and its grants name none",
        "map \"m\" is used nowhere",
    ];
    folder.run("check @weir.yaml").expect(Outcome::Fine, &parts);
}

/// Of a map that is granted in part, a filter has so much and no more, and what it has is told.
#[test]
fn a_part_of_a_map_is_no_more_than_that() {
    let folder = Folder::new().with("m.wasm", guest());
    let (upstream, _) = Upstream::echoing();
    let file = folder.path("m.wasm").display().to_string();
    let grants = "grants: { maps: { m: { rights: [write], entries: 0 } } }";
    let site = site(&file, grants);
    let site = site.replace("UPSTREAM", &upstream.address.to_string());
    let gateway = Gateway::start(&site);
    assert_eq!(gateway.get("/p", "").status(), 200);
    let metrics = gateway.admin("/metrics").text();
    for line in [
        "weir_filter_map_refused_total{filter=\"one\"} 1\n",
        "weir_map_granted_entries{map=\"m\",filter=\"one\"} 0\n",
        "weir_map_granted_entries_max{map=\"m\",filter=\"one\"} 0\n",
        "weir_map_granted_bytes{map=\"m\",filter=\"one\"} 0\n",
        "weir_map_entries{map=\"m\"} 0\n",
    ] {
        assert!(metrics.contains(line), "{line} not in {metrics}");
    }
    assert!(
        !metrics.contains("weir_map_granted_bytes_max{"),
        "{metrics}"
    );
    gateway.end();
    let gateway = Gateway::start(&site.replace("entries: 0", "entries: 1"));
    for _ in 0..3 {
        assert_eq!(gateway.get("/p", "").status(), 200);
    }
    let metrics = gateway.admin("/metrics").text();
    let line = "weir_map_granted_entries{map=\"m\",filter=\"one\"} 1\n";
    assert!(metrics.contains(line), "{metrics}");
    gateway.end();
}

/// Only memory knows whose an entry is.
#[test]
fn a_part_of_a_map_that_is_elsewhere_is_refused() {
    let grants = "grants: { maps: { m: { rights: all, bytes: 1KiB } } }";
    let site = site("m.wasm", grants)
        .replace("UPSTREAM", "127.0.0.1:1")
        .replace(
            "m: { bytes: 1MiB }",
            "m: { store: disk }\nstores:\n  disk: { durable: { path: state } }",
        );
    let folder = Folder::new()
        .with("m.wasm", guest())
        .with("weir.yaml", site);
    let parts = [
        "filters.one.grants.maps.m: entries and bytes of a grant are counted in maps in memory only",
    ];
    folder
        .run("check @weir.yaml")
        .expect(Outcome::Problem, &parts);
}

/// What each request may do is refused beyond that, and the next request has as much again.
#[test]
fn each_request_has_its_budget() {
    let folder = Folder::new().with("m.wasm", guest());
    let (upstream, _) = Upstream::echoing();
    let file = folder.path("m.wasm").display().to_string();
    for (units, version, refused) in [(10, 3, 0), (9, 0, 3)] {
        let grants = format!(
            "grants: {{ maps: {{ m: [write] }}, map_budget: {{ units: {units}, write: 10 }} }}"
        );
        let site = site(&file, &grants).replace("UPSTREAM", &upstream.address.to_string());
        let gateway = Gateway::start(&site);
        for _ in 0..3 {
            assert_eq!(gateway.get("/p", "").status(), 200);
        }
        let metrics = gateway.admin("/metrics").text();
        let line = format!("weir_map_version{{map=\"m\"}} {version}\n");
        assert!(metrics.contains(&line), "{line} not in {metrics}");
        let line = format!("weir_filter_map_refused_total{{filter=\"one\"}} {refused}\n");
        assert_eq!(metrics.contains(&line), refused > 0, "{metrics}");
        gateway.end();
    }
}

/// What a filter may do in a second is refused beyond that, and counted.
#[test]
fn a_rate_is_spent_and_then_refused() {
    let folder = Folder::new().with("m.wasm", guest());
    let (upstream, _) = Upstream::echoing();
    let file = folder.path("m.wasm").display().to_string();
    let grants = "grants: { maps: { m: [write] }, map_rate: { units: 1, burst: 50, write: 10 } }";
    let site = site(&file, grants);
    let gateway = Gateway::start(&site.replace("UPSTREAM", &upstream.address.to_string()));
    for _ in 0..7 {
        assert_eq!(gateway.get("/p", "").status(), 200);
    }
    let metrics = gateway.admin("/metrics").text();
    for line in [
        "weir_filter_map_refused_total{filter=\"one\"} 2\n",
        "weir_filter_map_units_total{filter=\"one\"} 50\n",
        "weir_map_version{map=\"m\"} 5\n",
    ] {
        assert!(metrics.contains(line), "{line} not in {metrics}");
    }
    gateway.end();
}
