//! What is wrong is a finding of the VM that has it, and an error where that VM is opened.

use block_io::DiskErrorKind;
use folder_host::FolderHost;
use hyperv_host::{HostErrorKind, Severity};

use crate::fixture::{Folder, ids, vm};

const ONE: &str = "00000000-0000-0000-0000-000000000001";

/// Checks that the only VM is blocked by this alone and cannot be opened for this reason.
fn assert_blocked(folder: &Folder, id: &str, kind: DiskErrorKind) {
    let entry = folder.only_vm();
    assert_eq!(ids(&entry.findings), [id], "{:?}", entry.findings);
    assert_eq!(entry.findings[0].severity, Severity::Block);
    let error = folder.host().open_vm(&entry.identity).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Disk);
    assert_eq!(error.disk_error().unwrap().kind(), kind, "{error}");
}

#[test]
fn a_disk_that_is_missing() {
    let folder = Folder::new();
    folder.vmcx("m.vmcx", &vm(1, "m", &["C:\\gone.vhd"]));
    assert_blocked(&folder, "VM-DISK-MISSING", DiskErrorKind::NotFound);
    let entry = folder.only_vm();
    assert!(entry.findings[0].text.contains("C:\\gone.vhd"));
    assert_eq!((entry.disks.len(), entry.disks[0].size_bytes), (1, None));
}

#[test]
fn a_disk_that_may_be_either_of_two_files() {
    let folder = Folder::new();
    folder.base("a/disks/x.vhd", 1);
    folder.base("b/disks/x.vhd", 2);
    folder.vmcx("m.vmcx", &vm(1, "m", &["C:\\disks\\x.vhd"]));
    let inventory = folder.inventory();
    let entry = inventory
        .vms
        .iter()
        .find(|entry| entry.name == "m")
        .unwrap();
    assert_eq!(ids(&entry.findings), ["VM-DISK-AMBIGUOUS"]);
    let text = &entry.findings[0].text;
    for part in ["a", "b"] {
        let path = folder
            .root()
            .canonicalize()
            .unwrap()
            .join(part)
            .join("disks")
            .join("x.vhd");
        assert!(text.contains(&path.display().to_string()), "{text}");
    }
    let error = folder.host().open_vm(ONE).unwrap_err();
    assert_eq!(error.disk_error().unwrap().kind(), DiskErrorKind::Ambiguous);
}

#[test]
fn the_longest_equal_tail_decides() {
    let folder = Folder::new();
    folder.base("a/disks/x.vhd", 1);
    folder.base("b/disks/x.vhd", 2);
    folder.vmcx("m.vmcx", &vm(1, "m", &["C:\\B\\Disks\\X.vhd"]));
    let source = folder.open_vm(ONE);
    let mut byte = [0];
    source.disks[0].device.read_at(0, &mut byte).unwrap();
    assert_eq!(byte, [2]);
}

#[test]
fn a_disk_that_is_damaged() {
    let folder = Folder::new();
    folder.write("x.vhd", &[0; 2048]);
    folder.vmcx("m.vmcx", &vm(1, "m", &["C:\\x.vhd"]));
    assert_blocked(&folder, "VM-DISK-UNREADABLE", DiskErrorKind::Corrupt);
}

#[test]
fn a_parent_that_is_missing_or_was_replaced() {
    let folder = Folder::new();
    folder.base("base.vhdx", 1);
    folder.child("leaf.avhdx", "base.vhdx", 2);
    folder.vmcx("m.vmcx", &vm(1, "m", &["C:\\leaf.avhdx"]));
    std::fs::remove_file(folder.path("base.vhdx")).unwrap();
    assert_blocked(&folder, "VM-PARENT-MISSING", DiskErrorKind::ParentMissing);

    folder.base("base.vhdx", 1);
    let entry = &folder.inventory().vms[1];
    assert_eq!(
        (entry.name.as_str(), ids(&entry.findings)),
        ("m", vec!["VM-PARENT-MISMATCH"])
    );
}

#[test]
fn the_rest_of_a_broken_chain_is_no_vm_of_its_own() {
    let folder = Folder::new();
    folder.base("base.vhdx", 1);
    folder.child("mid.avhdx", "base.vhdx", 2);
    folder.child("leaf.avhdx", "mid.avhdx", 3);
    std::fs::remove_file(folder.path("base.vhdx")).unwrap();
    assert_blocked(&folder, "VM-PARENT-MISSING", DiskErrorKind::ParentMissing);
    assert_eq!(folder.only_vm().name, "leaf");
    folder.vmcx("m.vmcx", &vm(1, "m", &["C:\\leaf.avhdx"]));
    assert_blocked(&folder, "VM-PARENT-MISSING", DiskErrorKind::ParentMissing);
}

