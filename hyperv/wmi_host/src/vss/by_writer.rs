//! Holding VMs still through the host's VSS writer.

use std::sync::Arc;

use ::vss::VssService;
use hyperv_host::{
    BackupMethod, BackupMode, BackupRequest, Finding, FrozenVm, HostError, HostErrorKind,
    PowerState, PreviousBackup, Retry, SavedState, Severity, SnapshotSets, VmEntry,
};
use jiff::Timestamp;
use uuid::Uuid;

use super::attempt::{Attempt, Made};
use super::attempt_failure::TakenOut;
use super::by_saving::{begin_by_saving, save_instead};
use super::candidate::Candidate;
use super::held_vm::{HeldVm, MERGE_LOOK};
use super::make_set::{Outcome, copy_of, make_set};
use super::provider::provider_of;
use super::run_sets::{RunState, Share};
use super::snapshot_set::SnapshotSet;
use crate::WmiHost;
use crate::backup::clean_up::kept_points;
use crate::backup::{Asked, Ready};
use crate::facts::HostState;
use crate::findings;
use crate::plan::Way;

/// How long a set of snapshots may take before it is worth a word (requirement VSS-23).
const SLOW_SECONDS: u64 = 120;

/// Returns whether what is asked for goes through the host's VSS writer, as far as that can be told
/// before the VM is read.
pub(crate) fn goes_through_writer(asked: &Asked<'_>) -> bool {
    may_go_through_writer(asked.state, asked.request) && asked.host.vss.is_some()
}

fn may_go_through_writer(host: &HostState, request: &BackupRequest) -> bool {
    request.mode == BackupMode::AllCheckpoints || !host.windows.has_recovery_checkpoints()
}

/// Holds a VM still through the host's writer, in a set of its own or with the others of its run.
pub(crate) fn begin_by_writer(
    asked: &Asked<'_>,
    previous: Option<&PreviousBackup>,
) -> Result<Box<dyn FrozenVm>, HostError> {
    let share = if asked.request.snapshot_sets == SnapshotSets::Shared {
        share_of_run(asked, previous)?
    } else {
        None
    };
    let recovers = asked.state.windows.leaves_auto_recovery();
    match share {
        Some(Share::In(held)) => Ok(Box::new(held.open(previous, recovers)?)),
        Some(Share::Out(out)) if !out.is_retryable => save_instead(asked, previous, out.error),
        Some(Share::Out(out)) => alone(asked, previous, Some(out.error)),
        None => alone(asked, previous, None),
    }
}

/// Makes a set for one VM. `why`: it was taken out of the run's.
fn alone(
    asked: &Asked<'_>,
    previous: Option<&PreviousBackup>,
    why: Option<HostError>,
) -> Result<Box<dyn FrozenVm>, HostError> {
    let kept = kept_points(previous);
    let ready = Ready::of(asked, Some(&kept))?;
    if ready.choice.way != Way::Writer {
        return begin_by_saving(asked, ready, previous);
    }
    let bytes = Arc::clone(&ready.bytes);
    let mut vm = Candidate::of(asked, ready, Way::Writer, previous)?;
    vm.findings.extend(why.map(|why| taken_out(&why)));
    let id = vm.id();
    let mut made = make(asked, &bytes, vec![vm], asked.request.retry)?;
    match made.remove_of(id) {
        Some(Share::In(held)) => {
            let recovers = asked.state.windows.leaves_auto_recovery();
            Ok(Box::new(held.open(previous, recovers)?))
        }
        Some(Share::Out(out)) => save_instead(asked, previous, out.error),
        None => Err(nothing_made(asked)),
    }
}

