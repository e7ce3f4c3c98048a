//! `Msvm_ComputerSystem`: the host and its VMs (contract 1.1).

use wmi::Instance;

use super::super::instance_ids::cim_time;
use super::super::view::HostView;
use crate::guid::guid_text;
use crate::{PlannedVm, Vm};

const CLASS: &str = "Msvm_ComputerSystem";

pub(crate) fn host(view: HostView<'_>) -> Instance {
    Instance::new(CLASS)
        .with(
            "Caption",
            view.localized("Hosting Computer System", "Hostcomputersystem"),
        )
        .with(
            "Description",
            view.localized(
                "Microsoft Hosting Computer System",
                "Microsoft-Hostcomputersystem",
            ),
        )
        .with("ElementName", view.host_name())
        .with("CreationClassName", CLASS)
        .with("Name", view.host_name())
        .with("EnabledState", 2_u16)
        .with("RequestedState", 12_u16)
        .with("EnabledDefault", 2_u16)
        .with("HealthState", 5_u16)
        .with("OperationalStatus", vec![2_u16])
        .with("ResetCapability", 1_u16)
        .with("InstallDate", cim_time(view.state.facts.booted))
}

pub(crate) fn vm(view: HostView<'_>, vm: &Vm) -> Instance {
    let mut instance = Instance::new(CLASS)
        .with(
            "Caption",
            view.localized("Virtual Machine", "Virtueller Computer"),
        )
        .with(
            "Description",
            view.localized(
                "Microsoft Virtual Computer System",
                "Microsoft Virtual Machine (virtueller Computer)",
            ),
        )
        .with("ElementName", vm.name.as_str())
        .with("CreationClassName", CLASS)
        .with("Name", guid_text(vm.id))
        .with("InstallDate", cim_time(vm.created))
        .with("EnabledState", vm.power.enabled_state())
        .with("RequestedState", 12_u16)
        .with("EnabledDefault", 2_u16)
        .with("HealthState", vm.health_state)
        .with("OperationalStatus", vm.operational_status())
        .with("StatusDescriptions", status_descriptions(view, vm))
        .with("ResetCapability", 1_u16)
        .with("TimeOfLastConfigurationChange", cim_time(vm.created))
        .with("NumberOfNumaNodes", 1_u16)
        .with("ReplicationMode", vm.replication.mode)
        .with("ReplicationState", vm.replication.state)
        .with("ReplicationHealth", vm.replication.health)
        .with("OnTimeInMilliseconds", on_time(view, vm));
    if let Some(process) = process_id(vm) {
        instance.set("ProcessID", process);
    }
    if let (Some(time), _) = vm.replication_times(view.state.now) {
        instance.set("LastReplicationTime", cim_time(time));
    }
    if let Some(time) = vm.last_backup {
        instance.set("LastSuccessfulBackupTime", cim_time(time));
    }
    instance
}

/// Makes `Msvm_PlannedComputerSystem` (contract 4.1).
pub(crate) fn planned(view: HostView<'_>, planned: &PlannedVm) -> Instance {
    const PLANNED: &str = "Msvm_PlannedComputerSystem";
    let vm = &planned.vm;
    Instance::new(PLANNED)
        .with(
            "Caption",
            view.localized("Planned Virtual Machine", "Geplanter virtueller Computer"),
        )
        .with("Description", "Microsoft Planned Virtual Machine")
        .with("ElementName", vm.name.as_str())
        .with("CreationClassName", PLANNED)
        .with("Name", guid_text(vm.id))
        .with("InstallDate", cim_time(vm.created))
        .with("EnabledState", vm.power.enabled_state())
        .with("RequestedState", 12_u16)
        .with("HealthState", 5_u16)
        .with("OperationalStatus", vec![2_u16])
        .with(
            "StatusDescriptions",
            vec!["The service is running normally"],
        )
}

fn status_descriptions(view: HostView<'_>, vm: &Vm) -> Vec<String> {
    let job = vm.active_job().or_else(|| vm.pending_merge());
    let first = if vm.health_state == 5 {
        view.localized("Operating normally", "Normaler Betrieb")
    } else {
        view.localized("Degraded", "Heruntergestuft")
    };
    let second = job.filter(|job| job.kind.operational_status().is_some());
    std::iter::once(first.to_owned())
        .chain(second.map(|job| job.kind.caption().to_owned()))
        .collect()
}

/// Returns the number of the worker process, which only a VM with memory has.
fn process_id(vm: &Vm) -> Option<u32> {
    let number = u32::from(vm.id.as_fields().1);
    vm.power.has_memory().then_some(1000 + number * 4)
}

fn on_time(view: HostView<'_>, vm: &Vm) -> u64 {
    if !vm.power.has_memory() {
        return 0;
    }
    let began = vm.created.max(view.state.facts.booted);
    let started = vm
        .started
        .map_or(began, |own| own.max(began))
        .as_millisecond();
    u64::try_from(view.state.now.as_millisecond() - started).unwrap_or(0)
}
