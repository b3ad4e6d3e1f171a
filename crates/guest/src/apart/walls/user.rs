//! Another user than the gateway's.

use std::io;

use super::checked;

/// Changes user and group for good, which only root can.
#[expect(
    unsafe_code,
    reason = "the standard library cannot change the user of a process that runs"
)]
pub(super) fn become_nobody(user: u32) -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("the gateway does not run as root, so its plugins run as its user".to_owned());
    }
    let failed = |what: &str, error: io::Error| format!("{what}: {error}");
    // SAFETY: no pointer is read: the list of groups is empty.
    checked(unsafe { libc::setgroups(0, std::ptr::null()) }.into())
        .map_err(|error| failed("setgroups", error))?;
    // SAFETY: the arguments are numbers.
    checked(unsafe { libc::setresgid(user, user, user) }.into())
        .map_err(|error| failed("setresgid", error))?;
    // SAFETY: the arguments are numbers.
    checked(unsafe { libc::setresuid(user, user, user) }.into())
        .map_err(|error| failed("setresuid", error))?;
    // SAFETY: the argument is a number; this must fail.
    if unsafe { libc::setuid(0) } == 0 {
        return Err("the process could become root again".to_owned());
    }
    Ok(())
}
