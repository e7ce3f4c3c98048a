//! A repository's bytes on a server that speaks SFTP.
//!
//! Version 3 of the protocol (draft-ietf-secsh-filexfer-02), which is the one that servers speak,
//! with OpenSSH's extensions (its `PROTOCOL` file, section 4) where the server has them:
//!
//! | Extension | For | Without it |
//! |---|---|---|
//! | `fsync@openssh.com` | an object survives a power cut once it is written | it is as durable as the server makes it; [`SftpStore::flushes`] tells |
//! | `hardlink@openssh.com` | an object appears whole, and replaces none | a rename, which version 3 refuses where the new name is taken |
//! | `statvfs@openssh.com` | free space | not told |
//! | `limits@openssh.com` | the size of a read and a write | 32 KiB |
//!
//! The layout is that of [`object_store::FolderStore`]: a folder that is served by SFTP can be
//! opened as a folder too, and the other way round.
//!
//! # An object's way
//!
//! ```text
//! tmp/<random>  open exclusively, write (many requests under way), fsync, close
//!      │ hardlink, or rename
//! packs/ab/<name>     then tmp/<random> is removed and the folder is flushed
//! ```
//!
//! # Model of I/O
//!
//! The store's calls are synchronous; tokio runs inside, on two threads of its own. Each call has
//! a connection for itself, of which there are at most [`SftpOptions::connections`]; reads and
//! writes of a call go out many at a time. A connection that broke is dropped and the call fails
//! with `Unavailable`; the next call makes a new one, so that [`object_store::RetryingStore`] is
//! all that reconnecting needs. No call may be made from within an async runtime.
//!
//! # Trust
//!
//! A server is who its key says. The key has to be in `known_hosts`; a server of which nothing is
//! known is taken at its word only where [`HostKeyPolicy::AcceptNew`] says so, and one whose key
//! is another one than recorded never is. Lengths that a server tells bound nothing: what is read
//! is bounded by what was asked for, and what is listed by a count.
//!
//! # Errors
//!
//! `Unavailable` for a server that is not reached or that broke off, `Denied` for keys and rights,
//! `MediumAbsent` where the server has no folder of the store's any more.
//!
//! # Deliberately missing
//!
//! Resuming an upload: an object is a pack at most, some tens of MiB, and is sent again. Jump
//! hosts, `~/.ssh/config` and host certificates. Object lock: SFTP has none.

#![forbid(unsafe_code)]

mod credentials;
mod failure;
mod host_keys;
mod login;
mod session;
mod sftp_store;
mod transfer;
mod url;

pub use credentials::SftpCredentials;
pub use host_keys::HostKeyPolicy;
pub use sftp_store::{SftpOptions, SftpStore};
pub use url::read_url;
