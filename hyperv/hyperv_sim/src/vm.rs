//! A virtual machine.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vm_config::{DiskSlot, Memory, NetworkAdapter};

use crate::guid::guid_text;
use crate::vm_disk::attachment;
use crate::{
    Component, ComponentKind, DiskFile, Guest, GuestPlan, Job, JobFault, JobKind, OtherKey,
    PowerState, ReferencePoint, Replication, ReplicationPlan, Snapshot, VmDisk, VmPort,
};

/// A virtual machine, as the host knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vm {
    /// Its GUID: `Msvm_ComputerSystem.Name`.
    pub id: Uuid,
    /// `ElementName`. Need not be unique.
    pub name: String,
    /// 1 or 2.
    pub generation: u32,
    /// Configuration version, such as `9.0`.
    pub version: String,
    /// `Notes`.
    pub notes: String,
    /// When it was made.
    pub created: Timestamp,
    /// Whether it runs.
    pub power: PowerState,
    /// What runs inside.
    pub guest: Guest,
    /// What the guest tells of itself beside, or instead of, what its kind would: names and data of
    /// the data exchange service, such as `OSName`.
    #[serde(default)]
    pub told: BTreeMap<String, String>,
    /// Components that do not behave as the guest's kind would: not the usual [`Vm::component`].
    pub components: BTreeMap<ComponentKind, Component>,
    /// Virtual processors.
    pub processors: u32,
    /// Memory.
    pub memory: Memory,
    /// Network adapters.
    pub network_adapters: Vec<NetworkAdapter>,
    /// What its adapters have besides, in their order; see [`Vm::port`].
    #[serde(default)]
    pub ports: Vec<VmPort>,
    /// Its disks, ordered by slot.
    pub disks: Vec<VmDisk>,
    /// GUIDs of its SCSI controllers, by number.
    pub scsi_controllers: Vec<Uuid>,
    /// Disk drives with nothing in them.
    #[serde(default)]
    pub empty_drives: Vec<DiskSlot>,
    /// All files of its disks that are its own, by path as the host names it.
    pub files: BTreeMap<String, DiskFile>,
    /// It has a virtual TPM, and so a `.vmgs`.
    pub has_tpm: bool,
    /// Secure Boot is on.
    pub secure_boot: bool,
    /// GUID of Secure Boot's template.
    #[serde(default)]
    pub secure_boot_template: Option<Uuid>,
    /// What its definition says besides, and this host keeps without looking at it.
    #[serde(default)]
    pub other_keys: Vec<OtherKey>,
    /// `ConfigurationDataRoot`, and where the others are unless said otherwise.
    pub config_root: String,
    /// Where other data are than the configuration.
    #[serde(default)]
    pub data_roots: DataRoots,
    /// `ConfigurationFile`, below it: `Virtual Machines\<GUID>.vmcx`.
    pub config_file: String,
    /// Its checkpoints, oldest first.
    pub snapshots: Vec<Snapshot>,
    /// The checkpoint that its current state derives from.
    pub current_parent: Option<Uuid>,
    /// The checkpoint that it was taken back to last.
    #[serde(default)]
    pub last_applied: Option<Uuid>,
    /// Its reference points, oldest first.
    pub reference_points: Vec<ReferencePoint>,
    /// `UserSnapshotType`: 2 disabled, 3 production or else standard, 4 production alone, 5 standard.
    pub user_snapshot_type: u16,
    /// `AutomaticSnapshotsEnabled`.
    pub automatic_snapshots: bool,
    /// Hyper-V Replica.
    pub replication: Replication,
    /// When its logs come and are applied.
    #[serde(default)]
    pub replication_plan: Option<ReplicationPlan>,
    /// A role of the failover cluster.
    pub is_clustered: bool,
    /// `HealthState`: 5 OK, 20 major failure, 25 critical.
    pub health_state: u16,
    /// `LastSuccessfulBackupTime`.
    pub last_backup: Option<Timestamp>,
    /// Its jobs: queued, running, and over for less than five minutes.
    pub jobs: Vec<Job>,
    /// What goes wrong with the next merge.
    pub merge_fault: Option<JobFault>,
    /// `Msvm_DiskMergeSettingData.EnabledState` 1: merges are not held back.
    pub merges_enabled: bool,
    /// When its guest started, or was started again after it was saved; `None`: with the VM or the
    /// host.
    #[serde(default)]
    pub started: Option<Timestamp>,
    /// What its guest does while it is backed up through VSS.
    #[serde(default)]
    pub guest_plan: GuestPlan,
}

/// Where a VM's data are that do not lie with its configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataRoots {
    /// `SnapshotDataRoot`
    pub snapshots: Option<String>,
    /// `SwapFileDataRoot`
    pub swap_file: Option<String>,
    /// `SuspendDataRoot`
    pub suspend: Option<String>,
}

impl Vm {
    /// Returns `SnapshotDataRoot`: the configurations of checkpoints lie below it.
    pub fn snapshot_root(&self) -> &str {
        let own = self.data_roots.snapshots.as_deref();
        own.unwrap_or(&self.config_root)
    }

    /// Returns the job that keeps the VM busy now, merging aside.
    pub fn active_job(&self) -> Option<&Job> {
        self.jobs
            .iter()
            .find(|job| !job.state.is_over() && job.kind != JobKind::MergingDisks)
    }

    /// Returns the merge that is queued or runs.
    pub fn pending_merge(&self) -> Option<&Job> {
        self.jobs
            .iter()
            .find(|job| !job.state.is_over() && job.kind == JobKind::MergingDisks)
    }

    /// Returns `OperationalStatus`: one number, or two where something goes on (contract 1.1).
    pub fn operational_status(&self) -> Vec<u16> {
        let first = if self.health_state == 5 { 2 } else { 3 };
        let second = self.active_job().or_else(|| self.pending_merge());
        let second = second.and_then(|job| job.kind.operational_status());
        std::iter::once(first).chain(second).collect()
    }

    /// Returns an integration component as the host sees it now (contract 1.5).
    pub fn component(&self, kind: ComponentKind) -> Component {
        let usual = match (self.guest, kind) {
            (Guest::Windows | Guest::LinuxWithDaemon, _) => 2,
            (Guest::Linux, ComponentKind::Vss) | (Guest::None, _) => 12,
            (Guest::Linux, _) => 2,
        };
        let mut component = self.components.get(&kind).copied().unwrap_or(Component {
            enabled: true,
            status: usual,
        });
        if self.power != PowerState::Running {
            component.status = 12;
        }
        component
    }

    /// Returns a checkpoint.
    pub fn snapshot(&self, id: Uuid) -> Option<&Snapshot> {
        self.snapshots.iter().find(|snapshot| snapshot.id == id)
    }

    /// Returns a disk by where it is attached.
    pub fn disk(&self, slot: DiskSlot) -> Option<&VmDisk> {
        self.disks.iter().find(|disk| disk.slot == slot)
    }

    /// Returns the `InstanceID` of a disk's media below `owner`: the VM or one of its checkpoints.
    /// Replace the last letter `L` with `D` for the drive (contract 1.3).
    pub fn disk_instance_id(&self, owner: Uuid, slot: DiskSlot) -> String {
        let attachment = attachment(slot, &self.scsi_controllers);
        format!("Microsoft:{}\\{attachment}\\L", guid_text(owner))
    }

    /// Returns the major number of the configuration version; 0 where it has none.
    pub fn major_version(&self) -> u32 {
        let major = self.version.split('.').next().unwrap_or_default();
        major.parse().unwrap_or(0)
    }
}
