//! What restored image files are called, and how configurations must name them.

use std::collections::HashMap;

use disk_image::WindowsPath;
use hyperv_host::{CheckpointTree, TreeDisk};
use repository::{RestorePoint, Stream};
use uuid::Uuid;
use vm_config::DiskSlot;

/// How the name of the disk ends that VSS recovers for an online backup on Windows Server 2012 R2.
const RECOVERED: &str = "-autorecovery";

/// The names of a point's images after a restore, by the names that the point has for them.
pub(crate) struct ImageNames(HashMap<String, String>);

impl ImageNames {
    pub(crate) fn of(point: &RestorePoint) -> Self {
        let names = (0..).zip(&point.images);
        Self(
            names
                .map(|(number, image)| (image.name.clone(), restored_name(point, number, image)))
                .collect(),
        )
    }

    /// Returns the relative path of an image after the restore.
    pub(crate) fn get<'a>(&'a self, image: &'a str) -> &'a str {
        self.0.get(image).map_or(image, String::as_str)
    }

    /// Returns the tree with the names that its images have after the restore.
    pub(crate) fn renamed(&self, tree: &CheckpointTree) -> CheckpointTree {
        let mut tree = tree.clone();
        let nodes = tree.checkpoints.iter_mut();
        let disks = nodes.flat_map(|node| &mut node.disks);
        for disk in disks.chain(&mut tree.active) {
            let renamed = self.new_path(disk);
            disk.image = self.get(&disk.image).to_owned();
            disk.configured_path = renamed.unwrap_or_else(|| disk.configured_path.clone());
        }
        tree
    }

    /// Returns how a configuration must name its disks, where that changes.
    pub(crate) fn new_paths(&self, disks: &[TreeDisk]) -> Vec<(DiskSlot, String)> {
        let changed = disks.iter();
        changed
            .filter_map(|disk| Some((disk.slot?, self.new_path(disk)?)))
            .collect()
    }

    /// Keeps the folder that the configuration names, and gives the file its restored name.
    fn new_path(&self, disk: &TreeDisk) -> Option<String> {
        let new_name = self.get(&disk.image).rsplit('/').next()?;
        with_file_name(&disk.configured_path, new_name)
    }
}

/// Returns a host's path with another file name; `None` where it has that name already.
pub(crate) fn with_file_name(path: &str, new_name: &str) -> Option<String> {
    let parsed = WindowsPath::parse(path);
    let old_name = parsed.file_name()?;
    if old_name == new_name {
        return None;
    }
    let folder = path.strip_suffix(old_name)?;
    Some(format!("{folder}{new_name}"))
}

/// Returns the name that an image comes back under: its own, unless VSS has given it one that
/// people should never have to handle.
fn restored_name(point: &RestorePoint, number: u64, image: &Stream) -> String {
    let (folder, file) = match image.name.rsplit_once('/') {
        Some((folder, file)) => (Some(folder), file),
        None => (None, image.name.as_str()),
    };
    let (stem, extension) = file.rsplit_once('.').unwrap_or((file, "avhdx"));
    let kept = stem.len().checked_sub(RECOVERED.len());
    let kept = kept.and_then(|at| Some((stem.get(..at)?, stem.get(at..)?)));
    let Some((disk, _)) = kept.filter(|(_, end)| end.eq_ignore_ascii_case(RECOVERED)) else {
        return image.name.clone();
    };
    let file = format!("{disk}_{}.{extension}", id_for(point, number));
    folder.map_or(file.clone(), |folder| format!("{folder}/{file}"))
}

/// Makes a GUID that is the same whenever the point is restored.
fn id_for(point: &RestorePoint, number: u64) -> String {
    // The id of a point is random, and has 80 bits.
    let point = u128::from_str_radix(&point.id, 16).unwrap_or(0);
    let id = (point << 48) | u128::from(number & 0xFFFF_FFFF_FFFF);
    let id = uuid::Builder::from_random_bytes(id.to_be_bytes()).into_uuid();
    Uuid::hyphenated(id).to_string().to_uppercase()
}
