//! A finding as a statement file, with the reference's observations as what is expected.

use std::fmt::Write as _;

use super::observe::{Observed, SIDE};
use super::trial::Trial;

/// The file, with both observations as comments.
pub(super) fn statement(
    seed: u64,
    trial: &Trial,
    reference: &Observed,
    found: &[(String, [String; 2])],
    hosts: &[String; 2],
) -> String {
    let mut text = String::new();
    for (what, observed) in found {
        for (host, observed) in hosts.iter().zip(observed) {
            let _ = writeln!(text, "# {host}: {what}:");
            for line in observed.lines() {
                let _ = writeln!(text, "#   {line}");
            }
        }
    }
    let _ = writeln!(
        text,
        "statement: (found by `cargo xtask differential --seed {seed}`; expected is what {} did)",
        hosts[1]
    );
    text += "filters:\n";
    for script in &trial.filters {
        let _ = writeln!(text, "  - abi: {}", script.abi);
        if script.stops_iteration {
            text += "    allow_on_headers_stop_iteration: true\n";
        }
        text += "    guest: |\n";
        for line in script.text().lines() {
            let _ = writeln!(text, "      {line}");
        }
    }
    let when = if trial.answer.is_early {
        "after_head"
    } else {
        "after_body"
    };
    let _ = writeln!(
        text,
        "upstream: {{when: {when}, answer: {}}}",
        quoted(&trial.answer.text())
    );
    let _ = writeln!(text, "side: {}", quoted(SIDE));
    text += "steps:\n";
    for (index, piece) in trial.request.pieces().iter().enumerate() {
        match index {
            0 => {}
            1 if trial.request.hesitates => text += "  - wait: 700ms\n",
            _ => text += "  - wait: 30ms\n",
        }
        let _ = writeln!(text, "  - send: {}", quoted(piece));
    }
    text += &expectations(trial, reference);
    text
}

/// The steps behind the request: what the reference showed.
fn expectations(trial: &Trial, reference: &Observed) -> String {
    let mut text = String::new();
    let response = &reference.response;
    if trial.request.breaks_off {
        text += "  - wait: 50ms\n  - hang_up: true\n";
    } else if response.is_late {
        text += "  - wait: 1s\n  - hang_up: true\n";
    } else {
        let _ = writeln!(
            text,
            "  - response: {{status: {}, body: {}, cut: {}}}",
            response.status,
            quoted(&short(&response.body)),
            response.was_cut && response.status != 0,
        );
        text += "  - hang_up: true\n";
    }
    for (index, lines) in reference.lines.iter().enumerate() {
        let lines: Vec<String> = lines.iter().map(|line| quoted(line)).collect();
        let _ = writeln!(text, "  - log: [{}]\n    filter: {index}", lines.join(", "));
    }
    for seen in &reference.upstream {
        let path = seen.head.split(' ').nth(1).unwrap_or_default();
        let _ = writeln!(
            text,
            "  - upstream: {{path: {}, body: {}, whole: {}}}",
            quoted(path),
            quoted(&short(&seen.body)),
            seen.is_whole,
        );
    }
    if let Some([status, details, flags]) = reference.access.first() {
        let _ = writeln!(
            text,
            "  - access: {{status: {status}, details: {}, flags: {}}}",
            quoted(details),
            quoted(flags)
        );
    }
    text
}

/// A text with its long runs as patterns.
fn short(text: &str) -> String {
    let run = "k".repeat(100);
    let (Some(first), Some(last)) = (text.find(&run), text.rfind(&run)) else {
        return text.to_owned();
    };
    format!("{}<*>{}", &text[..first], &text[last + run.len()..])
}

/// A text in YAML's double quotes, which JSON's are.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
