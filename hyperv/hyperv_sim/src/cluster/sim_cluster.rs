//! A simulated cluster in a folder.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::cluster_folder::{is_cluster, storage};
use super::plans::PlannedWork;
use super::{
    ClusterEvent, ClusterEventKind, ClusterFacts, ClusterFolder, ClusterNode, ClusterOptions,
    ClusterRules, NodeState, SharedVolume, functional_level,
};
use crate::clock::later;
use crate::drive::share_folder;
use crate::guid::seeded_guid;
use crate::host_state::HostState;
use crate::{SimError, SimErrorKind, SimHost, SimOptions, VmSpec};

/// Size of a new shared volume: 1 TiB.
const VOLUME_BYTES: u64 = 1 << 40;
/// GUIDs of volumes are counted from here, far from those that nodes draw.
const VOLUME_GUIDS: u64 = 1 << 60;

/// A cluster that does not exist, in a folder that does: see [`SimCluster::create`].
///
/// Several threads and several programs may use it at once, also through the hosts that its nodes
/// are.
pub struct SimCluster {
    folder: ClusterFolder,
    name: String,
    nodes: Vec<(String, Arc<SimHost>)>,
}

impl SimCluster {
    /// Makes a new cluster in a folder that is empty or not there.
    pub fn create(dir: &Path, options: ClusterOptions) -> Result<Self, SimError> {
        let mut facts = new_facts(&options)?;
        let folder = ClusterFolder::create(dir)?;
        let mut now = None;
        for (number, node) in (1_u64..).zip(&mut facts.nodes) {
            let host = SimOptions {
                profile: node.profile,
                host_name: node.name.clone(),
                seed: options.seed.wrapping_add(number.wrapping_mul(0x9E37_79B9)),
            };
            let host = SimHost::create(&folder.node_dir(&node.name), host)?;
            node.booted = Some(host.look(|state| Ok(state.facts.booted))?);
            now = Some(host.now()?);
        }
        let storage = storage(dir);
        let volumes = facts.volumes.iter();
        let volumes = volumes.map(|volume| storage.join("volumes").join(&volume.name));
        let shares = facts
            .shares
            .iter()
            .map(|share| share_folder(&storage, share));
        for place in volumes.map(Some).chain(shares) {
            let place = place.ok_or_else(|| wrong("a share is written like \\\\nas\\vm"))?;
            fs::create_dir_all(&place).map_err(|error| SimError::io(place.display(), error))?;
        }
        let now = now.ok_or_else(|| wrong("a cluster has at least one node"))?;
        folder.hold()?.begin(&facts, now)?;
        Self::open(dir)
    }

    /// Opens a cluster.
    pub fn open(dir: &Path) -> Result<Self, SimError> {
        let folder = ClusterFolder::open(dir)?;
        let facts = folder.hold()?.facts()?;
        let open = |node: &ClusterNode| {
            let host = SimHost::open(&folder.node_dir(&node.name))?;
            Ok((node.name.clone(), Arc::new(host)))
        };
        let nodes = facts
            .nodes
            .iter()
            .map(open)
            .collect::<Result<_, SimError>>()?;
        Ok(Self {
            name: facts.name,
            nodes,
            folder,
        })
    }

    /// Returns whether a folder holds a cluster.
    pub fn is_in(dir: &Path) -> bool {
        is_cluster(dir)
    }

    /// Returns the folder.
    pub fn dir(&self) -> &Path {
        self.folder.dir()
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Lists the nodes, in their order.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &Arc<SimHost>)> {
        self.nodes.iter().map(|(name, host)| (name.as_str(), host))
    }

    /// Returns a node, whatever the case of its name.
    ///
    /// Errors: `NotFound`.
    pub fn node(&self, name: &str) -> Result<Arc<SimHost>, SimError> {
        let mut nodes = self.nodes.iter();
        let found = nodes.find(|(own, _)| own.eq_ignore_ascii_case(name));
        let found = found.map(|(_, host)| Arc::clone(host));
        found.ok_or_else(|| {
            let what = format!("the cluster {} has no node {name}", self.name);
            SimError::new(SimErrorKind::NotFound, what)
        })
    }

    /// Does something with the cluster, by way of its first node.
    fn act<T>(
        &self,
        work: impl FnOnce(&mut HostState) -> Result<T, SimError>,
    ) -> Result<T, SimError> {
        let (_, host) = self
            .nodes
            .first()
            .ok_or_else(|| wrong("there is no node"))?;
        host.act(work)
    }

