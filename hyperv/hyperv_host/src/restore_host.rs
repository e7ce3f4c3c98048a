//! A host that VMs are restored to.

use std::path::PathBuf;

use vm_config::DiskSlot;

use crate::{
    AdapterOrder, DiskChanges, Finding, HostError, ImportOrder, NewVmOrder, PowerState,
    StepObserver, SwitchSettings, TargetHost, WriterRestoreHost,
};

/// A host that VMs are restored to.
///
/// ```text
///   target ─► a plan, elsewhere                                          nothing is touched
///   local_path ─► disks and definition files are written                 by whoever restores
///   import: planned VM ─► paths, networks ─► validated ─► realised       or nothing is left
/// ```
///
/// Each call that makes something is in the host's journal before the host is asked; what a call
/// that failed has made is removed before it returns, or the journal tells of it. VMs are named by
/// their GUIDs in lower case.
pub trait RestoreHost: Send + Sync {
    /// Returns the name that people know the host by.
    fn name(&self) -> &str;

    /// Reads what the host has and bears. Nothing is touched.
    fn target(&self) -> Result<TargetHost, HostError>;

    /// Returns the file or folder of this machine that a host's absolute path names, whether it is
    /// there or not. Nothing leads out of the host's drives and shares.
    ///
    /// # Errors
    ///
    /// `Blocked` where this machine cannot see the drive or share.
    fn local_path(&self, host_path: &str) -> Result<PathBuf, HostError>;

    /// Makes a VM of a definition file and of disks that are in place: as a planned VM first, which
    /// is validated before it becomes one that people see. The VM is off, or saved where it keeps
    /// its memory.
    ///
    /// # Errors
    ///
    /// `Blocked` where a VM has the identity already, `Refused` with the host's own messages where
    /// the definition is not valid there; then no planned VM is left.
    fn import(
        &self,
        order: &ImportOrder,
        observer: &dyn StepObserver,
    ) -> Result<RestoredVm, HostError>;

    /// Makes a VM of a typed configuration, where the host cannot read its definition file: a
    /// version that it does not have, or a point without one.
    fn create(
        &self,
        order: &NewVmOrder,
        observer: &dyn StepObserver,
    ) -> Result<RestoredVm, HostError>;

    /// Takes a VM from the host. Its disks stay where they are; its definition files go. In a
    /// cluster its role stays, and is offline.
    ///
    /// # Errors
    ///
    /// `Blocked` where the VM is not off or saved.
    fn unregister(&self, vm: &str, observer: &dyn StepObserver) -> Result<(), HostError>;

    /// Turns a VM off, saves or starts it, through its cluster where it has one; returns what it
    /// was doing before.
    fn set_power(
        &self,
        vm: &str,
        wanted: PowerState,
        observer: &dyn StepObserver,
    ) -> Result<PowerState, HostError>;

    /// Gives a VM another name.
    fn rename(&self, vm: &str, name: &str) -> Result<(), HostError>;

    /// Attaches a disk that is in place to a VM: to `slot`, or to the first free one of its SCSI
    /// controllers, or IDE ones where it has none. Returns where.
    ///
    /// # Errors
    ///
    /// `Blocked` where the slot is taken, or nothing is free, or the VM must be off for it.
    fn attach_disk(
        &self,
        vm: &str,
        slot: Option<DiskSlot>,
        host_path: &str,
    ) -> Result<DiskSlot, HostError>;

    /// Takes a disk from a VM; the file stays. Fails with `Blocked` where none is there.
    fn detach_disk(&self, vm: &str, slot: DiskSlot) -> Result<(), HostError>;

    /// Connects, names and addresses the network adapters of a VM that is off; adapters beyond
    /// those that it has are added. Returns what could not be done as asked.
    fn set_adapters(&self, vm: &str, adapters: &[AdapterOrder]) -> Result<Vec<Finding>, HostError>;

    /// Makes a virtual switch. What of it the host has no way to make is a finding.
    fn create_switch(&self, switch: &SwitchSettings) -> Result<Vec<Finding>, HostError>;

    /// Says what changed on a VM's disk since the state that `cursor` names: that of the restore
    /// point. `Everything` where the host does not know, or is not to be believed.
    fn changes_since(
        &self,
        vm: &str,
        slot: DiskSlot,
        cursor: &str,
    ) -> Result<DiskChanges, HostError>;

    /// Removes what restores that died have left on the host: planned VMs that a journal names.
    /// Returns what was done, and what could not be.
    fn settle_restores(&self) -> Result<Vec<Finding>, HostError>;

    /// Returns the host as one whose own VSS writer takes VMs back; `None` where nobody here can
    /// speak to that writer.
    fn as_writer_restore(&self) -> Option<&dyn WriterRestoreHost> {
        None
    }
}

/// A VM that a restore has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredVm {
    /// Its GUID in lower case.
    pub identity: String,
    /// Its name.
    pub name: String,
    /// What went otherwise than one would wish: networks that are missing, notes of a validation.
    pub findings: Vec<Finding>,
}
