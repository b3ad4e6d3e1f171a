//! Snapshots: a guest that starts from one, or goes back to one, remembers nothing else.

use weir_guest::door::Event;
use weir_guest::{Failure, Host, Program, Reset, Snapshot, SnapshotError, Vm};
use weir_model::GuestLimits;
use weir_testkit::run::{CALL, engine};
use weir_testkit::{Script, program, start};

use crate::common::{MARKER, MEMORY, REQUEST_HEADERS, env, module, on_request};

/// Remembers a word in every kind of place that it has: two memories, grown memory, the pages of its
/// image and those behind, and globals of all types. Answers with what it found there.
///
/// The word is the number of the context; request headers look and remember, a tick only remembers.
fn rememberer() -> String {
    let places = [
        "$one (i32.const 16)",
        "$one (i32.const 40000)",
        "$one (i32.const 65532)",
        "$two (i32.const 0)",
        "$two (i32.const 131068)",
    ];
    let both = |each: &dyn Fn(&str) -> String| -> String {
        places.iter().map(|place| each(place)).collect()
    };
    let look = both(&|place| {
        format!("(local.set $found (i32.or (local.get $found) (i32.load {place})))\n")
    });
    let remember = both(&|place| format!("(i32.store {place} (local.get 0))\n"));
    let globals = r#"
        (global $i (mut i32) (i32.const 0)) (global $l (export "mine") (mut i64) (i64.const 0))
        (global $f (mut f32) (f32.const 0)) (global $d (mut f64) (f64.const 0))
        (global $v (mut v128) (v128.const i32x4 0 0 0 0))"#;
    let look_globals = r#"
        (local.set $found (i32.or (local.get $found) (global.get $i)))
        (local.set $found (i32.or (local.get $found) (i32.wrap_i64 (global.get $l))))
        (local.set $found (i32.or (local.get $found) (i32.trunc_f32_s (global.get $f))))
        (local.set $found (i32.or (local.get $found) (i32.trunc_f64_s (global.get $d))))
        (local.set $found (i32.or (local.get $found) (i32x4.extract_lane 3 (global.get $v))))"#;
    let remember_globals = r#"
        (global.set $i (local.get 0)) (global.set $l (i64.extend_i32_u (local.get 0)))
        (global.set $f (f32.convert_i32_s (local.get 0)))
        (global.set $d (f64.convert_i32_s (local.get 0)))
        (global.set $v (i32x4.splat (local.get 0)))"#;
    let memories = r#"(memory $one (export "memory") 1) (memory $two 2 8)
        (data (i32.const 20) "\01\02\03") (data (memory $two) (i32.const 70000) "\04")"#;
    module(
        "",
        &format!(
            r#"{globals}
            (func $remember (param i32) {remember} {remember_globals})
            (func (export "proxy_on_tick") (param i32) (call $remember (local.get 0)))
            (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
                (local $found i32) {look} {look_globals}
                (call $remember (local.get 0)) (local.get $found))
            (func (export "proxy_on_log") (param i32) (drop (memory.grow $two (i32.const 1))))
            (func (export "proxy_on_delete") (param i32) unreachable)"#
        ),
    )
    .replace(MEMORY, memories)
}

fn request(vm: &mut Vm<Script>, context: u32) -> Result<i32, Failure> {
    let event = Event::RequestHeaders {
        context,
        count: 0,
        end: true,
    };
    vm.deliver(&event, CALL)
}

fn tick(vm: &mut Vm<Script>, root: u32) {
    vm.deliver(&Event::Tick { root }, CALL).expect("a tick");
}

fn root(text: &str) -> (Program, Host<Script>, Vm<Script>) {
    let program = program(text);
    let host = Host::new(engine()).expect("a host");
    let limits = GuestLimits::default();
    let vm = host
        .start(&program, Script::new(), &limits)
        .expect("a guest");
    (program, host, vm)
}

fn from(host: &Host<Script>, program: &Program, snapshot: &Snapshot) -> Vm<Script> {
    let limits = GuestLimits::default();
    host.start_from(program, snapshot, Script::new(), &limits)
        .expect("a guest")
}

