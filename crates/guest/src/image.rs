//! The content of a linear memory, kept once and mapped by every instance that begins with it.
//!
//! Invariant: an image never changes. Its file is sealed, so no mapping can write to it; instances
//! map it privately and get a page of their own where they write.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{MapFlags, ProtFlags};

/// What a memory begins with; behind it everything is zero.
pub(crate) struct Image {
    /// `None`: all of it is zero.
    content: Option<Content>,
    /// Parts of it that may hold something else than zeros, in order.
    filled: Vec<Range<usize>>,
}

struct Content {
    file: File,
    /// All of it for reading, so that pages can be copied back.
    view: NonNull<u8>,
    /// A whole number of pages.
    bytes: usize,
}

// SAFETY: the view is memory that nobody writes to, and it is unmapped with the image only.
#[expect(unsafe_code, reason = "the view is a pointer")]
unsafe impl Send for Content {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "the view is a pointer")]
unsafe impl Sync for Content {}

impl Image {
    /// Writes an image of these parts, which must be in order and must not overlap. Parts of zeros
    /// take no memory.
    ///
    /// # Errors
    ///
    /// When the system gives no memory.
    pub(crate) fn of<'p>(parts: impl Iterator<Item = (usize, &'p [u8])>) -> io::Result<Self> {
        let mut writer = Writer::default();
        for (offset, bytes) in parts {
            writer.add(offset, bytes)?;
        }
        writer.finish()
    }

    /// An image that another process wrote; no file: all of it is zero.
    ///
    /// # Errors
    ///
    /// When the system gives no memory, or the file is none that images have.
    pub(crate) fn adopt(file: Option<File>, filled: Vec<Range<usize>>) -> io::Result<Self> {
        let Some(file) = file else {
            return Ok(Self {
                content: None,
                filled: Vec::new(),
            });
        };
        let bytes = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        let is_sealed = rustix::fs::fcntl_get_seals(&file)?
            .contains(SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW);
        let fits = filled
            .iter()
            .all(|part| part.start <= part.end && part.end <= bytes);
        if !is_sealed || !fits || !bytes.is_multiple_of(rustix::param::page_size()) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Self::view_of(file, bytes, filled)
    }

    /// Maps a sealed file of this length for reading.
    fn view_of(file: File, bytes: usize, filled: Vec<Range<usize>>) -> io::Result<Self> {
        #[expect(unsafe_code, reason = "mappings are made by address")]
        // SAFETY: a new mapping at a place that the system chooses touches nothing that exists.
        let view = unsafe {
            let (access, kind) = (ProtFlags::READ, MapFlags::PRIVATE);
            rustix::mm::mmap(std::ptr::null_mut(), bytes, access, kind, &file, 0)?
        };
        let view = NonNull::new(view.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self {
            content: Some(Content { file, view, bytes }),
            filled,
        })
    }

    /// Length in bytes, a whole number of the host's pages. What lies behind it is zero.
    pub(crate) fn bytes(&self) -> usize {
        self.content.as_ref().map_or(0, |content| content.bytes)
    }

    /// The content for reading.
    pub(crate) fn view(&self) -> &[u8] {
        let Some(content) = &self.content else {
            return &[];
        };
        #[expect(unsafe_code, reason = "a mapping is memory that Rust does not know")]
        // SAFETY: the view is mapped for reading, this long, until the image is dropped; the file
        // behind it is sealed against writing and shrinking.
        unsafe {
            std::slice::from_raw_parts(content.view.as_ptr(), content.bytes)
        }
    }

    /// The file to map; `None`: there is nothing to map.
    pub(crate) fn file(&self) -> Option<&File> {
        self.content.as_ref().map(|content| &content.file)
    }

    /// The parts that may hold something else than zeros.
    pub(crate) fn filled(&self) -> &[Range<usize>] {
        &self.filled
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "mappings are made and ended by address")]
        // SAFETY: `Writer::finish` mapped exactly this, and nobody borrows it any more.
        let ended = unsafe { rustix::mm::munmap(self.view.as_ptr().cast(), self.bytes) };
        debug_assert!(ended.is_ok());
    }
}

/// Bytes that are compared with zero, and written, at once.
const STEP: usize = 4096;

#[derive(Default)]
struct Writer {
    file: Option<File>,
    filled: Vec<Range<usize>>,
    end: usize,
}

impl Writer {
    fn add(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        let mut run: Option<Range<usize>> = None;
        for (number, step) in bytes.chunks(STEP).enumerate() {
            let start = number * STEP;
            if is_zero(step) {
                self.put(offset, bytes, run.take())?;
            } else {
                run.get_or_insert(start..start).end = start + step.len();
            }
        }
        self.put(offset, bytes, run)
    }

    fn put(&mut self, offset: usize, bytes: &[u8], run: Option<Range<usize>>) -> io::Result<()> {
        let Some(run) = run else { return Ok(()) };
        let file = match self.file.take() {
            Some(file) => file,
            None => File::from(rustix::fs::memfd_create(
                c"weir-image",
                MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING,
            )?),
        };
        let (start, end) = (offset + run.start, offset + run.end);
        let written = file.write_all_at(&bytes[run], start as u64);
        self.file = Some(file);
        match self.filled.last_mut() {
            Some(last) if last.end == start => last.end = end,
            Some(_) | None => self.filled.push(start..end),
        }
        self.end = end;
        written
    }

    fn finish(self) -> io::Result<Image> {
        let Some(file) = self.file else {
            return Ok(Image {
                content: None,
                filled: Vec::new(),
            });
        };
        let bytes = self.end.next_multiple_of(rustix::param::page_size());
        rustix::fs::ftruncate(&file, bytes as u64)?;
        let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(&file, seals)?;
        Image::view_of(file, bytes, self.filled)
    }
}

/// Whether all bytes are zero.
fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<16>();
    words.iter().all(|word| u128::from_ne_bytes(*word) == 0) && rest.iter().all(|byte| *byte == 0)
}
