//! Shared maps of a filter in a process: every function, as in the gateway.

use super::{check, scene};

const IMPORTS: &str = r#"
(import "wasi_map_v1" "open" (func $open (param i32 i32 i64 i32) (result i32)))
(import "wasi_map_v1" "create" (func $create (param i32 i32) (result i32)))
(import "wasi_map_v1" "close" (func $close (param i32) (result i32)))
(import "wasi_map_v1" "dup" (func $dup (param i32 i64 i32) (result i32)))
(import "wasi_map_v1" "lend" (func $lend (param i32 i64 i32 i32 i32) (result i32)))
(import "wasi_map_v1" "transfer" (func $transfer (param i32 i32 i32 i32) (result i32)))
(import "wasi_map_v1" "accept" (func $accept (param i32 i32) (result i32)))
(import "wasi_map_v1" "rights" (func $rights (param i32 i32) (result i32)))
(import "wasi_map_v1" "stat" (func $stat (param i32 i32) (result i32)))
(import "wasi_map_v1" "get" (func $get (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
(import "wasi_map_v1" "get_alloc" (func $get_alloc (param i32 i32 i32 i32 i32 i32) (result i32)))
(import "wasi_map_v1" "set" (func $set (param i32 i32 i32 i32 i32) (result i32)))
(import "wasi_map_v1" "set_with" (func $set_with (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
(import "wasi_map_v1" "delete" (func $delete (param i32 i32 i32) (result i32)))
(import "wasi_map_v1" "exists" (func $exists (param i32 i32 i32 i32) (result i32)))
(import "wasi_map_v1" "compare_and_swap" (func $cas (param i32 i32 i32 i64 i32 i32 i32) (result i32)))
(import "wasi_map_v1" "increment" (func $add (param i32 i32 i32 i64 i32) (result i32)))
(import "wasi_map_v1" "scan" (func $scan (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
(import "wasi_map_v1" "batch" (func $batch (param i32 i32 i32 i32) (result i32)))
(import "wasi_map_v1" "clear" (func $clear_map (param i32) (result i32)))
(import "wasi_map_v1" "watch" (func $watch (param i32 i32 i32 i32) (result i32)))
(import "wasi_map_v1" "next" (func $next (param i32 i64 i32 i32 i32) (result i32)))
(import "wasi_map_v1" "unwatch" (func $unwatch (param i32) (result i32)))
(import "wasi_map_v1" "put_map" (func $put_map (param i32 i32 i32 i32) (result i32)))
(import "wasi_map_v1" "get_map" (func $get_map (param i32 i32 i32 i32) (result i32)))
(import "wasi_map_v1" "region_create" (func $region (param i32 i32 i32 i64) (result i32)))
(global $h (mut i32) (i32.const 0)) (global $w (mut i32) (i32.const 0))
"#;

const ENTRIES: &str = r#"
    (show "set" (call $set @h (ptr "k") (len "k") (ptr "value") (len "value")))
    (show "get" (call $get @h (ptr "k") (len "k") 60100 100 60004 60008))
    (show_bytes "value" 60100 (i32.load 60004)) (show64 "version" (i64.load 60008))
    (show "short" (call $get @h (ptr "k") (len "k") 60100 2 60004 60008)) (show "needs" (i32.load 60004))
    (show "alloc" (call $get_alloc @h (ptr "k") (len "k") 60000 60004 60008))
    (show_bytes "value" (i32.load 60000) (i32.load 60004))
    (show "swap" (call $cas @h (ptr "k") (len "k") (i64.const 1) (ptr "new") (len "new") 60008))
    (show "again" (call $cas @h (ptr "k") (len "k") (i64.const 1) (ptr "old") (len "old") 60008))
    (show64 "current" (i64.load 60008))
    (i32.store 60200 5) (i32.store 60204 0) (i64.store 60208 0) (i64.store 60216 60000)
    (show "with" (call $set_with @h (ptr "t") (len "t") (ptr "timed") (len "timed") 60200 60008))
    (show "twice" (call $set_with @h (ptr "t") (len "t") (ptr "timed") (len "timed") 60200 60008))
    (show "exists" (call $exists @h (ptr "t") (len "t") 60004)) (show "there" (i32.load 60004))
    (show "add" (call $add @h (ptr "n") (len "n") (i64.const 41) 60008)) (show64 "sum" (i64.load 60008))
    (show "delete" (call $delete @h (ptr "t") (len "t")))
    (show "gone" (call $delete @h (ptr "t") (len "t")))"#;

const MANY: &str = r#"
    (i32.store 60200 1) (i32.store 60204 1) (i32.store 60208 (ptr "b1")) (i32.store 60212 2)
    (i32.store 60240 2) (i32.store 60248 (ptr "b1")) (i32.store 60252 2)
    (i32.store 60256 (ptr "batched")) (i32.store 60260 7)
    (i32.store 60280 4) (i32.store 60288 (ptr "b2")) (i32.store 60292 2) (i64.store 60304 7)
    (show "batch" (call $batch @h 60200 3 60400)) (show64 "sum" (i64.load 60440))
    (show "fails" (call $batch @h 60200 3 60400))
    (show "scan" (call $scan @h (ptr "b") 1 60500 60600 400 60004)) (show "bytes" (i32.load 60004))
    (show "page" (call $scan @h (ptr "b") 1 60500 60600 30 60004))
    (show "stat" (call $stat @h 60300)) (show64 "entries" (i64.load 60300))
    (show "rights" (call $rights @h 60008)) (show64 "are" (i64.load 60008))
    (show "region" (call $region @h (ptr "r") (len "r") (i64.const 65536)))"#;

const HANDLES: &str = r#"
    (show "create" (call $create 0 60000)) (set a (i32.load 60000))
    (show "dup" (call $dup @a (i64.const 65) 60000)) (set b (i32.load 60000))
    (show "read only" (call $set @b (ptr "k") (len "k") (ptr "v") (len "v")))
    (show "put" (call $put_map @h (ptr "child") (len "child") @a))
    (show "found" (call $get_map @h (ptr "child") (len "child") 60000)) (set c (i32.load 60000))
    (show "lend" (call $lend @a (i64.const 3) (ptr "one") (len "one") 60016))
    (show "accept" (call $accept 60016 60000)) (set d (i32.load 60000))
    (show "once" (call $accept 60016 60000))
    (show "borrowed" (call $set @d (ptr "k") (len "k") (ptr "v") (len "v")))
    (show "end" (call $close @a))
    (show "stale" (call $set @d (ptr "k") (len "k") (ptr "v") (len "v")))
    (show "give" (call $transfer @c (ptr "one") (len "one") 60016))
    (show "taken" (call $accept 60016 60000))
    (show "closed" (call $close @c))
    (show "watch" (call $watch @h (ptr "") 0 60000)) (set w (i32.load 60000))
    (show "nothing" (call $next @w (i64.const 0) 60700 400 60004))
    (show "clear" (call $clear_map @h))
    (show "next" (call $next @w (i64.const 0) 60700 400 60004)) (show "kind" (i32.load 60704))
    (show "unwatch" (call $unwatch @w))
    (show "bad" (call $next @w (i64.const 0) 60700 400 60004))"#;

fn script(body: &str) -> String {
    format!(
        r#"{IMPORTS}
           (configure (show "open" (call $open (ptr "m") (len "m") (i64.const 1023) 60000))
             (set h (i32.load 60000)) 1)
           (request_headers {body})"#
    )
}

const GRANTED: &str = ", grants: { maps: { m: all } }";

fn shown(body: &str) -> usize {
    body.matches("(show").count() + 1
}

#[test]
fn entries_of_maps_are_the_same_in_a_process() {
    let script = script(ENTRIES);
    let lines = [
        "open 0",
        "value value",
        "short 61",
        "needs 5",
        "alloc 0",
        "swap 0",
        "again 6",
        "current 2",
        "twice 6",
        "there 1",
        "sum 41",
        "gone 44",
    ];
    check(&scene(&script, GRANTED, shown(ENTRIES)), &lines);
}

#[test]
fn scans_and_batches_are_the_same_in_a_process() {
    let script = script(MANY);
    let lines = [
        "batch 0",
        "sum 7",
        "fails 6",
        "scan 0",
        "page 61",
        "entries 2",
        "are 1023",
        "region 0",
    ];
    check(&scene(&script, GRANTED, shown(MANY)), &lines);
}

#[test]
fn handles_loans_and_watches_are_the_same_in_a_process() {
    let script = script(HANDLES);
    let lines = [
        "read only 76",
        "put 0",
        "found 0",
        "accept 0",
        "once 44",
        "borrowed 0",
        "stale 72",
        "give 0",
        "taken 0",
        "closed 0",
        "nothing 6",
        "kind 5",
        "bad 8",
    ];
    check(&scene(&script, GRANTED, shown(HANDLES)), &lines);
}

#[test]
fn what_is_not_granted_is_not_there_in_a_process() {
    let script = script(ENTRIES);
    let scene = scene(
        &script,
        ", capabilities: [proxy_log, wasi_map_open, wasi_map_get, \
        proxy_on_configure, proxy_on_request_headers]",
        shown(ENTRIES),
    );
    check(&scene, &["open 44", "set 76", "get 8", "delete 76"]);
}

/// The process has no map: it is told of a change in the gateway.
#[test]
fn changes_are_told_to_a_process() {
    let script = format!(
        r#"{IMPORTS}
           (configure
             (drop (call $open (ptr "m") (len "m") (i64.const 18) 60000))
             (set h (i32.load 60000))
             (show "watch" (call $watch @h (ptr "") 0 60000)) 1)
           (request_headers
             (show "set" (call $set @h (ptr "k") (len "k") (ptr "v") (len "v"))))
           (func (export "wasi_map_on_change") (param $ctx i32) (param $watch i32)
             (show "changed" (call $next $watch (i64.const 0) 60700 400 60004)))"#
    );
    let lines = ["watch 0", "set 0", "changed 0"];
    check(&scene(&script, GRANTED, 3), &lines);
}
