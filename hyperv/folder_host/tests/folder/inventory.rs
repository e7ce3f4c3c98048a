//! Which VMs a folder holds.

use hyperv_host::HypervHost as _;

use crate::fixture::{DISK_BYTES, Folder, ids, vm};

#[test]
fn a_vm_with_a_checkpoint_chain() {
    let folder = Folder::new();
    folder.base("web/Virtual Hard Disks/os.vhdx", 1);
    folder.child(
        "web/Virtual Hard Disks/os_A.avhdx",
        "web/Virtual Hard Disks/os.vhdx",
        2,
    );
    folder.vmcx(
        "web/Virtual Machines/1.vmcx",
        &vm(0xabc, "web", &["D:\\x\\Virtual Hard Disks\\OS_a.avhdx"]),
    );
    let entry = folder.only_vm();
    assert_eq!(entry.identity, "00000000-0000-0000-0000-000000000abc");
    assert_eq!(entry.name, "web");
    assert_eq!(
        (entry.generation, entry.version.as_deref()),
        (Some(2), Some("9.0"))
    );
    assert_eq!(ids(&entry.findings), [""; 0]);
    assert_eq!(entry.disks.len(), 1);
    let disk = &entry.disks[0];
    assert_eq!((disk.number, disk.chain_files), (0, 2));
    assert_eq!(disk.size_bytes, Some(DISK_BYTES));
    assert!(disk.path.ends_with("os_A.avhdx"));
    assert!(disk.slot.is_some());
    assert!(folder.host().name().starts_with("dir:"));
}

#[test]
fn both_configuration_formats_sort_by_name_then_identity() {
    let folder = Folder::new();
    folder.xml("a/one.xml", &vm(2, "same", &[]));
    folder.vmcx("b/two.vmcx", &vm(1, "same", &[]));
    folder.vmcx("c/three.vmcx", &vm(3, "alone", &[]));
    let names: Vec<_> = folder
        .inventory()
        .vms
        .into_iter()
        .map(|entry| (entry.name, entry.identity.chars().last().unwrap()))
        .collect();
    assert_eq!(
        names,
        [
            ("alone".into(), '3'),
            ("same".into(), '1'),
            ("same".into(), '2')
        ]
    );
}

#[test]
fn chains_without_a_configuration_are_vms_and_their_parents_are_not() {
    let folder = Folder::new();
    folder.base("store/base.vhdx", 1);
    folder.child("store/mid.avhdx", "store/base.vhdx", 2);
    folder.child("store/leaf.avhdx", "store/mid.avhdx", 3);
    folder.write("raw disk.IMG", &[7; 8192]);
    for ignored in [
        "notes.txt",
        "a.iso",
        "a.vhdx.rct",
        "a.vhdx.mrt",
        "a.vhds",
        "a.vhdx.partial",
        "a.vhdx.lifeboat-partial",
    ] {
        folder.write(ignored, b"x");
    }
    let inventory = folder.inventory();
    assert_eq!(ids(&inventory.findings), [""; 0]);
    let vms: Vec<_> = inventory
        .vms
        .iter()
        .map(|entry| (entry.name.as_str(), entry.identity.as_str()))
        .collect();
    assert_eq!(
        vms,
        [
            ("leaf", "file:store/leaf.avhdx"),
            ("raw disk", "file:raw disk.IMG")
        ]
    );
    assert_eq!(inventory.vms[0].disks[0].chain_files, 3);
    assert_eq!(inventory.vms[0].generation, None);
}

#[test]
fn what_a_vm_uses_is_not_a_vm_of_its_own() {
    let folder = Folder::new();
    folder.base("base.vhdx", 1);
    folder.child("old.avhdx", "base.vhdx", 2);
    folder.child("new.avhdx", "base.vhdx", 3);
    folder.vmcx("Virtual Machines/1.vmcx", &vm(1, "m", &["C:\\new.avhdx"]));
    // The checkpoint's own branch: no VM, although nobody is its child.
    folder.vmcx("SNAPSHOTS/2.vmcx", &vm(2, "before", &["C:\\old.avhdx"]));
    assert_eq!(folder.only_vm().name, "m");
}

#[test]
fn checkpoints_belong_to_the_vm_that_they_name_or_whose_chain_holds_their_disk() {
    let folder = Folder::new();
    folder.base("a/base.vhdx", 1);
    folder.child("a/leaf.avhdx", "a/base.vhdx", 2);
    folder.vmcx(
        "a/Virtual Machines/1.vmcx",
        &vm(1, "by disk", &["C:\\a\\leaf.avhdx"]),
    );
    folder.vmcx("a/Snapshots/11.vmcx", &vm(11, "p", &["C:\\a\\base.vhdx"]));
    let mut lists = vm(2, "by list", &[]);
    lists.checkpoints = vec![vm_config::Checkpoint {
        id: uuid::Uuid::from_u128(22),
        name: "x".into(),
    }];
    folder.vmcx("b/Virtual Machines/2.vmcx", &lists);
    folder.vmcx("b/Snapshots/22/22.vmcx", &vm(22, "q", &[]));
    folder.vmcx("c/Virtual Machines/3.vmcx", &vm(3, "none", &[]));
    let counts: Vec<_> = folder
        .inventory()
        .vms
        .into_iter()
        .map(|entry| (entry.name, entry.checkpoints))
        .collect();
    assert_eq!(
        counts,
        [
            ("by disk".into(), 1),
            ("by list".into(), 1),
            ("none".into(), 0)
        ]
    );
}

#[test]
fn disks_count_by_controller_and_slot_and_physical_ones_do_not() {
    let folder = Folder::new();
    folder.base("a.vhd", 1);
    folder.base("b.vhd", 2);
    let mut config = vm(1, "m", &["C:\\a.vhd", "", "C:\\b.vhd"]);
    config.disks[1].pass_through = true;
    folder.vmcx("m.vmcx", &config);
    let entry = folder.only_vm();
    assert_eq!(ids(&entry.findings), ["VM-PASS-THROUGH"]);
    let disks: Vec<_> = entry
        .disks
        .iter()
        .map(|disk| (disk.number, disk.slot.unwrap().slot))
        .collect();
    assert_eq!(disks, [(0, 0), (1, 2)]);
}

#[test]
fn an_inventory_changes_nothing() {
    let folder = Folder::new();
    folder.base("base.vhdx", 1);
    folder.vmcx("m.vmcx", &vm(1, "m", &["C:\\base.vhdx"]));
    let read = |name| std::fs::read(folder.path(name)).unwrap();
    let before = (read("base.vhdx"), read("m.vmcx"));
    folder.inventory();
    assert!(before == (read("base.vhdx"), read("m.vmcx")));
}
