//! A VM with all its checkpoints: the image files of every chain, as they lie.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use block_io::{DiskError, ImageFile};
use disk_image::{DiskImage, OpenOptions, PathLookup, WindowsPath};
use hyperv_host::{
    CheckpointNode, CheckpointTree, Finding, HostError, ImageSource, Severity, TreeDisk,
};
use vm_config::{Disk, DiskSlot};

use crate::catalog::{Catalog, ConfigFile, guid_of};
use crate::diagnosis::{ambiguous, finding, missing};
use crate::image_layout::ImageLayout;
use crate::kept_files::{companions, own_folder};
use crate::machine::Machine;

/// A state file of this size or more has memory in it; see [`memory_bytes`].
const MEMORY_FROM_BYTES: u64 = 16 << 20;

/// The image files of a VM, and what they are to it.
pub(crate) struct Tree {
    /// Parents before their children.
    pub(crate) images: Vec<ImageSource>,
    pub(crate) tree: CheckpointTree,
    /// The chains that the images belong to; they know whether their files changed.
    pub(crate) chains: Vec<DiskImage>,
    /// What of the tree is not there.
    pub(crate) findings: Vec<Finding>,
}

/// A leaf that a configuration names.
struct Leaf {
    slot: Option<DiskSlot>,
    configured_path: String,
    /// Which of the chains it is.
    chain: usize,
}

/// A checkpoint whose disks are open.
struct Opened<'a> {
    config: &'a ConfigFile,
    leaves: Vec<Leaf>,
}

impl Tree {
    /// Opens the disks of the VM and of all its checkpoints but those in the slots of `exclude`.
    pub(crate) fn of_machine(
        catalog: &Catalog,
        machine: Machine<'_>,
        exclude: &[DiskSlot],
    ) -> Result<Self, HostError> {
        let mut chains = Vec::new();
        let mut active = Vec::new();
        for (entry, disk) in machine.entry.disks.iter().zip(machine.disks) {
            if entry.slot.is_some_and(|slot| exclude.contains(&slot)) {
                continue;
            }
            active.push(Leaf {
                slot: entry.slot,
                configured_path: disk.configured_path,
                chain: chains.len(),
            });
            chains.push(disk.image.map_err(HostError::of_disk)?);
        }
        let mut checkpoints = Vec::new();
        for config in machine.checkpoints {
            let mut leaves = Vec::new();
            for disk in &config.reading.configuration.disks {
                if disk.pass_through || exclude.contains(&disk.slot) {
                    continue;
                }
                leaves.push(Leaf {
                    slot: Some(disk.slot),
                    configured_path: disk.path.clone(),
                    chain: chains.len(),
                });
                chains.push(open_leaf(catalog, disk).map_err(HostError::of_disk)?);
            }
            checkpoints.push(Opened { config, leaves });
        }
        let own = own_folder(&machine.config.path);
        let vm = machine.config;
        let mut tree = Self::new(catalog, &own, Some(vm), active, &checkpoints, chains)?;
        tree.findings = missing_checkpoints(vm, &tree.tree);
        Ok(tree)
    }

    /// Makes the tree of a chain that no configuration names.
    pub(crate) fn of_chain(
        catalog: &Catalog,
        configured_path: String,
        chain: DiskImage,
    ) -> Result<Self, HostError> {
        let leaf = Leaf {
            slot: None,
            configured_path,
            chain: 0,
        };
        Self::new(catalog, &catalog.root, None, vec![leaf], &[], vec![chain])
    }

