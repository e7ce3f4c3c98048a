//! Which VMs are roles of a cluster, and which nodes take part.

use uuid::Uuid;

use super::{ClusterEventKind, ClusterFacts, NodeState, Role, RoleState, functional_level};
use crate::host_state::HostState;
use crate::{Profile, SimError, SimErrorKind, VmSpec};

impl HostState {
    /// Says what a new VM is to be where it shall be a role: on shared storage, and of a version
    /// that the functional level allows.
    pub(crate) fn spec_in_cluster(&self, spec: &VmSpec) -> VmSpec {
        let mut spec = spec.clone();
        let Some(membership) = self.membership.as_deref().filter(|_| spec.is_clustered) else {
            return spec;
        };
        let facts = &membership.facts;
        if let (None, Some(volume)) = (&spec.folder, facts.volumes.first()) {
            let name = spec.name.replace(['\\', '/', ':'], "_");
            spec.folder = Some(format!("{}\\{name}", volume.mount()));
        }
        if spec.version.is_none() {
            spec.version = Some(vm_version(facts, self.facts.profile).to_owned());
        }
        spec
    }

    /// `AddVirtualMachine`: makes a role of a VM, by name or GUID, on whichever node it is.
    pub(crate) fn add_role_of(&mut self, name: &str) -> Result<Uuid, SimError> {
        let nodes = self.cluster()?.nodes.iter();
        let up = nodes.filter(|node| node.state != NodeState::Down);
        let up: Vec<String> = up.map(|node| node.name.clone()).collect();
        for node in up {
            let found = self.at_node(&node, |node| {
                let mut vms = node.vms.values();
                let found =
                    vms.find(|vm| vm.name == name || vm.id.to_string().eq_ignore_ascii_case(name));
                let Some(vm) = found.map(|vm| vm.id) else {
                    return Ok(None);
                };
                node.add_role(vm).map(|()| Some(vm))
            })?;
            if let Some(vm) = found {
                return Ok(vm);
            }
        }
        // ERROR_OBJECT_NOT_FOUND
        let what = format!("no node has a virtual machine '{name}'");
        Err(SimError::new(SimErrorKind::NotFound, what).with_code(4312))
    }

    /// Makes a role of a VM of this node.
    pub(crate) fn add_role(&mut self, vm: Uuid) -> Result<(), SimError> {
        let (now, owner) = (self.now, self.facts.name.clone());
        let own = self.vm_mut(vm)?;
        own.is_clustered = true;
        let (name, power) = (own.name.clone(), own.power);
        let facts = self.cluster_mut()?;
        if facts.roles.contains_key(&vm) {
            // ERROR_OBJECT_ALREADY_EXISTS
            let what = format!("'{name}' is a role already");
            return Err(SimError::new(SimErrorKind::InvalidState, what).with_code(5010));
        }
        let role = Role {
            vm,
            group: free_group(facts, &name),
            owner: owner.clone(),
            state: if power.has_memory() {
                RoleState::Online
            } else {
                RoleState::Offline
            },
            power,
            is_excused: false,
            restarts: 0,
        };
        facts.roles.insert(vm, role);
        facts.note(now, &owner, Some(vm), ClusterEventKind::RoleAdded);
        Ok(())
    }

    /// `DestroyGroup`: the VM stays on its node, and the cluster does not care for it any more.
    pub(crate) fn remove_role(&mut self, vm: Uuid) -> Result<(), SimError> {
        let owner = self.cluster()?.role(vm)?.owner.clone();
        self.at_node(&owner, |node| {
            if node.vms.contains_key(&vm) {
                node.vm_mut(vm)?.is_clustered = false;
            }
            Ok(())
        })?;
        let now = self.now;
        let facts = self.cluster_mut()?;
        facts.roles.remove(&vm);
        facts.note(now, &owner, Some(vm), ClusterEventKind::RoleRemoved);
        Ok(())
    }

