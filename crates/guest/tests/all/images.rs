//! What the preparation of a module changes for its guest: nothing.

use weir_guest::prepare::{Parts, prepare};
use weir_guest::{ProgramOptions, StartError, abi};
use weir_testkit::run::{self, CALL};
use weir_testkit::{Script, program, start};

use crate::common::{MALLOC, MARKER, MEMORY, REQUEST_HEADERS, answer, env, module, on_request};

const LOAD: &str = "(i32.load (i32.const 16))";

/// Loads the word at 16 after these segments, applied to a memory of one page.
fn loaded(segments: &str) -> i32 {
    let text = on_request("", LOAD).replace(
        "(func (export \"malloc\")",
        &format!("{segments} (func (export \"malloc\")"),
    );
    answer(&text).expect("an answer")
}

fn why_not(text: &str) -> String {
    match start(&program(text), Script::new()) {
        Ok(_) => "it starts".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn segments_apply_in_their_order() {
    assert_eq!(
        loaded(r#"(data (i32.const 16) "\01\02\03\04")"#),
        0x0403_0201
    );
    assert_eq!(
        loaded(r#"(data (i32.const 16) "\01\02\03\04") (data (i32.const 17) "\09\00")"#),
        0x0400_0901
    );
    // Zeros over what an earlier segment wrote.
    assert_eq!(
        loaded(r#"(data (i32.const 12) "\ff\ff\ff\ff\ff\ff") (data (i32.const 14) "\00\00\00")"#),
        0xff00
    );
    // Across the boundary of a page, and at the very end of memory.
    assert_eq!(
        loaded(r#"(data (i32.const 65532) "\01\02\03\04") (data (i32.const 8190) "\05\06\07\08")"#),
        0
    );
}

#[test]
fn offsets_may_be_computed_from_constants() {
    let sum = r#"(data (i32.add (i32.const -16) (i32.const 32)) "\07")"#;
    assert_eq!(loaded(sum), 7);
    let product = r#"(data (i32.mul (i32.const 4) (i32.sub (i32.const 5) (i32.const 1))) "\08")"#;
    assert_eq!(loaded(product), 8);
}

#[test]
fn segments_of_several_memories_go_to_their_own() {
    let body = "(i32.add (i32.load $one (i32.const 16)) (i32.load $two (i32.const 16)))";
    let text = on_request("", body).replace(
        MEMORY,
        r#"(memory $one (export "memory") 1) (memory $two 1)
            (data (memory $two) (i32.const 16) "\10") (data (i32.const 16) "\02")"#,
    );
    assert_eq!(answer(&text), Ok(18));
}

#[test]
fn a_segment_that_does_not_fit_is_reported_by_the_engine() {
    for segment in [
        r#"(data (i32.const 65535) "ab")"#,
        r#"(data (i32.const -1) "a")"#,
        r#"(data (i32.const 65537) "")"#,
        r#"(data (i32.const 16) "fits") (data (i32.const 70000) "does not")"#,
    ] {
        let text = module("", segment);
        let error = why_not(&text);
        assert!(
            error.contains("out of bounds memory access"),
            "{segment}: {error}"
        );
    }
    assert_eq!(
        why_not(&module("", r#"(data (i32.const 65536) "")"#)),
        "it starts"
    );
}

/// `memory.init` names segments by number: those that were taken must leave an empty one behind.
#[test]
fn segments_that_functions_name_keep_their_numbers() {
    let text = on_request(
        "",
        r#"(memory.init $p (i32.const 16) (i32.const 1) (i32.const 2)) (i32.load (i32.const 16))"#,
    )
    .replace(
        MEMORY,
        r#"(memory (export "memory") 1) (data $a (i32.const 16) "\01\01\01\01")
            (data $p "\05\06\07") (data $b (i32.const 18) "\02")"#,
    );
    assert_eq!(answer(&text), Ok(0x0102_0706));
    // An active segment is empty once it was applied.
    let dropped = text.replace("memory.init $p", "memory.init $a");
    assert!(answer(&dropped).is_err());
}

#[test]
fn the_start_section_runs_first_and_under_the_rules_of_a_start() {
    let begin = "(func $begin (i32.store (i32.const 16) (i32.add (i32.const 5)
        (i32.load (i32.const 16))))) (start $begin)";
    let initialize = r#"(func (export "_initialize") (i32.store (i32.const 16)
        (i32.mul (i32.const 10) (i32.load (i32.const 16)))))"#;
    let segment = r#"(data (i32.const 16) "\02")"#;
    let text =
        on_request("", LOAD).replace(MARKER, &format!("{MARKER} {begin} {initialize} {segment}"));
    assert_eq!(answer(&text), Ok(70));
    let restricted = module(
        &env(&["proxy_done"]),
        "(func $begin (drop (call $proxy_done))) (start $begin)",
    );
    assert!(
        why_not(&restricted).contains("restricted callback"),
        "{}",
        why_not(&restricted)
    );
    let trapping = module("", "(func $begin unreachable) (start $begin)");
    let error = why_not(&trapping);
    assert!(error.starts_with("the start section failed"), "{error}");
    let twice = program(&text);
    for _ in 0..2 {
        let mut vm = start(&twice, Script::new()).expect("a guest");
        assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL), Ok(70));
    }
}

#[test]
fn imported_memories_and_tables_work_with_segments() {
    let text = format!(
        r#"(module (import "env" "memory" (memory 1 4)) (import "env" "table" (table 2 funcref))
            (import "env" "proxy_done" (func (result i32)))
            (table $own 1 funcref) (elem (i32.const 1) $seven) (elem (table $own) (i32.const 0) func $nine)
            (data (i32.const 16) "\05") (type $f (func (result i32)))
            (func $seven (result i32) (i32.const 7)) (func $nine (result i32) (i32.const 9))
            {MARKER} (export "memory" (memory 0)) {MALLOC}
            (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
                (i32.add (call_indirect 0 (type $f) (i32.const 1))
                    (i32.mul (call_indirect $own (type $f) (i32.const 0)) {LOAD}))))"#
    );
    assert_eq!(answer(&text), Ok(52));
    let program = program(&text);
    program.can_snapshot().expect("nothing of it is foreign");
}

