//! Where a repository's bytes lie.
//!
//! A store holds objects: named runs of bytes that are written once, whole, and never changed.
//! The trait is shaped after object storage (known lengths, ranged reads, listings by prefix, no
//! rename, no append), so that a folder and a bucket are the same to the code above.
//!
//! | Implementor | Where |
//! |---|---|
//! | [`FolderStore`] | a folder, a mounted share, a removable disk |
//!
//! Deliberately missing: replacing an object, appending to one, and any knowledge of what the
//! bytes mean.

#![forbid(unsafe_code)]

mod error;
mod folder_store;
mod folder_system;
mod object_name;
mod store;

pub use error::{StoreError, StoreErrorKind};
pub use folder_store::FolderStore;
pub use folder_system::{FolderSystem, OsFolderSystem};
pub use object_name::check_object_name;
pub use store::{ObjectInfo, ObjectRetention, ObjectStore};
