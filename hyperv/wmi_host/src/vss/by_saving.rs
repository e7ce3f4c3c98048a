//! Holding a VM still by saving it while its volumes are snapped (requirements SAVE-04 to SAVE-10).
//!
//! ```text
//!   journal: what it was doing ─► saved ─► volume snapshot ─► brought back ─► read
//!              └── an error, or the run dies: brought back by the run's end, the next run, doctor
//! ```
//!
//! No writer takes part. A VM that does not run is not touched at all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ::vss::{BackupType, RequestOptions, SnapshotKind, SnapshotVolume, VssBackup, VssErrorKind};
use hyperv_host::{
    BackupMethod, Finding, FrozenVm, HostError, HostErrorKind, PowerState, PreviousBackup, Severity,
};

use super::attempt::Made;
use super::by_writer::{may_save, service_of};
use super::candidate::Candidate;
use super::failure::vss_failure;
use super::held_vm::{HeldVm, MERGE_LOOK};
use super::power::{give_back, save};
use super::provider::provider_of;
use super::snapshot_set::SnapshotSet;
use super::snapshot_view::view_of;
use super::stopwatch::Stopwatch;
use super::volumes::Volumes;
use crate::backup::clean_up::kept_points;
use crate::backup::freeze::before;
use crate::backup::patience::Tries;
use crate::backup::{Asked, Ready};
use crate::plan::Way;

/// Tries to save a VM whose backup failed in every other way, where its policy allows that
/// (requirement MODE-14); else returns the error.
pub(crate) fn save_instead(
    asked: &Asked<'_>,
    previous: Option<&PreviousBackup>,
    error: HostError,
) -> Result<Box<dyn FrozenVm>, HostError> {
    let by_host = matches!(error.kind(), HostErrorKind::Refused | HostErrorKind::Busy);
    let saves = may_save(asked.request) && asked.host.vss.is_some();
    if !by_host || !saves || asked.observer.cancelled() {
        return Err(error);
    }
    let kept = kept_points(previous);
    let ready = Ready::of(asked, Some(&kept))?;
    let runs = ready.facts.state == PowerState::Running;
    let mut vm = Candidate::of(asked, ready, Way::Saving, previous)?;
    let text = format!(
        "the VM could not be frozen in another way, so it was {}: {error}",
        if runs { "saved" } else { "read as it lies" }
    );
    vm.findings.push(
        Finding::new("VM-SAVED-STATE-INSTEAD", Severity::Warn, text)
            .cure("find out why the host refused: then the VM need not be saved"),
    );
    begin(asked, vm, previous)
}

/// Saves a VM of which the plan says so.
pub(crate) fn begin_by_saving(
    asked: &Asked<'_>,
    ready: Ready,
    previous: Option<&PreviousBackup>,
) -> Result<Box<dyn FrozenVm>, HostError> {
    let vm = Candidate::of(asked, ready, Way::Saving, previous)?;
    begin(asked, vm, previous)
}

fn begin(
    asked: &Asked<'_>,
    mut vm: Candidate,
    previous: Option<&PreviousBackup>,
) -> Result<Box<dyn FrozenVm>, HostError> {
    vm.method = BackupMethod::SavedState;
    match freeze(asked, &mut vm) {
        Ok((made, interruption)) => {
            let set = SnapshotSet::of(made, [vm.id()]);
            let mut held = HeldVm {
                vm,
                set: Arc::new(set),
                stages: Vec::new(),
                interruption,
            };
            let until = asked.host.clock.now() + MERGE_LOOK;
            if let Err(error) = held.settle_down(until) {
                return Err(held.give_up(error));
            }
            Ok(Box::new(held.open(previous, false)?))
        }
        Err(error) => Err(vm.give_up(error)),
    }
}

