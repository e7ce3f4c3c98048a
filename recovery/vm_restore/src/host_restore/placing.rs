//! Where each disk of a restore goes, and how it comes there.

use std::collections::HashSet;

use block_io::BlockDevice as _;
use hyperv_host::{CheckpointTree, Finding, RestoreHost, Severity, TargetHost, TargetVm};
use repository::{Repository, RestorePoint, Stream};
use vm_config::DiskSlot;

use super::disk_source::DiskContent;
use super::existing_disk::{disk_at, overwrite};
use super::file_users::FileUsers;
use super::host_path::{file_name, join, lies_in, marked, parent};
use super::plan::{DiskMethod, PlannedDisk, RestoreKind};
use super::request::{Destination, HostRestoreRequest};
use super::session::RestoreSession;
use crate::RestoreError;
use crate::checkpoint_tree::{chain_of, disks_of};
use crate::image_names::ImageNames;
use crate::point_disk::{no_checkpoints, open_disk, slot_of};

/// The folder that Hyper-V's own tools put disks into.
pub(crate) const DISK_FOLDER: &str = "Virtual Hard Disks";

/// What decides where disks go.
pub(crate) struct Placing<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) point: &'a RestorePoint,
    pub(crate) host: &'a dyn RestoreHost,
    pub(crate) target: &'a TargetHost,
    pub(crate) request: &'a HostRestoreRequest,
    pub(crate) kind: RestoreKind,
    pub(crate) old: Option<&'a TargetVm>,
    /// The old VM is on the host, and not only in a session.
    pub(crate) old_is_there: bool,
    /// A session of the same restore.
    pub(crate) session: Option<&'a RestoreSession>,
    pub(crate) tree: Option<&'a CheckpointTree>,
    /// What the host's VMs name, also where it is lost: only so is a new file told from an old one.
    pub(crate) users: &'a FileUsers,
    pub(crate) findings: Vec<Finding>,
    pub(crate) taken: HashSet<String>,
}

/// A disk as the point has it.
pub(crate) struct PointDiskFacts<'a> {
    pub(crate) number: u32,
    pub(crate) slot: Option<DiskSlot>,
    pub(crate) name: String,
    pub(crate) was_at: String,
    pub(crate) size_bytes: u64,
    pub(crate) data_bytes: u64,
    /// It is a stream of its own.
    pub(crate) stream: Option<&'a Stream>,
}

impl<'a> Placing<'a> {
    /// Places each disk as one file, or leaves it where it is.
    pub(crate) fn flat_disks(&mut self) -> Result<Vec<PlannedDisk>, RestoreError> {
        let all = self.facts()?;
        let mut disks = Vec::new();
        for facts in all {
            let chosen = self.request.disks.as_ref();
            if chosen.is_some_and(|chosen| !chosen.contains(&facts.number)) {
                disks.extend(self.kept(&facts));
                continue;
            }
            let disk = self.over_the_old(&facts);
            disks.push(disk.unwrap_or_else(|| self.new_file(&facts)));
        }
        Ok(disks)
    }

