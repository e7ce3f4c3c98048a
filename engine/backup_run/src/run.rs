//! A run: VM after VM, the next one being frozen while one is read.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use hyperv_host::{Finding, HostSettings, HypervHost, Severity, VmEntry};
use jiff::Timestamp;
use repository::{Repository, RepositoryError, RepositoryErrorKind, RestorePoint, RunWriter};
use serde_json::Value;

use crate::command::{Brackets, Verdict};
use crate::throttle::Throttle;
use crate::vm_backup::VmBackup;
use crate::{BackupOptions, Outcome, RunEvent, RunFailure, RunItem, RunObserver, RunReport};

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
    let mut options = options.clone();
    if options.request.run.is_empty() {
        options.request.run = RestorePoint::new_id()?;
    }
    repository.id().clone_into(&mut options.request.repository);
    let brackets = Brackets {
        policy: &options.commands,
        observer,
        run: &options.request.run,
        host: host.name(),
    };
    let mut commands = Vec::new();
    let (mut trouble, mut bracketed) = (false, true);
    let mut left = Vec::new();
    let (items, outcome, failure) = match brackets.before(None, &mut commands) {
        Verdict::Begin(warning) => {
            trouble |= warning.is_some();
            match back_up_all(host, repository, vms, &options, &brackets) {
                Ok((items, findings)) => {
                    left = findings;
                    trouble |= left.iter().any(|own| own.severity > Severity::Info);
                    let outcome = RunReport::outcome_of(&items);
                    (items, outcome, None)
                }
                Err(error) => {
                    brackets.after(None, (Outcome::Failed, None), &mut commands);
                    return Err(error);
                }
            }
        }
        Verdict::Stop(stopped) => {
            let outcome = stopped.outcome();
            let items = skip_all(vms, observer);
            bracketed = stopped.started;
            (items, outcome, Some(RunFailure::of_command(&stopped)))
        }
    };
    if bracketed {
        let done = (outcome, None);
        trouble |= brackets.after(None, done, &mut commands).is_some();
    }
    Ok(RunReport {
        host: host.name().to_owned(),
        started,
        finished: Timestamp::now(),
        outcome: match outcome {
            Outcome::Success if trouble => Outcome::Warning,
            outcome => outcome,
        },
        items,
        commands,
        findings: left,
        failure,
        run: options.request.run,
    })
}

/// Makes the items of VMs none of which was begun.
fn skip_all(vms: &[VmEntry], observer: &dyn RunObserver) -> Vec<RunItem> {
    let items: Vec<RunItem> = vms.iter().map(RunItem::skipped).collect();
    for item in &items {
        observer.event(RunEvent::VmFinished(item));
    }
    items
}

fn back_up_all(
    host: &dyn HypervHost,
    repository: &Repository,
    vms: &[VmEntry],
    options: &BackupOptions,
    brackets: &Brackets<'_>,
) -> Result<(Vec<RunItem>, Vec<Finding>), RepositoryError> {
    let writer = repository.begin_run(options.workers)?;
    if !options.commands.is_around_vms() {
        let requests: Vec<_> = vms.iter().map(|vm| (vm, options.request_for(vm))).collect();
        host.announce(&requests);
    }
    let (settings, unread) = host_settings(host);
    let run = Run {
        host,
        settings,
        writer: &writer,
        vms,
        options,
        brackets,
        observer: brackets.observer,
        throttle: options.bytes_per_second.map(Throttle::new),
        next: AtomicUsize::new(0),
        reading: Mutex::new(()),
        ended: Mutex::new(None),
        items: Mutex::new((0..vms.len()).map(|_| None).collect()),
    };
    std::thread::scope(|scope| {
        for _ in 0..options.vms_at_once.clamp(1, vms.len().max(1)) {
            scope.spawn(|| run.work());
        }
    });
    // What was made for a VM that never began is nobody's any more.
    let mut left = host.end_run(&options.request.run);
    left.extend(unread);
    if run.ended() == Some(Outcome::Cancelled) {
        // What was done until now is kept for the next run. If that fails too, it is done again.
        drop(writer.flush());
    }
    let items = run
        .items
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let items: Vec<RunItem> = items.into_iter().flatten().collect();
    if items.iter().any(|item| item.point.is_some()) {
        // The points are there and whole. Without a roll-up listings read them one by one, until
        // the next run writes it.
        drop(repository.roll_up_points());
    }
    Ok((items, left))
}

