//! The state of a guest at a moment when nothing ran, to start others from.
//!
//! A snapshot holds everything that a guest can read back: its linear memories and its mutable
//! globals. Tables cannot change, nor can segments be dropped: modules that could do so are refused
//! ([`SnapshotRefusal`]). The stack of WebAssembly cannot be read by the guest; the part that its
//! compiler keeps in linear memory is memory.

mod picture;

use std::sync::Arc;

use wasmtime::Val;
use weir_model::one_line;

use crate::image::Image;
use crate::memory::Seed;
use crate::prepare::{Facts, StartImage};
pub use picture::{Difference, MemoryPicture, Picture, PictureError};

/// The state of a guest. Cheap to clone; fits every program of the same module, whatever compiled it.
#[derive(Clone)]
pub struct Snapshot(Arc<State>);

struct State {
    /// Of the module.
    identity: [u8; 32],
    memories: Vec<Seed>,
    /// `None`: a module's start image, whose globals the engine sets.
    globals: Option<Vec<Value>>,
}

/// The value of a mutable global; floating-point numbers by their bits.
#[expect(
    missing_docs,
    reason = "the types of WebAssembly, by their names there"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    V128(u128),
}

/// Why a module's state cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state of this module cannot be put into a snapshot: {}", one_line(&obstacles.join("; ")))]
pub struct SnapshotRefusal {
    /// One sentence for each reason.
    pub obstacles: Vec<String>,
}

/// Why a VM gave no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Of this module there are none.
    #[error(transparent)]
    Refused(#[from] SnapshotRefusal),
    /// The guest failed before.
    #[error("the guest has failed, so its state means nothing")]
    Failed,
    /// Pages of a region are no state of the guest's own, and its copies could not have them.
    #[error("the guest has regions or files mapped into its memory: they cannot be in a snapshot")]
    Mapped,
    /// The system gave no memory.
    #[error("no memory for the snapshot: {0}")]
    Memory(#[from] std::io::Error),
}

/// What a reset came to.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// The guest is what the snapshot says.
    Done,
    /// The guest failed before: drop it.
    Failed,
    /// A memory has another length than in the snapshot: drop the VM.
    OtherLength,
    /// The snapshot is another module's: drop the VM.
    OtherModule,
    /// The system refused: drop the VM.
    Refused,
}

impl Snapshot {
    /// What a module's memories hold before anything runs.
    pub(crate) fn of_start(facts: &Facts, start: &StartImage) -> std::io::Result<Self> {
        let memories = start.memories.iter().map(|memory| {
            let too_large = |_| std::io::ErrorKind::OutOfMemory;
            let parts = memory.parts().map(|(offset, bytes)| {
                // Offsets lie below the memory's length, which is checked here.
                (usize::try_from(offset).unwrap_or(usize::MAX), bytes)
            });
            Ok(Seed {
                bytes: usize::try_from(memory.bytes).map_err(too_large)?,
                image: Arc::new(Image::of(parts)?),
            })
        });
        let memories = memories.collect::<std::io::Result<_>>()?;
        Ok(Self::of(facts.identity, memories, None))
    }

    pub(crate) fn of(identity: [u8; 32], memories: Vec<Seed>, globals: Option<Vec<Value>>) -> Self {
        Self(Arc::new(State {
            identity,
            memories,
            globals,
        }))
    }

    pub(crate) fn identity(&self) -> &[u8; 32] {
        &self.0.identity
    }

    pub(crate) fn memories(&self) -> &[Seed] {
        &self.0.memories
    }

    pub(crate) fn globals(&self) -> &[Value] {
        self.0.globals.as_deref().unwrap_or_default()
    }

    /// Whether this is the same snapshot, not only one with the same content.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Bytes of linear memory of a VM that starts from it.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.0.memories.iter().map(|seed| seed.bytes as u64).sum()
    }

    /// Bytes that the snapshot itself takes.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        let images = self.0.memories.iter().map(|seed| &seed.image);
        let parts = images.flat_map(|image| image.filled());
        parts.map(|part| part.len() as u64).sum()
    }
}

impl Value {
    /// `None`: a reference.
    pub(crate) fn of(value: &Val) -> Option<Self> {
        Some(match *value {
            Val::I32(number) => Self::I32(number),
            Val::I64(number) => Self::I64(number),
            Val::F32(bits) => Self::F32(bits),
            Val::F64(bits) => Self::F64(bits),
            Val::V128(bits) => Self::V128(bits.as_u128()),
            _ => return None,
        })
    }
}

impl From<Value> for Val {
    fn from(value: Value) -> Self {
        match value {
            Value::I32(number) => Self::I32(number),
            Value::I64(number) => Self::I64(number),
            Value::F32(bits) => Self::F32(bits),
            Value::F64(bits) => Self::F64(bits),
            Value::V128(bits) => Self::V128(bits.into()),
        }
    }
}
