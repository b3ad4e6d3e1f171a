//! Guests that want more memory, tables or stack than they may have.

use super::{check_counts, filter, hits, script, text};
use crate::harness::Gateway;

/// What the gateway may take beyond a guest's memory.
const SLACK_KIB: u64 = 48 << 10;

#[test]
fn growing_for_ever_ends_at_the_limit() {
    // What it got, it writes to, and then it gives up as an allocator does.
    let body = r#"(memory (export "memory") 1)
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local $at i32)
          (loop
            (local.set $at (i32.shl (memory.size) (i32.const 16)))
            (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then (unreachable)))
            (memory.fill (local.get $at) (i32.const 1) (i32.const 1048576))
            (br 0))
          (i32.const 0))"#;
    let gateway = text(body).limits("memory: 32MiB, time: 5s").start();
    let before = gateway.resident_kib();
    for _ in 0..3 {
        assert_eq!(gateway.get("/", "").status(), 503);
    }
    let growth = gateway.resident_kib().saturating_sub(before);
    assert!(growth < (32 << 10) + SLACK_KIB, "{growth} KiB");
    let line = gateway.logged("limits.memory: 32MiB");
    assert!(line.contains("filter=\"f\""), "{line}");
    assert!(hits(&gateway, "memory") >= 1);
    assert_eq!(gateway.get("/well", "").status(), 200);
    gateway.end();
}

#[test]
fn a_module_too_large_from_the_start_is_an_error_of_the_start() {
    let memory = |what: &str| format!(r#"(memory (export "memory") {what})"#);
    let large = text(&memory("300")).limits("memory: 16MiB").refused();
    assert!(
        large.contains("filter f") && large.contains("limits.memory: 16MiB"),
        "{large}"
    );
    let many = format!("{} {}", memory("1"), "(memory 1) ".repeat(5));
    let many = text(&many).refused();
    assert!(many.contains("limits.memories: 4"), "{many}");
    let tables = format!("{} {}", memory("1"), "(table 1 funcref) ".repeat(9));
    let tables = text(&tables).refused();
    assert!(tables.contains("limits.tables: 8"), "{tables}");
    let table = format!("{} (table 2000000 funcref)", memory("1"));
    let table = text(&table).refused();
    assert!(table.contains("limits.table_elements: 1000000"), "{table}");
}

#[test]
fn tables_and_further_memories_count() {
    let body = r#"(memory (export "memory") 1) (memory $other 1) (table 1 funcref)
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          (if (i32.ne (table.grow 0 (ref.null func) (i32.const 200)) (i32.const -1)) (then (unreachable)))
          (if (i32.ne (memory.grow $other (i32.const 20)) (i32.const -1)) (then (unreachable)))
          (i32.const 0))"#;
    let gateway = text(body)
        .limits("memory: 1MiB, table_elements: 100")
        .start();
    // The guest copes.
    assert_eq!(gateway.get("/", "").status(), 200);
    check_counts(&gateway, 0, 0);
    // One call, and the last refusal is the one that is told.
    assert_eq!(hits(&gateway, "memory"), 1);
    gateway.end();
}

/// All VMs of a filter share a budget: the workers' VMs take it up, and growth fails.
#[test]
fn all_virtual_machines_of_a_filter_together_are_bounded() {
    let body = r#"(memory (export "memory") 16)
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable)))
          (i32.const 0))"#;
    let gateway = text(body).workers(2).limits("total_memory: 2MiB").start();
    for _ in 0..8 {
        assert_eq!(gateway.get("/", "").status(), 200);
    }
    assert_eq!(filter(&gateway)["total_memory_bytes"], 2 << 20);
    assert!(hits(&gateway, "total_memory") >= 1);
    gateway.logged("limits.total_memory: 2MiB");
    gateway.end();
    let text = text(body).workers(3).limits("total_memory: 2MiB").refused();
    assert!(text.contains("limits.total_memory: 2MiB"), "{text}");
}

#[track_caller]
fn check_recursion(gateway: &Gateway) {
    assert_eq!(gateway.get("/deep", "x-deep: 1\r\n").status(), 503);
    assert_eq!(gateway.get("/well", "").status(), 200);
    assert_eq!(gateway.get("/next", "").status(), 200);
}

#[test]
fn a_stack_overflow_ends_the_guest_only() {
    let guest = r#"(func $deep (param i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get 0))))
        (request_headers (!get 0 "x-deep") (if (i32.ne (out) 0) (then (drop (call $deep (i32.const 0))))) 0)"#;
    let gateway = script(guest).start();
    check_recursion(&gateway);
    check_counts(&gateway, 1, 1);
    gateway.end();
}
