//! What happens in a cluster when its time has come.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::SimError;
use crate::host_state::HostState;

/// Something that happens when its time has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) at: Timestamp,
    pub(crate) vm: Uuid,
    pub(crate) what: PlannedWork,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PlannedWork {
    /// A person moves the VM to this node.
    Move(String),
    /// The cluster does something about a role that failed.
    Recover,
}

impl HostState {
    /// Does what has come due in the cluster, in order. A move that is not possible does not happen.
    pub(crate) fn do_plans(&mut self) -> Result<(), SimError> {
        if self.membership.is_none() {
            return Ok(());
        }
        loop {
            let now = self.now;
            let plans = &self.cluster()?.plans;
            let due = (0_usize..).zip(plans).filter(|(_, plan)| plan.at <= now);
            let Some((place, _)) = due.min_by_key(|(_, plan)| plan.at) else {
                return Ok(());
            };
            let plan = self.cluster_mut()?.plans.remove(place);
            match plan.what {
                PlannedWork::Move(node) => {
                    let _ = self.move_vm(plan.vm, &node);
                }
                PlannedWork::Recover => self.recover_role(plan.vm)?,
            }
        }
    }

    pub(crate) fn plan(
        &mut self,
        at: Timestamp,
        vm: Uuid,
        what: PlannedWork,
    ) -> Result<(), SimError> {
        self.cluster_mut()?.plans.push(Plan { at, vm, what });
        Ok(())
    }
}
