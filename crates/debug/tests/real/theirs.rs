//! The same calls, run by wabt.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value as Json, json};

use super::suite::{Case, Step, is_compared};

/// The trace of each call.
pub(crate) fn run(folder: &Path, case: &Case) -> Result<Vec<Vec<Step>>, String> {
    fs::write(folder.join("case.wasm"), &case.wasm).unwrap();
    let module = json!({ "type": "module", "line": 1, "filename": "case.wasm" });
    let calls = case.calls.iter().map(|call| {
        let types = call
            .results
            .iter()
            .map(|result| json!({ "type": result["type"] }));
        let (field, arguments) = (&call.field, &call.arguments);
        json!({
            "type": "action",
            "line": call.line,
            "action": { "type": "invoke", "field": field, "args": arguments },
            "expected": types.collect::<Vec<_>>(),
        })
    });
    let commands: Vec<Json> = std::iter::once(module).chain(calls).collect();
    let script = json!({ "source_filename": "case.wast", "commands": commands });
    fs::write(folder.join("case.json"), script.to_string()).unwrap();
    let program = std::env::var_os("WEIR_SPECTEST_INTERP");
    let program = program.unwrap_or_else(|| "spectest-interp".into());
    let output = Command::new(&program)
        .args(["--trace", "case.json"])
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let text = String::from_utf8_lossy(&output.stdout);
    let refused = text
        .lines()
        .find(|line| line.contains("error:") && !line.contains(" => "));
    if let Some(refused) = refused {
        return Err(format!("wabt refuses it: {}", reason(refused)));
    }
    Ok(traces(&text))
}

/// What is said, without where.
fn reason(line: &str) -> &str {
    line.rsplit_once("error: ")
        .map_or(line, |(_, reason)| reason)
}

/// Lines of instructions, up to each that tells how a call ended.
fn traces(text: &str) -> Vec<Vec<Step>> {
    let (mut traces, mut steps) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if let Some(line) = line.strip_prefix('#') {
            steps.extend(step(line));
        } else if line.contains(") =>") && !line.starts_with("called host") {
            traces.push(std::mem::take(&mut steps));
        }
    }
    traces
}

/// `0.  104: V:4  | local.set $3, 5`
fn step(line: &str) -> Option<Step> {
    let (place, instruction) = line.split_once("| ")?;
    let (depth, rest) = place.split_once('.')?;
    let (_, height) = rest.split_once("V:")?;
    let (name, rest) = instruction.split_once(' ').unwrap_or((instruction, ""));
    if !is_compared(name) {
        return None;
    }
    let rest = rest.split(" : (Lane").next()?.split(" (Lane").next()?;
    let operands = rest.split(", ").filter_map(|part| operand(name, part));
    Some(Step {
        name: name.to_owned(),
        depth: depth.trim().parse().ok()?,
        height: height.trim().parse().ok()?,
        operands: operands.collect(),
    })
}

/// An operand; nothing for an immediate. Of `$0:12+$4` it is the address, 12.
fn operand(name: &str, part: &str) -> Option<String> {
    let part = part.trim();
    if let Some((_, address)) = part.split_once(':').filter(|_| part.starts_with('$')) {
        return address
            .split_once("+$")
            .map(|(address, _)| address.to_owned());
    }
    let is_immediate =
        part.is_empty() || part.starts_with(['$', '@']) || name.rsplit('.').next() == Some("const");
    (!is_immediate).then(|| part.to_owned())
}
