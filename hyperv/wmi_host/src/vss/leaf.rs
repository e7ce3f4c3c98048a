//! Which file of a disk is the right one on a volume snapshot (contract 5.1; requirement VSS-15).
//!
//! ```text
//!   2012 R2, online   web.vhdx ◄── web-AutoRecovery.avhdx    what the guest recovered to: read
//!                        ▲
//!                        └──────── web_<guid>.avhdx          written to since: left out
//!
//!   2016 and later    web.vhdx                               frozen: read
//!   or offline           ▲
//!                        └──────── web_<guid>.avhdx          written to since: left out
//!
//!   saved             web.vhdx                               nobody writes: read
//! ```

use std::sync::Arc;

use disk_image::{DiskImage, HostPaths, OpenOptions, contained};
use hyperv_host::{HostError, HostErrorKind};
use vm_config::VmConfiguration;

use super::auto_recovery::auto_recovery_of;
use super::snapshot_view::SnapshotView;
use crate::disk_files::open_on_host;
use crate::facts::DiskFacts;

/// The file of a disk that a point is made from.
pub(super) struct Leaf {
    /// As the host names it.
    pub(super) path: String,
    /// What the VM wrote to before it was frozen.
    pub(super) frozen_path: String,
    /// What the configuration on the snapshot names for the disk.
    pub(super) configured_path: String,
    /// It is what the guest's own snapshot recovered to.
    pub(super) is_recovered: bool,
    /// It, with its parents.
    pub(super) image: DiskImage,
}

/// Opens the right file of a disk. `disk` is what the VM wrote to before; `configuration` what is on
/// the snapshot, where it can be read. `recovers`: the guest took part, and what its own snapshot
/// recovered to is in a file of its own; without it such a file is another backup's.
pub(super) fn open_leaf(
    view: &Arc<SnapshotView>,
    disk: &DiskFacts,
    configuration: Option<&VmConfiguration>,
    recovers: bool,
) -> Result<Leaf, HostError> {
    let paths: Arc<dyn HostPaths> = Arc::<SnapshotView>::clone(view);
    let configured = configuration.and_then(|configuration| {
        let mut disks = configuration.disks.iter();
        let own = disks.find(|own| Some(own.slot) == disk.slot && !own.pass_through)?;
        Some(own.path.clone())
    });
    let configured_path = configured.unwrap_or_else(|| disk.path.clone());
    if is_elsewhere(&paths, disk, &configured_path) {
        return Err(moved_on(disk, &configured_path));
    }
    if recovers && let Some((path, image)) = recovered(&paths, disk)? {
        return Ok(Leaf {
            path,
            frozen_path: disk.path.clone(),
            configured_path,
            is_recovered: true,
            image,
        });
    }
    Ok(Leaf {
        path: disk.path.clone(),
        frozen_path: disk.path.clone(),
        configured_path,
        is_recovered: false,
        image: open_on_host(&disk.path, &paths).map_err(HostError::of_disk)?,
    })
}

/// Returns whether the configuration on the snapshot names a file that is neither what the VM wrote
/// to before nor the child of it that the writer's checkpoint made: another checkpoint came between,
/// and what was planned with is not the disk's state any more. What cannot be opened, as it was
/// being written to, says nothing.
fn is_elsewhere(paths: &Arc<dyn HostPaths>, disk: &DiskFacts, configured: &str) -> bool {
    let place = |path: &str| contained(paths, &paths.locate(path)?).ok();
    let (Some(frozen), Some(now)) = (place(&disk.path), place(configured)) else {
        return false;
    };
    if frozen == now {
        return false;
    }
    let Ok(image) = disk_image::open(&now, &OpenOptions::on_host(Arc::clone(paths))) else {
        return false;
    };
    image.chain().get(1).map(|parent| &parent.path) != Some(&frozen)
}

fn moved_on(disk: &DiskFacts, configured: &str) -> HostError {
    let text = format!(
        "a checkpoint was made between the look at the VM and its volume snapshot: it wrote to {}, \
         and to {configured} on the snapshot",
        disk.path
    );
    HostError::new(HostErrorKind::Busy, text)
        .hint("run the backup again when no other program makes checkpoints of the VM")
}

/// Opens what the guest's own snapshot recovered to: a child of the frozen file, and of no other.
/// Contract: 5.1 [M]
fn recovered(
    paths: &Arc<dyn HostPaths>,
    disk: &DiskFacts,
) -> Result<Option<(String, DiskImage)>, HostError> {
    let frozen = paths.locate(&disk.path);
    for path in auto_recovery_of(&disk.path) {
        let Some(local) = paths.locate(&path) else {
            continue;
        };
        let options = OpenOptions::on_host(Arc::clone(paths));
        let image = disk_image::open(&local, &options).map_err(HostError::of_disk)?;
        let parent = image.chain().get(1).map(|parent| parent.path.clone());
        if parent.is_some() && parent == frozen {
            return Ok(Some((path, image)));
        }
    }
    Ok(None)
}
