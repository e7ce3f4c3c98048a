//! One try to make a set of snapshots (contract 5.2).

use std::collections::HashMap;
use std::sync::Arc;

use ::vss::{
    BackupType, ComponentId, HYPERV_WRITER, RequestOptions, SnapshotKind, SnapshotVolume,
    VssBackup, VssError, VssErrorKind, VssService, Writer,
};
use disk_image::HostPaths;
use hyperv_host::{Finding, GuestBackup, HostError, HostErrorKind, Severity, StepObserver};
use jiff::Timestamp;
use uuid::Uuid;
use wmi::Clock;

use super::auto_recovery::{auto_recovery_of, those_there};
use super::candidate::Candidate;
use super::component::{component_of, hyperv_writer, paths_of, vm_of};
use super::failure::{no_writer, vss_failure};
use super::guest_part::guest_part;
use super::snapshot_view::{SnapshotView, view_of};
use super::stopwatch::Stopwatch;
use super::volumes::Volumes;
use super::writer_verdict::{Step, Verdict, is_retryable, judge};
use crate::backup::freeze::before;
use crate::facts::WindowsVersion;
use crate::journal::FoundState;

/// One try to make a set of snapshots.
pub(super) struct Attempt<'a> {
    pub(super) service: &'a dyn VssService,
    pub(super) host: &'a str,
    pub(super) windows: &'a WindowsVersion,
    pub(super) clock: Arc<dyn Clock>,
    /// Where the host's files, and those of snapshots, are on this machine.
    pub(super) bytes: &'a Arc<dyn HostPaths>,
    pub(super) guest_backup: GuestBackup,
    pub(super) provider: Option<Uuid>,
    pub(super) observer: &'a dyn StepObserver,
}

/// What a try has made. Dropped without an end it is aborted.
pub(super) struct Made {
    pub(super) backup: Box<dyn VssBackup>,
    pub(super) components: HashMap<Uuid, ComponentId>,
    pub(super) view: SnapshotView,
    pub(super) taken: Timestamp,
    pub(super) watch: Stopwatch,
}

/// Why a try came to nothing. Whatever it had made is gone.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another try may succeed.
    Retry(HostError),
    /// Another requester makes snapshots.
    Busy(HostError),
    /// Another try would fail as well, but perhaps not without some of the VMs.
    Final(HostError),
    /// Nothing that goes through VSS can be done now.
    Hopeless(HostError),
    /// These VMs failed; the others did not.
    Vms(Vec<(Uuid, TakenOut)>),
}

/// Why a VM is not in a set.
#[derive(Debug)]
pub(super) struct TakenOut {
    /// By itself it may succeed.
    pub(super) is_retryable: bool,
    pub(super) error: HostError,
}

impl TakenOut {
    pub(super) fn for_good(error: HostError) -> Self {
        Self {
            is_retryable: false,
            error,
        }
    }

    pub(super) fn for_now(error: HostError) -> Self {
        Self {
            is_retryable: true,
            error,
        }
    }
}

/// A VM's place in a try.
struct Chosen {
    vm: Uuid,
    component: ComponentId,
    volumes: Vec<SnapshotVolume>,
}

