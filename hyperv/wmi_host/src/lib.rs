//! A Hyper-V host, real or simulated, through its WMI.
//!
//! ```text
//!                      WmiSession                            HostPaths
//!                  queries and methods                  the host's files here
//!                          │                                   │
//!   facts ── Windows, volumes, cluster; per VM: settings,      │
//!     │      disks, checkpoints, reference points, guest       │
//!     ├─► findings ─┬─► inventory ◄── sizes and chains ────────┤
//!     │             ├─► plan: consistency, room, full reasons  │
//!     │             └─► doctor                                 │
//!     ├─► backup: journal ─► checkpoint ─► frozen disks ◄──────┤
//!     │   │                  ─► reference point, cursors ─► residue settled
//!     │   └─► vss: journal ─► volume snapshots ─► right leaves ◄┤
//!     │       VssService      of many VMs at once     ─► residue settled
//!     └─► restore: journal ─► planned VM ─► validated ─► VM    │
//!                  places of files that are not there yet ◄────┘
//! ```
//!
//! # Reading
//!
//! Facts are read in a number of queries that does not depend on the number of VMs, and never
//! change. Inventory and plans work from them alone, and open disks only where their files can be
//! seen; for a plan they may be as old as [`WmiHostOptions::facts_keep`]. A backup reads its VM
//! anew each time before it acts. Nothing is told by captions, which are in the host's language;
//! a VM is its GUID, whatever it is called.
//!
//! # Acting
//!
//! What a run is about to make is in the journal before the host is asked; see the modules of the
//! journal, the backup and the restore. Only what is told to be ours is ever removed.
//!
//! # Bounds
//!
//! What a host may send is bounded by `wmi::limits`. Chains of checkpoints that refer to
//! themselves end. Sizes add up without overflow.
//!
//! # Errors
//!
//! [`hyperv_host::HostError`]; callers decide on its kind. What is wrong with a VM is a finding of
//! it, not an error of the host.
//!
//! # What is missing
//!
//! Hosts before Windows Server 2012 are listed and refused. What goes through VSS needs a service
//! of the host itself ([`WmiHost::with_vss`]). VHD sets and other disks that several VMs share are
//! left out. A cluster is one host through [`ClusterHost`]; a node used by itself backs up the VMs
//! that it has, and nobody follows them.

#![forbid(unsafe_code)]

mod backup;
mod cluster;
mod cursor;
mod disk_files;
mod facts;
mod findings;
mod host_checks;
mod host_failure;
mod inventory;
mod journal;
mod plan;
mod replication;
mod residue;
mod restore;
mod vss;
mod wmi_host;

pub use cluster::{ClusterHost, NodeConnector, is_shared_storage};
pub use host_checks::{Fix, plan_fixes};
pub use host_failure::host_error;
pub use residue::{Residue, find_residue, fix_residue};
pub use wmi_host::{WmiHost, WmiHostOptions};
