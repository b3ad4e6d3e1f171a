//! What is wrong with a source, with its place.

use std::fmt;

use thiserror::Error;

/// Where something stands. Lines and columns count from 1; 0 stands for the whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as the person named it.
    pub file: String,
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl Place {
    /// A whole file.
    #[must_use]
    pub fn of_file(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}", self.file)
        } else {
            write!(f, "{}:{}:{}", self.file, self.line, self.column)
        }
    }
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
#[error("{place}: {found}{}", if expected.is_empty() { String::new() } else { format!("; expected {expected}") })]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is there.
    pub found: String,
    /// What should be there; empty if the finding says it.
    pub expected: String,
}

impl Problem {
    /// A mistake.
    #[must_use]
    pub fn new(place: Place, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            place,
            found: found.into(),
            expected: expected.into(),
        }
    }
}

/// All mistakes of a source, in the order of their places; at least one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Success if nothing was found.
    ///
    /// # Errors
    /// The problems, if there are any.
    pub fn none_or(mut problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            return Ok(());
        }
        problems.sort();
        problems.dedup();
        Err(Self(problems))
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}
