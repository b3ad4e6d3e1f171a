//! Rules of this repository that neither the compiler nor clippy checks.

use std::path::{Component, Path, PathBuf};

use crate::repository::{self, Trouble};

/// Folders of the machines that this is developed on. In two parts, or this file would break the rule.
const MACHINE_PATHS: [&str; 3] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/tmp", "/w/"),
];
/// Kinds of files that are text.
const TEXT: [&str; 16] = [
    "c", "cpp", "go", "h", "hpp", "html", "json", "md", "rs", "sh", "toml", "ts", "wat", "wit",
    "yaml", "yml",
];

/// What is written for others: it follows their rules.
const OUTPUT: [&str; 4] = [
    "bench/values/src/gen",
    "crates/bindgen/src/generate/runtime",
    "crates/bindgen/tests/golden",
    "crates/bindgen/tests/samples",
];

/// Checks every file that git has or would take.
pub(crate) fn check(root: &Path) -> Result<(), Trouble> {
    let files = repository::files(root)?;
    let mut findings = Vec::new();
    for path in &files {
        let is_output = OUTPUT.iter().any(|folder| path.starts_with(folder));
        if path.ends_with("mod.rs") {
            findings.push(format!(
                "{}: name it after its module instead",
                path.display()
            ));
        }
        if !is_text(path) {
            continue;
        }
        let text = repository::read(&root.join(path))?;
        let here = |finding: String| format!("{}{finding}", path.display());
        findings.extend(machine_paths(&text).into_iter().map(here));
        if has_kind(path, "rs") && !is_output && !text.starts_with("//!") {
            findings.push(here(": does not begin with `//!`".to_owned()));
        }
        if has_kind(path, "md") {
            findings.extend(dead_links(&text, path, &files).into_iter().map(here));
        }
    }
    findings.extend(unnamed_crates(root, &files)?);
    if findings.is_empty() {
        println!("tidy: {} files keep the rules", files.len());
        return Ok(());
    }
    Err(Trouble::Findings {
        findings,
        hint: String::new(),
    })
}

fn is_text(path: &Path) -> bool {
    let kind = path.extension().and_then(|kind| kind.to_str());
    kind.is_some_and(|kind| TEXT.contains(&kind)) || path.starts_with(".ci")
}

fn has_kind(path: &Path, kind: &str) -> bool {
    path.extension().is_some_and(|extension| extension == kind)
}

/// Lines that name a folder of a developer's machine.
fn machine_paths(text: &str) -> Vec<String> {
    let names = |line: &str, path: &str| {
        line.match_indices(path).any(|(at, _)| {
            // Behind a word it is the end of a longer path or of an address.
            !line[..at]
                .ends_with(|before: char| before.is_alphanumeric() || "._-}".contains(before))
        })
    };
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for path in MACHINE_PATHS {
            if names(line, path) {
                findings.push(format!(
                    ":{}: names {path}, a path of one machine",
                    number + 1
                ));
            }
        }
    }
    findings
}

/// Links of a page to files that are not in the repository.
fn dead_links(text: &str, page: &Path, files: &[PathBuf]) -> Vec<String> {
    let folder = page.parent().unwrap_or(Path::new(""));
    let mut findings = Vec::new();
    for (number, line) in prose(text) {
        for target in links(line) {
            let path = target.split('#').next().unwrap_or_default();
            let is_address = target.contains("://") || target.starts_with("mailto:");
            if path.is_empty() || is_address {
                continue;
            }
            let path = plain(&folder.join(path));
            if !files.iter().any(|file| file.starts_with(&path)) {
                findings.push(format!(":{number}: links to {target}, which is not there"));
            }
        }
    }
    findings
}

/// Numbered lines outside fenced code.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        (!fenced).then_some((index + 1, line))
    })
}

/// Targets of `[text](target)`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split_once(')')?.0;
        target.split_whitespace().next()
    })
}

/// The path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

/// Crates that the architecture page does not name.
fn unnamed_crates(root: &Path, files: &[PathBuf]) -> Result<Vec<String>, Trouble> {
    let page = repository::read(&root.join("ARCHITECTURE.md"))?;
    let manifests = files.iter().filter(|path| path.ends_with("Cargo.toml"));
    let crates = manifests.filter_map(|path| path.strip_prefix("crates").ok()?.parent());
    let unnamed = crates.filter(|name| !page.contains(&format!("`{}`", name.display())));
    Ok(unnamed
        .map(|name| format!("ARCHITECTURE.md does not name `{}`", name.display()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_links(text: &str, expected: usize) {
        let files = ["docs/a.md", "docs/b/c.md", "README.md"].map(PathBuf::from);
        assert_eq!(
            dead_links(text, Path::new("docs/a.md"), &files).len(),
            expected,
            "{text}"
        );
    }

    #[test]
    fn links_resolve_against_their_page() {
        check_links(
            "[up](../README.md), [down](b/c.md#part), [folder](b), [here](#top)",
            0,
        );
        check_links(
            "[web](https://example.org/x) [mail](mailto:a@example.org)",
            0,
        );
        check_links("[gone](README.md)", 1);
        check_links("```\n[not a link](x.md)\n```\n[gone](x.md)", 1);
    }

    #[test]
    fn machine_paths_are_found_and_addresses_are_not() {
        let [first, ..] = MACHINE_PATHS;
        assert_eq!(machine_paths(&format!("ls {first}main")).len(), 1);
        assert_eq!(
            machine_paths(&format!("http://example.org{first}main")).len(),
            0
        );
    }
}
