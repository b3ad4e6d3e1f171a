//! A small language for guests: a script of host calls becomes a WebAssembly module.
//!
//! A script is a list of callbacks, `(request_headers (get 0 "x-a") 1)`: the callback, what it does,
//! and the number that it returns (if left out: what lets everything go on). Each host call writes
//! one log line: its name, its status, and what it returned; `!` before the name keeps it quiet. A
//! text is passed as pointer and length; `{a:1;b:2}` in a text stands for serialized pairs. What is
//! no word of the language is WebAssembly text. `@a` to `@d` are globals, `$ctx`, `$n`, `$size` and
//! `$end` the parameters of the callback.

mod form;
mod words;

use std::fmt::Write as _;

use weir_guest::abi::{self, AbiVersion, Callback, HostFunction};

use form::{Form, head, parse};
use words::{CALLS, Gives, PARAMETERS, TRACED};

/// What every guest has.
const PRELUDE: &str = include_str!("guest/prelude.wat");

/// A guest of ABI 0.2.1.
pub(crate) fn guest(script: &str) -> Vec<u8> {
    guest_of(AbiVersion::V0_2_1, script)
}

/// A guest of some ABI version.
pub(crate) fn guest_of(version: AbiVersion, script: &str) -> Vec<u8> {
    let text = Compiler::new(version).module(script);
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

struct Compiler {
    version: AbiVersion,
    strings: Vec<u8>,
    imports: Vec<&'static HostFunction>,
}

impl Compiler {
    const STRINGS: usize = 1024;

    fn new(version: AbiVersion) -> Self {
        let log = abi::find("env", "proxy_log").expect("a host function");
        Self {
            version,
            strings: Vec::new(),
            imports: vec![log],
        }
    }

    fn module(mut self, script: &str) -> String {
        let mut forms = parse(script);
        if forms.first() == Some(&Form::List(vec![Form::Atom("trace".into())])) {
            forms.remove(0);
            let known: Vec<String> = forms.iter().map(|form| head(form).to_owned()).collect();
            for name in TRACED
                .iter()
                .filter(|name| !known.iter().any(|known| known == *name))
            {
                forms.push(Form::List(vec![Form::Atom((*name).into())]));
            }
            forms.iter_mut().for_each(add_entry);
        }
        let body: String = forms.iter().map(|form| self.top(form)).collect();
        let imports = self.imports.iter().map(|function| import(function));
        let imports: Vec<String> = imports.collect();
        let imports = imports.concat();
        let mut texts = String::new();
        for byte in &self.strings {
            write!(texts, "\\{byte:02x}").expect("a String");
        }
        let marker = self.version.marker();
        assert!(self.strings.len() < 0x7000, "texts are too long");
        format!(
            "(module {imports} (func (export \"{marker}\")) {PRELUDE} (data (i32.const {}) \"{texts}\") {body})",
            Self::STRINGS
        )
    }

    fn top(&mut self, form: &Form) -> String {
        let Form::List(items) = form else {
            panic!("not a callback: {form:?}")
        };
        let name = head(form).to_owned();
        match self.callback(&name) {
            Some(callback) => self.function(callback, &name, &items[1..]),
            None => self.emit(form),
        }
    }

    fn callback(&self, name: &str) -> Option<&'static Callback> {
        let full = format!("proxy_on_{name}");
        abi::CALLBACKS
            .iter()
            .find(|callback| callback.name == full && callback.versions.contains(self.version))
    }

    fn function(&mut self, callback: &Callback, name: &str, steps: &[Form]) -> String {
        let known = PARAMETERS.iter().find(|(end, _)| name.ends_with(end));
        let others = known.map_or(&[][..], |(_, names)| names);
        let params: Vec<String> = std::iter::once(&"ctx")
            .chain(others)
            .take(callback.params.len())
            .map(|name| format!(" (param ${name} i32)"))
            .collect();
        let params = params.concat();
        let result = if callback.results.is_empty() {
            ""
        } else {
            "(result i32)"
        };
        let (steps, value) = match steps.split_last() {
            Some((last @ Form::Atom(_), rest)) => (rest, self.value(last)),
            _ if callback.results.is_empty() => (steps, String::new()),
            _ => {
                let usual = i32::from(matches!(name, "vm_start" | "configure" | "done"));
                (steps, format!("(i32.const {usual})"))
            }
        };
        let body: String = steps.iter().map(|step| self.emit(step)).collect();
        let export = callback.name;
        format!(
            "(func (export \"{export}\") {params} {result} (global.set $heap (i32.const 0x10000)) {body} {value})\n"
        )
    }

    /// A form as WebAssembly text.
    fn emit(&mut self, form: &Form) -> String {
        let Form::List(items) = form else {
            return raw(form);
        };
        let word = head(form).to_owned();
        let arguments = &items[1..];
        match (word.as_str(), arguments) {
            ("say", [Form::Text(text)]) => {
                let text = self.text(text);
                format!("(call $put {text}) (call $flush)")
            }
            ("show", [Form::Text(text), value]) => {
                let (text, value) = (self.text(text), self.value(value));
                format!(
                    "(call $put {text}) (call $number (i64.extend_i32_u {value})) (call $flush)"
                )
            }
            ("out", []) => "(i32.load (i32.const 16))".to_owned(),
            ("version", []) => "(i32.load (i32.const 24))".to_owned(),
            ("set", [Form::Atom(name), value]) => {
                let value = self.value(value);
                format!("(global.set ${name} {value})")
            }
            ("bump", [Form::Atom(name)]) => {
                format!("(global.set ${name} (i32.add (global.get ${name}) (i32.const 1)))")
            }
            _ => self.emit_call(&word, arguments),
        }
    }

    fn emit_call(&mut self, word: &str, arguments: &[Form]) -> String {
        if matches!((word, arguments.first()), ("call", Some(Form::Atom(_)))) {
            return self.emit_wasm(word, arguments);
        }
        let name = word.strip_prefix('!').unwrap_or(word);
        let Some((_, function, gives)) = CALLS.iter().find(|(known, _, _)| *known == name) else {
            return self.emit_wasm(word, arguments);
        };
        let call = self.call(function, *gives, arguments);
        if word != name {
            return format!("(call $clear) (drop {call})");
        }
        let label = self.text(name.as_bytes());
        let bytes = "(i32.load (i32.const 16)) (i32.load (i32.const 20))";
        let number = |at: u32| format!("(call $number (i64.load32_u (i32.const {at})))");
        let shown = match gives {
            Gives::Nothing => String::new(),
            Gives::Bytes | Gives::Always | Gives::Versioned => {
                format!("(call $gives_bytes {bytes})")
            }
            Gives::Pairs => format!("(call $gives_pairs {bytes})"),
            Gives::Value => format!("(call $gives_value {bytes})"),
            Gives::Number | Gives::Token => number(16),
            Gives::Long => "(call $number (i64.load (i32.const 16)))".to_owned(),
            Gives::Lengths => format!("{} {}", number(16), number(24)),
            Gives::Coded => format!("{} (call $gives_bytes {bytes})", number(24)),
        };
        let shown = match gives {
            Gives::Token | Gives::Always | Gives::Nothing => shown,
            _ => format!("(if (i32.eqz (global.get $status)) (then {shown}))"),
        };
        format!("(call $clear) (call $begin {label} {call}) {shown} (call $flush)\n")
    }

    fn call(&mut self, function: &str, gives: Gives, arguments: &[Form]) -> String {
        let function = abi::find("env", function).expect("a host function");
        if !self.imports.contains(&function) {
            self.imports.push(function);
        }
        let outs: &[u32] = match gives {
            Gives::Nothing => &[],
            Gives::Bytes | Gives::Pairs | Gives::Always | Gives::Value => &[16, 20],
            Gives::Number | Gives::Long | Gives::Token => &[16],
            Gives::Lengths => &[16, 24],
            Gives::Versioned => &[16, 20, 24],
            Gives::Coded => &[24, 16, 20],
        };
        let mut text = format!("(call ${}", function.name);
        let mut count = 0;
        for argument in arguments {
            let ty = function.params.get(count).copied();
            match argument {
                Form::Text(bytes) => {
                    text += &self.text(bytes);
                    count += 2;
                }
                Form::Atom(number) if ty == Some(abi::ValueType::I64) => {
                    text.extend([" (i64.const ", number, ")"]);
                    count += 1;
                }
                other => {
                    text += &self.value(other);
                    count += 1;
                }
            }
        }
        if count + outs.len() == function.params.len() {
            for at in outs {
                write!(text, " (i32.const {at})").expect("a String");
            }
        }
        text + ")"
    }

    /// Other WebAssembly text, with short forms for values where only values can stand.
    fn emit_wasm(&mut self, word: &str, arguments: &[Form]) -> String {
        let takes_values = (word.starts_with("i32.") && word != "i32.const")
            || matches!(word, "if" | "return" | "drop" | "br_if");
        let inner: Vec<String> = arguments
            .iter()
            .map(|argument| {
                if takes_values {
                    self.value(argument)
                } else {
                    self.emit(argument)
                }
            })
            .collect();
        format!("({word} {})\n", inner.join(" "))
    }

    fn value(&mut self, form: &Form) -> String {
        let Form::Atom(atom) = form else {
            return self.emit(form);
        };
        if let Some(global) = atom.strip_prefix('@') {
            format!(" (global.get ${global})")
        } else if atom.starts_with('$') {
            format!(" (local.get {atom})")
        } else {
            format!(" (i32.const {atom})")
        }
    }

    /// Pointer and length of a text in memory.
    fn text(&mut self, bytes: &[u8]) -> String {
        let at = self
            .strings
            .windows(bytes.len().max(1))
            .position(|window| window == bytes);
        let at = at.unwrap_or_else(|| {
            self.strings.extend_from_slice(bytes);
            self.strings.len() - bytes.len()
        });
        format!(
            " (i32.const {}) (i32.const {})",
            Self::STRINGS + at,
            bytes.len()
        )
    }
}

/// A word or text as it is.
fn raw(form: &Form) -> String {
    match form {
        Form::Atom(atom) => atom.clone(),
        Form::Text(text) => format!("\"{}\"", String::from_utf8_lossy(text)),
        Form::List(_) => unreachable!("a list is emitted"),
    }
}

/// An import, typed by the ABI's own table.
fn import(function: &HostFunction) -> String {
    let list = |types: &[abi::ValueType]| {
        let types: Vec<String> = types.iter().map(|ty| format!(" {ty}")).collect();
        types.concat()
    };
    let (params, results) = (list(function.params), list(function.results));
    let name = function.name;
    format!("(import \"env\" \"{name}\" (func ${name} (param{params}) (result{results})))\n")
}

/// Lets a callback begin with a line that says its name and context.
fn add_entry(form: &mut Form) {
    let name = head(form).to_owned();
    let is_callback = abi::CALLBACKS
        .iter()
        .any(|known| known.name == format!("proxy_on_{name}"));
    if let (Form::List(items), true) = (form, is_callback) {
        let entry = vec![
            Form::Atom("show".into()),
            Form::Text(name.into_bytes()),
            Form::Atom("$ctx".into()),
        ];
        items.insert(1, Form::List(entry));
    }
}
