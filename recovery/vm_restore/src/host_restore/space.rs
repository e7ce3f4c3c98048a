//! What volumes must have free for a restore.

use std::collections::BTreeMap;

use hyperv_host::{Finding, Severity, TargetHost};

use super::host_path::lies_in;
use super::plan::{DiskMethod, PlannedDisk, SpaceNeed};

/// What Hyper-V lets a dynamic disk grow by.
pub(crate) const BLOCK_BYTES: u64 = 32 << 20;

/// What an image takes besides its data: its tables, and what of its last block holds none.
pub(crate) const OVERHEAD_BYTES: u64 = BLOCK_BYTES + (8 << 20);

/// Counts what each volume must have free, and says which has not. `extra`: files besides disks.
pub(crate) fn space(
    disks: &[PlannedDisk],
    extra: (&str, u64),
    target: &TargetHost,
) -> (Vec<SpaceNeed>, Vec<Finding>) {
    let mut needs: BTreeMap<&str, u64> = BTreeMap::new();
    let grown = disks.iter().filter_map(|disk| match disk.method {
        DiskMethod::NewFile | DiskMethod::Image => {
            Some((&*disk.path, disk.write_bytes.saturating_add(OVERHEAD_BYTES)))
        }
        // Most of it is written where data was; a file that was compacted since grows again.
        DiskMethod::ChangedRanges { .. } | DiskMethod::Compared => {
            Some((&*disk.path, disk.grow_bytes))
        }
        DiskMethod::Kept => None,
    });
    for (path, bytes) in grown.chain([extra]) {
        let volumes = target.volumes.iter();
        let volume = volumes
            .filter(|volume| lies_in(path, &volume.mount))
            .max_by_key(|volume| volume.mount.len());
        if let Some(volume) = volume {
            let need = needs.entry(&volume.mount).or_default();
            *need = need.saturating_add(bytes);
        }
    }
    let free = |mount: &str| {
        let mut volumes = target.volumes.iter();
        volumes
            .find(|volume| volume.mount == mount)
            .map_or(0, |volume| volume.free_bytes)
    };
    let needs: Vec<SpaceNeed> = needs
        .into_iter()
        .map(|(mount, needed_bytes)| SpaceNeed {
            mount: mount.to_owned(),
            needed_bytes,
            free_bytes: free(mount),
        })
        .collect();
    let short = needs
        .iter()
        .filter(|need| need.needed_bytes > need.free_bytes);
    let findings = short
        .map(|need| no_room("the restore takes", need))
        .collect();
    (needs, findings)
}

/// Says that a volume has not what `what` need of it.
pub(crate) fn no_room(what: &str, need: &SpaceNeed) -> Finding {
    let text = format!(
        "{what} up to {} bytes on {}, and {} are free there",
        need.needed_bytes, need.mount, need.free_bytes
    );
    Finding::new("POINT-NO-ROOM", Severity::Block, text)
        .cure("make room, or name a folder on another volume with `--path`")
}
