//! Capsules: recordings of what one guest was asked and told.

use std::path::PathBuf;

use crate::{Variable, limits};

/// Where capsules are kept, and what is not to be in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capsules {
    /// The folder.
    pub folder: PathBuf,
    /// Bytes of all capsules in it; the oldest go first.
    pub bytes_max: u64,
    /// Capsules in it; the oldest go first.
    pub files_max: u64,
    /// Headers whose values are replaced, in lower case.
    pub mask_headers: Vec<String>,
    /// Variables of guests whose values are replaced.
    pub mask_variables: Vec<String>,
    /// What a request says in [`CAPTURE_HEADER`] to be recorded; `None`: no request can say it.
    pub secret: Option<Variable>,
}

/// The header by which a request asks to be recorded.
pub const CAPTURE_HEADER: &str = "x-weir-capture";

/// Of what a filter makes capsules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Of failures.
    pub failures: bool,
    /// Of every request.
    pub always: bool,
    /// Of one of so many requests.
    pub sample: Option<u32>,
    /// Of requests that ask for it.
    pub header: bool,
    /// Bytes that are recorded of one VM before a new image takes their place.
    pub log_bytes: usize,
}

impl Default for Recording {
    fn default() -> Self {
        Self {
            failures: true,
            always: false,
            sample: None,
            header: false,
            log_bytes: limits::capsule::LOG_BYTES,
        }
    }
}

impl Recording {
    /// Whether there is anything that capsules are made of.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.failures || self.always || self.sample.is_some() || self.header
    }

    /// Whether capsules are made of requests that go well.
    #[must_use]
    pub const fn captures(&self) -> bool {
        self.always || self.sample.is_some() || self.header
    }
}
