//! Btrfs.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::process::Command;
use std::sync::Arc;

use disk_model::{CountedDisk, noise};
use guest_files::{
    FileErrorKind, FileName, GuestFileSystem, NodeId, OpenOptions, State, device_of,
    open_file_system, open_file_system_over,
};
use volume_map::Content;

use crate::compare::{Compared, Judge, check, compare, entries, judged_by_the_kernel};
use crate::image::Image;
use crate::tree::{Can, fill};

const TOP: Judge = Judge {
    options: "noatime,subvolid=5",
    ..Judge::KERNEL
};

fn filled_by_the_kernel(command: &[&str], options: &str) -> Option<Compared> {
    let image = Image::make(320, command)?;
    {
        let mounted = image.mount(options)?;
        fill(mounted.path(), Can::ALL);
    }
    let judge = Judge {
        has_plain_extents: !options.contains("compress"),
        ..TOP
    };
    judged_by_the_kernel(&image, Content::Btrfs, &State::Clean, judge)
}

#[test]
fn volumes_of_every_kind_are_shown_as_the_kernel_shows_them() {
    let cases: &[&[&str]] = &[
        &["mkfs.btrfs", "-q", "-L", "btrfs"],
        &["mkfs.btrfs", "-q", "--csum", "xxhash"],
        &["mkfs.btrfs", "-q", "--csum", "sha256", "-n", "4096"],
        &["mkfs.btrfs", "-q", "--csum", "blake2", "-n", "65536"],
        &["mkfs.btrfs", "-q", "-M"],
        &["mkfs.btrfs", "-q", "-d", "dup", "-m", "dup"],
        &[
            "mkfs.btrfs",
            "-q",
            "-O",
            "^no-holes",
            "-R",
            "^free-space-tree",
        ],
    ];
    for command in cases {
        check(&command.join(" "), filled_by_the_kernel(command, "noatime"));
    }
}

#[test]
fn compressed_content_is_what_it_was() {
    for options in [
        "compress-force=zlib",
        "compress-force=lzo",
        "compress-force=zstd",
        "nodatacow",
    ] {
        let options = format!("noatime,{options}");
        check(
            &options,
            filled_by_the_kernel(&["mkfs.btrfs", "-q"], &options),
        );
    }
}

#[test]
fn of_compressed_content_it_is_told_which_part_of_an_extent_is_the_file_s() {
    let Some(image) = Image::make(320, &["mkfs.btrfs", "-q"]) else {
        return;
    };
    let options = "noatime,compress-force=zstd";
    {
        let Some(mounted) = image.mount(options) else {
            return;
        };
        fs::write(mounted.path().join("file"), vec![b'a'; 1 << 20]).unwrap();
    }
    let places = || {
        let ours = image.open(Content::Btrfs);
        let name = FileName::new(b"file").unwrap();
        let id = ours.find(ours.root(), &name).unwrap().unwrap();
        let file = ours.open(id, None).unwrap();
        let places = file.extents(1000).unwrap();
        assert_eq!(file.extents_from(1, 1000).unwrap(), places[1..]);
        places
    };
    let before = places();
    {
        let Some(mounted) = image.mount(options) else {
            return;
        };
        let file = File::options()
            .write(true)
            .open(mounted.path().join("file"))
            .unwrap();
        // The end of an extent: its bytes stay, and so does where it begins.
        let output = Command::new("fallocate")
            .args(["-p", "-o", "65536", "-l", "65536"])
            .arg(mounted.path().join("file"))
            .output()
            .unwrap();
        assert!(output.status.success());
        file.sync_all().unwrap();
    }
    let after = places();
    let place = |it: &guest_files::FileExtent| (it.file_offset, it.volume_offset, it.len_bytes);
    assert_eq!(place(&before[0]), place(&after[0]));
    assert_ne!(before[0], after[0]);
    assert_eq!(before[1..], after[1..]);
}

#[test]
fn a_volume_that_mkfs_filled_holds_what_it_was_filled_from() {
    let source = tempfile::tempdir().unwrap();
    fill(
        source.path(),
        Can {
            attributes: false,
            ..Can::ALL
        },
    );
    let folder = source.path().to_str().unwrap();
    for csum in ["crc32c", "blake2"] {
        let command = ["mkfs.btrfs", "-q", "--csum", csum, "--rootdir", folder];
        let Some(image) = Image::make(320, &command) else {
            return;
        };
        let ours = image.open(Content::Btrfs);
        let compared = compare(
            ours.as_ref(),
            image.disk().as_ref(),
            source.path(),
            Judge::SOURCE,
        );
        assert!(compared.nodes > 1500, "{compared:?}");
    }
}

