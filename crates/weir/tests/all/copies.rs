//! `isolation: request` in the program: no request sees another, none falls with another, and the
//! operator sees what it costs.

use crate::harness::{Gateway, Upstream, refused, site};

const MISBEHAVE: &str = include_str!("../../../../guests/probe/scripts/misbehave.json");
const ROUTES: &str = "      - { filters: [probe], forward: up }";

fn filters(module: &str, more: &str) -> String {
    let script = MISBEHAVE.replace('\n', " ");
    format!(
        "filters:\n  probe: {{ module: {module}, configuration: {script}, isolation: request{more} }}\n"
    )
}

#[test]
fn requests_have_nothing_of_one_another_and_fall_alone() {
    let (upstream, seen) = Upstream::echoing();
    let gateway = Gateway::start(&site(upstream.address, ROUTES, &filters("probe", "")));
    for _ in 0..20 {
        assert_eq!(gateway.get("/", "").status(), 200);
        assert_eq!(seen.last().header("x-vm-requests"), Some("1"));
        assert_eq!(gateway.get("/", "x-misbehave: panic\r\n").status(), 503);
    }
    let stats = gateway.stats();
    let filter = &stats["filters"][0];
    assert_eq!(filter["failures_by_kind"]["trap"], 20, "{filter}");
    assert_eq!(
        (
            &filter["refused"],
            &filter["replacements"],
            &filter["breaker"]
        ),
        (&0.into(), &0.into(), &"closed".into()),
        "{filter}"
    );
    let last = &stats["last_failures"][0];
    assert_eq!(
        (&last["filter"], &last["kind"]),
        (&"probe".into(), &"trap".into())
    );
    assert!(!last["backtrace"].as_array().unwrap().is_empty(), "{last}");
    // Twenty failures in one way are one line.
    let log = gateway.log();
    assert_eq!(log.matches("the plugin failed").count(), 1, "{log}");
    // It counts for no row: a copy costs nobody else anything.
    assert!(!log.contains("failures="), "{log}");
    let metrics = gateway.admin("/metrics").text();
    for line in [
        "weir_filter_failures_total{filter=\"probe\",kind=\"trap\"} 20",
        "weir_filter_instances_exhausted_total{filter=\"probe\"} 0",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    gateway.end();
}

#[test]
fn a_module_whose_state_cannot_be_copied_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hides.wasm");
    let module = wat::parse_str(
        r#"(module (func (export "proxy_abi_version_0_2_1")) (memory (export "memory") 1)
            (func (export "malloc") (param i32) (result i32) i32.const 8)
            (table $t 2 funcref)
            (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
              (table.set $t (i32.const 0) (ref.null func)) i32.const 0))"#,
    );
    std::fs::write(&path, module.unwrap()).unwrap();
    let configuration = format!(
        "listeners: [{{ address: 127.0.0.1:0, routes: [{{ filters: [a], echo: true }}] }}]
modules: {{ hides: {{ file: {} }} }}
filters: {{ a: {{ module: hides, isolation: request }} }}
",
        path.display()
    );
    let (code, words) = refused(&configuration);
    assert_eq!(
        words.matches("filter ").count(),
        1,
        "each cause is told once: {words}"
    );
    assert_ne!(code, Some(0));
    assert!(
        words.contains("isolation request") && words.contains("table.set"),
        "{words}"
    );
    let site = folder.path().join("weir.yaml");
    std::fs::write(&site, &configuration).unwrap();
    let check = std::process::Command::new(env!("CARGO_BIN_EXE_weir"))
        .arg("check")
        .arg(&site)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&check.stdout) + String::from_utf8_lossy(&check.stderr);
    assert_eq!(check.status.code(), Some(1), "{words}");
    // The key, the module's file, and the instruction with its function.
    for part in ["filters.a.isolation", "hides.wasm", "table.set"] {
        assert!(words.contains(part), "{part}: {words}");
    }
}
