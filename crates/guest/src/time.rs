//! The clock of the running time of guests.

use std::time::Duration;

/// Processor time that this thread has used.
#[must_use]
pub fn thread_time() -> Duration {
    let mut spec = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    #[expect(
        unsafe_code,
        reason = "the standard library has no clock of the thread's own time"
    )]
    // SAFETY: `spec` is a valid, exclusively borrowed timespec, and the clock id is a constant that
    // Linux always has; on failure the zeroed value stays.
    unsafe {
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut spec);
    }
    let seconds = u64::try_from(spec.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(spec.tv_nsec).unwrap_or(0))
}
