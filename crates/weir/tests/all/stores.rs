//! Maps in files as operators meet them: one line of configuration, and what is left after a kill.

use std::path::Path;

use weir::Outcome;

use crate::Folder;
use crate::harness::{Gateway, refused};

/// Counts requests in the map `m`, whatever keeps it.
const COUNTING: &str = r#"
(import "wasi_map_v1" "open" (func $open (param i32 i32 i64 i32) (result i32)))
(import "wasi_map_v1" "increment" (func $add (param i32 i32 i32 i64 i32) (result i32)))
(request_headers
  (show "open" (call $open (ptr "m") (len "m") (i64.const 2) 60000))
  (show "add" (call $add (i32.load 60000) (ptr "hits") (len "hits") (i64.const 1) 60008)))"#;

const SITE: &str = "workers: 2
listeners:
  - address: 127.0.0.1:0
    routes:
      - filters: [one]
        respond: { status: 200 }
modules:
  m: { file: \"FILE\" }
filters:
  one: { module: m, isolation: request, grants: { maps: { m: [write] } } }
maps:
  m: { store: disk }
stores:
  disk: { KIND: { path: \"STATE\" } }
";

fn folder() -> Folder {
    let guest = weir_conformance::guest("0.2.1", COUNTING).unwrap_or_else(|flaw| panic!("{flaw}"));
    Folder::new().with("m.wasm", guest)
}

fn site(folder: &Folder, kind: &str, state: &Path) -> String {
    SITE.replace("FILE", &folder.path("m.wasm").display().to_string())
        .replace("KIND", kind)
        .replace("STATE", &state.display().to_string())
}

/// The counter, as the admin address has it.
fn hits(gateway: &Gateway) -> i64 {
    let answer = gateway.admin("/maps/m/entry?key=hits");
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let bytes = <[u8; 8]>::try_from(&answer.body[..]);
    i64::from_le_bytes(bytes.expect("a counter has 8 bytes"))
}

#[test]
fn a_durable_count_goes_on_exactly_after_a_kill() {
    let folder = folder();
    let site = site(&folder, "durable", &folder.path("state"));
    let mut answered = 0;
    for _ in 0..3 {
        let mut gateway = Gateway::start(&site);
        for _ in 0..20 {
            assert_eq!(gateway.get("/", "").status(), 200);
            answered += 1;
        }
        assert_eq!(hits(&gateway), answered);
        gateway.signal("KILL");
        gateway.exit();
    }
    let file = folder.path("state").join("_").join("m.durable");
    assert!(file.is_file(), "no {}", file.display());

    // A second gateway cannot have the folder, and says so; a check needs not.
    let gateway = Gateway::start(&site);
    assert_eq!(hits(&gateway), answered);
    let (code, told) = refused(&site);
    assert_eq!(code, Some(1), "{told}");
    for part in [
        "map m: store disk (stores.disk)",
        "m.durable",
        "only one gateway",
    ] {
        assert!(told.contains(part), "{part} not in {told}");
    }
    let folder = folder.with("weir.yaml", site.as_bytes());
    folder.run("check @weir.yaml").expect(Outcome::Fine, &[]);
    assert_eq!(hits(&gateway), answered);
    gateway.end();
}

/// Their changes are written a second later, or when the gateway ends in peace.
#[test]
fn a_map_of_memory_over_disk_is_written_at_the_end() {
    let folder = folder();
    let site = site(&folder, "ssd_backed", &folder.path("state"));
    for round in 1..=2 {
        let gateway = Gateway::start(&site);
        for _ in 0..10 {
            assert_eq!(gateway.get("/", "").status(), 200);
        }
        assert_eq!(hits(&gateway), 10 * round);
        gateway.end();
    }
}

#[test]
fn a_password_that_is_not_there_is_named() {
    let folder = folder();
    let redis = "shared: { redis: { addresses: [127.0.0.1:1], password: { from: WEIR_NO_SUCH } } }";
    let site = site(&folder, "durable", &folder.path("state"));
    let site = format!("{site}  {redis}\n").replace("store: disk", "store: shared");
    let (code, told) = refused(&site);
    assert_eq!(code, Some(1), "{told}");
    let part = "stores.shared.redis.password is from the variable WEIR_NO_SUCH, which is not set";
    assert!(told.contains(part), "{told}");
}

/// A wrong address or password was told to nobody but the guests, as *io*.
#[test]
fn servers_that_cannot_be_reached_are_told_once() {
    let folder = folder();
    let redis = "shared: { redis: { addresses: [127.0.0.1:1] } }";
    let site = site(&folder, "durable", &folder.path("state"));
    let site = format!("{site}  {redis}\n").replace("store: disk", "store: shared");
    let gateway = Gateway::start(&site);
    let line = gateway.logged("cannot connect to a back end");
    for part in ["127.0.0.1:1", "refused", "WARN"] {
        assert!(line.contains(part), "{part} not in {line}");
    }
    let answer = gateway.get("/", "");
    assert_eq!(answer.status(), 200, "{answer:?} {}", gateway.log());
    assert_eq!(
        gateway
            .log()
            .matches("cannot connect to a back end")
            .count(),
        1
    );
    gateway.end();
}
