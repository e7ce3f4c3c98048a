//! The encrypted, deduplicating repository.
//!
//! The bytes are described in `docs/format/repository.md`; read that first. This crate is the
//! code that writes and reads them, over any [`object_store::ObjectStore`].
//!
//! ```text
//!   BlockDevice ──RunWriter::store_…───────► chunks ─► packs ─┐
//!                                              └► map nodes ──┼─► index ─► RestorePoint (last)
//!   BlockDevice ◄──RepositoryDisk── frames ◄── disk map ◄─────┘
//! ```
//!
//! # Concurrency
//!
//! A [`Repository`] is shared freely between threads. Any number of runs, in any number of
//! processes and machines, may write at once; nobody takes a lock. Data flows through plain
//! threads: workers pull 16 MiB spans of the source, hash, look up, compress and encrypt them;
//! two threads write finished packs. Memory is bounded by the pack size and the number of
//! workers, plus about 11 bits for each chunk that the repository holds.
//!
//! # Reading only what changed
//!
//! | | Reads of the source | Reads of the repository |
//! |---|---|---|
//! | [`RunWriter::store_stream`] | all that is not empty | the earlier map, leaf by leaf |
//! | [`RunWriter::store_changed`] | the changed ranges in whole chunks | the nodes on the way to them |
//! | [`RunWriter::prove_unchanged`] | the [`SampleBudget`] | the nodes on the way to it |
//!
//! All three name the same content the same way, so any of them can follow any other. What
//! `store_changed` does not look at is as the earlier point has it: it relies on the source's word,
//! which `prove_unchanged` tests, and on the repository's packs. Nothing of a map is shared unread
//! while a pack that an index lists is missing, and what is found to be lost is read from the
//! source again; a lost pack that no index lists, or wrong bytes, only show to `check`, to
//! `verify_point`, and to the proof when its window comes by.
//!
//! # Leaving out
//!
//! `store_stream_skipping` and `store_changed_skipping` leave out ranges that the caller says need
//! not be kept. The map says so of each chunk. What was left out and is not any more is read,
//! whatever the source calls changed.
//!
//! # What a crash leaves
//!
//! Packs and index objects that no restore point needs. The next run uses them.
//!
//! # Damage
//!
//! [`Repository::check`] walks each map node once, however many points share it, and says which
//! ranges of which points are lost; [`check_bytes`] compares checksums without a key.
//! [`Repository::repair`] keeps what is whole of damaged packs and writes indexes anew. A run that
//! stores again what is known to be lost heals the older points before it publishes its own.
//!
//! # Deliberately missing
//!
//! Hyper-V. Source cursors are opaque bytes; a stream is a stream.

#![forbid(unsafe_code)]

mod administer;
mod cache;
mod collect;
mod domain_view;
mod error;
mod features;
mod format;
#[cfg(fuzzing)]
pub mod fuzzing;
mod hex;
mod keys;
mod maintain;
mod point_selector;
mod points;
mod read;
mod repository;
mod restore_point;
mod settings;
mod stream;
#[cfg(test)]
mod test_repository;
mod unlock;
mod write;

pub use administer::{DomainInfo, HostInfo, KeyInfo};
pub use collect::{CollectObserver, CollectOptions, CollectReport, CollectStage};
pub use error::{RepositoryError, RepositoryErrorKind};
pub use keys::{HostKey, KeyFile, PasswordCost, RecoveryKey, Unlock};
pub use maintain::{
    BytesReport, CheckDepth, CheckReport, Damage, DeviceDifference, Difference, DifferenceKind,
    KeptObject, LockReport, LostRange, LostStream, RepairPlan, RepairReport, RepositoryStatistics,
    VerifyObserver, VerifyReport, check_bytes,
};
pub use point_selector::PointSelector;
pub use points::{
    Catalog, CatalogPoint, Hold, Note, PointNotes, PointSummary, Removal, RollUpReport, Verified,
};
pub use read::RepositoryDisk;
pub use repository::{InitOptions, Repository, repository_id};
pub use restore_point::{Consistency, LeftOutDisk, PointKind, PointStage, PointVm, RestorePoint};
pub use settings::{KeepRules, Settings};
pub use stream::{
    Proof, SkippedContent, Stream, StreamRead, StreamRole, StreamRoot, StreamStatistics,
};
pub use write::{ProofReport, RunWriter, SampleBudget, StoredStream, StreamObserver};
