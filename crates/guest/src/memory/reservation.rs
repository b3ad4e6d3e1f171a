//! Addresses for memories, kept for the next one when a memory is gone.

use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags};
use weir_model::limits;

use crate::image::Image;

/// A range of addresses for one memory: guard pages, usable bytes, guard pages. Nothing of it can be accessed until
/// it is opened or mapped, always from its base on.
pub(super) struct Reservation {
    /// `None`: dropped.
    addresses: Option<Addresses>,
    base: *mut u8,
    usable: usize,
    /// Bytes from the base that are accessible.
    opened: AtomicUsize,
    pool: Arc<Reservations>,
}

// SAFETY: these are addresses only; who may access what lies there, the owner decides.
#[expect(unsafe_code, reason = "the base is a pointer")]
unsafe impl Send for Reservation {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "the base is a pointer")]
unsafe impl Sync for Reservation {}

struct Addresses {
    /// Of the usable bytes.
    base: NonNull<u8>,
    usable: usize,
    guard: usize,
}

// SAFETY: these are addresses only; who may access what lies there, the owner decides.
#[expect(unsafe_code, reason = "the base is a pointer")]
unsafe impl Send for Addresses {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "the base is a pointer")]
unsafe impl Sync for Addresses {}

/// How pages of a file are shared with whoever else maps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    /// What is written stays here: a page that is written to is copied first.
    Private,
    /// What is written is in the file.
    Shared,
    /// The same, and all pages are made present at once.
    SharedPresent,
}

/// Reservations without a memory.
#[derive(Default)]
pub(super) struct Reservations(Mutex<Vec<Addresses>>);

impl Reservations {
    /// A reservation of which nothing is accessible.
    pub(super) fn take(pool: &Arc<Self>, usable: usize, guard: usize) -> io::Result<Reservation> {
        let mut free = pool.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = free
            .iter()
            .rposition(|free| (free.usable, free.guard) == (usable, guard))
            .map(|place| free.swap_remove(place));
        drop(free);
        let addresses = match fitting {
            Some(addresses) => addresses,
            None => Addresses::reserve(usable, guard)?,
        };
        Ok(Reservation {
            base: addresses.base.as_ptr(),
            usable,
            opened: AtomicUsize::new(0),
            addresses: Some(addresses),
            pool: Arc::clone(pool),
        })
    }

    /// Keeps addresses of which nothing is accessible; too many are ended.
    fn keep(&self, addresses: Addresses) {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < limits::GUEST_RESERVATIONS_KEPT {
            free.push(addresses);
        }
    }
}

impl Reservation {
    /// Where the usable bytes begin.
    pub(super) fn base(&self) -> *mut u8 {
        self.base
    }

    /// The same as a number.
    pub(super) fn address(&self) -> usize {
        self.base.addr()
    }

    /// Bytes that can become accessible.
    pub(super) fn usable(&self) -> usize {
        self.usable
    }

