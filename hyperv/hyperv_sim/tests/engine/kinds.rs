//! Kinds of VMs, guests, disks and hosts.

use std::sync::Arc;

use block_io::MemoryDisk;
use hyperv_sim::{
    Component, ComponentKind, Consistency, DiskContent, DiskKind, DiskSpec, Guest, PowerState,
    Profile, SimErrorKind, SnapshotSettings, VmSpec,
};
use vm_config::ControllerKind;

use crate::fixture::{Fixture, MIB, bytes_of};

#[test]
fn only_guests_that_answer_are_frozen() {
    let cases = [
        (Guest::Windows, true),
        (Guest::LinuxWithDaemon, true),
        (Guest::Linux, false),
        (Guest::None, false),
    ];
    for (guest, answers) in cases {
        let test = Fixture::new();
        let spec = VmSpec::new("g")
            .with_guest(guest)
            .with_disk(DiskSpec::empty(MIB));
        let vm = test.host.add_vm(&spec).unwrap();
        let settings = SnapshotSettings::recovery(Consistency::Application);
        let made = test.host.make_checkpoint(vm, &settings);
        assert_eq!(made.is_ok(), answers, "{guest:?}");
    }
}

#[test]
fn states_and_components_decide_about_consistency() {
    let test = Fixture::new();
    let vm = test.vm();
    let settings = SnapshotSettings::recovery(Consistency::Application);
    let attempt = |prepare: &dyn Fn(), possible: bool| {
        prepare();
        let made = test.host.make_checkpoint(vm, &settings);
        assert_eq!(made.is_ok(), possible);
        if let Ok(snapshot) = made {
            test.host.delete_checkpoint(snapshot).unwrap();
            test.host.settle().unwrap();
        }
    };
    attempt(&|| test.host.save(vm).unwrap(), false);
    attempt(&|| test.host.stop(vm).unwrap(), true);
    attempt(&|| test.host.start(vm).unwrap(), true);
    let off = Component {
        enabled: false,
        status: 2,
    };
    let switch_off = || {
        test.host
            .set_component(vm, ComponentKind::Vss, off)
            .unwrap();
    };
    attempt(&switch_off, false);
    test.host.set_power(vm, PowerState::Saving).unwrap();
    let between = test.try_recovery(vm).unwrap_err();
    assert_eq!(between.kind(), SimErrorKind::InvalidState);
}

#[test]
fn pass_through_disks_are_left_out_or_refused_and_shared_ones_always_refused() {
    let test = Fixture::new();
    let pass_through = DiskSpec::empty(MIB).of_kind(DiskKind::PassThrough);
    let spec = VmSpec::new("p")
        .with_disk(DiskSpec::empty(MIB))
        .with_disk(pass_through);
    let vm = test.host.add_vm(&spec).unwrap();
    let mut settings = SnapshotSettings::recovery(Consistency::Crash);
    settings.ignore_other_disks = false;
    assert!(test.host.make_checkpoint(vm, &settings).is_err());
    let snapshot = test.recovery(vm);
    assert_eq!(
        test.host
            .vm(vm)
            .unwrap()
            .snapshot(snapshot)
            .unwrap()
            .disks
            .len(),
        1
    );
    for kind in [DiskKind::SharedVhdx, DiskKind::VhdSet] {
        let vm = test.vm_with(DiskSpec::empty(MIB).of_kind(kind));
        assert_eq!(test.try_recovery(vm).unwrap_err().code(), 32770, "{kind:?}");
    }
}

#[test]
fn vhd_disks_and_old_configurations_are_not_tracked() {
    let test = Fixture::new();
    let vhd = test.vm_with(DiskSpec::empty(MIB).of_kind(DiskKind::Vhd));
    let snapshot = test.recovery(vhd);
    let disks = test.host.vm(vhd).unwrap().snapshots[0].disks.clone();
    assert_eq!(disks[0].tracking_id, None);
    test.host.convert_checkpoint(snapshot).unwrap();
    assert!(
        test.host.vm(vhd).unwrap().reference_points[0]
            .disks
            .is_empty()
    );
    let spec = VmSpec {
        version: Some("5.0".to_owned()),
        ..VmSpec::new("old").with_disk(DiskSpec::empty(MIB))
    };
    let old = test.host.add_vm(&spec).unwrap();
    let snapshot = test.recovery(old);
    let refused = test.host.convert_checkpoint(snapshot).unwrap_err();
    assert_eq!(refused.kind(), SimErrorKind::NotSupported);
}

