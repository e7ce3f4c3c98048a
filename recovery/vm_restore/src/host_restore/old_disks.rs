//! What becomes of the disks of the VM that gives way: written over, removed, or left as they are.

use std::fs;
use std::path::PathBuf;

use hyperv_host::{CheckpointTree, Finding, Severity, TargetVm};
use vm_config::DiskSlot;

use super::existing_disk::{files_of, is_of_checkpoint, open_beside};
use super::host_path::{parent, same};
use super::plan::{DiskMethod, PlannedDisk};
use super::planning::Planning;
use super::session::{RestoreSession, session_file};
use crate::point_disk::{disk_id_of, slot_of};

impl Planning<'_> {
    /// Another restore that died with the VM away from its host has the only copy of the VM's
    /// definition, and knows how far its disks were written over.
    pub(super) fn died(&self, other: &RestoreSession) -> Option<Finding> {
        let is_away = other.leaving && other.imported.is_none();
        // Of a restore of the same point the VM is there, and what gave way is still to go.
        let has_no_end =
            other.imported.is_some() && other.point == self.point.id && !other.remove.is_empty();
        // Only its session knows which file was where.
        let has_swaps = !other.swaps.is_empty();
        if !is_away && !has_no_end && !has_swaps {
            return None;
        }
        let name = other
            .old
            .as_ref()
            .map_or(&*self.point.vm.name, |old| &*old.name);
        let file = session_file(
            &self.request.session_folder,
            &self.session_host,
            &self.point.vm.identity,
        );
        let how = match is_away {
            true => "when the VM was away from",
            false => "before all was in order on",
        };
        let text = format!(
            "a restore of {name:?} from point {} died {how} {}",
            other.point,
            self.host.name()
        );
        let cure = format!(
            "ask for that restore again: it goes on, or puts the VM back; or, once the VM and its \
             disks are in order, remove {}",
            file.display()
        );
        Some(Finding::new("POINT-RESTORE-DIED", Severity::Block, text).cure(cure))
    }

    /// Nothing is written over that another VM uses, as a disk or as the parent of one.
    pub(super) fn in_use(&self, old: Option<&TargetVm>, disks: &[PlannedDisk]) -> Vec<Finding> {
        let except = old.map(|old| &*old.identity);
        let over = disks.iter().filter(|disk| disk.gives_way());
        over.filter_map(|disk| {
            let user = self.users.user_of(self.host, &disk.path, except)?;
            let text = format!(
                "{} is a disk of {user:?} as well, or what a disk of it is built upon",
                disk.path
            );
            let cure = "set the VM aside (`--in-place --keep-old`), or restore with a new identity \
                        (`--new-identity`)";
            Some(Finding::new("POINT-DISK-IN-USE", Severity::Block, text).cure(cure))
        })
        .collect()
    }

    /// Returns the files of the old VM that are not needed once the restored one is there, and what
    /// of its disks stays all the same: what another VM uses, and what is not the point's disk.
    pub(super) fn removed(
        &self,
        old: &TargetVm,
        disks: &[PlannedDisk],
        tree: Option<&CheckpointTree>,
    ) -> (Vec<String>, Vec<Finding>) {
        let replaced = |slot| match tree {
            Some(tree) => tree.active.iter().any(|disk| disk.slot == Some(slot)),
            None => disks
                .iter()
                .any(|disk| disk.slot == Some(slot) && disk.method == DiskMethod::NewFile),
        };
        let (mut files, mut stay) = (Vec::new(), Vec::new());
        for (slot, leaf) in old.disks.iter().filter(|(slot, _)| replaced(*slot)) {
            let except = Some(&*old.identity);
            let own = files_of(self.host, leaf);
            let is_used = |path: &String| self.users.user_of(self.host, path, except).is_some();
            if own.iter().any(is_used) || !self.is_the_points(*slot, leaf, tree) {
                let text = format!(
                    "{leaf} is not the disk that the point has there, or another VM uses it: the \
                     file stays, and is no disk of the restored VM"
                );
                let cure = "attach it again, or remove it, once the VM is as it should be";
                let finding = Finding::new("POINT-DISK-STAYS", Severity::Warn, text);
                stay.push(finding.cure(cure));
                continue;
            }
            let own = own.into_iter();
            files.extend(own.filter(|path| !disks.iter().any(|disk| same(&disk.path, path))));
        }
        files.sort_unstable();
        files.dedup();
        (files, stay)
    }

    /// Says which files of the old VM's checkpoints stay because no disk that it has now is built upon
    /// them: those of other branches. Hosts name the disks of the active state alone, so they are
    /// found beside it, by what they are built upon.
    pub(super) fn other_branches(&self, old: &TargetVm, removed: &[String]) -> Vec<Finding> {
        let mut found = Vec::new();
        for (_, leaf) in old.disks.iter().filter(|_| old.checkpoints > 0) {
            let chain = self.chain(leaf);
            let Some(base) = chain.last() else { continue };
            let Some(folder) = parent(leaf) else { continue };
            let local = self.host.local_path(folder).ok();
            let entries = local.and_then(|local| fs::read_dir(local).ok());
            let names = entries.into_iter().flatten().flatten();
            let mut names: Vec<String> = names
                .filter_map(|entry| entry.file_name().into_string().ok())
                .filter(|name| is_of_checkpoint(name))
                .collect();
            names.sort_unstable();
            let paths = names.into_iter().map(|name| format!("{folder}\\{name}"));
            let stays = |path: &String| {
                let own = self.chain(path);
                own.contains(base)
                    && own.first().is_some_and(|file| !chain.contains(file))
                    && !removed.iter().any(|other| same(other, path))
            };
            found.extend(paths.filter(stays).map(|path| branch_stays(&path)));
        }
        found.dedup();
        found
    }

    /// Returns the files that a disk is made of, as this machine names them, leaf first.
    fn chain(&self, path: &str) -> Vec<PathBuf> {
        let local = self.host.local_path(path).ok();
        let image = local.and_then(|local| open_beside(&local).ok());
        let files = image.iter().flat_map(|image| image.chain());
        files
            .map(|file| {
                file.path
                    .canonicalize()
                    .unwrap_or_else(|_| file.path.clone())
            })
            .collect()
    }

    /// Says whether the old VM's disk at a slot is the disk that the point has there: by the virtual
    /// disk's own id, or where there is none to be read, by its path.
    fn is_the_points(&self, slot: DiskSlot, leaf: &str, tree: Option<&CheckpointTree>) -> bool {
        let mut active = tree.iter().flat_map(|tree| &tree.active);
        let stream = match active.find(|disk| disk.slot == Some(slot)) {
            Some(disk) => {
                let mut images = self.point.images.iter();
                images.find(|image| image.name == disk.image)
            }
            None => self
                .point
                .disks()
                .find(|stream| slot_of(stream) == Some(slot)),
        };
        let Some(stream) = stream else {
            return false;
        };
        let local = self.host.local_path(leaf).ok();
        let image = local.and_then(|local| open_beside(&local).ok());
        match (image.and_then(|image| image.disk_id()), disk_id_of(stream)) {
            (Some(there), Some(of_point)) => there == of_point,
            _ => same(leaf, &stream.source_path),
        }
    }
}

fn branch_stays(path: &str) -> Finding {
    let text = format!(
        "{path} stays: it is of another branch of the old VM's checkpoints, and what it is built \
         upon changes or goes"
    );
    let cure = "remove it once the restored VM is as it should be; nothing can use it any more";
    Finding::new("POINT-BRANCH-STAYS", Severity::Info, text).cure(cure)
}
