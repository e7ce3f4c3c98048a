//! Findings about what runs inside a VM.

use hyperv_host::{Finding, PowerState, Severity};
use support_matrix::{Freeze, GuestRow, matrix};

use crate::facts::{CheckpointSetting, GuestService, VmFacts};

pub(super) fn findings(vm: &VmFacts) -> impl Iterator<Item = Finding> {
    [integration(vm), iscsi(vm)].into_iter().flatten()
}

/// Returns what the support matrix knows of a VM's guest.
pub(crate) fn guest_row(vm: &VmFacts) -> Option<&'static GuestRow> {
    matrix().guest(vm.guest.system.as_deref()?)
}

/// A guest that runs and cannot take part (contract 1.5).
fn integration(vm: &VmFacts) -> Option<Finding> {
    // Where the settings say that it is not to be asked, its silence does not matter.
    if vm.state != PowerState::Running || vm.settings.checkpoints == CheckpointSetting::Standard {
        return None;
    }
    let finding = match vm.vss {
        GuestService::Answers => return None,
        GuestService::Degraded => Finding::new(
            "VM-INTEGRATION",
            Severity::Info,
            "the guest's backup service speaks another version than the host: it works, with less \
             to rely on",
        )
        .cure("bring the guest's integration services up to date; it may need a restart then"),
        GuestService::Disabled => Finding::new(
            "VM-IC-BACKUP",
            Severity::Warn,
            "\"Backup (volume snapshot)\" is offered and switched off among the VM's integration \
             services: whatever runs in the guest is not asked, and points are crash-consistent",
        )
        .cure(format!(
            "`lifeboat doctor --fix VM-IC-BACKUP`, or Enable-VMIntegrationService -VMName {:?} \
             -Name VSS",
            vm.name
        )),
        GuestService::Absent | GuestService::Silent if answers_otherwise(vm) => Finding::new(
            "VM-INTEGRATION",
            Severity::Warn,
            "the guest answers its host, and not the backup service: points are crash-consistent",
        )
        .cure(requestor_cure(vm)),
        GuestService::Absent | GuestService::Silent => Finding::new(
            "VM-IC-MISSING",
            Severity::Warn,
            "the guest answers no integration service: none are installed, or it has not started \
             up yet; points are crash-consistent",
        )
        .cure(
            "install the integration services (Windows up to 2008 R2: the setup disk vmguest.iso, \
             then a restart; Linux: hv_vss_daemon and hv_kvp_daemon), if the guest has any",
        ),
    };
    Some(finding)
}

fn answers_otherwise(vm: &VmFacts) -> bool {
    matches!(vm.exchange, GuestService::Answers | GuestService::Degraded)
}

/// Says what to install or start, by what the guest calls itself (requirements PRE-17, PRE-20).
fn requestor_cure(vm: &VmFacts) -> String {
    let Some(row) = guest_row(vm) else {
        return match vm.guest.is_windows() {
            Some(true) => windows_cure().to_owned(),
            _ => "start \"Hyper-V Volume Shadow Copy Requestor\" in a Windows guest, or install \
                  and start hv_vss_daemon in a Linux guest"
                .to_owned(),
        };
    };
    match row.freeze {
        Freeze::Writers => windows_cure().to_owned(),
        Freeze::FileSystems => format!("in the guest: {}; then start hv_vss_daemon", row.parts),
        Freeze::None => "nothing in this guest can take part: accept it, or shut the VM down for \
                         its backup"
            .to_owned(),
    }
}

fn windows_cure() -> &'static str {
    "see that the service \"Hyper-V Volume Shadow Copy Requestor\" (vmicvss) runs in the guest; \
     after an update of the integration services the guest may need a restart"
}

/// Disks that the guest attaches by itself (PASS-04).
fn iscsi(vm: &VmFacts) -> Option<Finding> {
    vm.guest.has_iscsi.then(|| {
        let text = "the guest has an iSCSI initiator: disks that it attaches by itself are not \
                    seen from the host, and not backed up";
        Finding::new("VM-GUEST-ISCSI", Severity::Warn, text)
            .cure("back such disks up from inside the guest, or where they are kept")
    })
}
