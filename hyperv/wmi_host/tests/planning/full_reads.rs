//! Why a disk is read in full although a point knows it.

use std::sync::Arc;

use hyperv_host::{BackupRequest, FullReason, HypervHost, PreviousBackup, PreviousDisk};
use vm_config::{ControllerKind, DiskSlot};
use wmi::Instance;

use crate::listed_host::ListedHost;
use crate::vm_instances::VmInstances;

const DISK_ID: &str = "00000000-0000-0000-0000-0000000000d1";

/// A VM after its first backup.
fn vm() -> VmInstances {
    VmInstances::new(1, "vm")
        .windows()
        .disk("scsi", 0, r"C:\VMs\a.vhdx")
        .reference_point("Microsoft:RP", 0, "rctX:1")
}

/// The cursor that the first backup left, with changes.
fn cursor(changes: &[(&str, &str)]) -> String {
    let mut text = r#"{"version":1,"reference_point":"Microsoft:RP","tracking_id":"rctX:1",
        "disk_id":"DISK","size_bytes":1000,"leaf_path":"C:\\VMs\\a.vhdx",
        "base_path":"C:\\VMs\\a.vhdx","vm":{"id":"00000000-0000-0000-0000-000000000001",
        "created":"20260101000000.000000-000","parent_snapshot":null,
        "last_applied_snapshot":null}}"#
        .replace("DISK", DISK_ID);
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    text
}

fn reason(vm: &VmInstances, slot: u32, cursor: Option<String>) -> Option<FullReason> {
    let previous = PreviousBackup {
        point: "p1".to_owned(),
        disks: vec![PreviousDisk {
            number: 0,
            configured_path: r"C:\VMs\a.vhdx".to_owned(),
            slot: Some(DiskSlot {
                kind: ControllerKind::Scsi,
                controller: 0,
                slot,
            }),
            disk_id: Some(DISK_ID.to_owned()),
            size_bytes: 1000,
            cursor,
        }],
    };
    let host = Arc::new(ListedHost::new("10.0.20348").with(vm)).host();
    let entry = host.inventory().unwrap().vms.remove(0);
    let plan = host.plan(&entry, &BackupRequest::default(), Some(&previous));
    let plan = plan.unwrap();
    let told = plan
        .findings
        .iter()
        .any(|finding| finding.id == "VM-FULL-READ");
    let full = plan.disks[0].full;
    assert_eq!(told, full.is_some_and(|full| full != FullReason::NewDisk));
    full
}

#[test]
fn a_tracked_disk_is_asked_for_what_changed() {
    assert_eq!(reason(&vm(), 0, Some(cursor(&[]))), None);
    // People made a checkpoint since: what was written before and after it is all tracked.
    let checkpoint = VmInstances::new(1, "vm")
        .windows()
        .disk("scsi", 0, r"C:\VMs\a_5.avhdx")
        .reference_point("Microsoft:RP", 0, "rctX:1")
        .snapshot(5, "Realized", "s", "20261120000000.000000-000")
        .derives_from(5);
    assert_eq!(reason(&checkpoint, 0, Some(cursor(&[]))), None);
}

#[test]
fn each_reason_is_told() {
    let of = |changes: &[(&str, &str)]| reason(&vm(), 0, Some(cursor(changes)));
    assert_eq!(reason(&vm(), 0, None), Some(FullReason::NoReferencePoint));
    assert_eq!(
        reason(&vm(), 0, Some("?".to_owned())),
        Some(FullReason::IdUnknown)
    );
    assert_eq!(
        reason(&vm(), 3, Some(cursor(&[]))),
        Some(FullReason::NewDisk)
    );
    assert_eq!(
        of(&[("Microsoft:RP", "Microsoft:X")]),
        Some(FullReason::ReferencePointGone)
    );
    assert_eq!(of(&[("rctX:1", "rctX:9")]), Some(FullReason::IdUnknown));
    assert_eq!(
        of(&[("20260101", "20250101")]),
        Some(FullReason::VmRestored)
    );
    let other_vm = [("000000000001\"", "000000000002\"")];
    assert_eq!(of(&other_vm), Some(FullReason::VmRestored));
    let moved = [(r"C:\\VMs\\a.vhdx", r"D:\\VMs\\a.vhdx")];
    assert_eq!(of(&moved), Some(FullReason::StorageMigrated));
}

#[test]
fn a_checkpoint_that_was_applied_is_noticed() {
    let id = |number: u32| format!("Microsoft:00000000-0000-0000-0000-{number:012}");
    let created = "20261120000000.000000-000";
    let tree = |leaf: &str| {
        VmInstances::new(1, "vm")
            .windows()
            .disk("scsi", 0, leaf)
            .reference_point("Microsoft:RP", 0, "rctX:1")
            .snapshot(5, "Realized", "first", created)
            .snapshot(6, "Realized", "second", created)
    };
    let after = |parent: u32| {
        let parent = format!("\"parent_snapshot\":\"{}\"", id(parent));
        let leaf = r"C:\\VMs\\a_6.avhdx";
        cursor(&[
            ("\"parent_snapshot\":null", parent.as_str()),
            (
                r#""leaf_path":"C:\\VMs\\a.vhdx""#,
                &format!("\"leaf_path\":\"{leaf}\""),
            ),
        ])
    };
    // It derived from 6 and does so still, in the same file.
    let same = tree(r"C:\VMs\a_6.avhdx").derives_from(6);
    assert_eq!(reason(&same, 0, Some(after(6))), None);
    // The same one was applied again: another file.
    let again = tree(r"C:\VMs\a_7.avhdx").derives_from(6);
    let applied = Some(FullReason::CheckpointApplied);
    assert_eq!(reason(&again, 0, Some(after(6))), applied);
    // Another one was applied.
    let back = tree(r"C:\VMs\a_7.avhdx").derives_from(5);
    assert_eq!(reason(&back, 0, Some(after(6))), applied);
    // The one that it derived from was removed: it may have been applied before, and what was
    // written since the last backup thrown away. Nothing tells the two apart.
    let merged = tree(r"C:\VMs\a_5.avhdx").derives_from(5);
    assert_eq!(reason(&merged, 0, Some(after(8))), applied);
    // The host says what was applied last.
    let path = |class: &str, key: &str, value: String| {
        let path = wmi::ObjectPath::new(wmi::VIRTUALIZATION, class);
        wmi::Value::Reference(path.with_key(key, value))
    };
    let association = Instance::new("Msvm_LastAppliedSnapshot")
        .with(
            "Antecedent",
            path("Msvm_VirtualSystemSettingData", "InstanceID", id(6)),
        )
        .with(
            "Dependent",
            path("Msvm_ComputerSystem", "Name", vm().identity()),
        );
    assert_eq!(reason(&same.other(association), 0, Some(after(6))), applied);
}
