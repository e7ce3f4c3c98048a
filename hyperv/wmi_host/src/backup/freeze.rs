//! Making the recovery checkpoint.

use std::time::Duration;

use hyperv_host::{
    BackupRequest, Finding, HostError, HostErrorKind, Reached, Severity, StepObserver,
};
use wmi::{MethodError, ObjectPath, Value};

use super::begin::stop_if_cancelled;
use super::checkpoint::{self, CheckpointSettings};
use super::consistency::without_guest;
use super::link::Link;
use super::patience::Tries;
use super::refusal::{is_answer, method_failure};
use crate::facts::{HostState, SnapshotFacts, VmFacts, VmOperation};
use crate::host_failure::host_failure;
use crate::journal::{Before, OpenEntry};
use crate::plan;

/// Looks at a VM of which a checkpoint is made although the host refused to make one.
const LOOKS: u32 = 60;
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A VM with a checkpoint of ours.
pub(super) struct Frozen {
    /// The VM right before.
    pub(super) vm: VmFacts,
    pub(super) snapshot: SnapshotFacts,
    pub(super) reached: Reached,
    pub(super) findings: Vec<Finding>,
}

/// Makes the recovery checkpoint.
pub(super) struct Freezing<'a> {
    pub(super) link: &'a Link,
    pub(super) state: &'a HostState,
    pub(super) request: &'a BackupRequest,
    pub(super) observer: &'a dyn StepObserver,
}

/// How one try ended that was not a failure.
enum Attempt {
    Made(Box<SnapshotFacts>),
    /// Another operation stood in the way; nothing was made.
    Conflict(MethodError),
    /// The host said no; nothing was made.
    Refused(MethodError),
}

