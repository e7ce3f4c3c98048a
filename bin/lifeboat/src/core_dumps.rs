//! No image of this process is written where others may read it: it holds keys.

/// Sees to it that a crash leaves no core dump. Best effort: where the system refuses, a crash is
/// as it was.
pub(crate) fn refuse() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        let _ = setrlimit(Resource::Core, none);
    }
    // A handler that the kernel pipes dumps to is not stopped by the limit.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}
