//! The host's functions with slices and references: the one place where pointers are made.
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "one reason for all: each pointer and length below is that of a live slice or \
              reference, and the host reads and writes nothing else"
)]

use core::mem::MaybeUninit;

use crate::abi::{self, RawCursor, RawDone, RawOp, RawOptions, RawStat, RawTerms};
use crate::{Error, Result};

pub(crate) fn open(name: &[u8], rights: u64) -> Result<u32> {
    answer(|out| unsafe { abi::open(name.as_ptr(), name.len(), rights, out) })
}

pub(crate) fn create(options: &RawOptions) -> Result<u32> {
    answer(|out| unsafe { abi::create(options, out) })
}

pub(crate) fn close(handle: u32) -> Result<()> {
    Error::check(unsafe { abi::close(handle) })
}

pub(crate) fn dup(handle: u32, rights: u64) -> Result<u32> {
    answer(|out| unsafe { abi::dup(handle, rights, out) })
}

pub(crate) fn lend(handle: u32, rights: u64, to: &[u8]) -> Result<[u8; 16]> {
    answer(|out| unsafe { abi::lend(handle, rights, to.as_ptr(), to.len(), out) })
}

pub(crate) fn transfer(handle: u32, to: &[u8]) -> Result<[u8; 16]> {
    answer(|out| unsafe { abi::transfer(handle, to.as_ptr(), to.len(), out) })
}

pub(crate) fn accept(ticket: &[u8; 16]) -> Result<u32> {
    answer(|out| unsafe { abi::accept(ticket, out) })
}

pub(crate) fn rights(handle: u32) -> Result<u64> {
    answer(|out| unsafe { abi::rights(handle, out) })
}

pub(crate) fn stat(handle: u32) -> Result<RawStat> {
    answer(|out| unsafe { abi::stat(handle, out) })
}

/// Size and version; *overflow* comes with the size needed. As many bytes of `buf` as the size says
/// are written.
pub(crate) fn get(handle: u32, key: &[u8], buf: &mut [MaybeUninit<u8>]) -> Result<(usize, u64)> {
    let (mut size, mut version) = (0, 0);
    let (at, room) = (buf.as_mut_ptr().cast(), buf.len());
    let errno = unsafe {
        abi::get(
            handle,
            key.as_ptr(),
            key.len(),
            at,
            room,
            &raw mut size,
            &raw mut version,
        )
    };
    sized(errno, size).map(|()| (size, version))
}

/// Where the value is, in memory of [`crate::events`]'s `wasi_map_alloc`, its size and version.
pub(crate) fn get_alloc(handle: u32, key: &[u8]) -> Result<(*mut u8, usize, u64)> {
    let (mut at, mut size, mut version) = (core::ptr::null_mut(), 0, 0);
    Error::check(unsafe {
        abi::get_alloc(
            handle,
            key.as_ptr(),
            key.len(),
            &raw mut at,
            &raw mut size,
            &raw mut version,
        )
    })
    .map(|()| (at, size, version))
}

pub(crate) fn set(handle: u32, key: &[u8], value: &[u8]) -> Result<()> {
    Error::check(unsafe { abi::set(handle, key.as_ptr(), key.len(), value.as_ptr(), value.len()) })
}

pub(crate) fn set_with(handle: u32, key: &[u8], value: &[u8], terms: &RawTerms) -> Result<u64> {
    versioned(|out| unsafe {
        let (key, key_len) = (key.as_ptr(), key.len());
        abi::set_with(
            handle,
            key,
            key_len,
            value.as_ptr(),
            value.len(),
            terms,
            out,
        )
    })
}

pub(crate) fn delete(handle: u32, key: &[u8]) -> Result<()> {
    Error::check(unsafe { abi::delete(handle, key.as_ptr(), key.len()) })
}

pub(crate) fn exists(handle: u32, key: &[u8]) -> Result<u32> {
    answer(|out| unsafe { abi::exists(handle, key.as_ptr(), key.len(), out) })
}

