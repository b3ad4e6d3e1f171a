//! Writes a capsule. Nothing here is done by whoever serves requests.

use std::io::{self, Write};

use weir_guest::snapshot::Value;
use weir_guest::{Program, Snapshot};
use weir_model::limits::capsule as limits;

use crate::file::{BlockWriter, Kind};
use crate::head::{Head, Start};
use crate::mask::{Mask, Masker, TooManyValues};
use crate::read::Capsule;
use crate::record::{self, Record};
use crate::tape::{Lost, Taken};

/// Why no capsule was written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file could not be written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It might hold what it must not.
    #[error(transparent)]
    Mask(#[from] TooManyValues),
    /// What is said of its origin is too long.
    #[error("its head has {0} bytes, more than any may have")]
    Head(usize),
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Length of the file.
    pub bytes: u64,
    /// Records in it.
    pub records: u64,
    /// Of these, events.
    pub events: u64,
    /// Of these, calls.
    pub calls: u64,
    /// Bytes of values that were replaced.
    pub masked: u64,
}

/// Writes what a tape held. What the tape knows replaces what the head says of it.
///
/// # Errors
///
/// See [`WriteError`]. What was written before means nothing.
pub fn write(
    mut head: Head,
    taken: &Taken,
    (program, mask): (&Program, &Mask),
    out: impl Write,
) -> Result<Written, WriteError> {
    let mut written = Written::default();
    let masker = mask.find(&[taken.past.start(), &taken.log])?;
    if !masker.is_empty() {
        head.masked.clone_from(&mask.headers);
    }
    head.withheld.clone_from(&taken.withheld);
    let image = taken.past.image().filter(|_| taken.past.lost().is_none());
    let is_large = image.is_some_and(|image| image.stored_bytes() > limits::IMAGE_BYTES_MAX);
    let lost = taken.past.lost().or(is_large.then_some(Lost::LargeImage));
    head.start = match (lost, image) {
        (Some(why), _) => Start::Lost(why),
        (None, Some(_)) => Start::Image,
        (None, None) => Start::Beginning,
    };
    let mut head = head.encode();
    written.masked += masker.apply(&mut head);
    if head.len() > limits::HEAD_BYTES_MAX {
        return Err(WriteError::Head(head.len()));
    }
    let mut file = BlockWriter::begin(out)?;
    file.put_all(Kind::Head, &head)?;
    put_records(&mut file, taken.past.start(), &masker, &mut written)?;
    if let Some(image) = image.filter(|_| !is_large) {
        put_image(&mut file, (image, program), &masker, &mut written)?;
    }
    put_records(&mut file, &taken.log, &masker, &mut written)?;
    put_end(file, written)
}

impl Capsule {
    /// Writes a capsule that was read, and perhaps changed. Nothing is masked.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(&self, out: impl Write) -> Result<Written, WriteError> {
        let (masker, mut written) = (Mask::default().find(&[])?, Written::default());
        let mut file = BlockWriter::begin(out)?;
        file.put_all(Kind::Head, &self.head.encode())?;
        let bytes = |records: &[Record]| {
            records.iter().fold(Vec::new(), |mut bytes, record| {
                record::put(record, &mut bytes);
                bytes
            })
        };
        put_records(&mut file, &bytes(&self.start), &masker, &mut written)?;
        if let Some(image) = &self.image {
            let lengths = image.memories.iter().map(|memory| memory.bytes).collect();
            file.put_all(Kind::Image, &outline(lengths, &image.globals))?;
            for (memory, picture) in (0..).zip(&image.memories) {
                for (offset, bytes) in &picture.parts {
                    let (offset, bytes) = (*offset, bytes.to_vec());
                    let mut run = Run {
                        memory,
                        offset,
                        bytes,
                    };
                    run.put(&mut file, &masker, &mut written)?;
                }
            }
        }
        put_records(&mut file, &bytes(&self.log), &masker, &mut written)?;
        put_end(file, written)
    }
}

fn put_end<W: Write>(
    mut file: BlockWriter<W>,
    mut written: Written,
) -> Result<Written, WriteError> {
    let counts = [
        written.records,
        written.events,
        written.calls,
        written.masked,
    ];
    file.put(Kind::End, counts.map(u64::to_le_bytes).as_flattened())?;
    written.bytes = file.end()?;
    Ok(written)
}

fn put_records<W: Write>(
    file: &mut BlockWriter<W>,
    records: &[u8],
    masker: &Masker,
    written: &mut Written,
) -> io::Result<()> {
    for record in record::split(records) {
        written.records += 1;
        written.events += u64::from(record::is_event(record));
        written.calls += u64::from(record::is_call(record));
    }
    if masker.is_empty() {
        return file.put_all(Kind::Records, records);
    }
    let mut records = records.to_vec();
    written.masked += masker.apply(&mut records);
    file.put_all(Kind::Records, &records)
}

fn put_image<W: Write>(
    file: &mut BlockWriter<W>,
    (image, program): (&Snapshot, &Program),
    masker: &Masker,
    written: &mut Written,
) -> io::Result<()> {
    file.put_all(Kind::Image, &outline(image.lengths(), image.values()))?;
    // Values may lie across pages.
    let mut run = Run::default();
    for part in image.differences(program) {
        let is_next = run.memory == part.memory && run.end() == part.offset;
        if !is_next {
            run.put(file, masker, written)?;
            (run.memory, run.offset) = (part.memory, part.offset);
        }
        run.bytes.extend_from_slice(part.bytes);
    }
    run.put(file, masker, written)
}

/// Pages that follow each other.
#[derive(Default)]
struct Run {
    memory: u32,
    offset: u64,
    bytes: Vec<u8>,
}

impl Run {
    fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    fn put<W: Write>(
        &mut self,
        file: &mut BlockWriter<W>,
        masker: &Masker,
        written: &mut Written,
    ) -> io::Result<()> {
        const PLACE: usize = 12;
        written.masked += masker.apply(&mut self.bytes);
        let mut offset = self.offset;
        for part in self.bytes.chunks(limits::BLOCK_BYTES_MAX - PLACE) {
            let mut payload = Vec::with_capacity(PLACE + part.len());
            payload.extend_from_slice(&self.memory.to_le_bytes());
            payload.extend_from_slice(&offset.to_le_bytes());
            payload.extend_from_slice(part);
            file.put(Kind::Pages, &payload)?;
            offset += part.len() as u64;
        }
        self.bytes.clear();
        Ok(())
    }
}

/// Lengths of the memories, then the globals, each list behind its length.
fn outline(lengths: Vec<u64>, globals: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    out.extend_from_slice(&count(lengths.len()));
    for bytes in lengths {
        out.extend_from_slice(&bytes.to_le_bytes());
    }
    out.extend_from_slice(&count(globals.len()));
    for value in globals {
        let (kind, bits) = match *value {
            Value::I32(number) => (0, u128::from(number.cast_unsigned())),
            Value::I64(number) => (1, u128::from(number.cast_unsigned())),
            Value::F32(bits) => (2, u128::from(bits)),
            Value::F64(bits) => (3, u128::from(bits)),
            Value::V128(bits) => (4, bits),
        };
        out.push(kind);
        out.extend_from_slice(&bits.to_le_bytes());
    }
    out
}