fn btrfs(arguments: &[&str]) {
    let output = Command::new("btrfs").args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn subvolumes_and_snapshots_are_folders() {
    let Some(image) = Image::make(320, &["mkfs.btrfs", "-q"]) else {
        return;
    };
    {
        let Some(mounted) = image.mount("noatime") else {
            return;
        };
        let at = |name: &str| mounted.path().join(name).to_str().unwrap().to_owned();
        btrfs(&["subvolume", "create", &at("home")]);
        fs::write(at("home/before"), noise(1, 100_000)).unwrap();
        btrfs(&["subvolume", "create", &at("home/inner")]);
        fs::write(at("home/inner/deep"), "deep").unwrap();
        btrfs(&["subvolume", "snapshot", "-r", &at("home"), &at("snapshot")]);
        fs::write(at("home/before"), noise(2, 100_000)).unwrap();
        fs::write(at("home/after"), "after").unwrap();
        fs::create_dir(at("folder")).unwrap();
        btrfs(&["subvolume", "create", &at("folder/below")]);
        fs::write(at("folder/below/file"), noise(3, 5000)).unwrap();
        btrfs(&["subvolume", "set-default", &at("home")]);
        btrfs(&["subvolume", "create", &at("gone")]);
        btrfs(&["subvolume", "delete", &at("gone")]);
    }
    let ours = image.open(Content::Btrfs);
    let find = |folder: NodeId, name: &str| {
        let name = FileName::new(name.as_bytes()).unwrap();
        ours.find(folder, &name).unwrap().unwrap()
    };
    let home = find(ours.root(), "home");
    assert!(home.tree >= 256 && home.number == 256);
    // What the snapshot has in place of the inner subvolume is empty.
    let inner = find(find(ours.root(), "snapshot"), "inner");
    assert_eq!(inner.number, 2);
    assert!(entries(ours.as_ref(), inner).is_empty());
    assert_eq!(entries(ours.as_ref(), find(home, "inner")).len(), 1);
    for name in ["home", "folder", "snapshot"] {
        let mounted = image.copy();
        let Some(point) = mounted.mount("noatime,subvolid=5") else {
            return;
        };
        for (entry, id) in entries(ours.as_ref(), find(ours.root(), name)) {
            let path = point
                .path()
                .join(name)
                .join(String::from_utf8(entry).unwrap());
            if path.is_file() {
                let file = ours.open(id, None).unwrap();
                let mut bytes = vec![0; usize::try_from(file.size_bytes()).unwrap()];
                file.read_at(0, &mut bytes).unwrap();
                assert!(bytes == fs::read(&path).unwrap(), "{}", path.display());
            } else {
                let theirs = fs::read_dir(&path).unwrap().count();
                assert_eq!(entries(ours.as_ref(), id).len(), theirs);
            }
        }
    }
}

#[test]
fn of_a_volume_in_use_the_last_commit_is_shown_and_said_to_be() {
    let Some(image) = Image::make(320, &["mkfs.btrfs", "-q"]) else {
        return;
    };
    let Some(mounted) = image.mount("noatime,commit=300") else {
        return;
    };
    let root = mounted.path();
    fill(root, Can::ALL);
    btrfs(&["filesystem", "sync", root.to_str().unwrap()]);
    let file = File::create(root.join("synced")).unwrap();
    file.write_all_at(&noise(1, 300_000), 0).unwrap();
    file.sync_all().unwrap();
    drop(file);
    fs::write(root.join("not synced"), noise(2, 300_000)).unwrap();
    let copy = image.copy();
    drop(mounted);
    let ours = copy.open(Content::Btrfs);
    let State::Behind(why) = &ours.about().state else {
        panic!("{:?}", ours.about().state);
    };
    eprintln!("{why}");
    assert!(why.contains("fsync"), "{why}");
    assert!(!entries(ours.as_ref(), ours.root()).contains_key(b"synced".as_slice()));
    let judge = Judge {
        options: "ro,noatime,rescue=nologreplay",
        ..TOP
    };
    let compared = judged_by_the_kernel(&copy, Content::Btrfs, &ours.about().state, judge);
    check("the last commit", compared);
}

/// A file as a device of this machine, until it is dropped.
struct Loop(String);

impl Loop {
    fn of(image: &Image) -> Option<Self> {
        let output = Command::new("losetup")
            .args(["-f", "--show"])
            .arg(image.path())
            .output();
        let output = output.ok().filter(|output| output.status.success())?;
        Some(Self(
            String::from_utf8(output.stdout).unwrap().trim().to_owned(),
        ))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["-d", &self.0]).status();
    }
}

/// Makes a volume of two devices and fills it through the kernel.
fn two_devices(profile: &str, expected: &[u8]) -> Option<[Image; 2]> {
    let images = [Image::new(320), Image::new(320)];
    let loops = (Loop::of(&images[0])?, Loop::of(&images[1])?);
    let (first, second) = (loops.0.0.as_str(), loops.1.0.as_str());
    let made = Command::new("mkfs.btrfs")
        .args(["-q", "-d", profile, "-m", profile, first, second])
        .output();
    assert!(made.ok()?.status.success());
    let point = tempfile::tempdir().unwrap();
    let options = format!("noatime,device={second}");
    let mounted = Command::new("mount")
        .args(["-t", "btrfs", "-o", &options, first])
        .arg(point.path())
        .output();
    if !mounted.ok()?.status.success() {
        eprintln!("not tested: two devices cannot be mounted here");
        return None;
    }
    fs::write(point.path().join("file"), expected).unwrap();
    // A program that another test is just starting has our files open for a moment.
    let is_done = (0..500).any(|_| {
        let output = Command::new("umount").arg(point.path()).output();
        output.is_ok_and(|output| output.status.success())
    });
    assert!(is_done);
    Some(images)
}

