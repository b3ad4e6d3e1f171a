//! System calls that the probe makes itself: by way of the standard library they would make the
//! module larger.

/// A number from the host's random source.
pub fn random() -> u64 {
    let mut bytes = [0; 8];
    // SAFETY: the buffer is as long as said.
    unsafe { random_get(bytes.as_mut_ptr(), bytes.len()) };
    u64::from_le_bytes(bytes)
}

/// Writes one line to standard output (1) or standard error (2).
pub fn print(descriptor: u32, text: &str) {
    let line = format!("{text}\n");
    let part = Part {
        bytes: line.as_ptr(),
        size: line.len(),
    };
    let mut written = 0;
    // SAFETY: there is one part, which lives as long as `line`.
    unsafe { fd_write(descriptor, &raw const part, 1, &raw mut written) };
}

/// Ends the module.
pub fn exit(code: u32) -> ! {
    // SAFETY: the call has no preconditions.
    unsafe { proc_exit(code) };
    // Envoy comes back from it.
    std::process::abort()
}

#[repr(C)]
struct Part {
    bytes: *const u8,
    size: usize,
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn random_get(bytes: *mut u8, size: usize) -> u32;
    fn fd_write(descriptor: u32, parts: *const Part, count: usize, written: *mut usize) -> u32;
    fn proc_exit(code: u32);
}