#[cfg(unix)]
#[test]
fn links_that_leave_the_folder() {
    let outside = Folder::new();
    outside.base("x.vhd", 1);
    outside.vmcx("m.vmcx", &vm(2, "out", &[]));
    let folder = Folder::new();
    let link = |name: &str| {
        std::os::unix::fs::symlink(outside.path(name), folder.path(name)).unwrap();
    };
    link("x.vhd");
    folder.vmcx("n.vmcx", &vm(1, "m", &["C:\\x.vhd"]));
    let inventory = folder.inventory();
    let entry = inventory
        .vms
        .iter()
        .find(|entry| entry.name == "m")
        .unwrap();
    assert_eq!(ids(&entry.findings), ["VM-DISK-OUTSIDE-ROOT"]);
    let error = folder.host().open_vm(ONE).unwrap_err();
    assert_eq!(
        error.disk_error().unwrap().kind(),
        DiskErrorKind::OutsideRoot
    );

    link("m.vmcx");
    let inventory = folder.inventory();
    assert_eq!(ids(&inventory.findings), ["HOST-CONFIG-UNREADABLE"]);
    assert!(inventory.vms.iter().all(|entry| entry.name != "out"));
}

#[cfg(unix)]
#[test]
fn a_link_inside_the_folder_is_no_second_disk() {
    let folder = Folder::new();
    folder.base("x.vhd", 1);
    std::os::unix::fs::symlink(folder.path("x.vhd"), folder.path("y.vhd")).unwrap();
    assert_eq!(folder.only_vm().name, "x");
}

#[test]
fn two_configurations_of_one_vm() {
    let folder = Folder::new();
    folder.vmcx("a/1.vmcx", &vm(1, "m", &[]));
    folder.vmcx("b/1.vmcx", &vm(1, "m", &[]));
    assert_eq!(
        ids(&folder.only_vm().findings),
        [""; 0],
        "copies are one VM"
    );
    folder.open_vm(ONE);

    folder.vmcx("c/1.vmcx", &vm(1, "renamed", &[]));
    let vms = folder.inventory().vms;
    assert_eq!(vms.len(), 2);
    for entry in &vms {
        assert_eq!(ids(&entry.findings), ["VM-DUPLICATE-ID"]);
    }
    let error = folder.host().open_vm(ONE).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Configuration);
}

#[test]
fn a_configuration_that_is_damaged() {
    let folder = Folder::new();
    folder.vmcx(&format!("{ONE}.vmcx"), &vm(1, "m", &[]));
    let path = folder.path(&format!("{ONE}.vmcx"));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.truncate(0x2800);
    std::fs::write(&path, &bytes).unwrap();
    std::fs::write(folder.path("other.vmcx"), &bytes).unwrap();
    let inventory = folder.inventory();
    assert_eq!(ids(&inventory.findings), ["HOST-CONFIG-UNREADABLE"]);
    assert_eq!(inventory.vms.len(), 1);
    let entry = &inventory.vms[0];
    assert_eq!(entry.identity, ONE);
    assert_eq!(ids(&entry.findings), ["HOST-CONFIG-UNREADABLE"]);
    assert_eq!(entry.findings[0].severity, Severity::Block);
    assert!(entry.findings[0].text.contains(ONE), "the file is named");
    let error = folder.host().open_vm(ONE).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Configuration);
}

#[test]
fn other_xml_is_left_alone() {
    let folder = Folder::new();
    folder.write("notes.xml", b"<?xml version=\"1.0\"?><notes>x</notes>");
    folder.write("empty.xml", b"");
    folder.write("page.xml", b"<!DOCTYPE html><html/>");
    let inventory = folder.inventory();
    assert_eq!((inventory.vms.len(), ids(&inventory.findings)), (0, vec![]));
}

#[test]
fn a_configuration_of_which_nothing_is_left() {
    for extension in ["vmcx", "xml"] {
        let folder = Folder::new();
        folder.write(&format!("{ONE}.{extension}"), &[0; 8192]);
        assert_eq!(
            ids(&folder.only_vm().findings),
            ["HOST-CONFIG-UNREADABLE"],
            "{extension}"
        );
    }
}

#[test]
fn a_folder_that_is_none() {
    let folder = Folder::new();
    folder.write("file", b"");
    for name in ["missing", "file"] {
        let error = FolderHost::open(&folder.path(name)).unwrap_err();
        assert_eq!(error.kind(), HostErrorKind::Unreachable);
        assert!(error.to_string().contains(name));
    }
}
