//! A store in a container of Azure Blob Storage, or in a bucket of Google Cloud Storage.
//!
//! The contract is [`object_store::ObjectStore`]. Requests are made by Apache OpenDAL (`azblob`
//! and `gcs`), which knows the two protocols and how they are signed; this crate gives it a
//! transport with bounds, and makes a store's errors of what it answers.
//!
//! ```text
//!   CloudStore ── OpenDAL: azblob, gcs, signing ── BoundedTransport ── reqwest, rustls ── server
//!                                                        │
//!                                                        └── the Date of answers: the store's clock
//! ```
//!
//! # Create-once
//!
//! | | A write says | An object that is there is |
//! |---|---|---|
//! | Azure | `If-None-Match: *`, one `Put Blob` | 409 `BlobAlreadyExists`, or 412 |
//! | Google | `ifGenerationMatch=0`, one upload session | 412 `conditionNotMet` |
//!
//! # Model of I/O
//!
//! The store's calls are synchronous; tokio runs inside, on two threads of its own. No call may be
//! made from within an async runtime. An object is written to Azure with one request; to Google with
//! one that opens a session and one for each 8 MiB. What is read is counted as it comes and given up
//! where it is more than was asked for; other answers are bounded, a listing by page and by a count
//! of objects. Every wait ends ([`Patience`]). Nothing is tried again here: that is for
//! [`object_store::RetryingStore`].
//!
//! # Time
//!
//! [`object_store::ObjectStore::now`] is the `Date` of an answer, as in `s3_store`: telling the time
//! writes nothing, so that it needs no right and leaves nothing behind.
//!
//! # Errors
//!
//! [`object_store::StoreErrorKind`] says what a caller can do; the text has the server's own code.
//! Neither a URL nor a key is in it: where a server repeats one, it is taken out.
//!
//! # Deliberately missing
//!
//! Making containers and buckets; versions (an object is the current one) and immutability
//! policies, which are met (`Locked`) but not set; identities of virtual machines in either cloud;
//! certificates besides those that the system trusts.

#![forbid(unsafe_code)]

mod azure;
mod failure;
mod google;
mod store;
mod transport;

pub use azure::{AzureCredentials, AzureOptions};
pub use google::{GoogleCredentials, GoogleOptions};
pub use store::CloudStore;
pub use transport::Patience;
