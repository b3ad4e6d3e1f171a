//! The file: making it, finding out whether it is one, and mapping it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use rustix::fs::FallocateFlags;
use rustix::mm::{MapFlags, ProtFlags};

use crate::guard::Guard;
use crate::layout::{
    AT_BOOT, AT_BUCKETS, AT_FILE_BYTES, AT_HASH_KEYS, AT_HEADER_BYTES, AT_KEY, AT_KEY_BYTES,
    AT_MAGIC, AT_SLOT_BYTES, AT_SLOTS, AT_STATE, AT_VALUE_BYTES, AT_VERSION, BUCKET_HEADER_BYTES,
    HEADER_BYTES, MAGIC, MAKER_BYTE, READY, RETIRED, VERSION,
};
use crate::{PinError, lock};

/// How long somebody else may take to make the file.
const MAKER_TRIES: usize = 500;
const MAKER_PAUSE: Duration = Duration::from_millis(10);
/// Bytes of a file at most: a mistake of a digit should not take a disk.
const FILE_BYTES_MAX: u64 = 64 << 30;
/// Words of the header that mean something.
const HEADER_WORDS: usize = 32;

/// What a map is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading: the file may be read-only.
    Read,
    /// Reading and writing.
    Write,
}

/// The numbers of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// A power of two.
    pub buckets: u64,
    /// Entries that a bucket can hold: a full one takes no more, whatever room there is elsewhere.
    pub slots: u64,
    /// Bytes of a key at most.
    pub key_bytes: u64,
    /// Bytes of a value at most.
    pub value_bytes: u64,
}

impl Shape {
    /// For so many entries: a quarter more room, in buckets of 16.
    #[must_use]
    pub fn for_entries(entries: u64, (key_bytes, value_bytes): (u64, u64)) -> Self {
        let slots = 16;
        let room = entries.saturating_add(entries / 4).div_ceil(slots).max(1);
        Self {
            buckets: room.checked_next_power_of_two().unwrap_or(1 << 63),
            slots,
            key_bytes,
            value_bytes,
        }
    }

    /// Bytes of a slot.
    #[must_use]
    pub fn slot_bytes(&self) -> u64 {
        let padded = |bytes: u64| bytes.div_ceil(8).saturating_mul(8);
        (AT_KEY as u64 * 8)
            .saturating_add(padded(self.key_bytes))
            .saturating_add(padded(self.value_bytes))
    }

    /// Bytes of a bucket.
    #[must_use]
    pub fn bucket_bytes(&self) -> u64 {
        let slots = self.slots.saturating_mul(self.slot_bytes());
        slots.saturating_add(BUCKET_HEADER_BYTES as u64)
    }

    /// Bytes of the file.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        let buckets = self.buckets.saturating_mul(self.bucket_bytes());
        buckets.saturating_add(HEADER_BYTES as u64)
    }

    /// # Errors
    /// What makes no sense.
    pub fn check(&self) -> Result<(), &'static str> {
        if !self.buckets.is_power_of_two() {
            return Err("the number of buckets is a power of two");
        }
        if self.slots == 0 || self.slots > 1024 {
            return Err("a bucket has 1 to 1024 slots");
        }
        if self.key_bytes == 0 || self.key_bytes > 64 << 10 || self.value_bytes > 16 << 20 {
            return Err("keys have 1 byte to 64 KiB, values at most 16 MiB");
        }
        if self.file_bytes() > FILE_BYTES_MAX {
            return Err("the file has at most 64 GiB");
        }
        Ok(())
    }
}

/// A map's file in the memory of this process.
pub(crate) struct Mapped {
    /// A page's beginning.
    base: NonNull<AtomicU64>,
    bytes: usize,
    pub(crate) file: File,
    pub(crate) shape: Shape,
    pub(crate) hash_keys: [u64; 2],
    /// For the gateway: others end with a file that is cut.
    guard: Option<Guard>,
}

// SAFETY: the mapping belongs to this value, and what lies in it is used as atomic words only.
#[expect(unsafe_code, reason = "the base is a pointer")]
unsafe impl Send for Mapped {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "the base is a pointer")]
unsafe impl Sync for Mapped {}

impl Mapped {
    /// Maps a file that is there.
    pub(crate) fn open(path: &Path, access: Access) -> Result<Self, PinError> {
        let failed = |error| file_error(path, error);
        let write = access == Access::Write;
        let file = OpenOptions::new().read(true).write(write).open(path);
        let file = file.map_err(failed)?;
        let header = header(&file).map_err(failed)?;
        let shape = shape_of(&header, path)?;
        Self::of(file, (&header, shape), access).map_err(failed)
    }

