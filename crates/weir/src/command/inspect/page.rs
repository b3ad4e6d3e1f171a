//! The report on a module as a page for people.

use std::fmt::Write as _;

use weir_guest::inspect::{Export, ImportGroup, Kind, Memory, Purpose, Report, Standing, Verdict};
use weir_model::{Dialect, one_line};

use super::super::suited::Suited;
use crate::terminal::{Terminal, Tone};

/// Columns of a page; longer lists are wrapped.
const WIDTH: usize = 96;
/// Exports beside callbacks that are listed; the JSON report has all.
const EXPORTS_SHOWN_MAX: usize = 40;

/// The whole page.
pub(super) fn compose(file: &str, report: &Report, terminal: &Terminal<'_>) -> String {
    let mut page = Page {
        text: String::new(),
        terminal,
    };
    page.title(&format!("{file}: {}", headline(report)));
    page.facts(report);
    if let Some(suited) = Suited::of(report) {
        page.function(&suited);
    }
    page.verdict("Weir loads it as a filter", &report.in_weir);
    page.verdict("A strict host (Envoy) loads it", &report.in_strict_host);
    page.grants(report);
    page.imports(report);
    page.exports(report);
    page.text
}

fn headline(report: &Report) -> String {
    let purpose = match report.purpose {
        Purpose::ProxyWasmPlugin => "a Proxy-Wasm plugin",
        Purpose::Command => "a WASI command",
        Purpose::Library => "a module without Proxy-Wasm marker",
        Purpose::Component => "a component",
    };
    format!("{purpose}, {}", size(report.sizes.file_bytes))
}

/// Text that grows, in the terminal's colours.
struct Page<'p, 't> {
    text: String,
    terminal: &'p Terminal<'t>,
}

impl Page<'_, '_> {
    fn title(&mut self, text: &str) {
        let text = one_line(text);
        self.line(&self.terminal.paint(Tone::Title, &text));
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// A fact: a name in a column of its own, and a text.
    fn fact(&mut self, name: &str, text: &str) {
        let name = format!("{name:<11}");
        let name = self.terminal.paint(Tone::Faint, &name).into_owned();
        self.line(&format!("  {name}{}", one_line(text)));
    }

    /// Words after a label, wrapped below each other.
    fn list(&mut self, label: &str, words: impl Iterator<Item = String>) {
        let indent = " ".repeat(4);
        let mut line = format!("  {label}:");
        let mut width = line.chars().count();
        for (index, word) in words.enumerate() {
            let word = one_line(&word).into_owned();
            let comma = if index == 0 { "" } else { "," };
            line.push_str(comma);
            width += word.chars().count() + 1 + comma.len();
            if width > WIDTH {
                let _ = write!(line, "\n{indent}{word}");
                width = indent.len() + word.chars().count();
            } else {
                let _ = write!(line, " {word}");
            }
        }
        self.line(&line);
    }

    fn facts(&mut self, report: &Report) {
        if report.purpose == Purpose::ProxyWasmPlugin {
            let version = report.abi.version.as_deref().unwrap_or("unknown");
            self.fact("ABI", &format!("{version}{}", markers(report)));
        }
        if let Some(dialect) = &report.dialect {
            self.fact(
                "dialect",
                &format!("{}: {}", dialect_name(dialect.name), dialect.reason),
            );
        }
        let sees = match (report.sees_http(), report.sees_tcp()) {
            (true, true) => Some("HTTP, TCP connections"),
            (true, false) => Some("HTTP"),
            (false, true) => Some("TCP connections"),
            (false, false) => None,
        };
        if let Some(sees) = sees {
            self.fact("sees", sees);
        }
        let built = &report.built_with;
        let origin: Vec<&str> = built
            .language
            .iter()
            .chain(&built.sdk)
            .map(String::as_str)
            .collect();
        if !origin.is_empty() {
            let evidence = built.evidence.join("; ");
            self.fact("built with", &format!("{} [{evidence}]", origin.join(", ")));
        }
        for memory in &report.memories {
            self.fact("memory", &memory_text(memory));
        }
        for table in &report.tables {
            let most = table
                .max
                .map_or(String::new(), |max| format!(", at most {max}"));
            self.fact("table", &format!("{} × {}{most}", table.min, table.element));
        }
        if report.kind == Kind::CoreModule {
            let sizes = &report.sizes;
            let code = size(sizes.code_bytes);
            self.fact("code", &format!("{code} in {} functions", sizes.functions));
            let segments = sizes.data_segments;
            self.fact(
                "data",
                &format!("{} in {segments} segments", size(sizes.data_bytes)),
            );
        }
        let sections: Vec<&str> = report
            .custom_sections
            .iter()
            .map(|s| s.name.as_str())
            .collect();
        let has = |there: bool| if there { "yes" } else { "no" };
        let names = has(report.has_names);
        let dwarf = has(report.has_dwarf);
        self.fact(
            "debugging",
            &format!("function names: {names}, DWARF: {dwarf}"),
        );
        if !sections.is_empty() {
            self.fact("sections", &sections.join(", "));
        }
    }

    fn verdict(&mut self, question: &str, verdict: &Verdict) {
        let (tone, answer) = match (verdict.loads, verdict.notes.is_empty()) {
            (true, true) => (Tone::Good, "yes"),
            (true, false) => (Tone::Doubtful, "yes, but"),
            (false, _) => (Tone::Bad, "no"),
        };
        let answer = self.terminal.paint(tone, answer).into_owned();
        self.line(&format!("\n{question}: {answer}"));
        for text in verdict.problems.iter().chain(&verdict.notes) {
            self.line(&format!("  - {}", one_line(text)));
        }
    }

    fn function(&mut self, suited: &Suited) {
        let can = !suited.kinds.is_empty() && suited.unknown.is_empty();
        let (tone, answer) = if can {
            (Tone::Good, "yes")
        } else {
            (Tone::Bad, "no")
        };
        let answer = self.terminal.paint(tone, answer).into_owned();
        self.line(&format!("\nWeir runs it as a function: {answer}"));
        for (kind, why) in &suited.kinds {
            self.line(&format!("  - kind: {kind} ({})", one_line(why)));
        }
        if suited.kinds.is_empty() {
            self.line("  - it exports nothing that any kind of function calls");
        }
        for import in &suited.unknown {
            let import = one_line(import);
            self.line(&format!("  - the host does not offer {import}"));
        }
        for need in &suited.needs {
            self.line(&format!("  - it may ask for {need}"));
        }
    }

    fn grants(&mut self, report: &Report) {
        self.line("");
        if report.grants.is_empty() {
            self.title("Needs no grants");
            return;
        }
        self.title("Needs to be granted");
        for grant in &report.grants {
            self.line(&format!("  - {}", one_line(grant)));
        }
        if report.purpose == Purpose::ProxyWasmPlugin {
            self.line("");
            self.title("As settings of a filter (what runs shows with grants: { mode: dry_run })");
            for line in report.needs.yaml().lines() {
                self.line(&format!("    {}", one_line(line)));
            }
        }
    }

    fn imports(&mut self, report: &Report) {
        self.line("");
        self.title(&format!("Imports ({})", report.all_imports().count()));
        for group in &report.imports {
            let label = if group.topic.is_empty() {
                group.family.to_owned()
            } else {
                format!("{}, {}", group.family, group.topic)
            };
            self.list(
                &label,
                group
                    .imports
                    .iter()
                    .map(|import| import_text(group, import)),
            );
        }
    }

    fn exports(&mut self, report: &Report) {
        let exports = &report.exports;
        self.line("");
        self.title("Exports");
        if !exports.callbacks.is_empty() {
            let callbacks = exports.callbacks.iter().map(|callback| {
                if callback.has_expected_type {
                    callback.name.clone()
                } else {
                    format!("{} {} (unexpected type)", callback.name, callback.signature)
                }
            });
            self.list("callbacks", callbacks);
        }
        if !exports.start.is_empty() {
            self.list("start", exports.start.iter().cloned());
        }
        if let Some(allocator) = &exports.allocator {
            self.list("allocator", std::iter::once(allocator.clone()));
        }
        if !exports.others.is_empty() {
            let shown = exports
                .others
                .iter()
                .take(EXPORTS_SHOWN_MAX)
                .map(export_text);
            let hidden = exports.others.len().saturating_sub(EXPORTS_SHOWN_MAX);
            let rest = (hidden > 0).then(|| format!("and {hidden} more (see --json)"));
            self.list("others", shown.chain(rest));
        }
    }
}

fn markers(report: &Report) -> String {
    let names: Vec<&str> = report
        .abi
        .markers
        .iter()
        .map(|marker| marker.name.as_str())
        .collect();
    match names.as_slice() {
        [] => String::new(),
        [only] => format!(" ({only})"),
        many => format!(" (the first known one of {})", many.join(", ")),
    }
}

fn dialect_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Auto => "auto",
        Dialect::Envoy => "envoy",
        Dialect::Higress => "higress",
    }
}

