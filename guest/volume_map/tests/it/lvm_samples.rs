//! Groups that others made.

use std::fs::File;
use std::process::Command;
use std::sync::Arc;

use disk_model::independent_tools::{run, sample};
use volume_map::{Content, Origin, Scheme, guest_volumes};

use crate::disks::{Device, extract, open, volume};

#[test]
fn a_disk_of_a_hyper_v_guest_holds_three_logical_volumes() {
    let Some(packed) = sample("vhdx/discutils-lvm2.vhdx.gz") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lvm2.vhdx");
    let file = File::create(&path).unwrap();
    assert!(
        Command::new("gzip")
            .arg("-dc")
            .arg(packed)
            .stdout(file)
            .status()
            .unwrap()
            .success()
    );
    let all = guest_volumes(&[open(&path)]);
    let logical = all
        .volumes
        .iter()
        .filter(|it| matches!(it.origin, Origin::Lvm { .. }));
    let mut sizes: Vec<u64> = logical.clone().map(|volume| volume.size_bytes).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [746_586_112, 1_178_599_424, 1_283_457_024]);
    for volume in logical {
        assert_ne!(volume.content, Content::Unknown, "{volume:?}");
        assert_eq!(volume.obstacle, None, "{volume:?}");
    }
}

/// Makes a raw file of an image of QEMU's.
fn raw(name: &str, path: &std::path::Path) -> Option<Device> {
    let image = sample(name)?;
    let arguments = [
        "convert".as_ref(),
        "-O".as_ref(),
        "raw".as_ref(),
        image.as_ref(),
        path.as_ref(),
    ];
    run("qemu-img", &arguments)?;
    Some(open(path))
}

#[test]
fn a_physical_volume_on_a_whole_disk_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = raw("volumes/dfvfs-lvm.qcow2", &folder.path().join("lvm.raw")) else {
        return;
    };
    let all = guest_volumes(&[Arc::clone(&disk)]);
    assert_eq!(all.disks[0].scheme, Scheme::None);
    let logical = all
        .volumes
        .iter()
        .filter(|it| matches!(it.origin, Origin::Lvm { .. }));
    for found in logical.clone().filter(|it| it.content == Content::Ext) {
        let path = folder.path().join("volume");
        extract(found, &path);
        if let Some(said) = run("dumpe2fs", &["-h".as_ref(), path.as_ref()]) {
            assert!(said.contains(&found.uuid), "{said}");
        }
    }
    assert!(logical.count() > 0, "{:?}", all.volumes);
    assert!(volume(&all, "1").used_by[0].starts_with("volume group"));
}

#[test]
fn an_extended_partition_of_others_is_read() {
    let Some(path) = sample("volumes/dfvfs-tsk_volume_system.raw") else {
        return;
    };
    let all = guest_volumes(&[open(&path)]);
    assert_eq!(all.disks[0].scheme, Scheme::Mbr);
    let contents: Vec<Content> = all.volumes.iter().map(|volume| volume.content).collect();
    assert_eq!(contents.len(), 2, "{:?}", all.volumes);
}
