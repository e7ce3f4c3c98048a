//! Restore points over WebDAV (RFC 4918), read-only, for programs of this machine.
//!
//! ```text
//!   Explorer, Finder, file managers, browsers, curl
//!      │  http://127.0.0.1:8437/3f0c…/SQL01/latest/C/
//!   connection: who may ask, what ─► OPTIONS │ PROPFIND ─► multistatus │ GET, HEAD ─► content, page
//!                                                │  pieces, made on a few threads that may block
//!                                             FileView (file_view)
//! ```
//!
//! WebDAV is what every desktop mounts without a driver. Of it this serves what reading needs: class 1
//! without what writes, no locks. Everything else is 405.
//!
//! # Who may ask
//!
//! Only this machine is listened to, and a random word of 128 bits in the path keeps out its other
//! users: Windows' client takes a password over https alone. A page in a browser cannot ask either: it
//! does not know the word, and a `Host` that is not this machine's is refused, so a name that was
//! rebound leads nowhere. What a browser is given is a download, never a page of the guest's that could
//! run.
//!
//! # What WebDAV does not know
//!
//! A link of the guest is a small text with its target; devices and the like have no content.
//! Permissions are not shown.
//!
//! # Bounds
//!
//! At most [`CONNECTIONS_MAX`] connections, each with a request at a time; headers up to 64 KiB,
//! questions up to 64 KiB; who is silent is left. A folder is listed one level deep
//! (`Depth: infinity` is refused), a batch of entries at a time.

#![forbid(unsafe_code)]

mod answer;
mod connection;
mod content;
mod drive_letter;
mod file_page;
mod multistatus;
mod patient_stream;
mod properties;
mod question;
mod server;
mod service;
mod web_path;

pub use drive_letter::free_letter;
pub use server::{CONNECTIONS_MAX, DavServer, FIRST_PORT};
pub use service::Told;