#[test]
fn a_volume_of_two_devices_is_read_from_both_and_a_mirror_from_one() {
    for profile in ["raid1", "raid0"] {
        let expected = noise(8, 5_000_000);
        let Some(images) = two_devices(profile, &expected) else {
            return;
        };
        let disks = || images.each_ref().map(Image::disk).to_vec();
        let known = disks()
            .into_iter()
            .map(|disk| device_of(disk, Content::Btrfs).unwrap().unwrap());
        let known: Vec<_> = known.collect();
        assert_eq!(known[0].uuid, known[1].uuid);
        assert_eq!(
            (known[0].number, known[1].number, known[0].devices),
            (1, 2, 2)
        );
        let options = OpenOptions::default();
        let ours = open_file_system_over(disks(), Content::Btrfs, options).unwrap();
        assert_eq!(ours.about().state, State::Clean);
        assert!(
            read_all(ours.as_ref(), "file").unwrap() == expected,
            "{profile}"
        );
        for image in &images {
            let alone = image.try_open(Content::Btrfs);
            let read = alone.and_then(|ours| {
                assert!(matches!(ours.about().state, State::Behind(_)));
                read_all(ours.as_ref(), "file")
            });
            match read {
                Ok(found) => assert!(profile == "raid1" && found == expected),
                Err(error) => {
                    eprintln!("{error}");
                    assert_eq!(error.kind(), FileErrorKind::Unreadable);
                    assert!(profile == "raid0" && error.to_string().contains("device"));
                }
            }
        }
    }
}

fn read_all(ours: &dyn GuestFileSystem, name: &str) -> Result<Vec<u8>, guest_files::FileError> {
    let name = FileName::new(name.as_bytes()).unwrap();
    let file = ours.open(ours.find(ours.root(), &name)?.unwrap(), None)?;
    let mut bytes = vec![0; usize::try_from(file.size_bytes()).unwrap()];
    file.read_at(0, &mut bytes)?;
    Ok(bytes)
}

/// Writes over the first copy of each node, as nodes say where they are, and of a file.
fn damage_first_copies(image: &Image, ours: &dyn GuestFileSystem) {
    let name = FileName::new(b"file").unwrap();
    let file = ours
        .open(ours.find(ours.root(), &name).unwrap().unwrap(), None)
        .unwrap();
    let disk = File::options()
        .read(true)
        .write(true)
        .open(image.path())
        .unwrap();
    for place in file.extents(100).unwrap() {
        disk.write_all_at(&[0xEE; 4096], place.volume_offset + 4096)
            .unwrap();
    }
    let mut superblock = [0; 64];
    disk.read_exact_at(&mut superblock, 64 << 10).unwrap();
    let fsid = superblock[32..48].to_vec();
    let mut seen: HashMap<Vec<u8>, u64> = HashMap::new();
    let mut head = [0; 64];
    for offset in (1 << 20..disk.metadata().unwrap().len()).step_by(16 << 10) {
        disk.read_exact_at(&mut head, offset).unwrap();
        if head[32..48] != fsid {
            continue;
        }
        // Where there is a second one, the first goes.
        if let Some(first) = seen.insert(head[48..56].to_vec(), offset) {
            disk.write_all_at(&[0xEE; 200], first + 20).unwrap();
        }
    }
}

#[test]
fn the_other_copy_is_taken_where_one_is_damaged_and_damage_is_never_content() {
    for profile in ["dup", "single"] {
        let source = tempfile::tempdir().unwrap();
        let expected = noise(1, 400_000);
        fs::write(source.path().join("file"), &expected).unwrap();
        let folder = source.path().to_str().unwrap();
        let command = [
            "mkfs.btrfs",
            "-q",
            "-d",
            profile,
            "-m",
            "dup",
            "--rootdir",
            folder,
        ];
        let Some(image) = Image::make(320, &command) else {
            return;
        };
        let ours = image.open(Content::Btrfs);
        assert!(read_all(ours.as_ref(), "file").unwrap() == expected);
        damage_first_copies(&image, ours.as_ref());
        let ours = image.open(Content::Btrfs);
        match read_all(ours.as_ref(), "file") {
            Ok(found) => assert!(profile == "dup" && found == expected),
            Err(error) => {
                eprintln!("{error}");
                assert!(
                    profile == "single" && error.kind() == FileErrorKind::Corrupt,
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn listing_the_top_of_a_large_volume_reads_little() {
    let image = Image::new(256 << 10);
    if !image.run(&["mkfs.btrfs", "-q"]) {
        return;
    }
    let counted = Arc::new(CountedDisk::at_most(image.disk(), 1 << 20));
    let disk = Arc::clone(&counted) as Arc<dyn block_io::BlockDevice>;
    let ours = open_file_system(disk, Content::Btrfs, OpenOptions::default()).unwrap();
    assert_eq!(entries(ours.as_ref(), ours.root()).len(), 0);
    eprintln!("{} bytes were read", counted.bytes_read());
}
