//! A small language for guests: a script of host calls becomes a WebAssembly module.
//!
//! The language is described in the kit's README. Invariant: no script makes the compiler panic; what
//! is wrong with one is told with its line.

pub(crate) mod abi;
mod emit;
mod form;
mod words;

use abi::{Function, Owner};
pub(crate) use form::Flaw;
use form::{Form, Kind, parse};
use words::{PARAMETERS, TRACED};

/// Writers of log lines, which every script has.
const PRELUDE: &str = include_str!("guest/prelude.wat");
/// The memory of a script, unless it exports one itself.
const MEMORY: &str = r#"(memory (export "memory") 512)"#;
/// The allocator of a script, unless it exports one itself.
const ALLOCATOR: &str = r#"(func (export "malloc") (param $n i32) (result i32) (global.get $heap)
  (global.set $heap (i32.add (global.get $heap) (i32.and (i32.add (local.get $n) (i32.const 15)) (i32.const -8)))))"#;
/// ABI versions that scripts may have.
pub(crate) const ABIS: [&str; 4] = ["0.1.0", "0.2.0", "0.2.1", "0.2.100"];
/// Where texts begin in a guest's memory, and how many bytes they may be.
const TEXTS: usize = 1024;
const TEXTS_MAX: usize = 0x7000;

/// Compiles a script for an ABI version.
pub(crate) fn compile(abi: &str, script: &str) -> Result<Vec<u8>, Flaw> {
    if !ABIS.contains(&abi) {
        let what = format!("ABI `{abi}`: expected one of {}", ABIS.join(", "));
        return Err(Flaw::new(1, what));
    }
    let module = Compiler::new(abi).module(parse(script)?)?;
    let code = wat::parse_str(&module.text).map_err(|error| module.flaw(&error))?;
    let valid = wasmparser::Validator::new().validate_all(&code);
    valid.map_err(|error| Flaw::new(1, format!("the script is no valid module: {error}")))?;
    Ok(code)
}

/// Assembles WebAssembly text as it is.
pub(crate) fn assemble(text: &str) -> Result<Vec<u8>, Flaw> {
    wat::parse_str(text).map_err(|error| Flaw::new(1, error.to_string()))
}

/// A module as text, and which lines of the script its last lines come from.
struct Module {
    text: String,
    lines: Vec<usize>,
}

impl Module {
    /// An error of the assembler, with the line of the script.
    fn flaw(&self, error: &wat::Error) -> Flaw {
        let message = error.to_string();
        let place = message.split("<anon>:").nth(1).unwrap_or_default();
        let at: usize = place
            .split(':')
            .next()
            .and_then(|line| line.parse().ok())
            .unwrap_or(0);
        let before = self.text.lines().count() - self.lines.len();
        let line = at
            .checked_sub(before + 1)
            .and_then(|index| self.lines.get(index));
        let (first, _) = message.split_once('\n').unwrap_or((&message, ""));
        let column = place
            .split(':')
            .nth(1)
            .and_then(|column| column.split_whitespace().next()?.parse::<usize>().ok());
        let text = self.text.lines().nth(at.saturating_sub(1)).unwrap_or("");
        let near = text.get(column.unwrap_or(1) - 1..).unwrap_or(text);
        let near: String = near.chars().take(60).collect();
        Flaw::new(
            line.copied().unwrap_or(1),
            format!("as WebAssembly text: {first}, at `{near}`"),
        )
    }
}

struct Compiler<'a> {
    abi: &'a str,
    texts: Vec<u8>,
    imports: Vec<(&'static str, &'static Function)>,
}

impl<'a> Compiler<'a> {
    fn new(abi: &'a str) -> Self {
        Self {
            abi,
            texts: Vec::new(),
            imports: Vec::new(),
        }
    }

