//! Who may make a volume snapshot of a shared volume, and when (contract 5.2).

use super::{ClusterEventKind, NodeState};
use crate::host_state::HostState;
use crate::{SimError, SimErrorKind};

/// `VSS_E_VOLUME_NOT_LOCAL`
const VOLUME_NOT_LOCAL: u32 = 0x8004_232D;
/// `ERROR_CLUSTER_BACKUP_IN_PROGRESS` (5949) as an HRESULT.
const BACKUP_IN_PROGRESS: u32 = 0x8007_173D;

impl HostState {
    /// Fails where this node may not make a snapshot of a volume now. `volume` is a path on it, or
    /// one of its names; what is on no shared volume is always allowed.
    ///
    /// Errors: `InvalidState` with `0x8004232D` away from the coordinator, `Conflict` with
    /// `0x8007173D` while another backup keeps a snapshot; both only where the rules say so.
    pub(crate) fn volume_snapshot_allowed(&self, volume: &str) -> Result<(), SimError> {
        let Some(membership) = self.membership.as_deref() else {
            return Ok(());
        };
        let facts = &membership.facts;
        let Some(volume) = facts.volume(volume) else {
            return Ok(());
        };
        if !facts.rules.snapshots_on_any_node && volume.coordinator != self.facts.name {
            let what = format!(
                "{} is not local: {} coordinates it",
                volume.mount(),
                volume.coordinator
            );
            return Err(SimError::new(SimErrorKind::InvalidState, what).with_code(VOLUME_NOT_LOCAL));
        }
        if !facts.rules.parallel_volume_backups && !volume.backups.is_empty() {
            let what = format!("another backup of {} goes on", volume.mount());
            return Err(SimError::new(SimErrorKind::Conflict, what).with_code(BACKUP_IN_PROGRESS));
        }
        Ok(())
    }

    /// Notes that a backup on this node keeps a snapshot of a volume from now on. Nothing happens
    /// for what is on no shared volume.
    ///
    /// Errors: as [`HostState::volume_snapshot_allowed`].
    pub(crate) fn begin_volume_backup(&mut self, volume: &str) -> Result<(), SimError> {
        self.volume_snapshot_allowed(volume)?;
        self.change_backups(volume, |backups, node| {
            backups.push(node.to_owned());
            true
        })
        .map(|_| ())
    }

    /// Notes that a backup on this node keeps no snapshot of a volume any more.
    pub(crate) fn end_volume_backup(&mut self, volume: &str) -> Result<(), SimError> {
        self.change_backups(volume, |backups, node| {
            let place = backups.iter().position(|own| own == node);
            place.is_some_and(|place| {
                backups.remove(place);
                true
            })
        })
        .map(|_| ())
    }

    fn change_backups(
        &mut self,
        volume: &str,
        change: impl FnOnce(&mut Vec<String>, &str) -> bool,
    ) -> Result<(), SimError> {
        let node = self.facts.name.clone();
        let now = self.now;
        let on_shared =
            (self.membership.as_deref()).is_some_and(|own| own.facts.volume(volume).is_some());
        if !on_shared {
            return Ok(());
        }
        let facts = self.cluster_mut()?;
        let own = facts.volumes.iter_mut().find(|own| own.holds(volume));
        let Some(own) = own else {
            return Ok(());
        };
        let before = own.backups.len();
        if change(&mut own.backups, &node) {
            let volume = own.name.clone();
            let kind = match own.backups.len() > before {
                true => ClusterEventKind::VolumeBackupBegan { volume },
                false => ClusterEventKind::VolumeBackupEnded { volume },
            };
            facts.note(now, &node, None, kind);
        }
        Ok(())
    }

    /// `MoveToNewHost`: lets another node coordinate a volume.
    pub(crate) fn move_volume(&mut self, volume: &str, node: &str) -> Result<(), SimError> {
        let now = self.now;
        let facts = self.cluster_mut()?;
        let target = facts.node(node)?;
        if target.state != NodeState::Up {
            let what = format!("the node {} is not up", target.name);
            return Err(SimError::new(SimErrorKind::InvalidState, what).with_code(5005));
        }
        let node = target.name.clone();
        let own = facts.volumes.iter_mut().find(|own| own.holds(volume));
        let own = own.ok_or_else(|| {
            let what = format!("the cluster has no volume {volume}");
            SimError::new(SimErrorKind::NotFound, what).with_code(5007)
        })?;
        own.coordinator.clone_from(&node);
        let volume = own.name.clone();
        facts.note(now, &node, None, ClusterEventKind::VolumeMoved { volume });
        Ok(())
    }
}
