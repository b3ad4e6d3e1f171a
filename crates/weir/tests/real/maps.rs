//! A filter that is built with the public Go SDK uses shared maps: `examples/maps/go`, compiled by
//! `sdk/build.sh`. `WEIR_GO_FILTER` names the binary.

use std::fs;

use tempfile::TempDir;

use crate::all::harness::Gateway;
use crate::component;

const SITE: &str = "workers: 2
listeners:
  - address: 127.0.0.1:0
    routes:
      - match: { path: /on }
        filters: [on]
        respond: { status: 200 }
      - match: { path: /off }
        filters: [off]
        respond: { status: 200 }
      - filters: [maintenance]
        respond: { status: 200, body: \"served\\n\" }
modules:
  maintenance: { file: GO }
  on: { file: ON }
  off: { file: OFF }
filters:
  maintenance: { module: maintenance, grants: { maps: { switches: [read] } } }
  on: { module: on, grants: { maps: { switches: [write] } } }
  off: { module: off, grants: { maps: { switches: [delete] } } }
maps:
  switches: {}
";

const ON: &str = r#"
(import "wasi_map_v1" "open" (func $open (param i32 i32 i64 i32) (result i32)))
(import "wasi_map_v1" "set" (func $set (param i32 i32 i32 i32 i32) (result i32)))
(request_headers
  (show "open" (call $open (ptr "switches") (len "switches") (i64.const 2) 60000))
  (show "set" (call $set (i32.load 60000)
    (ptr "maintenance/a") (len "maintenance/a") (ptr "back soon") (len "back soon"))))"#;

const OFF: &str = r#"
(import "wasi_map_v1" "open" (func $open (param i32 i32 i64 i32) (result i32)))
(import "wasi_map_v1" "delete" (func $delete (param i32 i32 i32) (result i32)))
(request_headers
  (show "open" (call $open (ptr "switches") (len "switches") (i64.const 4) 60000))
  (show "delete" (call $delete (i32.load 60000) (ptr "maintenance/a") (len "maintenance/a"))))"#;

#[test]
fn the_go_filter_follows_its_map() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, script: &str| {
        let path = folder.path().join(name);
        fs::write(&path, weir_conformance::guest("0.2.1", script).unwrap()).unwrap();
        path.display().to_string()
    };
    let go = component("WEIR_GO_FILTER").display().to_string();
    let site = SITE
        .replace("GO", &go)
        .replace("ON", &file("on.wasm", ON))
        .replace("OFF", &file("off.wasm", OFF));
    let gateway = Gateway::start(&site);
    let ask = |host: &str| {
        let answer = gateway.ask(format!(
            "GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        ));
        (answer.status(), answer.text())
    };
    let served = || (200, "served\n".to_owned());
    assert_eq!(ask("a"), served());
    assert_eq!(gateway.get("/on", "").status(), 200);
    // Each connection may meet another worker.
    for _ in 0..10 {
        assert_eq!(ask("a"), (503, "back soon".to_owned()));
        assert_eq!(ask("b"), served());
    }
    assert_eq!(gateway.get("/off", "").status(), 200);
    for _ in 0..10 {
        assert_eq!(ask("a"), served());
    }
    gateway.end();
}
