//! The newest points of many VMs, to one host.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use hyperv_host::RestoreHost;
use repository::{PointSummary, Repository, RestorePoint};

use super::host_path::part_of_name;
use super::planning::plan_host_restore;
use super::report::{HostRestoreFailure, HostRestoreObserver, HostRestoreReport};
use super::request::{Destination, HostRestoreRequest};
use crate::{NewestPoints, RestoreError};

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

/// Restores the newest point of each chosen VM, up to `at_once` at a time; one that fails does not
/// keep the others from theirs. Each is asked for as [`NewestPoints::request`] says.
pub fn restore_all_latest(
    repository: &Repository,
    host: &dyn RestoreHost,
    newest: &NewestPoints<'_>,
    request: &HostRestoreRequest,
    at_once: usize,
    observer: &dyn HostRestoreObserver,
) -> Vec<VmOutcome> {
    let chosen = newest.chosen();
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..at_once.clamp(1, AT_ONCE_MAX).min(chosen.len()) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(summary) = chosen.get(at) else {
                        return;
                    };
                    let request = newest.request(summary, request);
                    let result = restore_one(repository, host, &request, summary, observer);
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
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

impl NewestPoints<'_> {
    /// Returns what is asked for one of the VMs where `request` is asked for all: a folder of the
    /// host gets one for each VM in it.
    pub fn request(
        &self,
        summary: &PointSummary,
        request: &HostRestoreRequest,
    ) -> HostRestoreRequest {
        let mut request = request.clone();
        // What the host has of one VM must not be taken for what it has of another.
        request.run = format!("{}-{}", request.run, part_of_name(&summary.vm.identity));
        if let Destination::Folder(folder) = &mut request.destination {
            let name = self.folder_name(&summary.vm.identity);
            *folder = format!("{}\\{name}", folder.trim_end_matches('\\'));
        }
        request
    }

    /// Returns the name of a VM's folder among those of all VMs of the repository: the VM's own,
    /// with the beginning of its identity where another one has that already.
    fn folder_name(&self, identity: &str) -> String {
        let mut taken = HashSet::new();
        for summary in &self.all {
            let own = &summary.vm;
            let id = part_of_name(&own.identity);
            let name = part_of_name(&own.name);
            let beginning: String = id.chars().take(8).collect();
            // The last one is nobody else's, and a host does not tell names apart by case.
            let names = [
                name.clone(),
                format!("{name} ({beginning})"),
                format!("{name} ({id})"),
            ];
            let mut free = names
                .into_iter()
                .filter(|name| !taken.contains(&name.to_lowercase()));
            let name = free.next().unwrap_or(id);
            if own.identity == identity {
                return name;
            }
            taken.insert(name.to_lowercase());
        }
        part_of_name(identity)
    }
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
    let plan = plan_host_restore(repository, &point, host, request).map_err(nothing_done)?;
    plan.execute(host, observer)
}
