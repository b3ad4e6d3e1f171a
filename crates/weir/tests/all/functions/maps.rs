//! Functions with shared maps: among themselves, and lent along calls.

use std::fs;

use tempfile::TempDir;

use crate::harness::Gateway;

/// Counts in the map `counters` and answers 200 and the count; 400 and the error if it cannot.
const COUNTER: &str = r#"(module
    (import "wasi_map_v1" "open" (func $open (param i32 i32 i64 i32) (result i32)))
    (import "wasi_map_v1" "increment" (func $increment (param i32 i32 i32 i64 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "counters")
    (data (i32.const 16) "visits")
    (func (export "handle") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
        (local $error i32)
        (local.set $error (call $open (i32.const 0) (i32.const 8) (i64.const 3) (i32.const 64)))
        (if (local.get $error)
            (then (return (i32.add (i32.const 400) (local.get $error)))))
        (drop (call $increment (i32.load (i32.const 64)) (i32.const 16) (i32.const 6)
            (i64.const 1) (i32.const 72)))
        (i32.add (i32.const 200) (i32.load (i32.const 72)))))"#;

/// Lends `counters` to `borrower`, sends it the ticket, and answers what that answers.
const LENDER: &str = r#"(module
    (import "wasi_map_v1" "open" (func $open (param i32 i32 i64 i32) (result i32)))
    (import "wasi_map_v1" "lend" (func $lend (param i32 i64 i32 i32 i32) (result i32)))
    (import "weir_v1" "fetch"
        (func $fetch (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "counters")
    (data (i32.const 16) "borrower")
    (data (i32.const 32) "POST")
    (data (i32.const 48) "weir://borrower/")
    (func (export "handle") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
        (local $error i32)
        (local.set $error (call $open (i32.const 0) (i32.const 8) (i64.const 67) (i32.const 80)))
        (if (local.get $error)
            (then (return (i32.add (i32.const 400) (local.get $error)))))
        (local.set $error (call $lend (i32.load (i32.const 80)) (i64.const 3)
            (i32.const 16) (i32.const 8) (i32.const 96)))
        (if (local.get $error)
            (then (return (i32.add (i32.const 500) (local.get $error)))))
        (local.set $error (call $fetch (i32.const 32) (i32.const 4) (i32.const 48) (i32.const 16)
            (i32.const 0) (i32.const 0) (i32.const 96) (i32.const 16) (i32.const 128)))
        (if (local.get $error)
            (then (return (i32.add (i32.const 300) (local.get $error)))))
        (i32.load (i32.const 128))))"#;

/// Takes the ticket that is the request's body and counts in what it stands for.
const BORROWER: &str = r#"(module
    (import "wasi_map_v1" "accept" (func $accept (param i32 i32) (result i32)))
    (import "wasi_map_v1" "increment" (func $increment (param i32 i32 i32 i64 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "visits")
    (func (export "handle")
        (param i32 i32 i32 i32 i32 i32) (param $body i32) (param $bytes i32) (result i32)
        (local $error i32)
        (if (i32.ne (local.get $bytes) (i32.const 16)) (then (return (i32.const 400))))
        (local.set $error (call $accept (local.get $body) (i32.const 64)))
        (if (local.get $error)
            (then (return (i32.add (i32.const 500) (local.get $error)))))
        (local.set $error (call $increment (i32.load (i32.const 64)) (i32.const 16) (i32.const 6)
            (i64.const 1) (i32.const 72)))
        (if (local.get $error)
            (then (return (i32.add (i32.const 300) (local.get $error)))))
        (i32.add (i32.const 200) (i32.load (i32.const 72)))))"#;

fn gateway(functions: &str) -> (Gateway, TempDir) {
    let folder = TempDir::new().expect("a folder can be made");
    let module = |name: &str, text: &str| {
        let file = folder.path().join(format!("{name}.wasm"));
        fs::write(&file, wat::parse_str(text).expect("it is valid")).expect("it can be written");
        format!("  {name}: {{ file: {} }}\n", file.display())
    };
    let modules = [
        module("counter", COUNTER),
        module("lender", LENDER),
        module("borrower", BORROWER),
    ]
    .concat();
    let site = format!(
        "workers: 2\nlisteners:\n  - address: 127.0.0.1:0\n    routes:\n      \
         - {{ match: {{ path: /count }}, function: counter }}\n      \
         - {{ match: {{ path: /lend }}, function: lender }}\n      \
         - {{ match: {{ path: /borrow }}, function: borrower }}\n\
         maps: {{ counters: {{}} }}\nmodules:\n{modules}functions:\n{functions}\n"
    );
    (Gateway::start(&site), folder)
}

const GRANTED: &str = "
  counter: { module: counter, kind: core, grants: { maps: { counters: [read, write] } } }
  lender:
    module: lender
    grants: { maps: { counters: [read, write, share] }, functions: [borrower] }
  borrower: { module: borrower }";

#[test]
fn functions_of_all_workers_count_in_one_map() {
    let (gateway, _folder) = gateway(GRANTED);
    for count in 1..=6 {
        assert_eq!(gateway.get("/count", "").status(), 200 + count);
    }
    gateway.end();
}

#[test]
fn a_map_that_is_not_granted_is_not_there() {
    let (gateway, _folder) = gateway(&GRANTED.replace(
        "counter: { module: counter, kind: core, grants: { maps: { counters: [read, write] } } }",
        "counter: { module: counter }",
    ));
    assert_eq!(gateway.get("/count", "").status(), 444);
    gateway.end();
}

#[test]
fn a_map_is_lent_along_a_call() {
    let (gateway, _folder) = gateway(GRANTED);
    assert_eq!(gateway.get("/count", "").status(), 201);
    assert_eq!(gateway.get("/lend", "").status(), 202);
    assert_eq!(gateway.get("/lend", "").status(), 203);
    // The borrower alone has nothing, and no ticket stays behind.
    let forged =
        "POST /borrow HTTP/1.1\r\nhost: test\r\ncontent-length: 16\r\n\r\n0123456789abcdef";
    assert_eq!(gateway.ask(forged).status(), 544);
    assert_eq!(gateway.stats()["maps"]["tickets"], 0);
    gateway.end();
}
