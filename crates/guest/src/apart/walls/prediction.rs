//! Speculation that leaks between processes (Spectre variants 2 and 4), as far as the processor lets
//! a process turn it off for itself.

use std::io;

use super::checked;

// prctl(2) and the kernel's `spec_ctrl` text; the C library's names are not in every version of it.
const GET_SPECULATION: libc::c_int = 52;
const SET_SPECULATION: libc::c_int = 53;
const STORE_BYPASS: libc::c_ulong = 0;
const INDIRECT_BRANCH: libc::c_ulong = 1;
/// The state of a processor that does not have the weakness.
const NOT_AFFECTED: libc::c_long = 0;
/// The process may decide.
const BY_PROCESS: libc::c_long = 1;
/// It is off: for now, or for good.
const OFF: libc::c_long = 4 | 8;
const TURN_OFF_FOR_GOOD: libc::c_ulong = 8;

pub(super) fn isolate() -> Result<(), String> {
    turn_off(INDIRECT_BRANCH, "indirect branches")?;
    turn_off(STORE_BYPASS, "store bypass")
}

fn turn_off(what: libc::c_ulong, name: &str) -> Result<(), String> {
    let failed = |error: io::Error| format!("{name}: {error}");
    let state = control(GET_SPECULATION, what, 0).map_err(failed)?;
    if state == NOT_AFFECTED || state & OFF != 0 {
        return Ok(());
    }
    if state & BY_PROCESS == 0 {
        return Err(format!("{name}: the system does not let a process decide"));
    }
    control(SET_SPECULATION, what, TURN_OFF_FOR_GOOD)
        .map(drop)
        .map_err(failed)
}

#[expect(unsafe_code, reason = "no library offers this control")]
fn control(
    operation: libc::c_int,
    what: libc::c_ulong,
    how: libc::c_ulong,
) -> io::Result<libc::c_long> {
    let zero: libc::c_ulong = 0;
    // SAFETY: all arguments are numbers.
    checked(unsafe { libc::prctl(operation, what, how, zero, zero) }.into())
}
