//! The Volume Shadow Copy Service as a requester sees it.
//!
//! A requester (a backup program) asks writers (Hyper-V among them) to hold still, and providers to
//! make snapshots of volumes. This crate has the seam, [`VssService`] and [`VssBackup`]; what stands
//! behind it is chosen by the program: Windows' own service, or that of a simulated host.
//!
//! ```text
//!   begin ─► writers ─► add_component … ─► start_set ─► add_volume … ─► prepare ─► snapshot
//!     │                                                    PrepareForSnapshot … PostSnapshot
//!     │         ┌──────────────────────────────────────────────────────────────────┘
//!     │         └─► writer_statuses ─► snapshots: read ─► set_succeeded … ─► complete ─► delete_set
//!     └─ anything fails, at any time: abort
//! ```
//!
//! Names are those of the interface (`vsbackup.h`, `vswriter.h`), each call says which of its
//! methods it stands for. One [`VssBackup`] is one backup: what writers tell of themselves is read
//! once, so a VM that is made later is in none of its components.

#![deny(unsafe_code)]

mod code;
#[cfg(not(windows))]
mod elsewhere;
mod error;
mod error_kind;
mod listing;
#[cfg(windows)]
mod native;
mod order;
mod requester;
mod snapshot;
mod step;
mod writer;

pub use code::{CodeMeaning, all_codes, meaning_of};
#[cfg(not(windows))]
pub use elsewhere::WindowsVss;
pub use error::VssError;
pub use error_kind::VssErrorKind;
pub use listing::{
    LastError, ListedStorage, ListedVolume, ListedWriter, parse_shadow_storage, parse_writers,
};
#[cfg(windows)]
pub use native::WindowsVss;
pub use order::{Order, Phase};
pub use requester::{Cancelled, RequestOptions, SnapshotKind, VssBackup, VssService};
pub use snapshot::{Provider, ProviderKind, Snapshot, SnapshotVolume, VolumeKind};
pub use step::VssStep;
pub use writer::{
    BackupType, Component, ComponentId, ComponentKind, FileSet, HYPERV_WRITER, Writer, WriterState,
    WriterStatus,
};
