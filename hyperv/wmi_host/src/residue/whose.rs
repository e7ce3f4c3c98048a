//! Whose an entry is.
//!
//! One folder serves all hosts, and a VM's GUID is no proof: Hyper-V Replica gives the replica the
//! GUID of its primary. What a run owes to the one is never given to the other.

use std::sync::Arc;

use uuid::Uuid;

use crate::WmiHost;
use crate::backup::checkpoint::marked_name;
use crate::cluster::{Whereabouts, is_node};
use crate::facts::{HostState, VmFacts};
use crate::journal::JournalEntry;

/// The host that asks.
pub(crate) struct Asker {
    computer: String,
    /// The nodes of its cluster, itself among them.
    nodes: Vec<String>,
    /// VMs that are other nodes' to look after.
    clustered: Vec<Uuid>,
    session: String,
    places: Arc<dyn Whereabouts>,
}

impl Asker {
    pub(crate) fn new(host: &WmiHost, state: &HostState) -> Self {
        let cluster = state.cluster.as_ref();
        let nodes = cluster.map_or(&[][..], |cluster| &cluster.nodes);
        let vms = cluster.filter(|_| host.is_node());
        let vms = vms.map_or(&[][..], |cluster| &cluster.vms);
        Self {
            computer: state.computer.clone(),
            nodes: nodes.iter().map(|node| node.name.clone()).collect(),
            clustered: vms.iter().map(|vm| vm.id).collect(),
            session: host.session.host().to_owned(),
            places: host.whereabouts(),
        }
    }

    /// Returns the host's own name for itself, for its entries.
    pub(crate) fn computer(&self) -> &str {
        &self.computer
    }

    /// Returns whether an entry is the host's to settle. `vm`: the VM of that GUID, where the host
    /// has one.
    ///
    /// It is where its run was on this computer, or on another node of its cluster, by the names
    /// that the computers have for themselves. Between hosts that are in no cluster a VM moves with
    /// what was made of it: then that is there, and proves it.
    pub(crate) fn owns(&self, entry: &JournalEntry, vm: Option<&VmFacts>) -> bool {
        // What a restore makes stays where it is until it is a VM.
        if entry.restore.is_some() {
            return self.is_here(entry);
        }
        match vm {
            Some(vm) => self.is_among(entry) || came_along(entry, vm),
            // What was left on a VM that has moved is the new node's to settle.
            None => self.is_here(entry) && !self.clustered.contains(&entry.vm),
        }
    }

    fn is_here(&self, entry: &JournalEntry) -> bool {
        if entry.computer.is_empty() || self.computer.is_empty() {
            return entry.host.eq_ignore_ascii_case(&self.session);
        }
        entry.computer.eq_ignore_ascii_case(&self.computer)
    }

    fn is_among(&self, entry: &JournalEntry) -> bool {
        if entry.computer.is_empty() || self.computer.is_empty() {
            return self.places.has_host(&entry.host);
        }
        let mut nodes = self.nodes.iter();
        self.is_here(entry) || nodes.any(|node| is_node(node, &entry.computer))
    }
}

/// Returns whether the VM has what an entry names: by its id, or by the name that only the entry's
/// run gives.
fn came_along(entry: &JournalEntry, vm: &VmFacts) -> bool {
    let marked = marked_name(&entry.run);
    let id = entry.snapshot.as_deref().unwrap_or_default();
    let mut snapshots = vm.recovery_snapshots();
    let point = entry.reference_point.as_deref().unwrap_or_default();
    snapshots.any(|own| own.settings.instance_id.eq_ignore_ascii_case(id) || own.name == marked)
        || vm.reference_point(point).is_some()
}
