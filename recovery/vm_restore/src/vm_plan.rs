//! What a VM's restore will make.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use block_io::{DiskError, DiskErrorKind};
use disk_image::{ImageFormat, WindowsPath};
use repository::{Repository, RestorePoint, Stream, StreamRole};
use serde::Serialize;
use vm_config::DiskSlot;

use crate::RestoreError;
use crate::target_path::target_path;

const DISK_FOLDER: &str = "Virtual Hard Disks";
const MACHINE_FOLDER: &str = "Virtual Machines";
const CHECKPOINT_FOLDER: &str = "Checkpoint files";
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
    /// Position among the point's streams.
    #[serde(skip)]
    pub(crate) stream: usize,
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
    let files = planned_files(point, folder)
        .map_err(|error| RestoreError::of_vm(&point.vm.name, folder, error))?;
    Ok(VmRestorePlan {
        point: point.id.clone(),
        vm: point.vm.name.clone(),
        folder: folder.to_owned(),
        files,
        repository: repository.clone(),
        source: point.clone(),
    })
}

fn planned_files(point: &RestorePoint, folder: &Path) -> Result<Vec<PlannedFile>, DiskError> {
    let mut files = Vec::new();
    let mut taken = HashSet::new();
    for (number, stream) in point.streams.iter().enumerate() {
        let mut file = match stream.role {
            StreamRole::Disk => planned_disk(stream, folder, number)?,
            _ => planned_file(stream, folder, number)?,
        };
        // Two disks of one name in different folders: both go into one.
        let lower = |path: &Path| path.to_string_lossy().to_lowercase();
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
    // The configuration last: it is what makes the folder a VM.
    files.sort_by_key(|file| match file.role {
        StreamRole::Disk => 0,
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

fn planned_disk(stream: &Stream, folder: &Path, number: usize) -> Result<PlannedFile, DiskError> {
    let format = match stream.format.as_deref() {
        Some("vhd") => ImageFormat::Vhd,
        Some("raw") => ImageFormat::Raw,
        _ => ImageFormat::Vhdx,
    };
    Ok(PlannedFile {
        path: target_path(&folder.join(DISK_FOLDER), &stream.name)?,
        role: stream.role,
        size_bytes: stream.size_bytes,
        format: Some(format),
        slot: stream
            .slot
            .clone()
            .and_then(|slot| serde_json::from_value(slot).ok()),
        configured_path: None,
        stream: number,
    })
}

fn planned_file(stream: &Stream, folder: &Path, number: usize) -> Result<PlannedFile, DiskError> {
    let folder = match stream.role {
        StreamRole::CheckpointConfiguration | StreamRole::CheckpointState => {
            folder.join(CHECKPOINT_FOLDER)
        }
        // A file that lay beside its VM goes where an import looks for it.
        _ if !stream.name.contains('/') => folder.join(MACHINE_FOLDER),
        _ => folder.to_owned(),
    };
    Ok(PlannedFile {
        path: target_path(&folder, &stream.name)?,
        role: stream.role,
        size_bytes: stream.size_bytes,
        format: None,
        slot: None,
        configured_path: None,
        stream: number,
    })
}

/// Says how the configuration must name the disk, if its file name is another one now: a chain
/// that was flattened is named after its base, and the configuration names the leaf.
fn new_configured_path(stream: &Stream, path: &Path) -> Option<String> {
    let old = WindowsPath::parse(&stream.source_path);
    let new_name = path.file_name()?.to_str()?;
    let old_name = old.file_name()?;
    if old_name == new_name {
        return None;
    }
    let folder = stream.source_path.strip_suffix(old_name)?;
    Some(format!("{folder}{new_name}"))
}
