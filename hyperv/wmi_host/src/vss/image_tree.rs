//! The image files of a VM and of all its checkpoints (requirements MODE-04, MODE-11).

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use block_io::OsFile;
use disk_image::{ChainFile, DiskImage, HostPaths};
use hyperv_host::{CheckpointNode, CheckpointTree, DiskKind, HostError, ImageSource, TreeDisk};
use vm_config::DiskSlot;

use super::candidate::Candidate;
use super::checkpoints::Checkpoints;
use super::image_names::ImageNames;
use super::kept_tree::KeptTree;
use super::leaf::Leaf;
use super::snapshot_view::SnapshotView;
use crate::disk_files::open_on_host;
use crate::facts::DiskFacts;

/// Collects the image files, parents before their children, each once.
pub(super) struct ImageTree {
    paths: Arc<dyn HostPaths>,
    names: ImageNames,
    images: Vec<ImageSource>,
    /// `relative_path` of each, by the file that it is.
    known: HashMap<std::path::PathBuf, String>,
    active: Vec<TreeDisk>,
}

impl ImageTree {
    pub(super) fn new(view: &Arc<SnapshotView>) -> Self {
        Self {
            paths: Arc::<SnapshotView>::clone(view),
            names: ImageNames::default(),
            images: Vec::new(),
            known: HashMap::new(),
            active: Vec::new(),
        }
    }

    /// Adds the active leaf of a disk. What the guest's snapshot recovered to gets the name that the
    /// configuration on the snapshot has for the disk: nobody ever meets the writer's own.
    pub(super) fn add_active(
        &mut self,
        slot: Option<DiskSlot>,
        leaf: &Leaf,
    ) -> Result<(), HostError> {
        let named = if leaf.is_recovered {
            named_anew(leaf)
        } else {
            leaf.path.clone()
        };
        let image = self.add(&leaf.path, &named, &leaf.image)?;
        self.active.push(TreeDisk {
            slot,
            configured_path: leaf.configured_path.clone(),
            image,
        });
        Ok(())
    }

    /// Adds the checkpoints, and returns all.
    pub(super) fn finish(
        mut self,
        vm: &Candidate,
        kept: &KeptTree,
    ) -> Result<(Vec<ImageSource>, CheckpointTree), HostError> {
        let mut checkpoints = Vec::new();
        for (snapshot, disks) in vm.checkpoints.iter() {
            let id = snapshot.id.to_string();
            let mut own = Vec::new();
            for disk in disks {
                if is_wanted(disk, vm) {
                    let image =
                        open_on_host(&disk.path, &self.paths).map_err(HostError::of_disk)?;
                    own.push(TreeDisk {
                        slot: disk.slot,
                        configured_path: disk.path.clone(),
                        image: self.add(&disk.path, &disk.path, &image)?,
                    });
                }
            }
            checkpoints.push(CheckpointNode {
                name: snapshot.name.clone(),
                parent: Checkpoints::parent_of(&vm.vm, snapshot.parent.as_deref()),
                created: snapshot.created,
                memory_bytes: kept.memory_bytes(snapshot),
                disks: own,
                id,
            });
        }
        let tree = CheckpointTree {
            checkpoints,
            current: Checkpoints::parent_of(&vm.vm, vm.vm.settings.parent.as_deref()),
            active: self.active,
        };
        Ok((self.images, tree))
    }

    /// Adds the files of a chain that are not there yet, and returns the leaf's place. `named` is
    /// what the leaf is called in the point.
    fn add(&mut self, path: &str, named: &str, image: &DiskImage) -> Result<String, HostError> {
        let chain = image.chain();
        let names = host_names(path, chain, &*self.paths);
        let mut parent = None;
        for (at, (file, host_path)) in chain.iter().zip(&names).enumerate().rev() {
            if let Some(known) = self.known.get(&file.path) {
                parent = Some(known.clone());
                continue;
            }
            let host_path = if at == 0 { named } else { host_path };
            let relative_path = self.names.of(host_path, parent.as_deref());
            let opened = OsFile::open_held_still(&file.path).map_err(HostError::of_disk)?;
            self.images.push(ImageSource {
                relative_path: relative_path.clone(),
                configured_path: host_path.to_owned(),
                parent: parent.take(),
                format: file.format.family_name().to_owned(),
                disk_id: image.disk_id().map(|id| id.to_string()),
                file: Arc::new(opened),
            });
            self.known.insert(file.path.clone(), relative_path.clone());
            parent = Some(relative_path);
        }
        Ok(parent.unwrap_or_default())
    }
}

/// Returns whether a disk is among those that are kept.
pub(super) fn is_wanted(disk: &DiskFacts, vm: &Candidate) -> bool {
    let is_excluded = disk
        .slot
        .is_some_and(|slot| vm.request.exclude.contains(&slot));
    disk.kind == DiskKind::Virtual && !is_excluded
}

/// Returns the name of what the guest's snapshot recovered to: that of the disk in the configuration,
/// or, where that names the frozen file itself, one that is like it.
fn named_anew(leaf: &Leaf) -> String {
    let configured = &leaf.configured_path;
    if !configured.eq_ignore_ascii_case(&leaf.frozen_path) {
        return configured.clone();
    }
    let id = leaf.image.content_id().unwrap_or_default();
    let id = id.to_string().to_uppercase();
    let (stem, extension) = configured.rsplit_once('.').unwrap_or((configured, "vhdx"));
    let extension = extension.trim_start_matches(['a', 'A']);
    format!("{stem}_{id}.a{extension}")
}

/// Returns how the host names each file of a chain: as its child does, else beside the child.
fn host_names(leaf: &str, chain: &[ChainFile], paths: &dyn HostPaths) -> Vec<String> {
    let mut names = vec![leaf.to_owned()];
    for pair in chain.windows(2) {
        let [child, parent] = pair else { break };
        let is_it = |path: &&String| leads_to(paths, path, &parent.path);
        let named = child.parent_paths.iter().find(is_it).cloned();
        let before = names.last().map_or("", String::as_str);
        let folder = before.rsplit_once('\\').map_or("", |(folder, _)| folder);
        let name = parent.path.file_name().unwrap_or_default();
        let beside = format!("{folder}\\{}", name.to_string_lossy());
        names.push(named.map_or(beside, |path| plain(&path)));
    }
    names
}

fn leads_to(paths: &dyn HostPaths, path: &str, local: &Path) -> bool {
    paths.locate(path).as_deref() == Some(local)
}

/// A locator may write `\\?\C:\x`, where settings write `C:\x`.
fn plain(path: &str) -> String {
    match path.strip_prefix(r"\\?\") {
        Some(rest) if rest.as_bytes().get(1) == Some(&b':') => rest.to_owned(),
        _ => path.to_owned(),
    }
}
