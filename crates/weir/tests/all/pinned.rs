//! Pinned maps: a filter of a running gateway and a native process beside it, on one file. Needs `cc`.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use tempfile::TempDir;
use weir::Outcome;

use crate::Folder;
use crate::harness::{Gateway, refused, until};

/// Counts requests and looks for a switch.
const GUEST: &str = r#"
(import "wasi_map_v1" "open" (func $open (param i32 i32 i64 i32) (result i32)))
(import "wasi_map_v1" "increment" (func $add (param i32 i32 i32 i64 i32) (result i32)))
(import "wasi_map_v1" "exists" (func $exists (param i32 i32 i32 i32) (result i32)))
(request_headers
  (show "open" (call $open (ptr "m") (len "m") (i64.const 3) 60000))
  (show "add" (call $add (i32.load 60000) (ptr "hits") (len "hits") (i64.const 1) 60008))
  (show "exists" (call $exists (i32.load 60000) (ptr "switch") (len "switch") 60016))
  (show "is" (i32.load 60016)))"#;

const SITE: &str = "workers: 2
listeners:
  - address: 127.0.0.1:0
    routes:
      - filters: [one]
        respond: { status: 200 }
modules:
  m: { file: \"FILE\" }
filters:
  one: { module: m, isolation: request, grants: { maps: { m: [read, write] } } }
maps:
  m: { pin: \"PIN\", entries: 200, key_bytes: 16, value_bytes: 2048 }
";

/// The native process: the program that the library's own tests use.
fn program() -> &'static Path {
    static PROGRAM: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let library = root.join("sdk/c/pinned");
        let folder = tempfile::tempdir().expect("a folder can be made");
        let program = folder.path().join("pinned");
        let compiled = Command::new("cc")
            .args(["-std=c11", "-O2", "-o"])
            .arg(&program)
            .arg(format!("-I{}", library.display()))
            .arg(library.join("weir_pinned.c"))
            .arg(root.join("crates/pinned/tests/process/pinned.c"))
            .status();
        assert!(compiled.expect("cc is installed").success());
        (folder, program)
    });
    &PROGRAM.1
}

/// What the native process prints.
fn native(pin: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program()).arg(pin).args(arguments).output();
    let output = output.expect("it can be started");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout)
        .expect("text")
        .trim()
        .to_owned()
}

/// A native process that writes until it is killed.
fn filler(pin: &Path, seed: u64) -> Child {
    let mut child = Command::new(program())
        .arg(pin)
        .args(["fill", "20", &seed.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be started");
    let mut line = String::new();
    let out = child.stdout.take().expect("stdout is a pipe");
    BufReader::new(out).read_line(&mut line).expect("it speaks");
    assert_eq!(line, "writing\n");
    child
}

fn folder() -> (Folder, PathBuf, String) {
    let guest = weir_conformance::guest("0.2.1", GUEST).unwrap_or_else(|flaw| panic!("{flaw}"));
    let folder = Folder::new().with("m.wasm", guest);
    let pin = folder.path("run").join("m.pin");
    let site = SITE
        .replace("FILE", &folder.path("m.wasm").display().to_string())
        .replace("PIN", &pin.display().to_string());
    (folder, pin, site)
}

/// The counter, as the admin address has it.
fn hits(gateway: &Gateway) -> i64 {
    let answer = gateway.admin("/maps/m/entry?key=hits");
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let bytes = <[u8; 8]>::try_from(&answer.body[..]);
    i64::from_le_bytes(bytes.expect("a counter has 8 bytes"))
}

#[test]
fn a_filter_and_a_native_process_count_together() {
    let (_folder, pin, site) = folder();
    let gateway = Gateway::start(&site);
    std::thread::scope(|scope| {
        let native = scope.spawn(|| native(&pin, &["add", "hits", "20000"]));
        for _ in 0..50 {
            assert_eq!(gateway.get("/", "").status(), 200);
        }
        native.join().expect("it does not fail");
    });
    assert_eq!(hits(&gateway), 20_050);
    assert_eq!(native(&pin, &["add", "hits", "1"]), "20051");
    // What the native process stores is there for the filter, and gone when its time is up.
    native(&pin, &["set", "switch", "on", "300", "0", "0"]);
    assert_eq!(gateway.admin("/maps/m/entry?key=switch").text(), "on");
    until("the switch has ended", || {
        gateway.admin("/maps/m/entry?key=switch").status() == 404
    });
    // Numbers come from the look that the gateway takes at the file each second.
    let metrics = || gateway.admin("/metrics").text();
    for line in [
        "weir_map_entries{map=\"m\"} 1\n",
        "weir_map_expired_total{map=\"m\"} 1\n",
        "weir_map_misses_total{map=\"m\"} ",
    ] {
        until(line, || metrics().contains(line));
    }
    gateway.end();
    // The file stays, and the next gateway goes on with it.
    assert_eq!(native(&pin, &["add", "hits", "1"]), "20052");
    let gateway = Gateway::start(&site);
    assert_eq!(hits(&gateway), 20_052);
    gateway.end();
}

#[test]
fn processes_that_die_while_they_write_block_nobody() {
    let (_folder, pin, site) = folder();
    let gateway = Gateway::start(&site);
    let died = || gateway.log().contains("a process died while it wrote");
    let mut round = 0;
    until("somebody died inside a write, and it was noticed", || {
        round += 1;
        let mut writers = [0, 1].map(|number| filler(&pin, round * 2 + number));
        std::thread::sleep(Duration::from_millis(3));
        for writer in &mut writers {
            writer.kill().expect("it runs");
            writer.wait().expect("it is our child");
        }
        assert_eq!(gateway.get("/", "").status(), 200);
        died()
    });
    for number in 0..20 {
        let key = format!("key-{number}");
        let set = || native(&pin, &["set", &key, "v", "0", "0", "0"]).starts_with("0 ");
        until("the dead one's bucket is free", set);
        let path = format!("/maps/m/entry?key={key}");
        assert_eq!(gateway.admin(&path).text(), "v");
    }
    gateway.end();
}

#[test]
fn files_that_are_no_maps_are_left_alone() {
    let (folder, pin, site) = folder();
    std::fs::create_dir(folder.path("run")).expect("the folder can be made");
    std::fs::write(&pin, "something of somebody ".repeat(500)).expect("it can be written");
    let (code, told) = refused(&site);
    assert_eq!(code, Some(1), "{told}");
    for part in ["map m: maps.m.pin:", "m.pin", "no pinned map"] {
        assert!(told.contains(part), "{part} not in {told}");
    }
    let kept = std::fs::read_to_string(&pin).expect("it is there");
    assert!(kept.starts_with("something"));
    // A check touches no file, and knows what is too large.
    let folder = folder.with("weir.yaml", site.as_bytes());
    folder.run("check @weir.yaml").expect(Outcome::Fine, &[]);
    let large = site.replace("entries: 200", "entries: 1000000000");
    let folder = folder.with("weir.yaml", large.as_bytes());
    let told = folder.run("check @weir.yaml");
    told.expect(Outcome::Problem, &["maps.m.pin", "at most 64 GiB"]);
}