#[test]
fn what_a_request_remembers_is_gone_at_the_next() {
    let (program, host, mut root) = root(&rememberer());
    let empty = root.snapshot().expect("a snapshot");
    let mut vm = from(&host, &program, &empty);
    for context in 1..40 {
        assert_eq!(request(&mut vm, context), Ok(0), "request {context}");
        // It does remember within its own life, so the next line proves something.
        assert_eq!(request(&mut vm, context), Ok(context.cast_signed()));
        assert_eq!(vm.reset(&empty), Reset::Done);
    }
}

/// Its memory is so large that a reset does not look through all of it each time.
#[test]
fn in_a_large_memory_it_is_gone_too_on_known_pages_and_on_new_ones() {
    let text = module(
        "",
        r#"(data (i32.const 2097148) "\01\02\03\04")
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (local $found i32) (local $place i32)
            (loop $pages
                (local.set $found (i32.or (local.get $found) (i32.load offset=8 (local.get $place))))
                (local.set $place (i32.add (local.get $place) (i32.const 4096)))
                (br_if $pages (i32.lt_u (local.get $place) (i32.const 4194304))))
            (i32.store offset=8 (i32.shl (local.get 0) (i32.const 12)) (local.get 0))
            (local.get $found))"#,
    );
    let text = text.replace(MEMORY, r#"(memory (export "memory") 64)"#);
    let (program, host, mut root) = root(&text);
    let empty = root.snapshot().expect("a snapshot");
    let mut vms: Vec<_> = (0..3).map(|_| from(&host, &program, &empty)).collect();
    for round in 0..200_u32 {
        // Now a page that was written to before, now another one, in the image and behind it.
        let page = 1 + [3, 3, round * 5 % 1000, 600, round * 5 % 1000][round as usize % 5];
        for vm in &mut vms {
            assert_eq!(request(vm, page), Ok(0), "round {round}, page {page}");
            assert_eq!(request(vm, page), Ok(page.cast_signed()));
            assert_eq!(vm.reset(&empty), Reset::Done);
        }
    }
}

#[test]
fn a_newer_snapshot_reaches_instances_that_were_made_from_an_older_one() {
    let (program, host, mut root) = root(&rememberer());
    let mut old = root.snapshot().expect("a snapshot");
    let mut vms: Vec<_> = (0..3).map(|_| from(&host, &program, &old)).collect();
    let mut before = 0;
    for round in 1..6 {
        let word = 1 << round;
        tick(&mut root, word);
        let new = root.snapshot().expect("a snapshot");
        for vm in &mut vms {
            assert_eq!(request(vm, 1 << 20), Ok(before));
            assert_eq!(vm.reset(&new), Reset::Done);
            assert_eq!(request(vm, 1 << 20), Ok(word.cast_signed()));
            assert_eq!(vm.reset(&old), Reset::Done);
            assert_eq!(request(vm, 1 << 20), Ok(before));
            assert_eq!(vm.reset(&new), Reset::Done);
        }
        (old, before) = (new, word.cast_signed());
    }
    // The root itself is none the worse for it.
    assert_eq!(request(&mut root, 1), Ok(before));
}

#[test]
fn instances_do_not_see_each_other_nor_does_the_root() {
    let (program, host, mut root) = root(&rememberer());
    let empty = root.snapshot().expect("a snapshot");
    let (mut one, mut two) = (from(&host, &program, &empty), from(&host, &program, &empty));
    assert_eq!(request(&mut one, 4), Ok(0));
    assert_eq!(request(&mut two, 8), Ok(0));
    assert_eq!(request(&mut root, 16), Ok(0));
    assert_eq!(request(&mut one, 0), Ok(4));
    assert_eq!(request(&mut from(&host, &program, &empty), 1), Ok(0));
}

