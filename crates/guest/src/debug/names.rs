//! Names that a module gives its parts.

use std::collections::HashMap;

use wasmparser::{Name, NameMap, NameSectionReader};
use weir_model::limits;

use crate::trace::readable;

/// Names of functions, globals and locals.
#[derive(Default)]
pub(super) struct Names {
    functions: HashMap<u32, String>,
    globals: HashMap<u32, String>,
    /// By function, then local.
    locals: HashMap<u32, HashMap<u32, String>>,
}

impl Names {
    /// Takes over what a name section says. What is broken in it is left out, as engines do.
    pub(super) fn read(&mut self, section: NameSectionReader<'_>) {
        for part in section.into_iter().map_while(Result::ok) {
            match part {
                Name::Function(names) => self.functions = map(names, readable),
                Name::Global(names) => self.globals = map(names, short),
                Name::Local(functions) => {
                    let functions = functions.into_iter().map_while(Result::ok);
                    self.locals = functions
                        .map(|function| (function.index, map(function.names, short)))
                        .collect();
                }
                _ => {}
            }
        }
    }

    pub(super) fn function(&self, index: u32) -> Option<&str> {
        self.functions.get(&index).map(String::as_str)
    }

    pub(super) fn global(&self, index: u32) -> Option<&str> {
        self.globals.get(&index).map(String::as_str)
    }

    pub(super) fn local(&self, function: u32, index: u32) -> Option<&str> {
        let locals = self.locals.get(&function)?;
        locals.get(&index).map(String::as_str)
    }
}

fn map(names: NameMap<'_>, told: fn(&str) -> String) -> HashMap<u32, String> {
    let names = names.into_iter().map_while(Result::ok);
    names
        .filter(|naming| !naming.name.is_empty())
        .map(|naming| (naming.index, told(naming.name)))
        .collect()
}

/// A name on one line, not longer than others.
fn short(name: &str) -> String {
    let plain = name.chars().filter(|character| !character.is_control());
    plain.take(limits::TRACE_NAME_CHARS_MAX).collect()
}
