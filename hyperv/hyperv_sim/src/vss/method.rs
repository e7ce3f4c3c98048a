//! How the writer of Hyper-V backs up a VM (contract 5.1).

use serde::{Deserialize, Serialize};
use vm_config::ControllerKind;

use crate::{ComponentKind, Guest, PowerState, Profile, Vm};

/// How the writer of Hyper-V backs up a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Method {
    /// The guest makes a snapshot of its own: application-consistent, without interruption.
    Online,
    /// A checkpoint of which the guest is not told: crash-consistent, without interruption.
    Checkpoint,
    /// The VM is saved, and started again.
    Save,
    /// The VM is paused, and goes on.
    Pause,
    /// Its files lie still as they are.
    AsItIs,
}

impl Method {
    /// Returns how this host's writer backs up a VM now.
    pub(crate) fn of(profile: Profile, vm: &Vm) -> Self {
        let lies_still = match vm.power {
            PowerState::Off | PowerState::Saved => true,
            PowerState::Paused | PowerState::PausedCritical => !profile.vss_makes_checkpoints(),
            _ => false,
        };
        if lies_still {
            Self::AsItIs
        } else if can_be_online(profile, vm) {
            Self::Online
        } else if profile.vss_makes_checkpoints() {
            Self::Checkpoint
        } else if vm.guest == Guest::None {
            Self::Pause
        } else {
            Self::Save
        }
    }

    /// Returns the caption of the component. Contract: 5.1 [M]
    pub(crate) fn caption(self, profile: Profile, vm_name: &str) -> String {
        let sort = match (profile.vss_makes_checkpoints(), self) {
            (true, Self::Online) => "Online",
            (true, _) => "Offline",
            (false, Self::Online) => "Backup Using Child Partition Snapshot",
            (false, _) => "Backup Using Saved State",
        };
        format!("{sort}\\{vm_name}")
    }
}

/// Returns whether the guest can make a snapshot of its own.
fn can_be_online(profile: Profile, vm: &Vm) -> bool {
    let has_vss = match vm.guest {
        Guest::Windows => true,
        Guest::LinuxWithDaemon => profile.vss_makes_checkpoints(),
        Guest::Linux | Guest::None => false,
    };
    has_vss
        && vm.power == PowerState::Running
        && vm.component(ComponentKind::Vss).answers()
        && !vm.guest_plan.volumes_lack_vss
}

/// Returns whether a VM lacks what the recovery disk of an online backup is attached to (contract
/// 5.1, event 10103).
pub(crate) fn lacks_scsi_controller(vm: &Vm) -> bool {
    let on_scsi = |disk: &crate::VmDisk| disk.slot.kind == ControllerKind::Scsi;
    vm.scsi_controllers.is_empty() && !vm.disks.iter().any(on_scsi)
}
