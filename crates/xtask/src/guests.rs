//! Builds the guests: the members of the cargo workspace `guests`, and those in C. What is in C++,
//! AssemblyScript and Go is built by `sdk/build.sh`.
//!
//! Invariant: the same compilers give the same bytes, wherever the repository and cargo's cache
//! are, so that everyone can check the committed binaries.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, ffi::OsString, fs};

use crate::repository::{self, Trouble};
use crate::sums;
use crate::tools::{self, COMPONENT_TARGET, HINT, Rust, TARGET};

/// Where guests are built, by a link: symbols of crates outside of the workspace's folder depend on
/// their absolute path, and with them the order of functions in a binary.
const STAGE: &str = "/tmp/weir-guests";
/// Guests in Rust: the members of the workspace, and where their binaries are committed, relative to
/// `guests`.
const RUST: [(&str, &str); 13] = [
    ("hello", "prebuilt/hello.wasm"),
    ("flow_control", "prebuilt/flow-control.wasm"),
    (
        "dynamic_configuration",
        "prebuilt/dynamic-configuration.wasm",
    ),
    ("probe", "prebuilt/probe.wasm"),
    ("limiter", "../examples/maps/rust/limiter/limiter.wasm"),
    ("packet", "../examples/maps/rust/packet/packet.wasm"),
    ("maps_check", "../sdk/checks/rust/checks.wasm"),
    ("pipeline_upload", "../examples/image-pipeline/upload.wasm"),
    ("pipeline_grey", "../examples/image-pipeline/grey.wasm"),
    ("pipeline_edges", "../examples/image-pipeline/edges.wasm"),
    ("pipeline_store", "../examples/image-pipeline/store.wasm"),
    ("pipeline_notify", "../examples/image-pipeline/notify.wasm"),
    ("pipeline_page", "../examples/image-pipeline/page.wasm"),
];
/// Members of the workspace that are components, and where their binaries are committed.
const COMPONENTS: [(&str, &str); 5] = [
    ("handler", "prebuilt/handler.wasm"),
    ("handler3", "prebuilt/handler3.wasm"),
    ("typed", "prebuilt/typed.wasm"),
    (
        "dashboard",
        "../examples/maps/rust/dashboard/dashboard.wasm",
    ),
    ("maps_component", "../sdk/checks/component/checks.wasm"),
];
/// Guests in C: sources and binaries, relative to `guests`.
const C: [(&str, &str); 5] = [
    ("shout/shout.c", "prebuilt/shout.wasm"),
    (
        "../examples/functions/c/demo.c",
        "../examples/functions/c/demo.wasm",
    ),
    (
        "../examples/functions/c/hello.c",
        "../examples/functions/c/hello.wasm",
    ),
    (
        "../examples/maps/c/packet.c",
        "../examples/maps/c/packet.wasm",
    ),
    ("../sdk/checks/c/checks.c", "../sdk/checks/c/checks.wasm"),
];
/// How guests in C are compiled: no libc, no entry point, every warning an error.
const CLANG: &str = "--target=wasm32 -std=c11 -Oz -nostdlib -Wall -Wextra -Werror -fno-ident \
                     -I ../sdk/c -Wl,--no-entry -Wl,--strip-all";

/// What is done with built guests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// They become the prebuilt ones.
    Install,
    /// They are compared with the prebuilt ones.
    Compare,
}

