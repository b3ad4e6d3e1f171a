//! Locks on single bytes of a file, which the kernel gives back when their holder has died.
//!
//! They belong to the open file (`F_OFD_SETLK`), so they work across containers and do not care for
//! process numbers; a child that inherited the open file keeps its parent's locks.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Locks a byte; `false`: somebody else has it.
pub(crate) fn take(file: &File, byte: u64) -> io::Result<bool> {
    match set(file, byte, libc::F_WRLCK) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives it back.
pub(crate) fn give(file: &File, byte: u64) -> io::Result<()> {
    set(file, byte, libc::F_UNLCK)
}

fn set(file: &File, byte: u64, kind: libc::c_int) -> io::Result<()> {
    let too_far = |_| io::ErrorKind::InvalidInput;
    let request = libc::flock {
        l_type: libc::c_short::try_from(kind).map_err(too_far)?,
        l_whence: libc::c_short::try_from(libc::SEEK_SET).map_err(too_far)?,
        l_start: libc::off_t::try_from(byte).map_err(too_far)?,
        l_len: 1,
        l_pid: 0,
    };
    #[expect(
        unsafe_code,
        reason = "no safe crate here locks a byte of an open file"
    )]
    // SAFETY: the descriptor is open for as long as `file` is borrowed, and the kernel only reads the
    // structure, which is its own.
    let done = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const request) };
    if done == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}
