//! The disks of a VM, opened as long as it takes to look at their partitions.

use std::sync::Arc;

use block_io::DiskErrorKind;
use disk_image::HostPaths;
use hyperv_host::{DiskKind, Finding, PowerState};

use super::inside;
use super::not_looked::NotLooked;
use crate::disk_files::open_on_host;
use crate::facts::VmFacts;
use crate::findings::disk_label;

/// Reads the partition tables of a VM's disks, with a few reads each. A disk that its host keeps
/// for itself, or that the guest writes to just now, need not make sense: that it was not looked at
/// is told, and is no fault of it.
pub(super) fn findings(bytes: &Arc<dyn HostPaths>, vm: &VmFacts) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut not_looked = NotLooked::default();
    let disks = vm.disks.iter();
    for disk in disks.filter(|disk| disk.kind == DiskKind::Virtual) {
        let looked =
            open_on_host(&disk.path, bytes).and_then(|image| volume_map::volume_map(&image));
        let label = disk_label(disk);
        match looked {
            Ok(map) => found.extend(inside::findings(&label, vm.guest.is_windows(), &map)),
            Err(error)
                if error.kind() == DiskErrorKind::InUse || vm.state == PowerState::Running =>
            {
                not_looked.add(&format!("partitions of {label}"), error);
            }
            Err(error) => found.push(inside::unread(&label, &error.to_string())),
        }
    }
    found.extend(not_looked.of_vm());
    found
}
