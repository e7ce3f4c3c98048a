//! How a cluster watches its VMs, and what it does when one does not run that should.

use uuid::Uuid;

use super::plans::PlannedWork;
use super::{ClusterEventKind, RoleState};
use crate::clock::later;
use crate::host_state::HostState;
use crate::{PowerState, SimError, TraceKind};

impl HostState {
    /// Compares the VMs of this node with what their roles want.
    pub(crate) fn watch_roles(&mut self) -> Result<(), SimError> {
        let Some(membership) = self.membership.as_deref() else {
            return Ok(());
        };
        let restarted = self.restarted_meanwhile()?;
        let facts = &membership.facts;
        let own = facts.roles.values();
        let own = own.filter(|role| role.owner == self.facts.name);
        let seen = own.map(|role| (role.vm, self.vms.get(&role.vm).map(|vm| vm.power)));
        // Most operations change nothing that a cluster looks at.
        let changed = |(vm, power): &(Uuid, Option<PowerState>)| {
            facts.roles.get(vm).is_some_and(|role| match power {
                Some(power) => *power != role.power,
                None => role.state == RoleState::Online,
            })
        };
        let changed: Vec<_> = seen.filter(changed).collect();
        for (vm, power) in changed {
            self.see_role(vm, power, restarted)?;
        }
        if restarted {
            let booted = self.facts.booted;
            let name = self.facts.name.clone();
            self.cluster_mut()?.node_mut(&name)?.booted = Some(booted);
        }
        Ok(())
    }

    /// Returns whether the node's Windows started anew since the cluster looked last.
    fn restarted_meanwhile(&self) -> Result<bool, SimError> {
        let node = self.cluster()?.node(&self.facts.name)?;
        Ok(node.booted != Some(self.facts.booted))
    }

    fn see_role(
        &mut self,
        vm: Uuid,
        power: Option<PowerState>,
        restarted: bool,
    ) -> Result<(), SimError> {
        let runs = power.is_some_and(PowerState::has_memory);
        let role = self.cluster_mut()?.role_mut(vm)?;
        role.power = power.unwrap_or(PowerState::Off);
        // Whatever stopped it for a moment is gone with its host.
        role.is_excused &= !restarted;
        match role.state {
            RoleState::Online if !runs && !role.is_excused => {
                role.state = RoleState::Failed;
                self.role_failed(vm, power, restarted)
            }
            // Who starts a VM that is offline brings its role online. Contract: 6 [M]
            RoleState::Offline | RoleState::Failed if runs => {
                role.state = RoleState::Online;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn role_failed(
        &mut self,
        vm: Uuid,
        power: Option<PowerState>,
        restarted: bool,
    ) -> Result<(), SimError> {
        let (now, node) = (self.now, self.facts.name.clone());
        let facts = self.cluster_mut()?;
        // Who loses power surprises nobody.
        if !restarted {
            let kind = ClusterEventKind::Surprise { power };
            facts.note(now, &node, Some(vm), kind);
            self.trace(Some(vm), TraceKind::ClusterSurprise);
        }
        let wait = self.cluster()?.rules.recovery_ms;
        let wait = i64::try_from(wait).unwrap_or(i64::MAX);
        if power.is_some() {
            self.plan(later(now, wait), vm, PlannedWork::Recover)?;
        }
        Ok(())
    }

    /// Starts a VM again whose role failed: where it is as long as the rules say so, else on the
    /// next node that takes it. A VM that runs again, or that no node takes, stays as it is.
    pub(crate) fn recover_role(&mut self, vm: Uuid) -> Result<(), SimError> {
        let facts = self.cluster()?;
        let Some(role) = facts.roles.get(&vm) else {
            return Ok(());
        };
        if role.state != RoleState::Failed {
            return Ok(());
        }
        let from = role.owner.clone();
        let is_up = facts.node(&from)?.state != super::NodeState::Down;
        let in_place = is_up && role.restarts < facts.rules.restarts_in_place;
        let successors = facts.successors(&from);
        let moved = !in_place && {
            let mut nodes = successors.iter();
            nodes.any(|node| self.move_vm(vm, node).is_ok())
        };
        if !moved && !is_up {
            return Ok(());
        }
        let now = self.now;
        let facts = self.cluster_mut()?;
        let role = facts.role_mut(vm)?;
        let owner = role.owner.clone();
        role.restarts = if moved { 0 } else { role.restarts + 1 };
        let kind = match moved {
            true => ClusterEventKind::FailedOver { from },
            false => ClusterEventKind::Restarted,
        };
        facts.note(now, &owner, Some(vm), kind);
        self.start_role(vm)
    }
}
