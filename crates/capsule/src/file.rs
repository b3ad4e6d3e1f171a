//! The form of the file: a magic, a version, and blocks that can be read one after the other.
//!
//! Each block says what it is, how long it is, stored and unpacked, and has a checksum over all of
//! that. Invariant: a reader makes no room for more than one block beyond what it has read.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use weir_model::limits::capsule as limits;

/// How a capsule begins: a byte that is no text, its name, and line ends that some programs change.
pub const MAGIC: [u8; 8] = *b"\x8bWCAP\r\n\x1a";
/// The version that is written, and the only one that is read.
pub const VERSION: u16 = 1;
/// How names of capsules end.
pub const EXTENSION: &str = "weircap";

/// Kind, form, two lengths and the checksum.
const BLOCK_HEAD: usize = 14;
/// The payload is as it is.
const PLAIN: u8 = 0;
/// The payload is packed by DEFLATE (RFC 1951).
const DEFLATED: u8 = 1;
/// Payloads below this are not worth packing.
const PACKED_BYTES_MIN: usize = 64;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A part of the head.
    Head,
    /// Records from here on.
    Records,
    /// Lengths of memories and values of globals: here is an image.
    Image,
    /// Parts of its memories.
    Pages,
    /// Counts; nothing follows.
    End,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Head,
        Self::Records,
        Self::Image,
        Self::Pages,
        Self::End,
    ];

    const fn number(self) -> u8 {
        match self {
            Self::Head => 1,
            Self::Records => 2,
            Self::Image => 3,
            Self::Pages => 4,
            Self::End => 5,
        }
    }
}

/// Why bytes are no capsule.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// They could not be read.
    #[error("the capsule cannot be read: {0}")]
    Io(#[from] io::Error),
    /// They begin otherwise.
    #[error("this is no capsule: it does not begin as one")]
    Magic,
    /// Another version.
    #[error("the capsule is of version {found}; this program reads version {VERSION}")]
    Version {
        /// Of the file.
        found: u16,
    },
    /// They end within the capsule.
    #[error("the capsule ends too early, at byte {at}: it was cut off")]
    Truncated {
        /// How many bytes there are.
        at: u64,
    },
    /// A checksum, or a length that cannot be.
    #[error("the capsule is damaged at byte {at}: {what}")]
    Damaged {
        /// Where the block begins.
        at: u64,
        /// In words.
        what: &'static str,
    },
}

/// Writes a file block by block.
pub(crate) struct BlockWriter<W> {
    out: W,
    written: u64,
}

impl<W: Write> BlockWriter<W> {
    /// Writes magic and version.
    pub(crate) fn begin(mut out: W) -> io::Result<Self> {
        out.write_all(&MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        out.write_all(&[0; 2])?;
        let written = MAGIC.len() as u64 + 4;
        Ok(Self { out, written })
    }

    /// Writes a payload as blocks of one kind.
    pub(crate) fn put_all(&mut self, kind: Kind, payload: &[u8]) -> io::Result<()> {
        let mut parts = payload.chunks(limits::BLOCK_BYTES_MAX);
        parts.try_for_each(|part| self.put(kind, part))
    }

    /// Writes one block, whose payload must not be longer than a block may be.
    pub(crate) fn put(&mut self, kind: Kind, payload: &[u8]) -> io::Result<()> {
        let packed = pack(payload)?;
        let (form, stored) = match &packed {
            Some(packed) => (DEFLATED, &packed[..]),
            None => (PLAIN, payload),
        };
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(io::Error::other);
        let mut head = [0; BLOCK_HEAD];
        head[0] = kind.number();
        head[1] = form;
        head[2..6].copy_from_slice(&length(stored)?.to_le_bytes());
        head[6..10].copy_from_slice(&length(payload)?.to_le_bytes());
        let sum = checksum(&head, stored);
        head[10..].copy_from_slice(&sum.to_le_bytes());
        self.out.write_all(&head)?;
        self.out.write_all(stored)?;
        self.written += (head.len() + stored.len()) as u64;
        Ok(())
    }

    /// Ends the file; returns its length.
    pub(crate) fn end(mut self) -> io::Result<u64> {
        self.out.flush()?;
        Ok(self.written)
    }
}

/// The payload packed, if that makes it shorter.
fn pack(payload: &[u8]) -> io::Result<Option<Vec<u8>>> {
    if payload.len() < PACKED_BYTES_MIN {
        return Ok(None);
    }
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(payload)?;
    let packed = encoder.finish()?;
    Ok((packed.len() < payload.len()).then_some(packed))
}

fn checksum(head: &[u8; BLOCK_HEAD], stored: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&head[..10]);
    sum.update(stored);
    sum.finalize()
}

