//! What goes otherwise than one would wish when a VM is restored, in words.

use std::fmt::Display;

use hyperv_host::{Finding, Severity};
use uuid::Uuid;
use wmi::MethodError;

use super::attach::slot_text;
use super::planned_vm::PlannedVm;
use crate::facts::{DiskFacts, VmFacts};
use crate::journal::{JournalEntry, OpenEntry};

const FIX: &str = "`lifeboat doctor --fix` tries again";

/// A VM has the identity already.
pub(super) fn same_vm(host: &str, id: Uuid, name: &str) -> Finding {
    let text = format!("{host} has the VM {id} already, as {name}");
    Finding::new("POINT-SAME-VM", Severity::Block, text)
        .cure("restore it as a new VM, or replace the one that is there")
}

/// The switch of an adapter is not on the host.
pub(super) fn switch_missing(adapter: &str, switch: &str) -> Finding {
    let text =
        format!("the network adapter {adapter} is not connected: the host has no switch {switch}");
    Finding::new("POINT-SWITCH-MISSING", Severity::Warn, text)
        .cure("map it with --map-switch, make the switch, or connect the adapter by hand")
}

/// The VLAN of an adapter could not be set.
pub(super) fn vlan_not_set(adapter: &str, vlan: Option<u16>, why: &dyn Display) -> Finding {
    let wanted = vlan.map_or("none".to_owned(), |vlan| vlan.to_string());
    let text =
        format!("the VLAN of the network adapter {adapter} could not be set to {wanted}: {why}");
    Finding::new("VM-VLAN-NOT-SET", Severity::Warn, text)
        .cure("set it with Set-VMNetworkAdapterVlan before the VM is started")
}

/// A disk that is not in place stays in the settings.
pub(super) fn disk_stays(disk: &DiskFacts, error: &MethodError) -> Finding {
    let place = disk
        .slot
        .map_or_else(String::new, |slot| format!(" at {}", slot_text(slot)));
    let text = format!(
        "the disk {}{place} was not restored, and the host does not let the VM go without it: {error}",
        disk.path
    );
    Finding::new("VM-DISK-NOT-TAKEN-OUT", Severity::Warn, text)
        .cure("remove it from the VM's settings before the VM is started")
}

/// A DVD drive was emptied.
pub(super) fn dvd_taken_out(path: &str) -> Finding {
    let text = format!("the DVD drive with {path} is empty now: the host does not have the image");
    Finding::new("VM-DVD-IMAGE", Severity::Info, text)
}

/// A DVD drive names an image that is not there.
pub(super) fn dvd_stays(path: &str, error: &MethodError) -> Finding {
    let text = format!(
        "a DVD drive names {path}, which the host does not have, and could not be emptied: {error}"
    );
    Finding::new("VM-DVD-IMAGE", Severity::Warn, text)
        .cure("empty it in the VM's settings if the VM does not start")
}

/// A checkpoint that the definition lists is not there.
pub(super) fn checkpoint_missing(name: &str, id: Uuid) -> Finding {
    let text = format!(
        "the checkpoint {name} ({id}) is not in the folder of checkpoints, and was dropped"
    );
    Finding::new("VM-CHECKPOINT-DROPPED", Severity::Warn, text)
        .cure("restore a point of all checkpoints, if the checkpoint is needed")
}

/// What the host notes of a VM that it takes.
pub(super) fn validation_note(text: &str) -> Finding {
    Finding::new(
        "VM-HOST-NOTE",
        Severity::Info,
        format!("the host notes: {text}"),
    )
}

/// Something of a switch or a VM that the host has no way to make.
pub(super) fn not_made(what: &str, why: &dyn Display) -> Finding {
    let text = format!("{what} could not be made as it was: {why}");
    Finding::new("HOST-SWITCH-PART", Severity::Warn, text)
        .cure("set it by hand before the VM is started")
}

