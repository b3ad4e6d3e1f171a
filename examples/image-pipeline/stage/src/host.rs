//! The calls of `weir_v1` that the stages use.

use core::{slice, str};

/// Address and length.
pub(crate) type Range = (*const u8, usize);

#[cfg(target_arch = "wasm32")]
mod calls {
    #[link(wasm_import_module = "weir_v1")]
    unsafe extern "C" {
        pub(super) fn clock_monotonic() -> i64;
        pub(super) fn random(place: *mut u8, bytes: usize) -> i32;
        pub(super) fn setting(key: *const u8, bytes: usize, out: *mut [usize; 2]) -> i32;
        pub(super) fn respond_header(
            name: *const u8,
            name_bytes: usize,
            value: *const u8,
            value_bytes: usize,
        ) -> i32;
        pub(super) fn respond_status(status: u32) -> i32;
        pub(super) fn respond_write(bytes: *const u8, length: usize) -> i32;
        pub(super) fn fetch(
            method: *const u8,
            method_bytes: usize,
            url: *const u8,
            url_bytes: usize,
            headers: *const u8,
            headers_bytes: usize,
            body: *const u8,
            body_bytes: usize,
            out: *mut [usize; 5],
        ) -> i32;
    }
}

/// Elsewhere there is no host.
#[cfg(not(target_arch = "wasm32"))]
#[expect(clippy::too_many_arguments, reason = "as the host has them")]
mod calls {
    const NOTSUP: i32 = 58;
    pub(super) unsafe fn clock_monotonic() -> i64 {
        0
    }
    pub(super) unsafe fn random(_: *mut u8, _: usize) -> i32 {
        NOTSUP
    }
    pub(super) unsafe fn setting(_: *const u8, _: usize, _: *mut [usize; 2]) -> i32 {
        NOTSUP
    }
    pub(super) unsafe fn respond_header(_: *const u8, _: usize, _: *const u8, _: usize) -> i32 {
        NOTSUP
    }
    pub(super) unsafe fn respond_status(_: u32) -> i32 {
        NOTSUP
    }
    pub(super) unsafe fn respond_write(_: *const u8, _: usize) -> i32 {
        NOTSUP
    }
    pub(super) unsafe fn fetch(
        _: *const u8,
        _: usize,
        _: *const u8,
        _: usize,
        _: *const u8,
        _: usize,
        _: *const u8,
        _: usize,
        _: *mut [usize; 5],
    ) -> i32 {
        NOTSUP
    }
}

pub(crate) fn now() -> i64 {
    // SAFETY: it takes nothing.
    unsafe { calls::clock_monotonic() }
}

pub(crate) fn random(place: &mut [u8]) {
    // SAFETY: the range is a live slice's. It is refused for nothing but its length.
    unsafe { calls::random(place.as_mut_ptr(), place.len()) };
}

pub(crate) fn setting(key: &str) -> Option<&'static str> {
    let mut out = [0; 2];
    // SAFETY: the ranges are those of a live text and of a local.
    let errno = unsafe { calls::setting(key.as_ptr(), key.len(), &raw mut out) };
    // SAFETY: the host put the text into memory that it got from `alloc`, which nobody frees.
    let text = || unsafe { slice::from_raw_parts(out[0] as *const u8, out[1]) };
    (errno == 0)
        .then(text)
        .and_then(|text| str::from_utf8(text).ok())
}

pub(crate) fn header(name: &str, value: &str) {
    // SAFETY: the ranges are live texts'. A refused header is one that this module should not send.
    unsafe { calls::respond_header(name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
}

pub(crate) fn status(status: u32) {
    // SAFETY: it takes a number.
    unsafe { calls::respond_status(status) };
}

pub(crate) fn write(bytes: &[u8]) {
    // SAFETY: the range is a live slice's. A client that is gone ends this instance.
    unsafe { calls::respond_write(bytes.as_ptr(), bytes.len()) };
}

/// Error, status and body; headers are left out.
pub(crate) fn fetch(
    (method, url, headers): (&str, &str, &str),
    body: &[u8],
) -> (i32, usize, &'static [u8]) {
    let mut out = [0; 5];
    // SAFETY: the ranges are live slices' and a local's.
    let errno = unsafe {
        calls::fetch(
            method.as_ptr(),
            method.len(),
            url.as_ptr(),
            url.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            &raw mut out,
        )
    };
    let [status, _, _, at, bytes] = out;
    if at == 0 {
        return (errno, status, &[]);
    }
    // SAFETY: the host put it into memory that it got from `alloc`, which nobody frees.
    let body = unsafe { slice::from_raw_parts(at as *const u8, bytes) };
    (errno, status, body)
}
