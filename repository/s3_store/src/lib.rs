//! A store in an S3 bucket: AWS, Ceph, MinIO, Garage and what else speaks like them.
//!
//! The contract is [`object_store::ObjectStore`]; how objects lie in a bucket with versions and
//! locks is section 2 of `docs/format/repository.md`.
//!
//! ```text
//!   S3Store ── S3Request ── signing (rusty-s3) ── HttpClient (ureq, rustls) ── the server
//!      │           ▲
//!      │           └── uploads of parts · listings · versions · retention
//!      └── VersionCache: name → id of the object's oldest version
//! ```
//!
//! # Create-once
//!
//! Every write says `If-None-Match: *`. A server that refuses to understand that is asked whether
//! the object is there before each write; one that ignores it is found by the conformance suite,
//! of which `init` runs that case.
//!
//! # Versions
//!
//! In a bucket with versions an object is its **oldest** version: what somebody puts over it later,
//! and delete markers, are not seen. Reading names the version; removing deletes all versions by
//! their ids, the oldest last, and stops at the first that a lock keeps.
//!
//! # I/O
//!
//! Plain threads and blocking sockets that stay open between requests. Each answer is bounded by
//! what was asked for, listings by page, and every wait by a timeout. Parts of a large upload are
//! tried again one by one; anything else that was `Unavailable` is for `object_store`'s
//! retrying store to try again.
//!
//! # Errors
//!
//! [`object_store::StoreErrorKind`] says what a caller can do; the text has the server's own code.
//! A URL with a signature is in no error.
//!
//! # Deliberately missing
//!
//! Making buckets, changing their settings, roles by metadata service, server-side encryption with
//! customer keys (the repository encrypts).

#![forbid(unsafe_code)]

mod answer;
mod clock;
mod failure;
mod http_client;
mod listing;
mod lock_period;
mod opening;
mod options;
mod part_upload;
mod request;
mod retention;
mod store;
mod versions;
mod xml;

pub use lock_period::{LockMode, LockPeriod};
pub use options::{S3Credentials, S3Limits, S3Options};
pub use store::S3Store;
