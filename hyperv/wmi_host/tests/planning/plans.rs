//! What a backup of each kind of VM would do.

use std::fmt::Write as _;
use std::sync::Arc;

use hyperv_host::{
    BackupMode, BackupRequest, Consistency, HypervHost, OnMissed, UnfreezableDisks, VmPlan,
};
use vm_config::{ControllerKind, DiskSlot};

use crate::listed_host::ListedHost;
use crate::vm_instances::VmInstances;

fn plan_of(vm: &VmInstances, request: &BackupRequest) -> VmPlan {
    let host = Arc::new(ListedHost::new("10.0.20348").with(vm)).host();
    let entry = host.inventory().unwrap().vms.remove(0);
    host.plan(&entry, request, None).unwrap()
}

/// Writes a plan in a line; that nothing says where the host's files are goes without saying.
fn line(plan: &VmPlan) -> String {
    let mut line = plan.consistency.level.name().to_owned();
    for disk in &plan.disks {
        let reason = disk.full.map_or("changed", |reason| reason.text());
        write!(line, " | {}: {reason}", disk.number).unwrap();
    }
    for out in &plan.left_out {
        write!(line, " | out: {}", out.reason).unwrap();
    }
    for finding in &plan.findings {
        if finding.id != "HOST-NO-BYTES" {
            write!(line, " | {:?} {}", finding.severity, finding.id).unwrap();
        }
    }
    line
}

/// A VM with a disk that goes without saying.
fn vm() -> VmInstances {
    VmInstances::new(1, "vm").disk("scsi", 0, r"C:\VMs\a.vhdx")
}

#[test]
fn each_kind_of_vm_has_its_plan() {
    let state = |number: u16| vm().windows().system("EnabledState", number);
    let doing = |number: u16| vm().windows().system("OperationalStatus", vec![2, number]);
    let replica = |state: u16| {
        vm().windows()
            .system("EnabledState", 3_u16)
            .system("ReplicationMode", 2_u16)
            .system("ReplicationState", state)
    };
    let linux = |status: u16| {
        vm().vss(2, status)
            .says(&[("OSName", "Debian GNU/Linux 12")])
    };
    let old = "20260901000000.000000-000";
    let new = "20261120000000.000000-000";
    #[rustfmt::skip]
    let table = [
        (vm().windows(), "application | 0: first backup of this VM"),
        (linux(2), "file-system | 0: first backup of this VM"),
        (linux(12), "crash | 0: first backup of this VM | Warn VM-INTEGRATION"),
        (vm().vss(2, 2), "file-system | 0: first backup of this VM"),
        (vm().vss(2, 3), "file-system | 0: first backup of this VM | Info VM-INTEGRATION"),
        (vm().vss(3, 2), "crash | 0: first backup of this VM | Warn VM-IC-BACKUP"),
        (vm(), "crash | 0: first backup of this VM | Warn VM-IC-MISSING"),
        (state(3), "crash | 0: first backup of this VM"),
        (state(6), "crash | 0: first backup of this VM"),
        (state(9), "crash | 0: first backup of this VM"),
        (state(32773), "crash | 0: first backup of this VM | Warn VM-BUSY"),
        (state(32781), "crash | 0: first backup of this VM | Block VM-STORAGE-LOST"),
        (doing(32772), "application | 0: first backup of this VM | Block VM-MERGE-PENDING"),
        (doing(32776), "application | 0: first backup of this VM | Warn VM-BUSY"),
        (vm().windows().setting("UserSnapshotType", 5_u16), "crash | 0: first backup of this VM | Info VM-CHECKPOINT-TYPE"),
        (vm().windows().setting("UserSnapshotType", 2_u16), "application | 0: first backup of this VM | Info VM-CHECKPOINT-TYPE"),
        (vm().windows().setting("Version", "5.0"), "crash | 0: the VM's configuration version is below 8.0 | Warn VM-OLD-VERSION"),
        (vm().windows().disk("ide", 0, r"C:\VMs\b.vhd"), "application | 0: the disk is no VHDX, and only those are tracked | 1: first backup of this VM | Info VM-VHD-DISK"),
        (vm().windows().pass_through(3), "application | 0: first backup of this VM | out: pass-through | Warn VM-PASS-THROUGH"),
        (vm().windows().shared_disk(3, r"C:\s.vhdx"), "application | 0: first backup of this VM | out: shared | Block VM-SHARED-DISK"),
        (vm().windows().shared_disk(3, r"C:\s.vhds"), "application | 0: first backup of this VM | out: vhd-set | Block VM-VHD-SET"),
        (vm().windows().security(true, false), "application | 0: first backup of this VM | Info VM-VTPM"),
        (vm().windows().security(true, true), "application | 0: first backup of this VM | Block VM-SHIELDED"),
        (replica(3), "crash | 0: first backup of this VM | Info VM-REPLICA"),
        (replica(10), "crash | 0: first backup of this VM | Warn VM-REPLICA"),
        (vm().windows().snapshot(5, "Recovery", "vm - Backup", new), "application | 0: first backup of this VM | Warn VM-LEFTOVER-CHECKPOINT"),
        (vm().windows().snapshot(5, "Realized", "before update", old), "application | 0: first backup of this VM | Warn VM-OLD-CHECKPOINTS"),
        (vm().windows().snapshot(5, "Realized", "before update", new), "application | 0: first backup of this VM"),
        (vm().windows().setting("Notes", vec!["test, NoBackup"]), "application | 0: first backup of this VM | Info VM-NOBACKUP-TAG"),
        (vm().vss(2, 2).says(&[("OSName", "Windows"), ("initiator", "iqn.1991-05.com.microsoft:a")]), "application | 0: first backup of this VM | Warn VM-GUEST-ISCSI"),
        (VmInstances::new(1, "vm").windows(), "application | Info VM-NO-DISKS"),
    ];
    for (at, (vm, expected)) in table.iter().enumerate() {
        let plan = plan_of(vm, &BackupRequest::default());
        assert_eq!(line(&plan), *expected, "row {at}");
        assert_eq!(plan.interruption, "none");
        assert!(!plan.consistency.reason.is_empty());
    }
}

