//! One try to make a set of snapshots (contract 5.2).

use std::collections::HashMap;
use std::sync::Arc;

use ::vss::{
    BackupType, Component, HYPERV_WRITER, RequestOptions, SnapshotKind, SnapshotVolume, VssBackup,
    VssError, VssErrorKind, VssService, Writer,
};
use disk_image::HostPaths;
use hyperv_host::{BackupMethod, GuestBackup, HostErrorKind, StepObserver};
use jiff::Timestamp;
use uuid::Uuid;
use wmi::Clock;

use super::attempt_failure::{Failure, TakenOut, classify, verdict};
use super::candidate::Candidate;
use super::chosen::{Chosen, auto_recovery_paths, choose};
use super::component::{component_of, hyperv_writer};
use super::failure::{no_writer, vss_failure};
use super::snapshot_view::{SnapshotView, view_of};
use super::stopwatch::Stopwatch;
use super::writer_verdict::{Step, judge};
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
    pub(super) components: HashMap<Uuid, Component>,
    pub(super) view: SnapshotView,
    pub(super) taken: Timestamp,
    pub(super) watch: Stopwatch,
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
        let mut backup = begun.map_err(|error| classify(self.host, doing, error))?;
        let writers = match backup.writers(&|| self.cancelled()) {
            Ok(writers) => writers,
            Err(error) => {
                backup.abort();
                return Err(classify(self.host, doing, error));
            }
        };
        let Some(writer) = hyperv_writer(&writers).cloned() else {
            backup.abort();
            let error = no_writer(self.host);
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
    ) -> Result<(HashMap<Uuid, Component>, SnapshotView, Timestamp), Failure> {
        let chosen = choose(self.service, self.host, self.windows, writer, vms)?;
        self.add_components(backup, &chosen)?;
        let volumes = self.add_volumes(backup, &chosen)?;
        self.check_writer(backup, Step::Before)?;
        look_again(vms)?;
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

    fn add_components(&self, backup: &mut dyn VssBackup, chosen: &[Chosen]) -> Result<(), Failure> {
        for own in chosen {
            if let Err(error) = backup.add_component(&own.component.id) {
                let doing = "choosing the VM's component";
                return Err(match error.kind() {
                    VssErrorKind::NotFound | VssErrorKind::NotSupported => {
                        let error = vss_failure(self.host, doing, error);
                        Failure::Vms(vec![(own.vm, TakenOut::for_good(error))])
                    }
                    _ => classify(self.host, doing, error),
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
        started.map_err(|error| classify(self.host, "beginning a set of snapshots", error))?;
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
            return classify(self.host, &doing, error);
        }
        let on_it = chosen.iter().filter(|own| own.volumes.contains(volume));
        let failed = on_it.map(|own| {
            let error = vss_failure(self.host, &doing, error.clone());
            (own.vm, TakenOut::for_good(error))
        });
        Failure::Vms(failed.collect())
    }

    /// Writes down what the writer is about to do: it may make a checkpoint of each VM, leave
    /// files, and save those that it cannot freeze otherwise and that may be saved.
    fn note(&self, vms: &mut [Candidate]) -> Result<(), Failure> {
        let now = self.clock.now();
        for vm in vms {
            let files = auto_recovery_paths(vm, self.windows);
            let was = before(&vm.vm);
            let saves = vm.method == BackupMethod::SavedState;
            let found = FoundState::of(vm.vm.state).filter(|_| saves);
            let noted = vm.entry().and_then(|entry| {
                entry.change(|entry| {
                    entry.before = was;
                    entry.asked = Some(now);
                    entry.auto_recovery = files;
                    entry.writer_asked = Some(Timestamp::now());
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
        let statuses = statuses.map_err(|error| classify(self.host, doing, error))?;
        let Some(status) = statuses.iter().find(|status| status.id == HYPERV_WRITER) else {
            let error = no_writer(self.host);
            return Err(Failure::Retry(error));
        };
        verdict(self.host, judge(status, step))
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
        classify(self.host, doing, error)
    }

    /// Finds out where the snapshots are read.
    fn view_of(
        &self,
        backup: &mut dyn VssBackup,
        volumes: &[SnapshotVolume],
    ) -> Result<(SnapshotView, Timestamp), Failure> {
        let snapshots = backup.snapshots();
        let snapshots = snapshots
            .map_err(|error| classify(self.host, "finding the volume snapshots", error))?;
        let bytes = Some(Arc::clone(self.bytes));
        view_of(&snapshots, volumes, bytes, self.host).map_err(Failure::Retry)
    }
}

/// Reads the VMs anew: what was planned may be some time ago.
fn look_again(vms: &mut [Candidate]) -> Result<(), Failure> {
    let failed = vms.iter_mut().filter_map(|vm| {
        let error = vm.look_again().err()?;
        let out = match error.kind() {
            HostErrorKind::Busy => TakenOut::for_now(error),
            _ => TakenOut::for_good(error),
        };
        Some((vm.id(), out))
    });
    let failed: Vec<_> = failed.collect();
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Failure::Vms(failed)),
    }
}
