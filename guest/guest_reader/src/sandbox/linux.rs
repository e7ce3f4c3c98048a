//! What the reading process may do on Linux: read the one pipe that it was given, write the other and
//! standard error, have a bounded amount of memory, and end. Everything else ends it (seccomp, SIGSYS),
//! also reading what was open already when it was started. It ends with whoever started it.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd as _, RawFd};

use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use super::StandardPipes;

const STANDARD_ERROR: RawFd = 2;

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
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_yield,
    libc::SYS_sigaltstack,
];

/// Takes from this process what it does not need, for good.
pub(super) fn confine(pipes: &StandardPipes, memory_bytes: u64) -> io::Result<()> {
    // One that hangs must not outlive the program, whatever ends that.
    set_parent_process_death_signal(Some(Signal::KILL))?;
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
    let filter = filter(pipes.from.as_raw_fd(), pipes.to.as_raw_fd()).map_err(io::Error::other)?;
    seccompiler::apply_filter(&filter).map_err(io::Error::other)
}

fn filter(from: RawFd, to: RawFd) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        HARMLESS.iter().map(|call| (*call, Vec::new())).collect();
    rules.insert(libc::SYS_read, vec![on(from)?]);
    for call in [libc::SYS_write, libc::SYS_writev] {
        rules.insert(call, vec![on(to)?, on(STANDARD_ERROR)?]);
    }
    // A file that is let go looks whether it is open, in a debug build.
    let is_looking = SeccompCondition::new(
        1,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::Eq,
        u64::from(libc::F_GETFD.unsigned_abs()),
    )?;
    rules.insert(libc::SYS_fcntl, vec![SeccompRule::new(vec![is_looking])?]);
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

/// The first argument is this file.
fn on(file: RawFd) -> Result<SeccompRule, seccompiler::BackendError> {
    let file = u64::from(file.unsigned_abs());
    let is_it = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, file)?;
    SeccompRule::new(vec![is_it])
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