/// Returns what the run's set is to the VM; the set is made when the first VM asks. `None`: the VM
/// was not announced, or had its share already.
fn share_of_run(
    asked: &Asked<'_>,
    previous: Option<&PreviousBackup>,
) -> Result<Option<Share>, HostError> {
    let mut run = asked.host.run_sets.lock_patiently(asked.observer)?;
    let Ok(id) = Uuid::parse_str(&asked.vm.identity) else {
        return Ok(None);
    };
    if let Some(share) = run.take(id) {
        return Ok(Some(share));
    }
    let others = run.take_announced(asked.vm, asked.request);
    if others.is_empty() {
        return Ok(None);
    }
    // What fails with this VM is no reason to make no set for the others.
    match make_for_run(asked, previous, &others) {
        Ok(Some(made)) => {
            made.keep_in(&mut run);
            Ok(run.take(id))
        }
        Ok(None) => {
            run.announce_again(others);
            Ok(None)
        }
        Err(error) => {
            run.announce_again(others);
            Err(error)
        }
    }
}

/// Makes a set for a VM and the others of its run. `None`: the VM does not go through the writer.
fn make_for_run(
    asked: &Asked<'_>,
    previous: Option<&PreviousBackup>,
    others: &[(VmEntry, BackupRequest)],
) -> Result<Option<MadeFor>, HostError> {
    let kept = kept_points(previous);
    let ready = Ready::of(asked, Some(&kept))?;
    if ready.choice.way != Way::Writer {
        return Ok(None);
    }
    let bytes = Arc::clone(&ready.bytes);
    let mut vms = vec![Candidate::of(asked, ready, Way::Writer, previous)?];
    for (vm, request) in others {
        vms.extend(candidate(asked, vm, request));
    }
    make(asked, &bytes, vms, asked.request.retry).map(Some)
}

/// Takes another VM of the run into the set. One that cannot be taken now says why when its turn
/// comes.
fn candidate(asked: &Asked<'_>, vm: &VmEntry, request: &BackupRequest) -> Option<Candidate> {
    if !may_go_through_writer(asked.state, request) || asked.observer.cancelled() {
        return None;
    }
    // The others do not wait for one that is busy.
    let mut impatient = request.clone();
    impatient.retry = Retry {
        attempts: 1,
        ..request.retry
    };
    let asked = Asked {
        vm,
        request: &impatient,
        ..*asked
    };
    let ready = Ready::of(&asked, None).ok()?;
    if ready.choice.way != Way::Writer {
        return None;
    }
    let mut candidate = Candidate::of(&asked, ready, Way::Writer, None).ok()?;
    candidate.request = request.clone();
    Some(candidate)
}

/// What was made for some VMs.
struct MadeFor(Vec<(Uuid, Share)>);

impl MadeFor {
    fn remove_of(&mut self, vm: Uuid) -> Option<Share> {
        let at = self.0.iter().position(|(own, _)| *own == vm)?;
        Some(self.0.swap_remove(at).1)
    }

    fn keep_in(self, run: &mut RunState) {
        for (vm, share) in self.0 {
            run.keep(vm, share);
        }
    }
}

/// Makes a set for as many of the VMs as can be had.
fn make(
    asked: &Asked<'_>,
    bytes: &Arc<dyn disk_image::HostPaths>,
    vms: Vec<Candidate>,
    retry: Retry,
) -> Result<MadeFor, HostError> {
    let request = asked.request;
    let host = asked.host.session.host();
    let found = service_of(asked.host, asked.state).and_then(|service| {
        let provider = provider_of(&*service, host, request.snapshot_provider.as_deref())?;
        Ok((service, provider))
    });
    let (service, provider) = match found {
        Ok(found) => found,
        Err(error) => {
            for vm in vms {
                let _ = vm.give_up(copy_of(&error));
            }
            return Err(error);
        }
    };
    let mut ready = Vec::new();
    let mut shares = Vec::new();
    for mut vm in vms {
        match vm.pause_replication(asked.observer) {
            Ok(()) => ready.push(vm),
            Err(error) => shares.push(out_of(vm, TakenOut::for_good(error))),
        }
    }
    let attempt = Attempt {
        service: &*service,
        host,
        windows: &asked.state.windows,
        clock: Arc::clone(&asked.host.clock),
        bytes,
        guest_backup: request.guest_backup,
        provider,
        observer: asked.observer,
    };
    let Outcome { made, out } = make_set(&attempt, ready, retry);
    if let Some((made, vms)) = made {
        let until = asked.host.clock.now() + MERGE_LOOK;
        shares.extend(shares_of(made, vms, until));
    }
    shares.extend(out.into_iter().map(|(vm, why)| out_of(vm, why)));
    Ok(MadeFor(shares))
}

