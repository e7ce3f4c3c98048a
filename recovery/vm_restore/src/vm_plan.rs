//! What a VM's restore will make.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use block_io::{DiskError, DiskErrorKind};
use disk_image::ImageFormat;
use hyperv_host::CheckpointTree;
use repository::{Repository, RestorePoint, Stream, StreamRole};
use serde::Serialize;
use vm_config::DiskSlot;

use crate::RestoreError;
use crate::checkpoint_tree::checkpoint_tree;
use crate::image_names::{ImageNames, with_file_name};
use crate::point_disk::{format_of, slot_of};
use crate::target_path::target_path;

const DISK_FOLDER: &str = "Virtual Hard Disks";
const MACHINE_FOLDER: &str = "Virtual Machines";
const CHECKPOINT_FOLDER: &str = "Checkpoint files";
const SNAPSHOT_FOLDER: &str = "Snapshots";
pub(crate) const NOTE_FILE: &str = "lifeboat-restore.json";

/// A file that a restore will make.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedFile {
    /// Where it goes.
    pub path: PathBuf,
    /// What it is to the VM.
    pub role: StreamRole,
    /// Size of the disk or file in bytes.
    pub size_bytes: u64,
    /// Format of a disk.
    pub format: Option<ImageFormat>,
    /// Where a disk was attached.
    pub slot: Option<DiskSlot>,
    /// The disk's path as the configuration will name it, where that changes.
    pub configured_path: Option<String>,
    /// What changes in a configuration: paths of disks, by where they are attached.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disk_paths: Vec<(DiskSlot, String)>,
    /// What it is made of.
    #[serde(skip)]
    pub(crate) stream: Stream,
}

/// What a VM's restore will make. Nothing has been done yet.
#[derive(Clone, Serialize)]
pub struct VmRestorePlan {
    /// Id of the point.
    pub point: String,
    /// The VM's name.
    pub vm: String,
    /// The folder that the VM is restored to.
    pub folder: PathBuf,
    /// In the order in which they are made: disks, state, configuration.
    pub files: Vec<PlannedFile>,
    /// Which image is what to the VM and its checkpoints, under the names that they will have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoints: Option<CheckpointTree>,
    #[serde(skip)]
    pub(crate) repository: Repository,
    #[serde(skip)]
    pub(crate) source: RestorePoint,
}

/// Plans to restore a VM into `folder`.
///
/// Fails with `Exists` if any file of the plan is there already.
pub fn plan_vm_restore(
    repository: &Repository,
    point: &RestorePoint,
    folder: &Path,
) -> Result<VmRestorePlan, RestoreError> {
    let names = ImageNames::of(point);
    let tree = checkpoint_tree(point)?;
    let files = planned_files(point, folder, &names, tree.as_ref())
        .map_err(|error| RestoreError::of_vm(&point.vm.name, folder, error))?;
    Ok(VmRestorePlan {
        checkpoints: tree.map(|tree| names.renamed(&tree)),
        point: point.id.clone(),
        vm: point.vm.name.clone(),
        folder: folder.to_owned(),
        files,
        repository: repository.clone(),
        source: point.clone(),
    })
}

