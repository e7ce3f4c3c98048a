//! VMs that are not like others.

use hyperv_host::{
    BackupRequest, Consistency, FullReason, HostErrorKind, OnMissed, UnfreezableDisks,
};
use hyperv_sim::{Component, ComponentKind, DiskKind, DiskSpec, Guest, Profile, VmSpec};

use crate::run::{back_up, request};
use crate::stage::{DISK_BYTES, Stage};

fn one_disk(name: &str) -> VmSpec {
    VmSpec::new(name).with_disk(DiskSpec::empty(DISK_BYTES))
}

#[test]
fn each_guest_reaches_its_level_and_the_reason_is_told() {
    for (guest, level) in [
        (Guest::Windows, Consistency::Application),
        (Guest::LinuxWithDaemon, Consistency::FileSystem),
        (Guest::Linux, Consistency::Crash),
        (Guest::None, Consistency::Crash),
    ] {
        let stage = Stage::new(Profile::Server2022);
        let vm = stage.add(&one_disk("vm").with_guest(guest));
        let (_, host) = stage.connect();
        let point = back_up(&stage, &host, vm, &request("1"), None).unwrap();
        assert_eq!(point.consistency.level, level, "{guest:?}");
        assert!(!point.consistency.reason.is_empty());
    }
}

/// The host believes that the guest answers, and then it does not.
fn with_a_failing_writer(stage: &Stage) {
    let fault = hyperv_sim::Fault::new(
        hyperv_sim::FaultPoint::Method("CreateSnapshot".to_owned()),
        hyperv_sim::Effect::JobFails {
            code: 32768,
            text: "the writer SqlServerWriter failed".to_owned(),
        },
    );
    stage.sim.plan_fault(fault.nth(1)).unwrap();
}

#[test]
fn a_guest_that_fails_is_told_of_and_the_policy_decides() {
    let ask = |require, on_missed| {
        let stage = Stage::new(Profile::Server2022);
        let vm = stage.add(&one_disk("vm"));
        let before = stage.ledger();
        with_a_failing_writer(&stage);
        let (_, host) = stage.connect();
        let request = BackupRequest {
            require,
            on_missed,
            ..request("1")
        };
        let result = back_up(&stage, &host, vm, &request, None);
        assert_eq!(stage.differences(&before), []);
        assert_eq!(stage.journal_entries(), 0);
        result
    };
    let application = Some(Consistency::Application);
    let error = ask(application, OnMissed::Fail).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::ConsistencyMissed, "{error}");
    for (require, on_missed, findings) in [
        (application, OnMissed::Warn, &["VM-CONSISTENCY"][..]),
        (application, OnMissed::Accept, &[]),
        (None, OnMissed::Fail, &["VM-CONSISTENCY"]),
    ] {
        let point = ask(require, on_missed).unwrap();
        assert_eq!(point.consistency.level, Consistency::Crash);
        assert!(point.consistency.reason.contains("SqlServerWriter"));
        assert_eq!(point.ids(), findings);
    }
}

#[test]
fn a_required_level_that_is_not_to_be_had_blocks_before_anything_is_made() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add(&one_disk("vm"));
    let silent = Component {
        enabled: true,
        status: 12,
    };
    stage
        .sim
        .set_component(vm, ComponentKind::Vss, silent)
        .unwrap();
    let (session, host) = stage.connect();
    let request = BackupRequest {
        require: Some(Consistency::Application),
        ..request("1")
    };
    let error = back_up(&stage, &host, vm, &request, None).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Blocked, "{error}");
    assert!(error.to_string().contains("VM-CONSISTENCY"), "{error}");
    assert_eq!(session.call_count().of("CreateSnapshot"), 0);
}

#[test]
fn vms_that_are_off_saved_or_paused_are_read_as_they_are() {
    for state in ["off", "saved", "paused"] {
        for profile in [Profile::Server2016, Profile::Server2022] {
            let stage = Stage::new(profile);
            let vm = stage.add_two_disks("vm");
            match state {
                "off" => stage.sim.stop(vm).unwrap(),
                "saved" => stage.sim.save(vm).unwrap(),
                _ => stage.sim.pause(vm).unwrap(),
            }
            let before = stage.ledger();
            let (_, host) = stage.connect();
            let first = back_up(&stage, &host, vm, &request("1"), None).unwrap();
            assert_eq!(first.consistency.level, Consistency::Crash, "{state}");
            let second = back_up(&stage, &host, vm, &request("2"), Some(&first)).unwrap();
            assert_eq!(second.reasons, [None; 2], "{state}: {:?}", second.findings);
            assert_eq!(stage.differences(&before), [], "{state} {profile}");
            let has_memory = first.files.iter().any(|file| file.ends_with(".vmrs"));
            assert!(has_memory || state == "off", "{state}: {:?}", first.files);
        }
    }
}

