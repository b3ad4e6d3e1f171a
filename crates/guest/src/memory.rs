//! Linear memories in the host's address space.
//!
//! Each memory is a reservation of addresses of which the first part can be used: it begins with a
//! private mapping of an [`Image`], zeros follow. Writing makes a page private; [`Region::restore`]
//! puts the image's bytes back into such pages and leaves the rest alone. Which image a memory begins
//! with is said by [`Birth::give`] around the instantiation, for Wasmtime asks for memories without
//! saying for whom.

mod birth;
mod dirty;
pub(crate) mod faults;
pub(crate) mod mapped;
mod reservation;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

use crate::image::Image;
pub(crate) use birth::{Birth, Seed};
pub(crate) use dirty::page_map;
use reservation::{Reservation, Reservations, Sharing};

/// Which pages of a memory are private to it, because they were written to.
#[derive(Default)]
pub(crate) struct Written {
    /// In bytes from the memory's base.
    runs: Vec<Range<usize>>,
    is_known: bool,
}

impl Written {
    /// Notes that there may be more of them.
    pub(crate) fn forget(&mut self) {
        self.is_known = false;
    }
}

/// One linear memory: shared by Wasmtime, which grows it, and by the VM, which restores it.
pub(crate) struct Region {
    reservation: Reservation,
    /// Bytes that the guest can use.
    bytes: AtomicUsize,
    /// Where the first page lies that is neither the image's nor behind it as the memory began:
    /// something was mapped there, and perhaps unmapped again. `usize::MAX`: there is none.
    replaced_from: AtomicUsize,
}

impl Region {
    /// Bytes that the guest can use.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Bytes that can be accessed: whole pages.
    fn accessible(&self) -> usize {
        page_end(self.bytes())
    }

    /// Makes the memory hold what an image holds, whatever it held before. Its length stays.
    ///
    /// # Safety
    ///
    /// Nobody else uses the memory meanwhile, and nobody holds a reference into it.
    #[expect(unsafe_code, reason = "the memory belongs to Wasmtime's instance")]
    pub(crate) unsafe fn map(&self, image: &Image) -> io::Result<()> {
        self.reservation.map(image, self.accessible())?;
        self.replaced_from.store(usize::MAX, Ordering::Relaxed);
        Ok(())
    }