    /// Maps a file of this shape, which is made if there is none, or another one. Content that is
    /// older than the system's start is not kept: a crash of the machine may have torn it.
    pub(crate) fn make(path: &Path, shape: &Shape) -> Result<Self, PinError> {
        shape.check().map_err(PinError::Shape)?;
        let failed = |error| file_error(path, error);
        for _ in 0..MAKER_TRIES {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let file = options.mode(0o660).open(path).map_err(failed)?;
            if !lock::take(&file, MAKER_BYTE).map_err(failed)? {
                std::thread::sleep(MAKER_PAUSE);
                continue;
            }
            if !is_in_place(&file, path).map_err(failed)? {
                continue;
            }
            let mapped = Self::made_in_place(&file, path, shape);
            lock::give(&file, MAKER_BYTE).map_err(failed)?;
            let mut mapped = mapped?;
            let start = mapped.base.addr().get();
            mapped.guard = Some(Guard::of(start, mapped.bytes).map_err(failed)?);
            return Ok(mapped);
        }
        Err(failed(io::ErrorKind::TimedOut.into()))
    }

    fn made_in_place(file: &File, path: &Path, shape: &Shape) -> Result<Self, PinError> {
        let failed = |error| file_error(path, error);
        let boot = boot_id().map_err(failed)?;
        let there = file.metadata().map_err(failed)?;
        if there.len() > 0 || !there.is_file() {
            let header = header_words(file).map_err(failed)?;
            // Whatever begins like a map is one of ours, and may be replaced.
            let Some(header) = header.filter(|header| header[AT_MAGIC] == MAGIC) else {
                return Err(PinError::Layout {
                    path: path.to_owned(),
                    what: "this is no pinned map, so nothing is made in its place",
                });
            };
            let is_fresh = header[AT_BOOT..AT_BOOT + 2] == boot;
            let is_whole = header[AT_FILE_BYTES] <= there.len();
            let found = shape_of(&header, path);
            if found.is_ok_and(|found| found == *shape) && is_fresh && is_whole {
                return Self::open(path, Access::Write);
            }
        }
        let new = new_file(path, shape, boot).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() > 0 {
            let retired = RETIRED.to_le_bytes();
            let told = file.write_all_at(&retired, AT_STATE as u64 * 8);
            told.map_err(failed)?;
        }
        std::fs::rename(&new, path).map_err(failed)?;
        Self::open(path, Access::Write)
    }

    fn of(
        file: File,
        (header, shape): (&[u64; HEADER_WORDS], Shape),
        access: Access,
    ) -> io::Result<Self> {
        let bytes = usize::try_from(shape.file_bytes());
        let bytes = bytes.map_err(|_| io::ErrorKind::OutOfMemory)?;
        let protection = match access {
            Access::Read => ProtFlags::READ,
            Access::Write => ProtFlags::READ | ProtFlags::WRITE,
        };
        #[expect(unsafe_code, reason = "a file is mapped by the system")]
        // SAFETY: a new mapping at a place that the system chooses touches nothing that exists.
        let base = unsafe {
            let nowhere = std::ptr::null_mut();
            rustix::mm::mmap(nowhere, bytes, protection, MapFlags::SHARED, &file, 0)?
        };
        Ok(Self {
            base: NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?,
            bytes,
            file,
            shape,
            hash_keys: [header[AT_HASH_KEYS], header[AT_HASH_KEYS + 1]],
            guard: None,
        })
    }

    /// Whether pages of a guarded file are gone. To be asked after the words were used.
    pub(crate) fn is_cut(&self) -> bool {
        self.guard.as_ref().is_some_and(Guard::is_cut)
    }

    /// The words from a byte on, which is a multiple of 8. Empty if they are not all in the file.
    ///
    /// Those of a map that was opened for reading are only to be loaded.
    pub(crate) fn words(&self, start: usize, words: usize) -> &[AtomicU64] {
        let end = words
            .checked_mul(8)
            .and_then(|bytes| start.checked_add(bytes));
        let is_inside = end.is_some_and(|end| end <= self.bytes) && start.is_multiple_of(8);
        debug_assert!(is_inside);
        if !is_inside {
            return &[];
        }
        #[expect(unsafe_code, reason = "a mapping is memory that Rust does not know")]
        // SAFETY: the words lie in the mapping, which lives as long as `self`, begins at a page and
        // is used as atomic words by everybody; any bytes are such words.
        unsafe {
            let start = self.base.as_ptr().add(start / 8);
            std::slice::from_raw_parts(start, words)
        }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        self.guard = None;
        #[expect(unsafe_code, reason = "mappings are made and ended by address")]
        // SAFETY: `Mapped::of` mapped exactly this, and nobody borrows from it any more.
        let ended = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.bytes) };
        debug_assert!(ended.is_ok());
    }
}

