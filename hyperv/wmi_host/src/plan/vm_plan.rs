//! The plan of one VM.

use std::cmp::Reverse;

use hyperv_host::{
    BackupRequest, DiskKind, DiskPlan, Finding, FullReason, HostError, HostErrorKind, LeftOut,
    PreviousBackup, Severity, UnfreezableDisks, VmEntry, VmPlan,
};
use uuid::Uuid;

use super::consistency::{expected_through, missed};
use super::full_reason::{DiskNow, tracked_since};
use super::method::{Way, choose};
use super::other_volume::other_volume;
use super::room::{no_room, no_room_for_memory};
use crate::WmiHost;
use crate::disk_files::DiskFiles;
use crate::facts::{DiskFacts, HostState, VmFacts};
use crate::findings::{self, disk_label, unfreezable};
use crate::replication;

/// Says what a backup of a VM would do. Calls are made only where what the inventory read is old.
pub(crate) fn plan(
    host: &WmiHost,
    vm: &VmEntry,
    request: &BackupRequest,
    previous: Option<&PreviousBackup>,
) -> Result<VmPlan, HostError> {
    let (facts, state) = host.facts_for_plan(&vm.identity)?;
    Ok(plan_of(host, &facts, &state, request, previous))
}

/// As [`plan`], from facts that were read for it. No call is made.
pub(crate) fn plan_of(
    host: &WmiHost,
    facts: &VmFacts,
    state: &HostState,
    request: &BackupRequest,
    previous: Option<&PreviousBackup>,
) -> VmPlan {
    let choice = choose(facts, state, request, host.vss.is_some());
    let expected = expected_through(facts, choice.way, &state.windows);
    let mut findings = findings::of_vm(facts, state, host.clock.now());
    let missing_bytes = host.bytes.is_none();
    findings.extend(missing_bytes.then(|| findings::no_bytes(&state.computer)));
    findings.extend(choice.findings);
    findings.extend(replication::of_plan(host, facts, state, choice.way));
    findings.extend(other_volume(facts, state, request, choice.way));
    let (read, left_out) = split_disks(facts, request);
    sharpen(&mut findings, facts, &left_out, request);
    findings.extend(excluded(facts, request));
    findings.extend(missed(&expected.reached, request));
    let disks: Vec<(&DiskFacts, DiskFiles)> = read
        .into_iter()
        .map(|disk| (disk, DiskFiles::look(facts, disk, host.bytes.as_ref())))
        .collect();
    findings.extend(disks.iter().filter_map(|(_, files)| files.problem.clone()));
    let sizes = disks.iter().map(|(disk, files)| (*disk, files.size_bytes));
    findings.extend(no_room(sizes, state, &request.room));
    if choice.interruption.seconds != Some(0) {
        findings.extend(no_room_for_memory(facts, state, &request.room));
    }
    let tracked = choice.way == Way::Checkpoint;
    let disks = disks
        .iter()
        .map(|(disk, files)| disk_plan(facts, state, disk, files, request, previous))
        .map(|plan| if tracked { plan } else { untracked(plan) })
        .collect::<Vec<_>>();
    findings.extend(disks.iter().filter_map(full_although_tracked));
    findings.sort_by_key(|finding| Reverse(finding.severity));
    VmPlan {
        method: choice.method,
        consistency: expected.reached,
        interruption: choice.interruption.text,
        interruption_seconds: choice.interruption.seconds,
        disks,
        left_out,
        findings,
    }
}

/// Tells the disks that a backup reads from those that it leaves out, with the reason.
fn split_disks<'a>(vm: &'a VmFacts, request: &BackupRequest) -> (Vec<&'a DiskFacts>, Vec<LeftOut>) {
    let mut read = Vec::new();
    let mut left_out = Vec::new();
    for disk in &vm.disks {
        let is_excluded = disk
            .slot
            .is_some_and(|slot| request.exclude.contains(&slot));
        let reason = match disk.kind {
            _ if is_excluded => "excluded",
            DiskKind::Virtual => {
                read.push(disk);
                continue;
            }
            DiskKind::PassThrough => "pass-through",
            DiskKind::Shared => "shared",
            DiskKind::VhdSet => "vhd-set",
            _ => "not-known",
        };
        left_out.push(LeftOut {
            slot: disk.slot,
            path: disk.path.clone(),
            reason: reason.to_owned(),
        });
    }
    (read, left_out)
}

