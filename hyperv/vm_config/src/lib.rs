//! Hyper-V VM configuration: `.vmcx` and `.xml` into one typed configuration.
//!
//! ```text
//!   .vmcx, .vmrs  HyperVStorage container (2016 and later) ─┐
//!                                                           ├─ Tree ── VmConfiguration
//!   .xml          UTF-16 XML (2008 R2 to 2012 R2)          ─┘
//! ```
//!
//! Both formats hold the same tree with the same names, so one set of rules reads both.
//! [`VmConfiguration::from_bytes`] goes all the way; [`read_vmcx`] and [`read_xml`] stop at the
//! [`Tree`]. [`write_vmcx`] and [`write_xml`] go back, and [`with_disk_paths`] changes the paths
//! of disks in a host's own file.
//!
//! Neither format has a public specification. The container follows what openvmm's
//! `support/hvs_file/FORMAT.md` says, where real files agree; where they differ, the files count:
//! children may be stored before their parents, siblings may share a name, and an entry of the
//! replay log has its checksum behind the offsets.
//!
//! # I/O
//!
//! None: bytes in, bytes out. A source is never changed; the replay log is applied to a copy.
//!
//! # Bounds
//!
//! A container has at most 64 MiB and an XML file 16 MiB; a tree has at most 262144 nodes in 64
//! levels. All checksums are checked, also those of what is then left out, and values that
//! overlap are refused, so that memory stays in proportion to the file.
//!
//! # Errors
//!
//! [`ConfigError`] says what, where (file, offset, structure or key) and what was expected;
//! callers decide on [`ConfigErrorKind`].
//!
//! # What is missing
//!
//! * Container versions before 4.0, of which no file was seen, are refused.
//! * The list of checkpoints, the type of a pass-through disk and the VLAN of a port are guesses,
//!   each in one place.
//! * Saved memory (`.vsv`, `.bin`, RAM in `.vmrs`) is not interpreted.
//! * No real host has been shown a file that [`write_vmcx`] made.

#![forbid(unsafe_code)]

mod configuration;
mod disk_paths;
mod drives;
mod error;
mod hvs;
mod keys;
mod manifest;
mod port_features;
mod reading;
mod to_tree;
mod tree;
mod xml;

pub use configuration::{
    Checkpoint, ControllerKind, Disk, DiskSlot, GuestAddresses, Memory, NetworkAdapter,
    VmConfiguration,
};
pub use disk_paths::with_disk_paths;
pub use error::{ConfigError, ConfigErrorKind};
pub use hvs::{read_vmcx, write_vmcx};
pub use reading::{Notice, Reading};
pub use tree::{Node, Tree, Value};
pub use xml::{read_xml, write_xml};
