//! exFAT, against exfatprogs and exfat-fuse.

use std::fs::{self, File};
use std::io::Write as _;
use std::ops::ControlFlow;

use disk_model::{VolumeImage, noise};
use guest_files::{FileErrorKind, GuestFileSystem, NodeId, NodeKind, State};
use volume_map::Content;

use crate::images::{ImageFiles as _, MIB};
use crate::mounted::{Mounted, shown};
use crate::walk::{Found, find, walk};

/// Makes a volume, and files in it.
fn made(mib: u64, arguments: &[&str]) -> Option<VolumeImage> {
    let image = VolumeImage::new(mib * MIB);
    let mut command = vec!["-L", "Daten ä"];
    command.extend(arguments);
    command.push("IMAGE");
    image.run("mkfs.exfat", &command)?;
    let mounted = Mounted::by_device(&image, "mount.exfat-fuse", &["-d", "-o", "rw"])?;
    let at = |name: &str| mounted.path.join(name);
    for len in [0_usize, 1, 511, 4096, 5000, 65_536, 1_500_000] {
        fs::write(at(&format!("file {len}")), noise(7, len)).unwrap();
    }
    fs::create_dir_all(at("docs/deep/a/b")).unwrap();
    fs::write(at("docs/deep/a/b/nested.bin"), noise(1, 123_457)).unwrap();
    fs::create_dir(at("Ünïcode 日本 🙂")).unwrap();
    fs::write(at("Ünïcode 日本 🙂/ファイル.txt"), "unicode\n").unwrap();
    let long = format!("docs/{}", "long name ".repeat(25));
    fs::write(at(&long), "long\n").unwrap();
    fs::create_dir(at("many")).unwrap();
    // Two files and a folder that grow by turns, so that each is in pieces.
    let mut one = File::create(at("frag a")).unwrap();
    let mut other = File::create(at("frag b")).unwrap();
    for (round, len) in (0..300).zip(0..) {
        one.write_all(&noise(round, 4096)).unwrap();
        other.write_all(&noise(round + 5000, 4096)).unwrap();
        let name = format!("many/a name that takes some entries {round}");
        fs::write(at(&name), noise(round, len)).unwrap();
    }
    drop((one, other));
    // Longer than what was written.
    let grown = File::create(at("grown")).unwrap();
    (&grown).write_all(b"begin").unwrap();
    grown.set_len(300_000).unwrap();
    drop(grown);
    drop(mounted);
    Some(image)
}

#[test]
fn all_that_exfat_fuse_wrote_is_read_as_exfat_fuse_does() {
    for (mib, arguments) in [
        (48, &["-c", "4096"][..]),
        (64, &["-c", "32768"]),
        (32, &["-c", "512"]),
    ] {
        let Some(image) = made(mib, arguments) else {
            return;
        };
        let files = image.open(Content::ExFat);
        let about = files.about();
        assert_eq!(
            (&about.label[..], about.state.clone()),
            ("Daten ä", State::Clean)
        );
        let id = image
            .run("blkid", &["-p", "-s", "UUID", "-o", "value", "IMAGE"])
            .unwrap();
        assert_eq!(about.uuid, id.trim());
        let ours = walk(&*files, &image.disk());
        assert!(ours.values().any(|found| found.plain_bytes > 100_000));
        let mounted = Mounted::by_device(&image, "mount.exfat-fuse", &["-d", "-o", "ro"]).unwrap();
        let theirs = shown(&mounted.path);
        drop(mounted);
        assert!(ours.keys().eq(theirs.keys()));
        for (path, their) in &theirs {
            let our = &ours[path];
            assert_eq!(our.node.kind == NodeKind::Folder, their.is_folder, "{path}");
            let time = our.node.times.modified.unwrap();
            assert_eq!(time.seconds, their.modified.0, "{path}");
            if !their.is_folder {
                assert_eq!(our.node.size_bytes, their.size_bytes, "{path}");
                assert!(our.bytes == their.bytes, "{path}");
            }
        }
        let fragmented = find(&*files, "FRAG A").unwrap();
        assert!(
            files
                .open(fragmented, None)
                .unwrap()
                .extents(1000)
                .unwrap()
                .len()
                > 30
        );
        let told = image.run("fsck.exfat", &["-n", "IMAGE"]).unwrap();
        assert!(told.contains("clean"), "{told}");
    }
}