/// Makes the findings of disks that cannot be frozen as bad as the request says; those that are
/// left out on purpose are not worth a warning.
fn sharpen(
    findings: &mut Vec<Finding>,
    vm: &VmFacts,
    left_out: &[LeftOut],
    request: &BackupRequest,
) {
    const IDS: [&str; 3] = ["VM-PASS-THROUGH", "VM-SHARED-DISK", "VM-VHD-SET"];
    findings.retain(|finding| !IDS.contains(&finding.id.as_str()));
    let on_purpose = |disk: &&DiskFacts| {
        let mut excluded = left_out.iter().filter(|out| out.reason == "excluded");
        excluded.any(|out| out.slot == disk.slot && out.path == disk.path)
    };
    for disk in &vm.disks {
        let severity = match request.unfreezable {
            // Of a VM with a shared disk a host makes no checkpoint at all (contract 2.6, 7).
            _ if matches!(disk.kind, DiskKind::Shared | DiskKind::VhdSet) => Severity::Block,
            _ if on_purpose(&disk) => continue,
            UnfreezableDisks::LeaveOut => Severity::Warn,
            UnfreezableDisks::Refuse => Severity::Block,
        };
        findings.extend(unfreezable(disk, severity));
    }
}

fn excluded(vm: &VmFacts, request: &BackupRequest) -> Vec<Finding> {
    let of_slot = |slot| vm.disks.iter().find(|disk| disk.slot == Some(slot));
    let of_exclusion = |slot: &vm_config::DiskSlot| match of_slot(*slot) {
        Some(disk) => Finding::new(
            "VM-DISK-EXCLUDED",
            Severity::Info,
            format!(
                "{} is left out on purpose: a point of this VM is not all of it",
                disk_label(disk)
            ),
        ),
        None => Finding::new(
            "VM-EXCLUDE-UNKNOWN",
            Severity::Warn,
            format!(
                "there is no disk at {:?} {}:{}, which is to be left out",
                slot.kind, slot.controller, slot.slot
            ),
        )
        .cure("`lifeboat vm show` lists the disks with their places"),
    };
    request.exclude.iter().map(of_exclusion).collect()
}

fn disk_plan(
    vm: &VmFacts,
    host: &HostState,
    disk: &DiskFacts,
    files: &DiskFiles,
    request: &BackupRequest,
    previous: Option<&PreviousBackup>,
) -> DiskPlan {
    let now = DiskNow {
        facts: disk,
        disk_id: files.disk_id,
        size_bytes: files.size_bytes,
        leaf_path: &disk.path,
        base_path: None,
    };
    let full = tracked_since(vm, host, now, request, previous).err();
    DiskPlan {
        number: disk.number,
        path: disk.path.clone(),
        full,
        // What changed can be asked for only when the VM is frozen.
        estimated_bytes: match full {
            Some(_) => files.held_bytes.or(files.size_bytes).unwrap_or(0),
            None => 0,
        },
    }
}

/// What is read from a volume snapshot is read in full.
fn untracked(plan: DiskPlan) -> DiskPlan {
    DiskPlan {
        full: Some(FullReason::NotTracked),
        ..plan
    }
}

/// Says that a disk that should have been tracked is read in full (CBT-11).
fn full_although_tracked(disk: &DiskPlan) -> Option<Finding> {
    let reason = disk.full?;
    match reason {
        FullReason::FirstBackup
        | FullReason::NewDisk
        | FullReason::NotTracked
        // Findings of their own tell of these.
        | FullReason::OldConfigurationVersion
        | FullReason::OldDiskFormat
        | FullReason::MixedCluster => None,
        _ => {
            let text = format!(
                "disk {} ({}) is read in full once: {}",
                disk.number,
                disk.path,
                reason.text()
            );
            let cure = "nothing: what is known already is not stored again, and the next backup \
                        reads what changed";
            Some(Finding::new("VM-FULL-READ", Severity::Warn, text).cure(cure))
        }
    }
}

impl WmiHost {
    /// Returns a VM and its host for planning: from what was read a short while ago, or anew.
    fn facts_for_plan(&self, identity: &str) -> Result<(VmFacts, HostState), HostError> {
        let id = Uuid::parse_str(identity).unwrap_or_default();
        if let Some(recent) = self.recent_facts()
            && let Some(vm) = recent.vm(id)
        {
            return Ok((vm.clone(), recent.host.clone()));
        }
        let host = self.host_state()?;
        match self.vm_facts(identity) {
            Ok(mut vm) => {
                let cluster = host.cluster.as_ref();
                vm.clustered = cluster.is_some_and(|cluster| cluster.vm(vm.id).is_some());
                Ok((vm, host))
            }
            Err(error) if error.kind() == HostErrorKind::NoSuchVm => {
                let finding = findings::elsewhere(&host, id);
                Err(finding.map_or(error, |finding| HostError::blocked(&finding)))
            }
            Err(error) => Err(error),
        }
    }
}
