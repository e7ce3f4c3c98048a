//! What a backup does to a machine, from the checkpoint to the reference point and back.

use hyperv_sim::{Ledger, LedgerKind, Profile};
use wmi::{MethodError, Value, WmiErrorKind, WmiSession};

use crate::fixture::{POINTS, TestHost, guid, snapshot_settings, vm_path};

#[test]
fn a_cycle_ends_as_it_began_on_every_version() {
    for profile in Profile::SINCE_2012_R2.into_iter().skip(1) {
        cycle(&TestHost::new(profile));
    }
}

fn cycle(test: &TestHost) {
    let vm = test.add_vm("SQL01");
    let base = test
        .disks_of(&guid(vm))
        .remove(0)
        .texts("HostResource")
        .remove(0);
    let first = test.create_snapshot(vm).unwrap();
    assert_eq!(
        first.text("VirtualSystemType").as_deref(),
        Some("Microsoft:Hyper-V:Snapshot:Recovery")
    );
    assert_eq!(first.text("VirtualSystemIdentifier"), Some(guid(vm)));
    let frozen = test.disks_of(&first.text("ConfigurationID").unwrap());
    assert_eq!(frozen[0].texts("HostResource"), std::slice::from_ref(&base));
    let running = test
        .disks_of(&guid(vm))
        .remove(0)
        .texts("HostResource")
        .remove(0);
    assert!(running.ends_with(".avhdx"), "{running}");

    let point = test.convert(&first).unwrap();
    let disk_id = test
        .disks_of(&guid(vm))
        .remove(0)
        .text("InstanceID")
        .unwrap();
    assert_eq!(point.texts("VirtualDiskIdentifiers"), [disk_id]);
    let limit = point.texts("ResilientChangeTrackingIdentifiers").remove(0);
    assert!(limit.starts_with("rctX:"), "{limit}");
    test.host.settle().unwrap();
    let running = test
        .disks_of(&guid(vm))
        .remove(0)
        .texts("HostResource")
        .remove(0);
    assert_eq!(running, base, "merged back");

    test.host.write(vm, 0, 3 << 20, &[7; 4096]).unwrap();
    let second = test.create_snapshot(vm).unwrap();
    let frozen = test.disks_of(&second.text("ConfigurationID").unwrap());
    let frozen = frozen[0].texts("HostResource").remove(0);
    let changes = test.changes(&frozen, &limit).unwrap();
    assert_eq!(changes.numbers::<u64>("ChangedByteOffsets"), [3_u64 << 20]);
    assert_eq!(changes.numbers::<u64>("ChangedByteLengths"), [32 << 10]);
    assert_eq!(changes.number::<u64>("ProcessedByteLength"), Some(8 << 20));
    let newer = test.convert(&second).unwrap();
    test.host.settle().unwrap();
    for point in [point, newer] {
        let path = point.path.clone().unwrap();
        let parameters = [("AffectedReferencePoint", path.clone().into())];
        test.call(POINTS, "DestroyReferencePoint", &parameters)
            .unwrap();
        let gone = test.session.get(&path).unwrap_err();
        assert_eq!(gone.kind(), WmiErrorKind::NotFound);
    }
    let ledger = test.host.ledger().unwrap();
    for kind in [
        LedgerKind::Snapshot,
        LedgerKind::ReferencePoint,
        LedgerKind::CheckpointFile,
    ] {
        assert_eq!(ledger.of_kind(kind).count(), 0, "{kind:?}");
    }
}

#[test]
fn an_unwanted_checkpoint_leaves_nothing() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    // The first checkpoint switches tracking on, which stays.
    let snapshot = test.create_snapshot(vm).unwrap();
    test.destroy_snapshot(&snapshot).unwrap();
    test.host.settle().unwrap();
    let before = test.host.ledger().unwrap();
    let snapshot = test.create_snapshot(vm).unwrap();
    assert!(!Ledger::difference(&before, &test.host.ledger().unwrap()).is_empty());
    test.destroy_snapshot(&snapshot).unwrap();
    test.host.settle().unwrap();
    assert_eq!(
        Ledger::difference(&before, &test.host.ledger().unwrap()),
        []
    );
}

#[test]
fn an_unknown_tracking_id_is_refused() {
    let test = TestHost::new(Profile::Server2022);
    let vm = test.add_vm("SQL01");
    let snapshot = test.create_snapshot(vm).unwrap();
    let frozen = test.disks_of(&snapshot.text("ConfigurationID").unwrap());
    let frozen = frozen[0].texts("HostResource").remove(0);
    for (limit, code) in [
        (
            "rctX:5bfde23b:ce75:4303:b54f:6c18394f105c:00000001",
            0xC03A_0030,
        ),
        ("nonsense", 0xC03A_0029),
    ] {
        let error = test.changes(&frozen, limit).unwrap_err();
        assert_eq!(error.code(), Some(code), "{limit}: {error}");
    }
}

#[test]
fn windows_2012_r2_has_no_recovery_checkpoints() {
    let test = TestHost::new(Profile::Server2012R2);
    let vm = test.add_vm("SQL01");
    assert_eq!(test.create_snapshot(vm).unwrap_err().code(), Some(32773));
    let service = test.service(POINTS).unwrap_err();
    assert_eq!(service.kind(), WmiErrorKind::NoClass);
    let parameters = [("AffectedSnapshot", vm_path(vm).into())];
    let error = test.call(
        crate::fixture::SNAPSHOTS,
        "ConvertToReferencePoint",
        &parameters,
    );
    let MethodError::Wmi { source, .. } = *error.unwrap_err() else {
        panic!("the host has the method");
    };
    assert_eq!(source.kind(), WmiErrorKind::NoMethod);
}

#[test]
fn the_kind_of_guest_backup_exists_since_2019() {
    for (profile, expected) in [
        (Profile::Server2016, Some(32773)),
        (Profile::Server2019, None),
    ] {
        let test = TestHost::new(profile);
        let vm = test.add_vm("SQL01");
        let settings = snapshot_settings(1).replace(
            "</INSTANCE>",
            "<PROPERTY NAME=\"GuestBackupType\" TYPE=\"uint8\"><VALUE>2</VALUE></PROPERTY></INSTANCE>",
        );
        let parameters = [
            ("AffectedSystem", vm_path(vm).into()),
            ("SnapshotSettings", settings.into()),
            ("SnapshotType", Value::from(32768_u16)),
        ];
        let result = test.call(crate::fixture::SNAPSHOTS, "CreateSnapshot", &parameters);
        assert_eq!(
            result.err().and_then(|error| error.code()),
            expected,
            "{profile}"
        );
    }
}
