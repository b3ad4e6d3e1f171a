//! A run, told stop by stop: as text and as JSON.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};
use weir_guest::debug::{Value, Why};

use crate::listing::{Symbols, blocks, indented};
use crate::play::Ended;
use crate::stop::{Change, Stop};

/// A value for programs. Numbers are text: not every reader of JSON has 64 bits.
fn value(value: &Value) -> Json {
    json!({ "type": value.type_name(), "value": value.to_string() })
}

fn values(all: &[Value]) -> Json {
    all.iter().map(value).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A stop for programs.
pub fn json_of(symbols: &mut Symbols<'_>, stop: &Stop) -> Json {
    let innermost = stop.frames.first();
    let place = innermost.map(|frame| frame.place);
    let found = place.and_then(|place| symbols.instruction(place));
    let instruction = found
        .as_ref()
        .map(|(listing, at)| &listing.instructions[*at]);
    let open = found
        .as_ref()
        .map(|(listing, at)| blocks(&listing.open_at(&listing.instructions[*at])));
    let changes = stop.changes.list.iter().map(|change| {
        json!({
            "memory": change.memory,
            "address": change.address,
            "length": change.length,
            "before": hex(&change.before),
            "after": hex(&change.after),
        })
    });
    let host_calls = stop.host_calls.iter();
    json!({
        "kind": "stop",
        "number": stop.number,
        "why": why(&stop.why),
        "reason": reason(&stop.why),
        "depth": stop.depth,
        "function": place.map(|place| place.function),
        "name": place.map(|place| symbols.function_name(place.function)),
        "offset": place.map(|place| place.offset),
        "text": instruction.map(|instruction| instruction.text.clone()),
        "locals": innermost.map(|frame| values(&frame.locals)),
        "stack": innermost.map(|frame| values(&frame.stack)),
        "blocks": open,
        "globals": values(&stop.globals),
        "memory_bytes": stop.memories,
        "changes": changes.collect::<Vec<_>>(),
        "more_changes": stop.changes.more,
        "host_calls": host_calls
            .map(|call| json!({ "function": call.function, "asked": call.asked }))
            .collect::<Vec<_>>(),
        "source": place.and_then(|place| symbols.source(place)),
    })
}

/// The end of a run for programs.
#[must_use]
pub fn json_of_end(ended: &Ended, instructions: u64) -> Json {
    let (outcome, results, reason) = match ended {
        Ended::Returned(results) => ("returned", values(results), None),
        Ended::Trapped(reason) => ("trapped", Json::Null, Some(reason)),
        Ended::Refused(reason) => ("refused", Json::Null, Some(reason)),
        Ended::Quit => ("left", Json::Null, None),
    };
    json!({
        "kind": "end",
        "outcome": outcome,
        "results": results,
        "reason": reason,
        "instructions": instructions,
    })
}

const fn why(why: &Why) -> &'static str {
    match why {
        Why::Instruction => "instruction",
        Why::Trap(_) => "trap",
        Why::Host(_) => "host",
    }
}

/// What a trap or a failure of the host says.
#[must_use]
pub fn reason(why: &Why) -> Option<&str> {
    match why {
        Why::Instruction => None,
        Why::Trap(reason) | Why::Host(reason) => Some(reason),
    }
}

/// A stop for people: what happened since the last one, and one line for itself.
pub fn text_of(symbols: &mut Symbols<'_>, stop: &Stop) -> String {
    let mut text = String::new();
    for call in &stop.host_calls {
        let _ = writeln!(text, "{:>8}  host: {}", "", call.function);
        for asked in &call.asked {
            let _ = writeln!(text, "{:>8}        {asked}", "");
        }
    }
    for change in &stop.changes.list {
        let _ = writeln!(text, "{:>8}  memory: {}", "", change_text(change));
    }
    let Some(frame) = stop.frames.first() else {
        return text;
    };
    if let Some(reason) = reason(&stop.why) {
        let _ = writeln!(text, "{:>8}  {}: {reason}", "", why(&stop.why));
        return text;
    }
    let instruction = symbols
        .instruction(frame.place)
        .map(|(listing, at)| indented(&listing, &listing.instructions[at]));
    let stack = frame.stack.iter().map(typed).collect::<Vec<_>>().join(" ");
    let _ = writeln!(
        text,
        "{:>8}  {:<18} {:#08x}  {:<28} [{stack}]",
        stop.number,
        format!(
            "{} {}",
            stop.depth,
            symbols.function_name(frame.place.function)
        ),
        frame.place.offset,
        instruction.unwrap_or_default(),
    );
    text
}

/// The end of a run for people.
#[must_use]
pub fn text_of_end(ended: &Ended, instructions: u64) -> String {
    let how = match ended {
        Ended::Returned(results) if results.is_empty() => "returned".to_owned(),
        Ended::Returned(results) => {
            let results = results.iter().map(typed).collect::<Vec<_>>();
            format!("returned {}", results.join(" "))
        }
        Ended::Trapped(reason) => format!("trapped: {reason}"),
        Ended::Refused(reason) => format!("did not run: {reason}"),
        Ended::Quit => "left".to_owned(),
    };
    format!("{how}, after {instructions} instructions\n")
}

/// A value with its type.
#[must_use]
pub fn typed(value: &Value) -> String {
    format!("{}:{value}", value.type_name())
}

/// A change of memory in one line.
#[must_use]
pub fn change_text(change: &Change) -> String {
    let cut = if change.after.len() < change.length {
        "…"
    } else {
        ""
    };
    format!(
        "{}{:#x}: {}{cut} → {}{cut}",
        if change.memory == 0 {
            String::new()
        } else {
            format!("{}:", change.memory)
        },
        change.address,
        hex(&change.before),
        hex(&change.after),
    )
}
