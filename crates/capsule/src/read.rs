//! Reads a capsule as a stream, whoever wrote it.
//!
//! Invariant: no bytes make it panic, and it keeps no more than limits say: one block, one record,
//! one image.

use std::io::Read;

use bytes::{Buf as _, Bytes, BytesMut};
use weir_guest::snapshot::{MemoryPicture, Picture, Value};
use weir_model::limits::capsule as limits;

use crate::file::{BlockReader, FileError, Kind};
use crate::head::{BrokenHead, Head, Start};
use crate::record::{self, BrokenRecord, Record};
use crate::write::Written;

/// Why a capsule cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No capsule, of another version, cut off or damaged.
    #[error(transparent)]
    File(#[from] FileError),
    /// What it says of its origin means nothing.
    #[error("the capsule's head means nothing: {0}")]
    Head(#[from] BrokenHead),
    /// One of its records means nothing.
    #[error("record {number} of the capsule means nothing: {error}")]
    Record {
        /// Counted from 1.
        number: u64,
        /// In words.
        error: BrokenRecord,
    },
    /// Its image means nothing.
    #[error("the capsule's image means nothing: {0}")]
    Image(&'static str),
    /// Its parts do not fit together.
    #[error("the capsule's parts do not fit together: {0}")]
    Parts(&'static str),
}

/// What stands in a capsule behind its head, in this order: records of the start, perhaps an image,
/// records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Something happened.
    Record(Record),
    /// The VM was as this says. There is at most one.
    Image(Picture),
}

/// A capsule that is being read.
pub struct Reader<R> {
    blocks: BlockReader<R>,
    head: Head,
    /// The block that was read last and not looked at.
    ahead: Option<(Kind, Vec<u8>)>,
    /// Records, from the first one that was not given out.
    records: BytesMut,
    image: Option<Draft>,
    has_image: bool,
    counts: Written,
    is_over: bool,
}

/// An image that is being read.
struct Draft {
    picture: Picture,
    bytes: u64,
}

/// A whole capsule in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capsule {
    /// Of whom it is.
    pub head: Head,
    /// What happened until the VM was configured, and on until the image or, without one, the end.
    pub start: Vec<Record>,
    /// The VM later.
    pub image: Option<Picture>,
    /// What happened behind the image.
    pub log: Vec<Record>,
}

impl Capsule {
    /// Reads a capsule to its end.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub fn read(input: impl Read) -> Result<Self, ReadError> {
        let mut reader = Reader::open(input)?;
        let mut capsule = Self {
            head: reader.head().clone(),
            start: Vec::new(),
            image: None,
            log: Vec::new(),
        };
        while let Some(item) = reader.next_item()? {
            match item {
                Item::Record(record) if capsule.image.is_none() => capsule.start.push(record),
                Item::Record(record) => capsule.log.push(record),
                Item::Image(image) => capsule.image = Some(image),
            }
        }
        Ok(capsule)
    }

    /// Its records in their order. Behind an image, those before it need not be replayed.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.start.iter().chain(&self.log)
    }
}

