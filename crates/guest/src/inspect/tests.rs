//! Tests of the report, on modules written as text and on thousands of damaged ones.

use super::*;

/// A whole small plugin; `%` stands for more fields.
const PLUGIN: &str = r#"(module
    (import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))
    (import "env" "proxy_http_call"
        (func (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
    %IMPORTS
    (memory (export "memory") 2 8)
    (table 3 funcref)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) i32.const 0)
    (func (export "_initialize"))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) i32.const 0)
    (data (i32.const 0) "hello")
    %FIELDS)"#;

fn plugin(imports: &str, fields: &str) -> Vec<u8> {
    wat::parse_str(
        PLUGIN
            .replace("%IMPORTS", imports)
            .replace("%FIELDS", fields),
    )
    .expect("the test's text is valid")
}

fn report(imports: &str, fields: &str) -> Report {
    inspect(&plugin(imports, fields)).expect("the test's module is valid")
}

fn check_refusal(bytes: &[u8], expected: &str) {
    let error = inspect(bytes).expect_err("not a module").to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn what_is_no_wasm_is_named() {
    check_refusal(b"", "empty");
    check_refusal(b"\x1f\x8b\x08\0", "gzip");
    check_refusal(b"  (module)", "WAT");
    check_refusal(b"{\"a\": 1}\n", "a text file");
    check_refusal(b"\x01\x02\x03", "01 02 03");
    check_refusal(b"\0asm", "damaged at byte");
    check_refusal(b"\0asm\x01\0\0\0\x01\x7f", "damaged at byte");
}

#[test]
fn a_plain_plugin_loads_everywhere() {
    let report = report("", "");
    assert_eq!(report.kind, Kind::CoreModule);
    assert_eq!(report.purpose, Purpose::ProxyWasmPlugin);
    assert_eq!(report.abi.version.as_deref(), Some("0.2.1"));
    assert_eq!(
        report.in_weir,
        Verdict {
            loads: true,
            ..Verdict::default()
        }
    );
    assert_eq!(
        report.in_strict_host,
        Verdict {
            loads: true,
            ..Verdict::default()
        }
    );
    assert_eq!(report.grants, ["HTTP callouts (proxy_http_call)"]);
    assert_eq!(report.memories[0].max_pages, Some(8));
    assert_eq!(report.sizes.data_bytes, 5);
    assert_eq!(report.exports.allocator.as_deref(), Some("malloc"));
    assert_eq!(report.exports.start, ["_initialize"]);
    let families: Vec<_> = report.imports.iter().map(|g| (g.family, g.topic)).collect();
    assert_eq!(
        families,
        [
            ("proxy-wasm", "HTTP callouts"),
            ("proxy-wasm", "logging"),
            ("wasi", "file descriptors")
        ]
    );
}

/// Expects what Weir and a strict host say, as parts of their first problem; empty: it loads.
fn check_verdict(imports: &str, fields: &str, in_weir: &str, in_strict_host: &str) {
    let report = report(imports, fields);
    for (verdict, expected) in [
        (&report.in_weir, in_weir),
        (&report.in_strict_host, in_strict_host),
    ] {
        assert_eq!(verdict.loads, expected.is_empty(), "{verdict:?}");
        let problems = verdict.problems.join("; ");
        assert!(
            problems.contains(expected),
            "{problems:?} lacks {expected:?}"
        );
    }
}

#[test]
fn unknown_function_imports_are_stubbed_unless_strict() {
    let import = r#"(import "env" "no_such" (func (param f64)))"#;
    check_verdict(import, "", "", "env.no_such");
    assert_eq!(
        report(import, "").imports.last().map(|group| group.family),
        Some("unknown")
    );
}

#[test]
fn a_known_import_of_another_type_is_refused() {
    let import = r#"(import "env" "proxy_done" (func (param i32)))"#;
    check_verdict(import, "", "expected () -> i32", "with type (i32)");
}

#[test]
fn imports_of_other_versions_are_for_tolerant_hosts() {
    let import = r#"(import "env" "proxy_continue_request" (func (result i32)))"#;
    check_verdict(import, "", "", "not part of its ABI version");
}

#[test]
fn imported_globals_are_refused_and_memories_are_not() {
    check_verdict(
        r#"(import "env" "g" (global i32))"#,
        "",
        "global env.g",
        "global env.g",
    );
    check_verdict(r#"(import "env" "t" (table 1 funcref))"#, "", "", "");
}

#[test]
fn callbacks_are_judged_by_their_type() {
    let two = "(func (export \"proxy_on_response_headers\") (param i32 i32) (result i32) \
               i32.const 0)";
    check_verdict("", two, "", "another ABI version");
    let none = "(func (export \"proxy_on_response_headers\"))";
    check_verdict("", none, "not the ABI's", "not the ABI's");
}

#[test]
fn higress_is_told_apart() {
    let import = r#"(import "env" "proxy_get_upstream_hosts" (func (param i32 i32) (result i32)))"#;
    check_verdict(import, "", "", "only Higress");
    let report = report(import, "");
    assert_eq!(report.in_weir.notes, [""; 0]);
    let standings: Vec<_> = report
        .all_imports()
        .map(|(_, import)| &import.standing)
        .collect();
    assert!(standings.contains(&&Standing::OtherHost), "{standings:?}");
    let dialect = report.dialect.expect("a plugin has a dialect");
    assert_eq!(dialect.name, weir_model::Dialect::Higress);
    assert!(dialect.reason.contains("proxy_get_upstream_hosts"));
}

#[test]
fn shared_maps_are_functions_of_this_host() {
    let open = r#"(import "wasi_map_v1" "open" (func (param i32 i32 i64 i32) (result i32)))"#;
    let draft = r#"(import "wasi_map" "wasi_map_open" (func (param i32 i32) (result i32)))"#;
    let first = r#"(import "wasi_map" "wasi_map_open" (func (result i32)))"#;
    for import in [open, draft, first] {
        let report = report(import, "");
        assert!(report.in_weir.loads && report.in_weir.notes.is_empty());
        assert!(!report.in_strict_host.loads, "{import}");
        assert!(report.needs.maps);
        let capabilities = &report.needs.capabilities;
        assert!(capabilities.iter().any(|name| name == "wasi_map_open"));
    }
    let wrong = r#"(import "wasi_map" "wasi_map_open" (func (param i32) (result i32)))"#;
    assert!(!report(wrong, "").in_weir.loads);
}

#[test]
fn the_first_marker_decides_and_all_are_listed() {
    let report = report("", "(func (export \"proxy_abi_version_0_1_0\"))");
    let markers: Vec<_> = report
        .abi
        .markers
        .iter()
        .map(|m| (m.name.as_str(), m.decides))
        .collect();
    assert_eq!(
        markers,
        [
            ("proxy_abi_version_0_2_1", true),
            ("proxy_abi_version_0_1_0", false)
        ]
    );
}

fn check_plain(text: &str, purpose: Purpose, problem: &str) {
    let bytes = wat::parse_str(text).expect("the test's text is valid");
    let report = inspect(&bytes).expect("the test's module is valid");
    assert_eq!(report.purpose, purpose);
    assert!(!report.in_weir.loads);
    assert!(
        report.in_weir.problems.join("; ").contains(problem),
        "{:?}",
        report.in_weir
    );
}

#[test]
fn what_is_no_plugin_is_told_so() {
    check_plain("(module)", Purpose::Library, "no Proxy-Wasm plugin");
    check_plain(
        "(module (func (export \"_start\")))",
        Purpose::Command,
        "malloc",
    );
    check_plain(
        "(module (func (export \"proxy_abi_version_9_9_9\")))",
        Purpose::ProxyWasmPlugin,
        "no known version",
    );
    check_plain("(component)", Purpose::Component, "component");
    check_plain(
        "(module (global (export \"proxy_abi_version_0_2_1\") i32 (i32.const 0)))",
        Purpose::Library,
        "no Proxy-Wasm plugin",
    );
}

#[test]
fn interfaces_of_a_component_are_listed() {
    let text =
        r#"(component (import "wasi:http/types@0.2.0" (instance)) (core module (memory 1)))"#;
    let report = inspect(&wat::parse_str(text).expect("valid")).expect("valid");
    assert_eq!(report.kind, Kind::Component);
    assert_eq!(report.imports[0].imports[0].name, "wasi:http/types@0.2.0");
    assert!(report.memories.is_empty());
}

#[test]
fn long_signatures_are_cut() {
    let import = format!(
        "(import \"env\" \"f\" (func (param{})))",
        " i64".repeat(500)
    );
    let report = report(&import, "");
    let (_, import) = report.all_imports().last().expect("an import");
    assert!(import.signature.len() < 120 && import.signature.contains('…'));
}

#[test]
fn damaged_modules_never_panic() {
    let imports = r#"(import "env" "g" (global i32)) (import "x" "f" (func (param i64)))"#;
    let fields = r#"(@custom "producers" "\01\08language\01\04Rust\03202") (start 4)"#;
    let whole = plugin(imports, &fields.replace("(start 4)", ""));
    for end in 0..whole.len() {
        let _ = inspect(&whole[..end]);
    }
    // xorshift64: the same damage in every run.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("below is a usize")
    };
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            bytes[at] = u8::try_from(random(256)).expect("below 256");
        }
        if random(4) == 0 {
            bytes.drain(random(bytes.len())..);
        }
        let _ = inspect(&bytes);
    }
}
