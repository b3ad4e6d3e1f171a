//! seccomp: a list of what a running VM needs of the kernel. Everything else ends the process.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::Snapshots;

/// System calls by number; no rule: whatever the arguments are.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Memory, time, the socket, the beginning of a thread and the end.
const ALLOWED: &[libc::c_long] = &[
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_ppoll,
    libc::SYS_read,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rseq,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_yield,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    libc::SYS_write,
    libc::SYS_writev,
];

/// What libraries ask once in their lives, some of them late: they are told that they may not know.
const REFUSED: &[libc::c_long] = &[
    libc::SYS_faccessat,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_getcwd,
    libc::SYS_getrusage,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_prlimit64,
    libc::SYS_readlinkat,
    libc::SYS_sched_getaffinity,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
];

/// Giving a mapping a name (`PR_SET_VMA` of prctl(2)), as allocators do.
const NAME_MAPPING: u64 = 0x5356_4d41;
/// Giving itself a name (`PR_SET_NAME`), which a thread does that has just started.
const NAME_THREAD: u64 = 15;

/// `PAGEMAP_SCAN` of `ioctl`: which pages were written to.
const SCAN_PAGES: u64 = 0xc060_6610;
/// `F_ADD_SEALS` of fcntl(2).
const ADD_SEALS: u64 = 1033;
/// `F_GETFD` of fcntl(2): the standard library, with debug assertions, looks at each file that it
/// closes.
const LOOK_AT: u64 = 1;

/// Restricts all threads for good.
pub(super) fn allow_few(snapshots: &Snapshots) -> Result<(), String> {
    // Of several filters the strictest answer counts. The second one could not be followed by more.
    apply(refused(snapshots), (SeccompAction::Allow, errno()))?;
    apply(
        allowed(snapshots)?,
        (SeccompAction::KillProcess, SeccompAction::Allow),
    )
}

fn errno() -> SeccompAction {
    SeccompAction::Errno(libc::EPERM.unsigned_abs())
}

fn refused(snapshots: &Snapshots) -> Rules {
    let mut rules: Rules = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    match snapshots {
        Snapshots::None => {}
        Snapshots::Some { .. } => {
            rules.remove(&libc::SYS_fcntl);
        }
    }
    rules
}

fn allowed(snapshots: &Snapshots) -> Result<Rules, String> {
    let free = ALLOWED.iter().chain(REFUSED);
    let mut rules: Rules = free.map(|call| (*call, Vec::new())).collect();
    // No new code: memory never becomes executable.
    let executable = u64::from(libc::PROT_EXEC.unsigned_abs());
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(
            call,
            vec![only_if(2, SeccompCmpOp::MaskedEq(executable), 0)?],
        );
    }
    rules.insert(
        libc::SYS_prctl,
        vec![
            only_if(0, SeccompCmpOp::Eq, NAME_MAPPING)?,
            only_if(0, SeccompCmpOp::Eq, NAME_THREAD)?,
        ],
    );
    match snapshots {
        Snapshots::None => {}
        Snapshots::Some { .. } => for_snapshots(&mut rules)?,
    }
    Ok(rules)
}

/// Writing and sealing files without names, and finding what was written to.
fn for_snapshots(rules: &mut Rules) -> Result<(), String> {
    for call in [
        libc::SYS_memfd_create,
        libc::SYS_ftruncate,
        libc::SYS_pwrite64,
    ] {
        rules.insert(call, Vec::new());
    }
    rules.insert(
        libc::SYS_ioctl,
        vec![only_if(1, SeccompCmpOp::Eq, SCAN_PAGES)?],
    );
    rules.insert(
        libc::SYS_fcntl,
        vec![
            only_if(1, SeccompCmpOp::Eq, ADD_SEALS)?,
            only_if(1, SeccompCmpOp::Eq, LOOK_AT)?,
        ],
    );
    Ok(())
}

/// A rule about one argument.
fn only_if(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompRule, String> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
        .and_then(|condition| SeccompRule::new(vec![condition]))
        .map_err(|error| error.to_string())
}

fn apply(
    rules: Rules,
    (otherwise, matching): (SeccompAction, SeccompAction),
) -> Result<(), String> {
    let machine = TargetArch::try_from(std::env::consts::ARCH).map_err(|e| e.to_string())?;
    let filter = SeccompFilter::new(rules, otherwise, matching, machine)
        .map_err(|error| error.to_string())?;
    let program = BpfProgram::try_from(filter).map_err(|error| error.to_string())?;
    seccompiler::apply_filter_all_threads(&program).map_err(|error| error.to_string())
}
