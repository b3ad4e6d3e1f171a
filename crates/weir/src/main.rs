//! The `weir` program.

use std::process::ExitCode;

/// Bodies come and go in pieces of tens of kilobytes. The system's allocator gives such pieces back
/// to the kernel and faults them in again, request after request; this one keeps a few
/// (decision 011).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    weir::main(std::env::args_os().collect())
}
