//! A run: one VM after the other.

use hyperv_host::{HypervHost, VmEntry};
use jiff::Timestamp;
use repository::{Repository, RepositoryError, RepositoryErrorKind, StreamStatistics};

use crate::vm_backup::VmBackup;
use crate::{Outcome, RunEvent, RunFailure, RunItem, RunObserver, RunReport};

/// How a run goes about it.
#[derive(Debug, Clone, Default)]
pub struct BackupOptions {
    /// Threads that read and encode; 0: one more than the machine has processors.
    pub workers: usize,
    /// Program and version, as points name it.
    pub program: String,
}

/// Backs VMs of a host up into a repository.
///
/// What fails with one VM is in the report. An error means that the run could not begin.
pub fn back_up(
    host: &dyn HypervHost,
    repository: &Repository,
    vms: &[VmEntry],
    options: &BackupOptions,
    observer: &dyn RunObserver,
) -> Result<RunReport, RepositoryError> {
    let started = Timestamp::now();
    let run = repository.begin_run(options.workers)?;
    let mut items = Vec::new();
    // Once the repository has failed, or the person asked to stop, no VM is begun any more.
    let mut ended: Option<Outcome> = None;
    for (number, vm) in vms.iter().enumerate() {
        let mut item = RunItem {
            vm: vm.name.clone(),
            identity: vm.identity.clone(),
            outcome: Outcome::Skipped,
            point: None,
            statistics: StreamStatistics::default(),
            warnings: Vec::new(),
            failure: None,
        };
        if ended.is_none() {
            let backup = VmBackup {
                host,
                run: &run,
                vm,
                options,
                observer,
            };
            let count = vms.len();
            match backup.run(number + 1, count, &mut item) {
                Ok(()) if item.warnings.is_empty() => item.outcome = Outcome::Success,
                Ok(()) => item.outcome = Outcome::Warning,
                Err(error) => {
                    let failure = RunFailure::of(&*error);
                    let cancelled = failure.kind == RepositoryErrorKind::Cancelled.name();
                    item.outcome = if cancelled {
                        Outcome::Cancelled
                    } else {
                        Outcome::Failed
                    };
                    if cancelled || failure.repository.is_some() {
                        ended = Some(item.outcome);
                    }
                    item.failure = Some(failure);
                }
            }
        }
        observer.event(RunEvent::VmFinished(&item));
        items.push(item);
    }
    if ended == Some(Outcome::Cancelled) {
        // What was done until now is kept for the next run. If that fails too, it is done again.
        drop(run.flush());
    }
    let outcome = RunReport::outcome_of(&items);
    let host = host.name().to_owned();
    Ok(RunReport {
        host,
        started,
        finished: Timestamp::now(),
        outcome,
        items,
    })
}
