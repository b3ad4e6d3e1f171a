//! Exported functions that are called by hand: each argument is a word of the command line.

use std::cell::Cell as Counter;

use bytes::Bytes;
use serde_json::Value;
use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{Component, ComponentExportIndex, Instance, Type, Val};
use wasmtime::{AsContextMut as _, Store};
use weir_model::limits::functions as of;

use super::json::{self, Path};
use super::types::{Argument, Form, has_no_json, name};
use crate::cell::Cell;
use crate::http::exports;
use crate::run::{ArgumentError, RunError};

/// A call that is about to be made.
pub(crate) struct Call {
    function: ComponentExportIndex,
    arguments: Vec<Val>,
    result: Option<Type>,
}

/// What a function answers, as it is printed.
pub(crate) enum Told {
    Result(Bytes),
    /// What the function itself calls an error.
    Refusal(Bytes),
}

impl Call {
    /// Finds the function and reads its arguments.
    pub(crate) fn new(
        component: &Component,
        export: &str,
        words: &[String],
    ) -> Result<Self, RunError> {
        let (ty, function) = super::find(component, export).map_err(|_| RunError::Export {
            wanted: format!("function {export}"),
            found: all(component),
        })?;
        let wanted: Vec<_> = ty
            .params()
            .map(|(name, ty)| Argument {
                name: name.to_owned(),
                ty,
            })
            .collect();
        let result = ty.results().next();
        let mut types = wanted.iter().map(|argument| &argument.ty).chain(&result);
        if let Some(odd) = types.find_map(has_no_json) {
            return Err(RunError::Type {
                export: export.to_owned(),
                ty: signature(&ty),
                odd,
            });
        }
        if wanted.len() != words.len() {
            return Err(RunError::Argument(ArgumentError::Count {
                export: export.to_owned(),
                ty: signature(&ty),
                given: words.len(),
                expected: wanted.len(),
            }));
        }
        let arguments = wanted.iter().zip(words).map(|(argument, word)| {
            read(argument, word).map_err(|reason| {
                RunError::Argument(ArgumentError::Value {
                    export: export.to_owned(),
                    reason,
                })
            })
        });
        Ok(Self {
            function,
            arguments: arguments.collect::<Result<_, _>>()?,
            result,
        })
    }

    /// Makes it.
    pub(crate) async fn made(
        self,
        store: &mut Store<Cell>,
        instance: Instance,
    ) -> wasmtime::Result<Told> {
        let function = instance
            .get_func(&mut *store, self.function)
            .ok_or_else(|| wasmtime::Error::msg("the function is not there"))?;
        let mut results = vec![Val::Bool(false); usize::from(self.result.is_some())];
        function
            .call_async(store.as_context_mut(), &self.arguments, &mut results)
            .await?;
        let is_refusal = matches!(results.first(), Some(Val::Result(Err(_))));
        let is_bytes = Form::of_whole(self.result.as_ref()) == Some(Form::Bytes);
        let body = json::answer(self.result.as_ref(), results.pop()).body;
        let told = body.map_or_else(Bytes::new, |body| {
            // Bytes are printed as they are, all else is a line.
            if is_bytes && !is_refusal {
                body
            } else {
                [&body, &b"\n"[..]].concat().into()
            }
        });
        Ok(if is_refusal {
            Told::Refusal(told)
        } else {
            Told::Result(told)
        })
    }
}

/// Text and bytes as they are, all else as JSON; what is no JSON is a name.
fn read(argument: &Argument, word: &str) -> Result<Val, String> {
    let value = match (Form::of(&argument.ty), &argument.ty) {
        (Form::Text, _) => return Ok(Val::String(word.to_owned())),
        (Form::Bytes, _) => return Ok(Val::List(word.bytes().map(Val::U8).collect())),
        (Form::Json, Type::Char) => Value::String(word.to_owned()),
        (Form::Json, _) => {
            serde_json::from_str(word).unwrap_or_else(|_| Value::String(word.to_owned()))
        }
    };
    let left = Counter::new(of::JSON_VALUES);
    json::read(&argument.ty, value, &Path::Root(&argument.name, &left))
}

/// A type for people, as WIT has it.
fn signature(ty: &ComponentFunc) -> String {
    let parameters: Vec<_> = ty
        .params()
        .map(|(of, ty)| format!("{of}: {}", name(&ty)))
        .collect();
    let result = ty.results().next();
    let result = result.map_or_else(String::new, |ty| format!(" -> {}", name(&ty)));
    format!("func({}){result}", parameters.join(", "))
}

/// All functions that can be called, as `--invoke` takes them.
fn all(component: &Component) -> String {
    use wasmtime::component::types::ComponentItem;
    let engine = component.engine();
    let mut names = Vec::new();
    for (name, export) in component.component_type().exports(engine) {
        match export.ty {
            ComponentItem::ComponentFunc(_) => names.push(name.to_owned()),
            ComponentItem::ComponentInstance(instance) => {
                let functions = instance.exports(engine);
                let functions = functions
                    .filter(|(_, export)| matches!(export.ty, ComponentItem::ComponentFunc(_)));
                names.extend(functions.map(|(function, _)| format!("{name}#{function}")));
            }
            _ => {}
        }
    }
    if names.is_empty() {
        return exports(component);
    }
    names.join(", ")
}
