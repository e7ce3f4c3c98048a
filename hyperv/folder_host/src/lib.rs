//! A folder of Hyper-V VMs, seen as a host.
//!
//! ```text
//!   FOLDER ── PathIndex ── *.vmcx, *.xml ── VmConfiguration ── disks by longest equal tail ── VMs
//!                      └── disk files that no configuration names ───── leaves of chains ─── VMs
//! ```
//!
//! What a folder may be: a VM's own folder, a folder of exported VMs, or a heap of disk files.
//!
//! # Which file is what
//!
//! * A `.vmcx` or `.xml` that describes a VM is a VM, unless it lies in a folder `Snapshots`: then
//!   it is a checkpoint of the VM that lists it, that it names, or whose chains hold its disks.
//! * A path in a configuration is a path of the host. It means the file below the folder with the
//!   longest equal tail; where two fit equally well, none is taken.
//! * Of the disk files that no configuration reaches, each that is no other's parent is a VM of
//!   its own. Only `.vhdx`, `.avhdx`, `.vhd`, `.avhd`, `.img` and `.raw` count, so that notes and
//!   tracking files (`.rct`, `.mrt`) do not become VMs.
//!
//! # All checkpoints
//!
//! In mode `AllCheckpoints` the source holds image files as they lie, of every chain of the VM and
//! of its checkpoints, and the tree says what they are to each other. Which checkpoint derives from
//! which is told by their disks: no configuration says it. Nothing holds the files still, so they
//! are looked at again when all was read.
//!
//! # I/O
//!
//! Everything is opened for reading alone, below the folder alone: a link that leads out of it is
//! an error of the VM that needs it. The folder is listed anew for each call, as its files come
//! and go; nothing stays open after an inventory.
//!
//! # Errors
//!
//! What is wrong with one VM is a finding of that VM, with a stable id and a cure; opening such a
//! VM fails with the same words. Only a folder that cannot be listed is an error of the host.
//!
//! # What is missing
//!
//! VHD sets (`.vhds`) have no public format and are refused where a VM names one.

#![forbid(unsafe_code)]

mod catalog;
mod chain_files;
mod checkpoint;
mod diagnosis;
mod disk_source;
mod folder_host;
mod folder_plan;
mod image_layout;
mod kept_files;
mod loose_chain;
mod machine;
mod open_vm;
mod tree;

pub use folder_host::FolderHost;
