//! Statements 293 to 298: what a filter may use, and its environment.

mod rows;
mod table;

use weir_model::{Isolation, Variable};

use crate::guest::guest;
use crate::stage::{GET, Stage, is_oracle, with};

/// Answers with what three calls returned: `proxy_log`, `fd_write`, and a header call.
fn asking() -> Vec<u8> {
    let text = r#"(module
      (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
      (func (export "proxy_abi_version_0_2_1"))
      (memory (export "memory") 1)
      (func (export "malloc") (param i32) (result i32) (i32.const 0x8000))
      (data (i32.const 0) "x-log") (data (i32.const 16) "x-write")
      (func $put (param $name i32) (param $length i32) (param $number i32)
        (i32.store8 (i32.const 64) (i32.add (i32.const 48) (i32.div_u (local.get $number) (i32.const 10))))
        (i32.store8 (i32.const 65) (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
        (drop (call $add (i32.const 2) (local.get $name) (local.get $length) (i32.const 64) (i32.const 2))))
      (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (unreachable))
      (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
        (i32.store (i32.const 32) (i32.const 48)) (i32.store (i32.const 36) (i32.const 1))
        (call $put (i32.const 0) (i32.const 5) (call $log (i32.const 2) (i32.const 0) (i32.const 1)))
        (call $put (i32.const 16) (i32.const 7) (call $write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 40)))
        (i32.const 0)))"#;
    wat::parse_str(text).expect("a module")
}

fn allowing(names: &[&str]) -> Stage {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    with(asking()).tune(|filter| filter.capabilities = Some(names))
}

#[test]
fn s293_without_a_list_all_is_allowed() {
    let gateway = with(asking()).start();
    assert_eq!(gateway.ask(GET).status, 503, "its request callback traps");
}

#[test]
fn s294_to_s297_what_is_not_listed_fails_or_is_not_called() {
    let gateway = allowing(&["proxy_on_response_headers", "proxy_add_header_map_value"])
        .workers(2)
        .start();
    for _ in 0..8 {
        let response = gateway.ask(GET);
        let seen = [response.field("x-log"), response.field("x-write")];
        assert_eq!(seen, ["10", "76"]);
        assert_eq!(response.status, 200);
    }
}

#[test]
fn s294_each_function_is_allowed_by_its_name() {
    let gateway = allowing(&[
        "proxy_on_response_headers",
        "proxy_add_header_map_value",
        "proxy_log",
        "fd_write",
    ])
    .start();
    let response = gateway.ask(GET);
    let seen = [response.field("x-log"), response.field("x-write")];
    assert_eq!(seen, ["00", "00"]);
}

#[test]
fn filters_with_other_capabilities_share_no_vm() {
    if is_oracle() {
        // Envoy lets the second one have what the first one has.
        return;
    }
    let script = r#"(request_headers (bump a) (show "a" @a))"#;
    let stage = Stage::new()
        .filter(guest(script))
        .tune(|filter| filter.isolation = Isolation::Module)
        .filter(guest(script))
        .tune(|filter| filter.isolation = Isolation::Module);
    let mut shared = stage;
    let vm_id = shared.filters[0].0.vm_id.clone();
    shared.filters[1].0.vm_id = vm_id;
    shared.filters[1].0.capabilities = Some(vec![
        "proxy_on_request_headers".to_owned(),
        "proxy_log".to_owned(),
    ]);
    let gateway = shared.start();
    gateway.ask(GET);
    gateway.check(0, &["a 1"]);
    gateway.check(1, &["a 1"]);
}

/// Logs its environment when it starts, one line a variable.
fn listing() -> Vec<u8> {
    let text = r#"(module
      (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
      (func (export "proxy_abi_version_0_2_1"))
      (memory (export "memory") 1)
      (func (export "malloc") (param i32) (result i32) (i32.const 0x8000))
      (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (drop (call $sizes (i32.const 0) (i32.const 4)))
        (drop (call $environ (i32.const 16) (i32.const 1024)))
        (drop (call $log (i32.const 2) (i32.const 1024) (i32.load (i32.const 4))))
        (i32.const 0)))"#;
    wat::parse_str(text).expect("a module")
}

#[test]
fn s298_variables_of_the_gateway_are_there_if_it_has_them() {
    let of_gateway = |name: &str| Variable::OfGateway(name.to_owned());
    let gateway = with(listing())
        .tune(|filter| {
            filter.environment = vec![
                ("CARGO_PKG_NAME".to_owned(), of_gateway("CARGO_PKG_NAME")),
                ("NOT_SET".to_owned(), of_gateway("WEIR_IS_NOT_SET_ANYWHERE")),
            ];
        })
        .start();
    gateway.ask(GET);
    gateway.check(0, &["CARGO_PKG_NAME=weir-proxy\0"]);
}