pub(crate) fn file_error(path: &Path, error: io::Error) -> PinError {
    PinError::File {
        path: path.to_owned(),
        error,
    }
}

/// The first words; `None`: there are not so many, or it is no file that has some.
fn header_words(file: &File) -> io::Result<Option<[u64; HEADER_WORDS]>> {
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    let mut bytes = [0; HEADER_WORDS * 8];
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let (words, _) = bytes.as_chunks();
    let mut header = [0; HEADER_WORDS];
    for (word, bytes) in header.iter_mut().zip(words) {
        *word = u64::from_le_bytes(*bytes);
    }
    Ok(Some(header))
}

fn header(file: &File) -> io::Result<[u64; HEADER_WORDS]> {
    let header = header_words(file)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let length = file.metadata()?.len();
    if header[AT_MAGIC] == MAGIC && header[AT_FILE_BYTES] > length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(header)
}

/// The shape that a header tells, if everything in it fits together.
fn shape_of(header: &[u64; HEADER_WORDS], path: &Path) -> Result<Shape, PinError> {
    let wrong = |what| PinError::Layout {
        path: path.to_owned(),
        what,
    };
    if header[AT_MAGIC] != MAGIC {
        return Err(wrong("this is no pinned map"));
    }
    if header[AT_VERSION] != VERSION {
        return Err(wrong("this layout is of another version"));
    }
    if header[AT_STATE] == RETIRED {
        return Err(PinError::Retired);
    }
    let shape = Shape {
        buckets: header[AT_BUCKETS],
        slots: header[AT_SLOTS],
        key_bytes: header[AT_KEY_BYTES],
        value_bytes: header[AT_VALUE_BYTES],
    };
    let fits = shape.check().is_ok()
        && header[AT_HEADER_BYTES] == HEADER_BYTES as u64
        && header[AT_SLOT_BYTES] == shape.slot_bytes()
        && header[AT_FILE_BYTES] == shape.file_bytes()
        && header[AT_STATE] == READY;
    if fits {
        return Ok(shape);
    }
    Err(wrong("the numbers of this map do not fit together"))
}

/// A new file beside the path, with all of its room: writing to it later cannot fail.
fn new_file(path: &Path, shape: &Shape, boot: [u64; 2]) -> io::Result<PathBuf> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".new-{}", std::process::id()));
    let new = PathBuf::from(name);
    // Who has left a link there must not choose the file that is written to.
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    let file = options.mode(0o660).open(&new)?;
    let filled = fill(&file, shape, boot);
    if filled.is_err() {
        // What is half made must not stay; that it could not be made is told.
        let _ = std::fs::remove_file(&new);
    }
    filled.map(|()| new)
}

fn fill(file: &File, shape: &Shape, boot: [u64; 2]) -> io::Result<()> {
    rustix::fs::fallocate(file, FallocateFlags::empty(), 0, shape.file_bytes())?;
    let mut keys = [0; 16];
    getrandom::fill(&mut keys).map_err(|error| io::Error::other(error.to_string()))?;
    let (keys, _) = keys.as_chunks();
    let mut header = [0_u64; HEADER_WORDS];
    header[AT_MAGIC] = MAGIC;
    header[AT_VERSION] = VERSION;
    header[AT_HEADER_BYTES] = HEADER_BYTES as u64;
    header[AT_FILE_BYTES] = shape.file_bytes();
    header[AT_BUCKETS] = shape.buckets;
    header[AT_SLOTS] = shape.slots;
    header[AT_SLOT_BYTES] = shape.slot_bytes();
    header[AT_KEY_BYTES] = shape.key_bytes;
    header[AT_VALUE_BYTES] = shape.value_bytes;
    for (at, key) in keys.iter().enumerate() {
        header[AT_HASH_KEYS + at] = u64::from_le_bytes(*key);
    }
    header[AT_BOOT..AT_BOOT + 2].copy_from_slice(&boot);
    header[AT_STATE] = READY;
    let bytes: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    file.write_all_at(&bytes, 0)
}

/// What tells this start of the system from others.
fn boot_id() -> io::Result<[u64; 2]> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let half = |range| {
        let digits = digits.get(range).unwrap_or_default();
        u64::from_str_radix(digits, 16).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
    };
    Ok([half(0..16)?, half(16..32)?])
}

/// Whether the file is still the one at its path.
fn is_in_place(file: &File, path: &Path) -> io::Result<bool> {
    let (ours, there) = (file.metadata()?, std::fs::metadata(path)?);
    Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino()))
}
