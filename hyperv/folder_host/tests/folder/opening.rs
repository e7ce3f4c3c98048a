//! What an opened VM gives.

use hyperv_host::{FileRole, HostErrorKind};

use crate::fixture::{DISK_BYTES, Folder, vm};

#[test]
fn a_chain_is_one_flat_disk_named_after_its_base() {
    let folder = Folder::new();
    folder.base("disks/os.vhdx", 1);
    folder.child("disks/os_1.avhdx", "disks/os.vhdx", 2);
    folder.vmcx("m.vmcx", &vm(1, "m", &["E:\\disks\\os_1.avhdx"]));
    let source = folder.open_vm("00000000-0000-0000-0000-000000000001");
    assert_eq!(source.configuration.unwrap().name, "m");
    let disk = &source.disks[0];
    assert_eq!(disk.configured_path, "E:\\disks\\os_1.avhdx");
    assert_eq!(
        (disk.base_name.as_str(), disk.format.as_str()),
        ("os.vhdx", "vhdx")
    );
    assert_eq!(disk.chain.len(), 2);
    assert!(disk.chain[0].ends_with("os_1.avhdx"));
    assert_eq!(disk.device.size_bytes(), DISK_BYTES);
    let mut bytes = [0; 3 * 4096];
    disk.device.read_at(0, &mut bytes).unwrap();
    assert_eq!((bytes[0], bytes[4096], bytes[8192]), (1, 2, 0));
    (disk.check_unchanged)().unwrap();
}

#[test]
fn a_change_of_any_file_of_the_chain_is_noticed() {
    let folder = Folder::new();
    folder.base("os.vhdx", 1);
    folder.child("os_1.avhdx", "os.vhdx", 2);
    let source = folder.open_vm("file:os_1.avhdx");
    let mut bytes = std::fs::read(folder.path("os.vhdx")).unwrap();
    bytes.extend([0; 512]);
    std::fs::write(folder.path("os.vhdx"), bytes).unwrap();
    let error = (source.disks[0].check_unchanged)().unwrap_err();
    assert_eq!(error.kind(), block_io::DiskErrorKind::Changed);
    assert!(error.file().unwrap().ends_with("os.vhdx"));
}

#[test]
fn loose_disks_open_by_their_place() {
    let folder = Folder::new();
    folder.write("a/disk.raw", &[9; 4096]);
    let source = folder.open_vm("file:a/disk.raw");
    let disk = &source.disks[0];
    assert_eq!(disk.configured_path, "a/disk.raw");
    assert_eq!(
        (disk.base_name.as_str(), disk.format.as_str()),
        ("disk.raw", "raw")
    );
    assert_eq!((disk.slot, source.files.len()), (None, 0));
}

#[test]
fn configuration_and_state_files_keep_the_layout_of_an_import() {
    let folder = Folder::new();
    let id = "00000000-0000-0000-0000-0000000000a1";
    let checkpoint = "00000000-0000-0000-0000-0000000000c1";
    let mut config = vm(0xa1, "m", &["C:\\m\\base.vhdx"]);
    config.guest_state_file = Some(format!("C:\\m\\Virtual Machines\\{id}.vmgs"));
    folder.base("vms/m/base.vhdx", 1);
    folder.vmcx(&format!("vms/m/Virtual Machines/{id}.vmcx"), &config);
    folder.write(
        &format!("vms/m/Virtual Machines/{}.VMRS", id.to_uppercase()),
        b"s",
    );
    folder.write(&format!("vms/m/Virtual Machines/{id}.vmgs"), b"g");
    folder.write(&format!("vms/m/Virtual Machines/{id}/{id}.bin"), b"b");
    folder.write("vms/m/Virtual Machines/other.vmrs", b"not ours");
    let mut config = vm(0xc1, "before", &["C:\\m\\base.vhdx"]);
    config.notes = "x".into();
    folder.vmcx(&format!("vms/m/Snapshots/{checkpoint}.vmcx"), &config);
    folder.write(&format!("vms/m/Snapshots/{checkpoint}.vmrs"), b"cs");

    let source = folder.open_vm(id);
    let mut files: Vec<_> = source
        .files
        .iter()
        .map(|file| (file.relative_path.clone(), file.role))
        .collect();
    files.sort_by(|one, other| one.0.cmp(&other.0));
    let machines = |name: String| format!("Virtual Machines/{name}");
    let mut expected = vec![
        (
            format!("Snapshots/{checkpoint}.vmcx"),
            FileRole::CheckpointConfiguration,
        ),
        (
            format!("Snapshots/{checkpoint}.vmrs"),
            FileRole::CheckpointState,
        ),
        (
            machines(format!("{}.VMRS", id.to_uppercase())),
            FileRole::RuntimeState,
        ),
        (machines(format!("{id}.vmcx")), FileRole::Configuration),
        (machines(format!("{id}.vmgs")), FileRole::GuestState),
        (machines(format!("{id}/{id}.bin")), FileRole::RuntimeState),
    ];
    expected.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(files, expected);
    let state = source
        .files
        .iter()
        .find(|file| file.role == FileRole::GuestState);
    let mut byte = [0];
    state.unwrap().file.read_exact_at(0, &mut byte).unwrap();
    assert_eq!(&byte, b"g");
}

#[test]
fn a_configuration_that_lies_anywhere_is_kept_where_an_import_looks() {
    let folder = Folder::new();
    folder.xml("m.xml", &vm(1, "m", &[]));
    let source = folder.open_vm("00000000-0000-0000-0000-000000000001");
    assert_eq!(source.files[0].relative_path, "Virtual Machines/m.xml");
}

#[test]
fn an_unknown_vm_is_told_apart() {
    let folder = Folder::new();
    for identity in [
        "00000000-0000-0000-0000-000000000001",
        "web",
        "file:x.vhd",
        "file:../x.vhd",
    ] {
        let error = folder.host().open_vm(identity).unwrap_err();
        assert_eq!(error.kind(), HostErrorKind::NoSuchVm, "{identity}");
    }
}