impl Freezing<'_> {
    /// Tries until there is a checkpoint, as patiently as the request says, and without the guest
    /// where it does not take part and the request allows that.
    pub(super) fn run(&self, vm: VmFacts, entry: &mut OpenEntry) -> Result<Frozen, HostError> {
        let plan::Expected {
            reached: mut expected,
            mut ask_guest,
        } = plan::expected(&vm);
        let mut lowered = false;
        let mut vm = vm;
        let mut reached = expected.clone();
        let mut findings = Vec::new();
        let mut tries = Tries::new(self.request.retry);
        let snapshot = loop {
            stop_if_cancelled(self.observer)?;
            self.observer.step(if ask_guest {
                "making a recovery checkpoint with the guest's help"
            } else {
                "making a recovery checkpoint"
            });
            match self.attempt(&vm, ask_guest, entry)? {
                Attempt::Made(snapshot) => break *snapshot,
                Attempt::Conflict(error) => {
                    let Some(pause) = tries.next_pause() else {
                        return Err(self.busy(&vm, &tries, &error));
                    };
                    self.observer.step(&format!("waiting: {error}"));
                    self.link.pause(pause, Some(self.observer));
                }
                Attempt::Refused(error) if ask_guest => {
                    let why = error.to_string();
                    let (level, finding) = without_guest(&expected, &why, self.request)?;
                    reached = level;
                    lowered = true;
                    findings.extend(finding);
                    ask_guest = false;
                }
                Attempt::Refused(error) => {
                    let doing = "making a recovery checkpoint";
                    return Err(method_failure(self.link.host(), doing, error));
                }
            }
            vm = self.anew(&vm)?;
            if !lowered {
                // What stood in the way may have stopped the guest, or started it.
                let now = plan::expected(&vm);
                ask_guest = now.ask_guest;
                expected = now.reached;
                reached.clone_from(&expected);
            }
        };
        self.name(&snapshot, &mut findings);
        Ok(Frozen {
            vm,
            snapshot,
            reached,
            findings,
        })
    }

    /// What stood in the way may have changed the VM.
    fn anew(&self, vm: &VmFacts) -> Result<VmFacts, HostError> {
        let now = self.link.vm(vm.id)?.ok_or_else(|| {
            let text = format!("{}: the VM {} is gone", self.link.host(), vm.name);
            HostError::new(HostErrorKind::NoSuchVm, text)
        })?;
        Ok(VmFacts {
            clustered: vm.clustered,
            ..now
        })
    }

    fn attempt(
        &self,
        vm: &VmFacts,
        ask_guest: bool,
        entry: &mut OpenEntry,
    ) -> Result<Attempt, HostError> {
        let moves = self.link.moves();
        let settings = CheckpointSettings {
            ask_guest,
            guest_backup: self
                .state
                .windows
                .has_guest_backup_type()
                .then_some(self.request.guest_backup),
        };
        entry.change(|entry| {
            entry.before = before(vm);
            entry.asked = Some(self.link.clock.now());
        })?;
        match checkpoint::create(self.link, &vm.path, settings) {
            Ok(made) => {
                let doing = "looking for the checkpoint that it made";
                let found = checkpoint::find_made(self.link, &made, vm)
                    .map_err(|error| host_failure(self.link.host(), doing, error))?;
                let snapshot = found.ok_or_else(|| {
                    let text = format!(
                        "{}: the host says that it made a checkpoint of {}, and shows none",
                        self.link.host(),
                        vm.name
                    );
                    HostError::new(HostErrorKind::Refused, text)
                        .hint("run the backup again; if it stays so: restart vmms on the host")
                })?;
                entry.change(|entry| {
                    entry.snapshot = Some(snapshot.settings.instance_id.clone());
                    entry.asked = None;
                })?;
                Ok(Attempt::Made(Box::new(snapshot)))
            }
            Err(error) => self.not_made(vm, error, moves, entry),
        }
    }

    /// Makes sure that nothing was made before anything is tried again.
    fn not_made(
        &self,
        vm: &VmFacts,
        error: MethodError,
        moves: usize,
        entry: &mut OpenEntry,
    ) -> Result<Attempt, HostError> {
        let doing = "making a recovery checkpoint";
        let host = self.link.host();
        if let MethodError::TimedOut { job, .. } = &error {
            let text = job.to_string();
            entry.change(|entry| entry.job = Some(text))?;
            self.terminate(job);
            return Err(method_failure(host, doing, error));
        }
        if !is_answer(&error) {
            // Whether it was made is not known: the journal's entry says what to look for.
            return Err(method_failure(host, doing, error));
        }
        if let MethodError::Job { failure, .. } = &error {
            // A job that failed may have made it all the same, and is associated with it.
            let made = checkpoint::made_by_job(self.link, &failure.job)
                .map_err(|error| host_failure(host, doing, error))?;
            if let Some(own) = made {
                let id = own.settings.instance_id.clone();
                entry.change(|entry| entry.snapshot = Some(id))?;
                checkpoint::destroy(self.link, &own.path).map_err(|error| {
                    method_failure(host, "removing what a failed job had made", error)
                })?;
            }
        } else if !error.is_conflict() && self.has_new(vm)? {
            return Err(method_failure(host, doing, error));
        }
        entry.change(|entry| {
            entry.asked = None;
            entry.snapshot = None;
        })?;
        // Hosts say it in their own language; what the VM is doing needs no words.
        let busy = matches!(error, MethodError::Job { .. }) && self.is_busy(vm)?;
        // A VM that leaves takes no job along: the next try is made where it is.
        let busy = busy || self.link.moves() != moves;
        Ok(if busy || error.is_conflict() {
            Attempt::Conflict(error)
        } else {
            Attempt::Refused(error)
        })
    }

    fn is_busy(&self, vm: &VmFacts) -> Result<bool, HostError> {
        let now = self.anew(vm)?.operation;
        Ok(now.is_some_and(|operation| operation != VmOperation::MergingDisks))
    }

    /// After a refusal: hosts report failures of what they have done, or are about to do.
    fn has_new(&self, vm: &VmFacts) -> Result<bool, HostError> {
        let mut now = self.anew(vm)?;
        for _ in 0..LOOKS {
            if now.operation != Some(VmOperation::CreatingSnapshot) {
                break;
            }
            self.link.clock.wait(LOOK_EVERY);
            now = self.anew(vm)?;
        }
        let old = before(vm);
        let mut recoveries = now.recovery_snapshots();
        Ok(recoveries.any(|own| !old.has_snapshot(&own.settings.instance_id)))
    }

    /// Ends a job that did not end by itself, where it lets itself be ended. The journal knows it.
    fn terminate(&self, job: &ObjectPath) {
        const TERMINATE: u16 = 4;
        let Ok(instance) = self.link.session.get(job) else {
            return;
        };
        if instance.flag("Cancellable") {
            let parameters = [("RequestedState", Value::from(TERMINATE))];
            // Whether it ended is looked at when the entry is settled.
            let _ = self
                .link
                .session
                .invoke(job, "RequestStateChange", &parameters);
        }
    }

    fn busy(&self, vm: &VmFacts, tries: &Tries, error: &MethodError) -> HostError {
        let text = format!(
            "{}: the VM {} is busy: {error}; tried {} times in {} s",
            self.link.host(),
            vm.name,
            self.request.retry.attempts.max(1),
            tries.waited().as_secs()
        );
        HostError::new(HostErrorKind::Busy, text).hint(
            "see what else works on the VM (another backup, an export, a migration, a merge), and \
             run the backup when it is done",
        )
    }

    fn name(&self, snapshot: &SnapshotFacts, findings: &mut Vec<Finding>) {
        if let Err(error) = checkpoint::name_it(self.link, snapshot, &self.request.run) {
            let text = format!("the run's checkpoint could not be given its name: {error}");
            findings.push(Finding::new("VM-CHECKPOINT-NAME", Severity::Info, text));
        }
    }
}

/// Writes down what is there before a checkpoint.
pub(crate) fn before(vm: &VmFacts) -> Before {
    let snapshots = vm.snapshots.iter();
    let points = vm.reference_points.iter();
    Before {
        snapshots: snapshots
            .map(|own| own.settings.instance_id.clone())
            .collect(),
        reference_points: points.map(|own| own.instance_id.clone()).collect(),
        leaves: vm.disks.iter().map(|disk| disk.path.clone()).collect(),
    }
}
