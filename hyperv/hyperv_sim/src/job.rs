//! Jobs: operations that take their time on the host's clock.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::job_work::JobWork;

/// `Msvm_ConcreteJob.JobType` (contract 0.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobKind {
    /// 1
    DefineVm,
    /// 2
    ModifyVm,
    /// 3
    DestroyVm,
    /// 30
    AddResources,
    /// 31
    ModifyResources,
    /// 32
    RemoveResources,
    /// 61
    Import,
    /// 140
    ValidatePlanned,
    /// 141
    Realize,
    /// Of a virtual switch: no number is documented.
    ChangeSwitch,
    /// 50
    MergingDisks,
    /// 62
    Export,
    /// 70
    CreateSnapshot,
    /// 71
    ApplySnapshot,
    /// 72
    DeleteSnapshot,
    /// 170: another product holds the VM busy.
    Backup,
    /// 200
    ConvertSnapshotToReferencePoint,
    /// 201
    CreateReferencePoint,
    /// 202
    DeleteReferencePoint,
    /// 307, of `Msvm_MigrationJob`.
    MoveStorage,
}

impl JobKind {
    /// Returns the number.
    pub fn number(self) -> u16 {
        match self {
            Self::DefineVm => 1,
            Self::ModifyVm => 2,
            Self::DestroyVm => 3,
            Self::AddResources => 30,
            Self::ModifyResources => 31,
            Self::RemoveResources => 32,
            Self::Import => 61,
            Self::ValidatePlanned => 140,
            Self::Realize => 141,
            Self::ChangeSwitch => 0,
            Self::MergingDisks => 50,
            Self::Export => 62,
            Self::CreateSnapshot => 70,
            Self::ApplySnapshot => 71,
            Self::DeleteSnapshot => 72,
            Self::Backup => 170,
            Self::ConvertSnapshotToReferencePoint => 200,
            Self::CreateReferencePoint => 201,
            Self::DeleteReferencePoint => 202,
            Self::MoveStorage => 307,
        }
    }

    /// Returns what `Caption` says, in English.
    pub fn caption(self) -> &'static str {
        match self {
            Self::DefineVm => "Creating Virtual Machine",
            Self::ModifyVm => "Modifying Virtual Machine",
            Self::DestroyVm => "Destroying Virtual Machine",
            Self::AddResources => "Adding Virtual Machine Resources",
            Self::ModifyResources => "Modifying Virtual Machine Resources",
            Self::RemoveResources => "Removing Virtual Machine Resources",
            Self::Import => "Importing Virtual Machine",
            Self::ValidatePlanned => "Validating Virtual Machine",
            Self::Realize => "Realizing Virtual Machine",
            Self::ChangeSwitch => "Changing Virtual Switch",
            Self::MergingDisks => "Merging Virtual Hard Disks",
            Self::Export => "Exporting Virtual Machine",
            Self::CreateSnapshot => "Creating Checkpoint",
            Self::ApplySnapshot => "Applying Checkpoint",
            Self::DeleteSnapshot => "Deleting Checkpoint",
            Self::Backup => "Backing Up Virtual Machine",
            Self::ConvertSnapshotToReferencePoint => "Converting Checkpoint to Reference Point",
            Self::CreateReferencePoint => "Creating Reference Point",
            Self::DeleteReferencePoint => "Deleting Reference Point",
            Self::MoveStorage => "Moving Virtual Machine Storage",
        }
    }

    /// Returns the second number of the VM's `OperationalStatus` meanwhile (contract 1.1).
    pub fn operational_status(self) -> Option<u16> {
        match self {
            Self::MergingDisks => Some(32772),
            Self::Export => Some(32773),
            Self::CreateSnapshot => Some(32768),
            Self::ApplySnapshot => Some(32769),
            Self::DeleteSnapshot => Some(32770),
            Self::Backup | Self::ConvertSnapshotToReferencePoint => Some(32776),
            Self::MoveStorage => Some(32774),
            Self::ModifyVm | Self::AddResources | Self::ModifyResources | Self::RemoveResources => {
                Some(32777)
            }
            Self::CreateReferencePoint
            | Self::DeleteReferencePoint
            | Self::DefineVm
            | Self::DestroyVm
            | Self::Import
            | Self::ValidatePlanned
            | Self::Realize
            | Self::ChangeSwitch => None,
        }
    }
}

/// `JobState` (contract 0.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// 2
    New,
    /// 3
    Starting,
    /// 4
    Running,
    /// 7
    Completed,
    /// 8
    Terminated,
    /// 9
    Killed,
    /// 10
    Exception,
    /// 32768
    CompletedWithWarnings,
}

impl JobState {
    /// Returns the number.
    pub fn number(self) -> u16 {
        match self {
            Self::New => 2,
            Self::Starting => 3,
            Self::Running => 4,
            Self::Completed => 7,
            Self::Terminated => 8,
            Self::Killed => 9,
            Self::Exception => 10,
            Self::CompletedWithWarnings => 32768,
        }
    }

    /// Returns whether the job is over.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::New | Self::Starting | Self::Running)
    }
}

/// Something that a job made, changed or works on: `Msvm_AffectedJobElement`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobElement {
    /// The VM itself; in every job.
    Vm(Uuid),
    /// A checkpoint that the job made.
    Snapshot(Uuid),
    /// A reference point that the job made.
    ReferencePoint(Uuid),
    /// A planned VM that the job made, or works on.
    PlannedVm(Uuid),
    /// A virtual switch that the job made.
    Switch(Uuid),
}

/// What goes wrong with a job, planned beforehand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobFault {
    /// It ends in state 10.
    Fail {
        /// `ErrorCode`.
        code: u32,
        /// `ErrorDescription`.
        description: String,
        /// What the job was to do is done all the same.
        after_effect: bool,
    },
    /// It never ends, until it is terminated or the host restarts.
    Hang,
}

/// An operation that takes its time. Its effect comes at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// `InstanceID`.
    pub id: Uuid,
    /// What sort of job it is.
    pub kind: JobKind,
    /// The VM that it works on.
    pub vm: Uuid,
    /// When it starts; before that it is queued.
    pub starts: Timestamp,
    /// When it will end, unless it hangs.
    pub ends: Timestamp,
    /// Where it is; see [`Job::percent`] for how far.
    pub state: JobState,
    /// When it ended. Five minutes later it is removed.
    pub finished: Option<Timestamp>,
    /// `ErrorCode`; 0 where all is well.
    pub error_code: u32,
    /// `ErrorDescription`; empty where all is well.
    pub error_description: String,
    /// Each message of an error that has several: its number, and its text.
    #[serde(default)]
    pub error_details: Vec<(u32, String)>,
    /// What it made, changed or works on.
    pub elements: Vec<JobElement>,
    /// What goes wrong with it.
    pub fault: Option<JobFault>,
    /// What it does at its end.
    pub(crate) work: JobWork,
}

impl Job {
    /// Returns `PercentComplete` at `now`.
    pub fn percent(&self, now: Timestamp) -> u16 {
        if matches!(
            self.state,
            JobState::Completed | JobState::CompletedWithWarnings
        ) {
            return 100;
        }
        let whole = (self.ends.as_millisecond() - self.starts.as_millisecond()).max(1);
        let gone = (now.as_millisecond() - self.starts.as_millisecond()).max(0);
        u16::try_from((gone * 100 / whole).min(99)).unwrap_or(0)
    }

    /// Returns what the job made.
    pub fn result(&self) -> Option<JobElement> {
        self.elements
            .iter()
            .copied()
            .find(|element| !matches!(element, JobElement::Vm(_)))
    }
}
