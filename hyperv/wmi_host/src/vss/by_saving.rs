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
use super::power::Saved;
use super::provider::provider_of;
use super::snapshot_set::SnapshotSet;
use super::snapshot_view::view_of;
use super::stopwatch::Stopwatch;
use super::volumes::Volumes;
use crate::backup::clean_up::kept_points;
use crate::backup::freeze::before;
use crate::backup::patience::Tries;
use crate::backup::{Asked, Ready, block_error};
use crate::plan::{Way, expected_through, missed, no_room_for_memory, saved_state_refused};

/// How long a saved VM waits for its volumes to be snapped, by its host's clock.
const SNAPSHOT_MAX: Duration = Duration::from_secs(300);

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
    // It was planned for another way.
    let expected = expected_through(&ready.facts, Way::Saving, &asked.state.windows);
    let missed = missed(&expected.reached, asked.request);
    let runs = ready.facts.state == PowerState::Running;
    let no_room = no_room_for_memory(&ready.facts, asked.state, &asked.request.room);
    let mut blocks = missed.iter().chain(no_room.iter().filter(|_| runs));
    if let Some(block) = blocks.find(|own| own.severity == Severity::Block) {
        let why = block_error(block);
        let text = format!("{error}; the VM cannot be saved instead: {why}");
        let both = HostError::new(why.kind(), text);
        let hint = why.hint_text().or(error.hint_text()).unwrap_or_default();
        return Err(both.hint(hint));
    }
    let mut vm = Candidate::of(asked, ready, Way::Saving, previous)?;
    vm.findings.extend(missed);
    begin(asked, vm, previous, Some(&error))
}

/// Saves a VM of which the plan says so.
pub(crate) fn begin_by_saving(
    asked: &Asked<'_>,
    ready: Ready,
    previous: Option<&PreviousBackup>,
) -> Result<Box<dyn FrozenVm>, HostError> {
    let vm = Candidate::of(asked, ready, Way::Saving, previous)?;
    begin(asked, vm, previous, None)
}

/// `why`: what the VM could not be frozen by.
fn begin(
    asked: &Asked<'_>,
    mut vm: Candidate,
    previous: Option<&PreviousBackup>,
    why: Option<&HostError>,
) -> Result<Box<dyn FrozenVm>, HostError> {
    match freeze(asked, &mut vm) {
        Ok((made, interruption)) => {
            vm.resume_replication();
            let was_saved = interruption.is_some();
            vm.findings.extend(why.map(|why| instead(was_saved, why)));
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

fn instead(was_saved: bool, why: &HostError) -> Finding {
    let text = format!(
        "the VM could not be frozen in another way, so it was {}: {why}",
        if was_saved {
            "saved"
        } else {
            "read as it lies"
        }
    );
    Finding::new("VM-SAVED-STATE-INSTEAD", Severity::Warn, text)
        .cure("find out why the host refused: then the VM need not be saved")
}

/// Decides by what the VM is doing now: much may have been waited for since it was planned.
fn look_again(asked: &Asked<'_>, vm: &mut Candidate) -> Result<bool, HostError> {
    vm.look_again()?;
    let runs = vm.vm.state == PowerState::Running;
    if runs && !may_save(&vm.request) {
        return Err(HostError::blocked(&saved_state_refused(&vm.vm)));
    }
    vm.method = match runs {
        true => BackupMethod::SavedState,
        false => BackupMethod::VssOffline,
    };
    vm.expected = expected_through(&vm.vm, Way::Saving, &asked.state.windows);
    let was = before(&vm.vm);
    vm.entry()?.change(|entry| entry.before = was)?;
    Ok(runs)
}

/// Saves, snaps, brings back.
fn snap(
    asked: &Asked<'_>,
    vm: &mut Candidate,
    backup: &mut dyn VssBackup,
    watch: &mut Stopwatch,
) -> Result<Option<Duration>, HostError> {
    let host = vm.link.host().to_owned();
    crate::backup::stop_if_cancelled(asked.observer)?;
    let runs = look_again(asked, vm)?;
    let clock = Arc::clone(&vm.link.clock);
    let began = clock.now();
    let saved = if runs {
        asked.observer.step("saving the VM");
        let (link, facts) = (vm.link.clone(), vm.vm.clone());
        let saved = Saved::of(link, facts, vm.entry()?)?;
        watch.lap("saved");
        Some(saved)
    } else {
        None
    };
    asked.observer.step("making volume snapshots");
    // A provider that hangs does not keep the VM from its users.
    let until = clock.now() + SNAPSHOT_MAX;
    let snapped = backup.snapshot(&|| asked.observer.cancelled() || clock.now() >= until);
    watch.lap("volume-snapshot");
    let snapped = snapped.map_err(|error| {
        let is_late = error.kind() == VssErrorKind::Cancelled && !asked.observer.cancelled();
        match is_late {
            true => too_slow(&host),
            false => vss_failure(&host, "making volume snapshots", error),
        }
    });
    let Some(saved) = saved else {
        return snapped.map(|()| None);
    };
    asked.observer.step("bringing the VM back");
    let back = saved.bring_back();
    watch.lap("resumed");
    let interruption = clock.now().duration_since(began).unsigned_abs();
    snapped?;
    back?;
    Ok(Some(interruption))
}

fn too_slow(host: &str) -> HostError {
    let minutes = SNAPSHOT_MAX.as_secs() / 60;
    let text = format!(
        "{host}: making volume snapshots: they were not made in {minutes} minutes, and the VM was \
         saved that long"
    );
    HostError::new(HostErrorKind::Refused, text).hint(
        "see which provider makes them (`vssadmin list providers`), and how busy the volume is",
    )
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
    let (files, folders) = vm.file_paths();
    let volumes = Volumes::new(&*service, &host).of_vm(&vm.vm, &files, folders.into_iter())?;
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