    /// Returns what the cluster knows.
    pub fn facts(&self) -> Result<ClusterFacts, SimError> {
        self.act(|state| state.cluster().cloned())
    }

    /// Changes how the cluster behaves.
    pub fn change_rules(&self, change: impl FnOnce(&mut ClusterRules)) -> Result<(), SimError> {
        self.act(|state| {
            change(&mut state.cluster_mut()?.rules);
            Ok(())
        })
    }

    /// Adds a VM on a node as a role of the cluster; returns its GUID. Its files are on the first
    /// shared volume unless the description names a folder.
    pub fn add_vm(&self, node: &str, spec: &VmSpec) -> Result<Uuid, SimError> {
        let mut spec = spec.clone();
        spec.is_clustered = true;
        self.node(node)?.add_vm(&spec)
    }

    /// Makes a role of a VM, by name or GUID, that a node has already.
    pub fn add_role(&self, vm: &str) -> Result<Uuid, SimError> {
        self.act(|state| state.add_role_of(vm))
    }

    /// Takes a VM out of the cluster; it stays on its node.
    pub fn remove_role(&self, vm: Uuid) -> Result<(), SimError> {
        self.act(|state| state.remove_role(vm))
    }

    /// Finds a VM of the cluster by the name of its group, or its GUID.
    ///
    /// Errors: `NotFound`.
    pub fn find_vm(&self, name: &str) -> Result<Uuid, SimError> {
        self.act(|state| {
            let mut roles = state.cluster()?.roles.values();
            let found = roles
                .find(|role| role.group == name || role.vm.to_string().eq_ignore_ascii_case(name));
            found.map(|role| role.vm).ok_or_else(|| {
                let what = format!("the cluster has no virtual machine '{name}'");
                SimError::new(SimErrorKind::NotFound, what)
            })
        })
    }

    /// Returns the node that has a VM.
    pub fn owner(&self, vm: Uuid) -> Result<String, SimError> {
        self.act(|state| Ok(state.cluster()?.role(vm)?.owner.clone()))
    }

    /// Returns the host that has a VM.
    pub fn owner_host(&self, vm: Uuid) -> Result<Arc<SimHost>, SimError> {
        self.node(&self.owner(vm)?)
    }

    /// Moves a VM to another node, as it is.
    pub fn move_vm(&self, vm: Uuid, node: &str) -> Result<(), SimError> {
        self.act(|state| state.move_vm(vm, node))
    }

    /// Lets a VM move to another node once the clock has moved so far. To let one move when
    /// something is called, plan the fault `CALL vm=NAME moves=NODE` on its node.
    pub fn plan_move(&self, vm: Uuid, node: &str, after: Duration) -> Result<(), SimError> {
        self.act(|state| {
            let millis = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
            let node = state.cluster()?.node(node)?.name.clone();
            state.cluster()?.role(vm)?;
            state.plan(later(state.now, millis), vm, PlannedWork::Move(node))
        })
    }

    /// Takes a VM's resource offline: the VM is saved.
    pub fn take_offline(&self, vm: Uuid) -> Result<(), SimError> {
        self.act(|state| state.take_role_offline(vm))
    }

    /// Brings a VM's resource online: the VM runs.
    pub fn bring_online(&self, vm: Uuid) -> Result<(), SimError> {
        self.act(|state| state.bring_role_online(vm))
    }

    /// Lets the host's own backup stop a VM for a moment, which is no surprise then, or not any
    /// more.
    pub fn excuse(&self, vm: Uuid, excused: bool) -> Result<(), SimError> {
        self.owner_host(vm)?
            .act(|state| state.excuse_role(vm, excused))
    }

    /// Lets a node come up, go down as by a power cut, or take nothing new.
    pub fn set_node(&self, node: &str, state: NodeState) -> Result<(), SimError> {
        self.act(|host| host.set_node_state(node, state))
    }

    /// Lets the WMI of a node be reached from outside, or not. The cluster does not notice.
    pub fn set_reachable(&self, node: &str, reachable: bool) -> Result<(), SimError> {
        self.act(|state| state.set_node_reachable(node, reachable))
    }

    /// Lets another node coordinate a shared volume.
    pub fn move_volume(&self, volume: &str, node: &str) -> Result<(), SimError> {
        self.act(|state| state.move_volume(volume, node))
    }

