//! What is worth knowing of a VM's guest, and of a VM beside its disks, before a backup.

use hyperv_host::{Finding, PowerState, Severity};
use support_matrix::Freeze;

use crate::facts::{GuestService, HostState, VmFacts};
use crate::findings::guest_row;

pub(super) fn findings(vm: &VmFacts, host: &HostState, is_node: bool) -> Vec<Finding> {
    let found = [
        old_guest(vm),
        domain_controller(vm),
        data_exchange(vm),
        not_running(vm),
        other_volume(vm, host),
        // Whoever looks at a whole cluster tells it by himself.
        not_clustered(vm, host).filter(|_| !is_node),
    ];
    found.into_iter().flatten().collect()
}

/// Guests in which nothing can be frozen (PRE-22).
fn old_guest(vm: &VmFacts) -> Option<Finding> {
    let row = guest_row(vm).filter(|row| row.freeze == Freeze::None)?;
    let system = vm.guest.system.as_deref().unwrap_or(&row.name);
    let text = format!(
        "the guest is {system}, in which nothing takes part in a backup: points are \
         crash-consistent, and hosts before Windows Server 2012 R2 have to save the VM"
    );
    Some(Finding::new("VM-OLD-GUEST", Severity::Warn, text).cure(
        "accept that, shut the VM down for its backup, or allow it to be saved where that is needed",
    ))
}

/// Requirement CONS-14.
fn domain_controller(vm: &VmFacts) -> Option<Finding> {
    vm.guest.is_domain_controller.then(|| {
        let text = "the guest is a domain controller: its points come from a snapshot, and bringing \
                    one back follows Active Directory's own rules";
        Finding::new("VM-DOMAIN-CONTROLLER", Severity::Info, text).cure(
            "take application-consistent points (--require application); with other controllers \
             alive rather make a new one than restore an old one",
        )
    })
}

/// Requirement OPS-07.
fn data_exchange(vm: &VmFacts) -> Option<Finding> {
    if vm.state != PowerState::Running {
        return None;
    }
    let answers = matches!(vm.vss, GuestService::Answers | GuestService::Degraded);
    let text = match vm.exchange {
        GuestService::Disabled => {
            "the data exchange integration service is switched off: what system the guest is, is \
             not known, and hints for it are missing"
        }
        GuestService::Silent | GuestService::Absent if answers => {
            "the guest does not answer the data exchange service: what system it is, is not known, \
             and hints for it are missing"
        }
        _ => return None,
    };
    let cure = match vm.exchange {
        GuestService::Disabled => format!(
            "`lifeboat doctor --fix VM-DATA-EXCHANGE`, or Enable-VMIntegrationService -VMName {:?} \
             -Name \"Key-Value Pair Exchange\"",
            vm.name
        ),
        _ => "start \"Hyper-V Data Exchange Service\" in a Windows guest, hv_kvp_daemon in Linux"
            .to_owned(),
    };
    Some(Finding::new("VM-DATA-EXCHANGE", Severity::Info, text).cure(cure))
}

/// Requirement PRE-18.
fn not_running(vm: &VmFacts) -> Option<Finding> {
    let text = match vm.state {
        PowerState::Off => "the VM is off: a point of it is as good as its disks were left",
        PowerState::Saved => {
            "the VM is saved: a point of it needs the memory that is saved with it"
        }
        PowerState::Paused => {
            "the VM is paused: its guest is not asked, and a point of it is crash-consistent"
        }
        _ => return None,
    };
    Some(
        Finding::new("VM-NOT-RUNNING", Severity::Info, text)
            .cure("start it before the backup where its applications should take part"),
    )
}

/// Requirements PRE-26 and PRE-27; a plan that is to be strict blocks on it.
fn other_volume(vm: &VmFacts, host: &HostState) -> Option<Finding> {
    let mount = |path: &str| Some(host.volume_of(path)?.mount.to_uppercase());
    let checkpoints = mount(vm.settings.snapshot_root.as_deref()?)?;
    let disks = vm.disks.iter().filter(|disk| disk.is_freezable());
    let mut mounts: Vec<String> = disks.filter_map(|disk| mount(&disk.path)).collect();
    mounts.sort();
    mounts.dedup();
    if mounts.is_empty() || mounts.contains(&checkpoints) {
        return None;
    }
    let text = format!(
        "checkpoints of the VM go to {checkpoints}, and its disks lie on {}: a backup through VSS \
         has to snap all of them at one moment",
        mounts.join(", ")
    );
    Some(
        Finding::new("VM-OTHER-VOLUME", Severity::Info, text).cure(format!(
            "nothing, as a rule; else Set-VM {:?} -SnapshotFileLocation to the volume of its disks",
            vm.name
        )),
    )
}

/// Requirement CLUS-03.
fn not_clustered(vm: &VmFacts, host: &HostState) -> Option<Finding> {
    let cluster = host.cluster.as_ref().filter(|_| !vm.clustered)?;
    let text = format!(
        "the VM is no role of the cluster {}: it goes down with this node, and its backup with it",
        cluster.name
    );
    Some(Finding::new("VM-NOT-CLUSTERED", Severity::Info, text).cure(format!(
        "if that is not on purpose: Add-ClusterVirtualMachineRole -VMName {:?}, with its files on a \
         cluster shared volume",
        vm.name
    )))
}
