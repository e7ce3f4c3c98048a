//! Findings about a VM's disks.

use block_io::{DiskError, DiskErrorKind};
use hyperv_host::{DiskKind, Finding, Severity};
use vm_config::ControllerKind;

use crate::facts::{DiskFacts, HostState, VmFacts};

pub(super) fn findings(vm: &VmFacts, host: &HostState) -> impl Iterator<Item = Finding> {
    let needs_scsi = host.windows.needs_scsi();
    vm.disks
        .iter()
        .filter_map(|disk| unfreezable(disk, Severity::Warn))
        .chain(not_tracked(vm))
        .chain(no_scsi(vm).filter(move |_| needs_scsi))
        .chain(no_disks(vm))
}

/// Names a disk to people: `disk 1 (SCSI 0:1, D:\a.vhdx)`.
pub(crate) fn disk_label(disk: &DiskFacts) -> String {
    let place = disk.slot.map_or_else(String::new, |slot| {
        let kind = match slot.kind {
            ControllerKind::Ide => "IDE",
            ControllerKind::Scsi => "SCSI",
            ControllerKind::Other => "slot",
        };
        format!("{kind} {}:{}, ", slot.controller, slot.slot)
    });
    format!("disk {} ({place}{})", disk.number, disk.path)
}

/// Says why a checkpoint does not hold a disk, where it does not.
pub(crate) fn unfreezable(disk: &DiskFacts, severity: Severity) -> Option<Finding> {
    let label = disk_label(disk);
    let finding = match disk.kind {
        DiskKind::PassThrough => Finding::new(
            "VM-PASS-THROUGH",
            severity,
            format!(
                "{label} is a physical disk of the host, which no checkpoint holds: it is not \
                 backed up"
            ),
        )
        .cure(
            "back its data up from inside the VM, or move it to a virtual disk (New-VHD \
             -SourceDisk on the host, `lifeboat disk convert` from an image)",
        ),
        DiskKind::Shared => Finding::new(
            "VM-SHARED-DISK",
            severity,
            format!(
                "{label} is shared with other VMs: the host makes no checkpoint of a VM with such \
                 a disk"
            ),
        )
        .cure("back the VM up from inside the guest cluster"),
        DiskKind::VhdSet => Finding::new(
            "VM-VHD-SET",
            severity,
            format!(
                "{label} is a VHD set, which can only be frozen for all VMs that use it at once, \
                 and that is not built yet"
            ),
        )
        .cure("back the VM up from inside the guest cluster"),
        _ => return None,
    };
    Some(finding)
}

fn not_tracked(vm: &VmFacts) -> impl Iterator<Item = Finding> {
    let disks = vm.disks.iter();
    disks
        .filter(|disk| disk.is_freezable() && !disk.is_vhdx())
        .map(|disk| {
            let text = format!(
                "{} is a VHD, and the host tracks changes of VHDX alone: it is read in full",
                disk_label(disk)
            );
            Finding::new("VM-VHD-DISK", Severity::Info, text)
                .cure("convert it while the VM is off: Convert-VHD, then attach the VHDX instead")
        })
}

/// A 2012 R2 host attaches what it makes for a backup to a SCSI controller.
fn no_scsi(vm: &VmFacts) -> impl Iterator<Item = Finding> {
    let missing = !vm.has_scsi && !vm.disks.is_empty();
    missing
        .then(|| {
            let text = "the VM has no SCSI controller, which a host of this version needs to back \
                        it up while it runs (event 10103)";
            Finding::new("VM-NO-SCSI", Severity::Warn, text)
                .cure("shut the VM down and add a SCSI controller; it may stay empty")
        })
        .into_iter()
}

fn no_disks(vm: &VmFacts) -> Option<Finding> {
    vm.disks.is_empty().then(|| {
        let text = "the VM has no disk: a point of it holds its configuration alone";
        Finding::new("VM-NO-DISKS", Severity::Info, text)
    })
}

/// Makes the finding of a disk whose files do not open. `None`: that says nothing, since the VM
/// runs and the host keeps its files for itself until they are frozen.
pub(crate) fn of_disk_error(
    disk: &DiskFacts,
    error: &DiskError,
    in_use_by_host: bool,
) -> Option<Finding> {
    let label = disk_label(disk);
    let (id, cure) = match error.kind() {
        DiskErrorKind::InUse => return None,
        DiskErrorKind::ParentMissing => (
            "VM-PARENT-MISSING",
            "put the parent disk back where it was; without it the VM will not start again either",
        ),
        DiskErrorKind::ParentMismatch => (
            "VM-PARENT-MISMATCH",
            "put the parent back as it was when the checkpoint was made",
        ),
        DiskErrorKind::OutsideRoot => (
            "VM-DISK-OUTSIDE-ROOT",
            "name the folder that holds the file as well, with --host-files",
        ),
        DiskErrorKind::NotFound => (
            "VM-DISK-UNREACHABLE",
            "say where this machine sees the drive or share, with --host-files 'D:\\=FOLDER'",
        ),
        DiskErrorKind::Denied => (
            "VM-DISK-UNREACHABLE",
            "let the account that runs lifeboat read the host's files",
        ),
        // A leaf that is being written need not make sense yet.
        _ if in_use_by_host => return None,
        _ => (
            "VM-DISK-UNREADABLE",
            "look at the file with `lifeboat disk check`",
        ),
    };
    let cure = error.hint_text().unwrap_or(cure);
    Some(Finding::new(id, Severity::Block, format!("{label}: {error}")).cure(cure))
}
