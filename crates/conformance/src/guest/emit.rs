//! Forms inside callbacks as WebAssembly text.

use std::fmt::Write as _;

use super::abi::{Function, Owner, Type};
use super::form::{Flaw, Form, Kind};
use super::words::{CALLS, Gives};
use super::{Compiler, TEXTS};

/// Pointer and size of what the last call returned.
const BYTES: &str = "(i32.load (i32.const 16)) (i32.load (i32.const 20))";

impl Compiler<'_> {
    /// A form as WebAssembly text.
    pub(super) fn emit(&mut self, form: &Form) -> Result<String, Flaw> {
        let Kind::List(items) = &form.kind else {
            return Ok(raw(form));
        };
        let (word, arguments) = (form.head(), items.get(1..).unwrap_or_default());
        let kinds: Vec<&Kind> = arguments.iter().map(|argument| &argument.kind).collect();
        match (word, &kinds[..]) {
            ("say", [Kind::Text(text)]) => {
                Ok(format!("(call $put {}) (call $flush)", self.text(text)))
            }
            ("show" | "show64", [Kind::Text(text), _]) => {
                let (text, value) = (self.text(text), self.value(&arguments[1])?);
                let value = match word {
                    "show" => format!("(i64.extend_i32_u {value})"),
                    _ => value,
                };
                Ok(format!(
                    "(call $put {text}) (call $number {value}) (call $flush)"
                ))
            }
            ("show_bytes", [Kind::Text(text), _, _]) => {
                let text = self.text(text);
                let (at, size) = (self.value(&arguments[1])?, self.value(&arguments[2])?);
                Ok(format!(
                    "(call $put {text}) (call $gives_bytes {at} {size}) (call $flush)"
                ))
            }
            ("say" | "show" | "show64" | "show_bytes", _) => Err(Flaw::new(
                form.line,
                format!("`{word}` takes a text in quotes and, unless it is `say`, what to show"),
            )),
            ("out", []) => Ok("(i32.load (i32.const 16))".to_owned()),
            ("size", []) => Ok("(i32.load (i32.const 20))".to_owned()),
            ("version", []) => Ok("(i32.load (i32.const 24))".to_owned()),
            ("ptr", [Kind::Text(text)]) => Ok(format!("(i32.const {})", self.place(text))),
            ("len", [Kind::Text(text)]) => Ok(format!("(i32.const {})", text.len())),
            ("set", [Kind::Atom(name), _]) => {
                let value = self.value(&arguments[1])?;
                Ok(format!("(global.set ${name} {value})"))
            }
            ("bump", [Kind::Atom(name)]) => Ok(format!(
                "(global.set ${name} (i32.add (global.get ${name}) (i32.const 1)))"
            )),
            _ => self.emit_call(form.line, word, arguments),
        }
    }

    fn emit_call(&mut self, line: usize, word: &str, arguments: &[Form]) -> Result<String, Flaw> {
        let first = arguments.first().and_then(Form::as_atom);
        if let ("call", Some(function)) = (word, first.and_then(|name| name.strip_prefix('$'))) {
            // A host function needs its import; others are the script's own.
            self.import("env", Owner::Env, function);
            return self.emit_wasm(word, arguments);
        }
        let name = word.strip_prefix('!').unwrap_or(word);
        if let ("wasi" | "wasi_unstable" | "env", Some(function)) = (name, first) {
            let (module, owner) = match name {
                "wasi" => ("wasi_snapshot_preview1", Owner::Wasi),
                "wasi_unstable" => ("wasi_unstable", Owner::Wasi),
                _ => ("env", Owner::Env),
            };
            let Some(known) = self.import(module, owner, function) else {
                let what = format!("no function `{function}` is known in {module}; use (import …)");
                return Err(Flaw::new(line, what));
            };
            let call = self.call(module, known, Gives::Nothing, &arguments[1..])?;
            if !known.has_result {
                return Ok(call);
            }
            let label = if word == name { function } else { word };
            return Ok(self.noted(label, &call, Gives::Nothing));
        }
        let Some((_, function, gives)) = CALLS.iter().find(|(known, _, _)| *known == name) else {
            if word.starts_with('!') {
                return Err(Flaw::new(line, format!("`{name}` is no host call")));
            }
            return self.emit_wasm(word, arguments);
        };
        let Some(function) = self.import("env", Owner::Env, function) else {
            return Err(Flaw::new(
                line,
                format!("`{function}` is not in the ABI table"),
            ));
        };
        let call = self.call("env", function, *gives, arguments)?;
        Ok(self.noted(word, &call, *gives))
    }

    /// A call, with the line that tells of it.
    fn noted(&mut self, word: &str, call: &str, gives: Gives) -> String {
        if word.starts_with('!') {
            return format!("(call $clear) (global.set $status {call})\n");
        }
        let label = self.text(word.as_bytes());
        let number = |at: u32| format!("(call $number (i64.load32_u (i32.const {at})))");
        let shown = match gives {
            Gives::Nothing => String::new(),
            Gives::Bytes | Gives::Always | Gives::Versioned => {
                format!("(call $gives_bytes {BYTES})")
            }
            Gives::Pairs => format!("(call $gives_pairs {BYTES})"),
            Gives::Value => format!("(call $gives_value {BYTES})"),
            Gives::Number | Gives::Token => number(16),
            Gives::Long => "(call $number (i64.load (i32.const 16)))".to_owned(),
            Gives::Lengths => format!("{} {}", number(16), number(24)),
            Gives::Coded => format!("{} (call $gives_bytes {BYTES})", number(24)),
        };
        let shown = match gives {
            Gives::Token | Gives::Always | Gives::Nothing => shown,
            _ => format!("(if (i32.eqz (global.get $status)) (then {shown}))"),
        };
        format!("(call $clear) (call $begin {label} {call}) {shown} (call $flush)\n")
    }

    fn call(
        &mut self,
        module: &str,
        function: &Function,
        gives: Gives,
        arguments: &[Form],
    ) -> Result<String, Flaw> {
        let outs: &[u32] = match gives {
            Gives::Nothing => &[],
            Gives::Bytes | Gives::Pairs | Gives::Always | Gives::Value => &[16, 20],
            Gives::Number | Gives::Long | Gives::Token => &[16],
            Gives::Lengths => &[16, 24],
            Gives::Versioned => &[16, 20, 24],
            Gives::Coded => &[24, 16, 20],
        };
        let mut text = format!("(call ${}", identifier(module, function.name));
        let mut count = 0;
        for argument in arguments {
            match (&argument.kind, function.params.get(count)) {
                (Kind::Text(bytes), _) => {
                    text += &self.text(bytes);
                    count += 1;
                }
                (Kind::Atom(_), Some(Type::I64)) => text += &self.long(argument)?,
                _ => text += &self.value(argument)?,
            }
            count += 1;
        }
        if count + outs.len() == function.params.len() {
            for at in outs {
                // Writing to a String does not fail.
                let _ = write!(text, " (i32.const {at})");
            }
        } else if let (Some(argument), true) = (arguments.first(), count != function.params.len()) {
            let what = format!(
                "{} takes {} numbers (a text is two), or all but the {} places of its results; here are {count}",
                function.name,
                function.params.len(),
                outs.len(),
            );
            return Err(Flaw::new(argument.line, what));
        }
        Ok(text + ")")
    }

    /// Other WebAssembly text, with short forms for values where values can stand.
    fn emit_wasm(&mut self, word: &str, arguments: &[Form]) -> Result<String, Flaw> {
        let mut text = format!("({word}");
        for (index, argument) in arguments.iter().enumerate() {
            let is_short = argument.as_atom().is_some_and(is_short);
            let is_name = argument.as_atom().is_some_and(|atom| atom.starts_with('$'));
            text.push(' ');
            text += &match place(word, index) {
                Place::Value if is_short => self.value(argument)?,
                Place::Long if is_short => self.long(argument)?,
                // There a name is a label.
                Place::Step if is_short && !is_name => self.value(argument)?,
                _ => self.emit(argument)?,
            };
        }
        Ok(text + ")\n")
    }

    pub(super) fn value(&mut self, form: &Form) -> Result<String, Flaw> {
        let Some(atom) = form.as_atom() else {
            return self.emit(form);
        };
        if !is_short(atom) {
            let what = format!("`{atom}` is no value: a number, @global or $parameter is expected");
            return Err(Flaw::new(form.line, what));
        }
        Ok(if let Some(global) = atom.strip_prefix('@') {
            format!(" (global.get ${global})")
        } else if atom.starts_with('$') {
            format!(" (local.get {atom})")
        } else {
            format!(" (i32.const {atom})")
        })
    }

    /// A value of 64 bits.
    fn long(&mut self, form: &Form) -> Result<String, Flaw> {
        match form.as_atom() {
            Some(atom) if !atom.starts_with(['@', '$']) && is_short(atom) => {
                Ok(format!(" (i64.const {atom})"))
            }
            Some(_) => Ok(format!(" (i64.extend_i32_s {})", self.value(form)?)),
            None => self.emit(form),
        }
    }

    /// Pointer and length of a text in memory.
    fn text(&mut self, bytes: &[u8]) -> String {
        let at = self.place(bytes);
        format!(" (i32.const {at}) (i32.const {})", bytes.len())
    }

    fn place(&mut self, bytes: &[u8]) -> usize {
        let known = self
            .texts
            .windows(bytes.len().max(1))
            .position(|window| window == bytes);
        let at = known.unwrap_or_else(|| {
            self.texts.extend_from_slice(bytes);
            self.texts.len() - bytes.len()
        });
        TEXTS + at
    }
}

