//! The disks of a VM, opened as long as it takes to look at their partitions.

use block_io::DiskErrorKind;
use hyperv_host::{DiskKind, Finding, PowerState};

use super::inside;
use crate::WmiHost;
use crate::disk_files::open_on_host;
use crate::facts::VmFacts;
use crate::findings::disk_label;

/// Reads the partition tables of a VM's disks, with a few reads each. A disk that its host keeps
/// for itself is passed over.
pub(super) fn findings(host: &WmiHost, vm: &VmFacts) -> Vec<Finding> {
    let Some(bytes) = &host.bytes else {
        return Vec::new();
    };
    let disks = vm
        .disks
        .iter()
        .filter(|disk| disk.kind == DiskKind::Virtual);
    disks
        .flat_map(|disk| {
            let looked =
                open_on_host(&disk.path, bytes).and_then(|image| volume_map::volume_map(&image));
            let label = disk_label(disk);
            match looked {
                Ok(map) => inside::findings(&label, vm.guest.is_windows(), &map),
                // What is written just now need not make sense, and other checks tell the rest.
                Err(error) if error.kind() == DiskErrorKind::InUse => Vec::new(),
                Err(_) if vm.state == PowerState::Running => Vec::new(),
                Err(error) => vec![inside::unread(&label, &error.to_string())],
            }
        })
        .collect()
}
