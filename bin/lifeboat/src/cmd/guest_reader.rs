//! The hidden `lifeboat guest-reader`: the process that reads a guest's files for another.

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;

/// Takes everything from this process that reading does not need, then serves the program that
/// started it.
#[cfg(unix)]
pub(crate) fn run() -> Result<ExitCode, CliError> {
    use std::fs::File;
    use std::io::{stdin, stdout};
    use std::os::fd::AsFd as _;

    let failed = |error| CliError::io("the pipe of the reading process", error);
    // Without the buffers of standard input and output: messages are written whole.
    let from = stdin().as_fd().try_clone_to_owned().map_err(failed)?;
    let to = stdout().as_fd().try_clone_to_owned().map_err(failed)?;
    guest_reader::confine().map_err(failed)?;
    guest_reader::serve(File::from(from), File::from(to)).map_err(failed)?;
    Ok(ExitCode::Success)
}

#[cfg(not(unix))]
pub(crate) fn run() -> Result<ExitCode, CliError> {
    Err(CliError::usage(
        "there is no reading process on this system yet",
    ))
}
