//! Which VMs of a host use a file: as a disk, or as the parent of one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use hyperv_host::{HostError, RestoreHost, TargetVm};

use super::existing_disk::open_beside;

/// The files of all disks of all VMs of a host, parents of differencing disks among them.
///
/// Paths are compared as this machine resolves them, so that two names of one file are one. The
/// parents of a disk that cannot be opened are not known; a host has the disks of a VM that runs,
/// and their parents, to itself.
pub(crate) struct FileUsers {
    /// The VMs' names and GUIDs by the file, or by a text where it cannot be found here.
    users: HashMap<PathBuf, Vec<(String, String)>>,
}

impl FileUsers {
    /// Asks a host.
    pub(crate) fn read(host: &dyn RestoreHost) -> Result<Self, HostError> {
        Ok(Self::of(host, &host.target()?.vms))
    }

    /// Looks into the disks of these VMs.
    pub(crate) fn of(host: &dyn RestoreHost, vms: &[TargetVm]) -> Self {
        let mut users: HashMap<PathBuf, Vec<(String, String)>> = HashMap::new();
        for vm in vms {
            for (_, leaf) in &vm.disks {
                let mut add = |file: PathBuf| {
                    let user = (vm.identity.clone(), vm.name.clone());
                    users.entry(file).or_default().push(user);
                };
                add(key(host, leaf));
                let image = host.local_path(leaf).ok();
                let image = image.and_then(|local| open_beside(&local).ok());
                for file in image.iter().flat_map(|image| image.chain()).skip(1) {
                    add(resolved(&file.path));
                }
            }
        }
        Self { users }
    }

    /// Returns the name of a VM that uses a file, `except` the one with this GUID.
    pub(crate) fn user_of(
        &self,
        host: &dyn RestoreHost,
        path: &str,
        except: Option<&str>,
    ) -> Option<&str> {
        let users = self.users.get(&key(host, path))?;
        let mut others = users.iter().filter(|(id, _)| Some(&**id) != except);
        others.next().map(|(_, name)| &**name)
    }
}

/// Says why a file is not removed; `None`: it may be, since no VM uses it.
pub(crate) fn why_it_stays(
    host: &dyn RestoreHost,
    users: &Result<FileUsers, HostError>,
    path: &str,
) -> Option<String> {
    let is_free = |users: &FileUsers| users.user_of(host, path, None).is_none();
    let is_free = users.as_ref().is_ok_and(is_free);
    (!is_free).then(|| format!("{path} stays: a VM uses it, or the host does not say"))
}

fn key(host: &dyn RestoreHost, path: &str) -> PathBuf {
    match host.local_path(path) {
        Ok(local) => resolved(&local),
        Err(_) => PathBuf::from(path.to_lowercase()),
    }
}

fn resolved(local: &Path) -> PathBuf {
    local.canonicalize().unwrap_or_else(|_| local.to_owned())
}
