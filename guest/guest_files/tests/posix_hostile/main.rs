//! Volumes of Linux that somebody has changed: read to the end, with an error or without, and with no
//! panic, no loop and no memory that a field of the volume asks for.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that cannot do its work fails the test"
)]
#![expect(clippy::print_stderr, reason = "what was done must be seen")]

mod changes;
#[path = "../posix/image.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod image;
mod walk;

use std::fs;
use std::sync::Arc;

use disk_model::{ChangedDisk, SparseBytes};
use volume_map::Content;

use changes::{Numbers, changed, seal, telling};
use image::Image;
use walk::{Walked, walk};

const IMAGES: u64 = 250;
/// A walk of an untouched volume reads a hundredth of this.
const MOST_BYTES: u64 = 400 << 20;
/// What the process may have used at its worst: mostly the images themselves.
const MOST_MEMORY_KIB: u64 = 1 << 20;

fn source() -> tempfile::TempDir {
    let source = tempfile::tempdir().unwrap();
    let root = source.path();
    fs::create_dir_all(root.join("a/b/c")).unwrap();
    for number in 0..300 {
        fs::write(root.join(format!("a/file {number}")), vec![7; number * 20]).unwrap();
    }
    fs::write(root.join("a/b/large"), vec![9; 700_000]).unwrap();
    let sparse = fs::File::create(root.join("a/b/c/sparse")).unwrap();
    for piece in 0..40 {
        use std::os::unix::fs::FileExt as _;
        sparse.write_all_at(&[1; 4096], piece * 20_000).unwrap();
    }
    std::os::unix::fs::symlink("t".repeat(40), root.join("short")).unwrap();
    std::os::unix::fs::symlink("t".repeat(400), root.join("long")).unwrap();
    for number in 0..5 {
        let name = format!("user.number{number}");
        let flags = rustix::fs::XattrFlags::empty();
        // Not every folder for temporary files bears them.
        let _ = rustix::fs::lsetxattr(root.join("a/b/large"), &*name, &[5; 90], flags);
    }
    source
}

fn attack(image: &Image, content: Content, name: &str) {
    let base = SparseBytes::load(&image.path());
    let whole = Arc::new(ChangedDisk::new(Arc::clone(&base), Vec::new(), MOST_BYTES));
    let untouched = walk(whole.clone(), content, false);
    assert!(untouched.nodes > 5, "{name}: {untouched:?}");
    let places = telling(&whole, &whole.sectors_read());
    let mut all = Walked::default();
    for seed in 0..IMAGES {
        let mut numbers = Numbers::new(seed + 1);
        let mut disk = ChangedDisk::new(Arc::clone(&base), Vec::new(), MOST_BYTES);
        for (offset, bytes) in changed(&mut numbers, &places) {
            disk.change(offset, bytes);
            // Every fourth is left with checksums that are wrong.
            if seed % 4 != 0 {
                seal(&mut disk, content, offset);
            }
        }
        let disk = Arc::new(disk);
        let walked = walk(disk.clone(), content, true);
        all.opened += walked.opened;
        all.nodes += walked.nodes;
        all.errors += walked.errors;
        all.panics += walked.panics;
        assert!(
            !disk.is_exhausted(),
            "{name}: image {seed} is read without end"
        );
    }
    eprintln!("{name}: {IMAGES} images, {all:?}, untouched {untouched:?}");
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < MOST_MEMORY_KIB, "{name}: {peak} KiB were used");
}

fn filled_by_mkfs(size_mib: u64, command: &[&str], content: Content) {
    let source = source();
    let folder = source.path().to_str().unwrap();
    let command: Vec<&str> = command
        .iter()
        .map(|word| if *word == "FOLDER" { folder } else { word })
        .collect();
    if let Some(image) = Image::make(size_mib, &command) {
        attack(&image, content, &command.join(" "));
    }
}

#[test]
fn ext_with_extents() {
    let command = [
        "mkfs.ext4",
        "-q",
        "-F",
        "-b",
        "1024",
        "-O",
        "^metadata_csum",
        "-d",
        "FOLDER",
    ];
    filled_by_mkfs(16, &command, Content::Ext);
}

#[test]
fn ext_with_pointers_and_large_inodes() {
    let command = [
        "mkfs.ext2",
        "-q",
        "-F",
        "-b",
        "1024",
        "-I",
        "512",
        "-d",
        "FOLDER",
    ];
    filled_by_mkfs(16, &command, Content::Ext);
}

#[test]
fn ext_with_content_in_inodes() {
    let command = [
        "mkfs.ext4",
        "-q",
        "-F",
        "-O",
        "inline_data,^metadata_csum",
        "-d",
        "FOLDER",
    ];
    filled_by_mkfs(16, &command, Content::Ext);
}

#[test]
fn btrfs() {
    filled_by_mkfs(
        128,
        &["mkfs.btrfs", "-q", "--rootdir", "FOLDER"],
        Content::Btrfs,
    );
}

/// A prototype, since `mkfs.xfs` fills a volume from nothing else.
fn prototype() -> (tempfile::TempDir, String) {
    let source = source();
    let mut list = "dummy\n0 0\nd--755 0 0\n".to_owned();
    for number in 0..300 {
        let from = source
            .path()
            .join(format!("a/file {number}"))
            .display()
            .to_string();
        let plain = source.path().join(format!("file{number}"));
        fs::rename(from, &plain).unwrap();
        list.push_str(&format!("file{number} ---644 0 0 {}\n", plain.display()));
    }
    let large = source.path().join("a/b/large");
    list.push_str(&format!(
        "folder d--755 0 0\nlarge ---644 0 0 {}\n$\n",
        large.display()
    ));
    list.push_str("link l--777 0 0 folder/large\n$\n");
    let path = source.path().join("prototype");
    fs::write(&path, list).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (source, path)
}

#[test]
fn xfs_of_both_versions() {
    let (_source, path) = prototype();
    for version in ["crc=0", "crc=1"] {
        let command = ["mkfs.xfs", "-q", "-m", version, "-p", &path];
        if let Some(image) = Image::make(300, &command) {
            attack(&image, Content::Xfs, version);
        }
    }
}

/// Journals and logs with work in them, of volumes that are in use.
#[test]
fn volumes_in_use() {
    let kinds: [(&[&str], u64, Content); 2] = [
        (
            &["mkfs.ext4", "-q", "-F", "-O", "^metadata_csum"],
            64,
            Content::Ext,
        ),
        (&["mkfs.xfs", "-q"], 300, Content::Xfs),
    ];
    for (command, size, content) in kinds {
        let Some(image) = Image::make(size, command) else {
            return;
        };
        let Some(mounted) = image.mount("noatime") else {
            return;
        };
        for number in 0..300 {
            fs::write(
                mounted.path().join(format!("file {number}")),
                vec![3; number * 30],
            )
            .unwrap();
        }
        fs::create_dir(mounted.path().join("folder")).unwrap();
        for number in 0..100 {
            let name = mounted.path().join(format!("file {number}"));
            fs::rename(name, mounted.path().join(format!("folder/{number}"))).unwrap();
        }
        let file = fs::File::open(mounted.path().join("file 200")).unwrap();
        file.sync_all().unwrap();
        drop(file);
        let copy = image.copy();
        drop(mounted);
        attack(&copy, content, command[0]);
    }
}
