//! Builds the guests: the cargo workspace `guests`, and what is there in C.
//!
//! Invariant: the same compilers give the same bytes, wherever the repository and cargo's cache
//! are, so that everyone can check the committed binaries.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, ffi::OsString, fs};

use crate::repository::{self, Trouble};
use crate::sums;
use crate::tools::{self, HINT, Rust, TARGET};

/// Guests in Rust: the members of the workspace.
const RUST: [&str; 2] = ["hello", "probe"];
/// Guests in C: `guests/<name>/<name>.c`.
const C: [&str; 1] = ["shout"];
/// How guests in C are compiled: no libc, no entry point, every warning an error.
const CLANG: &str = "--target=wasm32 -std=c11 -Oz -nostdlib -Wall -Wextra -Werror -fno-ident \
                     -Wl,--no-entry -Wl,--strip-all";

/// What is done with built guests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// They become the prebuilt ones.
    Install,
    /// They are compared with the prebuilt ones.
    Compare,
}

/// One build of all guests.
pub(crate) struct Build {
    guests: PathBuf,
    target: PathBuf,
}

impl Build {
    /// A build of the guests of the repository at `root`.
    pub(crate) fn new(root: &Path, target: Option<PathBuf>) -> Self {
        let guests = root.join("guests");
        let target = target.unwrap_or_else(|| guests.join("target"));
        Self { guests, target }
    }

    /// Builds, then installs or compares.
    pub(crate) fn run(&self, mode: Mode) -> Result<(), Trouble> {
        let rust = Rust::found()?;
        let tools = format!(
            "rustc {}, standard library {}, {}",
            rust.version,
            rust.std_mark(),
            tools::clang()?
        );
        let built = [self.build_rust(&rust)?, self.build_c()?].concat();
        match mode {
            Mode::Install => self.install(&built, &tools),
            Mode::Compare => self.compare(&built, &tools),
        }
    }

    fn build_rust(&self, rust: &Rust) -> Result<Vec<PathBuf>, Trouble> {
        // Fetching first: the paths to map away are those of the unpacked crates.
        repository::run(
            "cargo",
            self.cargo("fetch").args(["--target", TARGET]),
            HINT,
        )?;
        let build = ["--quiet", "--release", "--target", TARGET, "--target-dir"];
        let mut cargo = self.cargo("build");
        cargo.args(build).arg(&self.target);
        cargo.env("CARGO_ENCODED_RUSTFLAGS", self.mapped_paths(rust)?);
        repository::run("cargo", &mut cargo, HINT)?;
        let folder = self.target.join(TARGET).join("release");
        Ok(RUST
            .iter()
            .map(|name| folder.join(name).with_extension("wasm"))
            .collect())
    }

    /// A cargo command in the guests' workspace, free of what was set for the host's.
    fn cargo(&self, command: &str) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.guests).args([command, "--locked"]);
        for name in ["RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR"] {
            cargo.env_remove(name);
        }
        cargo
    }

    /// Compiler flags that replace this machine's paths in the binaries.
    fn mapped_paths(&self, rust: &Rust) -> Result<OsString, Trouble> {
        let mut flags = OsString::new();
        let mut map = |from: &Path, to: &str| {
            if !flags.is_empty() {
                flags.push("\x1f");
            }
            flags.push("--remap-path-prefix=");
            flags.push(from);
            flags.push("=");
            flags.push(to);
        };
        map(&self.guests, "guests");
        map(
            &rust.sysroot.join("lib/rustlib/src/rust"),
            &format!("/rustc/{}", rust.commit),
        );
        let crates = cargo_home().join("registry/src");
        let trouble = |source| Trouble::File {
            path: crates.clone(),
            source,
        };
        for registry in fs::read_dir(&crates).map_err(trouble)? {
            map(&registry.map_err(trouble)?.path(), "crates");
        }
        Ok(flags)
    }

    fn build_c(&self) -> Result<Vec<PathBuf>, Trouble> {
        let mut built = Vec::new();
        for name in C {
            let out = self.target.join(name).with_extension("wasm");
            let mut clang = Command::new("clang");
            // A relative path: whatever the compiler makes of it is the same everywhere.
            clang
                .current_dir(&self.guests)
                .args(CLANG.split_whitespace());
            clang.arg(format!("{name}/{name}.c")).arg("-o").arg(&out);
            repository::run("clang", &mut clang, HINT)?;
            built.push(out);
        }
        Ok(built)
    }

    fn install(&self, built: &[PathBuf], tools: &str) -> Result<(), Trouble> {
        for path in built {
            let bytes = repository::read_bytes(path)?;
            repository::write(&self.prebuilt(path), &bytes)?;
            println!("guests/prebuilt/{}: {} bytes", name_of(path), bytes.len());
        }
        sums::record(&self.guests, tools)
    }

    fn compare(&self, built: &[PathBuf], tools: &str) -> Result<(), Trouble> {
        let mut findings = Vec::new();
        for path in built {
            if repository::read_bytes(path)? != repository::read_bytes(&self.prebuilt(path))? {
                findings.push(format!(
                    "guests/prebuilt/{} is not what was built",
                    name_of(path)
                ));
            }
        }
        if findings.is_empty() {
            println!(
                "guests: {} binaries are what their sources give",
                built.len()
            );
            return Ok(());
        }
        let recorded = sums::recorded_tools(&self.guests)?;
        let hint = if recorded == tools {
            "`cargo xtask guests` builds the prebuilt ones anew".to_owned()
        } else {
            format!("they were made with {recorded}; here is {tools}")
        };
        Err(Trouble::Findings { findings, hint })
    }

    fn prebuilt(&self, built: &Path) -> PathBuf {
        self.guests.join("prebuilt").join(name_of(built))
    }
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn cargo_home() -> PathBuf {
    let home = || env::home_dir().unwrap_or_default().join(".cargo");
    env::var_os("CARGO_HOME").map_or_else(home, PathBuf::from)
}
