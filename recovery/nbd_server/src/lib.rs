//! Block devices over the network block device protocol, read-only.
//!
//! Any [`block_io::BlockDevice`] becomes a disk that QEMU, libnbd and the Linux kernel can open: a
//! disk of a restore point is read in place, without being restored.
//!
//! Written from the protocol's own text, `doc/proto.md` of the NBD project; sections are named where
//! they are implemented.
//!
//! # The life of a connection
//!
//! ```text
//!   accept ─► handshake (fixed newstyle)              ─► transmission ─► the client leaves
//!             LIST, INFO, STRUCTURED_REPLY,               READ
//!             LIST_META_CONTEXT, SET_META_CONTEXT,        BLOCK_STATUS of base:allocation
//!             then GO or EXPORT_NAME, or ABORT            FLUSH (nothing to do), DISC
//! ```
//!
//! What an export holds is told to whoever asks: with structured replies a read says where there are
//! holes and sends nothing for them, and `BLOCK_STATUS` tells data, zeros and what is not allocated
//! apart, so that copying a mostly empty disk costs what its data cost.
//! The export is read-only and says so. Whoever writes, trims or writes zeros nevertheless is
//! answered `EPERM`, and the payload is read past, so the connection goes on.
//!
//! # Threads
//!
//! Plain threads and blocking sockets. The threads of one connection take turns: one waits for the
//! next request, and whoever got one answers it itself while another waits. So a client with one
//! request at a time pays for no hand-over between threads, and one with eight is served by eight.
//! Threads appear when they are needed, [`Limits::in_flight`] at most; a client that sends more
//! waits in its socket. Replies go out in the order in which they are ready.
//!
//! # Memory
//!
//! A structured reply is read and sent in pieces of 1 MiB. A simple reply cannot be cut, because its
//! error comes first; all of them together, and all pieces, have [`Limits::buffer_bytes`]: who finds
//! no room waits for it. A client that takes nothing for [`Limits::patience`] is cut off, so that
//! others need not wait for it for ever. Names, options and queries are bounded before anything is
//! allocated for them.
//!
//! # Errors
//!
//! A request that makes no sense is answered with `EINVAL`, a device that cannot be read with `EIO`
//! and, to those who negotiated structured replies, its words. A connection is dropped only where
//! the stream cannot be followed any more: a wrong magic number, or an end in the middle.
//! Starting a server fails with [`block_io::DiskError`].
//!
//! # The seam
//!
//! | Module | Knows |
//! |---|---|
//! | `protocol` | the bytes, and nothing else |
//! | `connection` | what one client may ask, over any pair of byte streams, and the device |
//! | `server` | sockets, limits, an orderly end |
//!
//! [`Export`] is where a device enters. Whatever serves a running VM adds a kind of export, and
//! commands to `connection::answer`; nothing else needs to know.
//!
//! # Deliberately missing
//!
//! Writing: it comes with overlays. TLS and any proof of who connects: a server listens on the
//! loopback interface or on a Unix socket that only its owner may open, and nowhere else. Extended
//! headers, because no request here is larger than 4 GiB.

#![forbid(unsafe_code)]

mod connection;
mod export;
mod listen_address;
mod protocol;
mod server;
mod socket;

pub use connection::Limits;
pub use export::Export;
pub use listen_address::ListenAddress;
pub use server::NbdServer;