/// A binary, and where the committed one is, relative to `guests`.
struct Built {
    path: PathBuf,
    committed: &'static str,
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
        let mut built = self.build_rust(&rust)?;
        built.extend(self.build_c()?);
        match mode {
            Mode::Install => self.install(&built, &tools),
            Mode::Compare => self.compare(&built, &tools),
        }
    }

    fn build_rust(&self, rust: &Rust) -> Result<Vec<Built>, Trouble> {
        self.stage()?;
        let mut built = self.build_members(rust, TARGET, &RUST)?;
        built.extend(self.build_members(rust, COMPONENT_TARGET, &COMPONENTS)?);
        Ok(built)
    }

    /// Builds those members of the workspace that are for one target.
    fn build_members(
        &self,
        rust: &Rust,
        target: &str,
        members: &[(&str, &'static str)],
    ) -> Result<Vec<Built>, Trouble> {
        // Fetching first: the paths to map away are those of the unpacked crates.
        repository::run(
            "cargo",
            self.cargo("fetch").args(["--target", target]),
            HINT,
        )?;
        let build = ["--quiet", "--release", "--target", target, "--target-dir"];
        let mut cargo = self.cargo("build");
        cargo.args(build).arg(&self.target);
        for (member, _) in members {
            // Packages have hyphens where their binaries have not.
            cargo.args(["--package", &member.replace('_', "-")]);
        }
        cargo.env("CARGO_ENCODED_RUSTFLAGS", self.mapped_paths(rust)?);
        repository::run("cargo", &mut cargo, HINT)?;
        let folder = self.target.join(target).join("release");
        Ok(members
            .iter()
            .map(|(name, committed)| Built {
                path: folder.join(name).with_extension("wasm"),
                committed,
            })
            .collect())
    }

    /// Makes the repository known under the path that guests are built in.
    fn stage(&self) -> Result<(), Trouble> {
        let (stage, root) = (Path::new(STAGE), self.guests.with_file_name(""));
        let trouble = |source| Trouble::File {
            path: stage.to_owned(),
            source,
        };
        match fs::read_link(stage) {
            Ok(known) if known == root => return Ok(()),
            Ok(_) => fs::remove_file(stage).map_err(trouble)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(trouble(error)),
        }
        std::os::unix::fs::symlink(&root, stage).map_err(trouble)
    }

    /// A cargo command in the guests' workspace, free of what was set for the host's.
    fn cargo(&self, command: &str) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.guests).args([command, "--locked"]);
        cargo.args(["--manifest-path", &format!("{STAGE}/guests/Cargo.toml")]);
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
        for folder in ["guests", "examples", "sdk"] {
            map(&self.guests.with_file_name(folder), folder);
            map(&Path::new(STAGE).join(folder), folder);
        }
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

    fn build_c(&self) -> Result<Vec<Built>, Trouble> {
        let mut built = Vec::new();
        for (number, (source, committed)) in C.into_iter().enumerate() {
            let out = self.target.join(format!("c-{number}.wasm"));
            let mut clang = Command::new("clang");
            // A relative path: whatever the compiler makes of it is the same everywhere.
            clang
                .current_dir(&self.guests)
                .args(CLANG.split_whitespace());
            clang.arg(source).arg("-o").arg(&out);
            repository::run("clang", &mut clang, HINT)?;
            built.push(Built {
                path: out,
                committed,
            });
        }
        Ok(built)
    }

    fn install(&self, built: &[Built], tools: &str) -> Result<(), Trouble> {
        for Built { path, committed } in built {
            let bytes = repository::read_bytes(path)?;
            repository::write(&self.guests.join(committed), &bytes)?;
            println!("guests/{committed}: {} bytes", bytes.len());
        }
        sums::record(&self.guests, tools)
    }

    fn compare(&self, built: &[Built], tools: &str) -> Result<(), Trouble> {
        let mut findings = Vec::new();
        for Built { path, committed } in built {
            let there = repository::read_bytes(&self.guests.join(committed))?;
            if repository::read_bytes(path)? != there {
                findings.push(format!("guests/{committed} is not what was built"));
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
            "`cargo xtask guests` builds the committed ones anew".to_owned()
        } else {
            format!("they were made with {recorded}; here is {tools}")
        };
        Err(Trouble::Findings { findings, hint })
    }
}

fn cargo_home() -> PathBuf {
    let home = || env::home_dir().unwrap_or_default().join(".cargo");
    env::var_os("CARGO_HOME").map_or_else(home, PathBuf::from)
}
