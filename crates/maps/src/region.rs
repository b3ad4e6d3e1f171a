//! Regions: values that are pages of memory, so that guests can map them instead of copying them.
//!
//! A region is an anonymous file (`memfd`) that is sealed against shrinking and whose pages all
//! exist from the start: whoever maps it never meets a page that is not there. Invariant: while
//! somebody may write to a region nobody else reads it, by mapping or by copying. So no memory that
//! a host function looks at is changed by another thread.

mod stay;

use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags};
use weir_model::limits::maps as limits;

use crate::MapError;
use crate::map::Map;
use crate::store::{Condition, Seen, Store, Terms};
use crate::value::Value;

pub(crate) use stay::Stay;

/// Where in a region, and in a guest's memory, mappings begin: a page of WebAssembly.
pub const GRAIN: u32 = 64 << 10;

/// Nobody has the region.
const FREE: u32 = 0;
/// Somebody may write to it. Every other number is that of its readers.
const WRITTEN: u32 = u32::MAX;

/// The regions of one engine: each takes a file descriptor, mapped or not.
#[derive(Clone, Debug, Default)]
pub struct Regions(Arc<AtomicUsize>);

/// Pages of memory that are a value.
pub struct Region {
    file: File,
    bytes: usize,
    /// [`FREE`], [`WRITTEN`], or how many read it.
    held: AtomicU32,
    of: Regions,
}

/// What somebody who has a region may do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read it, with others.
    Read,
    /// Read and write it, alone.
    Write,
}

impl Access {
    /// As `region_map` says it: 1 to read; 2, or both, to write.
    ///
    /// # Errors
    /// [`MapError::Invalid`].
    pub fn of_abi(prot: u32) -> Result<Self, MapError> {
        match prot {
            1 => Ok(Self::Read),
            2 | 3 => Ok(Self::Write),
            _ => Err(MapError::Invalid("a protection is 1, 2 or 3")),
        }
    }
}

impl Regions {
    /// A region of zeros.
    ///
    /// # Errors
    /// [`MapError::Invalid`]: no bytes; [`MapError::NoSpace`]: more than a region may have;
    /// [`MapError::NoMemory`]: too many regions; [`MapError::Io`]: the system gives no memory.
    pub fn make(&self, bytes: u64) -> Result<Arc<Region>, MapError> {
        if bytes == 0 {
            return Err(MapError::Invalid("a region has at least one byte"));
        }
        let max = limits::REGION_BYTES_MAX;
        let length = usize::try_from(bytes).ok().filter(|_| bytes <= max);
        let what = "bytes of a region";
        let length = length.ok_or(MapError::NoSpace { what, max })?;
        let taken = self.0.fetch_add(1, Ordering::Relaxed);
        let max = limits::REGIONS_MAX;
        let file = if taken < max {
            file(length).map_err(|error| {
                MapError::Io(format!("the system gives no memory for a region: {error}"))
            })
        } else {
            let what = "regions of this gateway";
            Err(MapError::NoMemory { what, max })
        };
        let file = file.inspect_err(|_| {
            self.0.fetch_sub(1, Ordering::Relaxed);
        });
        Ok(Arc::new(Region {
            file: file?,
            bytes: length,
            held: AtomicU32::new(FREE),
            of: self.clone(),
        }))
    }

    /// How many there are, those included that are mapped and in no map any more.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A sealed file with all of its pages.
fn file(bytes: usize) -> rustix::io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = File::from(rustix::fs::memfd_create(c"weir-region", flags)?);
    let room = whole_pages(bytes) as u64;
    rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, room)?;
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    Ok(file)
}

/// Bytes of the pages that these take.
fn whole_pages(bytes: usize) -> usize {
    bytes.next_multiple_of(rustix::param::page_size())
}

impl Region {
    /// Its length as it was asked for.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What it takes up: whole pages.
    #[must_use]
    pub fn room(&self) -> usize {
        whole_pages(self.bytes)
    }

    /// A copy of all of it, for an entry of this version.
    ///
    /// # Errors
    /// [`MapError::Again`]: somebody may be writing to it; [`MapError::NoSpace`]: it is longer than
    /// values are in this map.
    pub fn copy(&self, version: u64, bytes_max: usize) -> Result<Bytes, MapError> {
        if self.bytes > bytes_max {
            let max = bytes_max as u64;
            let what = "bytes of a value";
            return Err(MapError::NoSpace { what, max });
        }
        let mut bytes = vec![0; self.bytes];
        self.take(Access::Read, version)?;
        let read = self.file.read_exact_at(&mut bytes, 0);
        self.give(Access::Read);
        read.map_err(|error| MapError::Io(error.to_string()))?;
        Ok(bytes.into())
    }

    fn check(&self, range: Range<u64>) -> Result<(), MapError> {
        if range.start > range.end || range.end > self.bytes as u64 {
            return Err(MapError::Invalid("the range is not in the region"));
        }
        Ok(())
    }

    /// # Errors
    /// [`MapError::Again`]: somebody else has it and one of the two would write.
    fn take(&self, access: Access, version: u64) -> Result<(), MapError> {
        let next = |held: u32| match (access, held) {
            (Access::Write, FREE) => Some(WRITTEN),
            (Access::Read, held) if held < WRITTEN - 1 => Some(held + 1),
            (Access::Read | Access::Write, _) => None,
        };
        // What the last one wrote is there for the next one.
        let (taken, seen) = (Ordering::Acquire, Ordering::Relaxed);
        let held = self.held.fetch_update(taken, seen, next);
        held.map(|_| ())
            .map_err(|_| MapError::Again { current: version })
    }