/// Reads a file block by block.
pub(crate) struct BlockReader<R> {
    input: R,
    at: u64,
}

impl<R: Read> BlockReader<R> {
    /// Reads magic and version.
    pub(crate) fn begin(input: R) -> Result<Self, FileError> {
        let mut reader = Self { input, at: 0 };
        let mut begin = [0; MAGIC.len() + 4];
        let length = reader.fill(&mut begin)?;
        if !begin[..length].starts_with(&MAGIC) {
            let is_beginning = length < MAGIC.len() && MAGIC.starts_with(&begin[..length]);
            return Err(if is_beginning {
                FileError::Truncated { at: reader.at }
            } else {
                FileError::Magic
            });
        }
        if length < begin.len() {
            return Err(FileError::Truncated { at: reader.at });
        }
        let version = u16::from_le_bytes([begin[8], begin[9]]);
        if version != VERSION {
            return Err(FileError::Version { found: version });
        }
        if begin[10..] != [0; 2] {
            return Err(reader.damaged("two bytes behind the version are not zero"));
        }
        Ok(reader)
    }

    /// The next block's kind; its payload replaces what `payload` held.
    pub(crate) fn next(&mut self, payload: &mut Vec<u8>) -> Result<Kind, FileError> {
        let begun_at = self.at;
        let damaged = |what| FileError::Damaged { at: begun_at, what };
        let mut head = [0; BLOCK_HEAD];
        if self.fill(&mut head)? < BLOCK_HEAD {
            return Err(FileError::Truncated { at: self.at });
        }
        let number = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| head[at + byte]));
        let (stored_length, length) = (number(2) as usize, number(6) as usize);
        if stored_length > limits::BLOCK_BYTES_MAX || length > limits::BLOCK_BYTES_MAX {
            return Err(damaged("a block is longer than any may be"));
        }
        let mut stored = Vec::new();
        let most = stored_length as u64;
        let read = (&mut self.input).take(most).read_to_end(&mut stored)?;
        self.at += read as u64;
        if read < stored_length {
            return Err(FileError::Truncated { at: self.at });
        }
        if checksum(&head, &stored) != number(10) {
            return Err(damaged("a checksum does not fit"));
        }
        let kind = Kind::ALL.into_iter().find(|kind| kind.number() == head[0]);
        let kind = kind.ok_or_else(|| damaged("there is no such block"))?;
        match head[1] {
            PLAIN => *payload = stored,
            DEFLATED => {
                payload.clear();
                let unpacked = DeflateDecoder::new(&stored[..]);
                let unpacked = unpacked.take(length as u64 + 1).read_to_end(payload);
                unpacked.map_err(|_| damaged("a block cannot be unpacked"))?;
            }
            _ => return Err(damaged("a block has no such form")),
        }
        if payload.len() != length {
            return Err(damaged("a block is not as long as it says"));
        }
        Ok(kind)
    }

    /// Nothing may follow.
    pub(crate) fn end(&mut self) -> Result<(), FileError> {
        match self.fill(&mut [0])? {
            0 => Ok(()),
            _ => Err(self.damaged("something follows the end")),
        }
    }

    /// Where it is.
    pub(crate) fn damaged(&self, what: &'static str) -> FileError {
        FileError::Damaged { at: self.at, what }
    }

    /// Reads until the buffer is full or nothing comes any more.
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut length = 0;
        while length < buffer.len() {
            match self.input.read(&mut buffer[length..]) {
                Ok(0) => break,
                Ok(more) => length += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.at += length as u64;
        Ok(length)
    }
}
