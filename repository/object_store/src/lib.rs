//! Where a repository's bytes lie.
//!
//! A store holds objects: named runs of bytes that are written once, whole, and never changed.
//! The trait is shaped after object storage (known lengths, ranged reads, listings by prefix, no
//! rename, no append), so that a folder and a bucket are the same to the code above.
//!
//! | Implementor | Where |
//! |---|---|
//! | [`FolderStore`] | a folder, a mounted share, a removable disk |
//! | [`RetryingStore`] | another store, asked again where it did not answer |
//! | [`LimitedStore`] | another store, with bounds on bandwidth and on calls at once |
//!
//! A removable disk is found again wherever it is mounted: [`MediumPath`].
//!
//! Errors say what may be done about them by their kind: [`StoreErrorKind::Unavailable`] may be
//! tried again, [`StoreErrorKind::MediumAbsent`] waits for a person, `NotFound` is about one object
//! and never about a store that is away.
//!
//! Deliberately missing: replacing an object, appending to one, and any knowledge of what the
//! bytes mean.

#![forbid(unsafe_code)]

mod bandwidth;
mod clock;
mod connection_pool;
mod error;
mod folder_space;
mod folder_store;
mod folder_system;
mod limited_store;
mod medium;
mod mounts;
mod object_name;
mod retrying_store;
mod secret;
mod server_folder;
mod store;
mod store_url;
mod temporary_name;

pub use bandwidth::{BadBandwidth, BandwidthPlan, Rate};
pub use clock::{Clock, OsClock};
pub use connection_pool::ConnectionPool;
pub use error::{StoreError, StoreErrorKind};
pub use folder_space::{FolderSpace, folder_space};
pub use folder_store::FolderStore;
pub use folder_system::{FolderSystem, OsFolderSystem};
pub use limited_store::{LimitedStore, StoreLimits};
pub use medium::{BadMediumPath, Medium, MediumPath};
pub use mounts::{Mount, Mounts, OsMounts};
pub use object_name::check_object_name;
pub use retrying_store::{RetryPolicy, RetryingStore};
pub use secret::Secret;
pub use server_folder::{ServerFolder, ServerScheme};
pub use store::{ObjectInfo, ObjectRetention, ObjectStore};
pub use store_url::{BadStoreUrl, StoreUrl};
pub use temporary_name::{TEMPORARY_FOLDER, TEMPORARY_LIFE, temporary_name};
