//! The plan of each kind of VM on each version of Windows.

use std::fmt::Write as _;

use hyperv_host::{BackupRequest, Consistency, HypervHost, OnMissed, Severity, VmPlan};
use hyperv_sim::{
    Component, ComponentKind, DiskKind, DiskSpec, Guest, PowerState, Profile, Replication, SimHost,
    VmSpec,
};
use uuid::Uuid;

use crate::bench::Bench;

const MIB: u64 = 1 << 20;

/// Writes a plan in a line.
fn line(plan: &VmPlan) -> String {
    let mut line = plan.consistency.level.name().to_owned();
    for out in &plan.left_out {
        write!(line, " | out: {}", out.reason).unwrap();
    }
    for finding in &plan.findings {
        write!(line, " | {:?} {}", finding.severity, finding.id).unwrap();
    }
    line
}

fn spec(kind: DiskKind) -> VmSpec {
    VmSpec::new("vm").with_disk(DiskSpec::empty(16 * MIB).of_kind(kind))
}

type Change = fn(&SimHost, Uuid);

/// What a VM is like, and its plan on hosts that can back it up.
fn table() -> Vec<(VmSpec, Change, &'static str)> {
    let vm = || spec(DiskKind::Vhdx);
    let nothing: Change = |_, _| {};
    let old = VmSpec {
        version: Some("5.0".to_owned()),
        ..vm()
    };
    let tpm = VmSpec {
        has_tpm: true,
        ..vm()
    };
    let off = VmSpec {
        running: false,
        ..vm()
    };
    vec![
        (vm(), nothing, "application"),
        (
            vm().with_guest(Guest::LinuxWithDaemon),
            nothing,
            "file-system",
        ),
        (
            vm().with_guest(Guest::Linux),
            nothing,
            "crash | Warn VM-INTEGRATION",
        ),
        (
            vm().with_guest(Guest::None),
            nothing,
            "crash | Warn VM-IC-MISSING",
        ),
        (off, nothing, "crash"),
        (vm(), |sim, vm| sim.save(vm).unwrap(), "crash"),
        (vm(), |sim, vm| sim.pause(vm).unwrap(), "crash"),
        (
            vm(),
            |sim, vm| sim.set_power(vm, PowerState::Saving).unwrap(),
            "crash | Warn VM-BUSY",
        ),
        (
            vm(),
            |sim, vm| sim.set_power(vm, PowerState::PausedCritical).unwrap(),
            "crash | Block VM-STORAGE-LOST",
        ),
        (
            vm(),
            |sim, vm| sim.change_vm(vm, |vm| vm.user_snapshot_type = 5).unwrap(),
            "crash | Info VM-CHECKPOINT-TYPE",
        ),
        (
            vm(),
            |sim, vm| sim.change_vm(vm, |vm| vm.user_snapshot_type = 2).unwrap(),
            "application | Info VM-CHECKPOINT-TYPE",
        ),
        (
            vm(),
            |sim, vm| {
                let replication = Replication {
                    mode: 2,
                    state: 3,
                    health: 1,
                    applying_log: false,
                };
                sim.set_replication(vm, replication).unwrap();
                sim.stop(vm).unwrap();
            },
            "crash | Info VM-REPLICA",
        ),
        (old, nothing, "crash | Warn VM-OLD-VERSION"),
        (tpm, nothing, "application | Info VM-VTPM"),
        (
            spec(DiskKind::Vhd).with_generation(1),
            nothing,
            "application | Info VM-VHD-DISK",
        ),
        (
            spec(DiskKind::PassThrough),
            nothing,
            "application | out: pass-through | Warn VM-PASS-THROUGH",
        ),
        (
            spec(DiskKind::SharedVhdx),
            nothing,
            "application | out: shared | Block VM-SHARED-DISK",
        ),
        (
            spec(DiskKind::VhdSet),
            nothing,
            "application | out: vhd-set | Block VM-VHD-SET",
        ),
        (VmSpec::new("vm"), nothing, "application | Info VM-NO-DISKS"),
    ]
}