#[test]
fn a_level_that_is_not_to_be_had_is_told_before() {
    let request = |require, on_missed| BackupRequest {
        require: Some(require),
        on_missed,
        ..BackupRequest::default()
    };
    let linux = vm().vss(2, 2).says(&[("OSName", "Debian GNU/Linux 12")]);
    let table = [
        (
            Consistency::Application,
            OnMissed::Fail,
            " | Block VM-CONSISTENCY",
        ),
        (
            Consistency::Application,
            OnMissed::Warn,
            " | Warn VM-CONSISTENCY",
        ),
        (Consistency::Application, OnMissed::Accept, ""),
        (Consistency::FileSystem, OnMissed::Fail, ""),
    ];
    for (require, on_missed, expected) in table {
        let plan = plan_of(&linux, &request(require, on_missed));
        let expected = format!("file-system | 0: first backup of this VM{expected}");
        assert_eq!(line(&plan), expected, "{require:?}, {on_missed:?}");
    }
}

#[test]
fn disks_are_left_out_or_refused_as_the_request_says() {
    let vm = vm()
        .windows()
        .pass_through(3)
        .disk("scsi", 5, r"C:\VMs\b.vhdx");
    let refuse = BackupRequest {
        unfreezable: UnfreezableDisks::Refuse,
        ..BackupRequest::default()
    };
    assert!(line(&plan_of(&vm, &refuse)).ends_with("Block VM-PASS-THROUGH"));
    let slot = |slot| DiskSlot {
        kind: ControllerKind::Scsi,
        controller: 0,
        slot,
    };
    let exclude = BackupRequest {
        exclude: vec![slot(3), slot(5), slot(9)],
        ..refuse
    };
    let expected = "application | 0: first backup of this VM | out: excluded | out: excluded \
                    | Warn VM-EXCLUDE-UNKNOWN | Info VM-DISK-EXCLUDED | Info VM-DISK-EXCLUDED";
    assert_eq!(line(&plan_of(&vm, &exclude)), expected);
}

#[test]
fn the_standard_mode_reads_everything() {
    let request = BackupRequest {
        mode: BackupMode::Standard,
        ..BackupRequest::default()
    };
    assert_eq!(
        line(&plan_of(&vm().windows(), &request)),
        "application | 0: read without tracking"
    );
}

#[test]
fn a_volume_that_is_too_full_is_told_before() {
    let vm = VmInstances::new(1, "vm")
        .windows()
        .disk("scsi", 0, r"E:\a.vhdx");
    let host = ListedHost::new("10.0.20348").with(&vm);
    host.add_volume(r"E:\", 1 << 40, 1 << 30);
    let host = Arc::new(host).host();
    let entry = host.inventory().unwrap().vms.remove(0);
    let plan = host.plan(&entry, &BackupRequest::default(), None).unwrap();
    assert!(line(&plan).contains("Block VM-NO-ROOM"), "{}", line(&plan));
}

#[test]
fn an_old_host_and_one_without_bytes_or_vss_block_every_backup() {
    let blocks = |version: &str| {
        let host = Arc::new(ListedHost::new(version).with(&vm())).host();
        let entry = host.inventory().unwrap().vms.remove(0);
        let plan = host.plan(&entry, &BackupRequest::default(), None).unwrap();
        let blocks = plan.findings.into_iter();
        let blocks = blocks.filter(|own| own.severity == hyperv_host::Severity::Block);
        blocks.map(|own| own.id).collect::<Vec<_>>()
    };
    assert_eq!(blocks("6.3.9600"), ["HOST-NO-BYTES", "HOST-NO-VSS"]);
    assert_eq!(blocks("6.1.7601"), ["HOST-NO-BYTES", "HOST-OLD"]);
}

#[test]
fn checkpoints_on_another_volume_are_told_or_refused() {
    let vm = VmInstances::new(1, "vm")
        .windows()
        .disk("scsi", 0, r"C:\VMs\a.vhdx")
        .setting("SnapshotDataRoot", r"E:\Checkpoints");
    let plan = |request: &BackupRequest| {
        let host = ListedHost::new("6.3.9600").with(&vm);
        host.add_volume(r"E:\", 1 << 40, 1 << 39);
        let host = Arc::new(host).host();
        let entry = host.inventory().unwrap().vms.remove(0);
        line(&host.plan(&entry, request, None).unwrap())
    };
    assert!(plan(&BackupRequest::default()).contains("Info VM-OTHER-VOLUME"));
    let strict = BackupRequest {
        same_volume: true,
        ..BackupRequest::default()
    };
    assert!(plan(&strict).contains("Block VM-OTHER-VOLUME"));
}
