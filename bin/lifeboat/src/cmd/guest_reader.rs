//! The hidden `lifeboat guest-reader`: the process that reads a guest's files for another.

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;

/// Takes everything from this process that reading does not need, then serves the program that
/// started it.
pub(crate) fn run() -> Result<ExitCode, CliError> {
    let served = guest_reader::serve_confined();
    served.map_err(|error| CliError::io("the pipe of the reading process", error))?;
    Ok(ExitCode::Success)
}