pub(crate) fn compare_and_swap(
    handle: u32,
    key: &[u8],
    expected: u64,
    value: &[u8],
) -> Result<u64> {
    versioned(|out| unsafe {
        let (key, key_len) = (key.as_ptr(), key.len());
        let (value, value_len) = (value.as_ptr(), value.len());
        abi::compare_and_swap(handle, key, key_len, expected, value, value_len, out)
    })
}

pub(crate) fn increment(handle: u32, key: &[u8], delta: i64) -> Result<i64> {
    answer(|out| unsafe { abi::increment(handle, key.as_ptr(), key.len(), delta, out) })
}

/// Bytes used of `buf`.
pub(crate) fn scan(
    handle: u32,
    prefix: &[u8],
    cursor: &mut RawCursor,
    buf: &mut [u8],
) -> Result<usize> {
    let mut used = 0;
    let errno = unsafe {
        let (prefix, prefix_len) = (prefix.as_ptr(), prefix.len());
        let (at, room) = (buf.as_mut_ptr(), buf.len());
        abi::scan(handle, prefix, prefix_len, cursor, at, room, &raw mut used)
    };
    sized(errno, used).map(|()| used)
}

/// There are as many `results` as `ops`. The keys and values that `ops` point to must live.
pub(crate) fn batch(handle: u32, ops: &[RawOp], results: &mut [RawDone]) -> i32 {
    let count = ops.len().min(results.len());
    unsafe { abi::batch(handle, ops.as_ptr(), count, results.as_mut_ptr()) }
}

pub(crate) fn clear(handle: u32) -> Result<()> {
    Error::check(unsafe { abi::clear(handle) })
}

pub(crate) fn watch(handle: u32, prefix: &[u8]) -> Result<u32> {
    answer(|out| unsafe { abi::watch(handle, prefix.as_ptr(), prefix.len(), out) })
}

/// Bytes used of `buf`.
pub(crate) fn next(watch: u32, timeout_ms: i64, buf: &mut [u8]) -> Result<usize> {
    let mut used = 0;
    let (at, room) = (buf.as_mut_ptr(), buf.len());
    let errno = unsafe { abi::next(watch, timeout_ms, at, room, &raw mut used) };
    sized(errno, used).map(|()| used)
}

pub(crate) fn unwatch(watch: u32) -> Result<()> {
    Error::check(unsafe { abi::unwatch(watch) })
}

pub(crate) fn put_map(handle: u32, key: &[u8], child: u32) -> Result<()> {
    Error::check(unsafe { abi::put_map(handle, key.as_ptr(), key.len(), child) })
}

pub(crate) fn get_map(handle: u32, key: &[u8]) -> Result<u32> {
    answer(|out| unsafe { abi::get_map(handle, key.as_ptr(), key.len(), out) })
}

pub(crate) fn region_create(handle: u32, key: &[u8], len: u64) -> Result<()> {
    Error::check(unsafe { abi::region_create(handle, key.as_ptr(), key.len(), len) })
}

fn answer<T: Default>(call: impl FnOnce(&mut T) -> i32) -> Result<T> {
    let mut out = T::default();
    Error::check(call(&mut out)).map(|()| out)
}

/// *Again* comes with the version that the entry has.
fn versioned(call: impl FnOnce(&mut u64) -> i32) -> Result<u64> {
    let mut version = 0;
    match Error::of(call(&mut version)) {
        None => Ok(version),
        Some(Error::Again { .. }) => Err(Error::Again { current: version }),
        Some(other) => Err(other),
    }
}

/// *Overflow* comes with the size needed.
fn sized(errno: i32, needed: usize) -> Result<()> {
    match Error::of(errno) {
        None => Ok(()),
        Some(Error::Overflow { .. }) => Err(Error::Overflow { needed }),
        Some(other) => Err(other),
    }
}
