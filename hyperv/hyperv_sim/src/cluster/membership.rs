//! What a node knows of its cluster while it does something, and how it reaches other nodes.

use std::path::PathBuf;
use std::time::Duration;

use uuid::Uuid;

use super::cluster_folder::node_dir;
use super::{ClusterFacts, NodeState};
use crate::host_folder::HostFolder;
use crate::host_state::HostState;
use crate::{SimError, SimErrorKind};

/// What a node knows of its cluster while it does something: the cluster's lock is held.
pub(crate) struct Membership {
    /// The folder of the cluster.
    pub(crate) dir: PathBuf,
    /// The generation of the cluster's folder that `facts` is.
    pub(crate) generation: u64,
    /// What the cluster knows. Change it through [`HostState::cluster_mut`].
    pub(crate) facts: ClusterFacts,
    /// `facts` is not on disk yet.
    pub(crate) changed: bool,
    /// VMs whose files are to go from a node's folder once `facts` is saved.
    pub(crate) stale: Vec<(String, Uuid)>,
}

impl Membership {
    pub(crate) fn new(dir: PathBuf, generation: u64, facts: ClusterFacts) -> Self {
        Self {
            dir,
            generation,
            facts,
            changed: false,
            stale: Vec::new(),
        }
    }
}

impl HostState {
    /// Returns what the cluster knows.
    ///
    /// Errors: `NotSupported` on a host that is no node.
    pub(crate) fn cluster(&self) -> Result<&ClusterFacts, SimError> {
        let membership = self.membership.as_deref();
        membership.map(|own| &own.facts).ok_or_else(no_cluster)
    }

    /// Returns what the cluster knows, to be changed; it will be saved.
    pub(crate) fn cluster_mut(&mut self) -> Result<&mut ClusterFacts, SimError> {
        let membership = self.membership.as_deref_mut().ok_or_else(no_cluster)?;
        membership.changed = true;
        Ok(&mut membership.facts)
    }

    /// Returns whether this host's WMI can be reached, as far as a cluster decides that.
    pub(crate) fn is_reachable_node(&self) -> bool {
        let membership = self.membership.as_deref();
        let node = membership.and_then(|own| own.facts.node(&self.facts.name).ok());
        node.is_none_or(|node| node.is_reachable && node.state != NodeState::Down)
    }

    /// Does something with a node: this one, or another one, whose folder is locked meanwhile. What
    /// is changed there is saved, also after an error.
    pub(crate) fn at_node<T>(
        &mut self,
        node: &str,
        work: impl FnOnce(&mut Self) -> Result<T, SimError>,
    ) -> Result<T, SimError> {
        let node = self.cluster()?.node(node)?.name.clone();
        if node == self.facts.name {
            return work(self);
        }
        let dir = self.membership.as_deref().ok_or_else(no_cluster)?;
        let folder = HostFolder::open(&node_dir(&dir.dir, &node))?;
        let locked = folder.lock()?;
        let record = locked.record()?;
        let mut peer = locked.load()?;
        peer.membership = self.membership.take();
        peer.forget_moved_vms();
        let behind = self.now.as_millisecond() - peer.now.as_millisecond();
        let behind = Duration::from_millis(u64::try_from(behind).unwrap_or(0));
        let result = peer
            .bury_dead_requesters()
            .and_then(|()| peer.pass(behind))
            .and_then(|()| work(&mut peer));
        let watched = peer.watch_roles();
        self.membership = peer.membership.take();
        locked.save(&mut peer, record.generation)?;
        let result = result?;
        watched.map(|()| result)
    }

    /// Takes from this node what other nodes own. Their files go with the cluster's next change.
    pub(crate) fn forget_moved_vms(&mut self) {
        let Some(membership) = self.membership.as_deref_mut() else {
            return;
        };
        let own = &self.facts.name;
        let owned_elsewhere = |id: &Uuid| {
            let role = membership.facts.roles.get(id);
            role.is_some_and(|role| role.owner != *own)
        };
        let moved: Vec<Uuid> = self.vms.keys().copied().filter(owned_elsewhere).collect();
        for id in moved {
            self.vms.remove(&id);
            self.unsaved.vms.remove(&id);
            self.next_due = None;
            membership.stale.push((own.clone(), id));
        }
    }
}

fn no_cluster() -> SimError {
    let what = "the host is no node of a simulated cluster";
    SimError::new(SimErrorKind::NotSupported, what)
}
