//! Volumes of Windows that somebody has changed: read to the end, with an error or without, and with
//! no panic, no loop and no memory that a field of the volume asks for.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that cannot do its work fails the test"
)]
#![expect(clippy::print_stderr, reason = "what was done must be seen")]

#[path = "../posix_hostile/changes.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod changes;
#[path = "../windows/images.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod images;
#[path = "../windows/mounted.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod mounted;
mod walk;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use disk_model::{ChangedDisk, SparseBytes, VolumeImage, noise};
use volume_map::Content;

use changes::{Numbers, changed, telling};
use images::{MIB, text};
use mounted::Mounted;
use walk::{Walked, walk};

const IMAGES: u64 = 300;
/// A walk of an untouched volume reads a tenth of this.
const MOST_BYTES: u64 = 200 << 20;
const MOST_MEMORY_KIB: u64 = 512 << 10;

fn attack(image: &VolumeImage, content: Content, name: &str) {
    let base = SparseBytes::load(&image.path());
    let whole = Arc::new(ChangedDisk::new(Arc::clone(&base), Vec::new(), MOST_BYTES));
    // Structures alone: what is changed in content is other content.
    let untouched = walk(whole.clone(), content, false);
    assert!(
        untouched.nodes > 20 && untouched.errors == 0,
        "{name}: {untouched:?}"
    );
    let places = telling(&whole, &whole.sectors_read());
    let mut all = Walked::default();
    for seed in 0..IMAGES {
        let mut numbers = Numbers::new(seed + 1);
        let mut disk = ChangedDisk::new(Arc::clone(&base), Vec::new(), MOST_BYTES);
        for (offset, bytes) in changed(&mut numbers, &places) {
            disk.change(offset, bytes);
            if content == Content::ExFat && seed % 4 != 0 {
                seal_exfat(&mut disk, offset);
            }
        }
        let disk = Arc::new(disk);
        let walked = walk(disk.clone(), content, true);
        all.add(walked);
        assert!(
            !disk.is_exhausted(),
            "{name}: image {seed} is read without end"
        );
    }
    eprintln!("{name}: {IMAGES} images, {all:?}, untouched {untouched:?}");
    assert!(all.opened > IMAGES / 10, "{name}: hardly any opens");
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < MOST_MEMORY_KIB, "{name}: {peak} KiB were used");
}

/// Makes the sums right again of what holds a place.
fn seal_exfat(disk: &mut ChangedDisk, offset: u64) {
    if offset < 11 * 512 {
        let bytes = disk.bytes(0, 11 * 512);
        let sum = bytes
            .iter()
            .enumerate()
            .fold(0_u32, |sum, (at, byte)| match at {
                106 | 107 | 112 => sum,
                _ => sum.rotate_right(1).wrapping_add(u32::from(*byte)),
            });
        return disk.change(11 * 512, sum.to_le_bytes().repeat(128));
    }
    // The entry of the file that it may belong to.
    let entry = offset - offset % 32;
    for first in (0..19).map(|before| entry.saturating_sub(before * 32)) {
        let head = disk.bytes(first, 2);
        if head[0] != 0x85 {
            continue;
        }
        let bytes = disk.bytes(first, (usize::from(head[1]) + 1) * 32);
        let sum = bytes
            .iter()
            .enumerate()
            .fold(0_u16, |sum, (at, byte)| match at {
                2 | 3 => sum,
                _ => sum.rotate_right(1).wrapping_add(u16::from(*byte)),
            });
        return disk.change(first + 2, sum.to_le_bytes().to_vec());
    }
}

/// Puts files of several sizes into a folder.
fn fill(root: &Path) {
    fs::create_dir_all(root.join("a/b/c")).unwrap();
    for number in 0..150_usize {
        let name = format!("a/file with a long name {number}");
        fs::write(root.join(name), noise(number as u64, number * 20)).unwrap();
    }
    fs::write(root.join("a/b/large"), noise(1, 200_000)).unwrap();
    fs::write(root.join("a/b/c/text"), text(3000)).unwrap();
}

#[test]
fn ntfs() {
    for cluster in ["4096", "1024"] {
        let image = VolumeImage::new(12 * MIB);
        let made = image.run("mkntfs", &["-F", "-Q", "-q", "-c", cluster, "IMAGE"]);
        let options = [
            "-o",
            "compression,streams_interface=windows,special_files=wsl,no_detach",
        ];
        let Some(mounted) = made.and_then(|_| Mounted::new(&image, "ntfs-3g", &options)) else {
            return;
        };
        let at = |name: &str| mounted.path.join(name);
        let set = |name: &str, attribute: &str, value: &[u8]| {
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::lsetxattr(at(name), attribute, value, flags).unwrap();
        };
        fs::create_dir(at("small")).unwrap();
        set("small", "system.ntfs_attrib", &0x800_u32.to_le_bytes());
        fill(&mounted.path);
        fs::write(at("small/text"), text(5000)).unwrap();
        fs::write(at("a/b/large:stream"), text(300)).unwrap();
        std::os::unix::fs::symlink("a/b", at("link")).unwrap();
        for number in 0..30 {
            fs::hard_link(
                at("a/b/large"),
                at(&format!("a/{}{number}", "name ".repeat(20))),
            )
            .unwrap();
        }
        // Compressed by Windows, as far as anybody can tell before it is read.
        for (number, name) in [(0_u8, "xpress"), (1, "lzx")] {
            fs::File::create(at(name)).unwrap().set_len(90_000).unwrap();
            let mut pieces = vec![0; 22 * 4];
            pieces.extend(noise(7, 40_000));
            fs::write(at(&format!("{name}:WofCompressedData")), pieces).unwrap();
            let point = [
                0x17, 0, 0, 0x80, 16, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, number, 0, 0, 0,
            ];
            set(name, "system.ntfs_reparse_data", &point);
        }
        drop(mounted);
        attack(
            &image,
            Content::Ntfs,
            &format!("NTFS with clusters of {cluster}"),
        );
    }
}

#[test]
fn fat() {
    for (mib, arguments, content) in [
        (4, &["-F", "12"][..], Content::Fat12),
        (18, &["-F", "16", "-s", "1"], Content::Fat16),
        (36, &["-F", "32", "-s", "1"], Content::Fat32),
    ] {
        let image = VolumeImage::new(mib * MIB);
        fill(&image.folder().join("from"));
        let mut command = arguments.to_vec();
        command.push("IMAGE");
        let made = image.run("mkfs.vfat", &command);
        let copied = made
            .and_then(|_| image.run("mcopy", &["-s", "-Q", "-i", "IMAGE", "DIR/from/a", "::/"]));
        if copied.is_none() {
            return;
        }
        attack(&image, content, content.name());
    }
}

#[test]
fn exfat() {
    let image = VolumeImage::new(16 * MIB);
    let made = image.run("mkfs.exfat", &["-c", "4096", "IMAGE"]);
    let made =
        made.and_then(|_| Mounted::by_device(&image, "mount.exfat-fuse", &["-d", "-o", "rw"]));
    let Some(mounted) = made else { return };
    fill(&mounted.path);
    drop(mounted);
    attack(&image, Content::ExFat, "exFAT");
}