#[test]
fn windows_2012_r2_has_no_recovery_checkpoints_and_writes_xml() {
    let test = Fixture::of(Profile::Server2012R2);
    let vm = test.vm();
    assert!(test.host.vm(vm).unwrap().config_file.ends_with(".xml"));
    assert_eq!(
        test.try_recovery(vm).unwrap_err().kind(),
        SimErrorKind::NotSupported
    );
    test.host.checkpoint(vm, "a person's").unwrap();
}

#[test]
fn disks_come_from_devices_and_images_and_parents() {
    let test = Fixture::new();
    let content: Vec<u8> = (0..MIB).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let device = Arc::new(MemoryDisk::new(content.clone()));
    let spec = VmSpec::new("a").with_disk(DiskSpec::new(DiskContent::Device(device)));
    let first = test.host.add_vm(&spec.with_generation(1)).unwrap();
    let facts = test.host.vm(first).unwrap();
    assert_eq!(facts.disks[0].slot.kind, ControllerKind::Ide);
    assert!(bytes_of(&test.host.open_disk(first, 0).unwrap()) == content);
    let parent = facts.disks[0].path.clone();
    let child = DiskSpec::new(DiskContent::ChildOf(parent));
    let second = test
        .host
        .add_vm(&VmSpec::new("b").with_disk(child))
        .unwrap();
    assert!(bytes_of(&test.host.open_disk(second, 0).unwrap()) == content);
    test.host.write(second, 0, 0, &[0; 4096]).unwrap();
    assert!(bytes_of(&test.host.open_disk(first, 0).unwrap()) == content);
    let (_, id) = test.reference_point(second);
    test.host.write(second, 0, 0, &[1; 512]).unwrap();
    assert_eq!(
        test.changes_since(second, &id).unwrap().ranges,
        vec![0..32_768]
    );
}

#[test]
fn apply_writes_what_differs() {
    let test = Fixture::new();
    let vm = test.vm();
    let mut content = vec![0; 8 << 20];
    content[100_000] = 1;
    content[5 << 20..(5 << 20) + 70_000].fill(2);
    let device = MemoryDisk::new(content.clone());
    assert_eq!(test.host.apply(vm, 0, &device).unwrap(), 4 * 32_768);
    assert!(bytes_of(&test.host.open_disk(vm, 0).unwrap()) == content);
    assert_eq!(test.host.apply(vm, 0, &device).unwrap(), 0);
    test.host.stop(vm).unwrap();
    assert!(test.host.write(vm, 0, 0, &[1]).is_err());
}

#[test]
fn equal_names_are_two_vms_and_one_can_move_away() {
    let test = Fixture::new();
    let (first, second) = (test.vm(), test.vm());
    let path = |vm| test.host.vm(vm).unwrap().disks[0].path.clone();
    assert_ne!(path(first), path(second));
    assert!(test.host.find_vm("web").is_err());
    test.host.move_vm_away(first).unwrap();
    assert_eq!(test.host.find_vm("web").unwrap(), second);
    test.host.bring_vm_back(first).unwrap();
    assert_eq!(test.host.vms().unwrap().len(), 2);
    test.host.remove_vm(first, true).unwrap();
    assert_eq!(test.host.find_vm("web").unwrap(), second);
}

#[test]
fn memory_is_kept_by_persons_checkpoints_and_saved_vms() {
    let test = Fixture::new();
    let vm = test.vm();
    test.host.write(vm, 0, 0, &[1; 512]).unwrap();
    let snapshot = test.host.checkpoint(vm, "with memory").unwrap();
    assert!(
        test.host
            .vm(vm)
            .unwrap()
            .snapshot(snapshot)
            .unwrap()
            .has_memory
    );
    test.host.write(vm, 0, 0, &[2; 512]).unwrap();
    test.host.apply_checkpoint(snapshot).unwrap();
    let back = test.host.vm(vm).unwrap();
    assert_eq!(
        (back.power, back.current_parent),
        (PowerState::Saved, Some(snapshot))
    );
    assert_eq!(bytes_of(&test.host.open_disk(vm, 0).unwrap())[0], 1);
}
