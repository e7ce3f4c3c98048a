//! Which checkpoints belong to a VM.

use std::collections::HashSet;
use std::path::PathBuf;

use disk_image::WindowsPath;
use vm_config::VmConfiguration;

use crate::catalog::{Catalog, ConfigFile};

/// Returns the checkpoints of a VM: those that it lists, that say so themselves, or of whose disks
/// one is among the files of the VM's chains.
pub(crate) fn checkpoints_of<'a>(
    catalog: &'a Catalog,
    vm: &VmConfiguration,
    files: &HashSet<PathBuf>,
) -> Vec<&'a ConfigFile> {
    catalog
        .checkpoints
        .iter()
        .filter(|checkpoint| {
            let reading = &checkpoint.reading;
            let listed = vm
                .checkpoints
                .iter()
                .any(|listed| listed.id == reading.configuration.id);
            listed
                || reading.logical_id == Some(vm.id)
                || reading.configuration.id == vm.id
                || disk_files(catalog, checkpoint).any(|file| files.contains(&file))
        })
        .collect()
}

/// Returns the files that a checkpoint's disks mean, links resolved.
pub(crate) fn disk_files<'a>(
    catalog: &'a Catalog,
    checkpoint: &'a ConfigFile,
) -> impl Iterator<Item = PathBuf> + 'a {
    checkpoint
        .reading
        .configuration
        .disks
        .iter()
        .filter(|disk| !disk.pass_through)
        .filter_map(|disk| catalog.index.find(&WindowsPath::parse(&disk.path)).ok())
        .filter_map(|path| path.canonicalize().ok())
}
