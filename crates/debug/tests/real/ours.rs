//! A module's calls, stepped through by Weir.

use std::sync::{Arc, Mutex};

use serde_json::Value as Json;
use weir_debug::calls::Calls;
use weir_guest::debug::{CallError, Code, Debuggable, Go, Listener, Paused, Place, Value, Why};
use weir_guest::{Answer, Call, Engine, Reply, Status, Stop, World};
use weir_model::GuestLimits;

use super::suite::{Case, Step, is_compared};

/// Instructions of one call beyond which it is left.
const STEPS_MAX: usize = 200_000;
/// Operands that wabt shows at most.
const SHOWN_MAX: usize = 3;

/// Answers nothing: scripts have no host but the functions that answer zeros anyway.
struct Nobody;

impl World for Nobody {
    fn call(&mut self, _: Call<'_>) -> Result<Answer, Stop> {
        Ok(Reply::Refused(Status::Unimplemented).into())
    }
}

#[derive(Clone)]
struct Recorder(Arc<Mutex<Recording>>);

struct Recording {
    code: Arc<Code>,
    calls: Calls,
    steps: Vec<Step>,
}

impl Listener for Recorder {
    fn stopped(&mut self, machine: &mut dyn Paused) -> Go {
        let mut recording = self.0.lock().unwrap();
        if *machine.why() != Why::Instruction {
            return Go::On;
        }
        recording.calls.follow(machine);
        let mut frames = machine.frames(usize::MAX);
        recording.calls.settle(&mut frames);
        let name = recording.name(frames[0].place);
        if is_compared(&name) {
            let heights = frames
                .iter()
                .map(|frame| frame.locals.len() + frame.stack.len());
            let from = frames[0].stack.len().saturating_sub(SHOWN_MAX);
            recording.steps.push(Step {
                name,
                depth: frames.len() - 1,
                height: heights.sum(),
                operands: frames[0].stack[from..].iter().map(shown).collect(),
            });
        }
        if recording.steps.len() < STEPS_MAX {
            Go::On
        } else {
            Go::Quit
        }
    }
}

impl Recording {
    /// The instruction's name, as wabt has it.
    fn name(&mut self, place: Place) -> String {
        let instruction = self.calls.instruction(place);
        let text = &instruction
            .expect("the machine stands at an instruction")
            .text;
        let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
        match name {
            "if" | "br_if" => "br_unless".to_owned(),
            "call" => {
                let mut functions = self.code.functions().iter();
                let called = functions.find(|function| {
                    rest == function.index.to_string()
                        || function.name.as_deref() == rest.strip_prefix('$')
                });
                let is_import = called.is_some_and(|called| called.import.is_some());
                if is_import { "call_import" } else { "call" }.to_owned()
            }
            name => name.to_owned(),
        }
    }
}

/// A value as wabt writes it.
fn shown(value: &Value) -> String {
    match value {
        Value::I32(number) => number.cast_unsigned().to_string(),
        Value::I64(number) => number.cast_unsigned().to_string(),
        Value::F32(bits) => general(f32::from_bits(*bits).into()),
        Value::F64(bits) => general(f64::from_bits(*bits)),
        Value::V128(bits) => {
            let lanes = (0..4).map(|lane| format!("{:#010x}", (bits >> (32 * lane)) & 0xffff_ffff));
            lanes.collect::<Vec<_>>().join(" ")
        }
        Value::Ref { .. } => "?".to_owned(),
    }
}

/// C's `%g`: six digits, without zeros at the end.
fn general(number: f64) -> String {
    if !number.is_finite() {
        let sign = if number.is_sign_negative() { "-" } else { "" };
        return format!("{sign}{}", if number.is_nan() { "nan" } else { "inf" });
    }
    if number == 0.0 {
        return if number.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    let scientific = format!("{number:.5e}");
    let (digits, exponent) = scientific.split_once('e').unwrap();
    let exponent: i32 = exponent.parse().unwrap();
    let short = |text: &str| {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text.to_owned()
        }
    };
    if (-4..6).contains(&exponent) {
        let places = usize::try_from(5 - exponent).unwrap();
        return short(&format!("{number:.places$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", short(digits), exponent.abs())
}

/// The trace of each call. Those behind one that took too long are missing.
pub(crate) fn run(engine: &Engine, case: &Case) -> Result<Vec<Vec<Step>>, String> {
    if case.wasm.is_empty() {
        return Err("written as quoted text".to_owned());
    }
    let code = Code::read(case.wasm.clone()).map_err(|error| short(&error.to_string()))?;
    let foreign = code
        .functions()
        .iter()
        .filter_map(|function| function.import.as_ref());
    if foreign
        .clone()
        .any(|import| !import.starts_with("spectest."))
    {
        return Err("imports functions of another module".to_owned());
    }
    let code = Arc::new(code);
    let recording = Recording {
        calls: Calls::new(Arc::clone(&code)),
        code,
        steps: Vec::new(),
    };
    let recorder = Recorder(Arc::new(Mutex::new(recording)));
    let debuggable =
        Debuggable::compile(engine, &case.wasm).map_err(|error| short(&error.to_string()))?;
    let limits = GuestLimits::default();
    let started = debuggable.start(Nobody, &limits, Box::new(recorder.clone()));
    let mut subject = started.map_err(|error| short(&error.to_string()))?;
    // wabt does not trace start functions.
    recorder.0.lock().unwrap().steps.clear();
    let mut traces = Vec::new();
    for call in &case.calls {
        let arguments: Option<Vec<_>> = call.arguments.iter().map(value).collect();
        let Some(arguments) = arguments else {
            return Err("takes references of the host".to_owned());
        };
        match subject.call(&call.field, &arguments) {
            Err(CallError::Quit) => break,
            Err(error @ (CallError::NoExport(_) | CallError::Arguments { .. })) => {
                panic!("{error}")
            }
            Ok(_) | Err(CallError::Trap(_)) => {}
        }
        traces.push(std::mem::take(&mut recorder.0.lock().unwrap().steps));
    }
    Ok(traces)
}

/// A reason without what is of one module only.
fn short(reason: &str) -> String {
    let reason = reason.split(" (at offset").next().unwrap_or_default();
    reason.chars().take(90).collect()
}

fn value(json: &Json) -> Option<Value> {
    let number = || json["value"].as_str()?.parse::<u64>().ok();
    Some(match json["type"].as_str()? {
        "i32" => Value::I32(u32::try_from(number()?).ok()?.cast_signed()),
        "i64" => Value::I64(number()?.cast_signed()),
        "f32" => Value::F32(u32::try_from(number()?).ok()?),
        "f64" => Value::F64(number()?),
        "v128" => {
            let lanes = json["value"].as_array()?.iter().rev();
            Value::V128(lanes.fold(0, |bits, lane| {
                let lane: u32 = lane.as_str().unwrap().parse().unwrap();
                (bits << 32) | u128::from(lane)
            }))
        }
        "funcref" => Value::Ref {
            kind: "funcref",
            is_null: true,
        },
        _ => return None,
    })
}

#[test]
fn numbers_are_told_as_c_tells_them() {
    let check = |number: f64, told: &str| assert_eq!(general(number), told);
    check(1.5, "1.5");
    check(100_000.0, "100000");
    check(1_000_000.0, "1e+06");
    check(123_456_789.0, "1.23457e+08");
    check(0.0001, "0.0001");
    check(0.000_012_5, "1.25e-05");
    check(-0.0, "-0");
    check(999_999.9, "1e+06");
}