impl<R: Read> Reader<R> {
    /// Reads magic, version and head.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub fn open(input: R) -> Result<Self, ReadError> {
        let mut blocks = BlockReader::begin(input)?;
        let (mut head, mut payload) = (Vec::new(), Vec::new());
        let kind = loop {
            let kind = blocks.next(&mut payload)?;
            if kind != Kind::Head {
                break kind;
            }
            if head.len() + payload.len() > limits::HEAD_BYTES_MAX {
                return Err(BrokenHead("it is longer than any may be").into());
            }
            head.extend_from_slice(&payload);
        };
        Ok(Self {
            blocks,
            head: Head::decode(&head)?,
            ahead: Some((kind, payload)),
            records: BytesMut::new(),
            image: None,
            has_image: false,
            counts: Written::default(),
            is_over: false,
        })
    }

    /// Of whom the capsule is.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// What was read so far; at the end, all of it, without the file's length.
    #[must_use]
    pub fn counts(&self) -> Written {
        self.counts
    }

    /// The next record or the image; `None`: the capsule is over, and whole.
    ///
    /// # Errors
    ///
    /// See [`ReadError`]. What was given out before is right.
    pub fn next_item(&mut self) -> Result<Option<Item>, ReadError> {
        loop {
            if let Some(record) = self.whole_record()? {
                return Ok(Some(Item::Record(record)));
            }
            if self.is_over {
                return Ok(None);
            }
            let (kind, payload) = self.next_block()?;
            if kind != Kind::Pages
                && let Some(draft) = self.image.take()
            {
                self.ahead = Some((kind, payload));
                return Ok(Some(Item::Image(draft.picture)));
            }
            self.take_block(kind, &payload)?;
        }
    }

    /// Passes over what stands before the image, and gives that; `None`: there is none.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub fn skip_to_image(&mut self) -> Result<Option<Picture>, ReadError> {
        while let Some(item) = self.next_item()? {
            if let Item::Image(image) = item {
                return Ok(Some(image));
            }
        }
        Ok(None)
    }

    /// The records from here on. An image among them is left out.
    pub fn records(mut self) -> impl Iterator<Item = Result<Record, ReadError>> {
        let mut is_broken = false;
        std::iter::from_fn(move || {
            while !is_broken {
                match self.next_item() {
                    Ok(Some(Item::Record(record))) => return Some(Ok(record)),
                    Ok(Some(Item::Image(_))) => {}
                    Ok(None) => return None,
                    Err(error) => {
                        is_broken = true;
                        return Some(Err(error));
                    }
                }
            }
            None
        })
    }

    fn next_block(&mut self) -> Result<(Kind, Vec<u8>), ReadError> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(ahead);
        }
        let mut payload = Vec::new();
        let kind = self.blocks.next(&mut payload)?;
        Ok((kind, payload))
    }

    fn take_block(&mut self, kind: Kind, payload: &[u8]) -> Result<(), ReadError> {
        let misplaced = |what| Err(ReadError::Parts(what));
        if kind != Kind::Records && !self.records.is_empty() {
            return misplaced("a record is not whole");
        }
        match kind {
            Kind::Head => misplaced("a head stands behind records"),
            Kind::Records => {
                self.records.extend_from_slice(payload);
                Ok(())
            }
            Kind::Image if self.has_image => misplaced("it has two images"),
            Kind::Image => {
                self.has_image = true;
                self.image = Some(Draft {
                    picture: outline_of(payload).map_err(ReadError::Image)?,
                    bytes: 0,
                });
                Ok(())
            }
            Kind::Pages => match &mut self.image {
                Some(draft) => draft.take(payload).map_err(ReadError::Image),
                None => misplaced("there are pages of no image"),
            },
            Kind::End => self.end(payload),
        }
    }

    fn end(&mut self, payload: &[u8]) -> Result<(), ReadError> {
        let misplaced = |what| Err(ReadError::Parts(what));
        let (counts, []) = payload.as_chunks::<8>() else {
            return misplaced("its end is no list of counts");
        };
        let counts: Vec<_> = counts
            .iter()
            .map(|count| u64::from_le_bytes(*count))
            .collect();
        let &[records, events, calls, masked] = &counts[..] else {
            return misplaced("its end has another number of counts");
        };
        let found = [self.counts.records, self.counts.events, self.counts.calls];
        if [records, events, calls] != found {
            return misplaced("it has not as many records as its end says");
        }
        if self.has_image != (self.head.start == Start::Image) {
            return misplaced("its head says of its image what is not so");
        }
        self.counts.masked = masked;
        self.blocks.end()?;
        self.is_over = true;
        Ok(())
    }

    /// The record at the front, if all of it is there.
    fn whole_record(&mut self) -> Result<Option<Record>, ReadError> {
        let number = self.counts.records + 1;
        let broken = |error| ReadError::Record { number, error };
        let Some(length) = record::whole_length(&self.records) else {
            return Ok(None);
        };
        if length > limits::RECORD_BYTES_MAX {
            return Err(broken(BrokenRecord("it is longer than any may be")));
        }
        if self.records.len() < length {
            return Ok(None);
        }
        let bytes = self.records.split_to(length).freeze();
        let record = record::decode(&bytes).map_err(broken)?;
        self.counts.records += 1;
        match record {
            Record::Event(_) => self.counts.events += 1,
            Record::Call { .. } => self.counts.calls += 1,
            Record::Result(_) | Record::Failed { .. } | Record::Exceeded(_) => {}
        }
        Ok(Some(record))
    }
}

fn outline_of(mut payload: &[u8]) -> Result<Picture, &'static str> {
    let short = "it ends too early";
    let mut picture = Picture::default();
    let memories = payload.try_get_u32_le().map_err(|_| short)? as usize;
    if memories > limits::IMAGE_PARTS_MAX {
        return Err("it has more memories than any may have");
    }
    for _ in 0..memories {
        let bytes = payload.try_get_u64_le().map_err(|_| short)?;
        let parts = Vec::new();
        picture.memories.push(MemoryPicture { bytes, parts });
    }
    let globals = payload.try_get_u32_le().map_err(|_| short)? as usize;
    if globals > limits::IMAGE_PARTS_MAX {
        return Err("it has more globals than any may have");
    }
    for _ in 0..globals {
        let kind = payload.try_get_u8().map_err(|_| short)?;
        let bits = payload.try_get_u128_le().map_err(|_| short)?;
        picture.globals.push(value_of(kind, bits)?);
    }
    match payload {
        [] => Ok(picture),
        _ => Err("it is longer than it says"),
    }
}

fn value_of(kind: u8, bits: u128) -> Result<Value, &'static str> {
    let wide = "a global is wider than its type";
    let short = u32::try_from(bits).map_err(|_| wide);
    let long = u64::try_from(bits).map_err(|_| wide);
    Ok(match kind {
        0 => Value::I32(short?.cast_signed()),
        1 => Value::I64(long?.cast_signed()),
        2 => Value::F32(short?),
        3 => Value::F64(long?),
        4 => Value::V128(bits),
        _ => return Err("a global has a type that there is not"),
    })
}

impl Draft {
    fn take(&mut self, mut payload: &[u8]) -> Result<(), &'static str> {
        let short = "pages lie nowhere";
        let memory = payload.try_get_u32_le().map_err(|_| short)? as usize;
        let offset = payload.try_get_u64_le().map_err(|_| short)?;
        let memory = self.picture.memories.get_mut(memory);
        let memory = memory.ok_or("pages are of a memory that there is not")?;
        self.bytes += payload.len() as u64;
        if self.bytes > limits::IMAGE_BYTES_MAX {
            return Err("it is larger than any may be");
        }
        // Empty parts would cost room and hold nothing.
        if !payload.is_empty() {
            memory.parts.push((offset, Bytes::copy_from_slice(payload)));
        }
        Ok(())
    }
}