#[test]
fn memory_that_grew_is_part_of_a_snapshot_and_no_way_out_of_it() {
    let (program, host, mut root) = root(&rememberer());
    let small = root.snapshot().expect("a snapshot");
    let mut vm = from(&host, &program, &small);
    vm.deliver(&Event::Log { context: 1 }, CALL)
        .expect("it grows");
    assert_eq!(vm.reset(&small), Reset::OtherLength);
    root.deliver(&Event::Log { context: 1 }, CALL)
        .expect("it grows");
    tick(&mut root, 5);
    let large = root.snapshot().expect("a snapshot");
    assert_eq!(large.memory_bytes(), small.memory_bytes() + (1 << 16));
    assert_eq!(vm.reset(&large), Reset::Done);
    assert_eq!(request(&mut vm, 7), Ok(5));
    assert_eq!(request(&mut from(&host, &program, &large), 7), Ok(5));
}

#[test]
fn the_memory_limit_counts_what_a_snapshot_brings() {
    let text = on_request("", "(memory.grow (i32.const 1))");
    let (program, host, mut root) = root(&text);
    assert_eq!(root.deliver(&REQUEST_HEADERS, CALL), Ok(1));
    let snapshot = root.snapshot().expect("a snapshot");
    let limits = |pages: u64| GuestLimits {
        memory_bytes: pages << 16,
        ..GuestLimits::default()
    };
    let start = |pages| host.start_from(&program, &snapshot, Script::new(), &limits(pages));
    assert!(start(1).is_err());
    for (pages, expected) in [(2, [-1, -1]), (3, [2, -1])] {
        let mut vm = start(pages).expect("a guest");
        for expected in expected {
            assert_eq!(
                vm.deliver(&REQUEST_HEADERS, CALL),
                Ok(expected),
                "{pages} pages"
            );
        }
    }
    // A reset gives back what growth that did not happen had not used up.
    let mut vm = start(2).expect("a guest");
    for _ in 0..3 {
        assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL), Ok(-1));
        assert_eq!(vm.reset(&snapshot), Reset::Done);
    }
}

#[test]
fn a_guest_that_failed_gives_nothing_and_takes_nothing() {
    let (_, _, mut root) = root(&rememberer());
    let snapshot = root.snapshot().expect("a snapshot");
    assert!(root.deliver(&Event::Delete { context: 1 }, CALL).is_err());
    assert!(matches!(root.snapshot(), Err(SnapshotError::Failed)));
    assert_eq!(root.reset(&snapshot), Reset::Failed);
}

#[test]
fn snapshots_fit_their_own_module_only_but_however_it_was_compiled() {
    let (_, host, mut root) = root(&rememberer());
    tick(&mut root, 3);
    let snapshot = root.snapshot().expect("a snapshot");
    let (same, other) = (
        program(rememberer()),
        program(on_request("", "i32.const 1")),
    );
    assert_eq!(request(&mut from(&host, &same, &snapshot), 1), Ok(3));
    let limits = GuestLimits::default();
    let error = host
        .start_from(&other, &snapshot, Script::new(), &limits)
        .err();
    assert!(error.is_some_and(|error| error.to_string().contains("another module")));
    let mut foreign = start(&other, Script::new()).expect("a guest");
    assert_eq!(foreign.reset(&snapshot), Reset::OtherModule);
}

#[test]
fn nothing_of_a_start_runs_in_an_instance_from_a_snapshot() {
    let body = "(global $n (mut i32) (i32.const 0))
        (func $count (global.set $n (i32.add (global.get $n) (i32.const 1))))
        (start $count) (export \"_initialize\" (func $count))";
    let text = on_request("", "global.get $n").replace(MARKER, &format!("{MARKER} {body}"));
    let (program, host, mut root) = root(&text);
    assert_eq!(root.deliver(&REQUEST_HEADERS, CALL), Ok(2));
    let snapshot = root.snapshot().expect("a snapshot");
    let mut vm = from(&host, &program, &snapshot);
    assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL), Ok(2));
    // It is past its start, so it may call what callbacks may call.
    let text = on_request(&env(&["proxy_done"]), "call $proxy_done");
    let (program, host, mut root) = self::root(&text);
    let snapshot = root.snapshot().expect("a snapshot");
    assert!(
        from(&host, &program, &snapshot)
            .deliver(&REQUEST_HEADERS, CALL)
            .is_ok()
    );
}

