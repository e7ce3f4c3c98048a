//! A Hyper-V host that does not exist: it answers like one, over real VHDX files in a folder.
//!
//! What a backup asks of Hyper-V can be exercised here on any machine: checkpoints make real
//! differencing disks, merges really merge, changes are tracked as RCT does, jobs take their time,
//! other products stand in the way, and everything can fail. It follows the host contract of the
//! house, with the field's behavior where field and documents differ.
//!
//! ```text
//!   WMI (face), over HTTP (wsman)     VssService (vss)     SimHost: tests, the command line
//!            └──────────────────────────┴─────────────────────────┘
//!                      HostState: typed state, operations, jobs, clock
//!                          │                         │
//!                DIR/host.json, DIR/vms      DIR/drives/C/… : .vhdx .avhdx .rct .vmcx
//! ```
//!
//! # A folder is a host
//!
//! | Path | Holds |
//! |---|---|
//! | `lock` | the lock; one line with generation, clock and count of drawn numbers |
//! | `host.json` | what the host knows besides its VMs |
//! | `vms/<GUID>.json` | a VM: settings, disks, checkpoints, reference points, jobs |
//! | `drives/C/…` | the host's `C:\…`, with Hyper-V's own names |
//! | `shadows/…` | snapshots of volumes: their files as they were |
//! | `vss/<GUID>` | locked by the program that makes this backup through VSS |
//! | `trace` | what happened, a line each ([`SimHost::trace`]) |
//!
//! Each operation locks the folder, reads what others changed, moves the clock by a millisecond,
//! does what has come due, acts, and saves only what changed. So several programs can use one host.
//! Nothing is flushed: the files need not survive a power cut of this machine, only the death of a
//! program. A file goes only after the state that does not need it any more was saved.
//!
//! # Disks
//!
//! ```text
//!   X.vhdx ◄── X_<GUID>.avhdx ◄── X_<GUID>.avhdx      parents to the left
//!   frozen     frozen             the VM writes here
//! ```
//!
//! The files of a VM's disks form trees. Checkpoints and the VM refer to nodes. A node that nothing
//! refers to goes if nothing derives from it, takes up its child if one file does, and stays
//! otherwise: this one rule makes conversion, removal, going back and merges in the middle of a
//! chain. A merge waits while somebody has one of its files open for reading.
//!
//! # Import and removal
//!
//! ```text
//!   definition file ─► planned VM ─► paths, adapters, folders ─► validated ─► VM, off or saved
//!                          └─► destroyed: nothing is left
//! ```
//!
//! What a definition file says is read as any file of a host is. What its typed configuration has no
//! place for, such as what runs inside and how checkpoints derive from each other, this host notes in
//! the files that it writes; where a file has no such notes, checkpoints are put into their tree by
//! their disks. A planned VM is part of the host's state, and its disks are not looked at before it is
//! validated. Switches are there because somebody made them, or because a VM's adapter names them.
//!
//! # Change tracking
//!
//! A recovery checkpoint switches tracking on and makes a point; the point's id goes to the
//! checkpoint and from there to its reference point. What changes is kept for each interval between
//! points, in blocks of 32 KiB. A question is answered with the union of the intervals between the
//! id and the frozen file. Points that nobody holds are forgotten with the next checkpoint, since no
//! host promises more. Ids become unknown where a disk is replaced, resized, changed offline, moved
//! without its `.rct` or taken back to a checkpoint. After a crash more is called changed than was.
//!
//! # VSS
//!
//! [`SimVss`] is the service that a requester talks to, [`SimPaths`] leads into its snapshots:
//!
//! | Version | Guest that answers | Other VMs that run |
//! |---|---|---|
//! | 2008 R2, 2012 | the guest's own snapshot; the disk on the volume snapshot is taken back to it | saved, or paused without integration services, from `PrepareForSnapshot` to `PostSnapshot` |
//! | 2012 R2 | a checkpoint, and `X-AutoRecovery.avhdx` on the volume snapshot | a checkpoint |
//! | 2016 and later | a checkpoint of the recovery kind | a checkpoint |
//!
//! A snapshot of a volume shares its disks with the live files as long as both hold the same; who
//! changes a live file gives it a copy of its own first. So a file of the host must not be changed
//! in place past the host while a snapshot is there. What the writer does to a VM it undoes at
//! `PostSnapshot`, with `Abort`, or when the requester dies, which the next operation of any program
//! finds out. What guests write meanwhile, and what they recover to, is said by a [`GuestPlan`].
//!
//! # Replication
//!
//! Only what a backup sees of it: states, the times of logs by a [`ReplicationPlan`], the refusal
//! while one is applied, and pausing it. No disk is ever replicated.
//!
//! # Clusters
//!
//! A [`SimCluster`] is a folder with hosts in it, and storage that all of them see:
//!
//! | Path | Holds |
//! |---|---|
//! | `lock` | the cluster's lock; one line with generation and clock |
//! | `cluster.json` | [`ClusterFacts`]: nodes, roles and their owners, volumes, what happened |
//! | `nodes/<NAME>/` | each a host, as above |
//! | `storage/volumes/Volume1/…` | `C:\ClusterStorage\Volume1\…` of every node |
//! | `storage/shares/nas/vm/…` | `\\nas\vm\…` |
//!
//! Whoever opens a node's folder has a node: each of its operations locks the cluster first, and
//! `root\MSCluster` says the same on all of them. A VM is on one node at a time, which its role
//! says; it moves with checkpoints, reference points and tracking, by hand, by the clock or when
//! something is called (the fault `moves=NODE`). A VM that should run and was stopped by anybody but
//! the cluster is a surprise ([`SimCluster::surprises`]), and is started again elsewhere. Who may
//! snap a shared volume, and when, is said by [`ClusterRules`].
//!
//! # Time
//!
//! The clock is the host's own and moves when it is told to, or follows real time for a host that is
//! served. A job's effect comes at its end; five minutes later it is gone. GUIDs come from the seed
//! and a counter: the same calls make the same host.
//!
//! # Errors
//!
//! [`SimError`] has a kind and the code that Hyper-V would give. What a real host finds out before
//! it answers is an error of the call, what it finds out later is the job's.
//!
//! # What is missing
//!
//! Groups of VMs and VHD sets beyond their refusal, planned VMs that are defined instead of imported,
//! and the running of guests: they only write. Of VSS: transportable and persistent
//! snapshots, differential storage that fills up, and what writers inside of guests say.