/// The cluster did not take over what was changed.
pub(crate) fn role_not_updated(name: &str, why: &dyn Display) -> Finding {
    let text = format!("the cluster's role of the VM {name} was not brought up to date: {why}");
    Finding::new("VM-ROLE-NOT-UPDATED", Severity::Warn, text)
        .cure("Update-ClusterVirtualMachineConfiguration, before the VM is moved to another node")
}

/// Closes an entry of which nothing is left.
pub(super) fn close(entry: OpenEntry) -> Option<Finding> {
    let place = entry.place();
    let error = entry.close().err()?;
    let text =
        format!("nothing is left of a restore, but its journal entry {place} stays: {error}");
    Some(Finding::new("RESIDUE-JOURNAL", Severity::Info, text).cure(FIX))
}

/// A planned VM is left.
pub(super) fn planned_left(entry: &JournalEntry, planned: &PlannedVm, why: &str) -> Finding {
    let text = format!(
        "the restore {} has left a planned VM, which people do not see: {} ({}){why}",
        entry.run, planned.name, planned.id
    );
    Finding::new("RESIDUE-PLANNED-VM", Severity::Warn, text).cure(FIX)
}

/// There are planned VMs of which one may be ours.
pub(super) fn planned_undecided(entry: &JournalEntry, planned: &[PlannedVm]) -> Finding {
    let names: Vec<String> = planned
        .iter()
        .map(|own| format!("{} ({})", own.name, own.id))
        .collect();
    let text = format!(
        "the restore {} may have left a planned VM: one of {}",
        entry.run,
        names.join(", ")
    );
    Finding::new("RESIDUE-PLANNED-VM", Severity::Warn, text).cure(
        "if no import or migration is under way: remove those that are not needed, with \
         Msvm_VirtualSystemManagementService.DestroySystem, and the journal's entry",
    )
}

/// A VM that a restore has made is left.
pub(super) fn restored_vm_stays(entry: &JournalEntry, vm: &VmFacts, why: &str) -> Finding {
    let text = format!(
        "the restore {} died after it made the VM {} ({}): {why}",
        entry.run, vm.name, vm.id
    );
    Finding::new("RESIDUE-RESTORED-VM", Severity::Warn, text)
        .cure("use the VM if it is as it should be, or remove it, and restore again")
}

/// A VM that a restore has made waits for it.
pub(super) fn restored_vm_waits(entry: &JournalEntry, vm: &VmFacts) -> Finding {
    let text = format!(
        "the restore {} died when it had made the VM {} ({}), and nobody heard of it",
        entry.run, vm.name, vm.id
    );
    Finding::new("RESIDUE-RESTORED-VM", Severity::Info, text)
        .cure("run the same restore again: it takes the VM for its own; or use the VM as it is")
}

/// A restore through the writer died while the VM was away, or may have.
pub(super) fn away_with_writer(entry: &JournalEntry) -> Finding {
    let text = format!(
        "the restore {} of {} through the host's VSS writer died between PreRestore and \
         PostRestore, and the VM is not on the host",
        entry.run, entry.vm_name
    );
    Finding::new("RESIDUE-WRITER-RESTORE", Severity::Warn, text).cure(
        "run the same restore again: it goes on, or puts back what was there; once the VM is on \
         the host, `lifeboat doctor --fix` forgets this",
    )
}

/// What a restore has left cannot be looked at.
pub(super) fn unsettled(entry: &JournalEntry, why: &dyn Display) -> Finding {
    let text = format!(
        "what the restore {} of {} made could not be looked at or removed: {why}",
        entry.run, entry.vm_name
    );
    Finding::new("RESIDUE-UNSETTLED", Severity::Warn, text).cure(FIX)
}

/// What a restore had left was removed.
pub(super) fn settled(entry: &JournalEntry) -> Finding {
    let text = format!(
        "what the restore {}, which died, had left was removed",
        entry.run
    );
    Finding::new("VM-CLEANED", Severity::Info, text)
}
