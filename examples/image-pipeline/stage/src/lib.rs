//! What the stages of the image pipeline have in common: requests and responses of a function of the
//! kind `core`, and pictures that arrive as a region or in the body.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod answer;
mod fetch;
mod host;
mod picture;
mod request;

pub use answer::{Answer, Failure};
pub use fetch::{Fetched, NotFetched, fetch};
pub use picture::{From, KEY, Passed, WHOLE, filter, hex, size_of_query, to_read};
pub use request::{RawRequest, Request};

/// Nanoseconds since some moment.
#[must_use]
pub fn now() -> i64 {
    host::now()
}

/// Fills a place with random bytes.
pub fn random(place: &mut [u8]) {
    host::random(place);
}

/// A text of the configuration's `settings`.
#[must_use]
pub fn setting(key: &str) -> Option<&'static str> {
    host::setting(key)
}

/// Makes a function the handler of this module's requests.
#[macro_export]
macro_rules! handler {
    ($handler:path) => {
        /// Called by the host for each request.
        ///
        /// # Safety
        /// The ranges are those that the host put into memory for this call.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn handle(
            method: *const u8,
            method_bytes: usize,
            path: *const u8,
            path_bytes: usize,
            headers: *const u8,
            headers_bytes: usize,
            body: *const u8,
            body_bytes: usize,
        ) -> u32 {
            let raw = $crate::RawRequest {
                method: (method, method_bytes),
                path: (path, path_bytes),
                headers: (headers, headers_bytes),
                body: (body, body_bytes),
            };
            // SAFETY: they are the host's.
            let request = unsafe { raw.request() };
            $crate::Answer::send($handler(&request))
        }

        /// Memory for what the host hands over.
        #[unsafe(no_mangle)]
        pub extern "C" fn alloc(bytes: usize) -> *mut u8 {
            $crate::room(bytes)
        }
    };
}

/// The allocator and the end of a module without a standard library.
#[macro_export]
macro_rules! bare {
    () => {
        #[cfg(target_arch = "wasm32")]
        #[global_allocator]
        static MEMORY: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

        // The compiler counts on it for comparing memory.
        #[cfg(target_arch = "wasm32")]
        #[link(name = "c")]
        unsafe extern "C" {}

        #[cfg(target_arch = "wasm32")]
        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo) -> ! {
            core::arch::wasm32::unreachable()
        }
    };
}

/// Room for what the host hands over; null if there is none.
#[must_use]
pub fn room(bytes: usize) -> *mut u8 {
    match core::alloc::Layout::from_size_align(bytes, 16) {
        // SAFETY: it is not of no bytes.
        Ok(layout) if bytes > 0 => unsafe { alloc::alloc::alloc(layout) },
        _ => core::ptr::null_mut(),
    }
}