fn planned_files(
    point: &RestorePoint,
    folder: &Path,
    names: &ImageNames,
    tree: Option<&CheckpointTree>,
) -> Result<Vec<PlannedFile>, DiskError> {
    let mut files = Vec::new();
    let mut taken = HashSet::new();
    // Images first: they have to keep their names, the others may give way.
    for image in &point.images {
        let path = target_path(folder, names.get(&image.name))?;
        if !taken.insert(lower(&path)) {
            let what = "the restore point has two image files of this name";
            return Err(DiskError::new(DiskErrorKind::Ambiguous, what).in_file(&image.name));
        }
        files.push(PlannedFile::new(image, path));
    }
    for (number, stream) in point.streams.iter().enumerate() {
        let folder = folder_for(stream, folder, tree.is_some());
        let mut file = PlannedFile::new(stream, target_path(&folder, &stream.name)?);
        if stream.role == StreamRole::Disk {
            file.format = Some(format_of(stream));
            file.slot = slot_of(stream);
        }
        // Two disks of one name in different folders: both go into one.
        while !taken.insert(lower(&file.path)) {
            let name = file
                .path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            // It grows each time, so it will be free.
            file.path.set_file_name(format!("{number}-{name}"));
        }
        if stream.role == StreamRole::Disk {
            file.configured_path = new_configured_path(stream, &file.path);
        }
        files.push(file);
    }
    name_disks(&mut files, names, tree);
    // The configuration last: it is what makes the folder a VM.
    files.sort_by_key(|file| match file.role {
        StreamRole::Disk | StreamRole::Image => 0,
        StreamRole::Configuration => 2,
        _ => 1,
    });
    let targets = files.iter().map(|file| file.path.clone());
    for path in targets.chain([folder.join(NOTE_FILE)]) {
        if path.symlink_metadata().is_ok() {
            return Err(
                DiskError::new(DiskErrorKind::Exists, "this file exists already")
                    .in_file(&path.display().to_string())
                    .hint("choose an empty folder: a restore replaces nothing"),
            );
        }
    }
    Ok(files)
}

fn lower(path: &Path) -> String {
    path.to_string_lossy().to_lowercase()
}

/// Says how configurations must name the disks.
fn name_disks(files: &mut [PlannedFile], names: &ImageNames, tree: Option<&CheckpointTree>) {
    let flattened = files
        .iter()
        .filter_map(|disk| Some((disk.slot?, disk.configured_path.clone()?)));
    let flattened: Vec<_> = flattened.collect();
    for file in files {
        file.disk_paths = match (file.role, tree) {
            (StreamRole::Configuration, None) => flattened.clone(),
            (StreamRole::Configuration, Some(tree)) => names.new_paths(&tree.active),
            (StreamRole::CheckpointConfiguration, Some(tree)) => {
                let stem = file.path.file_stem().unwrap_or_default().to_string_lossy();
                let mut nodes = tree.checkpoints.iter();
                let node = nodes.find(|node| node.id.eq_ignore_ascii_case(&stem));
                node.map_or_else(Vec::new, |node| names.new_paths(&node.disks))
            }
            _ => Vec::new(),
        };
    }
}

impl PlannedFile {
    fn new(stream: &Stream, path: PathBuf) -> Self {
        Self {
            path,
            role: stream.role,
            size_bytes: stream.size_bytes,
            format: None,
            slot: None,
            configured_path: None,
            disk_paths: Vec::new(),
            stream: stream.clone(),
        }
    }
}

/// Returns the folder that a stream's name is below.
fn folder_for(stream: &Stream, folder: &Path, with_checkpoints: bool) -> PathBuf {
    match stream.role {
        StreamRole::Disk => folder.join(DISK_FOLDER),
        // Without their disks they are there to look at, and an import should not see them.
        StreamRole::CheckpointConfiguration | StreamRole::CheckpointState if !with_checkpoints => {
            folder.join(CHECKPOINT_FOLDER)
        }
        StreamRole::CheckpointConfiguration | StreamRole::CheckpointState
            if !stream.name.contains('/') =>
        {
            folder.join(SNAPSHOT_FOLDER)
        }
        // A file that lay beside its VM goes where an import looks for it.
        _ if !stream.name.contains('/') => folder.join(MACHINE_FOLDER),
        _ => folder.to_owned(),
    }
}

/// Says how the configuration must name the disk, if its file name is another one now: a chain
/// that was flattened is named after its base, and the configuration names the leaf.
fn new_configured_path(stream: &Stream, path: &Path) -> Option<String> {
    with_file_name(&stream.source_path, path.file_name()?.to_str()?)
}
