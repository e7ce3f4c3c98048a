//! Taking from a process all that reading does not need.

#[cfg(target_os = "linux")]
mod linux;

use std::io;

/// Most memory of the reading process, in bytes: what its readers hold is bounded by themselves,
/// and this holds where one of them is mistaken.
pub const MEMORY_MAX_BYTES: u64 = 2 << 30;

/// Whether [`confine`] can confine on this system.
pub const CAN_CONFINE: bool = cfg!(target_os = "linux");

/// Takes from this process, for good, whatever reading from its standard input and writing to its
/// standard output does not need: files, network, other processes, memory beyond
/// [`MEMORY_MAX_BYTES`]. Whoever tries it all the same is ended by the system.
///
/// Called once, before anything of a guest is read and while there is one thread.
///
/// # Errors
///
/// Those of the system; `Unsupported` where there is no way yet (then nothing is to be read).
pub fn confine() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    return linux::confine(MEMORY_MAX_BYTES);
    #[cfg(not(target_os = "linux"))]
    Err(io::Error::from(io::ErrorKind::Unsupported))
}