    pub(crate) fn facts(&self) -> Result<Vec<PointDiskFacts<'a>>, RestoreError> {
        let checkpoint = self.request.checkpoint.as_deref();
        let Some(tree) = self.tree else {
            if checkpoint.is_some() {
                return Err(no_checkpoints());
            }
            let disks = self.point.disks().map(|stream| PointDiskFacts {
                number: stream.number,
                slot: slot_of(stream),
                name: stream.name.clone(),
                was_at: stream.source_path.clone(),
                size_bytes: stream.size_bytes,
                data_bytes: stream.statistics.data_bytes,
                stream: Some(stream),
            });
            return Ok(disks.collect());
        };
        let disks = (0..)
            .zip(disks_of(tree, checkpoint)?)
            .map(|(number, disk)| {
                let chain = chain_of(self.point, &disk.image)?;
                let opened = open_disk(self.repository, self.point, number, checkpoint)?;
                let size_bytes = opened.device.size_bytes();
                let data = chain.iter().map(|image| image.statistics.data_bytes);
                let base = chain.last().map_or(&*disk.image, |base| &*base.name);
                Ok(PointDiskFacts {
                    number,
                    slot: disk.slot,
                    name: file_name(base).to_owned(),
                    was_at: disk.configured_path.clone(),
                    size_bytes,
                    data_bytes: data.sum::<u64>().min(size_bytes),
                    stream: None,
                })
            });
        disks.collect()
    }

    /// A disk that nobody asked for stays where it is, if the VM has one there.
    fn kept(&self, facts: &PointDiskFacts<'_>) -> Option<PlannedDisk> {
        let keeps = matches!(self.kind, RestoreKind::InPlace | RestoreKind::Configuration);
        let path = disk_at(self.old.filter(|_| keeps)?, facts.slot)?;
        Some(PlannedDisk {
            number: facts.number,
            slot: facts.slot,
            path: path.to_owned(),
            method: DiskMethod::Kept,
            size_bytes: facts.size_bytes,
            write_bytes: 0,
            is_exact: true,
            grow_bytes: 0,
            content: DiskContent::Nothing,
            beside: None,
        })
    }

    fn over_the_old(&self, facts: &PointDiskFacts<'_>) -> Option<PlannedDisk> {
        let old = self.old?;
        let wanted = self.kind == RestoreKind::InPlace
            && !self.request.full
            && self.request.destination == Destination::Original
            && old.checkpoints == 0;
        let (slot, path) = (facts.slot?, disk_at(old, facts.slot).filter(|_| wanted)?);
        let stream = facts.stream?;
        let is_there = self.old_is_there;
        // What a session says of the disk's ranges is from when the VM was there.
        let noted = self.session.and_then(|session| session.ranges.get(path));
        let way = overwrite(
            self.repository,
            self.host,
            old,
            (slot, path),
            stream,
            is_there,
        )?;
        let (method, write_bytes, is_exact) = match noted.filter(|_| !is_there) {
            Some(ranges) => {
                let bytes = ranges.iter().map(|(_, len)| len).sum();
                let ranges = ranges.len();
                (DiskMethod::ChangedRanges { ranges }, bytes, true)
            }
            None => (way.method, way.write_bytes, way.is_exact),
        };
        Some(PlannedDisk {
            number: facts.number,
            slot: Some(slot),
            path: path.to_owned(),
            method,
            size_bytes: facts.size_bytes,
            write_bytes,
            is_exact,
            grow_bytes: way.grow_bytes,
            content: DiskContent::Disk(facts.number),
            beside: None,
        })
    }

    fn new_file(&mut self, facts: &PointDiskFacts<'_>) -> PlannedDisk {
        let content = DiskContent::Disk(facts.number);
        let path = self.noted(content).unwrap_or_else(|| {
            let folder = self.disk_folder(&facts.was_at);
            self.free_path(&folder, &facts.name)
        });
        PlannedDisk {
            number: facts.number,
            slot: facts.slot,
            path,
            method: DiskMethod::NewFile,
            size_bytes: facts.size_bytes,
            write_bytes: facts.data_bytes,
            is_exact: false,
            grow_bytes: 0,
            content,
            beside: None,
        }
    }

    /// The place that a restore that died has chosen.
    pub(crate) fn noted(&self, content: DiskContent) -> Option<String> {
        self.session?.files.get(&content.key()).cloned()
    }

    fn disk_folder(&self, was_at: &str) -> String {
        match &self.request.destination {
            Destination::Folder(folder) => {
                format!("{}\\{DISK_FOLDER}", folder.trim_end_matches('\\'))
            }
            Destination::Original => parent(was_at)
                .unwrap_or(&self.target.disk_folder)
                .to_owned(),
        }
    }

    /// Returns a name in a folder that no file has, and no VM of the host names.
    fn free_path(&mut self, folder: &str, name: &str) -> String {
        let day = self.point.started.strftime("%Y-%m-%d");
        let marks = (0_u32..1000).map(|number| match number {
            0 => name.to_owned(),
            1 => marked(name, &format!("restored {day}")),
            number => marked(name, &format!("restored {day} {number}")),
        });
        for name in marks {
            let path = match join(folder, &name) {
                Ok(path) => path,
                Err(error) => {
                    self.block(
                        "POINT-FILE-NAME",
                        error.to_string(),
                        "restore the disks one by one",
                    );
                    return folder.to_owned();
                }
            };
            if self.taken.contains(&path.to_lowercase()) || self.is_named(&path) {
                continue;
            }
            match self.host.local_path(&path) {
                Ok(local) if local.symlink_metadata().is_ok() => {}
                Ok(_) => {
                    self.taken.insert(path.to_lowercase());
                    return path;
                }
                Err(error) => {
                    self.unreachable(&path, &error.to_string());
                    return path;
                }
            }
        }
        folder.to_owned()
    }

    /// Says whether a VM of the host names a file, be it there or not.
    fn is_named(&self, path: &str) -> bool {
        self.users.user_of(self.host, path, None).is_some()
    }

    pub(crate) fn unreachable(&mut self, path: &str, why: &str) {
        let text = format!("{path} cannot be written from here: {why}");
        let cure = "name a folder of the host with `--path`, or say where its drives and shares are \
                    reached";
        self.block("POINT-PLACE-UNREACHABLE", text, cure);
    }

    pub(crate) fn block(&mut self, id: &str, text: String, cure: &str) {
        if !self.findings.iter().any(|finding| finding.text == text) {
            let finding = Finding::new(id, Severity::Block, text);
            self.findings.push(finding.cure(cure));
        }
    }

    /// Places the image files of all checkpoints as they were to each other.
    pub(crate) fn images(
        &mut self,
        tree: &CheckpointTree,
    ) -> Result<Vec<PlannedDisk>, RestoreError> {
        let names = ImageNames::of(self.point);
        let root = self.image_root(&names);
        let mut disks = Vec::new();
        for (at, image) in self.point.images.iter().enumerate() {
            let content = DiskContent::Image(at);
            let path = match self.noted(content) {
                Some(path) => path,
                None => match join(&root, names.get(&image.name)) {
                    Ok(path) => path,
                    Err(error) => {
                        return Err(RestoreError::new(
                            format!("cannot restore point {}", self.point.id),
                            error.into(),
                        ));
                    }
                },
            };
            if !self.taken.insert(path.to_lowercase()) {
                let text = format!("the restore point has two image files {path}");
                self.block("POINT-FILE-NAME", text, "restore the disks one by one");
            }
            if let Err(error) = self.host.local_path(&path) {
                self.unreachable(&path, &error.to_string());
            }
            let mut active = tree.active.iter();
            let leaf = active.find(|disk| disk.image == image.name);
            disks.push(PlannedDisk {
                number: u32::try_from(at).unwrap_or(u32::MAX),
                slot: leaf.and_then(|disk| disk.slot),
                path,
                method: DiskMethod::Image,
                size_bytes: image.size_bytes,
                write_bytes: image.statistics.data_bytes,
                is_exact: false,
                grow_bytes: 0,
                content,
                beside: None,
            });
        }
        Ok(disks)
    }

    /// The folder below which images go: that which they were below, if nothing stands in the way.
    fn image_root(&self, names: &ImageNames) -> String {
        let day = self.point.started.strftime("%Y-%m-%d");
        let root = match &self.request.destination {
            Destination::Folder(folder) => folder.trim_end_matches('\\').to_owned(),
            Destination::Original => self
                .original_root()
                .unwrap_or_else(|| self.target.disk_folder.clone()),
        };
        let is_free = |root: &str| {
            self.point.images.iter().all(|image| {
                let path = join(root, names.get(&image.name)).ok();
                let is_named = path.as_ref().is_some_and(|path| self.is_named(path));
                let local = path.and_then(|path| self.host.local_path(&path).ok());
                !is_named && local.is_none_or(|local| local.symlink_metadata().is_err())
            })
        };
        let mut tries = (0_u32..1000).map(|number| match number {
            0 => root.clone(),
            1 => format!("{root}\\Restored {day}"),
            number => format!("{root}\\Restored {day} {number}"),
        });
        tries.find(|root| is_free(root)).unwrap_or(root.clone())
    }

    /// The folder that all images were below.
    fn original_root(&self) -> Option<String> {
        let image = self.point.images.first()?;
        let below = format!("\\{}", image.name.replace('/', "\\"));
        let root = image.source_path.strip_suffix(&below)?;
        let mut images = self.point.images.iter();
        images
            .all(|image| lies_in(&image.source_path, root))
            .then(|| root.to_owned())
    }

    /// Returns the folder that the host keeps the definition in.
    pub(crate) fn configuration_folder(&self, name: &str) -> String {
        if let Destination::Folder(folder) = &self.request.destination {
            return folder.trim_end_matches('\\').to_owned();
        }
        let stays = matches!(self.kind, RestoreKind::InPlace | RestoreKind::Configuration);
        let old = self
            .old
            .filter(|old| stays && !old.configuration_folder.is_empty());
        if let Some(old) = old {
            return old.configuration_folder.trim_end_matches('\\').to_owned();
        }
        let places = self.point.all_streams().map(|stream| &*stream.source_path);
        let beside = places
            .filter_map(parent)
            .find(|folder| file_name(folder) == DISK_FOLDER)
            .and_then(parent);
        let reachable = beside.filter(|folder| self.host.local_path(folder).is_ok());
        let own = format!(
            "{}\\{}",
            self.target.configuration_folder.trim_end_matches('\\'),
            super::host_path::part_of_name(name)
        );
        reachable.map_or(own, str::to_owned)
    }
}
