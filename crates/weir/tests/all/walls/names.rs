//! What a module says about itself, its names and source lines, is told when it fails, and costs
//! nobody's time.

use std::time::{Duration, Instant};

use super::{Walls, text};

/// The worker must answer others within this while a failure is told.
const PROMPT: Duration = Duration::from_secs(2);

/// A filter of which each request traps in a function with this name.
fn named(name: &str) -> String {
    format!(
        r#"(memory (export "memory") 1) (func $"{name}" unreachable)
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (call $"{name}") (i32.const 0))"#
    )
}

/// A module like [`text`]'s, with source lines.
fn with_lines(body: &str) -> Vec<u8> {
    let module = format!(
        r#"(module {body}
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "malloc") (param i32) (result i32) (i32.const 1024)))"#
    );
    let mut parser = wat::Parser::new();
    parser.generate_dwarf(wat::GenerateDwarf::Full);
    let path = std::path::Path::new("src/plugin.wat");
    let module = parser.parse_str(Some(path), &module);
    module.expect("a module")
}

#[test]
fn a_failure_is_told_with_its_source_lines_and_again_without_looking_them_up() {
    for keys in [
        "isolation: plugin",
        "isolation: request",
        "isolation: process",
    ] {
        let walls = Walls::of(with_lines(&named("deep"))).keys(keys);
        let gateway = walls.start();
        assert_eq!(gateway.get("/", "").status(), 503);
        let line = gateway.logged("the plugin failed");
        assert!(
            line.contains("in deep (src/plugin.wat:1)"),
            "{keys}: {line}"
        );
        assert_eq!(gateway.get("/", "").status(), 503);
        let stats = gateway.stats();
        let last = stats["last_failures"][0]["backtrace"][0].as_str();
        assert_eq!(last, Some("deep (src/plugin.wat:1)"), "{keys}: {stats}");
        assert_eq!(gateway.log().matches("src/plugin.wat").count(), 2, "{keys}");
        gateway.end();
    }
}

#[test]
fn a_name_that_stands_for_gigabytes_costs_nothing() {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut name = "_Z1fSt4pairIiiE".to_owned();
    for digit in &DIGITS[..30] {
        let last = format!("S{}_", char::from(*digit));
        name.extend(["S_I", &last, &last, "E"]);
    }
    let gateway = text(&named(&name)).keys("isolation: request").start();
    let before = gateway.resident_kib();
    for _ in 0..5 {
        let begun = Instant::now();
        assert_eq!(gateway.get("/", "").status(), 503);
        assert_eq!(gateway.get("/well", "").status(), 200);
        assert!(begun.elapsed() < PROMPT, "{:?}", begun.elapsed());
    }
    assert!(
        gateway
            .logged("the plugin failed")
            .contains("in f(std::pair")
    );
    assert!(gateway.resident_kib().saturating_sub(before) < 48 << 10);
    gateway.end();
}

#[test]
fn source_lines_that_would_take_gigabytes_are_not_read() {
    let mut module = wat::parse_str(format!(
        r#"(module {}
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "malloc") (param i32) (result i32) (i32.const 1024)))"#,
        named("deep")
    ))
    .expect("a module");
    // A custom section: its length and name before so many bytes.
    let (name, bytes) = (".debug_line", 24 << 20);
    let mut length = name.len() + 1 + bytes;
    module.push(0);
    while length > 0x7f {
        module.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
        length >>= 7;
    }
    module.push(u8::try_from(length).expect("seven bits"));
    module.push(u8::try_from(name.len()).expect("short"));
    module.extend(name.as_bytes());
    module.resize(module.len() + bytes, 0x4b);
    let walls = Walls::of(module).keys("isolation: request");
    let gateway = walls.start();
    for _ in 0..3 {
        let begun = Instant::now();
        assert_eq!(gateway.get("/", "").status(), 503);
        assert_eq!(gateway.get("/well", "").status(), 200);
        assert!(begun.elapsed() < PROMPT, "{:?}", begun.elapsed());
    }
    let line = gateway.logged("the plugin failed");
    assert!(
        line.contains("no source lines: the section .debug_line has 25165824 bytes")
            && line.contains("in deep"),
        "{line}"
    );
    gateway.end();
}
