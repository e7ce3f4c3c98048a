//! The consistency to expect of a VM's backup.

use hyperv_host::{BackupRequest, Consistency, Finding, OnMissed, PowerState, Reached, Severity};

use super::method::Way;
use crate::facts::{
    CheckpointSetting, ConfigurationVersion, GuestService, VmFacts, WindowsVersion,
};

/// The consistency to expect, and whether the guest is to be asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    /// The level that is reached if the guest does what it is asked for, and why.
    pub(crate) reached: Reached,
    /// Ask for an application-consistent checkpoint; else for a crash-consistent one.
    pub(crate) ask_guest: bool,
}

/// Tells the consistency to expect of a recovery checkpoint (contract 1.5; requirements CONS-01 to
/// CONS-10).
pub(crate) fn expected(vm: &VmFacts) -> Expected {
    // Contract 7: below 8 a backup's checkpoint is crash-consistent.
    let old = vm.settings.version < ConfigurationVersion::TRACKED;
    let old = old.then(|| {
        "the VM's configuration version is below 8.0, so its guest is not asked".to_owned()
    });
    of_reason(vm, unasked(vm, old))
}

/// Tells the consistency to expect of a way that goes through volume snapshots.
pub(crate) fn expected_through(vm: &VmFacts, way: Way, windows: &WindowsVersion) -> Expected {
    match way {
        Way::Checkpoint => expected(vm),
        Way::Writer if takes_part(vm, windows) => of_reason(vm, None),
        Way::Writer => {
            let saved = vm.state == PowerState::Running && !windows.has_offline_checkpoints();
            let reason = unasked(vm, lacking(vm, windows)).unwrap_or_default();
            let reason = match saved {
                true => format!("{reason}; the VM is saved, and its disks fit its saved memory"),
                false => reason,
            };
            of_reason(vm, Some(reason))
        }
        Way::Saving => {
            let text = "the VM is saved for the snapshot: its disks fit its saved memory";
            let reason = match vm.state {
                PowerState::Running => Some(text.to_owned()),
                _ => unasked(vm, None),
            };
            of_reason(vm, reason)
        }
    }
}

/// Returns whether the host's VSS writer asks the guest to take part ("online").
pub(super) fn takes_part(vm: &VmFacts, windows: &WindowsVersion) -> bool {
    unasked(vm, lacking(vm, windows)).is_none()
}

/// Returns whether the host's VSS writer fails with the VM, as long as its guest takes part: what
/// the guest recovers has nothing to be attached to.
pub(super) fn fails_without_scsi(vm: &VmFacts, windows: &WindowsVersion) -> bool {
    windows.needs_scsi() && !vm.has_scsi && takes_part(vm, windows)
}

/// What the host lacks to ask the guest.
fn lacking(vm: &VmFacts, windows: &WindowsVersion) -> Option<String> {
    let is_other = vm.guest.is_windows() == Some(false);
    (is_other && !windows.asks_linux_guests())
        .then(|| "the host asks no other guests than Windows".to_owned())
}

fn of_reason(vm: &VmFacts, unasked: Option<String>) -> Expected {
    match unasked {
        Some(reason) => Expected {
            reached: Reached {
                level: Consistency::Crash,
                reason,
            },
            ask_guest: false,
        },
        None => Expected {
            reached: asked(vm),
            ask_guest: true,
        },
    }
}

/// Why the guest is not asked to take part; `host` is what the host lacks for it.
fn unasked(vm: &VmFacts, host: Option<String>) -> Option<String> {
    if vm.replication.is_replica() {
        let text = "the VM is a replica: its guest does not run here, so there is nobody to ask";
        return Some(text.to_owned());
    }
    match vm.state {
        PowerState::Running => {}
        PowerState::Off => {
            return Some("the VM is off: its disks are as its guest left them".to_owned());
        }
        PowerState::Saved => {
            return Some("the VM is saved: its disks fit its saved memory".to_owned());
        }
        PowerState::Paused => {
            return Some("the VM is paused, so its guest cannot take part".to_owned());
        }
        _ => return Some(format!("the VM is {}", vm.state_text)),
    }
    if vm.settings.checkpoints == CheckpointSetting::Standard {
        let text = "VM setting: production checkpoints are switched off (checkpoint type Standard)";
        return Some(text.to_owned());
    }
    if host.is_some() {
        return host;
    }
    let text = match vm.vss {
        GuestService::Answers | GuestService::Degraded => return None,
        GuestService::Absent => "the VM has no backup integration service",
        GuestService::Disabled => {
            "the backup integration service is switched off in the VM's settings"
        }
        GuestService::Silent if vm.guest.is_windows() == Some(false) => {
            "the guest does not answer the backup integration service: hv_vss_daemon does not run"
        }
        GuestService::Silent => "the guest does not answer the backup integration service",
    };
    Some(text.to_owned())
}

/// The level that a guest reaches which is asked. The interface calls all of them
/// application-consistent; only Windows has VSS writers, so no more is claimed for a guest that
/// does not say that it is one. Contract: 1.5 [M]
fn asked(vm: &VmFacts) -> Reached {
    let (level, reason) = match (vm.guest.is_windows(), &vm.guest.system) {
        (Some(true), _) => (
            Consistency::Application,
            "the guest's VSS writers take part".to_owned(),
        ),
        (Some(false), Some(system)) => (
            Consistency::FileSystem,
            format!("the guest ({system}) freezes its file systems"),
        ),
        _ => (
            Consistency::FileSystem,
            "the guest takes part, and does not say what it runs".to_owned(),
        ),
    };
    Reached { level, reason }
}

/// Says that a required level is not to be had, where it is not.
pub(crate) fn missed(expected: &Reached, request: &BackupRequest) -> Option<Finding> {
    let required = request.require.filter(|level| *level > expected.level)?;
    let severity = match request.on_missed {
        OnMissed::Fail => Severity::Block,
        OnMissed::Warn => Severity::Warn,
        OnMissed::Accept => return None,
    };
    let text = format!(
        "{} consistency is required, and {} is to be had: {}",
        required.name(),
        expected.level.name(),
        expected.reason
    );
    let cure = "do what the VM's other findings say, or require less: --require, --on-missed";
    Some(Finding::new("VM-CONSISTENCY", severity, text).cure(cure))
}
