//! The handler as a core module with the plain ABI (docs/functions.md).

use std::alloc::Layout;

#[link(wasm_import_module = "weir_v1")]
unsafe extern "C" {
    fn respond_header(name: *const u8, name_bytes: usize, value: *const u8, value_bytes: usize) -> i32;
    fn respond_write(bytes: *const u8, count: usize) -> i32;
}

/// Memory for the request. An instance answers one, so nothing is ever freed.
#[unsafe(no_mangle)]
extern "C" fn alloc(bytes: usize) -> *mut u8 {
    match Layout::from_size_align(bytes.max(1), 8) {
        // SAFETY: the layout is not empty.
        Ok(layout) => unsafe { std::alloc::alloc(layout) },
        Err(_) => std::ptr::null_mut(),
    }
}

/// Answers one request.
///
/// # Safety
///
/// The host gives addresses and lengths of what it has put into memory.
#[unsafe(no_mangle)]
unsafe extern "C" fn handle(
    _: *const u8, _: usize,
    path: *const u8, path_bytes: usize,
    _: *const u8, _: usize,
    _: *const u8, _: usize,
) -> i32 {
    // SAFETY: see above.
    let path = unsafe { std::slice::from_raw_parts(path, path_bytes) };
    let answer = bench_work::answer(std::str::from_utf8(path).unwrap_or("/"));
    let (name, value) = ("content-type", "text/plain");
    // SAFETY: all ranges are of live strings.
    unsafe {
        respond_header(name.as_ptr(), name.len(), value.as_ptr(), value.len());
        respond_write(answer.as_ptr(), answer.len());
    }
    0
}