/// What can stand at a place of an instruction.
enum Place {
    /// A value of 32 bits.
    Value,
    /// A value of 64 bits.
    Long,
    /// A step, or a value that is left on the stack.
    Step,
    /// Something else, as it is.
    Raw,
}

fn place(word: &str, index: usize) -> Place {
    if matches!(word, "i32.const" | "i64.const") {
        return Place::Raw;
    }
    if let Some(operator) = word.strip_prefix("i64.") {
        let is_address =
            operator.starts_with("load") || operator.starts_with("store") && index == 0;
        return if is_address || operator.starts_with("extend_i32") {
            Place::Value
        } else {
            Place::Long
        };
    }
    match word {
        "i32.wrap_i64" => Place::Long,
        "if" | "return" | "drop" | "select" | "memory.grow" | "memory.copy" | "memory.fill" => {
            Place::Value
        }
        "call" | "local.set" | "local.tee" | "global.set" | "br_if" if index > 0 => Place::Value,
        "then" | "else" | "block" | "loop" => Place::Step,
        _ if word.starts_with("i32.") => Place::Value,
        _ => Place::Raw,
    }
}

/// Whether an atom is a short form of a value: a number, a global or a parameter.
fn is_short(atom: &str) -> bool {
    let digits = atom.strip_prefix(['+', '-']).unwrap_or(atom);
    let is_name = atom.len() > 1 && atom.starts_with(['@', '$']);
    is_name || digits.starts_with(|c: char| c.is_ascii_digit())
}

/// What a function is called within the module.
pub(super) fn identifier(module: &str, name: &str) -> String {
    match module {
        "wasi_unstable" => format!("unstable.{name}"),
        _ => name.to_owned(),
    }
}

/// A type behind a space.
pub(super) fn typed(ty: Type) -> &'static str {
    match ty {
        Type::I32 => " i32",
        Type::I64 => " i64",
    }
}

/// Bytes inside a text of WebAssembly.
pub(super) fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "\\{byte:02x}");
        text
    })
}

/// A word or text as it is.
fn raw(form: &Form) -> String {
    match &form.kind {
        Kind::Atom(atom) => atom.clone(),
        Kind::Text(text) => format!("\"{}\"", escaped(text)),
        Kind::List(_) => String::new(),
    }
}