    fn new(
        catalog: &Catalog,
        own: &Path,
        vm: Option<&ConfigFile>,
        active: Vec<Leaf>,
        checkpoints: &[Opened<'_>],
        chains: Vec<DiskImage>,
    ) -> Result<Self, HostError> {
        let layout = ImageLayout::of(&chains, own).map_err(HostError::of_disk)?;
        let named = active
            .iter()
            .chain(checkpoints.iter().flat_map(|checkpoint| &checkpoint.leaves));
        let mut configured: HashMap<&Path, &str> = HashMap::new();
        for leaf in named {
            if let Some(path) = leaf_path(&chains, leaf) {
                configured.entry(path).or_insert(&leaf.configured_path);
            }
        }
        let images = images(&chains, &layout, &configured);
        let mut nodes = Vec::new();
        for (at, checkpoint) in checkpoints.iter().enumerate() {
            let parent = nearest(checkpoints, Some(at), &checkpoint.leaves, &chains);
            nodes.push(CheckpointNode {
                id: id_of(checkpoint.config, vm),
                name: name_of(checkpoint.config, vm),
                parent: parent.map(|parent| id_of(parent.config, vm)),
                created: None,
                memory_bytes: memory_bytes(catalog, checkpoint.config),
                disks: tree_disks(&checkpoint.leaves, &chains, &layout),
            });
        }
        let current = nearest(checkpoints, None, &active, &chains);
        let tree = CheckpointTree {
            checkpoints: parents_first(nodes),
            current: current.map(|checkpoint| id_of(checkpoint.config, vm)),
            active: tree_disks(&active, &chains, &layout),
        };
        Ok(Self {
            images,
            tree,
            chains,
            findings: Vec::new(),
        })
    }
}

/// Says which checkpoints the VM lists that have no configuration below the folder.
fn missing_checkpoints(vm: &ConfigFile, tree: &CheckpointTree) -> Vec<Finding> {
    let listed = &vm.reading.configuration.checkpoints;
    let is_there = |id: String| tree.checkpoints.iter().any(|node| node.id == id);
    listed
        .iter()
        .filter(|listed| !is_there(listed.id.hyphenated().to_string()))
        .map(|listed| {
            finding(
                "VM-CHECKPOINT-MISSING",
                Severity::Warn,
                format!(
                    "the VM lists the checkpoint {:?} ({}), and no configuration below the folder \
                     is its: it will not be in the point",
                    listed.name, listed.id
                ),
                "put the files of the checkpoint below the folder as well",
            )
        })
        .collect()
}

/// Opens a disk that a checkpoint names.
fn open_leaf(catalog: &Catalog, disk: &Disk) -> Result<DiskImage, DiskError> {
    match catalog.index.find(&WindowsPath::parse(&disk.path)) {
        Ok(path) => disk_image::open(&path, &OpenOptions::below(&catalog.root)),
        Err(PathLookup::Missing) => Err(missing(&disk.path, &catalog.root).0),
        Err(PathLookup::Ambiguous(candidates)) => Err(ambiguous(&disk.path, &candidates).0),
    }
}

fn leaf_path<'a>(chains: &'a [DiskImage], leaf: &Leaf) -> Option<&'a Path> {
    let chain = chains.get(leaf.chain)?.chain();
    chain.first().map(|file| file.path.as_path())
}

fn images(
    chains: &[DiskImage],
    layout: &ImageLayout,
    configured: &HashMap<&Path, &str>,
) -> Vec<ImageSource> {
    let mut images: Vec<ImageSource> = Vec::new();
    for chain in chains {
        let files: Vec<Arc<dyn ImageFile>> = chain.files().collect();
        // From the base on, so that parents come first.
        for (at, (file, bytes)) in chain.chain().iter().zip(files).enumerate().rev() {
            let relative_path = layout.relative(&file.path);
            if images
                .iter()
                .any(|image| image.relative_path == relative_path)
            {
                continue;
            }
            let parent = chain.chain().get(at + 1);
            images.push(ImageSource {
                configured_path: configured.get(file.path.as_path()).map_or_else(
                    || file.path.display().to_string(),
                    |path| (*path).to_owned(),
                ),
                relative_path,
                parent: parent.map(|parent| layout.relative(&parent.path)),
                format: file.format.family_name().to_owned(),
                disk_id: chain.disk_id().map(|id| id.to_string()),
                file: bytes,
            });
        }
    }
    images
}

