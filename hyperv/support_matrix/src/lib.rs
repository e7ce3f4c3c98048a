//! Which hosts, guests and file systems can be backed up how.
//!
//! ```text
//!   data/support.toml ──► Matrix ──┬─► checks: a host, a guest, a volume looked up
//!                                  └─► docs/operate/support-matrix.md, word for word
//! ```
//!
//! One table, so that what the program checks and what the page promises cannot differ. Every row
//! tells the strength of its evidence, because nothing here has been seen on a real host yet.
//!
//! A row is found by what a host or a guest says of itself: the host by the number of its Windows
//! and whether that is a server, the guest by the name that it exchanges with its host. Names of
//! systems that nobody knows give `None`, never the nearest row.

#![forbid(unsafe_code)]

mod guest;
mod host;
mod matrix;
mod page;
mod system_version;

pub use guest::{FileSystemRow, Freeze, GuestRow, VolumeRow};
pub use host::{HostRow, ModeRow, Way};
pub use matrix::{Evidence, Matrix, matrix};
pub use page::page;
pub use system_version::SystemVersion;
