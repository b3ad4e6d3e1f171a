//! A world of its own: no network, nobody else's mounts, names, queues and control groups.

use rustix::thread::UnshareFlags;

pub(super) fn leave_all() -> Result<(), String> {
    let all = UnshareFlags::NEWNET
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWCGROUP;
    // Whoever may not do it directly may often do it inside a user namespace of its own.
    unshare(all)
        .or_else(|_| unshare(all | UnshareFlags::NEWUSER))
        .map_err(|error| format!("unshare: {error}"))
}

#[expect(
    unsafe_code,
    reason = "the call is unsafe for flags that split what threads share"
)]
fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: the flags ask for namespaces only. Descriptors and memory, whose sharing other code
    // might rely on, stay as they are, and there is one thread.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}