fn tree_disks(leaves: &[Leaf], chains: &[DiskImage], layout: &ImageLayout) -> Vec<TreeDisk> {
    let disk = |leaf: &Leaf| {
        Some(TreeDisk {
            slot: leaf.slot,
            configured_path: leaf.configured_path.clone(),
            image: layout.relative(leaf_path(chains, leaf)?),
        })
    };
    leaves.iter().filter_map(disk).collect()
}

/// Returns the checkpoint that a state with these disks derives from. No configuration says it, but
/// the disks do: it is the one whose disk comes first on the way to the base. The state itself is
/// the checkpoint `of`, where it is one.
fn nearest<'a, 'b>(
    checkpoints: &'a [Opened<'b>],
    of: Option<usize>,
    leaves: &[Leaf],
    chains: &[DiskImage],
) -> Option<&'a Opened<'b>> {
    let is_disk_of = |checkpoint: &Opened<'_>, path: &PathBuf| {
        let mut own = checkpoint.leaves.iter();
        own.any(|leaf| leaf_path(chains, leaf) == Some(path))
    };
    leaves.iter().find_map(|leaf| {
        let chain = chains.get(leaf.chain)?.chain();
        // The leaf of a VM is never a checkpoint's; that of a checkpoint is its own.
        chain.iter().skip(1).find_map(|file| {
            let others = checkpoints.iter().enumerate();
            let mut others = others.filter(|(at, _)| Some(*at) != of);
            others
                .find(|(_, checkpoint)| is_disk_of(checkpoint, &file.path))
                .map(|(_, checkpoint)| checkpoint)
        })
    })
}

/// Returns the id of a checkpoint: its configuration's own, or, where that is the VM's, the one
/// that its file is named by.
fn id_of(checkpoint: &ConfigFile, vm: Option<&ConfigFile>) -> String {
    let own = checkpoint.reading.configuration.id;
    let is_vm = vm.is_some_and(|vm| vm.reading.configuration.id == own);
    let id = guid_of(&checkpoint.path).filter(|_| is_vm).unwrap_or(own);
    id.hyphenated().to_string()
}

fn name_of(checkpoint: &ConfigFile, vm: Option<&ConfigFile>) -> String {
    let id = id_of(checkpoint, vm);
    let mut listed = vm
        .into_iter()
        .flat_map(|vm| &vm.reading.configuration.checkpoints);
    let listed = listed.find(|listed| listed.id.hyphenated().to_string() == id);
    listed.map_or_else(
        || checkpoint.reading.configuration.name.clone(),
        |listed| listed.name.clone(),
    )
}

/// Returns how much memory a checkpoint keeps, as far as the sizes of its state files tell: one
/// without memory has some hundred KiB. Contract: 1.2 [M]
fn memory_bytes(catalog: &Catalog, checkpoint: &ConfigFile) -> Option<u64> {
    companions(catalog, checkpoint)
        .into_iter()
        .filter(|(_, guest_state)| !guest_state)
        .filter_map(|(path, _)| Some(path.metadata().ok()?.len()))
        .filter(|bytes| *bytes >= MEMORY_FROM_BYTES)
        .max()
}

/// Sorts checkpoints so that each comes after the one that it derives from.
fn parents_first(mut rest: Vec<CheckpointNode>) -> Vec<CheckpointNode> {
    let mut sorted: Vec<CheckpointNode> = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let is_ready = |node: &CheckpointNode| {
            let parent = node.parent.as_ref();
            parent.is_none_or(|parent| !rest.iter().any(|other| other.id == *parent))
        };
        // Disks that contradict each other could make a circle; then the order does not matter.
        let next = rest.iter().position(is_ready).unwrap_or(0);
        sorted.push(rest.remove(next));
    }
    sorted
}