/// Reads what the host itself is set to, once for all points of a run. A point is whole without
/// it, so that it cannot be read is worth a word and no more.
fn host_settings(host: &dyn HypervHost) -> (Option<Value>, Option<Finding>) {
    let read = host.host_settings().map_err(|error| error.to_string());
    let value = read.and_then(|settings| {
        let value = settings.as_ref().map(serde_json::to_value).transpose();
        match value.map_err(|error| error.to_string())? {
            Some(value) if value.to_string().len() > HostSettings::BYTES_MAX => {
                Err("they are too large".to_owned())
            }
            value => Ok(value),
        }
    });
    match value {
        Ok(value) => (value, None),
        Err(why) => {
            let text = format!("the settings of the host are not in these points: {why}");
            let finding = Finding::new("HOST-SETTINGS-UNREAD", Severity::Info, text);
            (None, Some(finding))
        }
    }
}

/// What the threads of a run share.
struct Run<'a> {
    host: &'a dyn HypervHost,
    /// What the host itself is set to, as points keep it.
    settings: Option<Value>,
    writer: &'a RunWriter,
    vms: &'a [VmEntry],
    options: &'a BackupOptions,
    brackets: &'a Brackets<'a>,
    observer: &'a dyn RunObserver,
    throttle: Option<Throttle>,
    /// The VM whose turn comes next.
    next: AtomicUsize,
    /// Held while a VM is read: the cores are shared, and so is the host's storage.
    reading: Mutex<()>,
    /// How the run ended before its last VM, if it did: then no VM is begun any more.
    ended: Mutex<Option<Outcome>>,
    items: Mutex<Vec<Option<RunItem>>>,
}

impl Run<'_> {
    fn ended(&self) -> Option<Outcome> {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes VMs until there are no more.
    fn work(&self) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(vm) = self.vms.get(number) else {
                return;
            };
            let mut item = RunItem::skipped(vm);
            if self.ended().is_none() {
                self.back_up_in_brackets(number, vm, &mut item);
            }
            self.observer.event(RunEvent::VmFinished(&item));
            let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(place) = items.get_mut(number) {
                *place = Some(item);
            }
        }
    }

    /// Runs the VM's own commands around its backup.
    fn back_up_in_brackets(&self, number: usize, vm: &VmEntry, item: &mut RunItem) {
        let work = Some((vm.name.as_str(), vm.identity.as_str()));
        match self.brackets.before(work, &mut item.commands) {
            Verdict::Begin(warning) => {
                item.warnings.extend(warning);
                self.back_up(number, vm, item);
            }
            Verdict::Stop(stopped) => {
                item.outcome = stopped.outcome();
                item.failure = Some(RunFailure::of_command(&stopped));
                if stopped.cancelled {
                    self.end(Outcome::Cancelled);
                }
                if !stopped.started {
                    return;
                }
            }
        }
        let done = (item.outcome, item.point.as_deref());
        if let Some(trouble) = self.brackets.after(work, done, &mut item.commands) {
            item.warnings.push(trouble);
            if item.outcome == Outcome::Success {
                item.outcome = Outcome::Warning;
            }
        }
    }

    /// Ends the run: no VM is begun any more.
    fn end(&self, outcome: Outcome) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.get_or_insert(outcome);
    }

    fn back_up(&self, number: usize, vm: &VmEntry, item: &mut RunItem) {
        let backup = VmBackup {
            host: self.host,
            host_settings: self.settings.as_ref(),
            run: self.writer,
            vm,
            options: self.options,
            observer: self.observer,
            throttle: self.throttle.as_ref(),
            reading: &self.reading,
        };
        match backup.run(number + 1, self.vms.len(), item) {
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
                    self.end(item.outcome);
                }
                item.failure = Some(failure);
            }
        }
    }
}
