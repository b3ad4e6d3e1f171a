//! A file of compiled code: Wasmtime's image as it is, for it is mapped from the file's first byte,
//! what else a program needs (the annex), and a footer that says what it is and whether it is whole.
//!
//! | bytes | footer |
//! |---|---|
//! | 8 | mark |
//! | 32 | key |
//! | 32 | digest of the module |
//! | 4 | kind of engine |
//! | 4 | CRC-32 of image and annex |
//! | 8 | length of the image |
//! | 8 | length of the annex |
//! | 4 | CRC-32 of the footer up to here |

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;

use weir_model::limits;

use super::key::{Digest, Key};
use crate::engine::EngineKind;

const MARK: &[u8; 8] = b"weircod1";
const FOOTER_BYTES: usize = 100;
const READ_BYTES: usize = 256 << 10;

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Defect {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// Its length is not what it should be.
    #[error("it has {found} bytes instead of {expected}")]
    Length {
        /// Bytes of the file.
        found: u64,
        /// Bytes that it says it has, or may have.
        expected: u64,
    },
    /// It has no footer, or a damaged one.
    #[error("it does not end as a file of compiled code")]
    Footer,
    /// It holds other code than its name says.
    #[error("it holds other code than its name says")]
    OtherCode,
    /// Its content changed.
    #[error("its checksum is wrong")]
    Checksum,
    /// It belongs to somebody else, others may write to it, or it is no ordinary file.
    #[error("it could have been written by others: {0}")]
    Untrusted(String),
    /// What belongs to the code cannot be read.
    #[error("what belongs to the code cannot be read")]
    Annex,
    /// Wasmtime does not take it.
    #[error("the engine refuses it: {0}")]
    Engine(String),
}

/// What a footer tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) key: [u8; 32],
    pub(super) module: Digest,
    pub(super) engine: EngineKind,
    checksum: u32,
    image_bytes: u64,
    annex_bytes: u64,
}

/// Writes a whole file.
pub(super) fn write(mut file: &File, key: &Key, image: &[u8], annex: &[u8]) -> io::Result<()> {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(image);
    checksum.update(annex);
    let footer = Footer {
        key: *key.bytes(),
        module: key.module.clone(),
        engine: key.engine,
        checksum: checksum.finalize(),
        image_bytes: image.len() as u64,
        annex_bytes: annex.len() as u64,
    };
    file.write_all(image)?;
    file.write_all(annex)?;
    file.write_all(&footer.encoded())
}

/// Bytes of the file for an image and an annex of these lengths.
pub(super) fn file_bytes(image: &[u8], annex: &[u8]) -> u64 {
    (image.len() + annex.len() + FOOTER_BYTES) as u64
}

/// Says that a file holds the code of a key and is whole. Returns its annex.
pub(super) fn check(file: &File, key: &Key) -> Result<Vec<u8>, Defect> {
    let footer = footer(file)?;
    if footer.key != *key.bytes() {
        return Err(Defect::OtherCode);
    }
    let mut image = file.take(footer.image_bytes);
    let mut block = vec![0; READ_BYTES];
    let mut checksum = crc32fast::Hasher::new();
    loop {
        match image.read(&mut block)? {
            0 => break,
            read => checksum.update(&block[..read]),
        }
    }
    let mut annex = Vec::new();
    file.take(footer.annex_bytes).read_to_end(&mut annex)?;
    checksum.update(&annex);
    if checksum.finalize() == footer.checksum {
        Ok(annex)
    } else {
        Err(Defect::Checksum)
    }
}

/// The image in a file that was checked.
pub(super) fn image(file: &File) -> Result<Vec<u8>, Defect> {
    let bytes = footer(file)?.image_bytes;
    let mut image = vec![0; usize::try_from(bytes).map_err(|_| Defect::Footer)?];
    file.read_exact_at(&mut image, 0)?;
    Ok(image)
}

/// Reads what a file says that it holds.
pub(super) fn footer(file: &File) -> Result<Footer, Defect> {
    let found = file.metadata()?.len();
    if found > limits::CODE_FILE_BYTES_MAX {
        let expected = limits::CODE_FILE_BYTES_MAX;
        return Err(Defect::Length { found, expected });
    }
    let before = found
        .checked_sub(FOOTER_BYTES as u64)
        .ok_or(Defect::Footer)?;
    let mut bytes = [0; FOOTER_BYTES];
    file.read_exact_at(&mut bytes, before)?;
    let footer = Footer::decoded(&bytes).ok_or(Defect::Footer)?;
    let expected = [footer.image_bytes, footer.annex_bytes]
        .into_iter()
        .fold(FOOTER_BYTES as u64, u64::saturating_add);
    if expected == found {
        Ok(footer)
    } else {
        Err(Defect::Length { found, expected })
    }
}

impl Footer {
    fn encoded(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FOOTER_BYTES);
        bytes.extend(MARK);
        bytes.extend(self.key);
        bytes.extend(self.module.bytes());
        bytes.extend(number_of(self.engine).to_le_bytes());
        bytes.extend(self.checksum.to_le_bytes());
        bytes.extend(self.image_bytes.to_le_bytes());
        bytes.extend(self.annex_bytes.to_le_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    fn decoded(bytes: &[u8; FOOTER_BYTES]) -> Option<Self> {
        let (sealed, seal) = bytes.split_last_chunk::<4>()?;
        let (mark, rest) = sealed.split_first_chunk::<8>()?;
        let (key, rest) = rest.split_first_chunk::<32>()?;
        let (module, rest) = rest.split_first_chunk::<32>()?;
        let (engine, rest) = rest.split_first_chunk::<4>()?;
        let (checksum, rest) = rest.split_first_chunk::<4>()?;
        let (image_bytes, rest) = rest.split_first_chunk::<8>()?;
        let annex_bytes = u64::from_le_bytes(rest.try_into().ok()?);
        let is_whole = mark == MARK && crc32fast::hash(sealed) == u32::from_le_bytes(*seal);
        let number = u32::from_le_bytes(*engine);
        let engine = EngineKind::ALL
            .into_iter()
            .find(|kind| number_of(*kind) == number)?;
        is_whole.then(|| Self {
            key: *key,
            module: Digest::from_bytes(*module),
            engine,
            checksum: u32::from_le_bytes(*checksum),
            image_bytes: u64::from_le_bytes(*image_bytes),
            annex_bytes,
        })
    }
}

/// Numbers in files: they never change.
const fn number_of(engine: EngineKind) -> u32 {
    match engine {
        EngineKind::Cranelift => 1,
        EngineKind::Winch => 2,
        EngineKind::Pulley => 3,
    }
}
