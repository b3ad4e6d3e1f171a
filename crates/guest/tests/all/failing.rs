//! What a failure tells: its kind, and where the guest was.

use std::time::Duration;

use wasm_encoder::Section as _;
use weir_guest::door::{Call, NoLines, Trace};
use weir_guest::{Cause, Failure, FailureKind, Stop};
use weir_model::{GuestLimits, Limit, limits};
use weir_testkit::run::CALL;
use weir_testkit::{Script, program, start};

use crate::common::{REQUEST_HEADERS, env};

/// A module whose callback has a name.
fn on_request(imports: &str, instructions: &str) -> String {
    let text = crate::common::on_request(imports, instructions);
    text.replace(
        "(func (export \"proxy_on_request_headers\")",
        "(func $request (export \"proxy_on_request_headers\")",
    )
}

/// A module whose callback has one more function to call.
fn failure_in(deep: &str, callback: &str) -> Failure {
    let deep = format!("(func $deep (param i32) (result i32) {deep}) (memory");
    let text = on_request("", callback).replace("(memory", &deep);
    failure_of(&text, CALL)
}

fn failure_of(text: &str, limit: Duration) -> Failure {
    let mut vm = start(&program(text), Script::new()).expect("a guest");
    vm.deliver(&REQUEST_HEADERS, limit).expect_err("a failure")
}

fn names(trace: &Trace) -> Vec<&str> {
    let names = trace.frames.iter();
    names
        .map(|frame| frame.function.as_deref().unwrap_or("?"))
        .collect()
}

#[test]
fn a_trap_names_who_called_whom() {
    let failure = failure_in("unreachable", "(call $deep (i32.const 1))");
    assert_eq!(failure.kind(), FailureKind::Trap);
    assert_eq!(names(&failure.trace), ["deep", "request"]);
    let text = failure.to_string();
    assert!(
        text.starts_with("wasm trap: wasm `unreachable` instruction executed; in deep (at 0x"),
        "{text}"
    );
    assert!(text.contains(", called by request (at 0x"), "{text}");
    assert!(!text.contains('\n'), "{text}");
}

#[test]
fn a_deadline_tells_which_function_looped() {
    let deep = "(loop (br 0)) unreachable";
    let text = on_request("", "(call $deep (i32.const 1))").replace(
        "(memory",
        &format!("(func $deep (param i32) (result i32) {deep}) (memory"),
    );
    let limit = Duration::from_millis(20);
    let failure = failure_of(&text, limit);
    assert_eq!(failure.cause, Cause::Deadline(limit));
    assert_eq!(names(&failure.trace)[0], "deep");
}

#[test]
fn recursion_is_a_kind_of_its_own_and_its_trace_is_short() {
    let failure = failure_in(
        "(i32.add (i32.const 1) (call $deep (local.get 0)))",
        "(call $deep (i32.const 1))",
    );
    assert_eq!(failure.kind(), FailureKind::Stack);
    assert_eq!(failure.trace.frames.len(), limits::TRACE_FRAMES_MAX);
}

#[test]
fn a_trap_after_refused_memory_says_so_and_one_in_a_later_call_does_not() {
    let grow = "(drop (memory.grow (i32.const 60000)))";
    let failure = failure_of(&on_request("", &format!("{grow} unreachable")), CALL);
    assert_eq!(failure.kind(), FailureKind::Memory);
    let text = failure.to_string();
    assert!(
        text.contains("unreachable") && text.contains("limits.memory: 256MiB"),
        "{text}"
    );
    let once = format!(
        "(if (i32.load8_u (i32.const 9)) (then unreachable))
         (i32.store8 (i32.const 9) (i32.const 1)) {grow} (i32.const 0)"
    );
    let mut vm = start(&program(on_request("", &once)), Script::new()).expect("a guest");
    assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL), Ok(0));
    let later = vm.deliver(&REQUEST_HEADERS, CALL).expect_err("a trap");
    assert_eq!(later.kind(), FailureKind::Trap);
}

#[test]
fn a_guest_that_its_world_ends_tells_where_it_asked() {
    let text = on_request(&env(&["proxy_done"]), "(call $proxy_done)");
    let calls = GuestLimits::default().exceeded(Limit::HostCalls);
    let world =
        Script::new().on(move |call| (*call == Call::Done).then_some(Err(Stop::Exhausted(calls))));
    let mut vm = start(&program(text), world).expect("a guest");
    let failure = vm.deliver(&REQUEST_HEADERS, CALL).expect_err("a stop");
    assert_eq!(failure.kind(), FailureKind::Limit);
    assert_eq!(names(&failure.trace), ["request"]);
    assert!(
        failure
            .to_string()
            .starts_with("the guest used up limits.host_calls: 1000000; in ")
    );
}

#[test]
fn source_lines_are_told_where_the_module_has_dwarf() {
    let text = on_request("", "\n(call $deep (i32.const 1))").replace(
        "(memory",
        "(func $deep (param i32) (result i32)\n\nunreachable) (memory",
    );
    let line = |what: &str| {
        let before = text.split(what).next().unwrap_or_default();
        before.matches('\n').count() + 1
    };
    let mut parser = wat::Parser::new();
    parser.generate_dwarf(wat::GenerateDwarf::Full);
    let path = std::path::Path::new("src/plugin.wat");
    let bytes = parser.parse_str(Some(path), &text).expect("a module");
    let mut vm = start(&program(&bytes), Script::new()).expect("a guest");
    let failure = vm.deliver(&REQUEST_HEADERS, CALL).expect_err("a trap");
    // Offsets are those of the module as its author has it.
    let unreachable = failure.trace.frames[0].offset.expect("an offset");
    assert_eq!(bytes[unreachable as usize], 0x00, "not the instruction");
    let told = failure.trace.with_lines(&bytes).expect("DWARF").to_string();
    let expected = format!(
        "in deep (src/plugin.wat:{}), called by request (src/plugin.wat:{})",
        line("unreachable"),
        line("(call $deep")
    );
    assert!(told.contains(&expected), "{told} does not tell {expected}");
    // Whatever the debug information is, the rest of the trace stays.
    let (large, broken) = (
        with_lines_of(limits::DEBUG_LINE_BYTES_MAX + 1, &bytes),
        with_lines_of(100, &bytes),
    );
    let refused = failure.trace.with_lines(&large);
    assert!(
        matches!(refused, Err(NoLines::TooLarge { section, .. }) if section == ".debug_line"),
        "{refused:?}"
    );
    let told = failure.trace.with_lines(&broken).unwrap_or(failure.trace);
    assert_eq!(names(&told), ["deep", "request"]);
}

/// The module with so many bytes of nothing as its source lines.
fn with_lines_of(length: usize, module: &[u8]) -> Vec<u8> {
    let name = b"\x0b.debug_line";
    let at = module.windows(name.len()).position(|part| part == name);
    let mut module = module.to_vec();
    // The first section of a name counts; this one is no longer one of its kind.
    module[at.expect("the section") + 2] = b'x';
    let custom = wasm_encoder::CustomSection {
        name: ".debug_line".into(),
        data: vec![0xff; length].into(),
    };
    custom.append_to(&mut module);
    module
}
