//! Components and volumes of the VMs of a set.

use ::vss::{Component, SnapshotVolume, VssService, Writer};
use hyperv_host::{Finding, HostError, HostErrorKind, Severity};
use uuid::Uuid;

use super::attempt_failure::{Failure, TakenOut};
use super::auto_recovery::{auto_recovery_of, those_there};
use super::candidate::Candidate;
use super::component::{component_of, paths_of};
use super::guest_part::guest_part;
use super::volumes::Volumes;
use crate::facts::WindowsVersion;

/// A VM's place in a try.
pub(super) struct Chosen {
    pub(super) vm: Uuid,
    pub(super) component: Component,
    pub(super) volumes: Vec<SnapshotVolume>,
}

/// Finds each VM's component and volumes, and what its guest will do.
pub(super) fn choose(
    service: &dyn VssService,
    host: &str,
    windows: &WindowsVersion,
    writer: &Writer,
    vms: &mut [Candidate],
) -> Result<Vec<Chosen>, Failure> {
    let mut volumes = Volumes::new(service, host);
    let mut chosen = Vec::new();
    let mut failed = Vec::new();
    for vm in vms {
        match choose_one(host, windows, writer, vm, &mut volumes) {
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
    host: &str,
    windows: &WindowsVersion,
    writer: &Writer,
    vm: &mut Candidate,
    volumes: &mut Volumes<'_>,
) -> Result<Chosen, HostError> {
    let component = component_of(writer, vm.id()).ok_or_else(|| unknown(host, vm))?;
    guest_part(vm, component, windows)?;
    check_leftovers(vm, windows)?;
    let volumes = volumes.of_vm(&vm.vm, &vm.disk_paths(), paths_of(component))?;
    Ok(Chosen {
        vm: vm.id(),
        component: component.clone(),
        volumes,
    })
}

/// A file of an earlier backup where the writer is to make its own lets it fail (KB3175561).
fn check_leftovers(vm: &Candidate, windows: &WindowsVersion) -> Result<(), HostError> {
    let there = those_there(&vm.link, auto_recovery_paths(vm, windows));
    let Some(path) = there.first() else {
        return Ok(());
    };
    let text =
        format!("{path} was left by an earlier backup through VSS: the host's writer fails on it");
    let finding = Finding::new("VM-AUTORECOVERY-LEFT", Severity::Block, text);
    Err(HostError::blocked(&finding.cure(
        "see that no VM uses the file (Get-VMHardDiskDrive), move it away (KB3175561), and run again",
    )))
}

/// Returns the files that the host's writer may leave for a VM.
pub(super) fn auto_recovery_paths(vm: &Candidate, windows: &WindowsVersion) -> Vec<String> {
    if !windows.leaves_auto_recovery() {
        return Vec::new();
    }
    let disks = vm.vm.disks.iter().filter(|disk| disk.is_freezable());
    disks
        .flat_map(|disk| auto_recovery_of(&disk.path))
        .collect()
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
