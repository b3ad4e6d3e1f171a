//! What builds need, whether it is there, and how to get it.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

/// Something that a build needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    /// A program on the path.
    Program {
        /// Its name.
        name: &'static str,
        /// The variable that names another one; empty: there is none.
        variable: &'static str,
        /// How to get it.
        advice: &'static str,
    },
    /// The Rust compiler's standard library for a target.
    RustTarget(&'static str),
}

pub(super) const CARGO: Tool = Tool::Program {
    name: "cargo",
    variable: "",
    advice: "https://rustup.rs installs Rust",
};
pub(super) const GO: Tool = Tool::Program {
    name: "go",
    variable: "GO",
    advice: "Go 1.24 or later, from https://go.dev/doc/install",
};
pub(super) const CLANG: Tool = Tool::Program {
    name: "clang",
    variable: "CLANG",
    advice: "of your system's packages, for example `apt install clang lld`",
};
pub(super) const LINKER: Tool = Tool::Program {
    name: "wasm-ld",
    variable: "",
    advice: "of your system's packages, for example `apt install lld`",
};
pub(super) const NPM: Tool = Tool::Program {
    name: "npm",
    variable: "",
    advice: "Node.js, from https://nodejs.org",
};
pub(super) const COMPONENTIZE_PY: Tool = Tool::Program {
    name: "python3",
    variable: "COMPONENTIZE_PY",
    advice: "Python 3.10 or later with venv, of your system's packages, for example `apt install \
             python3-venv`; it installs the compiler componentize-py",
};
pub(super) const CURL: Tool = Tool::Program {
    name: "curl",
    variable: "",
    advice: "of your system's packages; test.sh asks with it",
};

impl Tool {
    /// Whether it is on this machine.
    pub(super) fn is_there(self) -> bool {
        match self {
            Self::Program { name, variable, .. } => {
                let other = env::var(variable).ok().filter(|_| !variable.is_empty());
                is_on_path(other.as_deref().unwrap_or(name))
            }
            Self::RustTarget(target) => has_target(target),
        }
    }

    /// What it is, and how to get it.
    pub(super) fn advice(self) -> String {
        match self {
            Self::Program {
                name,
                variable,
                advice,
            } => {
                let other = match variable {
                    "" => String::new(),
                    variable => format!("; the variable {variable} may name it"),
                };
                format!("{name} ({advice}{other})")
            }
            Self::RustTarget(target) => {
                format!("Rust's target {target} (`rustup target add {target}`)")
            }
        }
    }
}

fn is_on_path(program: &str) -> bool {
    if program.contains('/') {
        return Path::new(program).is_file();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Whether the compiler that builds would use has this target.
fn has_target(target: &str) -> bool {
    let asked = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let Ok(answer) = asked else {
        return false;
    };
    let folder = String::from_utf8_lossy(&answer.stdout);
    Path::new(folder.trim_end()).is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_found_and_what_is_not_is_explained() {
        assert!(is_on_path("sh"));
        assert!(is_on_path("/bin/sh"));
        assert!(!is_on_path("no-such-program"));
        assert!(has_target("x86_64-unknown-linux-gnu") || !is_on_path("rustc"));
        assert!(!has_target("no-such-target"));
        assert!(GO.advice().contains("the variable GO may name it"));
        assert!(
            Tool::RustTarget("t")
                .advice()
                .contains("rustup target add t")
        );
    }
}