    fn give(&self, access: Access) {
        match access {
            Access::Read => self.held.fetch_sub(1, Ordering::Release),
            Access::Write => self.held.swap(FREE, Ordering::Release),
        };
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        self.of.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region")
            .field("bytes", &self.bytes)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

/// A region that somebody has, to map it or to copy parts of it. It outlives entry, handle and map.
///
/// Dropping it gives the region back; if it was written to, or mapped to be, and the entry still holds
/// the region, the entry gets a new version first. Memory that maps the region is to be unmapped
/// before.
#[derive(Debug)]
pub struct Lease {
    region: Arc<Region>,
    /// Its stay in the entry that it was taken from.
    stay: Arc<Stay>,
    access: Access,
    map: Weak<Map>,
    key: Box<[u8]>,
    /// Something may have been written.
    is_written: AtomicBool,
}

impl Lease {
    /// Takes the region that an entry holds, if these bytes are in it.
    pub(crate) fn take(
        map: &Arc<Map>,
        key: &[u8],
        (access, range): (Access, Range<u64>),
    ) -> Result<Self, MapError> {
        let find = |seen: Seen<'_>| (seen.value.stay_of_region(), seen.version);
        let found = map.store().read(key, &mut { find }).now()?;
        let (region, version) = found.ok_or(MapError::NoEntry)?;
        let (region, stay) = region.ok_or(MapError::Invalid("the entry is no region"))?;
        region.check(range)?;
        if !stay.hold() {
            // It is just being replaced.
            return Err(MapError::Again { current: version });
        }
        if let Err(error) = region.take(access, version) {
            stay.let_go();
            return Err(error);
        }
        Ok(Self {
            region,
            stay,
            access,
            map: Arc::downgrade(map),
            key: key.into(),
            is_written: AtomicBool::new(false),
        })
    }

    pub(crate) fn region(&self) -> &Arc<Region> {
        &self.region
    }

    /// What may be done with it.
    #[must_use]
    pub fn access(&self) -> Access {
        self.access
    }

    /// The length of the region.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.region.bytes
    }

    /// The file to map: as long as the region's pages, sealed against shrinking, every page of it
    /// there. It is to be mapped privately, or by who may write shared.
    #[must_use]
    pub fn file(&self) -> BorrowedFd<'_> {
        self.note_written();
        self.region.file.as_fd()
    }

    /// Copies bytes from a place on.
    ///
    /// # Errors
    /// [`MapError::Invalid`]: they are not all in the region.
    pub fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<(), MapError> {
        self.check(offset, bytes.len() as u64)?;
        let read = self.region.file.read_exact_at(bytes, offset);
        read.map_err(|error| MapError::Io(error.to_string()))
    }

    /// Copies bytes to a place.
    ///
    /// # Errors
    /// [`MapError::Invalid`]: they would not all be in the region; [`MapError::NotCapable`]: it is
    /// for reading only.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), MapError> {
        if self.access == Access::Read {
            return Err(MapError::NotCapable);
        }
        self.check(offset, bytes.len() as u64)?;
        self.note_written();
        let written = self.region.file.write_all_at(bytes, offset);
        written.map_err(|error| MapError::Io(error.to_string()))
    }

    /// What can be said of a range to be mapped without looking at the region.
    ///
    /// # Errors
    /// [`MapError::Invalid`].
    pub fn check_grain(offset: u64, bytes: u32) -> Result<(), MapError> {
        if bytes == 0 {
            return Err(MapError::Invalid("a mapping has at least one byte"));
        }
        if !offset.is_multiple_of(GRAIN.into()) {
            return Err(MapError::Invalid("an offset is a multiple of 64 KiB"));
        }
        Ok(())
    }

    /// # Errors
    /// [`MapError::Invalid`]: these bytes are not all in the region.
    pub fn check(&self, offset: u64, bytes: u64) -> Result<(), MapError> {
        self.region.check(offset..offset.saturating_add(bytes))
    }

    fn note_written(&self) {
        if self.access == Access::Write {
            self.is_written.store(true, Ordering::Relaxed);
        }
    }

    /// Gives the entry a new version, if it still holds this region.
    fn publish(&self) {
        let Some(map) = self.map.upgrade() else {
            return;
        };
        let is_ours = |seen: Seen<'_>| {
            let region = seen.value.as_region();
            region
                .is_some_and(|region| Arc::ptr_eq(region, &self.region))
                .then_some(seen.version)
        };
        let found = map.store().read(&self.key, &mut { is_ours }).now();
        let Ok(Some(Some(version))) = found else {
            return;
        };
        let value = Value::region_staying(&self.region, &self.stay);
        let terms = Terms::on(Condition::Version(version));
        // Refused only if the entry is another one by now.
        let _ = map.store().write(&self.key, value, terms).now();
    }
}

/// Leases are equal if they are the same one.
impl PartialEq for Lease {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Lease {}

impl Drop for Lease {
    fn drop(&mut self) {
        if *self.is_written.get_mut() {
            self.publish();
        }
        self.region.give(self.access);
        self.stay.let_go();
    }
}