/// Gives each VM its share of a set. All of them get back what was taken from them, and are looked
/// at, before any merge is waited for: a VM's own turn to be read may be hours later.
fn shares_of(made: Made, vms: Vec<Candidate>, until: Timestamp) -> Vec<(Uuid, Share)> {
    let ids: Vec<Uuid> = vms.iter().map(Candidate::id).collect();
    let set = Arc::new(SnapshotSet::of(made, ids));
    let mut well = Vec::new();
    let mut shares = Vec::new();
    let mut all: Vec<HeldVm> = vms.into_iter().map(|vm| held(vm, &set)).collect();
    let mut given: Vec<_> = all
        .iter_mut()
        .map(|held| held.vm.give_back_power())
        .collect();
    for (mut held, given) in all.into_iter().zip(given.drain(..)) {
        held.vm.resume_replication();
        match given.and_then(|()| held.look()) {
            Ok(_) => well.push(held),
            Err(error) => shares.push(out_of_set(held, error)),
        }
    }
    for mut held in well {
        match held.settle_down(until) {
            Ok(()) => shares.push((held.vm.id(), Share::In(Box::new(held)))),
            Err(error) => shares.push(out_of_set(held, error)),
        }
    }
    shares
}

fn out_of_set(held: HeldVm, error: HostError) -> (Uuid, Share) {
    let id = held.vm.id();
    (id, Share::Out(TakenOut::for_now(held.give_up(error))))
}

fn held(mut vm: Candidate, set: &Arc<SnapshotSet>) -> HeldVm {
    let mut snapped = set
        .stages
        .iter()
        .filter(|stage| stage.name == "volume-snapshot");
    let snapped = snapped
        .next()
        .map(|stage| stage.duration)
        .unwrap_or_default();
    if snapped.as_secs() >= SLOW_SECONDS {
        vm.findings.push(slow(snapped.as_secs()));
    }
    let saved = vm.method == BackupMethod::SavedState && vm.vm.state == PowerState::Running;
    HeldVm {
        vm,
        set: Arc::clone(set),
        stages: Vec::new(),
        // The writer saves and brings back between PrepareForSnapshot and PostSnapshot.
        interruption: saved.then_some(snapped),
    }
}

/// Ends the run of a VM that is not in the set.
fn out_of(vm: Candidate, why: TakenOut) -> (Uuid, Share) {
    let id = vm.id();
    let TakenOut {
        is_retryable,
        error,
    } = why;
    let error = vm.give_up(error);
    (
        id,
        Share::Out(TakenOut {
            is_retryable,
            error,
        }),
    )
}

/// Returns the host's service.
pub(crate) fn service_of(
    host: &WmiHost,
    state: &HostState,
) -> Result<Arc<dyn VssService>, HostError> {
    let service = host.vss.clone();
    service.ok_or_else(|| HostError::blocked(&findings::no_vss(state)))
}

/// Returns whether a VM may be saved for its backup.
pub(super) fn may_save(request: &BackupRequest) -> bool {
    request.saved_state == SavedState::Allow
}

fn nothing_made(asked: &Asked<'_>) -> HostError {
    let text = format!(
        "{}: no volume snapshot could be made for the VM {}",
        asked.host.session.host(),
        asked.vm.name
    );
    HostError::new(HostErrorKind::Refused, text)
}

fn taken_out(why: &HostError) -> Finding {
    let text = format!(
        "the VM was taken out of the volume snapshot that serves the other VMs of the run, and got \
         one of its own: {why}"
    );
    Finding::new("VM-OWN-SNAPSHOT", Severity::Info, text)
        .cure("nothing, unless it happens each time: then see what the host says of the VM")
}

fn slow(seconds: u64) -> Finding {
    let text = format!("making the volume snapshots took {seconds} s");
    Finding::new("HOST-VSS-SLOW", Severity::Warn, text).cure(
        "see which provider makes them (`vssadmin list providers`) and how busy the volume is; \
         smaller sets (--snapshot-per-vm) hold each VM for a shorter time",
    )
}
