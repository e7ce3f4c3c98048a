//! A repository's bytes on a server that speaks FTP, under TLS.
//!
//! FTP is the store of last resort: many small boxes speak nothing else. RFC 959 with AUTH TLS
//! (RFC 4217), and SIZE, MDTM, MLSD and REST (RFC 3659), which a server has to have. Its layout is
//! that of [`object_store::FolderStore`].
//!
//! # An object's way
//!
//! ```text
//! STOR tmp/<random>   SIZE tmp/<random> must be what was sent
//! MKD tmp/claim-<name>  one writer of a name gets it, others wait and find the object
//! SIZE packs/ab/<name>  must not be there
//! RNFR tmp/<random>   RNTO packs/ab/<name>
//! RMD tmp/claim-<name>
//! ```
//!
//! # What FTP cannot promise
//!
//! * *Create-once* by itself: many servers let a rename replace. So writers of one name agree
//!   through a folder, which only one of them can make; what is not Lifeboat does not ask. A
//!   repository's names are random, so nobody else has the name: this is the second defence. A
//!   claim of a writer that died keeps its name from being published for a day.
//! * *Durability*: no command flushes. An object is as durable as the server makes it.
//! * *Free space*: not told.
//!
//! # Model of I/O
//!
//! Synchronous. A call has a connection for itself, of which there are at most
//! [`FtpOptions::connections`]. One that lay idle is asked whether it is still there (NOOP) before
//! it is used again. Data connections are passive and go to the server's own address, whatever
//! address it names. A broken connection is `Unavailable`; the next call makes a new one.
//!
//! # Trust
//!
//! TLS 1.2 is required unless [`Encryption::None`] is asked for by name: without, the password and
//! which objects there are are seen by everybody on the way. A server's certificate is judged by
//! the machine's roots or by a file of its own. Lines and listings are bounded.
//!
//! # Errors
//!
//! A server says 550 for what is not there and for what is not allowed; where the object's size is
//! not told either, it is taken as not there.
//!
//! # Deliberately missing
//!
//! Active mode, implicit TLS (port 990), reading `LIST`, which has no form that could be relied
//! on, and resuming an upload: an object is a pack at most and is sent again.

#![forbid(unsafe_code)]

mod connection;
mod encryption;
mod facts;
mod failure;
mod ftp_store;
mod trust;

pub use encryption::{Encryption, read_url};
pub use ftp_store::{FtpOptions, FtpStore};
