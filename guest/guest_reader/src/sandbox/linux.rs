//! What the reading process may do on Linux: read and write the pipes that it was given, have a
//! bounded amount of memory, and end. Everything else ends it (seccomp, SIGSYS).

use std::collections::BTreeMap;
use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// Calls that do nothing outside of the process, whatever their arguments are.
const HARMLESS: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_read,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_yield,
    libc::SYS_sigaltstack,
    libc::SYS_write,
    libc::SYS_writev,
];

/// Takes from this process what it does not need, for good.
pub(super) fn confine(memory_bytes: u64) -> io::Result<()> {
    for (resource, most) in [
        (Resource::As, memory_bytes),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        // What is open stays open; nothing more can be.
        (Resource::Nofile, 0),
        (Resource::Nproc, 0),
    ] {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit)?;
    }
    seccompiler::apply_filter(&filter().map_err(io::Error::other)?).map_err(io::Error::other)
}

fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        HARMLESS.iter().map(|call| (*call, Vec::new())).collect();
    // Memory of its own, never a file's, and never to be run.
    rules.insert(
        libc::SYS_mmap,
        vec![SeccompRule::new(vec![not_executable()?, anonymous()?])?],
    );
    rules.insert(
        libc::SYS_mprotect,
        vec![SeccompRule::new(vec![not_executable()?])?],
    );
    let architecture = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(
        rules,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        architecture,
    )?
    .try_into()
}

/// The third argument has no `PROT_EXEC`.
fn not_executable() -> Result<SeccompCondition, seccompiler::BackendError> {
    masked(2, libc::PROT_EXEC, 0)
}

/// The fourth argument has `MAP_ANONYMOUS`.
fn anonymous() -> Result<SeccompCondition, seccompiler::BackendError> {
    masked(3, libc::MAP_ANONYMOUS, libc::MAP_ANONYMOUS)
}

fn masked(
    argument: u8,
    mask: i32,
    value: i32,
) -> Result<SeccompCondition, seccompiler::BackendError> {
    let (mask, value) = (
        u64::from(mask.unsigned_abs()),
        u64::from(value.unsigned_abs()),
    );
    SeccompCondition::new(
        argument,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::MaskedEq(mask),
        value,
    )
}