#[test]
fn a_world_can_be_replaced() {
    let text = on_request(&env(&["proxy_done"]), "call $proxy_done");
    let (program, host, mut root) = root(&text);
    let snapshot = root.snapshot().expect("a snapshot");
    let mut vm = from(&host, &program, &snapshot);
    assert!(vm.deliver(&REQUEST_HEADERS, CALL).is_ok());
    let used = vm.replace_world(Script::new());
    assert_eq!((used.heard.len(), vm.world().heard.len()), (1, 0));
}

/// Modules with state that a snapshot would not hold, and what is said about each.
#[test]
fn modules_that_can_hide_state_are_refused_with_every_reason() {
    let table = "(table $t 4 funcref) (elem $e func $f) (data $d \"x\") (func $f)";
    let cases = [
        (
            "(table.set $t (i32.const 0) (ref.null func))",
            "table.set on table 0",
        ),
        (
            "(drop (table.grow $t (ref.null func) (i32.const 1)))",
            "table.grow on table 0",
        ),
        (
            "(table.fill $t (i32.const 0) (ref.null func) (i32.const 1))",
            "table.fill on table 0",
        ),
        (
            "(table.copy (i32.const 0) (i32.const 1) (i32.const 1))",
            "table.copy on table 0",
        ),
        (
            "(table.init $e (i32.const 0) (i32.const 0) (i32.const 1))",
            "table.init on table 0",
        ),
        ("(elem.drop $e)", "elem.drop"),
        ("(data.drop $d)", "data.drop"),
    ];
    let refusal = |text: &str| {
        program(text)
            .can_snapshot()
            .err()
            .map(|refusal| refusal.to_string())
    };
    for (instruction, expected) in cases {
        let text = module(
            "",
            &format!("{table} (func $hides {instruction} {instruction})"),
        );
        let message = refusal(&text).unwrap_or_default();
        let expected = format!("it uses {expected} 2 times, first in function 3 (hides)");
        assert!(
            message.contains(&expected),
            "{message}, expected {expected}"
        );
        let mut vm = start(&program(&text), Script::new()).expect("it runs otherwise");
        assert!(matches!(vm.snapshot(), Err(SnapshotError::Refused(_))));
    }
    let all: String = cases.iter().map(|(instruction, _)| *instruction).collect();
    let text = module("", &format!("{table} (func $hides {all})"));
    let obstacles = program(&text)
        .can_snapshot()
        .map_err(|refusal| refusal.obstacles.len());
    assert_eq!(obstacles, Err(cases.len()));
    let global = module(
        "",
        "(func $f) (elem declare func $f) (global (mut funcref) (ref.func $f))",
    );
    assert!(refusal(&global).is_some_and(|message| message.contains("global 0 is mutable")));
    let segment = module("", "(data (i32.const 65536) \"x\")");
    assert!(refusal(&segment).is_some_and(|message| message.contains("data segment 0")));
    assert_eq!(
        refusal(&module(
            "",
            "(global funcref (ref.null func)) (table 3 funcref)"
        )),
        None
    );
}

#[test]
fn a_snapshot_of_a_guest_that_did_nothing_is_the_last_one() {
    let (_, _, mut root) = root(&rememberer());
    let first = root.snapshot().expect("a snapshot");
    assert!(root.snapshot().expect("a snapshot").is_same(&first));
    tick(&mut root, 9);
    let second = root.snapshot().expect("a snapshot");
    assert!(!second.is_same(&first));
    assert!(root.snapshot().expect("a snapshot").is_same(&second));
    assert_eq!(root.reset(&first), Reset::Done);
    assert_eq!(request(&mut root, 3), Ok(0));
    assert!(!root.snapshot().expect("a snapshot").is_same(&second));
}
