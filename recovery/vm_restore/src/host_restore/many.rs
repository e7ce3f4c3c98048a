//! The newest point of each VM, to one host.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use hyperv_host::RestoreHost;
use repository::{PointSummary, Repository, RestorePoint};

use super::host_path::part_of_name;
use super::planning::plan_host_restore;
use super::report::{HostRestoreFailure, HostRestoreObserver, HostRestoreReport};
use super::request::{Destination, HostRestoreRequest};
use crate::RestoreError;

/// The most VMs that are restored at once.
const AT_ONCE_MAX: usize = 16;

/// What became of one VM.
#[derive(Debug)]
pub struct VmOutcome {
    /// Its identity in its points.
    pub identity: String,
    /// Its name.
    pub name: String,
    /// Id of the point.
    pub point: String,
    /// What was done, or why it was not.
    pub result: Result<HostRestoreReport, HostRestoreFailure>,
}

/// Restores the newest point of each VM, up to `at_once` at a time; one that fails does not keep
/// the others from theirs. The request is each VM's: a folder gets one for each VM in it.
///
/// # Errors
///
/// `Failed` where the points cannot be listed.
pub fn restore_all_latest(
    repository: &Repository,
    host: &dyn RestoreHost,
    request: &HostRestoreRequest,
    at_once: usize,
    observer: &dyn HostRestoreObserver,
) -> Result<Vec<VmOutcome>, RestoreError> {
    let catalog = repository.catalog().map_err(|error| {
        RestoreError::new("cannot list the restore points".to_owned(), error.into())
    })?;
    let vms = catalog.vms();
    let newest = vms.iter().filter_map(|(identity, _)| {
        let points = catalog.of_vm(identity).map(|point| &point.summary);
        points.max_by_key(|summary| summary.started)
    });
    let newest: Vec<&PointSummary> = newest.collect();
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..at_once.clamp(1, AT_ONCE_MAX).min(newest.len()) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(summary) = newest.get(at) else {
                        return;
                    };
                    let result = restore_one(repository, host, request, summary, observer);
                    let outcome = VmOutcome {
                        identity: summary.vm.identity.clone(),
                        name: summary.vm.name.clone(),
                        point: summary.id.clone(),
                        result,
                    };
                    let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                    outcomes.push((at, outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|(at, _)| *at);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

fn restore_one(
    repository: &Repository,
    host: &dyn RestoreHost,
    request: &HostRestoreRequest,
    summary: &PointSummary,
    observer: &dyn HostRestoreObserver,
) -> Result<HostRestoreReport, HostRestoreFailure> {
    let nothing_done = |error| HostRestoreFailure {
        error,
        undone: Vec::new(),
        left: Vec::new(),
        can_go_on: false,
    };
    if observer.cancelled() {
        let what = format!("{} was not restored", summary.vm.name);
        return Err(nothing_done(RestoreError::new(what, "cancelled".into())));
    }
    let point: RestorePoint = repository.point_of(summary).map_err(|error| {
        let what = format!("cannot read point {} of {}", summary.id, summary.vm.name);
        nothing_done(RestoreError::new(what, error.into()))
    })?;
    let mut request = request.clone();
    // What the host has of one VM must not be taken for what it has of another.
    request.run = format!("{}-{}", request.run, part_of_name(&point.vm.identity));
    if let Destination::Folder(folder) = &mut request.destination {
        let name = part_of_name(&point.vm.name);
        *folder = format!("{}\\{name}", folder.trim_end_matches('\\'));
    }
    let plan = plan_host_restore(repository, &point, host, &request).map_err(nothing_done)?;
    plan.execute(host, observer)
}