    /// Fails where a node may not make a snapshot of a volume now. `volume` is a path on it, or
    /// one of its names.
    ///
    /// Errors: `InvalidState` with `0x8004232D` away from the coordinator, `Conflict` with
    /// `0x8007173D` while another backup keeps a snapshot; both only where the rules say so.
    pub fn csv_snapshot_allowed(&self, node: &str, volume: &str) -> Result<(), SimError> {
        self.node(node)?
            .look(|state| state.volume_snapshot_allowed(volume))
    }

    /// Notes that a backup on a node keeps a snapshot of a volume from now on.
    ///
    /// Errors: as [`SimCluster::csv_snapshot_allowed`].
    pub fn begin_csv_backup(&self, node: &str, volume: &str) -> Result<(), SimError> {
        self.node(node)?
            .act(|state| state.begin_volume_backup(volume))
    }

    /// Notes that a backup on a node keeps no snapshot of a volume any more.
    pub fn end_csv_backup(&self, node: &str, volume: &str) -> Result<(), SimError> {
        self.node(node)?
            .act(|state| state.end_volume_backup(volume))
    }

    /// Lists what happened, oldest first.
    pub fn events(&self) -> Result<Vec<ClusterEvent>, SimError> {
        Ok(self.facts()?.events)
    }

    /// Lists the events of VMs that should run and did not, without the cluster having stopped
    /// them.
    pub fn surprises(&self) -> Result<Vec<ClusterEvent>, SimError> {
        let mut events = self.events()?;
        events.retain(|event| matches!(event.kind, ClusterEventKind::Surprise { .. }));
        Ok(events)
    }

    /// Moves the clock of all nodes.
    pub fn advance(&self, duration: Duration) -> Result<(), SimError> {
        self.act(|state| state.pass(duration))?;
        self.catch_up()
    }

    /// Moves the clock until no job and no merge is pending on any node.
    ///
    /// Errors: as [`SimHost::settle`].
    pub fn settle(&self) -> Result<(), SimError> {
        for (_, host) in &self.nodes {
            host.settle()?;
        }
        self.catch_up()
    }

    /// Lets every node do what has come due meanwhile.
    fn catch_up(&self) -> Result<(), SimError> {
        self.nodes
            .iter()
            .try_for_each(|(_, host)| host.look(|_| Ok(())))
    }
}

fn new_facts(options: &ClusterOptions) -> Result<ClusterFacts, SimError> {
    let plain = |character: char| character.is_ascii_alphanumeric() || character == '-';
    let mut names: Vec<String> = Vec::new();
    for node in &options.nodes {
        let name = node.name.to_ascii_uppercase();
        if name.is_empty() || !name.chars().all(plain) || names.contains(&name) {
            let what = format!("{:?} cannot be the name of a node here", node.name);
            return Err(wrong(&what));
        }
        names.push(name);
    }
    let first = options.nodes.first();
    let first = first.ok_or_else(|| wrong("a cluster has at least one node"))?;
    let oldest = options.nodes.iter().map(|node| node.profile).min();
    let oldest = functional_level(oldest.unwrap_or(first.profile));
    if let Some(name) = options.volumes.iter().find(|name| !name.chars().all(plain)) {
        return Err(wrong(&format!(
            "{name:?} cannot be the name of a volume here"
        )));
    }
    let volumes = (VOLUME_GUIDS..).zip(options.volumes.iter().zip(options.nodes.iter().cycle()));
    Ok(ClusterFacts {
        name: options.name.clone(),
        functional_level: options.functional_level.unwrap_or(oldest).min(oldest),
        s2d: options.s2d,
        rules: options.rules.clone(),
        nodes: (options.nodes.iter())
            .map(|node| ClusterNode {
                name: node.name.clone(),
                profile: node.profile,
                state: NodeState::Up,
                is_reachable: true,
                booted: None,
            })
            .collect(),
        volumes: volumes
            .map(|(number, (name, node))| SharedVolume {
                name: name.clone(),
                id: seeded_guid(options.seed, number),
                coordinator: node.name.clone(),
                capacity_bytes: VOLUME_BYTES,
                backups: Vec::new(),
                fault_state: 0,
            })
            .collect(),
        shares: options.shares.clone(),
        roles: std::collections::BTreeMap::new(),
        plans: Vec::new(),
        events: Vec::new(),
    })
}

fn wrong(what: &str) -> SimError {
    SimError::new(SimErrorKind::InvalidParameter, what)
}
