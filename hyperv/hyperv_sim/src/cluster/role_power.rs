//! Roles that are taken offline and brought online through the cluster.

use uuid::Uuid;

use super::{ClusterEventKind, NodeState, RoleState};
use crate::host_state::HostState;
use crate::{PowerState, SimError, SimErrorKind};

impl HostState {
    /// `TakeOffline`: what a VM's resource does then is to save the VM, as long as nobody chose
    /// another action. Contract: 6 [M]
    pub(crate) fn take_role_offline(&mut self, vm: Uuid) -> Result<(), SimError> {
        let role = self.role_of_running_node(vm)?;
        self.at_node(&role, |node| {
            if node.vm(vm)?.power.has_memory() {
                node.change_power(vm, PowerState::Saved)?;
            }
            let power = node.vm(vm)?.power;
            let role = node.cluster_mut()?.role_mut(vm)?;
            role.state = RoleState::Offline;
            role.power = power;
            Ok(())
        })?;
        self.note_role(vm, ClusterEventKind::TakenOffline)
    }

    /// `BringOnline`: starts a VM that is off, and resumes one that is saved.
    pub(crate) fn bring_role_online(&mut self, vm: Uuid) -> Result<(), SimError> {
        self.role_of_running_node(vm)?;
        self.start_role(vm)?;
        self.note_role(vm, ClusterEventKind::BroughtOnline)
    }

    /// Lets a VM run on the node that has it.
    pub(crate) fn start_role(&mut self, vm: Uuid) -> Result<(), SimError> {
        let owner = self.cluster()?.role(vm)?.owner.clone();
        self.at_node(&owner, |node| {
            if !node.vm(vm)?.power.has_memory() {
                node.change_power(vm, PowerState::Running)?;
            }
            let power = node.vm(vm)?.power;
            let role = node.cluster_mut()?.role_mut(vm)?;
            role.state = RoleState::Online;
            role.power = power;
            Ok(())
        })
    }

    /// The host's own writer may stop a VM for a moment, or may not any more: a VM that does not
    /// run then is a surprise again. For what saves a VM inside of a volume snapshot of hosts
    /// before 2012 R2. Does nothing for VMs that are no roles. Contract: 5.1 [M]
    pub(crate) fn excuse_role(&mut self, vm: Uuid, excused: bool) -> Result<(), SimError> {
        let is_role =
            (self.membership.as_deref()).is_some_and(|own| own.facts.roles.contains_key(&vm));
        if !is_role {
            return Ok(());
        }
        let power = self.vm(vm)?.power;
        let role = self.cluster_mut()?.role_mut(vm)?;
        role.is_excused = excused;
        // What was not noticed meanwhile is seen now.
        if !excused && role.state == RoleState::Online && !power.has_memory() {
            role.power = PowerState::Running;
        }
        Ok(())
    }

    fn note_role(&mut self, vm: Uuid, kind: ClusterEventKind) -> Result<(), SimError> {
        let now = self.now;
        let facts = self.cluster_mut()?;
        let owner = facts.role(vm)?.owner.clone();
        facts.note(now, &owner, Some(vm), kind);
        Ok(())
    }

    /// Returns the node that has a VM; it must run.
    fn role_of_running_node(&self, vm: Uuid) -> Result<String, SimError> {
        let facts = self.cluster()?;
        let owner = &facts.role(vm)?.owner;
        if facts.node(owner)?.state == NodeState::Down {
            // ERROR_CLUSTER_NODE_DOWN
            let what = format!("the node {owner} is down");
            return Err(SimError::new(SimErrorKind::InvalidState, what).with_code(5050));
        }
        Ok(owner.clone())
    }
}
