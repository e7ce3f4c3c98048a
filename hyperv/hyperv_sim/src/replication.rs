//! Hyper-V Replica, as far as backup sees it.
//!
//! ```text
//!   plan      ├─applying─┤               ├─applying─┤
//!   clock     begins ──── every ────────►│
//! ```
//!
//! While a log is applied a backup of the VM is refused, with the words that Hyper-V has for it;
//! so it is in the states in which a replica cannot be backed up (contract 7).

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::later;
use crate::host_state::HostState;
use crate::{SimError, SimErrorKind, SimHost, TraceKind, Vm};

/// `ReplicationState` of a VM whose changes go to the other side.
const REPLICATING: u16 = 3;
/// `ReplicationState` of one whose replication is paused.
pub(crate) const SUSPENDED: u16 = 7;

/// `ReplicationMode`, `ReplicationState` and `ReplicationHealth` of a VM (contract 1.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replication {
    /// 0 none, 1 primary, 2 replica, 3 test replica, 4 extended replica.
    pub mode: u16,
    /// 0 disabled, 3 replicating, 7 suspended, 8 critical, 10 resynchronizing …
    pub state: u16,
    /// 0 not applicable, 1 OK, 2 warning, 3 critical.
    pub health: u16,
    /// The replica applies a log right now: a backup is refused (contract 7).
    pub applying_log: bool,
}

/// When logs of a replicated VM are sent and applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicationPlan {
    /// The first log.
    pub begins: Timestamp,
    /// How often a log comes.
    pub every: Duration,
    /// How long it takes to be applied.
    pub applying: Duration,
    /// When replication was paused; no log comes until it goes on.
    pub paused: Option<Timestamp>,
}

impl ReplicationPlan {
    /// Returns when the newest log came, as seen at `now`; `None`: none did.
    fn newest_log(&self, now: Timestamp) -> Option<Timestamp> {
        let now = self.paused.map_or(now, |paused| paused.min(now));
        let since = now
            .as_millisecond()
            .checked_sub(self.begins.as_millisecond());
        let since = since.filter(|since| *since >= 0)?;
        let every = millis(self.every).max(1);
        Some(later(self.begins, since / every * every))
    }

    /// Returns whether a log is being applied. One that has begun is applied to its end, also when
    /// replication is paused meanwhile.
    fn is_applying(&self, now: Timestamp) -> bool {
        let newest = self.newest_log(now);
        newest.is_some_and(|newest| now < later(newest, millis(self.applying)))
    }

    /// Returns when the newest log was applied that is by now.
    fn last_applied(&self, now: Timestamp) -> Option<Timestamp> {
        let newest = self.newest_log(now)?;
        let applied = later(newest, millis(self.applying));
        if applied <= now {
            return Some(applied);
        }
        let before = later(newest, millis(self.every).saturating_neg());
        (before >= self.begins).then(|| later(before, millis(self.applying)))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl SimHost {
    /// Lets logs of a VM come every so often from now on, each taking a while to be applied; `None`:
    /// not any more.
    pub fn plan_replication(
        &self,
        vm: Uuid,
        plan: Option<(Duration, Duration)>,
    ) -> Result<(), SimError> {
        self.act(|state| {
            let begins = state.now;
            state.vm_mut(vm)?.replication_plan = plan.map(|(every, applying)| ReplicationPlan {
                begins,
                every,
                applying,
                paused: None,
            });
            Ok(())
        })
    }

    /// Pauses replication of a VM, or lets it go on, as `RequestReplicationStateChange` does.
    pub fn pause_replication(&self, vm: Uuid, paused: bool) -> Result<(), SimError> {
        let wanted = if paused { SUSPENDED } else { REPLICATING };
        self.act(|state| state.change_replication(vm, wanted))
    }
}

impl HostState {
    /// `RequestReplicationStateChange`: 7 pauses, 3 lets it go on. Its parameters and values are
    /// documented; that state 3 resumes, and at once, is a guess. Contract: 1.1 [M]
    pub(crate) fn change_replication(&mut self, vm: Uuid, wanted: u16) -> Result<(), SimError> {
        let now = self.now;
        let owner = self.vm_mut(vm)?;
        let found = owner.replication;
        let name = owner.name.clone();
        let is_possible = matches!(
            (found.state, wanted),
            (REPLICATING, SUSPENDED) | (SUSPENDED, REPLICATING)
        );
        if found.mode == 0 || !is_possible {
            return Err(SimError::new(
                SimErrorKind::InvalidState,
                format!(
                    "replication of '{name}' cannot go from {} to {wanted}",
                    found.state
                ),
            ));
        }
        owner.replication.state = wanted;
        // What is just applied is applied to its end.
        owner.replication.applying_log = false;
        if let Some(plan) = &mut owner.replication_plan {
            match (wanted, plan.paused.take()) {
                (SUSPENDED, _) => plan.paused = Some(now),
                // What did not come meanwhile comes at once.
                _ => plan.begins = now,
            }
        }
        let kind = match wanted {
            SUSPENDED => TraceKind::ReplicationPaused,
            _ => TraceKind::ReplicationResumed,
        };
        self.trace(Some(vm), kind);
        Ok(())
    }
}

impl Vm {
    /// Returns whether replication stands in the way of a backup (contract 7).
    pub(crate) fn replication_is_in_the_way(&self, now: Timestamp) -> bool {
        let own = self.replication;
        let planned = self.replication_plan.as_ref();
        let is_applying =
            own.applying_log || own.mode != 0 && planned.is_some_and(|plan| plan.is_applying(now));
        let is_replica = matches!(own.mode, 2 | 4);
        is_applying || is_replica && (own.health == 3 || matches!(own.state, 2 | 8..=14))
    }

    /// Returns when the newest log came, and when the newest was applied.
    pub(crate) fn replication_times(
        &self,
        now: Timestamp,
    ) -> (Option<Timestamp>, Option<Timestamp>) {
        match &self.replication_plan {
            Some(plan) => (plan.newest_log(now), plan.last_applied(now)),
            None => (None, None),
        }
    }
}