fn memory_text(memory: &Memory) -> String {
    let bytes = |pages: u64| size(pages.saturating_mul(memory.page_bytes));
    let start = format!(
        "{} pages ({}) at the start",
        memory.min_pages,
        bytes(memory.min_pages)
    );
    let most = memory.max_pages.map_or_else(
        || ", no maximum of its own".to_owned(),
        |max| format!(", at most {max} ({})", bytes(max)),
    );
    let width = if memory.is_64_bit { ", 64-bit" } else { "" };
    let shared = if memory.is_shared { ", shared" } else { "" };
    format!("{start}{most}{width}{shared}")
}

/// A known import by its name alone, any other with what is special about it.
fn import_text(group: &ImportGroup, import: &weir_guest::inspect::Import) -> String {
    let name = &import.name;
    match &import.standing {
        Standing::Known if group.family == "unknown" => {
            format!("{}.{name} ({})", import.module, import.signature)
        }
        Standing::Known => name.clone(),
        Standing::OtherVersion => format!("{name} (of another ABI version)"),
        Standing::OtherHost => format!("{name} (Higress's)"),
        Standing::WrongSignature { expected } => {
            format!(
                "{name} {} (wrong type, expected {expected})",
                import.signature
            )
        }
        Standing::Unknown => format!("{}.{name} {}", import.module, import.signature),
    }
}

fn export_text(export: &Export) -> String {
    format!("{} {}", export.name, export.signature)
}

/// Bytes in the unit that reads best.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => {
            let tenths = u128::from(bytes) * 10 / u128::from(*unit);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        assert_eq!(size(0), "0 bytes");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(65536 * 61), "3.8 MiB");
        assert_eq!(size(u64::MAX), "17179869183.9 GiB");
    }
}
