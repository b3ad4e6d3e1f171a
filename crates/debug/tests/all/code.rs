//! What is known of code that does not run.

use weir_guest::debug::{Block, Code, CodeError};

fn read(text: &str) -> Code {
    Code::read(wat::parse_str(text).unwrap()).unwrap()
}

/// Instructions with the types before them, in one line each.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let code = read(&format!("(module (memory 1) (func $f {text}))"));
    let listing = code.listing(0).unwrap();
    let told = listing.instructions.iter().map(|instruction| {
        let stack = instruction.stack.iter();
        let stack = stack.map(|ty| ty.map_or("any".to_owned(), |ty| ty.to_string()));
        let stack = stack.collect::<Vec<_>>().join(" ");
        let blocks = listing
            .open_at(instruction)
            .into_iter()
            .map(|control| control.block.name());
        let blocks = blocks.collect::<Vec<_>>().join(" ");
        format!("{} [{stack}] {blocks}", instruction.text)
    });
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn operands_have_their_types() {
    check(
        "(param $n i32) (result f64) local.get $n f64.convert_i32_s f64.const 1.5 f64.add",
        &[
            "local.get $n [] func",
            "f64.convert_i32_s [i32] func",
            "f64.const 1.5 [f64] func",
            "f64.add [f64 f64] func",
            "end [f64] func",
        ],
    );
}

#[test]
fn blocks_are_those_that_are_open() {
    check(
        "(block (loop i32.const 1 (if (then br 2) (else nop)) br 0))",
        &[
            "block [] func",
            "loop [] func block",
            "i32.const 1 [] func block loop",
            "if [i32] func block loop",
            "br 2 [] func block loop if",
            "else [] func block loop if",
            "nop [] func block loop else",
            "end [] func block loop else",
            "br 0 [] func block loop",
            "end [] func block loop",
            "end [] func block",
            "end [] func",
        ],
    );
}

#[test]
fn what_is_never_reached_may_have_any_type() {
    let code = read("(module (func (result i32) unreachable i32.add))");
    let listing = code.listing(0).unwrap();
    let reached = listing
        .instructions
        .iter()
        .map(|instruction| instruction.is_reachable);
    assert_eq!(reached.collect::<Vec<_>>(), [true, false, false]);
}

#[test]
fn immediates_are_those_of_the_text_format() {
    check(
        "i32.const 8 i64.load32_u offset=4 align=2 drop i32.const 0 i32.const 1 i32.const 2 memory.fill \
         v128.const i32x4 1 2 3 4 i8x16.extract_lane_s 3 drop \
         (block i32.const 0 br_table 0 1)",
        &[
            "i32.const 8 [] func",
            "i64.load32_u offset=4 align=2 [i32] func",
            "drop [i64] func",
            "i32.const 0 [] func",
            "i32.const 1 [i32] func",
            "i32.const 2 [i32 i32] func",
            "memory.fill [i32 i32 i32] func",
            "v128.const i32x4 0x00000001 0x00000002 0x00000003 0x00000004 [] func",
            "i8x16.extract_lane_s 3 [v128] func",
            "drop [i32] func",
            "block [] func",
            "i32.const 0 [] func block",
            "br_table 0 1 [i32] func block",
            "end [] func block",
            "end [] func",
        ],
    );
}

#[test]
fn functions_are_found_by_name_number_and_place() {
    let code = read(
        r#"(module (import "env" "log" (func (param i32))) (func $inner) (func (export "run") call $inner))"#,
    );
    let names: Vec<_> = code
        .functions()
        .iter()
        .map(|function| function.name.as_deref())
        .collect();
    assert_eq!(names, [Some("env.log"), Some("inner"), Some("run")]);
    assert_eq!(code.find("run").map(|function| function.index), Some(2));
    assert_eq!(code.find("1").map(|function| function.index), Some(1));
    assert_eq!(code.find("nothing"), None);
    let run = code.find("run").unwrap();
    assert_eq!(code.function_at(run.instructions.start), Some(run));
    assert_eq!(code.function_at(0), None);
    let listing = code.listing(2).unwrap();
    assert_eq!(listing.instructions[0].text, "call $inner");
    assert_eq!(listing.controls[0].block, Block::Function);
    assert_eq!(code.listing(0).unwrap_err(), CodeError::Imported(0));
    assert_eq!(code.listing(9).unwrap_err(), CodeError::NoFunction(9));
}

#[test]
fn what_is_no_module_is_refused() {
    let component = wat::parse_str("(component)").unwrap();
    assert_eq!(Code::read(component).err(), Some(CodeError::Component));
    assert!(Code::read(&b"no module"[..]).is_err());
}

/// Each block is inside all before it: noted one by one, that would be gigabytes.
#[test]
fn blocks_without_end_are_listed() {
    let depth = 20_000;
    let body = format!("{}{}", "block ".repeat(depth), "end ".repeat(depth));
    let code = read(&format!("(module (func {body}))"));
    let listing = code.listing(0).unwrap();
    assert_eq!(listing.controls.len(), depth + 1);
    assert_eq!(
        listing.open_at(&listing.instructions[depth]).len(),
        depth + 1
    );
}
