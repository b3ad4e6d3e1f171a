//! Scripts of the test-suite as modules with calls, and what is compared of two traces.

use json_from_wast::{Action, Command, Const, CoreConst, WasmFile};
use serde_json::{Value as Json, json};
use wast::lexer::Lexer;
use wast::parser::{ParseBuffer, parse};

/// One script.
pub(crate) struct Script {
    pub(crate) cases: Vec<Case>,
    /// Calls that name a module.
    pub(crate) elsewhere: usize,
    /// Calls that must run out of stack.
    pub(crate) exhausting: usize,
}

/// A module and the calls that are made before the next module comes.
pub(crate) struct Case {
    pub(crate) wasm: Vec<u8>,
    pub(crate) calls: Vec<Call>,
}

/// One call.
pub(crate) struct Call {
    pub(crate) line: u32,
    pub(crate) field: String,
    /// As wabt's script has them.
    pub(crate) arguments: Vec<Json>,
    pub(crate) results: Vec<Json>,
}

/// One instruction of a trace, if it is compared: see [`is_compared`].
#[derive(Debug)]
pub(crate) struct Step {
    /// The instruction's name.
    pub(crate) name: String,
    /// Open calls below this one.
    pub(crate) depth: usize,
    /// Locals and operands of all calls.
    pub(crate) height: usize,
    /// The operands on top, as wabt writes them, the top last: as many as a trace shows.
    pub(crate) operands: Vec<String>,
}

impl Script {
    pub(crate) fn read(name: &str, text: &str) -> Result<Self, String> {
        let mut lexer = Lexer::new(text);
        lexer.allow_confusing_unicode(true);
        let buffer = ParseBuffer::new_with_lexer(lexer).map_err(|error| error.to_string())?;
        let ast = parse::<wast::Wast<'_>>(&buffer).map_err(|error| error.to_string())?;
        let script = json_from_wast::Wast::from_ast(name, text, ast);
        let script = script.map_err(|error| error.to_string())?;
        let mut own = Self {
            cases: Vec::new(),
            elsewhere: 0,
            exhausting: 0,
        };
        for command in &script.commands {
            match command {
                Command::Module { file, .. } => own.cases.push(Case {
                    wasm: wasm(&script, file),
                    calls: Vec::new(),
                }),
                Command::AssertReturn {
                    line,
                    action,
                    expected,
                } => {
                    own.call(*line, action, expected);
                }
                Command::Action { line, action } | Command::AssertTrap { line, action, .. } => {
                    own.call(*line, action, &[]);
                }
                Command::AssertExhaustion { .. } => own.exhausting += 1,
                _ => {}
            }
        }
        Ok(own)
    }

    fn call(&mut self, line: u32, action: &Action<'_>, results: &[Const<'_>]) {
        let Action::Invoke {
            module,
            field,
            args,
        } = action
        else {
            return;
        };
        match self.cases.last_mut() {
            Some(case) if module.is_none() => case.calls.push(Call {
                line,
                field: field.to_string(),
                arguments: args.iter().map(argument).collect(),
                results: results.iter().map(argument).collect(),
            }),
            Some(_) | None => self.elsewhere += 1,
        }
    }
}

/// The bytes of a module; none, if it is written as a text that is read later.
fn wasm(script: &json_from_wast::Wast<'_>, file: &WasmFile<'_>) -> Vec<u8> {
    let name = file.binary_filename.as_ref().unwrap_or(&file.filename);
    let found = script.wasms.iter().find(|(known, _)| known == name);
    found.map_or_else(Vec::new, |(_, bytes)| bytes.clone())
}

