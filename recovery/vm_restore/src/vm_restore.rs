//! Carries a plan out.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disk_image::{CopyObserver, HostPaths, ImageFormat, NewImageOptions, OpenOptions, open};
use hyperv_host::CheckpointTree;
use repository::StreamRole;
use serde::Serialize;
use vm_config::{DiskSlot, with_disk_paths};

use crate::disk_restore::restore_stream;
use crate::error::Cause;
use crate::new_files::{make_folder, read_configuration, write_file};
use crate::point_disk::disk_id_of;
use crate::target_path::target_path;
use crate::vm_plan::NOTE_FILE;
use crate::{PlannedFile, RestoreError, VmRestorePlan};

/// What a VM's restore did.
#[derive(Debug, Clone, Serialize)]
pub struct VmRestoreReport {
    /// The folder.
    pub folder: PathBuf,
    /// The files that were made.
    pub files: Vec<PathBuf>,
    /// Sum of the sizes of disks and files in bytes.
    pub size_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// What the person should know.
    pub notes: Vec<String>,
    /// Images that do not find their parents in the new place, and what to do: until then their
    /// disks do not open on a host.
    pub lost_parents: Vec<String>,
}

/// A folder in which no absolute path leads anywhere.
#[derive(Debug)]
struct RelativeOnly(PathBuf);

impl HostPaths for RelativeOnly {
    fn locate(&self, _: &str) -> Option<PathBuf> {
        None
    }

    fn roots(&self) -> Vec<PathBuf> {
        vec![self.0.clone()]
    }
}

impl VmRestorePlan {
    /// Makes the files of the plan. If one of them fails, those that were made are removed.
    pub fn execute(&self, observer: &dyn CopyObserver) -> Result<VmRestoreReport, RestoreError> {
        let mut report = VmRestoreReport {
            folder: self.folder.clone(),
            files: Vec::new(),
            size_bytes: 0,
            written_bytes: 0,
            notes: self.checkpoint_note().into_iter().collect(),
            lost_parents: Vec::new(),
        };
        let mut folders = Vec::new();
        let result = self.make_all(observer, &mut report, &mut folders);
        if result.is_err() {
            // Only what this restore made, and folders only while they are empty.
            for file in report.files.iter().rev() {
                drop(fs::remove_file(file));
            }
            for folder in folders.iter().rev() {
                drop(fs::remove_dir(folder));
            }
        }
        match result {
            Ok(()) => {
                let tree = self.checkpoints.as_ref();
                report.lost_parents =
                    tree.map_or_else(Vec::new, |tree| lost_parents(&self.folder, tree));
                Ok(report)
            }
            Err(error) => Err(RestoreError::of_vm(&self.vm, &self.folder, error)),
        }
    }

    /// Says that checkpoints do not come back, where the configuration goes on to list some.
    fn checkpoint_note(&self) -> Option<String> {
        if let Some(tree) = &self.checkpoints {
            return (!tree.checkpoints.is_empty()).then(|| {
                "the checkpoints came back as well: applying one takes the guest back in time, \
                 which some applications do not bear (Exchange, domain controllers)"
                    .to_owned()
            });
        }
        let configuration = self.source.configuration.as_ref()?;
        let listed = configuration.get("checkpoints")?.as_array()?.len();
        (listed > 0).then(|| {
            format!(
                "the restore point holds the latest state alone: the configuration still lists \
                 {listed} checkpoint(s), whose disks are not among the restored files"
            )
        })
    }

    fn make_all(
        &self,
        observer: &dyn CopyObserver,
        report: &mut VmRestoreReport,
        folders: &mut Vec<PathBuf>,
    ) -> Result<(), Cause> {
        for file in &self.files {
            make_folder(file.path.parent().unwrap_or(&self.folder), folders)?;
            report.size_bytes += file.size_bytes;
            report.written_bytes += match file.role {
                StreamRole::Configuration => self.make_configuration(file, report)?,
                StreamRole::CheckpointConfiguration if !file.disk_paths.is_empty() => {
                    self.make_configuration(file, report)?
                }
                _ => self.make_stream(file, observer)?,
            };
            report.files.push(file.path.clone());
        }
        make_folder(&self.folder, folders)?;
        let note = self.folder.join(NOTE_FILE);
        // A plan is plain data, which always serialises.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        report.written_bytes += write_file(&note, &bytes)?;
        report.files.push(note);
        Ok(())
    }

    fn make_stream(&self, file: &PlannedFile, observer: &dyn CopyObserver) -> Result<u64, Cause> {
        let stream = &file.stream;
        let options = NewImageOptions {
            // What has no format of its own is kept byte for byte.
            format: file.format.unwrap_or(ImageFormat::Raw),
            size_bytes: stream.size_bytes,
            sector_bytes: stream.sector_bytes,
            physical_sector_bytes: stream.physical_sector_bytes,
            disk_id: disk_id_of(stream),
        };
        let done = restore_stream(&self.repository, stream, &file.path, &options, observer)?;
        Ok(done.copy.bytes_written)
    }

    /// Writes the configuration with the disks' new file names.
    fn make_configuration(
        &self,
        file: &PlannedFile,
        report: &mut VmRestoreReport,
    ) -> Result<u64, Cause> {
        let stream = &file.stream;
        let mut bytes = read_configuration(&self.repository, stream)?;
        let paths = file.disk_paths.iter();
        let paths: Vec<(DiskSlot, &str)> = paths.map(|(slot, path)| (*slot, &**path)).collect();
        if !paths.is_empty() {
            match with_disk_paths(&bytes, &paths) {
                Ok(changed) => bytes = changed,
                // The disks are there all the same; an import asks where they are.
                Err(error) => report.notes.push(format!(
                    "the configuration still names the disks as they were ({error}); \
                     {NOTE_FILE} says which file belongs where"
                )),
            }
        }
        Ok(write_file(&file.path, &bytes)?)
    }
}

/// Says which restored images do not find their parents as a host looks for them: by the path
/// that is relative to the child. The absolute one is that of the VM's first place, where there
/// is nothing, or what the VM there goes on with.
pub(crate) fn lost_parents(folder: &Path, tree: &CheckpointTree) -> Vec<String> {
    let nodes = tree.checkpoints.iter().flat_map(|node| &node.disks);
    let mut leaves: Vec<&str> = nodes.chain(&tree.active).map(|disk| &*disk.image).collect();
    leaves.sort_unstable();
    leaves.dedup();
    let options = OpenOptions::on_host(Arc::new(RelativeOnly(folder.to_owned())));
    let opened = leaves.into_iter().filter_map(|leaf| {
        let path = target_path(folder, leaf).ok()?;
        open(&path, &options).err()
    });
    opened
        .map(|error| {
            format!(
                "{error}; the files are as they were: tell the image where its parent is now \
                 with Set-VHD -Path CHILD -ParentPath PARENT"
            )
        })
        .collect()
}
