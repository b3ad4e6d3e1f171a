//! `guests/prebuilt/SHA256SUMS`: which sources the prebuilt guests were made of, and with what.
//!
//! A machine without a wasm compiler can so check that nobody changed a source and forgot to build,
//! or changed a binary. `sha256sum -c prebuilt/SHA256SUMS` in `guests` reads the file too.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::repository::{self, Trouble};
use crate::tools::hex;

/// Relative to `guests`.
const FILE: &str = "prebuilt/SHA256SUMS";
/// Begins the line that tells the compilers.
const TOOLS: &str = "# made with ";

/// Where guests are, relative to `guests`.
const FOLDERS: [&str; 5] = [
    "",
    "../examples/functions",
    "../examples/image-pipeline",
    "../examples/maps",
    "../sdk",
];
/// Folders of programs, and of no interest.
const MADE: [&str; 2] = ["target", "node_modules"];
/// Kinds of files that make a guest.
const KINDS: [&str; 14] = [
    "c", "cpp", "go", "h", "hpp", "html", "json", "lock", "mod", "rs", "sum", "toml", "ts", "wasm",
];

/// Sums by path relative to `guests`.
type Sums = BTreeMap<String, String>;

/// Writes the sums of what is in `guests` now.
pub(crate) fn record(guests: &Path, tools: &str) -> Result<(), Trouble> {
    let mut lines = vec![format!("{TOOLS}{tools}\n")];
    lines.extend(
        actual(guests)?
            .into_iter()
            .map(|(path, sum)| format!("{sum}  {path}\n")),
    );
    repository::write(&guests.join(FILE), lines.concat().as_bytes())
}

/// The compilers that made the prebuilt guests.
pub(crate) fn recorded_tools(guests: &Path) -> Result<String, Trouble> {
    let text = repository::read(&guests.join(FILE))?;
    let line = text.lines().find_map(|line| line.strip_prefix(TOOLS));
    Ok(line.unwrap_or("unknown compilers").to_owned())
}

/// Compares `guests` with the recorded sums.
pub(crate) fn check(guests: &Path) -> Result<(), Trouble> {
    let recorded = parse(&repository::read(&guests.join(FILE))?);
    let findings = differences(&recorded, &actual(guests)?);
    if findings.is_empty() {
        println!("guests: {} files are as recorded", recorded.len());
        return Ok(());
    }
    let hint = "`cargo xtask guests` builds the guests anew and records the sums".to_owned();
    Err(Trouble::Findings { findings, hint })
}

fn differences(recorded: &Sums, actual: &Sums) -> Vec<String> {
    let gone = recorded.keys().filter(|path| !actual.contains_key(*path));
    let mut findings: Vec<String> = gone
        .map(|path| format!("guests/{path} is recorded, but not there"))
        .collect();
    for (path, sum) in actual {
        match recorded.get(path) {
            Some(known) if known == sum => {}
            Some(_) => findings.push(format!("guests/{path} is not as recorded")),
            None => findings.push(format!("guests/{path} is not recorded")),
        }
    }
    findings
}

fn parse(text: &str) -> Sums {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once("  "))
        .map(|(sum, path)| (path.to_owned(), sum.to_owned()))
        .collect()
}

fn actual(guests: &Path) -> Result<Sums, Trouble> {
    let mut sums = Sums::new();
    for path in inputs_and_outputs(guests)? {
        let bytes = repository::read_bytes(&guests.join(&path))?;
        sums.insert(
            path.to_string_lossy().into_owned(),
            hex(&Sha256::digest(bytes)),
        );
    }
    Ok(sums)
}

/// Everything that makes a guest, and the guests themselves: in `guests`, and beside it. What git does
/// not take was built by a test.
fn inputs_and_outputs(guests: &Path) -> Result<Vec<PathBuf>, Trouble> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = FOLDERS.map(PathBuf::from).into();
    while let Some(folder) = folders.pop() {
        let here = guests.join(&folder);
        let trouble = |source| Trouble::File {
            path: here.clone(),
            source,
        };
        for entry in fs::read_dir(&here).map_err(trouble)? {
            let entry = entry.map_err(trouble)?;
            let path = folder.join(entry.file_name());
            let is_folder = entry.file_type().map_err(trouble)?.is_dir();
            if is_folder {
                let is_made = MADE.iter().any(|made| path.ends_with(made));
                folders.extend((!is_made).then_some(path));
            } else if counts(&path) {
                found.push(path);
            }
        }
    }
    let taken = repository::files(&guests.join(".."))?;
    found.retain(|path| taken.binary_search(&from_root(path)).is_ok());
    Ok(found)
}

/// A path that begins in `guests`, from the repository's root.
fn from_root(path: &Path) -> PathBuf {
    let beside = path.strip_prefix("..").map(Path::to_owned);
    beside.unwrap_or_else(|_| Path::new("guests").join(path))
}

fn counts(path: &Path) -> bool {
    let kind = path.extension().and_then(|kind| kind.to_str());
    let is_ours = kind.is_some_and(|kind| KINDS.contains(&kind));
    // Of a crate that is built on its own, and in nobody's repository.
    is_ours && path != Path::new("../sdk/rust/Cargo.lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(recorded: &str, actual: &str, expected: &[&str]) {
        assert_eq!(differences(&parse(recorded), &parse(actual)), expected);
    }

    #[test]
    fn equal_sums_are_fine() {
        check("# made with x\n01  a.rs\n", "01  a.rs\n", &[]);
    }

    #[test]
    fn every_difference_is_named() {
        check(
            "01  a.rs\n02  b.rs\n",
            "01  c.rs\n03  b.rs\n",
            &[
                "guests/a.rs is recorded, but not there",
                "guests/b.rs is not as recorded",
                "guests/c.rs is not recorded",
            ],
        );
    }
}
