//! Files that are made from the code: the reference of the configuration, and its JSON Schema.

use std::fs;
use std::path::Path;

use crate::repository::Trouble;

/// What to do with the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Write them.
    Write,
    /// Compare them; change nothing.
    Check,
}

pub(crate) fn run(root: &Path, mode: Mode) -> Result<(), Trouble> {
    let mut schema = format!("{:#}", weir_control::schema());
    schema.push('\n');
    let files = [
        ("docs/configuration.md", weir_control::reference()),
        ("docs/weir.schema.json", schema),
    ];
    let mut findings = Vec::new();
    for (name, text) in files {
        let path = root.join(name);
        match mode {
            Mode::Write => {
                fs::write(&path, text).map_err(|source| Trouble::File { path, source })?;
            }
            Mode::Check => {
                if fs::read_to_string(&path).ok().as_deref() != Some(&*text) {
                    findings.push(format!("{name} is not what the code says"));
                }
            }
        }
    }
    if findings.is_empty() {
        return Ok(());
    }
    let hint = "`cargo xtask docs` writes them".to_owned();
    Err(Trouble::Findings { findings, hint })
}
