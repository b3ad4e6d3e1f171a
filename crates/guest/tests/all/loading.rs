//! Section 9.1: loading and linking.

use weir_guest::door::Event;
use weir_guest::{LoadError, WaitingHost, abi};
use weir_model::GuestLimits;
use weir_testkit::run::{self, CALL, engine};
use weir_testkit::{Script, program, start};

use crate::common::{
    MALLOC, MARKER, MEMORY, REQUEST_HEADERS, answer, callback, env, import_as, load_strictly,
    module, on_request,
};

fn refusal(text: &str) -> String {
    match load_strictly(text) {
        Ok(_) => panic!("loaded: {text}"),
        Err(error) => error.to_string(),
    }
}

fn check_refused(text: &str, expected: &str) {
    let error = refusal(text);
    assert!(
        error.contains(expected),
        "{error:?} does not contain {expected:?}"
    );
}

#[test]
fn s1_s2_a_marker_must_be_a_function() {
    let rest = format!("{MEMORY} {MALLOC}");
    let global = r#"(global (export "proxy_abi_version_0_2_1") i32 (i32.const 0))"#;
    let table = r#"(table (export "proxy_abi_version_0_2_1") 1 funcref)"#;
    let unknown = r#"(func (export "proxy_abi_version_0_3_0"))"#;
    for marker in ["", global, table, unknown] {
        check_refused(
            &format!("(module {marker} {rest})"),
            "unknown Proxy-Wasm ABI version",
        );
    }
}

#[test]
fn s3_s5_the_first_marker_in_export_order_decides() {
    let marker = |version: &str| format!("(func (export \"proxy_abi_version_{version}\"))");
    let check = |versions: &[&str], expected: &str| {
        let markers: String = versions.iter().map(|version| marker(version)).collect();
        let text = format!("(module {markers} {MEMORY} {MALLOC})");
        assert_eq!(program(text).version.text(), expected);
    };
    check(&["0_1_0"], "0.1.0");
    check(&["0_2_0"], "0.2.0");
    check(&["0_2_1"], "0.2.1");
    check(&["0_2_100"], "0.2.100");
    check(&["0_2_0", "0_1_0"], "0.2.0");
    check(&["9_9_9", "0_1_0", "0_2_1"], "0.1.0");
}

#[test]
fn s4_the_marker_is_never_called() {
    let marker = r#"(func (export "proxy_abi_version_0_2_1") unreachable)"#;
    let body = callback("proxy_on_request_headers", 3, "i32.const 0");
    assert_eq!(
        answer(&format!("(module {marker} {MEMORY} {MALLOC} {body})")),
        Ok(0)
    );
}

#[test]
fn s6_unknown_imports_are_refused_by_name_or_become_stubs() {
    let text = |from: &str, result: &str| {
        on_request(
            &format!("(import \"{from}\" \"no_such\" (func $f (param i32) (result {result})))"),
            if result == "i64" {
                "(i32.wrap_i64 (call $f (i32.const 1)))"
            } else {
                "(call $f (i32.const 1))"
            },
        )
    };
    for from in [
        "env",
        "wasi_snapshot_preview1",
        "wasi_unstable",
        "elsewhere",
    ] {
        let text = text(from, "i32");
        check_refused(&text, &format!("missing import: {from}.no_such"));
        assert_eq!(program(&text).stubs, [format!("{from}.no_such")]);
        assert_eq!(
            answer(&text),
            Ok(if from.starts_with("wasi") { 52 } else { 12 }),
            "{from}"
        );
    }
    assert_eq!(answer(&text("env", "i64")), Ok(12));
}

#[test]
fn s6_functions_of_another_version_are_unknown_when_strict() {
    let text = |version: &str, name: &str| {
        format!(
            "(module {} (func (export \"proxy_abi_version_{version}\")) {MEMORY} {MALLOC})",
            env(&[name])
        )
    };
    for (version, name) in [
        ("0_2_1", "proxy_continue_request"),
        ("0_2_0", "proxy_get_log_level"),
        ("0_1_0", "proxy_continue_stream"),
        ("0_2_0", "proxy_redis_call"),
    ] {
        check_refused(&text(version, name), name);
        run::load(
            text(version, name).as_bytes(),
            weir_guest::ProgramOptions::default(),
        )
        .expect("a tolerant host loads it");
    }
}

