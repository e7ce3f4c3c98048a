//! The definition of a VM that gives way: a copy of it, from which it can come back.

use std::fs;
use std::path::{Path, PathBuf};

use block_io::{DiskError, DiskErrorKind};
use hyperv_host::{Identity, ImportOrder, PlacedDisk, PowerState, RestoreHost, TargetVm};
use uuid::Uuid;
use vm_config::VmConfiguration;

use super::host_path::join;
use super::network::as_it_was;
use super::session::RestoreSession;
use crate::error::Cause;
use crate::new_files::make_folder;

const MACHINES: &str = "Virtual Machines";
const SNAPSHOTS: &str = "Snapshots";

/// Copies the definition files of a VM, with its memory where it is saved, below `folder`, a folder
/// of the host. Returns the copy of the definition itself, as the host names it.
///
/// # Errors
///
/// `NotFound` where the definition is not where the host keeps it: then nothing could bring the VM
/// back.
pub(crate) fn keep(host: &dyn RestoreHost, vm: &TargetVm, folder: &str) -> Result<String, Cause> {
    let source = host.local_path(&vm.configuration_folder)?;
    let target = host.local_path(folder)?;
    make_folder(&target, &mut Vec::new())?;
    let mut definition = None;
    // Some hosts name the folder itself, some the one above.
    for folder_of_files in [source.join(MACHINES), source.clone()] {
        for file in files_of(&folder_of_files, &vm.identity) {
            let below = target.join(MACHINES);
            copy_all(&file, &below)?;
            if is_definition(&file) {
                definition = file
                    .file_name()
                    .map(|name| name.to_string_lossy().into_owned());
            }
        }
        if definition.is_some() {
            break;
        }
    }
    if vm.checkpoints > 0 {
        for file in definitions(&source.join(SNAPSHOTS)) {
            let id = file
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if is_of(&file, &vm.identity) {
                for file in files_of(&source.join(SNAPSHOTS), &id) {
                    copy_all(&file, &target.join(SNAPSHOTS))?;
                }
            }
        }
    }
    let Some(definition) = definition else {
        let what = "the VM's definition is not where the host keeps it, so it could not come back \
                    if the restore failed";
        return Err(DiskError::new(DiskErrorKind::NotFound, what)
            .in_file(&vm.configuration_folder)
            .hint("restore beside it (`--in-place --keep-old`)")
            .into());
    };
    Ok(join(folder, &format!("{MACHINES}/{definition}"))?)
}

/// Registers a VM again from the copy that [`keep`] made.
pub(crate) fn order_to_bring_back(
    host: &dyn RestoreHost,
    session: &RestoreSession,
    vm: &TargetVm,
    (definition, folder): (&str, &str),
) -> Result<ImportOrder, Cause> {
    let run = session.run.as_str();
    let local = host.local_path(definition)?;
    let name = local.display().to_string();
    let configuration = VmConfiguration::from_bytes(&name, &fs::read(&local)?)?;
    let snapshots = join(folder, SNAPSHOTS)?;
    let mut disks: Vec<PlacedDisk> = Vec::new();
    // Taking a VM from its host merges what its checkpoints had apart: then its bases are its disks.
    let mut is_merged = false;
    for (slot, leaf) in &vm.disks {
        let base = session.bases.get(leaf);
        let is_gone = host.local_path(leaf)?.symlink_metadata().is_err();
        is_merged |= is_gone && base.is_some();
        disks.push(PlacedDisk {
            checkpoint: None,
            slot: *slot,
            path: base.filter(|_| is_gone).unwrap_or(leaf).clone(),
        });
    }
    let mut checkpoints = definitions(&host.local_path(&snapshots)?);
    if is_merged {
        checkpoints.clear();
    }
    for file in &checkpoints {
        let id = file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        let name = file.display().to_string();
        let checkpoint = VmConfiguration::from_bytes(&name, &fs::read(file)?)?;
        let own = checkpoint
            .disks
            .into_iter()
            .filter(|disk| !disk.pass_through);
        disks.extend(own.map(|disk| PlacedDisk {
            checkpoint: Some(id.clone()),
            slot: disk.slot,
            path: disk.path,
        }));
    }
    Ok(ImportOrder {
        definition: definition.to_owned(),
        checkpoint_folder: Some(snapshots).filter(|_| !checkpoints.is_empty()),
        identity: Identity::Keep,
        name: Some(vm.name.clone()),
        configuration_folder: vm.configuration_folder.clone(),
        disks,
        adapters: configuration
            .network_adapters
            .iter()
            .map(as_it_was)
            .collect(),
        keep_memory: vm.state == PowerState::Saved,
        run: run.to_owned(),
    })
}

fn is_definition(file: &Path) -> bool {
    let extension = file
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    matches!(&*extension, "vmcx" | "xml")
}

fn definitions(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| is_definition(path))
        .collect();
    files.sort_unstable();
    files
}

/// Says whether a checkpoint's definition is of this VM.
fn is_of(file: &Path, vm: &str) -> bool {
    let read = fs::read(file).ok();
    let read = read.and_then(|bytes| VmConfiguration::read("checkpoint", &bytes).ok());
    let wanted = Uuid::parse_str(vm).ok();
    read.is_some_and(|read| {
        wanted.is_some() && read.logical_id.or(Some(read.configuration.id)) == wanted
    })
}

/// Returns what a folder holds whose name is a GUID's, in whatever case: files and a folder.
fn files_of(folder: &Path, id: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let id = id.to_lowercase();
    let is_its = |path: &PathBuf| {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        name == id
            || name
                .strip_prefix(&id)
                .is_some_and(|rest| rest.starts_with('.'))
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_its).collect();
    files.sort_unstable();
    files
}

/// Copies a file, or a folder with its files, into a folder; durably.
fn copy_all(from: &Path, into: &Path) -> Result<(), DiskError> {
    make_folder(into, &mut Vec::new())?;
    let name = from.display().to_string();
    let failed = |error| DiskError::io(&name, "cannot keep a copy of this file", error);
    let to = into.join(from.file_name().unwrap_or_default());
    if from.is_dir() {
        for entry in fs::read_dir(from).map_err(failed)? {
            let file = entry.map_err(failed)?.path();
            // Hyper-V keeps no folders in there.
            if file.is_file() {
                copy_all(&file, &to)?;
            }
        }
        return make_folder(&to, &mut Vec::new());
    }
    fs::copy(from, &to).map_err(failed)?;
    let copy = fs::OpenOptions::new()
        .write(true)
        .open(&to)
        .map_err(failed)?;
    copy.sync_all().map_err(failed)
}
