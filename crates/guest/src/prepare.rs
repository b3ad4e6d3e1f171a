//! Rewrites a module once, before it is compiled, so that making an instance of it costs little.
//!
//! - Active data segments are taken out and become the *start image*: every instance maps it instead
//!   of copying it. Go's compiler writes some 65 000 segments into a plugin.
//! - The start function becomes an export, which the host calls: instantiation runs no guest code.
//! - Mutable globals and memories become exports, so that a snapshot can hold them.
//! - Memories and tables that the module imports become its own: the host would make them anyway.
//!
//! Function bodies and custom sections stay byte for byte. Invariants: the same bytes give the same
//! result everywhere, and a module that is not understood comes back as it was, for the compiler to
//! refuse in its own words.

mod layout;
mod obstacles;
mod rewrite;
mod start_image;
mod stored;

use std::borrow::Cow;
use std::ops::Range;

use sha2::Digest;
use wasm_encoder::SectionId;
use wasmparser::BinaryReader;

use layout::Layout;
pub use start_image::{MemoryStart, StartImage};

/// Changes whenever [`prepare`] gives something else for the same bytes: part of the key of whatever
/// keeps compiled code.
pub const PREPARATION_VERSION: u32 = 2;

/// A module that is ready to be compiled.
#[derive(Debug)]
pub struct Prepared<'m> {
    /// What is compiled.
    pub wasm: Cow<'m, [u8]>,
    /// What a program needs besides its compiled code.
    pub parts: Parts,
}

/// What a program needs besides its compiled code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// What memories hold before anything runs.
    pub image: StartImage,
    /// What was found and where it is exported now.
    pub facts: Facts,
}

/// What the preparation found in a module and under which names it exports it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// SHA-256 of the module as it was: snapshots fit the module that they were made of.
    pub identity: [u8; 32],
    /// What all private names begin with; empty: the module is as it was.
    pub prefix: String,
    /// Whether there is a start function.
    pub has_start: bool,
    /// Mutable globals of number and vector types.
    pub globals: u32,
    /// Linear memories.
    pub memories: u32,
    /// Why the state of this module cannot be kept, one sentence each.
    pub obstacles: Vec<String>,
    /// Where the code began in the module as it was.
    pub code_at: u32,
    /// Where it begins in what is compiled.
    pub prepared_code_at: u32,
    /// Whether the module says which source lines its code came from (DWARF).
    pub has_lines: bool,
}

impl Facts {
    /// Under which name the start function is exported.
    #[must_use]
    pub fn start(&self) -> Option<String> {
        self.has_start.then(|| format!("{}start", self.prefix))
    }

    /// Under which name the mutable global of this number is exported.
    #[must_use]
    pub fn global(&self, number: u32) -> String {
        format!("{}global:{number}", self.prefix)
    }

    /// Under which name the memory of this number is exported.
    #[must_use]
    pub fn memory(&self, number: u32) -> String {
        format!("{}memory:{number}", self.prefix)
    }

    /// What is to be added to an offset in what is compiled to get that in the module as it was.
    pub(crate) fn code_moved(&self) -> i64 {
        i64::from(self.code_at) - i64::from(self.prepared_code_at)
    }

    /// Whether an export of the compiled module is none of the plugin's.
    #[must_use]
    pub fn is_private(&self, export: &str) -> bool {
        !self.prefix.is_empty() && export.starts_with(&self.prefix)
    }
}

/// Rewrites a module for compilation.
#[must_use]
pub fn prepare(module: &[u8]) -> Prepared<'_> {
    let identity = sha2::Sha256::digest(module).into();
    let rewritten = Layout::read(module)
        .ok()
        .map(|layout| rewrite::rewrite(&layout));
    let (wasm, mut parts) = if let Some((wasm, parts)) = rewritten {
        (Cow::Owned(wasm), parts)
    } else {
        let mut parts = Parts::default();
        let obstacle = "it imports or declares something that the host has no images for";
        parts.facts.obstacles.push(obstacle.to_owned());
        (Cow::Borrowed(module), parts)
    };
    let facts = &mut parts.facts;
    facts.identity = identity;
    (facts.code_at, facts.has_lines) = code_and_lines(module);
    (facts.prepared_code_at, _) = code_and_lines(&wasm);
    Prepared { wasm, parts }
}

/// Where a module's code begins, zero if it has none, and whether there are source lines for it.
pub(crate) fn code_and_lines(module: &[u8]) -> (u32, bool) {
    let (mut code_at, mut has_lines) = (0, false);
    for (id, content) in sections(module) {
        if id == SectionId::Code as u8 {
            code_at = u32::try_from(content.start).unwrap_or(0);
        } else if id == SectionId::Custom as u8 {
            let custom = custom_name(&module[content]);
            has_lines |= custom.is_some_and(|(name, _)| name == ".debug_line");
        }
    }
    (code_at, has_lines)
}

/// The name of a custom section, and what it holds.
pub(crate) fn custom_name(content: &[u8]) -> Option<(&str, &[u8])> {
    let mut reader = BinaryReader::new(content, 0);
    let name = reader.read_string().ok()?;
    Some((name, &content[reader.original_position()..]))
}

/// Number and content of each section, up to the first one that is broken.
pub(crate) fn sections(module: &[u8]) -> impl Iterator<Item = (u8, Range<usize>)> {
    const HEADER_BYTES: usize = 8;
    let start = HEADER_BYTES.min(module.len());
    let mut reader = BinaryReader::new(&module[start..], start);
    std::iter::from_fn(move || {
        if reader.eof() {
            return None;
        }
        let id = reader.read_u8().ok()?;
        let length = usize::try_from(reader.read_var_u32().ok()?).ok()?;
        let start = reader.original_position();
        reader.read_bytes(length).ok()?;
        Some((id, start..start + length))
    })
}
