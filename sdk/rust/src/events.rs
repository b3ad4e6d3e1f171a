//! What the host calls: memory for large values, and the macros for a module's own callbacks.

use alloc::alloc::{Layout, alloc};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Memory for a value that the host hands over. Answers 0 if there is none, or for no bytes.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
#[must_use]
pub extern "C" fn wasi_map_alloc(len: usize) -> *mut u8 {
    match Layout::array::<u8>(len) {
        // SAFETY: the layout is not empty.
        Ok(layout) if len > 0 => unsafe { alloc(layout) },
        Ok(_) | Err(_) => core::ptr::null_mut(),
    }
}

/// Takes over what [`wasi_map_alloc`] gave out.
///
/// # Safety
/// `at` must come from `wasi_map_alloc(size)`, hold `size` initialised bytes, and belong to nobody
/// else; or `size` is 0.
pub(crate) unsafe fn take(at: *mut u8, size: usize) -> Vec<u8> {
    if size == 0 {
        return Vec::new();
    }
    let bytes = core::ptr::slice_from_raw_parts_mut(at, size);
    // SAFETY: as the caller promises; `size` bytes have the layout of a box of such a slice.
    unsafe { Box::from_raw(bytes) }.into_vec()
}

/// Exports the callback that the host makes when a watch has something to tell.
///
/// The context is that of the Proxy-Wasm plugin which began the watch (0 elsewhere), the watch is
/// the number that [`Watch::id`](crate::Watch::id) tells.
///
/// ```
/// wasi_map::on_change!(|context, watch| {
///     let _ = (context, watch);
/// });
/// ```
#[macro_export]
macro_rules! on_change {
    (|$context:pat_param, $watch:pat_param| $body:expr) => {
        #[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
        extern "C" fn wasi_map_on_change(context: u32, watch: u32) {
            let ($context, $watch) = (context, watch);
            $body
        }
        const _: extern "C" fn(u32, u32) = wasi_map_on_change;
    };
}

/// Exports the callback that the host makes when a map is gone that this module had borrowed, or
/// had put a reference to somewhere. It is called once for each, never inside another call.
///
/// ```
/// wasi_map::on_release!(|map| {
///     let _: i64 = map;
/// });
/// ```
#[macro_export]
macro_rules! on_release {
    (|$map:pat_param| $body:expr) => {
        #[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
        extern "C" fn wasi_map_on_release(map: i64) {
            let $map = map;
            $body
        }
        const _: extern "C" fn(i64) = wasi_map_on_release;
    };
}
