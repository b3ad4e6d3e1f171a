//! Compiled code as operators meet it: the cache on disk, the fast compiler at first, optimised code
//! later, and nothing lost in between.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use weir::Outcome;

use crate::Folder;
use crate::harness::{Ends, Gateway};

/// Computes 64-bit FNV-1a over 200 000 bytes for each request, and tells it in `x-hash`.
const CPU: &str = include_str!("../../../../bench/filters/cpu.wat");
/// More functions than are compiled for speed before the gateway serves: some megabytes of code.
const FUNCTIONS: usize = 20_000;

/// The hash as it must be, whatever runs the guest.
fn expected_hash() -> String {
    let digits = b"0123456789abcdef".iter().cycle().take(200_000);
    let hash = digits.fold(0xcbf2_9ce4_8422_2325_u64, |hash, digit| {
        (hash ^ u64::from(*digit)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// The filter with so much other code that it is worth while to compile it quickly first.
fn big_module() -> Vec<u8> {
    let filter = CPU.trim_end().strip_suffix(')').expect("a module ends");
    let mut text = filter.to_owned();
    for number in 0..FUNCTIONS {
        let _ = write!(
            text,
            "(func (param i32) (result i32) (local i32)
              (local.set 1 (i32.mul (local.get 0) (i32.const {number})))
              (if (i32.gt_u (local.get 1) (i32.const 77))
                (then (local.set 1 (i32.xor (local.get 1) (local.get 0)))))
              (i32.add (local.get 1) (i32.load (i32.and (local.get 0) (i32.const 60)))))"
        );
    }
    wat::parse_str(text + ")").expect("a module")
}

/// A gateway in front of nothing, with one filter on two workers.
fn site(module: &Path, cache: &str, engine: &str) -> String {
    format!(
        "workers: 2
listeners:
  - address: 127.0.0.1:0
    name: main
    access_log: off
    routes: [{{ filters: [cpu], respond: {{ status: 200, body: here }} }}]
modules: {{ cpu: {{ file: \"{}\" }} }}
filters: {{ cpu: {{ module: cpu, engine: {engine} }} }}
code_cache: {cache}
",
        module.display()
    )
}

fn cache_at(folder: &Path) -> String {
    format!("{{ path: \"{}\" }}", folder.display())
}

/// What the admin page says runs the filter.
fn engine_of(gateway: &Gateway) -> String {
    let stats = gateway.stats();
    let engine = stats["filters"][0]["engine"].as_str();
    engine.expect("the engine is told").to_owned()
}

/// One of the numbers of the cache.
fn cache_count(gateway: &Gateway, name: &str) -> u64 {
    let stats = gateway.stats();
    let count = stats["code"]["cache"][name].as_u64();
    count.unwrap_or_else(|| panic!("no count {name} in {stats}"))
}

/// One request, which the filter must have answered rightly.
#[track_caller]
fn check(gateway: &Gateway, hash: &str) {
    let answer = gateway.get("/", "");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("x-hash"), Some(hash));
}

#[test]
fn code_becomes_better_under_load_and_no_request_fails() {
    let folder = TempDir::new().expect("a folder");
    let module = folder.path().join("big.wasm");
    fs::write(&module, big_module()).expect("the folder can be written");
    let cache = folder.path().join("cache");
    let site = site(&module, &cache_at(&cache), "auto");
    let hash = expected_hash();

    let gateway = Gateway::start(&site);
    assert_eq!(
        engine_of(&gateway),
        "winch",
        "the fast compiler's code serves first"
    );
    check(&gateway, &hash);
    let (is_over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let end = Ends(&is_over);
        for _ in 0..3 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    check(&gateway, &hash);
                    asked.fetch_add(1, Ordering::Relaxed);
                    // The compiler has to have a share of the processor.
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
        }
        gateway.logged("optimised code is ready");
        gateway.logged("the plugin runs optimised code now");
        // Both workers moved, and were asked before and afterwards.
        let moved = || gateway.log().matches("runs optimised code now").count();
        crate::harness::until("both workers run optimised code", || moved() == 2);
        let then = asked.load(Ordering::Relaxed);
        assert!(then > 0);
        crate::harness::until("more requests", || {
            asked.load(Ordering::Relaxed) > then + 50
        });
        drop(end);
    });
    assert_eq!(engine_of(&gateway), "cranelift");
    assert_eq!(cache_count(&gateway, "stored"), 1);
    let stats = gateway.stats();
    assert_eq!(
        stats["filters"][0]["vms"], 2,
        "the old VMs have ended: {stats}"
    );
    assert_eq!(stats["filters"][0]["failures"], 0);
    gateway.end();

    let gateway = Gateway::start(&site);
    assert_eq!(
        engine_of(&gateway),
        "cranelift",
        "the second start finds optimised code"
    );
    assert_eq!(cache_count(&gateway, "hits"), 1);
    check(&gateway, &hash);
    gateway.end();
}

#[test]
fn damaged_code_is_compiled_anew() {
    let folder = TempDir::new().expect("a folder");
    let module = folder.path().join("cpu.wasm");
    fs::write(&module, wat::parse_str(CPU).expect("a module")).expect("it can be written");
    let cache = folder.path().join("cache");
    let site = site(&module, &cache_at(&cache), "auto");
    let gateway = Gateway::start(&site);
    assert_eq!(cache_count(&gateway, "stored"), 1);
    gateway.end();

    let entries = fs::read_dir(&cache).expect("the cache is there");
    let files: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    assert_eq!(files.len(), 1);
    let mut bytes = fs::read(&files[0]).expect("it can be read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&files[0], bytes).expect("it can be written");

    let gateway = Gateway::start(&site);
    gateway.logged("a file of compiled code is not used: its checksum is wrong");
    assert_eq!(cache_count(&gateway, "refused"), 1);
    assert_eq!(cache_count(&gateway, "stored"), 1);
    check(&gateway, &expected_hash());
    let metrics = String::from_utf8(gateway.admin("/metrics").body).expect("text");
    assert!(
        metrics.contains("weir_code_cache_refused_total 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("weir_filter_engine{filter=\"cpu\",engine=\"cranelift\"} 1"),
        "{metrics}"
    );
    gateway.end();
}

#[test]
fn a_cache_that_cannot_be_had_is_told_once_and_costs_time_only() {
    let folder = TempDir::new().expect("a folder");
    let module = folder.path().join("cpu.wasm");
    fs::write(&module, wat::parse_str(CPU).expect("a module")).expect("it can be written");
    let no_folder = folder.path().join("cpu.wasm/cache");
    let gateway = Gateway::start(&site(&module, &cache_at(&no_folder), "auto"));
    check(&gateway, &expected_hash());
    assert_eq!(
        gateway.log().matches("compiled code is not kept").count(),
        1
    );
    assert!(gateway.stats()["code"]["cache"].is_null());
    gateway.end();
}

#[test]
fn filters_run_on_the_engine_that_they_name() {
    let folder = TempDir::new().expect("a folder");
    let module = folder.path().join("cpu.wasm");
    fs::write(&module, wat::parse_str(CPU).expect("a module")).expect("it can be written");
    for engine in ["cranelift", "winch", "pulley"] {
        let gateway = Gateway::start(&site(&module, "off", engine));
        assert_eq!(engine_of(&gateway), engine);
        check(&gateway, &expected_hash());
        gateway.end();
    }
}

#[test]
fn compile_fills_the_cache_of_a_gateway() {
    let folder = Folder::new()
        .with("cpu.wasm", wat::parse_str(CPU).expect("a module"))
        .with("broken.wasm", "no module");
    let line = "compile --cache @cache @cpu.wasm";
    let first = folder.run(line);
    first.expect(Outcome::Fine, &["cpu.wasm: compiled for cranelift", "MiB"]);
    folder
        .run(line)
        .expect(Outcome::Fine, &["cpu.wasm: is there, for cranelift"]);
    folder
        .run("compile --cache @cache --engine pulley @cpu.wasm @broken.wasm")
        .expect(
            Outcome::Problem,
            &[
                "cpu.wasm: compiled for pulley",
                "broken.wasm: problem: this is a text file, not a WebAssembly module",
            ],
        );
    folder
        .run("compile --cache @cache")
        .expect(Outcome::Fine, &["for cranelift", "for pulley", "2 files"]);

    let site = site(
        &folder.path("cpu.wasm"),
        &cache_at(&folder.path("cache")),
        "auto",
    );
    let gateway = Gateway::start(&site);
    assert_eq!(cache_count(&gateway, "hits"), 1);
    assert_eq!(cache_count(&gateway, "stored"), 0);
    check(&gateway, &expected_hash());
    gateway.end();
}

#[test]
fn compile_takes_modules_engines_and_folder_from_a_configuration() {
    let folder = Folder::new().with("cpu.wasm", wat::parse_str(CPU).expect("a module"));
    let site = site(Path::new("cpu.wasm"), "{ path: kept }", "winch");
    let folder = folder.with("weir.yaml", site);
    folder
        .run("compile --configuration @weir.yaml")
        .expect(Outcome::Fine, &["cpu.wasm: compiled for winch"]);
    assert_eq!(
        fs::read_dir(folder.path("kept"))
            .expect("it was made")
            .count(),
        1
    );
    folder
        .run("check @weir.yaml")
        .expect(Outcome::Fine, &["is fine"]);
}
