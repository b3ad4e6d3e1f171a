//! The compilers of the guests: which they are, and how they are installed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use sha2::{Digest, Sha256};

use crate::repository::{self, Trouble};

/// What guests in Rust are built for.
pub(crate) const TARGET: &str = "wasm32-wasip1";
/// What guests that are components are built for.
pub(crate) const COMPONENT_TARGET: &str = "wasm32-wasip2";
/// What to do without a wasm compiler.
pub(crate) const HINT: &str = "`rustup target add wasm32-wasip1 wasm32-wasip2` and a clang with lld are needed (or `cargo xtask toolchain`)";

/// The Rust compiler at work here.
pub(crate) struct Rust {
    /// Release and commit, as the compiler says.
    pub(crate) version: String,
    /// Full commit hash, empty if the compiler does not say.
    pub(crate) commit: String,
    /// Its folder.
    pub(crate) sysroot: PathBuf,
}

impl Rust {
    /// Asks `rustc`.
    pub(crate) fn found() -> Result<Self, Trouble> {
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let about = repository::output("rustc", Command::new(&rustc).arg("-vV"), HINT)?;
        let sysroot = repository::output(
            "rustc",
            Command::new(&rustc).args(["--print", "sysroot"]),
            HINT,
        )?;
        let line = |key: &str| {
            about
                .lines()
                .find_map(|line| line.strip_prefix(key))
                .unwrap_or_default()
                .to_owned()
        };
        Ok(Self {
            version: line("release: "),
            commit: line("commit-hash: "),
            sysroot: sysroot.trim().into(),
        })
    }

    /// Names the standard libraries for our targets by their file names, which hold its build's hashes:
    /// the same compiler gives other bytes with another build of it.
    pub(crate) fn std_mark(&self) -> String {
        let library = |target| {
            let folder = self.sysroot.join("lib/rustlib").join(target).join("lib");
            fs::read_dir(folder).into_iter().flatten().flatten()
        };
        let entries = [TARGET, COMPONENT_TARGET].into_iter().flat_map(library);
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        hex(&Sha256::digest(names.join("\n")))[..12].to_owned()
    }
}

/// The first line of what clang says of itself.
pub(crate) fn clang() -> Result<String, Trouble> {
    let about = repository::output("clang", Command::new("clang").arg("--version"), HINT)?;
    Ok(about.lines().next().unwrap_or_default().to_owned())
}

/// Installs the compilers by `guests/setup-toolchain.sh`.
pub(crate) fn install(root: &Path) -> Result<(), Trouble> {
    let script = root.join("guests/setup-toolchain.sh");
    repository::run(
        "bash",
        Command::new("bash")
            .arg(script)
            .args([TARGET, COMPONENT_TARGET]),
        "read what it says above",
    )
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
