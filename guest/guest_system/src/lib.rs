//! What a guest's own system says of its volumes.
//!
//! ```text
//!   \Windows\System32\config\SYSTEM ── MountedDevices ──► C: is this partition (WindowsId)
//!   /etc/fstab ────────────────────────────────────────► /home is that file system (FstabDevice)
//! ```
//!
//! Nothing is guessed: a letter that the guest's registry does not give is not given.
//!
//! The registry's file is read by position, a few KiB of the tens of MiB that it has: this is why it
//! is not read with a library, which would want it whole. Format: M. Suhanov, "Windows registry file
//! format specification", sections "Base block", "Key node", "Subkeys list", "Key value".
//!
//! # Bounds
//!
//! Everything comes from the guest. Of a registry file at most 16 MiB are read, of a list in it
//! 1 MiB, of a name 512 bytes; `ri` lists are one level deep. `fstab` is read up to 256 KiB.
//!
//! # Missing
//!
//! The registry's transaction logs: what Windows wrote there last and not yet into the file. A guest
//! that got a new letter seconds before its checkpoint is shown with the letters before.

#![forbid(unsafe_code)]

mod drive_letters;
mod fstab;
mod path;
mod registry_hive;

pub use drive_letters::drive_letters;
pub use fstab::{FstabDevice, MountPoint, mount_points};
