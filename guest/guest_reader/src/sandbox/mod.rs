//! Taking from a process all that reading does not need.

#[cfg(target_os = "linux")]
mod linux;

use std::fs::File;
use std::io;
use std::process::{Child, ChildStdin, ChildStdout, Command};

/// Most memory of the reading process, in bytes: what its readers hold is bounded by themselves,
/// and this holds where one of them is mistaken.
pub const MEMORY_MAX_BYTES: u64 = 2 << 30;

/// Whether [`confine`] can confine on this system.
pub const CAN_CONFINE: bool = cfg!(any(target_os = "linux", windows));

/// Standard input and output without their buffers: messages are written whole.
#[derive(Debug)]
pub struct StandardPipes {
    /// What the program says.
    pub from: File,
    /// What it is told.
    pub to: File,
}

impl StandardPipes {
    /// Takes them.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn take() -> io::Result<Self> {
        #[cfg(unix)]
        use std::os::fd::AsFd as _;
        #[cfg(windows)]
        use std::os::windows::io::AsHandle as _;

        let (from, to) = (io::stdin(), io::stdout());
        #[cfg(unix)]
        let (from, to) = (from.as_fd(), to.as_fd());
        #[cfg(windows)]
        let (from, to) = (from.as_handle(), to.as_handle());
        Ok(Self {
            from: from.try_clone_to_owned()?.into(),
            to: to.try_clone_to_owned()?.into(),
        })
    }
}

/// Takes from this process, for good, what reading from one pipe and writing to the other does not
/// need. Called once, before anything of a guest is read and while there is one thread.
///
/// On Linux that is everything else: files, network, other processes, memory beyond
/// [`MEMORY_MAX_BYTES`]; whoever tries it all the same is ended by the system, and so is this process
/// when the thread that started it ends. On Windows it is writing to what is its user's; memory and
/// other processes are taken by the job that the program puts it in (`reader_sandbox` says what stays).
///
/// # Errors
///
/// Those of the system; `Unsupported` where there is no way yet (then nothing is to be read).
pub fn confine(pipes: &StandardPipes) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    return linux::confine(pipes, MEMORY_MAX_BYTES);
    #[cfg(windows)]
    {
        let _ = pipes;
        // The generator of hash maps' seeds is opened while that is allowed.
        let _ = std::hash::RandomState::new();
        reader_sandbox::lower_own_rights()
    }
    #[cfg(not(any(target_os = "linux", windows)))]
    {
        let _ = pipes;
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }
}

/// Does what has to be done before a reading process is started, whose environment is empty.
pub(crate) fn prepare(command: &mut Command) {
    // Ctrl-C is for the program, which ends its reader when it has heard.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(windows)]
    {
        /// `CREATE_NO_WINDOW`: a console of its own, which nobody sees.
        const NO_WINDOW: u32 = 0x0800_0000;
        std::os::windows::process::CommandExt::creation_flags(command, NO_WINDOW);
        // Without it Windows' own libraries are not found.
        if let Some(folder) = std::env::var_os("SystemRoot") {
            command.env("SystemRoot", folder);
        }
    }
    #[cfg(not(any(unix, windows)))]
    let _ = command;
}

/// Has pipes hold a whole frame's bytes, where the system lets them: fewer turns between the processes.
pub(crate) fn widen(to: &ChildStdin, from: &ChildStdout) {
    #[cfg(target_os = "linux")]
    {
        // Where it may not be, they stay as they are.
        let _ = rustix::pipe::fcntl_setpipe_size(to, crate::frame::BYTES_MAX);
        let _ = rustix::pipe::fcntl_setpipe_size(from, crate::frame::BYTES_MAX);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (to, from);
}

/// What the program holds a reading process in, from outside.
pub(crate) struct Enclosure {
    #[cfg(windows)]
    _job: reader_sandbox::Job,
}

impl Enclosure {
    /// Puts a process into it.
    #[cfg(windows)]
    pub(crate) fn around(child: &Child) -> io::Result<Self> {
        let _job = reader_sandbox::Job::around(child, MEMORY_MAX_BYTES)?;
        Ok(Self { _job })
    }

    /// There is none: the process takes everything from itself.
    #[cfg(not(windows))]
    #[expect(
        clippy::unnecessary_wraps,
        reason = "systems that have such a thing can fail"
    )]
    pub(crate) fn around(_child: &Child) -> io::Result<Self> {
        Ok(Self {})
    }
}