/// Snaps the volumes of a VM while it is saved. It is brought back before this returns, or the
/// error says why not.
fn freeze(asked: &Asked<'_>, vm: &mut Candidate) -> Result<(Made, Option<Duration>), HostError> {
    vm.pause_replication(asked.observer)?;
    let mut watch = Stopwatch::start(Arc::clone(&vm.link.clock));
    // Whatever may have to be waited for comes before the VM is saved.
    let (mut backup, volumes) = begun_set(asked, vm)?;
    watch.lap("prepare");
    let snapped = snap(asked, vm, &mut *backup, &mut watch);
    let (view, taken, interruption) = match snapped {
        Ok(interruption) => {
            let viewed = backup.snapshots().map_err(|error| {
                vss_failure(vm.link.host(), "finding the volume snapshots", error)
            });
            let bytes = vm.link.bytes.clone();
            let viewed = viewed.and_then(|own| view_of(&own, &volumes, bytes, vm.link.host()));
            match viewed {
                Ok((view, taken)) => (view, taken, interruption),
                Err(error) => {
                    backup.abort();
                    return Err(error);
                }
            }
        }
        Err(error) => {
            backup.abort();
            return Err(error);
        }
    };
    let made = Made {
        backup,
        components: HashMap::new(),
        view,
        taken,
        watch,
    };
    Ok((made, interruption))
}

/// Saves, snaps, brings back.
fn snap(
    asked: &Asked<'_>,
    vm: &mut Candidate,
    backup: &mut dyn VssBackup,
    watch: &mut Stopwatch,
) -> Result<Option<Duration>, HostError> {
    let host = vm.link.host().to_owned();
    let runs = vm.vm.state == PowerState::Running;
    let began = vm.link.clock.now();
    crate::backup::stop_if_cancelled(asked.observer)?;
    if runs {
        asked.observer.step("saving the VM");
        let (link, facts) = (vm.link.clone(), vm.vm.clone());
        save(&link, &facts, vm.entry()?)?;
        watch.lap("saved");
    }
    asked.observer.step("making volume snapshots");
    // Nobody is let wait now: the VM does not run.
    let snapped = backup.snapshot(&|| false);
    watch.lap("volume-snapshot");
    if !runs {
        snapped.map_err(|error| vss_failure(&host, "making volume snapshots", error))?;
        return Ok(None);
    }
    asked.observer.step("bringing the VM back");
    let (link, facts) = (vm.link.clone(), vm.vm.clone());
    let back = give_back(&link, &facts, vm.entry()?);
    watch.lap("resumed");
    let interruption = link.clock.now().duration_since(began).unsigned_abs();
    snapped.map_err(|error| vss_failure(&host, "making volume snapshots", error))?;
    back?;
    Ok(Some(interruption))
}

/// Begins a set of the VM's volumes, as patiently as the request says where another program makes
/// one.
fn begun_set(
    asked: &Asked<'_>,
    vm: &mut Candidate,
) -> Result<(Box<dyn VssBackup>, Vec<SnapshotVolume>), HostError> {
    let service = service_of(asked.host, asked.state)?;
    let host = vm.link.host().to_owned();
    let provider = provider_of(&*service, &host, vm.request.snapshot_provider.as_deref())?;
    let volumes = Volumes::new(&*service, &host).of_vm(&vm.vm, &vm.file_paths(), [].into_iter())?;
    let was = before(&vm.vm);
    vm.entry()?.change(|entry| entry.before = was)?;
    let options = RequestOptions {
        kind: SnapshotKind::WithoutWriters,
        backup_type: BackupType::Copy,
        writers: Vec::new(),
    };
    let mut tries = Tries::new(vm.request.retry);
    loop {
        let doing = "beginning a set of snapshots";
        let begun = service.begin(&options);
        let mut backup = begun.map_err(|error| vss_failure(&host, doing, error))?;
        let started = backup.start_set().and_then(|_| {
            for volume in &volumes {
                backup.add_volume(&volume.name, provider)?;
            }
            backup.prepare(&|| asked.observer.cancelled())
        });
        let Err(error) = started else {
            return Ok((backup, volumes));
        };
        backup.abort();
        let pause = match error.kind() {
            VssErrorKind::Busy => tries.next_pause(),
            _ => None,
        };
        let Some(pause) = pause else {
            return Err(vss_failure(&host, doing, error));
        };
        asked
            .observer
            .step("waiting: another program makes volume snapshots");
        vm.link.pause(pause, Some(asked.observer));
        crate::backup::stop_if_cancelled(asked.observer)?;
    }
}
