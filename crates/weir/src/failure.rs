//! How a command ends, and what a person is told when it fails.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use thiserror::Error;
use weir_control::admin::client::ClientError;
use weir_functions::run::RunError;
use weir_guest::apart::PluginProcessError;
use weir_guest::debug::CodeError;
use weir_guest::inspect::InspectError;

use crate::gateway::GatewayError;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 0: all is well.
    Fine,
    /// 1: a problem was found.
    Problem,
    /// 2: wrong use of the command line.
    WrongUse,
    /// What a module that was run said, or what its failure means.
    Guest(u8),
}

impl Outcome {
    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Problem => 1,
            Self::WrongUse => 2,
            Self::Guest(code) => code,
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome.code())
    }
}

/// Why a command failed.
#[derive(Debug, Error)]
pub enum Failure {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is no module.
    #[error("{} is no valid module", path.display())]
    NoModule {
        /// The file.
        path: PathBuf,
        /// Why.
        source: InspectError,
    },
    /// A configuration is refused; its problems have been told.
    #[error("the configuration is refused")]
    Refused,
    /// Typed maps are wrong; their mistakes have been told.
    #[error("the typed maps are refused")]
    TypedMaps,
    /// Standard output cannot be written.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    /// The log cannot be set up.
    #[error("cannot set up logging: {0}")]
    Logging(String),
    /// Signals cannot be received.
    #[error("cannot listen for signals")]
    Signals(#[source] io::Error),
    /// A command cannot be started.
    #[error("cannot run {command:?}")]
    Command {
        /// For the shell.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// A project cannot be begun like this.
    #[error("{0}")]
    Project(String),
    /// Nothing can be compiled, or be kept.
    #[error("cannot compile: {0}")]
    Compile(String),
    /// A capsule cannot be read.
    #[error("{}: {error}", path.display())]
    Capsule {
        /// The file.
        path: PathBuf,
        /// Why.
        error: String,
    },
    /// Nothing can be replayed.
    #[error("cannot replay: {0}")]
    Replay(String),
    /// The admin address gave no answer.
    #[error("no answer")]
    Admin(#[source] ClientError),
    /// The admin address says no.
    #[error("{0}")]
    Said(String),
    /// A module that was run has failed, or cannot be run.
    #[error("cannot run {} to its end", path.display())]
    Ran {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: RunError,
    },
    /// A module cannot be shown instruction by instruction.
    #[error("{} cannot be explained", path.display())]
    Explain {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: CodeError,
    },
    /// A module cannot be stepped through.
    #[error("cannot step through {}: {reason}", path.display())]
    Stepped {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A module has no such function.
    #[error("{} has no function `{function}`", path.display())]
    NoFunction {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        function: String,
    },
    /// The terminal cannot be drawn on.
    #[error("cannot draw on the terminal")]
    Screen(#[source] io::Error),
    /// The machine has no timers or sockets.
    #[error("cannot start")]
    Runtime(#[source] io::Error),
    /// Standard input cannot be read.
    #[error("cannot read standard input")]
    Input(#[source] io::Error),
    /// The gateway did not start or ended badly.
    #[error("the gateway stopped")]
    Gateway(#[from] GatewayError),
    /// A plugin's process cannot go on.
    #[error("the plugin's process cannot go on")]
    Plugin(#[source] PluginProcessError),
}

impl Failure {
    /// A failure to read a file.
    #[must_use]
    pub fn read(path: &Path, source: io::Error) -> Self {
        Self::Read {
            path: path.to_owned(),
            source,
        }
    }

    /// A failure to write a file.
    #[must_use]
    pub fn write(path: &Path, source: io::Error) -> Self {
        Self::Write {
            path: path.to_owned(),
            source,
        }
    }

    /// Whether the person has been told already.
    pub(crate) const fn is_told(&self) -> bool {
        matches!(self, Self::Refused | Self::TypedMaps)
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => {
                    Some("relative names are looked up in the current folder")
                }
                io::ErrorKind::PermissionDenied => {
                    Some("the file needs to be readable by the user that runs weir")
                }
                io::ErrorKind::IsADirectory => Some("name a file inside that folder"),
                _ => None,
            },
            Self::NoModule { .. } => Some("a module is what the compiler writes for a wasm target"),
            Self::Write { .. } => Some("name a folder that this user may write to"),
            Self::Gateway(error) => error.hint(),
            Self::Admin(ClientError::Connect { .. }) => Some(
                "`admin: { address: … }` in the gateway's configuration is the address; say it with --admin",
            ),
            Self::Admin(_) => Some("say another address with --admin"),
            Self::Plugin(PluginProcessError::NotCalled) => {
                Some("`weir serve` starts it for filters with `isolation: process`")
            }
            Self::Ran {
                error: RunError::Export { .. },
                ..
            } => Some(
                "--invoke NAME calls another export; `weir inspect` lists them with their types",
            ),
            Self::Capsule { .. } | Self::Replay(_) => {
                Some("docs/capsules.md tells how capsules come to be")
            }
            Self::NoFunction { .. } => Some("`weir inspect` lists what a module exports"),
            Self::Screen(_) => {
                Some("`weir debug` needs a terminal; `weir explain --invoke` prints to anything")
            }
            Self::Explain { .. }
            | Self::Stepped { .. }
            | Self::Ran { .. }
            | Self::Runtime(_)
            | Self::Plugin(PluginProcessError::Broken(_))
            | Self::Refused
            | Self::Said(_)
            | Self::Command { .. }
            | Self::Project(_)
            | Self::Input(_)
            | Self::TypedMaps
            | Self::Output(_)
            | Self::Logging(_)
            | Self::Signals(_)
            | Self::Compile(_) => None,
        }
    }
}