#![forbid(unsafe_code)]

mod add_vm;
mod apply_snapshot;
mod attached_images;
mod change_queries;
mod clock;
mod cluster;
mod config_files;
mod create_snapshot;
mod define_system;
mod definition_file;
mod destroy_system;
mod device_change;
mod disk_changes;
mod disk_tree;
mod drive;
mod export;
mod face;
mod folder_lock;
mod guest;
mod guest_write;
mod guid;
mod host_api;
mod host_crash;
mod host_folder;
mod host_state;
mod image;
mod import;
mod job;
mod job_work;
mod ledger;
mod merging;
mod migration;
mod mounted_image;
mod other_key;
mod plain_change;
mod planned_vm;
mod power;
mod power_state;
mod profile;
mod realize;
mod reference_point;
mod reference_points;
mod remove_snapshot;
mod replication;
mod running_jobs;
mod sim_error;
mod sim_host;
mod sim_options;
mod sim_paths;
mod snapshot;
mod snapshot_settings;
mod state_report;
mod trace;
mod tracked_disk;
mod tracking;
mod validate;
mod virtual_switch;
mod vm;
mod vm_disk;
mod vm_port;
mod vm_spec;
mod volume;
mod volume_room;
mod volume_settings;
mod vss;
pub mod wsman;

use define_system::DEFAULT_DATA_ROOT;

pub use change_queries::Changes;
pub use cluster::{
    Cluster, ClusterEvent, ClusterEventKind, ClusterFacts, ClusterNode, ClusterOptions,
    ClusterReport, ClusterRules, NodeOptions, NodeReport, NodeState, Role, RoleState, SharedVolume,
    SimCluster,
};
pub use face::{
    CallCount, Effect, FAULT_SYNTAX, Fault, FaultPlan, FaultPoint, METHODS, SimClock, SimSession,
    VSS_POINTS, VSS_RESTORE_POINTS, When, WmiCall, conflict_text,
};
pub use guest::{Component, ComponentKind, Consistency, Guest};
pub use job::{Job, JobElement, JobFault, JobKind, JobState};
pub use ledger::{Ledger, LedgerDifference, LedgerKind};
pub use mounted_image::MountedImage;
pub use other_key::{OtherKey, OtherValue};
pub use planned_vm::PlannedVm;
pub use power_state::PowerState;
pub use profile::Profile;
pub use reference_point::{ReferencePoint, ReferencePointDisk};
pub use replication::{Replication, ReplicationPlan};
pub use sim_error::{SimError, SimErrorKind};
pub use sim_host::SimHost;
pub use sim_options::{Behavior, SimOptions, WriterHealth};
pub use sim_paths::SimPaths;
pub use snapshot::{Snapshot, SnapshotDisk, SnapshotKind};
pub use snapshot_settings::SnapshotSettings;
pub use state_report::StateReport;
pub use trace::{TraceEvent, TraceKind};
pub use virtual_switch::{HostPort, PhysicalAdapter, VirtualSwitch};
pub use vm::{DataRoots, Vm};
pub use vm_disk::{DiskFile, DiskKind, VmDisk};
pub use vm_port::VmPort;
pub use vm_spec::{DiskContent, DiskSpec, VmSpec};
pub use volume::{ShadowStorage, Volume, VolumeRoom};
pub use vss::{GuestPlan, GuestWrite, HardwareProvider, SimVss};