#[test]
fn s7_a_known_import_of_another_type_is_refused() {
    for (from, name, ty) in [
        ("env", "proxy_log", "(param i32 i32) (result i32)"),
        ("env", "proxy_log", "(param i32 i32 i32)"),
        ("env", "proxy_done", "(result i64)"),
        (
            "env",
            "proxy_increment_metric",
            "(param i32 i32) (result i32)",
        ),
        ("wasi_unstable", "fd_write", "(param i32) (result i32)"),
    ] {
        let text = module(&format!("(import \"{from}\" \"{name}\" (func {ty}))"), "");
        check_refused(&text, &format!("import {from}.{name} has type"));
        let tolerant = run::load(text.as_bytes(), weir_guest::ProgramOptions::default());
        assert!(
            matches!(tolerant, Err(LoadError::WrongImportType { .. })),
            "{name}"
        );
    }
}

#[test]
fn s8_an_imported_global_is_refused() {
    let text = module(r#"(import "env" "level" (global i32))"#, "");
    check_refused(&text, "the global env.level");
}

#[test]
fn s9_imported_memories_and_tables_are_made_by_the_host() {
    let text = format!(
        r#"(module (import "env" "memory" (memory 1 4)) (import "env" "table" (table 2 funcref))
            {MARKER} (export "memory" (memory 0)) {MALLOC} {})"#,
        callback(
            "proxy_on_request_headers",
            3,
            "(i32.store (i32.const 65532) (i32.const 7)) (i32.load (i32.const 65532))"
        )
    );
    assert_eq!(answer(&text), Ok(7));
}

#[test]
fn a_function_of_maps_that_nobody_knows_is_not_supported() {
    let unknown = r#"(import "wasi_map_v1" "later" (func $later (param i32 i64) (result i32)))"#;
    let call = "(call $later (i32.const 1) (i64.const 2))";
    assert_eq!(answer(&on_request(unknown, call)), Ok(58));
}

#[test]
fn a_callback_of_maps_has_the_type_of_the_interface() {
    let text = |ty: &str| {
        let callback = format!("(func (export \"wasi_map_on_release\") (param {ty}))");
        module("", &callback)
    };
    assert!(program(text("i64")).has_callback("wasi_map_on_release"));
    let refused = load_strictly(&text("i32")).err().expect("another type");
    assert!(
        refused.to_string().contains("wasi_map_on_release"),
        "{refused}"
    );
}

/// Every function of the ABI, under every module name, in one module.
fn everything() -> String {
    let imports: String = abi::functions()
        .flat_map(|function| {
            let modules: &[&str] = match function.namespace {
                abi::Namespace::Env => &[abi::ENV],
                abi::Namespace::Wasi => &abi::WASI_MODULES,
                abi::Namespace::Maps => &[abi::MAPS],
                abi::Namespace::DraftMaps => &[abi::DRAFT_MAPS],
            };
            modules
                .iter()
                .map(|module| import_as(module, function.name, ""))
        })
        .collect();
    module(&imports, "")
}

#[test]
fn s10_s11_every_function_of_the_table_links_with_its_type() {
    let program = program(everything());
    assert!(
        program
            .stubs
            .iter()
            .all(|stub| abi::find("env", &stub[4..]).is_some())
    );
    start(&program, Script::new()).expect("all links");
}

#[test]
fn s10_s11_every_function_links_in_a_host_that_waits() {
    struct Nobody;
    impl weir_guest::World for Nobody {
        fn call(
            &mut self,
            _: weir_guest::Call<'_>,
        ) -> Result<weir_guest::Answer, weir_guest::Stop> {
            Err(weir_guest::Stop::CannotWait)
        }
    }
    let program = program(everything());
    let host = WaitingHost::new(engine()).expect("a host");
    let started = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(host.start(&program, Nobody, &GuestLimits::default()));
    assert!(started.is_ok());
}

