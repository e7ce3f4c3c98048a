//! Taking from a process all that reading does not need.

#[cfg(target_os = "linux")]
mod linux;

use std::fs::File;
use std::io;
use std::process::{Child, Command};

/// Most memory of the reading process, in bytes: what its readers hold is bounded by themselves,
/// and this holds where one of them is mistaken.
pub const MEMORY_MAX_BYTES: u64 = 2 << 30;

/// Whether [`confine`] can confine on this system.
pub const CAN_CONFINE: bool = cfg!(target_os = "linux");

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

/// Takes from this process, for good, whatever reading from one pipe and writing to the other does
/// not need: files, network, other processes, memory beyond [`MEMORY_MAX_BYTES`]. Whoever tries it
/// all the same is ended by the system. It ends with the thread that started it.
///
/// Called once, before anything of a guest is read and while there is one thread.
///
/// # Errors
///
/// Those of the system; `Unsupported` where there is no way yet (then nothing is to be read).
pub fn confine(pipes: &StandardPipes) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    return linux::confine(pipes, MEMORY_MAX_BYTES);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = pipes;
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }
}

/// Does what has to be done before a reading process is started.
pub(crate) fn prepare(command: &mut Command) {
    // Ctrl-C is for the program, which ends its reader when it has heard.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
}

/// What the program holds a reading process in, from outside.
pub(crate) struct Enclosure;

impl Enclosure {
    /// Puts a process into it.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "systems that have such a thing can fail"
    )]
    pub(crate) fn around(_child: &Child) -> io::Result<Self> {
        Ok(Self)
    }
}