#[test]
fn each_kind_of_vm_has_its_plan_on_each_version() {
    for profile in Profile::SINCE_2012_R2 {
        for (at, (spec, change, expected)) in table().into_iter().enumerate() {
            let bench = Bench::with(profile, |sim| {
                let vm = sim.add_vm(&spec).unwrap();
                change(sim, vm);
            });
            let entry = bench.host.inventory().unwrap().vms.remove(0);
            let plan = bench
                .host
                .plan(&entry, &BackupRequest::default(), None)
                .unwrap();
            if profile == Profile::Server2012R2 {
                let mut blocks = plan.findings.iter();
                let blind = blocks.any(|finding| {
                    finding.id == "HOST-NO-VSS" && finding.severity == Severity::Block
                });
                assert!(blind, "row {at}: {}", line(&plan));
            } else {
                assert_eq!(line(&plan), expected, "row {at} on {profile}");
            }
        }
    }
}

#[test]
fn what_a_guest_does_not_give_is_told_before() {
    let bench = Bench::with(Profile::Server2022, |sim| {
        let vm = sim.add_vm(&spec(DiskKind::Vhdx)).unwrap();
        let component = Component {
            enabled: false,
            status: 2,
        };
        let switch_off = |vm: &mut hyperv_sim::Vm| {
            vm.components.insert(ComponentKind::Vss, component);
        };
        sim.change_vm(vm, switch_off).unwrap();
    });
    let entry = bench.host.inventory().unwrap().vms.remove(0);
    let request = BackupRequest {
        require: Some(Consistency::Application),
        on_missed: OnMissed::Fail,
        ..BackupRequest::default()
    };
    let plan = bench.host.plan(&entry, &request, None).unwrap();
    assert_eq!(plan.block().unwrap().id, "VM-CONSISTENCY");
    assert!(
        plan.consistency.reason.contains("switched off"),
        "{}",
        plan.consistency.reason
    );
}

#[test]
fn a_full_read_is_estimated_by_what_the_files_hold() {
    let bench = Bench::with(Profile::Server2022, |sim| {
        let spec = VmSpec::new("vm").with_disk(DiskSpec::empty(1 << 40));
        sim.add_vm(&spec).unwrap();
    });
    let entry = bench.host.inventory().unwrap().vms.remove(0);
    let plan = bench
        .host
        .plan(&entry, &BackupRequest::default(), None)
        .unwrap();
    assert!(
        plan.estimated_bytes() > 0 && plan.estimated_bytes() < 64 * MIB,
        "{plan:?}"
    );
}

#[test]
fn doctor_tells_of_the_host_and_of_each_vm() {
    let bench = Bench::with(Profile::Server2022, |sim| {
        sim.add_vm(&spec(DiskKind::PassThrough)).unwrap();
        sim.add_vm(&spec(DiskKind::Vhdx)).unwrap();
        sim.set_free_bytes("C:\\", 0).unwrap();
    });
    let found = bench.host.doctor().unwrap();
    let ids: Vec<_> = found
        .iter()
        .map(|(vm, finding)| (vm.as_deref(), finding.id.as_str()))
        .collect();
    assert!(ids.contains(&(None, "HOST-VOLUME-LOW")), "{ids:?}");
    assert!(ids.contains(&(Some("vm"), "VM-PASS-THROUGH")), "{ids:?}");
    assert_eq!(bench.sim.vms().unwrap().len(), 2, "nothing is touched");
}

#[test]
fn a_disk_that_this_machine_cannot_see_is_told_before_anything_is_made() {
    let bench = Bench::with(Profile::Server2022, |sim| {
        let vm = VmSpec {
            folder: Some("D:\\VMs".to_owned()),
            ..spec(DiskKind::Vhdx)
        };
        sim.add_volume("D:\\", 1 << 40).unwrap();
        sim.add_vm(&vm).unwrap();
    });
    let blind = bench.host_that_sees(&["C:\\"]);
    let entry = blind.inventory().unwrap().vms.remove(0);
    assert_eq!(entry.disks[0].size_bytes, None);
    let plan = blind.plan(&entry, &BackupRequest::default(), None).unwrap();
    let block = plan.block().unwrap();
    assert_eq!(block.id, "VM-DISK-UNREACHABLE");
    assert!(block.cure.as_ref().unwrap().contains("--host-files"));
    let entry = bench.host.inventory().unwrap().vms.remove(0);
    let plan = bench
        .host
        .plan(&entry, &BackupRequest::default(), None)
        .unwrap();
    assert!(plan.block().is_none(), "{plan:?}");
}
