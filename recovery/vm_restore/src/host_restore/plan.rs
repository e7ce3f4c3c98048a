//! What a restore to a host will do.

use std::fmt;

use hyperv_host::{AdapterOrder, CheckpointTree, Finding, Identity, Severity, TargetVm};
use jiff::Timestamp;
use repository::{Repository, RestorePoint};
use serde::{Deserialize, Serialize};
use vm_config::{DiskSlot, VmConfiguration};

use super::disk_source::DiskContent;
use super::request::HostRestoreRequest;
use super::session::RestoreSession;
use super::write_rate::WriteRate;
use super::writer_plan::WriterPlan;

/// What sort of restore it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestoreKind {
    /// A VM is made; nothing on the host gives way.
    NewVm,
    /// A VM is made of a typed configuration; nothing on the host gives way.
    FromConfiguration,
    /// A VM is made beside the one that is there, which gets another name.
    Beside,
    /// The VM that is there gives way.
    InPlace,
    /// Disks are attached to a VM that is there.
    Disks,
    /// The VM that is there gets the point's configuration and keeps its disks.
    Configuration,
    /// The VM that is there gets the point's network adapters.
    Network,
    /// A restore that died had made the VM already: what it left is put in order.
    Finish,
}

impl RestoreKind {
    /// Says whether a VM is made, or made anew.
    pub(crate) fn makes_a_vm(self) -> bool {
        matches!(
            self,
            Self::NewVm
                | Self::FromConfiguration
                | Self::Beside
                | Self::InPlace
                | Self::Configuration
        )
    }
}

/// By what a VM comes to be on its host again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestoreMethod {
    /// What this program asks of the host: a planned VM, a new VM, its parts.
    #[default]
    Import,
    /// The host's VSS writer: PreRestore, files, PostRestore.
    Writer,
}

/// A step, in the order in which they are done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedStep {
    /// A stable word, such as `stop`, `disk`, `unregister` or `import`.
    pub name: &'static str,
    /// What is done, for people.
    pub text: String,
}

/// Something that is not there any more afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum Destroyed {
    /// A VM is taken from the host, with its configuration and its checkpoints.
    Vm {
        /// Its name.
        name: String,
        /// Its GUID.
        identity: String,
    },
    /// What a disk's file holds is written over.
    Content {
        /// The file, as the host names it.
        path: String,
    },
    /// A file is removed.
    File {
        /// The file, as the host names it.
        path: String,
    },
    /// The configuration of a VM is replaced; its disks stay.
    Configuration {
        /// The VM's name.
        name: String,
    },
}

/// How a disk comes to hold what the point has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "how")]
pub enum DiskMethod {
    /// A new file is written.
    NewFile,
    /// An image file of a chain is written as it was, byte for byte.
    Image,
    /// The file that is there is written over where the host says that it changed.
    ChangedRanges {
        /// How many ranges there are, in whole chunks of the repository.
        ranges: usize,
    },
    /// The file that is there is read once, and written over where it differs.
    Compared,
    /// The file that is there stays as it is.
    Kept,
}

/// A disk of the plan.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedDisk {
    /// Number of the disk in the point, or of the image among its images.
    pub number: u32,
    /// Where it is attached; images that are no leaf are not.
    pub slot: Option<DiskSlot>,
    /// The file, as the host names it.
    pub path: String,
    /// How it comes to hold what the point has.
    pub method: DiskMethod,
    /// Size of the disk, or of an image's file, in bytes.
    pub size_bytes: u64,
    /// Bytes that will be written.
    pub write_bytes: u64,
    /// It is exactly these; otherwise at most.
    pub is_exact: bool,
    /// By how much a file that is there may grow, in bytes.
    #[serde(skip)]
    pub(crate) grow_bytes: u64,
    #[serde(skip)]
    pub(crate) content: DiskContent,
    /// The file that is made first, where another has its place until the VM is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) beside: Option<String>,
}

/// What a volume must have free.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpaceNeed {
    /// Where the volume is mounted.
    pub mount: String,
    /// What the restore adds to it, in bytes.
    pub needed_bytes: u64,
    /// What is free on it, in bytes.
    pub free_bytes: u64,
}