    /// `UpdateVirtualMachine`: the cluster looks at a VM's configuration anew, which may have been
    /// registered again, under another name too.
    pub(crate) fn update_role(&mut self, vm: Uuid) -> Result<(), SimError> {
        let owner = self.cluster()?.role(vm)?.owner.clone();
        self.at_node(&owner, |node| {
            let own = node.vm_mut(vm)?;
            own.is_clustered = true;
            let (name, power) = (own.name.clone(), own.power);
            let facts = node.cluster_mut()?;
            let group = facts.role(vm)?.group.clone();
            let group = match group == name || group.starts_with(&format!("{name} (")) {
                true => group,
                false => free_group(facts, &name),
            };
            let role = facts.role_mut(vm)?;
            role.group = group;
            if role.state == RoleState::Failed {
                role.state = RoleState::Offline;
            }
            if power.has_memory() {
                role.state = RoleState::Online;
            }
            role.power = power;
            Ok(())
        })
    }

    /// Lets a node come up, go down as by a power cut, or take nothing new. What ran on a node that
    /// goes down is started on others.
    pub(crate) fn set_node_state(&mut self, node: &str, state: NodeState) -> Result<(), SimError> {
        let now = self.now;
        let facts = self.cluster_mut()?;
        let own = facts.node_mut(node)?;
        let node = own.name.clone();
        let was = std::mem::replace(&mut own.state, state);
        if was == state {
            return Ok(());
        }
        let kind = match state {
            NodeState::Up => ClusterEventKind::NodeUp,
            NodeState::Down => ClusterEventKind::NodeDown,
            NodeState::Paused => ClusterEventKind::NodePaused,
        };
        facts.note(now, &node, None, kind);
        match state {
            NodeState::Down => self.lose_node(&node),
            NodeState::Up => self.recover_failed(),
            NodeState::Paused => Ok(()),
        }
    }

    fn lose_node(&mut self, node: &str) -> Result<(), SimError> {
        let facts = self.cluster_mut()?;
        let successor = facts.successors(node).into_iter().next();
        for volume in &mut facts.volumes {
            volume.backups.retain(|own| own != node);
            if let (true, Some(successor)) = (volume.coordinator == node, &successor) {
                volume.coordinator.clone_from(successor);
            }
        }
        let own = facts.roles.values_mut().filter(|role| role.owner == node);
        let mut offline = Vec::new();
        for role in own {
            match role.state {
                RoleState::Offline => offline.push(role.vm),
                _ => role.state = RoleState::Failed,
            }
        }
        self.at_node(node, |node| node.crash(false))?;
        // What is offline moves, too, and stays offline; where no node takes it, it stays.
        for (vm, node) in offline.into_iter().zip(successor.iter().cycle()) {
            let _ = self.move_vm(vm, node);
        }
        self.recover_failed()
    }

    fn recover_failed(&mut self) -> Result<(), SimError> {
        let roles = self.cluster()?.roles.values();
        let failed = roles.filter(|role| role.state == RoleState::Failed);
        let failed: Vec<Uuid> = failed.map(|role| role.vm).collect();
        for vm in failed {
            self.recover_role(vm)?;
        }
        Ok(())
    }

    /// Lets the WMI of a node be reached from outside, or not: the cluster does not notice.
    pub(crate) fn set_node_reachable(
        &mut self,
        node: &str,
        reachable: bool,
    ) -> Result<(), SimError> {
        self.cluster_mut()?.node_mut(node)?.is_reachable = reachable;
        Ok(())
    }
}

/// Returns the version that new VMs get: what all nodes run. Contract: 6 [M]
fn vm_version(facts: &ClusterFacts, profile: Profile) -> &'static str {
    let of_level = Profile::ALL.into_iter();
    let of_level = of_level.filter(|own| functional_level(*own) <= facts.functional_level);
    let newest = of_level.max().unwrap_or(profile);
    newest.min(profile).vm_version()
}

/// Returns the name of a new group. That a second one gets a number is a guess. Contract: 6 [M]
fn free_group(facts: &ClusterFacts, name: &str) -> String {
    let is_free = |name: &String| !facts.roles.values().any(|role| role.group == *name);
    let numbered = (2_u64..).map(|number| format!("{name} ({number})"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    names.find(is_free).unwrap_or_else(|| name.to_owned())
}