/// Returns the place of a file's entries, and how many there are.
fn entries(image: &VolumeImage, path: &str) -> (u64, usize) {
    let files = image.open(Content::ExFat);
    let place = find(&*files, path).unwrap().number / 2 * 32;
    (place, usize::from(image.read(place + 1, 1)[0]) + 1)
}

/// Changes entries and puts their sum right.
fn change(image: &VolumeImage, path: &str, change: impl FnOnce(&mut [u8])) {
    let (place, count) = entries(image, path);
    let mut bytes = image.read(place, count * 32);
    change(&mut bytes);
    let mut sum = 0_u16;
    for (at, byte) in bytes.iter().enumerate() {
        if at != 2 && at != 3 {
            sum = sum.rotate_right(1).wrapping_add(u16::from(*byte));
        }
    }
    bytes[2..4].copy_from_slice(&sum.to_le_bytes());
    image.patch(place, &bytes);
}

#[test]
fn what_was_never_written_is_zeros_and_times_are_put_back_to_utc() {
    // No driver here leaves such files: their entries are changed as the specification has it.
    let Some(image) = made(48, &["-c", "4096"]) else {
        return;
    };
    let before = walk(&*image.open(Content::ExFat), &image.disk());
    change(&image, "file 1500000", |bytes| {
        bytes[32 + 8..32 + 16].copy_from_slice(&700_000_u64.to_le_bytes());
        // Two hours east of Greenwich.
        bytes[23] = 0x80 | 8;
    });
    let ours = walk(&*image.open(Content::ExFat), &image.disk());
    let (old, new) = (&before["/file 1500000"], &ours["/file 1500000"]);
    assert_eq!(new.bytes.len(), 1_500_000);
    assert!(new.bytes[..700_000] == old.bytes[..700_000]);
    assert!(new.bytes[700_000..].iter().all(|byte| *byte == 0));
    let modified = |found: &Found| found.node.times.modified.unwrap().seconds;
    assert!((modified(old) - modified(new)) % 900 == 0 && modified(old) != modified(new));
}

#[test]
fn damage_is_told_and_what_is_whole_is_read() {
    let Some(image) = made(48, &["-c", "4096"]) else {
        return;
    };
    image.patch(106, &[2, 0]);
    let files = image.open(Content::ExFat);
    assert!(matches!(files.about().state, State::Behind(_)));
    let all = entries_of(&*files, files.root());
    let (place, _) = entries(&image, "file 4096");
    let byte = image.read(place + 40, 1)[0];
    image.patch(place + 40, &[byte ^ 1]);
    let files = image.open(Content::ExFat);
    let mut seen = 0;
    let listed = files.list(files.root(), &mut |_, _| {
        seen += 1;
        ControlFlow::Continue(())
    });
    assert_eq!(listed.unwrap_err().kind(), FileErrorKind::Corrupt);
    assert_eq!(seen, all - 1);
    image.patch(place + 40, &[byte]);
    // The boot sector has a backup.
    image.patch(92, &[0xFF]);
    assert_eq!(entries_of(&*image.open(Content::ExFat), files.root()), all);
    image.patch(0, &[0; 512]);
    assert_eq!(entries_of(&*image.open(Content::ExFat), files.root()), all);
}

fn entries_of(files: &dyn GuestFileSystem, folder: NodeId) -> usize {
    crate::walk::entries(files, folder).unwrap().len()
}
