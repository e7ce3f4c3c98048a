//! What is read of a VM from volume snapshots.

use std::sync::Arc;

use hyperv_host::{
    BackupMode, CheckpointTree, DiskChanges, DiskSource, FileSource, FullReason, HostError,
    ImageSource,
};
use vm_config::VmConfiguration;

use super::candidate::Candidate;
use super::guest_part::not_recovered;
use super::image_tree::{ImageTree, is_wanted};
use super::kept_tree::{KeptTree, was_saved};
use super::leaf::open_leaf;
use super::snapshot_view::SnapshotView;

/// What is read of a VM.
pub(super) struct Reading {
    pub(super) disks: Vec<DiskSource>,
    pub(super) images: Vec<ImageSource>,
    pub(super) tree: Option<CheckpointTree>,
    pub(super) files: Vec<FileSource>,
    pub(super) configuration: Option<VmConfiguration>,
}

/// Opens what is read of a VM: image files of the whole tree as they are, or flattened disks.
///
/// `recovers`: the host leaves what the guest's own snapshot recovered to in files of its own.
pub(super) fn open(
    view: &Arc<SnapshotView>,
    vm: &mut Candidate,
    recovers: bool,
) -> Result<Reading, HostError> {
    let recovers = recovers && vm.method == hyperv_host::BackupMethod::VssOnline;
    let all = vm.request.mode == BackupMode::AllCheckpoints;
    let has_memory = was_saved(vm);
    let kept = KeptTree::open(view, vm, has_memory, all);
    let mut disks = Vec::new();
    let mut tree = ImageTree::new(view);
    let mut all_recovered = true;
    let wanted: Vec<_> = vm
        .vm
        .disks
        .iter()
        .filter(|disk| is_wanted(disk, vm))
        .cloned()
        .collect();
    for disk in &wanted {
        let leaf = open_leaf(view, disk, kept.configuration.as_ref(), recovers)?;
        all_recovered &= leaf.is_recovered;
        if all {
            tree.add_active(disk.slot, &leaf)?;
            continue;
        }
        let changes = DiskChanges::Everything(FullReason::NotTracked);
        // A flattened disk goes by the name of what was frozen.
        let path = disk.path.clone();
        disks.push(DiskSource::of_image(
            disk.number,
            disk.slot,
            path,
            leaf.image,
            changes,
        ));
    }
    if recovers && !all_recovered {
        not_recovered(vm)?;
    }
    let (images, tree) = match all {
        true => {
            let (images, tree) = tree.finish(vm, &kept)?;
            (images, Some(tree))
        }
        false => (Vec::new(), None),
    };
    Ok(Reading {
        disks,
        images,
        tree,
        files: kept.files,
        configuration: kept.configuration,
    })
}
