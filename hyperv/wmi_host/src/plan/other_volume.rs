//! Checkpoints that lie on another volume than the disks (requirements PRE-26, PRE-27).

use std::collections::BTreeSet;

use hyperv_host::{BackupRequest, Finding, Severity};

use super::method::Way;
use crate::facts::{HostState, VmFacts};

/// Says that a VM's checkpoints lie on another volume than its disks: that volume is snapped too,
/// or the VM is refused where that is asked for.
pub(super) fn other_volume(
    vm: &VmFacts,
    host: &HostState,
    request: &BackupRequest,
    way: Way,
) -> Option<Finding> {
    if way == Way::Checkpoint && !request.same_volume {
        return None;
    }
    let mount = |path: &str| Some(host.volume_of(path)?.mount.to_uppercase());
    let disks: BTreeSet<String> = vm
        .disks
        .iter()
        .filter(|disk| disk.is_freezable())
        .filter_map(|disk| mount(&disk.path))
        .collect();
    let checkpoints = vm.settings.snapshot_root.as_deref().and_then(mount)?;
    if disks.is_empty() || disks.contains(&checkpoints) {
        return None;
    }
    let on: Vec<&str> = disks.iter().map(String::as_str).collect();
    let severity = if request.same_volume {
        Severity::Block
    } else {
        Severity::Info
    };
    let text = format!(
        "the VM's checkpoints lie on {checkpoints}, and its disks on {}: a backup through VSS snaps \
         all of them at one moment",
        on.join(", ")
    );
    Some(Finding::new("VM-OTHER-VOLUME", severity, text).cure(
        "nothing, unless a provider of snapshots cannot take several volumes at once: then set the \
         VM's checkpoint folder to the volume of its disks (Set-VM -SnapshotFileLocation)",
    ))
}