impl Attempt<'_> {
    /// Tries. What fails is aborted before this returns.
    pub(super) fn run(&self, vms: &mut [Candidate]) -> Result<Made, Failure> {
        let mut watch = Stopwatch::start(Arc::clone(&self.clock));
        let mut backup = self.gather(vms)?;
        watch.lap("gather");
        match self.make(&mut *backup.0, &backup.1, vms, &mut watch) {
            Ok((components, view, taken)) => Ok(Made {
                backup: backup.0,
                components,
                view,
                taken,
                watch,
            }),
            Err(failure) => {
                backup.0.abort();
                Err(failure)
            }
        }
    }

    fn cancelled(&self) -> bool {
        self.observer.cancelled()
    }

    /// Begins a backup that knows all the VMs. What writers tell is read once, so for a VM that was
    /// made or moved here later it is read anew (contract 5.2).
    fn gather(&self, vms: &[Candidate]) -> Result<(Box<dyn VssBackup>, Writer), Failure> {
        self.observer
            .step("asking the host's VSS writers what they have");
        let gathered = self.gather_once()?;
        let knows_all = |writer: &Writer| {
            let mut vms = vms.iter();
            vms.all(|vm| component_of(writer, vm.id()).is_some())
        };
        if knows_all(&gathered.1) {
            return Ok(gathered);
        }
        let mut gathered = gathered;
        gathered.0.abort();
        self.gather_once()
    }

    fn gather_once(&self) -> Result<(Box<dyn VssBackup>, Writer), Failure> {
        let options = RequestOptions {
            kind: SnapshotKind::Backup,
            backup_type: match self.guest_backup {
                GuestBackup::Full => BackupType::Full,
                GuestBackup::Copy => BackupType::Copy,
            },
            writers: vec![HYPERV_WRITER],
        };
        let doing = "asking the host's VSS writers";
        let begun = self.service.begin(&options);
        let mut backup = begun.map_err(|error| self.classify(doing, error))?;
        let writers = match backup.writers(&|| self.cancelled()) {
            Ok(writers) => writers,
            Err(error) => {
                backup.abort();
                return Err(self.classify(doing, error));
            }
        };
        let Some(writer) = hyperv_writer(&writers).cloned() else {
            backup.abort();
            let error = HostError::blocked(&no_writer(self.host));
            return Err(Failure::Hopeless(error));
        };
        Ok((backup, writer))
    }

    fn make(
        &self,
        backup: &mut dyn VssBackup,
        writer: &Writer,
        vms: &mut [Candidate],
        watch: &mut Stopwatch,
    ) -> Result<(HashMap<Uuid, ComponentId>, SnapshotView, Timestamp), Failure> {
        let chosen = self.choose(writer, vms)?;
        self.add_components(backup, &chosen)?;
        let volumes = self.add_volumes(backup, &chosen)?;
        self.check_writer(backup, Step::Before)?;
        self.note(vms)?;
        self.observer
            .step("letting the host's VSS writer get ready");
        let cancelled = || self.cancelled();
        if let Err(error) = backup.prepare(&cancelled) {
            return Err(self.explained(backup, "letting the writer get ready", error));
        }
        watch.lap("prepare");
        self.check_writer(backup, Step::Before)?;
        self.observer.step("making volume snapshots");
        if let Err(error) = backup.snapshot(&cancelled) {
            return Err(self.explained(backup, "making volume snapshots", error));
        }
        watch.lap("volume-snapshot");
        self.check_writer(backup, Step::Snapshot)?;
        watch.lap("post-snapshot");
        let components = chosen.into_iter();
        let components = components.map(|chosen| (chosen.vm, chosen.component));
        let (view, taken) = self.view_of(backup, &volumes)?;
        Ok((components.collect(), view, taken))
    }

    /// Finds each VM's component, volumes, and what its guest will do.
    fn choose(&self, writer: &Writer, vms: &mut [Candidate]) -> Result<Vec<Chosen>, Failure> {
        let mut volumes = Volumes::new(self.service, self.host);
        let mut chosen = Vec::new();
        let mut failed = Vec::new();
        for vm in vms {
            match self.choose_one(writer, vm, &mut volumes) {
                Ok(own) => chosen.push(own),
                Err(error) => failed.push((vm.id(), TakenOut::for_good(error))),
            }
        }
        if failed.is_empty() {
            return Ok(chosen);
        }
        Err(Failure::Vms(failed))
    }

    fn choose_one(
        &self,
        writer: &Writer,
        vm: &mut Candidate,
        volumes: &mut Volumes<'_>,
    ) -> Result<Chosen, HostError> {
        let component = component_of(writer, vm.id()).ok_or_else(|| unknown(self.host, vm))?;
        guest_part(vm, component, self.windows)?;
        self.check_leftovers(vm)?;
        let volumes = volumes.of_vm(&vm.vm, &vm.disk_paths(), paths_of(component))?;
        Ok(Chosen {
            vm: vm.id(),
            component: component.id.clone(),
            volumes,
        })
    }

    /// A file of an earlier backup where the writer is to make its own lets it fail (KB3175561).
    fn check_leftovers(&self, vm: &Candidate) -> Result<(), HostError> {
        let paths = self.auto_recovery_paths(vm);
        let there = those_there(&vm.link, paths);
        let Some(path) = there.first() else {
            return Ok(());
        };
        let text = format!(
            "{path} was left by an earlier backup through VSS: the host's writer fails on it"
        );
        let finding = Finding::new("VM-AUTORECOVERY-LEFT", Severity::Block, text);
        Err(HostError::blocked(&finding.cure(
            "see that no VM uses the file (Get-VMHardDiskDrive), move it away (KB3175561), and run \
             again",
        )))
    }

    fn auto_recovery_paths(&self, vm: &Candidate) -> Vec<String> {
        if !self.windows.leaves_auto_recovery() {
            return Vec::new();
        }
        let disks = vm.vm.disks.iter().filter(|disk| disk.is_freezable());
        disks
            .flat_map(|disk| auto_recovery_of(&disk.path))
            .collect()
    }

    fn add_components(&self, backup: &mut dyn VssBackup, chosen: &[Chosen]) -> Result<(), Failure> {
        for own in chosen {
            if let Err(error) = backup.add_component(&own.component) {
                let doing = "choosing the VM's component";
                return Err(match error.kind() {
                    VssErrorKind::NotFound | VssErrorKind::NotSupported => {
                        let error = vss_failure(self.host, doing, error);
                        Failure::Vms(vec![(own.vm, TakenOut::for_good(error))])
                    }
                    _ => self.classify(doing, error),
                });
            }
        }
        Ok(())
    }

    /// Begins the set, and adds each volume once. What a volume cannot do fails its VMs alone.
    fn add_volumes(
        &self,
        backup: &mut dyn VssBackup,
        chosen: &[Chosen],
    ) -> Result<Vec<SnapshotVolume>, Failure> {
        let started = backup.start_set();
        started.map_err(|error| self.classify("beginning a set of snapshots", error))?;
        let mut volumes: Vec<SnapshotVolume> = Vec::new();
        for volume in chosen.iter().flat_map(|own| &own.volumes) {
            if volumes.iter().any(|known| known.name == volume.name) {
                continue;
            }
            if let Err(error) = backup.add_volume(&volume.name, self.provider) {
                return Err(self.volume_failure(error, volume, chosen));
            }
            volumes.push(volume.clone());
        }
        Ok(volumes)
    }

    fn volume_failure(
        &self,
        error: VssError,
        volume: &SnapshotVolume,
        chosen: &[Chosen],
    ) -> Failure {
        let doing = format!("adding the volume {} to the set", volume.mount);
        let is_its_own = matches!(
            error.kind(),
            VssErrorKind::NotSupported | VssErrorKind::NotFound | VssErrorKind::NotLocal
        );
        if !is_its_own {
            return self.classify(&doing, error);
        }
        let on_it = chosen.iter().filter(|own| own.volumes.contains(volume));
        let failed = on_it.map(|own| {
            let error = vss_failure(self.host, &doing, error.clone());
            (own.vm, TakenOut::for_good(error))
        });
        Failure::Vms(failed.collect())
    }

    /// Writes down what the writer is about to do: it may make a checkpoint of each VM, leave
    /// files, and save those that it cannot freeze otherwise.
    fn note(&self, vms: &mut [Candidate]) -> Result<(), Failure> {
        let now = self.clock.now();
        for vm in vms {
            let files = self.auto_recovery_paths(vm);
            let was = before(&vm.vm);
            let saves = !self.windows.has_offline_checkpoints();
            let found = FoundState::of(vm.vm.state).filter(|_| saves);
            let noted = vm.entry().and_then(|entry| {
                entry.change(|entry| {
                    entry.before = was;
                    entry.asked = Some(now);
                    entry.auto_recovery = files;
                    entry.found = found;
                })
            });
            noted.map_err(Failure::Hopeless)?;
        }
        Ok(())
    }

    /// Asks the writer where it is.
    fn check_writer(&self, backup: &mut dyn VssBackup, step: Step) -> Result<(), Failure> {
        let doing = "asking the host's VSS writer how it is";
        let statuses = backup.writer_statuses(&|| self.cancelled());
        let statuses = statuses.map_err(|error| self.classify(doing, error))?;
        let Some(status) = statuses.iter().find(|status| status.id == HYPERV_WRITER) else {
            let error = HostError::blocked(&no_writer(self.host));
            return Err(Failure::Retry(error));
        };
        self.verdict(judge(status, step))
    }

    fn verdict(&self, verdict: Verdict) -> Result<(), Failure> {
        let error = |kind, text: String| {
            HostError::new(kind, format!("{}: {text}", self.host)).hint(
                "see `vssadmin list writers` and the event log Hyper-V-VMMS/Admin on the host; a \
                 writer that stays failed comes back with Restart-Service vmms",
            )
        };
        match verdict {
            Verdict::Well => Ok(()),
            Verdict::Retry(text) => Err(Failure::Retry(error(HostErrorKind::Busy, text))),
            Verdict::Final(text) => Err(Failure::Final(error(HostErrorKind::Refused, text))),
            Verdict::Components(failed) => {
                let vms = failed.iter().filter_map(|(name, code)| {
                    let text = format!("the writer failed with this VM: 0x{code:08X}");
                    let is_retryable = is_retryable(*code);
                    let kind = match is_retryable {
                        true => HostErrorKind::Busy,
                        false => HostErrorKind::Refused,
                    };
                    let error = error(kind, text);
                    Some((
                        vm_of(name)?,
                        TakenOut {
                            is_retryable,
                            error,
                        },
                    ))
                });
                let vms: Vec<_> = vms.collect();
                if vms.is_empty() {
                    let text = "the writer failed with what is no VM".to_owned();
                    return Err(Failure::Retry(error(HostErrorKind::Busy, text)));
                }
                Err(Failure::Vms(vms))
            }
        }
    }

    /// Lets the writer say what was wrong with a step that failed.
    fn explained(&self, backup: &mut dyn VssBackup, doing: &str, error: VssError) -> Failure {
        let by_writer = matches!(
            error.kind(),
            VssErrorKind::Retryable | VssErrorKind::NotRetryable | VssErrorKind::Partial
        );
        if by_writer && let Err(Failure::Vms(vms)) = self.check_writer(backup, Step::Snapshot) {
            return Failure::Vms(vms);
        }
        self.classify(doing, error)
    }

    fn classify(&self, doing: &str, error: VssError) -> Failure {
        let kind = error.kind();
        let error = vss_failure(self.host, doing, error);
        match kind {
            VssErrorKind::Busy => Failure::Busy(error),
            VssErrorKind::Retryable
            | VssErrorKind::Partial
            | VssErrorKind::Infrastructure
            | VssErrorKind::Provider
            | VssErrorKind::Other => Failure::Retry(error),
            VssErrorKind::Cancelled | VssErrorKind::Denied | VssErrorKind::Absent => {
                Failure::Hopeless(error)
            }
            _ => Failure::Final(error),
        }
    }

    /// Finds out where the snapshots are read.
    fn view_of(
        &self,
        backup: &mut dyn VssBackup,
        volumes: &[SnapshotVolume],
    ) -> Result<(SnapshotView, Timestamp), Failure> {
        let snapshots = backup.snapshots();
        let snapshots =
            snapshots.map_err(|error| self.classify("finding the volume snapshots", error))?;
        let bytes = Some(Arc::clone(self.bytes));
        view_of(&snapshots, volumes, bytes, self.host).map_err(Failure::Retry)
    }
}

fn unknown(host: &str, vm: &Candidate) -> HostError {
    let text = format!(
        "{host}: the Hyper-V VSS writer has no component for the VM {} ({})",
        vm.vm.name,
        vm.id()
    );
    HostError::new(HostErrorKind::Refused, text).hint(
        "see whether `vssadmin list writers` shows an error, and whether the VM has moved; \
         Restart-Service vmms lets the writer look again",
    )
}
