//! Names of objects that are being written.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

/// Folder for files that are being written, below a store's root (format page, section 2).
pub const TEMPORARY_FOLDER: &str = "tmp";

/// What lies in [`TEMPORARY_FOLDER`] for longer belongs to nobody (format page, section 2).
pub const TEMPORARY_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// Returns a name that no other file in [`TEMPORARY_FOLDER`] has: 24 random hex digits.
pub fn temporary_name() -> io::Result<String> {
    let mut random = [0u8; 12];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let mut name = String::new();
    for byte in random {
        // Writing to a string cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    Ok(name)
}