    /// Puts pages of a file, from an offset on, into a range of whole pages' beginnings. The file has
    /// all of them for as long as they are here.
    fn put(
        &self,
        range: Range<usize>,
        from: (BorrowedFd<'_>, u64),
        sharing: Sharing,
    ) -> io::Result<()> {
        self.replaced_from.fetch_min(range.start, Ordering::Relaxed);
        let range = range.start..page_end(range.end);
        self.reservation.put(range, from, sharing)
    }

    /// Puts fresh zeros into a range of whole pages.
    fn blank(&self, range: Range<usize>) -> io::Result<()> {
        self.replaced_from.fetch_min(range.start, Ordering::Relaxed);
        self.reservation.blank(range)
    }

    /// Makes the memory as short as it was. Wasmtime must be made to look at its length again.
    ///
    /// # Safety
    ///
    /// As for [`Region::map`].
    #[expect(unsafe_code, reason = "the memory belongs to Wasmtime's instance")]
    pub(crate) unsafe fn shrink(&self, bytes: usize) -> io::Result<()> {
        if bytes >= self.bytes() {
            return Ok(());
        }
        self.reservation.close(page_end(bytes))?;
        self.bytes.store(bytes, Ordering::Relaxed);
        if self.replaced_from.load(Ordering::Relaxed) >= page_end(bytes) {
            self.replaced_from.store(usize::MAX, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Whether the memory begins at this address.
    pub(crate) fn is_at(&self, base: *const u8) -> bool {
        std::ptr::eq(self.reservation.base(), base)
    }

    fn is_replaced(&self) -> bool {
        self.replaced_from.load(Ordering::Relaxed) != usize::MAX
    }

    /// Makes the memory hold again what `image` holds, which is the image that it maps: only pages
    /// that were written to are touched. `kept_max` bytes of them stay with this memory, so that
    /// writing to them again costs no page fault; the rest is given back. `written` says which they
    /// are if that is known, and is told it.
    ///
    /// # Safety
    ///
    /// As for [`Region::map`].
    #[expect(unsafe_code, reason = "the memory belongs to Wasmtime's instance")]
    pub(crate) unsafe fn restore(
        &self,
        image: &Image,
        kept_max: usize,
        written: &mut Written,
    ) -> io::Result<()> {
        if self.is_replaced() {
            written.forget();
            // SAFETY: what this needs is what the caller promises.
            return unsafe { self.map(image) };
        }
        let Some(page_map) = page_map() else {
            return self.restore_all();
        };
        if !std::mem::replace(&mut written.is_known, false) {
            self.find_written(page_map, kept_max, &mut written.runs)?;
        }
        for run in &written.runs {
            // SAFETY: the run lies in the accessible part of the reservation, and nobody else uses
            // it: what this needs is what the caller promises.
            unsafe { self.refill(image, run.clone()) };
        }
        written.is_known = true;
        Ok(())
    }

    /// As [`Region::restore`] where the kernel does not say what was written to.
    fn restore_all(&self) -> io::Result<()> {
        self.reservation.give_back(0..self.accessible())
    }

    /// Asks the kernel which pages were written to; what is more than `kept_max` bytes is given back
    /// at once.
    fn find_written(
        &self,
        page_map: &File,
        kept_max: usize,
        runs: &mut Vec<Range<usize>>,
    ) -> io::Result<()> {
        let base = self.reservation.address();
        let mut kept = 0;
        runs.clear();
        dirty::scan(page_map, base..base + self.accessible(), |run| {
            let run = run.start - base..run.end - base;
            kept += run.len();
            if kept > kept_max {
                return self.reservation.give_back(run);
            }
            runs.push(run);
            Ok(())
        })
    }

    /// Copies the image's bytes over a run of pages.
    ///
    /// # Safety
    ///
    /// As for [`Region::map`], and the run lies in the accessible part.
    #[expect(unsafe_code, reason = "the memory belongs to Wasmtime's instance")]
    unsafe fn refill(&self, image: &Image, run: Range<usize>) {
        let view = image.view();
        let from_image = view.get(run.start..run.end.min(view.len()));
        let from_image = from_image.unwrap_or_default();
        // SAFETY: the caller promises the run; the image lies elsewhere.
        unsafe {
            let to = self.reservation.base().add(run.start);
            std::ptr::copy_nonoverlapping(from_image.as_ptr(), to, from_image.len());
            let behind = run.len() - from_image.len();
            std::ptr::write_bytes(to.add(from_image.len()), 0, behind);
        }
    }

    /// An image of what this memory holds now. `mapped` is the image that it maps.
    ///
    /// # Safety
    ///
    /// As for [`Region::map`].
    #[expect(unsafe_code, reason = "the memory belongs to Wasmtime's instance")]
    pub(crate) unsafe fn image(&self, mapped: &Image) -> io::Result<Image> {
        let filled = self.filled(mapped)?;
        // SAFETY: all parts lie in the accessible part of the reservation, and the caller promises
        // that nobody writes to it meanwhile.
        let part = |range: Range<usize>| unsafe {
            let start = self.reservation.base().add(range.start);
            (range.start, std::slice::from_raw_parts(start, range.len()))
        };
        Image::of(filled.into_iter().map(part))
    }

    /// Whether the memory holds what the image holds that it maps, for nobody wrote to it. `false`
    /// if the kernel does not tell.
    pub(crate) fn is_untouched(&self) -> bool {
        let Some(page_map) = page_map().filter(|_| !self.is_replaced()) else {
            return false;
        };
        let base = self.reservation.address();
        let stop_at_first = |_| Err(io::ErrorKind::AlreadyExists.into());
        dirty::scan(page_map, base..base + self.accessible(), stop_at_first).is_ok()
    }

    /// The parts that may hold something else than zeros: those of the image and those written to.
    fn filled(&self, mapped: &Image) -> io::Result<Vec<Range<usize>>> {
        let mut ranges = mapped.filled().to_vec();
        match page_map() {
            Some(page_map) => {
                let base = self.reservation.address();
                dirty::scan(page_map, base..base + self.accessible(), |run| {
                    ranges.push(run.start - base..run.end - base);
                    Ok(())
                })?;
            }
            None => ranges.push(0..self.accessible()),
        }
        ranges.sort_by_key(|range| range.start);
        let mut merged: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                Some(_) | None => merged.push(range),
            }
        }
        Ok(merged)
    }
}

/// Makes memories for an engine and keeps the addresses of those that are gone.
#[derive(Default)]
pub(crate) struct Memories {
    reservations: Arc<Reservations>,
    /// Those that are there, if they are to be found by their address.
    known: Option<Mutex<Vec<Weak<Region>>>>,
}

#[expect(unsafe_code, reason = "the trait is unsafe to implement")]
// SAFETY: a memory is a reservation of its own, of the length that is asked for and with inaccessible
// guard pages behind it; what is accessible is mapped from an image and zeros.
unsafe impl MemoryCreator for Memories {
    fn new_memory(
        &self,
        _: MemoryType,
        minimum: usize,
        maximum: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let seed = birth::next_seed();
        let bytes = seed.as_ref().map_or(minimum, |seed| seed.bytes);
        if bytes < minimum || maximum.is_some_and(|maximum| bytes > maximum) {
            return Err(format!(
                "a memory of {minimum} to {maximum:?} bytes cannot begin with {bytes} bytes"
            ));
        }
        let usable = page_end(reserved.unwrap_or(0).max(bytes));
        let made = self.make(seed.as_ref(), bytes, (usable, guard));
        let region = made.map_err(|error| format!("no memory of {bytes} bytes: {error}"))?;
        let region = Arc::new(region);
        birth::note(&region);
        self.note(&region);
        Ok(Box::new(Linear(region)))
    }
}

impl Memories {
    /// Memories that can be found by their address.
    pub(crate) fn findable() -> Self {
        Self {
            known: Some(Mutex::default()),
            ..Self::default()
        }
    }

    /// The memory that begins at this address.
    pub(crate) fn find(&self, base: *const u8) -> Option<Arc<Region>> {
        let known = self.known.as_ref()?;
        let known = known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = known.iter().filter_map(Weak::upgrade);
        known.find(|region| region.is_at(base))
    }

    fn note(&self, region: &Arc<Region>) {
        let Some(known) = &self.known else { return };
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|known| known.strong_count() > 0);
        known.push(Arc::downgrade(region));
    }

    fn make(
        &self,
        seed: Option<&Seed>,
        bytes: usize,
        (usable, guard): (usize, usize),
    ) -> io::Result<Region> {
        let reservation = Reservations::take(&self.reservations, usable, guard)?;
        match seed {
            Some(seed) => reservation.map(&seed.image, page_end(bytes))?,
            None => reservation.open(0..page_end(bytes))?,
        }
        Ok(Region {
            reservation,
            bytes: AtomicUsize::new(bytes),
            replaced_from: AtomicUsize::new(usize::MAX),
        })
    }
}

/// Wasmtime's side of a region.
struct Linear(Arc<Region>);

#[expect(unsafe_code, reason = "the trait is unsafe to implement")]
// SAFETY: the base is that of a reservation, which never moves; `byte_size` bytes from it are
// accessible, and `byte_capacity` bytes can become so.
unsafe impl LinearMemory for Linear {
    fn byte_size(&self) -> usize {
        self.0.bytes()
    }

    fn byte_capacity(&self) -> usize {
        self.0.reservation.usable()
    }

    fn grow_to(&mut self, bytes: usize) -> wasmtime::Result<()> {
        let region = &self.0;
        wasmtime::ensure!(
            bytes <= region.reservation.usable(),
            "no addresses for a memory of {bytes} bytes"
        );
        region
            .reservation
            .open(region.accessible()..page_end(bytes))?;
        region.bytes.store(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.0.reservation.base()
    }
}

/// Where the page ends in which a memory of this length ends.
fn page_end(bytes: usize) -> usize {
    bytes.next_multiple_of(rustix::param::page_size())
}
