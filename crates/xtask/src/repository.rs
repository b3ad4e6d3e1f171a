//! Where the repository is, which files it has, and what can go wrong with them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

/// Why a chore failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A program could not be started.
    #[error("cannot start `{program}`: {source}; {hint}")]
    Missing {
        /// Which.
        program: &'static str,
        /// Why.
        source: io::Error,
        /// What to do.
        hint: &'static str,
    },
    /// A program failed. It has said why itself.
    #[error("`{program}` failed; {hint}")]
    Failed {
        /// Which.
        program: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// A check found something. Each finding is a line.
    #[error("{}{}", findings.join("\n       "), advice(hint))]
    Findings {
        /// What was found.
        findings: Vec<String>,
        /// What to do; may be empty.
        hint: String,
    },
}

fn advice(hint: &str) -> String {
    if hint.is_empty() {
        String::new()
    } else {
        format!("\nhelp: {hint}")
    }
}

/// The repository's top folder: two above this crate; the current one if cargo did not start this.
pub(crate) fn root() -> Result<PathBuf, Trouble> {
    let here = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let root = here.map_or_else(|| ".".into(), |here| here.join("../.."));
    root.canonicalize()
        .map_err(|source| Trouble::File { path: root, source })
}

/// The text of a file.
pub(crate) fn read(path: &Path) -> Result<String, Trouble> {
    let bytes = read_bytes(path)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The content of a file.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, Trouble> {
    fs::read(path).map_err(|source| Trouble::File {
        path: path.to_owned(),
        source,
    })
}

/// Writes a file.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<(), Trouble> {
    fs::write(path, content).map_err(|source| Trouble::File {
        path: path.to_owned(),
        source,
    })
}

/// The files that git has or would take, sorted, relative to `root`.
pub(crate) fn files(root: &Path) -> Result<Vec<PathBuf>, Trouble> {
    let hint = "the file list comes from git: work in a clone";
    let listing = output(
        "git",
        Command::new("git").current_dir(root).args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ]),
        hint,
    )?;
    let mut files: Vec<PathBuf> = listing
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
        .filter(|name| root.join(name).is_file())
        .collect();
    files.sort();
    files.dedup();
    Ok(files)
}

/// What a program says on standard output.
pub(crate) fn output(
    program: &'static str,
    command: &mut Command,
    hint: &'static str,
) -> Result<String, Trouble> {
    let output = command.output().map_err(|source| Trouble::Missing {
        program,
        source,
        hint,
    })?;
    if !output.status.success() {
        return Err(Trouble::Failed { program, hint });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a program whose output is the user's.
pub(crate) fn run(
    program: &'static str,
    command: &mut Command,
    hint: &'static str,
) -> Result<(), Trouble> {
    let status = command.status().map_err(|source| Trouble::Missing {
        program,
        source,
        hint,
    })?;
    if status.success() {
        Ok(())
    } else {
        Err(Trouble::Failed { program, hint })
    }
}
