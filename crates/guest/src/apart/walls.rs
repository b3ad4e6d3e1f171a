//! What a plugin's process shuts behind itself before it runs anything of the plugin.
//!
//! Each wall holds by itself. What the system does not allow is reported, never hidden: whoever reads
//! the gateway's log or admin page learns which walls stand. Invariant: a wall that was reported as
//! standing was seen to stand, and cannot be taken down from inside.

mod files;
mod namespaces;
mod prediction;
mod resources;
mod system_calls;
mod user;

use std::fmt;
use std::io;

use rustix::process::Signal;
use rustix::thread::{CapabilitySet, CapabilitySets};
use weir_model::GuestLimits;

/// Where a plugin's process is to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refuge {
    /// The user and group that it becomes if the gateway runs as root.
    pub user: u32,
    /// The most VMs that it will have at once. One: there are no snapshots.
    pub vms: u32,
}

/// One wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wall {
    /// Limits of the system: memory, descriptors, processes, files, core dumps.
    Resources,
    /// A user of its own, without capabilities.
    User,
    /// A network, mounts, names and IPC of its own.
    Namespaces,
    /// No path can be opened (Landlock).
    Files,
    /// Branch prediction and store bypass are not shared with others.
    Prediction,
    /// Only the system calls that a running VM needs (seccomp).
    SystemCalls,
}

/// What became of a wall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which.
    pub wall: Wall,
    /// Why it does not stand; `None`: it stands.
    pub missing: Option<String>,
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resources => "resource limits",
            Self::User => "a user of its own",
            Self::Namespaces => "namespaces",
            Self::Files => "no files (Landlock)",
            Self::Prediction => "branch prediction of its own",
            Self::SystemCalls => "system calls (seccomp)",
        })
    }
}

/// Puts up the walls that a single-threaded process can, before it has threads and code.
/// `limits`: of its plugin.
#[must_use]
pub fn enter(refuge: &Refuge, limits: &GuestLimits) -> Vec<Report> {
    let of_each = limits.memory_bytes.saturating_mul(refuge.vms.into());
    let mut reports = vec![
        report(
            Wall::Resources,
            resources::cap_memory(of_each.min(limits.total_memory_bytes)),
        ),
        report(Wall::Namespaces, namespaces::leave_all()),
        report(
            Wall::User,
            user::become_nobody(refuge.user).and_then(|()| drop_capabilities()),
        ),
    ];
    // Whatever fails here is seen by the walls that need it.
    let _ = rustix::thread::set_no_new_privs(true);
    // The socket's end tells the same; this is for a process that does not look at it. A change of
    // user takes it away, so it comes after.
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    reports.push(report(Wall::Files, files::refuse_all()));
    reports.push(report(Wall::Prediction, prediction::isolate()));
    reports
}

/// Puts up the last walls, when all threads run and all code is loaded. Arguments as for [`enter`].
pub fn seal(refuge: &Refuge, limits: &GuestLimits, reports: &mut Vec<Report>) {
    let snapshots = Snapshots::of(*refuge, limits.memory_bytes);
    if let Err(reason) = resources::freeze(&snapshots) {
        reports.retain(|report| report.wall != Wall::Resources);
        reports.push(report(Wall::Resources, Err(reason)));
    }
    reports.push(report(
        Wall::SystemCalls,
        system_calls::allow_few(&snapshots),
    ));
}

/// What snapshots need of the system.
enum Snapshots {
    None,
    /// Files without names.
    Some {
        /// Bytes of each.
        bytes_max: u64,
    },
}

impl Snapshots {
    fn of(refuge: Refuge, memory_bytes: u64) -> Self {
        match refuge.vms {
            ..=1 => Self::None,
            2.. => Self::Some {
                bytes_max: memory_bytes,
            },
        }
    }
}

fn report(wall: Wall, outcome: Result<(), String>) -> Report {
    let missing = outcome.err();
    Report { wall, missing }
}

fn drop_capabilities() -> Result<(), String> {
    let none = CapabilitySet::empty();
    let sets = CapabilitySets {
        effective: none,
        permitted: none,
        inheritable: none,
    };
    rustix::thread::set_capabilities(None, sets)
        .map_err(|error| format!("capabilities cannot be dropped: {error}"))
}

/// What the last system call of this thread said, if it failed.
fn checked(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