/// What a restore to a host will do. Nothing has been done yet.
#[derive(Clone, Serialize)]
pub struct HostRestorePlan {
    /// Id of the restore.
    pub run: String,
    /// Id of the point.
    pub point: String,
    /// The time of the point.
    pub taken: Timestamp,
    /// The checkpoint whose state comes back, where it is not the latest one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// The VM's name in the point.
    pub vm: String,
    /// The host.
    pub host: String,
    /// What sort of restore it is.
    pub kind: RestoreKind,
    /// By what the VM comes to be on its host.
    pub method: RestoreMethod,
    /// The name that the VM has afterwards.
    pub name: String,
    /// The name that the VM which was there has afterwards, where it stays under another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_name: Option<String>,
    /// The identity that it gets.
    pub identity: Identity,
    /// The folder that the host keeps its definition in.
    pub configuration_folder: String,
    /// The steps, in order.
    pub steps: Vec<PlannedStep>,
    /// What is not there any more afterwards.
    pub destroyed: Vec<Destroyed>,
    /// The disks.
    pub disks: Vec<PlannedDisk>,
    /// Bytes that will be written to disks.
    pub write_bytes: u64,
    /// It is exactly these; otherwise at most.
    pub write_is_exact: bool,
    /// How quickly they are written, as far as that is known.
    pub rate: WriteRate,
    /// The VM runs: what it changes until it is off is not known, so the bytes are a bound.
    pub runs_still: bool,
    /// What volumes must have free.
    pub space: Vec<SpaceNeed>,
    /// How its network adapters come back.
    pub adapters: Vec<AdapterOrder>,
    /// Memory that was saved comes back.
    pub keep_memory: bool,
    /// The VM is started when all is done.
    pub starts: bool,
    /// What stands in the way, or is worth knowing. With a `Block` nothing is done.
    pub findings: Vec<Finding>,
    /// It goes on with a restore that died.
    pub resumes: bool,
    #[serde(skip)]
    pub(crate) repository: Repository,
    #[serde(skip)]
    pub(crate) source: RestorePoint,
    #[serde(skip)]
    pub(crate) request: HostRestoreRequest,
    #[serde(skip)]
    pub(crate) old: Option<TargetVm>,
    #[serde(skip)]
    pub(crate) remove: Vec<String>,
    /// What sessions know the host by.
    #[serde(skip)]
    pub(crate) session_host: String,
    /// The session of the same restore, which died.
    #[serde(skip)]
    pub(crate) session: Option<RestoreSession>,
    /// The session of another restore of the VM, which died.
    #[serde(skip)]
    pub(crate) other: Option<RestoreSession>,
    /// The checkpoints that come back.
    #[serde(skip)]
    pub(crate) tree: Option<CheckpointTree>,
    #[serde(skip)]
    pub(crate) configuration: Option<VmConfiguration>,
    #[serde(skip)]
    pub(crate) old_is_there: bool,
    /// The VM ran before the restore, or before one that died and that this one goes on with.
    #[serde(skip)]
    pub(crate) ran: bool,
    /// What the host's writer is told, where the VM comes back through it.
    #[serde(skip)]
    pub(crate) writer: Option<WriterPlan>,
}

impl HostRestorePlan {
    /// Says whether a person has to confirm it by name: something is destroyed.
    pub fn needs_confirmation(&self) -> bool {
        !self.destroyed.is_empty()
    }

    /// Returns what the VM starts with of memory, in bytes; 0 where the point does not tell.
    pub fn startup_memory_bytes(&self) -> u64 {
        self.configuration.as_ref().map_or(0, |configuration| {
            configuration.memory.startup_mib.saturating_mul(1 << 20)
        })
    }

    /// Returns how long writing its disks takes, in seconds, at the rate that it goes by.
    pub fn estimated_seconds(&self) -> u64 {
        self.rate.seconds(self.write_bytes)
    }

    /// Returns the name that the VM has now which the restore meets on the host.
    pub fn old_vm_name(&self) -> Option<&str> {
        self.old.as_ref().map(|old| &*old.name)
    }

    /// Returns what stands in the way.
    pub fn block(&self) -> Option<&Finding> {
        let mut findings = self.findings.iter();
        findings.find(|finding| finding.severity == Severity::Block)
    }
}

impl fmt::Debug for HostRestorePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostRestorePlan")
            .field("point", &self.point)
            .field("kind", &self.kind)
            .field("steps", &self.steps)
            .field("findings", &self.findings)
            .finish_non_exhaustive()
    }
}
