//! What one use of a module is granted, and what it sees.
//!
//! Invariant: the defaults are what Envoy allows every plugin; only files and maps must be
//! granted.

use std::path::PathBuf;
use std::time::Duration;

use crate::{MapGrants, Name, Variable};

/// What a filter may reach, beside the host functions of its `capabilities`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Whether what is not granted is refused.
    pub mode: GrantMode,
    /// Clusters for HTTP callouts, gRPC and Redis, and for a TCP connection that the filter sends
    /// elsewhere; `None`: all.
    pub clusters: Option<Vec<Name>>,
    /// VM ids beside its own whose queues it may use; `None`: all.
    pub vm_ids: Option<Vec<String>>,
    /// Foreign functions; `None`: all.
    pub foreign_functions: Option<Vec<String>>,
    /// Folders that it sees through WASI.
    pub files: Vec<FileGrant>,
    /// Maps; without a grant there are none, but those that it makes itself.
    pub maps: MapGrants,
    /// Clocks tell time in steps of this; `None`: as finely as the system does.
    pub clock_resolution: Option<Duration>,
    /// Whether it gets random bytes.
    pub randomness: Randomness,
    /// Headers that it may not write, beside those of the connection.
    pub protected_headers: Vec<Pattern>,
    /// Headers that it may write although they are protected or it does not see them.
    pub write_headers: Vec<Pattern>,
}

/// What happens to what is not granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GrantMode {
    /// It is refused.
    #[default]
    Enforce,
    /// It is allowed and recorded, with everything else that the filter touches.
    DryRun,
}

/// Whether a filter gets random bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Randomness {
    /// It does.
    #[default]
    Granted,
    /// `random_get` fails.
    Denied,
}

/// A folder of the host in a guest's sight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileGrant {
    /// The folder, absolute or resolved against the folder of the configuration file.
    pub host: PathBuf,
    /// Its absolute path as the guest sees it.
    pub guest: String,
    /// Whether the guest may write and make files in it.
    pub access: FileAccess,
}

/// What a guest may do with files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileAccess {
    /// Read.
    #[default]
    Read,
    /// Read, write and make files.
    Write,
}

/// One name, or all that begin alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// This name.
    Exact(String),
    /// Names that begin so; empty: all.
    Prefix(String),
}

impl Pattern {
    /// The pattern of a text: a star at its end stands for any rest.
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some(prefix) => Self::Prefix(prefix.to_owned()),
            None => Self::Exact(text.to_owned()),
        }
    }

    /// Whether a name is meant, as its bytes are.
    #[must_use]
    pub fn matches(&self, name: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => exact.as_bytes() == name,
            Self::Prefix(prefix) => name.starts_with(prefix.as_bytes()),
        }
    }

    /// Whether everything that the other one means is meant.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Exact(name)) => self.matches(name.as_bytes()),
            (Self::Prefix(prefix), Self::Prefix(longer)) => longer.starts_with(prefix.as_str()),
            (Self::Exact(_), Self::Prefix(_)) => false,
        }
    }

    /// The pattern as it is written.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Exact(exact) => exact.clone(),
            Self::Prefix(prefix) => format!("{prefix}*"),
        }
    }
}

/// Rules for what a filter sees of an exchange. The first rule whose pattern matches counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sees {
    /// Request headers and trailers, by name in lower case.
    pub request_headers: Vec<(Pattern, Showing)>,
    /// Response headers and trailers, by name in lower case.
    pub response_headers: Vec<(Pattern, Showing)>,
    /// Parameters of the request's query, by name.
    pub query: Vec<(Pattern, Showing)>,
    /// Properties, by path with dots.
    pub properties: Vec<(Pattern, Showing)>,
    /// Bodies that it does not see.
    pub hidden_bodies: HiddenBodies,
    /// Key of hashes; `None`: one that the process makes.
    pub hash_key: Option<Variable>,
}

/// Bodies and bytes that a filter does not see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HiddenBodies {
    /// The request's, and what a TCP client sends.
    pub request: bool,
    /// The response's, and what a TCP upstream sends.
    pub response: bool,
}

/// How a value is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Showing {
    /// As it is.
    Show,
    /// Not at all: as if it were not there.
    Hide,
    /// As the keyed hash of its value, in hexadecimal: equal values stay equal.
    Hash,
    /// As this text.
    Text(String),
    /// Its ends, with `***` in place of the rest; short values are `***` altogether.
    Ends {
        /// Bytes kept at the beginning.
        first: usize,
        /// Bytes kept at the end.
        last: usize,
    },
}
