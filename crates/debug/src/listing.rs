//! A module as validation sees it: instructions, and the types on the operand stack before each.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use weir_guest::debug::{
    Code, CodeError, Control, Function, Instruction, Lines, Listing, Place, Type,
};

/// Columns of an instruction's text, behind which the types begin.
const TEXT_COLUMNS: usize = 34;

/// A module with what is known of its source, and the listings that were made of it.
pub struct Symbols<'m> {
    /// The module.
    pub code: Arc<Code>,
    lines: Option<&'m Lines<'m>>,
    listings: HashMap<u32, Result<Arc<Listing>, CodeError>>,
}

impl<'m> Symbols<'m> {
    /// Of a module whose source lines are known, or not.
    #[must_use]
    pub fn new(code: Arc<Code>, lines: Option<&'m Lines<'m>>) -> Self {
        Self {
            code,
            lines,
            listings: HashMap::new(),
        }
    }

    /// A function, instruction by instruction.
    ///
    /// # Errors
    ///
    /// As [`Code::listing`].
    pub fn listing(&mut self, function: u32) -> Result<Arc<Listing>, CodeError> {
        let listing = self.listings.entry(function);
        listing
            .or_insert_with(|| self.code.listing(function).map(Arc::new))
            .clone()
    }

    /// The instruction at a place, and the listing that it is in.
    pub fn instruction(&mut self, place: Place) -> Option<(Arc<Listing>, usize)> {
        let listing = self.listing(place.function).ok()?;
        let at = listing.at(place.offset)?;
        Some((listing, at))
    }

    /// What a function is called.
    #[must_use]
    pub fn function_name(&self, function: u32) -> String {
        let known = self.code.functions().get(function as usize);
        let name = known.and_then(|function| function.name.clone());
        name.unwrap_or_else(|| format!("function {function}"))
    }

    /// The line of the source that an instruction came from: the innermost, if calls were inlined.
    #[must_use]
    pub fn source(&self, place: Place) -> Option<String> {
        let calls = self.lines?.at(place.function, place.offset);
        let source = calls.into_iter().next()?.source?;
        Some(source.to_string())
    }
}

/// The first line of a function's listing, as the text format would have it.
#[must_use]
pub fn heading(function: &Function, listing: &Listing) -> String {
    let mut text = format!("func {}", function.index);
    if let Some(name) = &function.name {
        let _ = write!(text, " ${name}");
    }
    for export in &function.exports {
        let _ = write!(text, " (export {export:?})");
    }
    let params = function.params.len();
    for (part, types) in [
        ("param", &listing.locals[..params]),
        ("local", &listing.locals[params..]),
    ] {
        for (number, (ty, name)) in types.iter().enumerate() {
            let number = number + if part == "local" { params } else { 0 };
            let name = name
                .as_deref()
                .map_or(String::new(), |name| format!(" ${name}"));
            let _ = write!(text, "\n  ({part} {number}{name} {ty})");
        }
    }
    if !function.results.is_empty() {
        text.push_str("\n  (result");
        for ty in &function.results {
            let _ = write!(text, " {ty}");
        }
        text.push(')');
    }
    text
}

/// A function for people.
///
/// # Errors
///
/// As [`Code::listing`].
pub fn text(symbols: &mut Symbols<'_>, function: &Function) -> Result<String, CodeError> {
    let listing = symbols.listing(function.index)?;
    let mut text = heading(function, &listing);
    text.push('\n');
    let mut source = None;
    for instruction in &listing.instructions {
        let place = Place {
            function: function.index,
            offset: instruction.offset,
        };
        let now = symbols.source(place);
        if let Some(line) = now.as_ref().filter(|_| now != source) {
            let _ = writeln!(text, "  ;; {line}");
        }
        source = now;
        let _ = writeln!(
            text,
            "  {:#08x}  {:<TEXT_COLUMNS$} [{}]{}",
            instruction.offset,
            indented(&listing, instruction),
            stack(instruction).join(" "),
            if instruction.is_reachable {
                ""
            } else {
                "  never reached"
            },
        );
    }
    Ok(text)
}

/// An instruction, as far to the right as blocks are open around it.
#[must_use]
pub fn indented(listing: &Listing, instruction: &Instruction) -> String {
    let open = listing.open_at(instruction).len().saturating_sub(1);
    let closes = instruction.text == "end" || instruction.text == "else";
    let columns = 2 * open.saturating_sub(usize::from(closes)).min(12);
    format!("{:columns$}{}", "", instruction.text)
}

fn stack(instruction: &Instruction) -> Vec<String> {
    let types = instruction.stack.iter();
    types
        .map(|ty| ty.map_or_else(|| "any".to_owned(), |ty| ty.to_string()))
        .collect()
}

/// A function for programs: one value for it, and one for each instruction.
///
/// # Errors
///
/// As [`Code::listing`].
pub fn json(symbols: &mut Symbols<'_>, function: &Function) -> Result<Vec<Json>, CodeError> {
    let listing = symbols.listing(function.index)?;
    let locals = listing.locals.iter();
    let names = |types: &[Type]| types.iter().map(ToString::to_string).collect::<Vec<_>>();
    let first = json!({
        "kind": "function",
        "function": function.index,
        "name": function.name,
        "exports": function.exports,
        "params": names(&function.params),
        "results": names(&function.results),
        "locals": locals
            .map(|(ty, name)| json!({ "type": ty.to_string(), "name": name }))
            .collect::<Vec<_>>(),
    });
    let each = listing.instructions.iter().map(|instruction| {
        let place = Place {
            function: function.index,
            offset: instruction.offset,
        };
        json!({
            "kind": "instruction",
            "function": function.index,
            "offset": instruction.offset,
            "text": instruction.text,
            "stack": stack(instruction),
            "blocks": blocks(&listing.open_at(instruction)),
            "reachable": instruction.is_reachable,
            "source": symbols.source(place),
        })
    });
    Ok(std::iter::once(first).chain(each).collect())
}

/// Open blocks for programs.
pub(crate) fn blocks(open: &[&Control]) -> Json {
    let blocks = open.iter().map(|control| {
        json!({
            "block": control.block.name(),
            "offset": control.offset,
            "height": control.height,
            "arity": control.arity,
        })
    });
    blocks.collect()
}
