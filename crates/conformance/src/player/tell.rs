//! What was observed, in the words of reports.

use serde_json::Value as Json;

use crate::host::Heard;

/// Most of what was observed is shown up to so many lines.
const SHOWN_MAX: usize = 60;

/// All that was heard from a host.
pub(super) fn observed(heard: &Heard) -> Vec<String> {
    let mut observed = Vec::new();
    for (index, lines) in heard.lines.iter().enumerate() {
        let left_out = lines.len().saturating_sub(SHOWN_MAX);
        let shown: Vec<String> = lines
            .iter()
            .take(SHOWN_MAX)
            .map(|line| format!("{:?}", shortened(line)))
            .collect();
        let more = if left_out > 0 {
            format!(" and {left_out} more")
        } else {
            String::new()
        };
        observed.push(format!("f{index} logged: [{}]{more}", shown.join(", ")));
    }
    for line in heard.access.iter().take(SHOWN_MAX) {
        let shown = ["status", "details", "flags", "state"];
        let shown = shown.map(|name| format!("{name}: {}", line.get(name).unwrap_or(&Json::Null)));
        observed.push(format!("access log: {}", shown.join(", ")));
    }
    let left_out = heard.other.len().saturating_sub(SHOWN_MAX);
    let words = heard
        .other
        .iter()
        .skip(left_out)
        .map(|line| format!("the host said: {}", shortened(line)));
    observed.extend(words);
    observed
}

pub(super) fn indented(head: &str) -> String {
    head.lines()
        .fold(String::new(), |text, line| text + "    " + line + "\n")
        .trim_end()
        .to_owned()
}

/// The beginning of a long text.
pub(super) fn shortened(text: &str) -> String {
    const LONG: usize = 2000;
    match text.char_indices().nth(LONG) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}