/// Sums up what a guest of this module answers after having been rewritten twice.
#[test]
fn private_names_do_not_collide() {
    let text = on_request("", "(global.get $g)").replace(
        MARKER,
        &format!(
            r#"{MARKER} (global $g (export "weir:global:0") (mut i32) (i32.const 6))
            (global (export "-weir:x") (mut i64) (i64.const 0))"#
        ),
    );
    assert_eq!(answer(&text), Ok(6));
    let wasm = wat::parse_str(&text).expect("a module");
    let once = prepare(&wasm);
    assert_eq!(once.parts.facts.prefix, "--weir:");
    let twice = prepare(&once.wasm);
    assert_ne!(twice.parts.facts.prefix, once.parts.facts.prefix);
    let options = ProgramOptions::default();
    assert!(run::load(&once.wasm, options).is_ok() && run::load(&twice.wasm, options).is_ok());
}

#[test]
fn preparing_is_deterministic_and_its_parts_survive_storage() {
    let hello = include_bytes!("../../../../guests/prebuilt/hello.wasm");
    let (one, two) = (prepare(hello), prepare(hello));
    assert_eq!((&one.wasm, &one.parts), (&two.wasm, &two.parts));
    assert!(one.parts.image.memories[0].bytes > 0);
    let stored = one.parts.encode();
    assert_eq!(Parts::decode(&stored).as_ref(), Some(&one.parts));
    for cut in [0, 1, 40, stored.len() / 2, stored.len() - 1] {
        assert_eq!(Parts::decode(&stored[..cut]), None, "{cut} bytes");
    }
    assert_eq!(Parts::decode(&[&stored[..], &[0]].concat()), None);
}

#[test]
fn broken_modules_come_back_as_they_were() {
    let hello = include_bytes!("../../../../guests/prebuilt/hello.wasm");
    for part in 1..8 {
        let cut = &hello[..hello.len() * part / 8];
        assert_eq!(&*prepare(cut).wasm, cut);
    }
    // What is wrong is said with offsets into the operator's file.
    let wrong = wat::parse_str(module("", "(func (result i32))")).expect("it parses");
    let engine = run::engine();
    let error = weir_guest::Program::compile(engine, &wrong, ProgramOptions::default());
    let message = error
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(message.contains("type mismatch"), "{message}");
    assert!(!abi::CALLBACKS.is_empty());
}

#[test]
fn a_start_image_counts_against_the_memory_limit_as_the_memory_does() {
    let text = on_request("", LOAD).replace("\"memory\") 1", "\"memory\") 10");
    let text = text.replace(
        MARKER,
        &format!(r#"{MARKER} (data (i32.const 650000) "end")"#),
    );
    let limits = |pages: u64| weir_model::GuestLimits {
        memory_bytes: pages << 16,
        ..weir_model::GuestLimits::default()
    };
    let host = weir_guest::Host::new(run::engine()).expect("a host");
    let start = |pages| {
        host.start(&program(&text), Script::new(), &limits(pages))
            .map(drop)
    };
    assert!(start(10).is_ok());
    assert!(matches!(start(9), Err(StartError::TooLarge(_))));
}
