//! Change tracking: what a host knows of the changes of a disk.
//!
//! Real hosts keep bitmaps in `.rct` and `.mrt` beside each file. Here one `.rct`, that beside the
//! base of the disk's files, holds all that is known; the others are there to be seen and counted.

mod points;
mod tracking_file;
mod tracking_id;

pub(crate) use points::{GRANULARITY_BYTES, Tracking};
pub(crate) use tracking_file::{
    is_tracking_file, load, place_marks, remove_files, save, tracking_files,
};
pub(crate) use tracking_id::TrackingId;

use crate::{SimError, SimErrorKind};

/// virtdisk's codes (contract appendix D).
pub(crate) const CHANGED_OFFLINE: u32 = 0xC03A_0022;
pub(crate) const INCONSISTENT: u32 = 0xC03A_0024;
pub(crate) const MALFORMED_ID: u32 = 0xC03A_0029;
pub(crate) const DISABLED: u32 = 0xC03A_002A;
pub(crate) const UNKNOWN_ID: u32 = 0xC03A_0030;

/// Makes the error of a code.
pub(crate) fn tracking_error(code: u32) -> SimError {
    let text = match code {
        CHANGED_OFFLINE => "The virtual disk was changed without updating its tracking file.",
        INCONSISTENT => "The change tracking file is not consistent with the virtual disk.",
        MALFORMED_ID => "The change tracking identifier is not valid.",
        DISABLED => "Change tracking is disabled for the specified virtual disk.",
        _ => "Missing change tracking information.",
    };
    SimError::new(SimErrorKind::Tracking, format!("{text} (0x{code:08X})")).with_code(code)
}
