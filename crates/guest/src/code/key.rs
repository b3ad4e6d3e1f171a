//! What compiled code is known by: all that it depends on.

use std::fmt;
use std::hash::{Hash as _, Hasher};

use sha2::{Digest as _, Sha256};

use crate::engine::EngineKind;
use crate::prepare::PREPARATION_VERSION;

/// Counts changes of the files. Raise it with each: what was written otherwise must not be found.
const FORM: u32 = 1;

/// Content of a module.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The SHA-256 of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, formatter)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, formatter)
    }
}

fn write_hex(bytes: &[u8], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes
        .iter()
        .try_for_each(|byte| write!(formatter, "{byte:02x}"))
}

/// What code in the cache is found by.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key {
    bytes: [u8; 32],
    pub(super) engine: EngineKind,
    pub(super) module: Digest,
}

impl Key {
    /// The key of a module's code for one engine. Wasmtime's own account of what code depends on
    /// holds its version, its settings and the features of the processor.
    pub(super) fn of(engine: &wasmtime::Engine, kind: EngineKind, module: &Digest) -> Self {
        let mut feed = Feed(Sha256::new());
        feed.0.update(FORM.to_le_bytes());
        feed.0.update(PREPARATION_VERSION.to_le_bytes());
        feed.0.update(module.0);
        feed.0.update(kind.name());
        engine.precompile_compatibility_hash().hash(&mut feed);
        Self {
            bytes: feed.0.finalize().into(),
            engine: kind,
            module: module.clone(),
        }
    }

    /// The key of code that was not prepared, for an engine of another room.
    pub(super) fn of_whole(engine: &wasmtime::Engine, form: &str, module: &Digest) -> Self {
        let mut feed = Feed(Sha256::new());
        feed.0.update(FORM.to_le_bytes());
        feed.0.update(module.0);
        feed.0.update("whole ");
        feed.0.update(form);
        engine.precompile_compatibility_hash().hash(&mut feed);
        Self {
            bytes: feed.0.finalize().into(),
            engine: EngineKind::Cranelift,
            module: module.clone(),
        }
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// Name of its file.
    pub(super) fn file_name(&self) -> String {
        format!("{self}{SUFFIX}")
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.bytes, formatter)
    }
}

/// What names of files of compiled code end with.
pub(super) const SUFFIX: &str = ".weircode";

/// Puts what is hashed into SHA-256.
struct Feed(Sha256);

impl Hasher for Feed {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        u64::from_le_bytes(std::array::from_fn(|at| digest[at]))
    }
}

impl Digest {
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}
