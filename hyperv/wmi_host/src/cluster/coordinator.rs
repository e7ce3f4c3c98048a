//! Who makes the snapshots of a cluster shared volume (contract 5.2).
//!
//! Each node makes them, unless the volume says that it is not local: then its coordinator does, and
//! what was snapped is read there. The VM itself is still the owner's. A writer that knows only its
//! own node's VMs cannot freeze it from there; a VM that is saved needs no writer.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use hyperv_host::{
    BackupRequest, DiskKind, Finding, FrozenVm, HostError, HostErrorKind, HypervHost as _,
    PreviousBackup, Severity, StepObserver, VmEntry,
};
use vss::{VssError, VssErrorKind};

use super::nodes::{Nodes, is_node};
use super::storage_path::StoragePath;
use crate::WmiHost;
use crate::backup::patience::Tries;
use crate::facts::{SharedVolume, shared_volumes};

/// `ERROR_CLUSTER_BACKUP_IN_PROGRESS` (5949) as an HRESULT.
const BACKUP_IN_PROGRESS: u32 = 0x8007_173D;
/// What a failure says where a writer does not know the VM.
const NO_COMPONENT: &str = "the Hyper-V VSS writer has no component for the VM";
/// Pauses are cut into pieces of this length, so that a person can stop the run.
const PIECE: Duration = Duration::from_secs(5);

/// What a backup of a VM is asked for.
pub(super) struct Begin<'a> {
    pub(super) nodes: &'a Nodes,
    pub(super) vm: &'a VmEntry,
    pub(super) request: &'a BackupRequest,
    pub(super) previous: Option<&'a PreviousBackup>,
    pub(super) observer: &'a dyn StepObserver,
}

impl Begin<'_> {
    /// Begins on the node that has the VM; where snapshots of its volume are made elsewhere, with
    /// those of the coordinator. Waits for other backups of the volume as the request says.
    pub(super) fn run(
        &self,
        node: &str,
        host: &Arc<WmiHost>,
    ) -> Result<Box<dyn FrozenVm>, HostError> {
        let mut tries = Tries::new(self.request.retry);
        loop {
            let begun = host.begin_backup(self.vm, self.request, self.previous, self.observer);
            let error = match begun {
                Err(error) if is_not_local(&error) => match self.at_coordinator(node, host) {
                    Ok(frozen) => return Ok(frozen),
                    Err(error) => error,
                },
                other => match other {
                    Ok(frozen) => return Ok(frozen),
                    Err(error) => error,
                },
            };
            if !is_in_backup(&error) {
                return Err(error);
            }
            let Some(pause) = tries.next_pause() else {
                return Err(error);
            };
            self.observer
                .step("waiting: another backup is at the VM's volume");
            let mut left = pause;
            while !left.is_zero() && !self.observer.cancelled() {
                let piece = left.min(PIECE);
                host.clock.wait(piece);
                left -= piece;
            }
        }
    }

    /// Begins with the snapshots, and the files, that the volume's coordinator has.
    fn at_coordinator(
        &self,
        node: &str,
        owner: &Arc<WmiHost>,
    ) -> Result<Box<dyn FrozenVm>, HostError> {
        let volume = self.volume()?;
        let name = volume.coordinator.as_deref().unwrap_or("no node");
        let elsewhere = |why: &str| {
            let text = format!(
                "snapshots of {} are made on {name}, which coordinates it, and the VM is on \
                 {node}: {why}",
                volume.mount
            );
            let cure = format!(
                "let the VM's node coordinate the volume (Move-ClusterSharedVolume), move the VM \
                 to {name}, or run lifeboat on {name} as well; --mode cbt and --mode standard need \
                 no snapshot of the volume since Windows Server 2016"
            );
            let finding = Finding::new("HOST-CSV-ELSEWHERE", Severity::Info, text);
            HostError::blocked(&finding.cure(cure))
        };
        if is_node(name, node) {
            return Err(elsewhere(
                "the node says that the volume is not local all the same",
            ));
        }
        if !self.is_all_shared() {
            return Err(elsewhere("some of its disks are on the node's own volumes"));
        }
        let coordinator = self.nodes.host(name);
        let coordinator = coordinator.map_err(|error| elsewhere(&error.to_string()))?;
        let Some(host) = owner.with_snapshots_of(&coordinator) else {
            return Err(elsewhere(
                "its Volume Shadow Copy Service cannot be reached from here",
            ));
        };
        self.observer.step(&format!(
            "making snapshots on {name}, which coordinates the volume"
        ));
        let begun = host.begin_backup(self.vm, self.request, self.previous, self.observer);
        begun.map_err(|error| match is_of_place(&error) {
            true => elsewhere(&error.to_string()),
            false => error,
        })
    }

    /// Returns the shared volume that the VM's disks are on.
    fn volume(&self) -> Result<SharedVolume, HostError> {
        let volumes = self
            .nodes
            .ask("reading the cluster's volumes", shared_volumes)?;
        let disks = self.vm.disks.iter();
        let on = disks.map(|disk| StoragePath::of(&disk.path));
        let mounts: Vec<String> = on
            .filter_map(|place| match place {
                StoragePath::SharedVolume(mount) => Some(mount),
                _ => None,
            })
            .collect();
        let mut found = volumes
            .into_iter()
            .filter(|volume| mounts.contains(&volume.mount.to_lowercase()));
        found.next().ok_or_else(|| {
            let text = format!(
                "the VM {} is on no shared volume of the cluster",
                self.vm.name
            );
            HostError::new(HostErrorKind::Refused, text)
        })
    }

    fn is_all_shared(&self) -> bool {
        let disks = self.vm.disks.iter();
        let mut virtual_disks = disks.filter(|disk| disk.kind == DiskKind::Virtual);
        virtual_disks.all(|disk| StoragePath::of(&disk.path).is_shared())
    }
}

/// Returns the error of the service that a failure comes from.
fn cause(error: &HostError) -> Option<&VssError> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<VssError>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn is_not_local(error: &HostError) -> bool {
    cause(error).is_some_and(|cause| cause.kind() == VssErrorKind::NotLocal)
}

/// Returns whether a failure of the coordinator comes from the VM being on another node: the volume
/// is not its to snap after all, or its writer does not know the VM. Room, consistency and the like
/// have kinds and cures of their own.
fn is_of_place(error: &HostError) -> bool {
    let knows_not = error.to_string().contains(NO_COMPONENT);
    let kind = cause(error).map(VssError::kind);
    knows_not || matches!(kind, Some(VssErrorKind::NotLocal | VssErrorKind::NotFound))
}

fn is_in_backup(error: &HostError) -> bool {
    cause(error).is_some_and(|cause| cause.code() == Some(BACKUP_IN_PROGRESS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_other_nodes_snapshots_fail_of_keeps_its_kind_unless_it_is_the_place() {
        for kind in [HostErrorKind::NoRoom, HostErrorKind::Busy] {
            assert!(!is_of_place(&HostError::new(kind, "the volume is full")));
        }
        let text = format!("HV1: {NO_COMPONENT} vm");
        assert!(is_of_place(&HostError::new(HostErrorKind::Refused, text)));
        let not_local = VssError::new(VssErrorKind::NotLocal, vss::VssStep::AddVolume, "not here");
        let error = HostError::new(HostErrorKind::Refused, "HV1: no").caused_by(not_local);
        assert!(is_of_place(&error));
    }
}
