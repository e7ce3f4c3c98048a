//! Reads a guest's volumes and files in a process of its own, which can do nothing else.
//!
//! ```text
//!   program: RemoteGuest ──request──►  reading process: confine, then serve
//!     │  ▲                                  │ volume_map, guest_files
//!     │  └───────────── answer ─────────────┤
//!   disks of a restore point ◄── bytes? ────┘
//! ```
//!
//! What a guest wrote on its disks is hostile until shown otherwise, and file systems are large
//! formats. The readers are memory-safe and bounded; that they also run where nothing can be had is
//! the second defence. The reading process has no key, no repository, no network, no files: it asks
//! the program for bytes of disks through its standard input and output, and answers through them.
//!
//! [`Guest`] is the same whether the reading happens here ([`LocalGuest`]) or there
//! ([`RemoteGuest`]), so the code above knows one thing.
//!
//! # What is believed
//!
//! Nothing that comes back is: frames are bounded, a range of a disk is checked by the disk, names
//! are checked when they are read, and a reader that ends or says what makes no sense ends the
//! conversation. A reader that says nothing for long is waited for; the person may interrupt.
//!
//! # Systems
//!
//! Linux: seccomp and resource limits, in [`confine`].

#![forbid(unsafe_code)]

mod frame;
mod guest;
mod message;
mod pipe_disk;
mod reader;
mod reader_process;
mod remote_guest;
mod sandbox;

pub use guest::{DisksFacts, Guest, LocalGuest, SystemFacts, VolumeFacts};
pub use reader::serve;
pub use remote_guest::RemoteGuest;
pub use sandbox::{CAN_CONFINE, MEMORY_MAX_BYTES, confine};