    /// Makes `accessible` bytes from the base hold what the image holds, zeros behind it. What was
    /// there before is gone.
    pub(super) fn map(&self, image: &Image, accessible: usize) -> io::Result<()> {
        let opened = self.opened.load(Ordering::Relaxed);
        if image.bytes() > accessible || opened > accessible || accessible > self.usable {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if opened > image.bytes() {
            self.renew(image.bytes()..opened, ProtFlags::READ | ProtFlags::WRITE)?;
        }
        self.open(image.bytes().max(opened)..accessible)?;
        let Some(file) = image.file() else {
            return Ok(());
        };
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let kind = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
        #[expect(unsafe_code, reason = "mappings are made by address")]
        // SAFETY: the range lies in this reservation, whose owner wants its content replaced; the
        // file is as long as the range and sealed.
        unsafe {
            rustix::mm::mmap(self.base.cast(), image.bytes(), access, kind, file, 0)?;
        }
        self.opened.fetch_max(image.bytes(), Ordering::Relaxed);
        Ok(())
    }

    /// Puts pages of a file over a range that is accessible.
    ///
    /// The file must have all of these pages for as long as they are mapped.
    pub(super) fn put(
        &self,
        range: Range<usize>,
        (file, offset): (BorrowedFd<'_>, u64),
        sharing: Sharing,
    ) -> io::Result<()> {
        if range.is_empty() || range.end > self.opened.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let kind = MapFlags::FIXED
            | match sharing {
                Sharing::Private => MapFlags::PRIVATE | MapFlags::NORESERVE,
                Sharing::Shared => MapFlags::SHARED,
                Sharing::SharedPresent => MapFlags::SHARED | MapFlags::POPULATE,
            };
        #[expect(unsafe_code, reason = "mappings are made by address")]
        // SAFETY: the range lies in the accessible part of this reservation, whose owner wants its
        // content replaced; the caller promises that the file has the pages.
        unsafe {
            let start = self.base.add(range.start).cast();
            rustix::mm::mmap(start, range.len(), access, kind, file, offset)?;
        }
        Ok(())
    }

    /// Puts fresh zeros over a range that is accessible.
    pub(super) fn blank(&self, range: Range<usize>) -> io::Result<()> {
        if range.end > self.opened.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.renew(range, ProtFlags::READ | ProtFlags::WRITE)
    }

    /// Makes everything from `accessible` on inaccessible; what was there is gone.
    pub(super) fn close(&self, accessible: usize) -> io::Result<()> {
        let opened = self.opened.load(Ordering::Relaxed);
        if accessible < opened {
            self.renew(accessible..opened, ProtFlags::empty())?;
            self.opened.store(accessible, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Makes a range accessible that was not: it holds zeros.
    pub(super) fn open(&self, range: Range<usize>) -> io::Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let access = MprotectFlags::READ | MprotectFlags::WRITE;
        #[expect(unsafe_code, reason = "memory is protected by address")]
        // SAFETY: the range lies in this reservation, and was not accessible before: nobody has a
        // reference into it.
        unsafe {
            rustix::mm::mprotect(self.base.add(range.start).cast(), range.len(), access)?;
        }
        self.opened.fetch_max(range.end, Ordering::Relaxed);
        Ok(())
    }

    /// Gives private pages back to the system: the range holds again what it was mapped with.
    pub(super) fn give_back(&self, range: Range<usize>) -> io::Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        #[expect(unsafe_code, reason = "memory is given back by address")]
        // SAFETY: the range lies in this reservation, whose owner wants its content replaced.
        unsafe {
            let start = self.base.add(range.start).cast();
            rustix::mm::madvise(start, range.len(), Advice::LinuxDontNeed)?;
        }
        Ok(())
    }

    fn renew(&self, range: Range<usize>, access: ProtFlags) -> io::Result<()> {
        match &self.addresses {
            Some(addresses) => addresses.renew(range, access),
            None => Ok(()),
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let opened = self.opened.load(Ordering::Relaxed);
        let is_empty = self.renew(0..opened, ProtFlags::empty()).is_ok();
        if let Some(addresses) = self.addresses.take().filter(|_| is_empty) {
            self.pool.keep(addresses);
        }
    }
}

impl Addresses {
    fn reserve(usable: usize, guard: usize) -> io::Result<Self> {
        let all = usable
            .checked_add(2 * guard)
            .ok_or(io::ErrorKind::OutOfMemory)?;
        let kind = MapFlags::PRIVATE | MapFlags::NORESERVE;
        #[expect(unsafe_code, reason = "mappings are made by address")]
        // SAFETY: a new mapping at a place that the system chooses touches nothing that exists; the
        // base lies inside it.
        let base = unsafe {
            let start =
                rustix::mm::mmap_anonymous(std::ptr::null_mut(), all, ProtFlags::empty(), kind)?;
            start.cast::<u8>().add(guard)
        };
        let base = NonNull::new(base).ok_or(io::ErrorKind::OutOfMemory)?;
        let addresses = Self {
            base,
            usable,
            guard,
        };
        addresses.keep_pages_small(0..usable);
        Ok(addresses)
    }

    /// Keeps the kernel from making one huge page of what a guest touches with a byte: restoring it
    /// would cost 512 times as much.
    fn keep_pages_small(&self, range: Range<usize>) {
        static IS_NEEDED: LazyLock<bool> = LazyLock::new(|| {
            let setting = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
            setting.is_ok_and(|setting| setting.contains("[always]"))
        });
        if *IS_NEEDED && !range.is_empty() {
            #[expect(unsafe_code, reason = "advice is given by address")]
            // SAFETY: the range lies in this reservation, and the advice changes no content. A
            // kernel that does not know it makes restoring slower, nothing else.
            let _ = unsafe {
                let start = self.base.as_ptr().add(range.start).cast();
                rustix::mm::madvise(start, range.len(), Advice::LinuxNoHugepage)
            };
        }
    }

    /// Puts fresh zeros over a range.
    fn renew(&self, range: Range<usize>, access: ProtFlags) -> io::Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let kind = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
        #[expect(unsafe_code, reason = "mappings are made by address")]
        // SAFETY: the range lies in this reservation, whose owner wants its content replaced.
        unsafe {
            let start = self.base.as_ptr().add(range.start).cast();
            rustix::mm::mmap_anonymous(start, range.len(), access, kind)?;
        }
        self.keep_pages_small(range);
        Ok(())
    }
}

impl Drop for Addresses {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "mappings are made and ended by address")]
        // SAFETY: `Addresses::reserve` mapped exactly this, and its owner is gone.
        let ended = unsafe {
            let start = self.base.as_ptr().sub(self.guard).cast();
            rustix::mm::munmap(start, self.usable + 2 * self.guard)
        };
        debug_assert!(ended.is_ok());
    }
}
