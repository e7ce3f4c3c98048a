//! Configuration and state files, which a backup keeps as they are.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disk_image::WindowsPath;
use hyperv_host::{FileRole, FileSource, HostError, HostErrorKind};

use crate::catalog::{Catalog, ConfigFile, has_extension, slashed};
use crate::machine::Machine;

const MACHINES: &str = "Virtual Machines";
const CHECKPOINTS: &str = "Snapshots";

/// Opens the files that belong to a VM beside its disks.
pub(crate) fn kept_files(
    catalog: &Catalog,
    machine: &Machine<'_>,
) -> Result<Vec<FileSource>, HostError> {
    let mut kept = Kept {
        catalog,
        own: own_folder(&machine.config.path),
        files: Vec::new(),
        places: HashMap::new(),
    };
    kept.add(&machine.config.path, FileRole::Configuration, MACHINES)?;
    for (path, guest_state) in companions(catalog, machine.config) {
        let role = if guest_state {
            FileRole::GuestState
        } else {
            FileRole::RuntimeState
        };
        kept.add(&path, role, MACHINES)?;
    }
    for checkpoint in &machine.checkpoints {
        kept.add(
            &checkpoint.path,
            FileRole::CheckpointConfiguration,
            CHECKPOINTS,
        )?;
        for (path, _) in companions(catalog, checkpoint) {
            kept.add(&path, FileRole::CheckpointState, CHECKPOINTS)?;
        }
    }
    Ok(kept.files)
}

struct Kept<'a> {
    catalog: &'a Catalog,
    own: PathBuf,
    files: Vec<FileSource>,
    /// Where each relative path comes from.
    places: HashMap<String, PathBuf>,
}

impl Kept<'_> {
    fn add(&mut self, path: &Path, role: FileRole, folder: &str) -> Result<(), HostError> {
        let relative_path = relative_path(path, &self.own, folder);
        match self.places.get(&relative_path) {
            Some(place) if place == path => return Ok(()),
            Some(place) => {
                return Err(HostError::new(
                    HostErrorKind::Configuration,
                    format!(
                        "{} and {} would both be kept as {relative_path}",
                        place.display(),
                        path.display()
                    ),
                ));
            }
            None => {}
        }
        let file = self.catalog.open(path).map_err(|error| {
            HostError::new(HostErrorKind::Configuration, error.to_string()).caused_by(error)
        })?;
        self.places.insert(relative_path.clone(), path.to_owned());
        self.files.push(FileSource {
            role,
            relative_path,
            file: Arc::new(file),
        });
        Ok(())
    }
}

/// Returns the state files of a configuration, and whether each is guest state: files beside it
/// or in a folder beside it that has its stem, and the guest state file that it names.
pub(crate) fn companions(catalog: &Catalog, config: &ConfigFile) -> Vec<(PathBuf, bool)> {
    let stem = config.path.with_extension("");
    let named = config
        .reading
        .configuration
        .guest_state_file
        .as_ref()
        .and_then(|path| catalog.index.find(&WindowsPath::parse(path)).ok())
        .filter(|path| has_extension(path, &["vmgs"]));
    let mut companions: Vec<(PathBuf, bool)> = catalog
        .index
        .files()
        .filter(|path| {
            same_path(&path.with_extension(""), &stem)
                || path.parent().is_some_and(|folder| same_path(folder, &stem))
        })
        .filter(|path| has_extension(path, &["vmrs", "bin", "vsv", "vmgs"]))
        .map(|path| (path.to_owned(), has_extension(path, &["vmgs"])))
        .collect();
    companions.extend(named.map(|path| (path, true)));
    companions
}

/// Compares two paths below one folder as Windows does: without regard to case in the last part,
/// which is a GUID that hosts write either way.
fn same_path(one: &Path, other: &Path) -> bool {
    one.parent() == other.parent()
        && match (one.file_name(), other.file_name()) {
            (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
            _ => false,
        }
}

/// Returns the VM's own folder: the one that holds `Virtual Machines`.
pub(crate) fn own_folder(config: &Path) -> PathBuf {
    let folder = config.parent().unwrap_or(config);
    let is_machines = folder
        .file_name()
        .is_some_and(|name| name.eq_ignore_ascii_case(MACHINES));
    match folder.parent() {
        Some(parent) if is_machines => parent.to_owned(),
        _ => folder.to_owned(),
    }
}

/// Returns the path below the VM's own folder, in the layout that Hyper-V's import understands.
/// A file that lies elsewhere keeps what follows a folder of that layout, else its name alone.
fn relative_path(path: &Path, own: &Path, folder: &str) -> String {
    let below = path.strip_prefix(own).unwrap_or(path);
    let parts: Vec<String> = slashed(below).split('/').map(str::to_owned).collect();
    let layout = parts.iter().rposition(|part| {
        [MACHINES, CHECKPOINTS]
            .iter()
            .any(|name| part.eq_ignore_ascii_case(name))
    });
    let parts = match layout {
        Some(at) if at + 1 < parts.len() => parts.get(at..).unwrap_or_default(),
        _ => parts.last().map(std::slice::from_ref).unwrap_or_default(),
    };
    if parts.len() > 1 {
        parts.join("/")
    } else {
        format!("{folder}/{}", parts.join("/"))
    }
}