#[test]
fn the_point_has_the_files_of_a_proper_vm_folder() {
    let stage = Stage::new(Profile::Server2022);
    let mut spec = one_disk("vm");
    spec.has_tpm = true;
    let vm = stage.add(&spec);
    let (_, host) = stage.connect();
    let entry = stage.entry(vm);
    let steps = crate::run::Steps::default();
    use hyperv_host::HypervHost as _;
    let frozen = host
        .begin_backup(&entry, &request("1"), None, &steps)
        .unwrap();
    let id = vm.hyphenated().to_string().to_uppercase();
    let mut names: Vec<String> = (frozen.source().files.iter())
        .map(|file| file.relative_path.clone())
        .collect();
    names.sort();
    assert!(
        names.contains(&format!("Virtual Machines/{id}.vmcx")),
        "{names:?}"
    );
    assert!(
        names.contains(&format!("Virtual Machines/{id}.vmgs")),
        "{names:?}"
    );
    let configuration = frozen.source().configuration.as_ref().unwrap();
    assert_eq!((configuration.id, configuration.name.as_str()), (vm, "vm"));
    assert_eq!(
        configuration.disks[0].path,
        frozen.source().disks[0].configured_path
    );
    assert!(
        frozen.source().findings.is_empty(),
        "{:?}",
        frozen.source().findings
    );
    frozen.abandon();
}

#[test]
fn disks_that_cannot_be_frozen_are_left_out_or_stand_in_the_way() {
    let with = |kind| {
        let stage = Stage::new(Profile::Server2022);
        let spec = one_disk("vm").with_disk(DiskSpec::empty(DISK_BYTES).of_kind(kind));
        let vm = stage.add(&spec);
        (stage, vm)
    };
    let refuse = BackupRequest {
        unfreezable: UnfreezableDisks::Refuse,
        ..request("3")
    };
    let (stage, vm) = with(DiskKind::PassThrough);
    let (_, host) = stage.connect();
    let first = back_up(&stage, &host, vm, &request("1"), None).unwrap();
    assert_eq!(first.left_out, ["pass-through"]);
    assert_eq!(first.contents.len(), 1);
    stage.write(vm, 9);
    let second = back_up(&stage, &host, vm, &request("2"), Some(&first)).unwrap();
    assert_eq!(second.reasons, [None]);
    let error = back_up(&stage, &host, vm, &refuse, Some(&second)).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Blocked, "{error}");
    // A disk that several VMs use stands in the way of every checkpoint.
    for kind in [DiskKind::SharedVhdx, DiskKind::VhdSet] {
        let (stage, vm) = with(kind);
        let before = stage.ledger();
        let (_, host) = stage.connect();
        back_up(&stage, &host, vm, &request("1"), None).unwrap_err();
        assert_eq!(stage.differences(&before), []);
        assert_eq!(stage.journal_entries(), 0);
    }
}

#[test]
fn an_excluded_disk_is_not_read_and_the_others_go_on_by_changes() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let (_, host) = stage.connect();
    let first = back_up(&stage, &host, vm, &request("1"), None).unwrap();
    stage.write(vm, 4);
    let exclude = BackupRequest {
        exclude: vec![stage.entry(vm).disks[0].slot.unwrap()],
        ..request("2")
    };
    let second = back_up(&stage, &host, vm, &exclude, Some(&first)).unwrap();
    assert_eq!(second.left_out, ["excluded"]);
    assert_eq!(second.reasons, [None]);
    assert_eq!(second.backup.disks[0].number, 1);
    stage.write(vm, 5);
    let third = back_up(&stage, &host, vm, &request("3"), Some(&second)).unwrap();
    assert_eq!(third.reasons, [Some(FullReason::NewDisk), None]);
}

#[test]
fn old_disks_and_old_versions_are_read_in_full_every_time() {
    let stage = Stage::new(Profile::Server2019);
    let vhd = one_disk("vhd")
        .with_generation(1)
        .with_disk(DiskSpec::empty(DISK_BYTES).of_kind(DiskKind::Vhd));
    let vhd = stage.add(&vhd);
    let mut old = one_disk("old");
    old.version = Some("5.0".to_owned());
    let old = stage.add(&old);
    let before = stage.ledger();
    let (_, host) = stage.connect();
    let first = back_up(&stage, &host, vhd, &request("1"), None).unwrap();
    let second = back_up(&stage, &host, vhd, &request("2"), Some(&first)).unwrap();
    assert_eq!(second.reasons, [None, Some(FullReason::OldDiskFormat)]);
    let first = back_up(&stage, &host, old, &request("1"), None).unwrap();
    assert_eq!(first.reasons, [Some(FullReason::OldConfigurationVersion)]);
    assert_eq!(first.cursors(), 0);
    assert_eq!(stage.reference_points(old).len(), 0);
    assert_eq!(stage.differences(&before), []);
}

#[test]
fn a_vm_with_checkpoints_of_people_is_read_through_its_chain() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let (_, host) = stage.connect();
    stage.sim.checkpoint(vm, "before the update").unwrap();
    stage.write(vm, 3);
    let before = stage.ledger();
    let first = back_up(&stage, &host, vm, &request("1"), None).unwrap();
    stage.write(vm, 4);
    let second = back_up(&stage, &host, vm, &request("2"), Some(&first)).unwrap();
    assert_eq!(second.reasons, [None; 2], "{:?}", second.findings);
    assert_eq!(stage.differences(&before), []);
}