#[test]
fn s10_both_wasi_modules_are_the_same() {
    let imports = r#"
        (import "wasi_unstable" "fd_prestat_get" (func $old (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_prestat_get" (func $new (param i32 i32) (result i32)))"#;
    let sum =
        "(i32.add (call $old (i32.const 3) (i32.const 0)) (call $new (i32.const 3) (i32.const 0)))";
    assert_eq!(answer(&on_request(imports, sum)), Ok(16));
}

#[test]
fn s12_s13_one_of_two_allocators_is_needed() {
    let allocator = |name: &str, result: &str| {
        format!("(func (export \"{name}\") (param i32) (result {result}) ({result}.const 64))")
    };
    let with = |allocator: &str| format!("(module {MARKER} {MEMORY} {allocator})");
    check_refused(&with(""), "missing malloc function");
    check_refused(
        &with(&allocator("malloc", "i64")),
        "missing malloc function",
    );
    for name in ["malloc", "proxy_on_memory_allocate"] {
        load_strictly(&with(&allocator(name, "i32"))).expect(name);
    }
    let memory = r#"(memory (export "heap") 1)"#;
    check_refused(
        &format!("(module {MARKER} {memory} {MALLOC})"),
        "no memory named",
    );
}

#[test]
fn s14_a_module_without_callbacks_lets_everything_pass() {
    let mut vm = start(&program(module("", "")), Script::new()).expect("a guest");
    let events = [
        (
            Event::ContextCreate {
                context: 1,
                parent: 0,
            },
            0,
        ),
        (Event::VmStart { root: 1, size: 0 }, 1),
        (Event::Configure { root: 1, size: 0 }, 1),
        (REQUEST_HEADERS, 0),
        (
            Event::RequestBody {
                context: 2,
                size: 9,
                end: true,
            },
            0,
        ),
        (
            Event::ResponseTrailers {
                context: 2,
                count: 1,
            },
            0,
        ),
        (Event::Done { context: 2 }, 1),
        (Event::Log { context: 2 }, 0),
        (Event::Delete { context: 2 }, 0),
    ];
    for (event, expected) in events {
        assert!(!vm.hears(&event));
        assert_eq!(vm.deliver(&event, CALL), Ok(expected), "{event:?}");
    }
    assert!(vm.world().events.is_empty() && vm.world().heard.is_empty());
}

#[test]
fn s15_s16_headers_callbacks_are_called_with_the_parameters_they_have() {
    for marker in ["0_1_0", "0_2_0", "0_2_1"] {
        for (params, expected) in [(2, 25), (3, 26)] {
            let end = if params == 3 {
                "(local.get 2)"
            } else {
                "(i32.const 0)"
            };
            let sum = format!("(i32.add (i32.mul (local.get 0) (local.get 1)) {end})");
            let text = format!(
                "(module (func (export \"proxy_abi_version_{marker}\")) {MEMORY} {MALLOC} {} {})",
                callback("proxy_on_request_headers", params, &sum),
                callback("proxy_on_response_headers", params, &sum),
            );
            let mut vm = start(&program(text), Script::new()).expect("a guest");
            let request = Event::RequestHeaders {
                context: 5,
                count: 5,
                end: true,
            };
            let response = Event::ResponseHeaders {
                context: 5,
                count: 5,
                end: true,
            };
            assert_eq!(vm.deliver(&request, CALL), Ok(expected));
            assert_eq!(vm.deliver(&response, CALL), Ok(expected));
        }
    }
}

#[test]
fn a_callback_of_an_impossible_type_is_refused_by_name() {
    for (name, params) in [("proxy_on_request_headers", 4), ("proxy_on_tick", 1)] {
        let text = module("", &callback(name, params, "i32.const 0"));
        check_refused(&text, &format!("bad function signature for {name}"));
    }
}

#[test]
fn s17_corrupted_modules_are_refused() {
    let hello = include_bytes!("../../../../guests/prebuilt/hello.wasm");
    let load = |bytes: &[u8]| {
        weir_guest::Program::compile(engine(), bytes, weir_guest::ProgramOptions::default())
    };
    assert!(load(b"").is_err() && load(b"\0asm\x01\0\0\0").is_err() && load(b"MZ").is_err());
    for part in 1..8 {
        let cut = &hello[..hello.len() * part / 8];
        assert!(
            matches!(load(cut), Err(LoadError::Corrupted(_))),
            "{part}/8"
        );
    }
    // Any answer will do for a flipped byte, as long as there is one.
    for at in (8..hello.len()).step_by(hello.len() / 12) {
        let mut flipped = hello.to_vec();
        flipped[at] ^= 0x55;
        drop(load(&flipped));
    }
}

#[test]
fn s18_precompiled_sections_do_not_matter() {
    let plain = on_request("", "i32.const 1");
    let with = plain.replacen(
        "(module",
        r#"(module (@custom "precompiled_wasmtime_v48_linux_x86_64" "not code at all")"#,
        1,
    );
    assert_eq!(answer(&with), answer(&plain));
}
