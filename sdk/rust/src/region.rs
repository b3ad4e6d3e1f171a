//! Regions: values that are mapped into the module's memory instead of being copied.

use core::ops::{Deref, DerefMut};
use core::{ptr, slice};

use crate::abi;
use crate::calls;
use crate::error::{Error, Result};
use crate::map::Map;

/// What of a region is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where it begins: a multiple of 64 KiB.
    pub offset: u64,
    /// How long it is, from 1 on.
    pub len: usize,
}

/// A mapping to read. What is written to it stays with this module, and reaches nobody else.
#[derive(Debug)]
pub struct View<'a>(Mapped<'a>);

/// A mapping to write, which excludes all others while it lasts.
#[derive(Debug)]
pub struct ViewMut<'a>(Mapped<'a>);

#[derive(Debug)]
struct Mapped<'a> {
    address: *mut u8,
    len: usize,
    _map: &'a Map,
}

const READ: u32 = 1;
const WRITE: u32 = 2;

/// Makes a region of zeros as the value of a key. It counts against the map's quota.
///
/// # Errors
/// [`Error::NoSpace`]; [`Error::NotSupported`]: the map, or the host, has no regions.
pub fn create(map: &Map, key: &[u8], len: u64) -> Result<()> {
    calls::region_create(map.handle(), key, len)
}

/// Maps a part of a region to read it.
///
/// # Errors
/// [`Error::NoEntry`]: there is none; [`Error::Invalid`]: the entry is no region, or the span is
/// not in it; [`Error::Again`]: somebody may be writing to it; [`Error::NotCapable`] without [`Rights::MAP_READ`](crate::Rights::MAP_READ).
pub fn read<'a>(map: &'a Map, key: &[u8], span: Span) -> Result<View<'a>> {
    mapped(map, key, span, READ).map(View)
}

/// Maps a part of a region to read and write it.
///
/// # Errors
/// As [`read`]; [`Error::Again`] also while somebody reads it.
pub fn write<'a>(map: &'a Map, key: &[u8], span: Span) -> Result<ViewMut<'a>> {
    mapped(map, key, span, READ | WRITE).map(ViewMut)
}

fn mapped<'a>(map: &'a Map, key: &[u8], span: Span, protection: u32) -> Result<Mapped<'a>> {
    let mut address = ptr::null_mut();
    // SAFETY: pointers and lengths are those of a live slice and of a local.
    let errno = unsafe {
        abi::region_map(
            map.handle(),
            key.as_ptr(),
            key.len(),
            span.offset,
            span.len,
            protection,
            &raw mut address,
        )
    };
    Error::check(errno).map(|()| Mapped {
        address,
        len: span.len,
        _map: map,
    })
}

impl Drop for Mapped<'_> {
    fn drop(&mut self) {
        // SAFETY: the host put the mapping there; nobody borrows it any more. What cannot be taken
        // away is gone already.
        let _ = unsafe { abi::region_unmap(self.address, self.len) };
    }
}

impl Deref for View<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the host mapped `len` bytes there, in memory that it grew for them.
        unsafe { slice::from_raw_parts(self.0.address, self.0.len) }
    }
}

impl Deref for ViewMut<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: as above.
        unsafe { slice::from_raw_parts(self.0.address, self.0.len) }
    }
}

impl DerefMut for ViewMut<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and the host gives a writable mapping to one at a time.
        unsafe { slice::from_raw_parts_mut(self.0.address, self.0.len) }
    }
}
