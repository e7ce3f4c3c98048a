//! New disk paths in a file that otherwise stays as it was.

use uuid::Uuid;
use vm_config::{
    ConfigErrorKind, ControllerKind, Disk, DiskSlot, Memory, VmConfiguration, with_disk_paths,
    write_vmcx, write_xml,
};

fn slot(slot: u32) -> DiskSlot {
    DiskSlot {
        kind: ControllerKind::Scsi,
        controller: 0,
        slot,
    }
}

fn vm() -> VmConfiguration {
    let disk = |number, path: &str, pass_through| Disk {
        slot: slot(number),
        path: path.to_owned(),
        pass_through,
    };
    VmConfiguration {
        name: "m".into(),
        id: Uuid::from_u128(1),
        generation: 2,
        version: "9.0".into(),
        notes: String::new(),
        processors: 1,
        memory: Memory::default(),
        disks: vec![
            disk(0, r"C:\a & b_0F1E.avhdx", false),
            disk(1, "", true),
            disk(2, r"C:\c.vhdx", false),
        ],
        network_adapters: Vec::new(),
        checkpoints: Vec::new(),
        guest_state_file: None,
        secure_boot: false,
        secure_boot_template: None,
    }
}

fn changed(before: &[u8], after: &[u8]) -> usize {
    assert_eq!(before.len(), after.len());
    before.iter().zip(after).filter(|(b, a)| b != a).count()
}

#[test]
fn only_the_named_disks_change() {
    let mut expected = vm();
    expected.disks[0].path = r"C:\a.vhdx".into();
    expected.disks[2].path = r"C:\dé.vhdx".into();
    let paths = [(slot(2), r"C:\dé.vhdx"), (slot(0), r"C:\a.vhdx")];
    for bytes in [
        write_vmcx(&vm().to_tree()).unwrap(),
        write_xml(&vm().to_tree()).unwrap(),
    ] {
        let edited = with_disk_paths(&bytes, &paths).unwrap();
        let read = VmConfiguration::from_bytes("t", &edited).unwrap();
        assert_eq!(read, expected);
    }
    let bytes = write_vmcx(&vm().to_tree()).unwrap();
    let edited = with_disk_paths(&bytes, &paths[1..]).unwrap();
    // A checksum, a length and the text itself.
    assert!(changed(&bytes, &edited) < 4 + 4 + 2 * r"C:\a & b_0F1E.avhdx".len());
}

#[test]
fn a_container_takes_what_fits_the_place_and_no_more() {
    let bytes = write_vmcx(&vm().to_tree()).unwrap();
    // Twelve bytes of slack are six characters.
    let fits = r"C:\c123456.vhdx";
    let edited = with_disk_paths(&bytes, &[(slot(2), fits)]).unwrap();
    let read = VmConfiguration::from_bytes("t", &edited).unwrap();
    assert_eq!(read.disks[2].path, fits);
    let error = with_disk_paths(&bytes, &[(slot(2), r"C:\c1234567.vhdx")]).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::DoesNotFit);
    let xml = write_xml(&vm().to_tree()).unwrap();
    with_disk_paths(&xml, &[(slot(2), &"x".repeat(1000))]).unwrap();
}

#[test]
fn a_slot_without_a_disk_file_is_refused() {
    for bytes in [
        write_vmcx(&vm().to_tree()).unwrap(),
        write_xml(&vm().to_tree()).unwrap(),
    ] {
        for number in [1, 3] {
            let error = with_disk_paths(&bytes, &[(slot(number), "x")]).unwrap_err();
            assert_eq!(error.kind(), ConfigErrorKind::Unsupported);
        }
    }
}
