//! A snapshot as plain bytes, to be kept in a file and made a snapshot again elsewhere.

use std::sync::Arc;

use bytes::Bytes;

use super::{Snapshot, Value};
use crate::image::Image;
use crate::memory::Seed;
use crate::program::Program;

/// The state of a guest as what differs from a fresh instance of its module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// In the order of their numbers.
    pub memories: Vec<MemoryPicture>,
    /// Of the mutable globals of number and vector types, in their order.
    pub globals: Vec<Value>,
}

/// One linear memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryPicture {
    /// Its length.
    pub bytes: u64,
    /// Where it differs: an offset and what stands there, in order and apart from each other.
    pub parts: Vec<(u64, Bytes)>,
}

/// A run of bytes in which a snapshot differs from a fresh instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference<'s> {
    /// Number of the memory.
    pub memory: u32,
    /// Where in it.
    pub offset: u64,
    /// What stands there.
    pub bytes: &'s [u8],
}

/// A picture that is none of this module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// Other memories or globals.
    #[error("the image has {found} {what}, the module has {expected}")]
    Count {
        /// Memories, or globals.
        what: &'static str,
        /// In the module.
        expected: usize,
        /// In the picture.
        found: usize,
    },
    /// A length that the memory cannot have.
    #[error("memory {memory} of the image has {bytes} bytes, which the module's cannot have")]
    Length {
        /// Its number.
        memory: usize,
        /// In the picture.
        bytes: u64,
    },
    /// Bytes outside of the memory, or before others.
    #[error("a part of memory {memory} of the image lies at {offset}, which is no place for it")]
    Place {
        /// Its number.
        memory: usize,
        /// Of the part.
        offset: u64,
    },
    /// The system gave no memory.
    #[error("no memory for the image: {0}")]
    Memory(std::io::ErrorKind),
}

/// The unit in which memories are compared.
const PAGE: usize = 4096;

impl Snapshot {
    /// The lengths of its memories in bytes.
    #[must_use]
    pub fn lengths(&self) -> Vec<u64> {
        let seeds = self.memories().iter();
        seeds.map(|seed| seed.bytes as u64).collect()
    }

    /// The values of its mutable globals.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        self.globals()
    }

    /// Where it differs from a fresh instance of its module, page by page and in order.
    pub fn differences<'s>(&'s self, program: &'s Program) -> impl Iterator<Item = Difference<'s>> {
        let starts = program.start_image.memories().iter();
        let memories = (0..).zip(self.memories().iter().zip(starts));
        memories.flat_map(|(memory, (seed, start))| {
            let (now, then) = (seed.image.view(), start.image.view());
            let pages = now.len().max(then.len()).div_ceil(PAGE);
            (0..pages).filter_map(move |page| {
                let (now, then) = (page_of(now, page), page_of(then, page));
                (now != then).then(|| {
                    // Memories may end within a page.
                    let length = seed.bytes.saturating_sub(page * PAGE).min(PAGE);
                    Difference {
                        memory,
                        offset: (page * PAGE) as u64,
                        bytes: &now[..length],
                    }
                })
            })
        })
    }

    /// The same as one value.
    #[must_use]
    pub fn picture(&self, program: &Program) -> Picture {
        let mut picture = Picture {
            memories: Vec::new(),
            globals: self.globals().to_vec(),
        };
        for bytes in self.lengths() {
            let parts = Vec::new();
            picture.memories.push(MemoryPicture { bytes, parts });
        }
        for part in self.differences(program) {
            if let Some(memory) = picture.memories.get_mut(part.memory as usize) {
                let bytes = Bytes::copy_from_slice(part.bytes);
                memory.parts.push((part.offset, bytes));
            }
        }
        picture
    }
}

/// A page of a view; behind the view there are zeros.
fn page_of(view: &[u8], page: usize) -> &[u8] {
    static ZEROS: [u8; PAGE] = [0; PAGE];
    let at = page * PAGE;
    // Views are whole pages of the host, which are no smaller.
    view.get(at..at + PAGE).unwrap_or(&ZEROS)
}

impl Program {
    /// SHA-256 of the module, as its author made it.
    #[must_use]
    pub fn identity(&self) -> &[u8; 32] {
        &self.facts.identity
    }

    /// The snapshot behind a picture, which may come from anywhere.
    ///
    /// # Errors
    ///
    /// [`PictureError`] when it is none of this module, or memory is short.
    pub fn snapshot_of(&self, picture: &Picture) -> Result<Snapshot, PictureError> {
        let starts = self.start_image.memories();
        let count = |what, expected, found| {
            (expected == found)
                .then_some(())
                .ok_or(PictureError::Count {
                    what,
                    expected,
                    found,
                })
        };
        count("memories", starts.len(), picture.memories.len())?;
        let globals = self.exports.globals.len();
        count("mutable globals", globals, picture.globals.len())?;
        let memories = picture.memories.iter().zip(starts).enumerate();
        let seeds = memories.map(|(number, (memory, start))| {
            self.check_length(number, memory, start)?;
            let image = image_of(number, memory, start)?;
            Ok(Seed {
                image: Arc::new(image),
                bytes: usize::try_from(memory.bytes).map_err(|_| no_room())?,
            })
        });
        let seeds = seeds.collect::<Result<_, _>>()?;
        let globals = Some(picture.globals.clone());
        Ok(Snapshot::of(*self.identity(), seeds, globals))
    }

    fn check_length(
        &self,
        number: usize,
        memory: &MemoryPicture,
        start: &Seed,
    ) -> Result<(), PictureError> {
        let name = self.facts.memory(u32::try_from(number).unwrap_or(u32::MAX));
        let ty = self.module.get_export(&name);
        let ty = ty.as_ref().and_then(|ty| ty.memory());
        let fits = ty.is_some_and(|ty| {
            let most = ty.maximum().map_or(u64::from(u32::MAX) + 1, |pages| {
                pages.saturating_mul(ty.page_size())
            });
            memory.bytes.is_multiple_of(ty.page_size())
                && memory.bytes >= start.bytes as u64
                && memory.bytes <= most
        });
        fits.then_some(()).ok_or(PictureError::Length {
            memory: number,
            bytes: memory.bytes,
        })
    }
}

/// The start image with the picture's parts over it.
fn image_of(number: usize, memory: &MemoryPicture, start: &Seed) -> Result<Image, PictureError> {
    let misplaced = |offset| PictureError::Place {
        memory: number,
        offset,
    };
    let view = start.image.view();
    let mut parts: Vec<(usize, &[u8])> = Vec::new();
    let mut at = 0;
    for (offset, bytes) in &memory.parts {
        let end = offset.checked_add(bytes.len() as u64);
        let (Ok(from), Some(_)) = (
            usize::try_from(*offset),
            end.filter(|end| *end <= memory.bytes),
        ) else {
            return Err(misplaced(*offset));
        };
        if from < at {
            return Err(misplaced(*offset));
        }
        if let Some(kept) = view.get(at..from.min(view.len())) {
            parts.push((at, kept));
        }
        parts.push((from, bytes));
        at = from + bytes.len();
    }
    if let Some(kept) = view.get(at..) {
        parts.push((at, kept));
    }
    Image::of(parts.into_iter()).map_err(|error| PictureError::Memory(error.kind()))
}

fn no_room() -> PictureError {
    PictureError::Memory(std::io::ErrorKind::OutOfMemory)
}
