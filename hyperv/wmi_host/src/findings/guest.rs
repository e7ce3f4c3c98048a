//! Findings about what runs inside a VM.

use hyperv_host::{Finding, PowerState, Severity};

use crate::facts::{CheckpointSetting, GuestService, VmFacts};

pub(super) fn findings(vm: &VmFacts) -> impl Iterator<Item = Finding> {
    [integration(vm), iscsi(vm)].into_iter().flatten()
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
        .cure("bring the guest's integration services up to date"),
        GuestService::Disabled => Finding::new(
            "VM-INTEGRATION",
            Severity::Warn,
            "the backup integration service is switched off in the VM's settings: points are \
             crash-consistent",
        )
        .cure("switch it on: Enable-VMIntegrationService -Name VSS"),
        GuestService::Absent | GuestService::Silent => Finding::new(
            "VM-INTEGRATION",
            Severity::Warn,
            "the guest does not answer the backup integration service: points are crash-consistent",
        )
        .cure(match vm.guest.is_windows() {
            Some(false) => "install and start hv_vss_daemon in the guest (package hyperv-daemons)",
            Some(true) => "see that \"Hyper-V Volume Shadow Copy Requestor\" runs in the guest",
            None => {
                "install the integration services, or on Linux hv_vss_daemon, if the guest has any"
            }
        }),
    };
    Some(finding)
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
