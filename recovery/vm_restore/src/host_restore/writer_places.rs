//! Where the files of a restore through the host's VSS writer go: where they were.

use block_io::DiskErrorKind;
use hyperv_host::CheckpointTree;
use uuid::Uuid;
use vm_config::DiskSlot;

use super::disk_source::DiskContent;
use super::existing_disk::open_beside;
use super::file_users::FileUsers;
use super::host_path::{file_name, parent, same};
use super::placing::{DISK_FOLDER, Placing};
use super::plan::{DiskMethod, PlannedDisk};
use super::request::{Destination, HostRestoreRequest};
use crate::RestoreError;
use crate::point_disk::disk_id_of;

const ELSEWHERE: &str =
    "name another folder (`--path`), or restore it by an import (`--through import`)";

/// Returns the place of a file that was somewhere when it was backed up.
pub(crate) fn place_of(request: &HostRestoreRequest, was_at: &str) -> String {
    match &request.destination {
        Destination::Original => was_at.to_owned(),
        Destination::Folder(folder) => {
            let folder = folder.trim_end_matches('\\');
            format!("{folder}\\{DISK_FOLDER}\\{}", file_name(was_at))
        }
    }
}

/// A disk's file as it was backed up.
struct BackedUp {
    number: u32,
    slot: Option<DiskSlot>,
    content: DiskContent,
    was_at: String,
    size_bytes: u64,
    data_bytes: u64,
    disk_id: Option<Uuid>,
}

impl Placing<'_> {
    /// Places each file under the name that it had. A file that has its place gives way once the VM
    /// is away, if it is the same disk.
    pub(crate) fn writer_disks(
        &mut self,
        tree: Option<&CheckpointTree>,
        users: &FileUsers,
        run: &str,
    ) -> Result<Vec<PlannedDisk>, RestoreError> {
        let files = match tree {
            Some(tree) => self.backed_up_images(tree),
            None => self.backed_up_disks()?,
        };
        let folders = files.iter().map(|file| parent(&file.was_at).unwrap_or(""));
        let mut folders: Vec<String> = folders.map(str::to_lowercase).collect();
        folders.sort_unstable();
        folders.dedup();
        if tree.is_some() && folders.len() > 1 && self.request.destination != Destination::Original
        {
            let text = "files of the VM's checkpoints were in several folders, and would not find \
                        each other in one";
            self.block("POINT-WRITER-PLACE", text.to_owned(), ELSEWHERE);
        }
        let method = match tree {
            Some(_) => DiskMethod::Image,
            None => DiskMethod::NewFile,
        };
        let mut disks = Vec::new();
        for file in files {
            let path = place_of(self.request, &file.was_at);
            if !self.taken.insert(path.to_lowercase()) {
                let text = format!("two files of the VM would be {path}");
                self.block("POINT-WRITER-PLACE", text, ELSEWHERE);
            }
            let beside = self.beside(&file, &path, users, run);
            disks.push(PlannedDisk {
                number: file.number,
                slot: file.slot,
                path,
                method,
                size_bytes: file.size_bytes,
                write_bytes: file.data_bytes,
                is_exact: false,
                grow_bytes: 0,
                content: file.content,
                beside,
            });
        }
        Ok(disks)
    }

    fn backed_up_disks(&mut self) -> Result<Vec<BackedUp>, RestoreError> {
        let mut files = Vec::new();
        for facts in self.facts()? {
            if !same(file_name(&facts.was_at), &facts.name) {
                let text = format!(
                    "disk {} was {} when it was backed up, above files of checkpoints: the point \
                     has it as one file",
                    facts.number, facts.was_at
                );
                let cure = "restore it by an import (`--through import`); points of all checkpoints \
                            (`backup --mode all-checkpoints`) keep files as they were";
                self.block("POINT-WRITER-CHAIN", text, cure);
            }
            files.push(BackedUp {
                number: facts.number,
                slot: facts.slot,
                content: DiskContent::Disk(facts.number),
                was_at: facts.was_at,
                size_bytes: facts.size_bytes,
                data_bytes: facts.data_bytes,
                disk_id: facts.stream.and_then(disk_id_of),
            });
        }
        Ok(files)
    }

    fn backed_up_images(&self, tree: &CheckpointTree) -> Vec<BackedUp> {
        let images = self.point.images.iter().enumerate();
        let files = images.map(|(at, image)| {
            let mut active = tree.active.iter();
            let leaf = active.find(|disk| disk.image == image.name);
            let was_at = match leaf {
                // What was recovered in the snapshot had another name there.
                Some(disk) if !disk.configured_path.is_empty() => &disk.configured_path,
                _ => &image.source_path,
            };
            BackedUp {
                number: u32::try_from(at).unwrap_or(u32::MAX),
                slot: leaf.and_then(|disk| disk.slot),
                content: DiskContent::Image(at),
                was_at: was_at.clone(),
                size_bytes: image.size_bytes,
                data_bytes: image.statistics.data_bytes,
                disk_id: disk_id_of(image),
            }
        });
        files.collect()
    }

    /// Returns the file that is made first, where another has the place.
    fn beside(
        &mut self,
        file: &BackedUp,
        path: &str,
        users: &FileUsers,
        run: &str,
    ) -> Option<String> {
        let local = match self.host.local_path(path) {
            Ok(local) => local,
            Err(error) => {
                self.unreachable(path, &error.to_string());
                return None;
            }
        };
        // A restore that died knows what it has made.
        if let Some(noted) = self.noted(file.content) {
            return (noted != path).then_some(noted);
        }
        local.symlink_metadata().ok()?;
        let except = self.old.map(|old| &*old.identity);
        let user = users.user_of(self.host, path, except).map(str::to_owned);
        if let Some(user) = user {
            let text = format!("{path} is a disk of {user:?}, or what one of it is built upon");
            self.block("POINT-WRITER-PLACE", text, ELSEWHERE);
        } else if self.request.destination != Destination::Original {
            let text = format!("there is a file {path} already");
            self.block("POINT-WRITER-PLACE", text, ELSEWHERE);
        } else if !self.is_the_same(file, path, &local) {
            let text = format!(
                "the file {path} is not the disk that the point has there, and no VM's that gives \
                 way"
            );
            let cure = "move the file away, or restore it by an import (`--through import`)";
            self.block("POINT-WRITER-PLACE", text, cure);
        }
        Some(format!("{path}.lifeboat-{run}"))
    }

    /// Says whether a file is what the disk has become since: it has its id, or the VM that gives
    /// way has it there and it cannot be read.
    fn is_the_same(&self, file: &BackedUp, path: &str, local: &std::path::Path) -> bool {
        let of_old = || {
            let mut disks = self.old.iter().flat_map(|old| &old.disks);
            disks.any(|(_, own)| same(own, path))
        };
        match open_beside(local) {
            Ok(image) => match (image.disk_id(), file.disk_id) {
                (Some(there), Some(of_point)) => there == of_point,
                _ => of_old(),
            },
            Err(error) if error.kind() == DiskErrorKind::InUse => self.old.is_some(),
            Err(_) => of_old(),
        }
    }
}
