//! Landlock: no path can be opened, whatever the user may do; no TCP port, no foreign signal.

use std::os::fd::{FromRawFd as _, OwnedFd};

use super::checked;

/// `struct landlock_ruleset_attr` (landlock(7)), as of its sixth version.
#[repr(C)]
struct Ruleset {
    handled_access_fs: u64,
    handled_access_net: u64,
    scoped: u64,
}

/// Asks for the version instead of a ruleset.
const VERSION: u32 = 1;

/// Restricts this thread, and with it every thread that it starts, to nothing.
#[expect(unsafe_code, reason = "no library offers these system calls yet")]
pub(super) fn refuse_all() -> Result<(), String> {
    let create = libc::SYS_landlock_create_ruleset;
    // SAFETY: with this flag the kernel reads no memory: the pointer is null and the size zero.
    let version =
        checked(unsafe { libc::syscall(create, std::ptr::null::<Ruleset>(), 0, VERSION) })
            .map_err(|error| format!("this kernel has no Landlock: {error}"))?;
    let ruleset = ruleset(version);
    let bytes = size_of::<u64>()
        * if version < 4 {
            1
        } else if version < 6 {
            2
        } else {
            3
        };
    // SAFETY: the pointer is to a live structure of the kernel's layout, of which at least `bytes`
    // bytes may be read.
    let descriptor = checked(unsafe { libc::syscall(create, &raw const ruleset, bytes, 0) })
        .map_err(|error| format!("landlock_create_ruleset: {error}"))?;
    let descriptor = i32::try_from(descriptor).map_err(|error| error.to_string())?;
    // SAFETY: the kernel has just given this descriptor, which nobody else has.
    let _closed_at_the_end = unsafe { OwnedFd::from_raw_fd(descriptor) };
    // SAFETY: the arguments are numbers.
    checked(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, descriptor, 0) })
        .map(drop)
        .map_err(|error| format!("landlock_restrict_self: {error}"))
}

/// Everything that this version of Landlock can refuse.
fn ruleset(version: libc::c_long) -> Ruleset {
    // The first version knows 13 rights on files; later ones added referring, truncating and
    // controlling devices (landlock(7)).
    let rights = match version {
        ..=1 => 13,
        2 => 14,
        3 | 4 => 15,
        5.. => 16,
    };
    Ruleset {
        handled_access_fs: (1 << rights) - 1,
        // Binding and connecting TCP sockets.
        handled_access_net: 0b11,
        // Abstract Unix sockets and signals to processes outside.
        scoped: 0b11,
    }
}
