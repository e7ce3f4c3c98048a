//! What a run will add to the repository, and whether that fits.

use capacity::{DiskRead, Estimate, Limit, Shortfall, Stored, estimate, shortfall};
use hyperv_host::{DiskPlan, FullReason};
use repository::{Catalog, PointKind, Repository, RepositoryError, RepositoryErrorKind, Settings};
use serde::Serialize;

use crate::PlannedVm;

/// What a run will add to the repository, and whether that fits.
#[derive(Debug, Clone, Serialize)]
pub struct Foreseen {
    /// One for each VM that will be backed up.
    pub vms: Vec<ForeseenVm>,
    /// What all of them add together, in bytes.
    pub added_bytes: u64,
    /// Size of the repository's packs, where there is a quota for that.
    pub used_bytes: Option<u64>,
    /// How much the repository may hold.
    pub quota_bytes: Option<u64>,
    /// How many bytes can still be written, where the store tells.
    pub free_bytes: Option<u64>,
    /// What the run does not fit into.
    pub shortfalls: Vec<Shortfall>,
}

/// What the backup of a VM will add.
#[derive(Debug, Clone, Serialize)]
pub struct ForeseenVm {
    /// The VM's name.
    pub vm: String,
    /// Its identity.
    pub identity: String,
    /// How much, and how that is known.
    #[serde(flatten)]
    pub estimate: Estimate,
}

/// Returns what each point of a catalog stored, as estimates and forecasts take it.
pub fn stored_by_points(catalog: &Catalog) -> Vec<Stored> {
    let points = catalog.points.iter().map(|point| &point.summary);
    let stored = points.map(|summary| Stored {
        vm: summary.vm.identity.clone(),
        time: summary.started,
        first: summary.kind == PointKind::Full,
        read_bytes: summary.statistics.read_bytes,
        stored_bytes: summary.statistics.stored_bytes,
    });
    stored.collect()
}

/// Estimates what a planned run will add, and says what it does not fit into. Nothing is written.
///
/// A host that only writes may not know the quotas; then there are none.
pub fn foresee(
    repository: &Repository,
    planned: &[PlannedVm],
) -> Result<Foreseen, RepositoryError> {
    let settings = match repository.settings() {
        Err(error) if error.kind() == RepositoryErrorKind::WriteOnly => Settings::default(),
        settings => settings?,
    };
    let stored = stored_by_points(&repository.catalog()?);
    let vms: Vec<ForeseenVm> = planned
        .iter()
        .filter(|vm| vm.plan.block().is_none())
        .map(|vm| {
            let disks: Vec<DiskRead> = vm.plan.disks.iter().map(disk_read).collect();
            ForeseenVm {
                vm: vm.vm.clone(),
                identity: vm.identity.clone(),
                estimate: estimate(&vm.identity, &disks, &stored),
            }
        })
        .collect();
    let bytes = vms.iter().map(|vm| vm.estimate.bytes);
    let added = bytes.fold(0, u64::saturating_add);
    let used = settings.quota_bytes.map(|_| repository.pack_bytes());
    let used = used.transpose()?;
    let free = repository.free_bytes()?;
    let mut shortfalls = Vec::new();
    if let (Some(quota), Some(used)) = (settings.quota_bytes, used) {
        shortfalls.extend(shortfall(Limit::Quota, used, added, quota));
    }
    if let Some(free) = free {
        shortfalls.extend(shortfall(Limit::FreeSpace, 0, added, free));
    }
    for vm in &vms {
        if let Some(quota) = settings.quota_vm_bytes.get(&vm.identity) {
            let own = stored.iter().filter(|own| own.vm == vm.identity);
            let used = own.map(|own| own.stored_bytes).fold(0, u64::saturating_add);
            let limit = Limit::VmQuota {
                vm: vm.identity.clone(),
            };
            shortfalls.extend(shortfall(limit, used, vm.estimate.bytes, *quota));
        }
    }
    Ok(Foreseen {
        vms,
        added_bytes: added,
        used_bytes: used,
        quota_bytes: settings.quota_bytes,
        free_bytes: free,
        shortfalls,
    })
}

fn disk_read(disk: &DiskPlan) -> DiskRead {
    match disk.full {
        Some(FullReason::FirstBackup | FullReason::NewDisk) => {
            DiskRead::First(disk.estimated_bytes)
        }
        Some(_) => DiskRead::Again(disk.estimated_bytes),
        None => DiskRead::Changed,
    }
}
