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
//! # Long content
//!
//! Short files come through the pipe. Where more than 64 KiB of a file are read at once and lie on the
//! disks as they are, the reader tells where, and the program reads them there: a long file comes out as
//! fast as its disk does. What has to be decoded, decrypted or checked comes through the pipe.
//!
//! # What is believed
//!
//! Nothing that comes back is: frames are bounded, a range of a disk is checked by the disk, names
//! are checked when they are read, and a reader that ends or says what makes no sense ends the
//! conversation. Then the next process opens the other volumes. A reader that says nothing for a
//! quarter of an hour is ended, and at once when the person asks the program to stop.
//!
//! # Secrets
//!
//! What opens encrypted volumes ([`Secrets`]) goes to the reading process through its pipe, never by
//! its arguments or environment, and is overwritten on both sides. The reading process is the only one
//! that has keys of volumes.
//!
//! How much work goes into trying them is bounded over all volumes together; [`Unlocked`] names the
//! volumes on which not all were tried.
//!
//! # Systems
//!
//! Linux: seccomp and resource limits, in [`confine`]; the process ends with the program. Windows: a
//! job with limits, no privileges and low integrity, which is less (`reader_sandbox`). Elsewhere
//! [`LocalGuest`] reads in the program itself.

#![forbid(unsafe_code)]

mod frame;
mod guest;
mod joined;
mod kept_blocks;
mod message;
mod pipe_disk;
mod plain_runs;
mod reader;
mod reader_process;
mod remote_file_system;
mod remote_guest;
mod remote_volume;
mod sandbox;
mod secrets;
mod starter;
mod unlock;
mod watch;

pub use guest::{DisksFacts, Guest, LocalGuest, SystemFacts, VolumeFacts};
pub use reader::{serve, serve_confined};
pub use reader_process::Traffic;
pub use remote_guest::{ReaderStart, RemoteGuest};
pub use sandbox::{CAN_CONFINE, MEMORY_MAX_BYTES, StandardPipes, confine};
pub use secrets::{SecretKind, Secrets, SecretsTooLong};
pub use unlock::{ClosedVolume, Unlocked};
pub use watch::Interrupted;