    fn module(mut self, mut forms: Vec<Form>) -> Result<Module, Flaw> {
        self.import("env", Owner::Env, "proxy_log");
        if forms.first().is_some_and(|form| form.head() == "trace") {
            forms.remove(0);
            self.trace(&mut forms);
        }
        let exports = |name: &str| forms.iter().any(|form| form.exports(name));
        let has_memory = exports("memory") || forms.iter().any(|form| form.imports("memory"));
        let memory = if has_memory { "" } else { MEMORY };
        let has_allocator = exports("malloc") || exports("proxy_on_memory_allocate");
        let allocator = if has_allocator { "" } else { ALLOCATOR };
        let (imports, rest): (Vec<_>, Vec<_>) =
            forms.iter().partition(|form| form.head() == "import");
        let (mut raw_imports, mut body, mut lines) = (String::new(), String::new(), Vec::new());
        for form in imports {
            raw_imports += &self.emit(form)?;
        }
        for form in rest {
            // Each form is one line, so that errors can be told.
            body.extend([&self.top(form)?.replace('\n', " "), "\n"]);
            lines.push(form.line);
        }
        let imports: String = self.imports.iter().map(import).collect();
        if self.texts.len() > TEXTS_MAX {
            let what = format!("all texts together are longer than {TEXTS_MAX} bytes");
            return Err(Flaw::new(1, what));
        }
        let texts = emit::escaped(&self.texts);
        let marker = self.abi.replace('.', "_");
        let text = format!(
            "(module {raw_imports} {imports} (func (export \"proxy_abi_version_{marker}\"))\n\
             {memory} {PRELUDE} {allocator} (data (i32.const {TEXTS}) \"{texts}\")\n{body})"
        );
        // The closing bracket stands on a line of its own.
        lines.push(1);
        Ok(Module { text, lines })
    }

    /// Adds callbacks that only log, and the line of each callback.
    fn trace(&self, forms: &mut Vec<Form>) {
        for name in TRACED {
            if !forms.iter().any(|form| form.head() == *name) {
                forms.push(Form::list(1, vec![Form::atom(1, name)]));
            }
        }
        for form in forms {
            let (line, name) = (form.line, form.head().to_owned());
            let is_callback = abi::callback(&name, self.abi).is_some();
            if let (Kind::List(items), true) = (&mut form.kind, is_callback) {
                let label = Form {
                    line,
                    kind: Kind::Text(name.into_bytes()),
                };
                let entry = vec![Form::atom(line, "show"), label, Form::atom(line, "$ctx")];
                items.insert(1, Form::list(line, entry));
            }
        }
    }

    fn top(&mut self, form: &Form) -> Result<String, Flaw> {
        let Kind::List(items) = &form.kind else {
            return Err(Flaw::new(form.line, "a callback in brackets is expected"));
        };
        match abi::callback(form.head(), self.abi) {
            Some(callback) => self.callback(callback, form.line, &items[1..]),
            None => self.emit(form),
        }
    }

    fn callback(
        &mut self,
        callback: &Function,
        line: usize,
        steps: &[Form],
    ) -> Result<String, Flaw> {
        let name = callback.name;
        let others = PARAMETERS.iter().find(|(end, _)| name.ends_with(end));
        let names = std::iter::once(&"ctx").chain(others.map_or(&[][..], |(_, names)| names));
        let params: Vec<String> = names
            .take(callback.params.len())
            .map(|name| format!("(param ${name} i32)"))
            .collect();
        let params = params.join(" ");
        let (result, usual) = match name.rsplit('_').next() {
            _ if !callback.has_result => ("", ""),
            Some("start" | "configure" | "configuration" | "done") => {
                ("(result i32)", "(i32.const 1)")
            }
            _ => ("(result i32)", "(i32.const 0)"),
        };
        let (steps, value) = match steps.split_last() {
            Some((last, rest)) if last.as_atom().is_some() => {
                if !callback.has_result {
                    return Err(Flaw::new(line, format!("{name} returns nothing")));
                }
                (rest, self.value(last)?)
            }
            _ => (steps, usual.to_owned()),
        };
        let (locals, steps): (Vec<_>, Vec<_>) =
            steps.iter().partition(|step| step.head() == "local");
        let mut body = String::new();
        for local in locals {
            body += &self.emit(local)?;
        }
        body += "(global.set $heap (i32.const 0x10000))";
        for step in steps {
            body += &self.emit(step)?;
        }
        Ok(format!(
            "(func (export \"{name}\") {params} {result} {body} {value})"
        ))
    }

    /// Imports a host function once; `None`: there is none of this name.
    fn import(
        &mut self,
        module: &'static str,
        owner: Owner,
        name: &str,
    ) -> Option<&'static Function> {
        let function = abi::host_function(owner, name)?;
        if !self.imports.contains(&(module, function)) {
            self.imports.push((module, function));
        }
        Some(function)
    }
}

/// An import, typed by the ABI's own table.
fn import((module, function): &(&'static str, &'static Function)) -> String {
    let name = function.name;
    let params: String = function.params.iter().map(|ty| emit::typed(*ty)).collect();
    let result = if function.has_result {
        "(result i32)"
    } else {
        ""
    };
    format!(
        "(import \"{module}\" \"{name}\" (func ${} (param{params}) {result}))\n",
        emit::identifier(module, name)
    )
}

#[cfg(test)]
mod tests;