/// A number as wabt's scripts have it: by its bits, unsigned.
fn argument(value: &Const<'_>) -> Json {
    match value {
        Const::Core(CoreConst::I32 { value }) => {
            json!({ "type": "i32", "value": value.0.cast_unsigned().to_string() })
        }
        Const::Core(CoreConst::I64 { value }) => {
            json!({ "type": "i64", "value": value.0.cast_unsigned().to_string() })
        }
        Const::Core(CoreConst::F32 { value }) => {
            json!({ "type": "f32", "value": value.to_bits().to_string() })
        }
        Const::Core(CoreConst::F64 { value }) => {
            json!({ "type": "f64", "value": value.to_bits().to_string() })
        }
        Const::Core(CoreConst::V128(value)) => {
            let bits = value.to_u128();
            let lanes = (0..4).map(|lane| ((bits >> (32 * lane)) & 0xffff_ffff).to_string());
            let lanes: Vec<_> = lanes.collect();
            json!({ "type": "v128", "lane_type": "i32", "value": lanes })
        }
        Const::Core(CoreConst::FuncRef { .. } | CoreConst::NullFuncRef) => {
            json!({ "type": "funcref", "value": "null" })
        }
        Const::Core(_) | Const::Component(_) => json!({ "type": "externref", "value": "null" }),
    }
}

/// Whether an instruction is compared. Those that only steer have no counterpart in wabt's byte code,
/// or several: what they do shows in what comes next, in its place and in the height of the stack.
pub(crate) fn is_compared(name: &str) -> bool {
    !matches!(
        name,
        "block" | "loop" | "else" | "end" | "nop" | "br" | "return" | "drop"
            // Of wabt.
            | "alloca" | "drop_keep" | "catch_drop"
    )
}

/// How two traces differ.
pub(crate) enum Difference {
    /// In the bits of what is no number, which the standard leaves open.
    Nan,
    /// In something else.
    Other(String),
}

/// How many instructions are the same in both traces, or the first that is not.
pub(crate) fn difference(ours: &[Step], theirs: &[Step]) -> Result<usize, Difference> {
    for (number, (our, their)) in ours.iter().zip(theirs).enumerate() {
        if !is_same(our, their, same_operand) {
            if is_same(our, their, |our, their| {
                same_operand(our, their) || are_nans(our, their)
            }) {
                return Err(Difference::Nan);
            }
            let told = format!("instruction {number}: {our:?}, but in wabt {their:?}");
            return Err(Difference::Other(told));
        }
    }
    if ours.len() != theirs.len() {
        let (more, less) = if ours.len() < theirs.len() {
            (theirs, ours)
        } else {
            (ours, theirs)
        };
        return Err(Difference::Other(format!(
            "{} instructions, but {} in wabt; the first that only one has: {:?}",
            ours.len(),
            theirs.len(),
            more[less.len()]
        )));
    }
    Ok(ours.len())
}

fn is_same(our: &Step, their: &Step, same: impl Fn(&str, &str) -> bool) -> bool {
    let from = our.operands.len().checked_sub(their.operands.len());
    let tops = from.map(|from| our.operands[from..].iter().zip(&their.operands));
    our.name == their.name
        && our.depth == their.depth
        && our.height == their.height
        && tops.is_some_and(|mut tops| tops.all(|(our, their)| same(our, their)))
}

fn same_operand(our: &str, their: &str) -> bool {
    // wabt does not show what `select` chooses from, and Weir has no numbers for references. The sign
    // of what is no number is left open.
    let is_hidden = their == "?" || our == "?" && their.contains("ref:");
    let is_nan = |text: &str| text.trim_start_matches('-') == "nan";
    is_hidden || is_nan(our) && is_nan(their) || our == their
}

/// Whether these are integers, both with the bits of what is no number.
fn are_nans(our: &str, their: &str) -> bool {
    let is_nan = |text: &str| {
        let number: Option<u64> = text.parse().ok();
        number.is_some_and(|bits| match u32::try_from(bits) {
            Ok(bits) => f32::from_bits(bits).is_nan(),
            Err(_) => f64::from_bits(bits).is_nan(),
        })
    };
    is_nan(our) && is_nan(their)
}
