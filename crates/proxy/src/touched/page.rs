//! What a filter touched as YAML that can be pasted into its configuration.

use std::fmt::Write as _;

use weir_model::GrantMode;

use super::{Counts, Kind, Touched};

impl Touched {
    /// The text. What is no grant, and what was refused, stands in comments.
    #[must_use]
    pub fn page(&self, filter: &str, mode: GrantMode) -> String {
        let is_dry_run = mode == GrantMode::DryRun;
        let entries = self.entries();
        let names = |kind: Kind| -> Vec<String> {
            let of_kind = entries.iter().filter(|(one, _, _)| *one == kind);
            of_kind.map(|(_, name, _)| quoted(name)).collect()
        };
        let mut text = String::new();
        let what = if is_dry_run {
            "what the filter touched since the start"
        } else {
            "what the filter was refused (the mode is enforce: only a dry run notes what is granted)"
        };
        let _ = writeln!(text, "# {}: {what}", quoted(filter));
        let left_out = self.left_out();
        if left_out > 0 {
            let _ = writeln!(
                text,
                "# incomplete: the table was full {left_out} times; raise nothing, look at the names"
            );
        }
        let functions = [names(Kind::Function), names(Kind::Callback)].concat();
        if functions.is_empty() {
            text.push_str("# capabilities: nothing noted\n");
        } else {
            let _ = writeln!(text, "capabilities: {}", list(&functions));
        }
        text.push_str("grants:\n");
        for (key, kind) in [
            ("clusters", Kind::Cluster),
            ("vm_ids", Kind::VmId),
            ("foreign_functions", Kind::Foreign),
        ] {
            let _ = writeln!(text, "  {key}: {}", list(&names(kind)));
        }
        // Only protected headers need a grant.
        let is_protected = |(kind, _, counts): &&(Kind, String, Counts)| {
            *kind == Kind::WrittenHeader && counts.refused > 0
        };
        let protected = entries.iter().filter(is_protected);
        let protected: Vec<String> = protected.map(|(_, name, _)| quoted(name)).collect();
        let _ = writeln!(text, "  write_headers: {}", list(&protected));
        let _ = writeln!(text, "  random: {}", !names(Kind::Random).is_empty());
        text.push_str("# touched, and no matter of grants; `sees` rules what is shown:\n");
        for (label, kind) in [
            ("clocks", Kind::Clock),
            ("files", Kind::File),
            ("maps", Kind::Map),
            ("request headers", Kind::RequestHeader),
            ("response headers", Kind::ResponseHeader),
            ("written headers", Kind::WrittenHeader),
            ("properties", Kind::Property),
            ("written properties", Kind::WrittenProperty),
            ("bodies", Kind::Body),
        ] {
            let _ = writeln!(text, "#   {label}: {}", list(&names(kind)));
        }
        let refused: Vec<_> = entries.iter().filter(|(_, _, c)| c.refused > 0).collect();
        text.push_str(if is_dry_run {
            "# not granted, and allowed because this is a dry run:\n"
        } else {
            "# refused:\n"
        });
        if refused.is_empty() {
            text.push_str("#   nothing\n");
        }
        for (kind, name, Counts { refused, .. }) in refused {
            let _ = writeln!(text, "#   {} {}: {refused}", kind.name(), quoted(name));
        }
        text
    }
}

fn list(names: &[String]) -> String {
    format!("[{}]", names.join(", "))
}

/// A text as YAML and JSON write it. Names have no control characters.
fn quoted(name: &str) -> String {
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}
