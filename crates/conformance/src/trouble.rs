//! What can go wrong before and beside a statement.

use std::io;
use std::path::PathBuf;

/// Why statements could not be read, or could not be played at all.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A statement is not written as the kit's README says.
    #[error("{file}:{line}: {what}")]
    Statement {
        /// Name of the file.
        file: String,
        /// Line in it, from 1.
        line: usize,
        /// What is wrong, and what is expected.
        what: String,
    },
    /// A program that the kit needs could not be started.
    #[error("cannot start {program}: {source}")]
    Start {
        /// Which.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// A server of the scene could not be started.
    #[error("the server of cluster {cluster}: {what}")]
    Server {
        /// Name of the cluster.
        cluster: &'static str,
        /// Why.
        what: String,
    },
    /// The host did something that no host may do.
    #[error("the host: {0}")]
    Host(String),
}

/// A place in a statement file and what is wrong there.
#[derive(Debug, PartialEq)]
pub(crate) struct Misread {
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl Misread {
    pub(crate) fn new(line: usize, what: impl Into<String>) -> Self {
        Self {
            line,
            what: what.into(),
        }
    }

    /// The error, once the file is known.
    pub(crate) fn within(self, file: &str) -> Trouble {
        Trouble::Statement {
            file: file.to_owned(),
            line: self.line,
            what: self.what,
        }
    }
}

/// An error of the file system at a path.
pub(crate) fn at_path(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Trouble {
    let path = path.into();
    move |source| Trouble::File { path, source }
}
