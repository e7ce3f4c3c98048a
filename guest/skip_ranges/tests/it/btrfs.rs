//! Btrfs, against btrfs-progs.

use disk_model::VolumeImage;
use skip_ranges::{SkipReason, SkipRequest};

use crate::images::{MIB, NamedBytes, SkipImage as _, bytes_of, files, words};

/// Makes a file system with files in it.
fn made(mib: u64, arguments: &[&str]) -> Option<(VolumeImage, Vec<NamedBytes>)> {
    let image = VolumeImage::new(mib * MIB);
    let files = files(&image.folder().join("files"));
    let mut all = vec!["-q", "--rootdir", "DIR/files"];
    all.extend(arguments);
    all.push("IMAGE");
    image.run("mkfs.btrfs", &all)?;
    Some((image, files))
}

#[test]
fn free_space_in_chunks_and_beside_them_is_left_out_and_nothing_is_missing() {
    let rows: &[(&[&str], u64)] = &[
        (&[], 280),
        (&["-m", "single", "-n", "4096", "-s", "4096"], 280),
        (&["-M"], 100),
        // Without the tree only what is in no chunk is certain.
        (&["-R", "^free-space-tree"], 150),
    ];
    for (arguments, least) in rows {
        let Some((image, files)) = made(300, arguments) else {
            return;
        };
        let plan = image.plan(&SkipRequest::all());
        let volume = &plan.volumes;
        assert_eq!(volume.len(), 1, "{arguments:?}: it is not told to be Btrfs");
        let volume = &volume[0];
        assert_eq!(
            words(volume),
            [""; 0],
            "{arguments:?}: {:?}",
            volume.refusals
        );
        assert_eq!(volume.file_system, "Btrfs");
        let free = bytes_of(volume, SkipReason::FreeSpace);
        assert!(free >= least * MIB, "{arguments:?}: {free}");
        assert_eq!(free, plan.ranges.total_bytes());
        for mirror in [0, 64 << 10, 64 << 20] {
            assert!(!plan.ranges.intersects(mirror..mirror + (64 << 10)));
        }
        image.spoil(&plan.ranges);
        image
            .run("btrfs", &["check", "--readonly", "IMAGE"])
            .unwrap();
        let out = image.folder().join("out");
        std::fs::create_dir(&out).unwrap();
        image
            .run("btrfs", &["restore", "IMAGE", "DIR/out"])
            .unwrap();
        for (name, bytes) in &files {
            assert!(std::fs::read(out.join(name)).unwrap() == *bytes, "{name}");
        }
        assert_eq!(image.plan(&SkipRequest::all()), plan);
        image.patch((64 << 10) + 100, &[0xFF]);
        let plan = image.plan(&SkipRequest::all());
        assert_eq!(words(&plan.volumes[0]), ["damaged"]);
        assert!(plan.ranges.is_empty());
    }
}
