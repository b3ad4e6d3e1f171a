//! Assembles the filters of the benchmark: `bench/filters/*.wat`.
//!
//! The assembler is a library, so this needs no compiler and is part of every check.

use std::fs;
use std::path::{Path, PathBuf};

use crate::guests::Mode;
use crate::repository::{self, Trouble};

/// Relative to the repository.
const FOLDER: &str = "bench/filters";

/// Assembles every filter, then installs it beside its source, or compares it with what is there.
pub(crate) fn run(root: &Path, mode: Mode) -> Result<(), Trouble> {
    let mut findings = Vec::new();
    let sources = sources(&root.join(FOLDER))?;
    for source in &sources {
        let built = assemble(source)?;
        let binary = source.with_extension("wasm");
        match mode {
            Mode::Install => repository::write(&binary, &built)?,
            Mode::Compare if repository::read_bytes(&binary)? == built => {}
            Mode::Compare => findings.push(format!(
                "{} is not what its source gives",
                binary.strip_prefix(root).unwrap_or(&binary).display()
            )),
        }
    }
    if findings.is_empty() {
        println!(
            "{FOLDER}: {} binaries are what their sources give",
            sources.len()
        );
        return Ok(());
    }
    let hint = "`cargo xtask guests` assembles them anew".to_owned();
    Err(Trouble::Findings { findings, hint })
}

fn assemble(source: &Path) -> Result<Vec<u8>, Trouble> {
    wat::parse_file(source).map_err(|error| Trouble::Findings {
        findings: vec![error.to_string()],
        hint: String::new(),
    })
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>, Trouble> {
    let trouble = |source| Trouble::File {
        path: folder.to_owned(),
        source,
    };
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder).map_err(trouble)? {
        let path = entry.map_err(trouble)?.path();
        if path.extension().is_some_and(|kind| kind == "wat") {
            sources.push(path);
        }
    }
    sources.sort();
    Ok(sources)
}
