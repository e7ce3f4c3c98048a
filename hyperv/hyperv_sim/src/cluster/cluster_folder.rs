//! The folder of a cluster: its lock, what it knows, and where its nodes and their storage lie.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::{ClusterFacts, Membership};
use crate::folder_lock::{FolderLock, HeldLock, Record};
use crate::host_folder::{HostFolder, LockedFolder, read_json, write_json};
use crate::host_state::HostState;
use crate::{SimError, SimErrorKind};

const FACTS: &str = "cluster.json";
const NODES: &str = "nodes";

/// The folder of a cluster.
pub(crate) struct ClusterFolder {
    dir: PathBuf,
    lock: FolderLock,
}

/// The folder, locked against everybody else until this is dropped. Who holds it may lock nodes.
pub(crate) struct LockedCluster<'a> {
    folder: &'a ClusterFolder,
    lock: HeldLock<'a>,
}

impl ClusterFolder {
    /// Makes the folder of a new cluster; it is one once its facts are written.
    pub(crate) fn create(dir: &Path) -> Result<Self, SimError> {
        let failed = |error| SimError::io(dir.display(), error);
        fs::create_dir_all(dir).map_err(failed)?;
        if fs::read_dir(dir).map_err(failed)?.next().is_some() {
            let what = format!(
                "{} is not empty: a new cluster needs a folder of its own",
                dir.display()
            );
            return Err(SimError::new(SimErrorKind::Storage, what));
        }
        fs::create_dir_all(dir.join(NODES)).map_err(failed)?;
        fs::write(dir.join("lock"), "").map_err(failed)?;
        Self::open_locked(dir)
    }

    /// Opens the folder of a cluster.
    pub(crate) fn open(dir: &Path) -> Result<Self, SimError> {
        if !is_cluster(dir) {
            let what = format!("{} holds no simulated cluster", dir.display());
            return Err(SimError::new(SimErrorKind::Storage, what));
        }
        Self::open_locked(dir)
    }

    /// Opens the folder of the cluster that the host in a folder is a node of; `None`: of none.
    pub(crate) fn of_node(dir: &Path) -> Result<Option<Self>, SimError> {
        cluster_of(dir)
            .map(|dir| Self::open_locked(&dir))
            .transpose()
    }

    fn open_locked(dir: &Path) -> Result<Self, SimError> {
        Ok(Self {
            dir: dir.to_owned(),
            lock: FolderLock::open(dir, "simulated cluster")?,
        })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the folder of a node.
    pub(crate) fn node_dir(&self, node: &str) -> PathBuf {
        node_dir(&self.dir, node)
    }

    /// Waits for the cluster's lock.
    pub(crate) fn hold(&self) -> Result<LockedCluster<'_>, SimError> {
        Ok(LockedCluster {
            folder: self,
            lock: self.lock.hold()?,
        })
    }
}

impl LockedCluster<'_> {
    /// Writes what a new cluster knows.
    pub(crate) fn begin(&self, facts: &ClusterFacts, now: Timestamp) -> Result<(), SimError> {
        write_json(&self.folder.dir.join(FACTS), facts)?;
        self.lock.write(Record {
            generation: 1,
            now,
            drawn: 0,
        })
    }

    /// Reads what the cluster knows.
    pub(crate) fn facts(&self) -> Result<ClusterFacts, SimError> {
        read_json(&self.folder.dir.join(FACTS))
    }

    /// Tells a node what the cluster knows, and takes from it what other nodes own. Returns how far
    /// the node's clock is behind.
    pub(crate) fn join(
        &self,
        state: &mut HostState,
        known: Option<Membership>,
    ) -> Result<Duration, SimError> {
        let record = self.lock.record()?;
        let membership = match known {
            Some(known) if known.generation == record.generation => known,
            _ => Membership::new(self.folder.dir.clone(), record.generation, self.facts()?),
        };
        state.membership = Some(Box::new(membership));
        state.forget_moved_vms();
        let behind = record.now.as_millisecond() - state.now.as_millisecond();
        Ok(Duration::from_millis(u64::try_from(behind).unwrap_or(0)))
    }

    /// Takes back what a node changed of the cluster, and saves it. Returns the membership, and the
    /// generation of the node's folder where that changed once more.
    pub(crate) fn part(
        &self,
        state: &mut HostState,
        own: &LockedFolder<'_>,
    ) -> Result<(Option<Membership>, Option<u64>), SimError> {
        let Some(mut membership) = state.membership.take() else {
            return Ok((None, None));
        };
        let record = self.lock.record()?;
        if membership.changed {
            write_json(&self.folder.dir.join(FACTS), &membership.facts)?;
            membership.generation = record.generation + 1;
            membership.changed = false;
        }
        self.lock.write(Record {
            generation: membership.generation,
            now: record.now.max(state.now),
            drawn: 0,
        })?;
        // Only now does the cluster say that these are others'.
        let mut generation = None;
        for (node, vm) in std::mem::take(&mut membership.stale) {
            let role = membership.facts.roles.get(&vm);
            if role.is_some_and(|role| role.owner == node) {
                continue;
            }
            if node == state.facts.name {
                generation = Some(own.forget_vm(vm)?);
            } else {
                self.forget_vm(&node, vm)?;
            }
        }
        Ok((Some(*membership), generation))
    }

    fn forget_vm(&self, node: &str, vm: Uuid) -> Result<(), SimError> {
        let folder = HostFolder::open(&self.folder.node_dir(node))?;
        folder.lock()?.forget_vm(vm)?;
        Ok(())
    }
}

/// Returns the folder of a node.
pub(crate) fn node_dir(cluster: &Path, node: &str) -> PathBuf {
    cluster.join(NODES).join(node)
}

/// Returns whether a folder holds a cluster.
pub(crate) fn is_cluster(dir: &Path) -> bool {
    dir.join(FACTS).is_file()
}

/// Returns the folder of the cluster that the host in a folder is a node of.
fn cluster_of(dir: &Path) -> Option<PathBuf> {
    let dir = std::path::absolute(dir).ok()?;
    let nodes = dir.parent()?;
    let cluster = nodes.parent()?;
    let fits = nodes.file_name()? == NODES && is_cluster(cluster);
    fits.then(|| cluster.to_owned())
}

/// Returns the storage that the host in a folder shares with other nodes; `None`: it is no node.
pub(crate) fn shared_storage(dir: &Path) -> Option<PathBuf> {
    cluster_of(dir).map(|cluster| storage(&cluster))
}

/// Returns where the storage of a cluster lies.
pub(crate) fn storage(cluster: &Path) -> PathBuf {
    cluster.join("storage")
}
