//! What ntfs-3g does not make by itself, volumes that Windows made, and how much is read.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use block_io::BlockDevice;
use disk_model::independent_tools::{have_tool, sample};
use disk_model::{CountedDisk, VolumeImage, noise};
use guest_files::{
    FileErrorKind, GuestFileSystem, LinkKind, NodeKind, OpenOptions, State, open_file_system,
};
use volume_map::{Content, volume_map};

use crate::images::{ImageFiles as _, MIB};
use crate::mounted::Mounted;
use crate::ntfs::{WRITABLE, set};
use crate::walk::{LARGE_BYTES, all, entries, find, walk};

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A reparse point of two names (MS-FSCC 2.1.2.4 and 2.1.2.5).
fn link(tag: u32, extra: &[u8], followed: &str, shown: &str) -> Vec<u8> {
    let (followed, shown) = (utf16(followed), utf16(shown));
    let len = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap().to_le_bytes();
    let mut data = Vec::new();
    data.extend([0, 0]);
    data.extend(len(&followed));
    data.extend(len(&followed));
    data.extend(len(&shown));
    data.extend(extra);
    data.extend(followed);
    data.extend(shown);
    let mut point = tag.to_le_bytes().to_vec();
    point.extend(len(&data));
    point.extend([0, 0]);
    point.extend(data);
    point
}

/// Makes a volume with a few files, as `fill` will have it.
fn made(fill: impl FnOnce(&Mounted)) -> Option<VolumeImage> {
    let image = VolumeImage::new(48 * MIB);
    image.run("mkntfs", &["-F", "-Q", "-q", "-c", "4096", "IMAGE"])?;
    fill(&Mounted::new(&image, "ntfs-3g", WRITABLE)?);
    Some(image)
}

#[test]
fn links_are_told_and_what_has_no_content_here_is_refused_by_name() {
    let image = made(|mounted| {
        let at = |name: &str| mounted.path.join(name);
        let put = |name: &str, point: &[u8]| set(mounted, name, "system.ntfs_reparse_data", point);
        for name in ["symbolic", "relative", "cloud", "deduplicated", "other"] {
            fs::write(at(name), "").unwrap();
        }
        for name in ["junction", "volume", "cloud folder"] {
            fs::create_dir(at(name)).unwrap();
        }
        put(
            "symbolic",
            &link(0xA000_000C, &[0; 4], r"\??\C:\Users\Ä", r"C:\Users\Ä"),
        );
        put(
            "relative",
            &link(0xA000_000C, &[1, 0, 0, 0], r"..\there", "shown"),
        );
        put("junction", &link(0xA000_0003, &[], r"\??\C:\Windows", ""));
        put("volume", &link(0xA000_0003, &[], r"\??\Volume{1}\", ""));
        let tagged = |tag: u32| [&tag.to_le_bytes()[..], &[4, 0, 0, 0, 1, 2, 3, 4]].concat();
        fs::write(at("cloud folder/below"), "below").unwrap();
        put("cloud", &tagged(0x9000_701A));
        put("deduplicated", &tagged(0x8000_0013));
        put("other", &tagged(0x8000_001B));
    });
    let Some(image) = image else { return };
    let files = image.open(Content::Ntfs);
    for (name, kind, target) in [
        ("symbolic", LinkKind::Symbolic, r"C:\Users\Ä"),
        ("relative", LinkKind::Symbolic, r"..\there"),
        ("junction", LinkKind::Junction, r"C:\Windows"),
        ("volume", LinkKind::Junction, r"\??\Volume{1}\"),
    ] {
        let id = find(&*files, name).unwrap();
        assert_eq!(files.node(id).unwrap().kind, NodeKind::Link);
        let link = files.link(id).unwrap();
        assert_eq!((link.kind, link.target), (kind, target.as_bytes().to_vec()));
        assert_eq!(
            files.open(id, None).err().unwrap().kind(),
            FileErrorKind::WrongKind
        );
    }
    for (name, kind, word) in [
        ("cloud", NodeKind::File, "cloud"),
        ("deduplicated", NodeKind::File, "deduplicated"),
        ("other", NodeKind::Other, "0x8000001b"),
    ] {
        let id = find(&*files, name).unwrap();
        assert_eq!(files.node(id).unwrap().kind, kind);
        let error = files.open(id, None).err().unwrap();
        assert_eq!(error.kind(), FileErrorKind::Unreadable);
        assert!(error.to_string().contains(word), "{error}");
        assert_eq!(files.link(id).unwrap_err().kind(), FileErrorKind::WrongKind);
    }
}

/// Returns where a record lies, and where in it an attribute.
fn attribute(image: &VolumeImage, path: &str, kind: u8) -> u64 {
    let files = image.open(Content::Ntfs);
    let number = find(&*files, path).unwrap().number & 0xFFFF_FFFF;
    let boot = image.read(0, 64);
    let table = u64::from_le_bytes(boot[48..56].try_into().unwrap()) * 4096;
    let place = table + number * 1024;
    let bytes = image.read(place, 1024);
    assert!(bytes.starts_with(b"FILE"));
    let mut at = usize::from(bytes[20]);
    while bytes[at] != kind {
        at += usize::from(bytes[at + 4]) + 256 * usize::from(bytes[at + 5]);
    }
    place + at as u64
}

#[test]
fn what_was_never_written_is_zeros_and_what_is_encrypted_is_refused() {
    let bytes = noise(1, 300_000);
    let image = made(|mounted| {
        fs::write(mounted.path.join("short"), &bytes).unwrap();
        fs::write(mounted.path.join("secret"), &bytes).unwrap();
    });
    let Some(image) = image else { return };
    // The valid length of content in clusters.
    let place = attribute(&image, "short", 0x80);
    image.patch(place + 56, &100_001_u64.to_le_bytes());
    let place = attribute(&image, "secret", 0x80);
    image.patch(place + 12, &[0, 0x40]);
    let files = image.open(Content::Ntfs);
    let read = all(&*files.open(find(&*files, "short").unwrap(), None).unwrap()).unwrap();
    assert_eq!(read.len(), bytes.len());
    assert!(read[..100_001] == bytes[..100_001]);
    assert!(read[100_001..].iter().all(|byte| *byte == 0));
    // What was never written has no place.
    let short = files.open(find(&*files, "short").unwrap(), None).unwrap();
    let places = short.extents(100).unwrap();
    let last = places.last().unwrap();
    assert_eq!(last.file_offset + last.len_bytes, 100_001);
    let rest = short.extents_from(1, 100).unwrap();
    assert_eq!(rest, places[1..]);
    let error = files
        .open(find(&*files, "secret").unwrap(), None)
        .err()
        .unwrap();
    assert_eq!(error.kind(), FileErrorKind::Unreadable);
    assert!(error.to_string().contains("EFS"));
}

#[test]
fn security_descriptors_are_those_that_ntfs_3g_shows() {
    let mut shown = Vec::new();
    let image = made(|mounted| {
        for mode in [0o600, 0o644, 0o755, 0o700, 0o640] {
            let path = mounted.path.join(format!("{mode:o}"));
            fs::write(&path, "").unwrap();
            let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
            fs::set_permissions(&path, permissions).unwrap();
            let mut bytes = vec![0; 4096];
            let len = rustix::fs::lgetxattr(&path, "system.ntfs_acl", &mut bytes[..]).unwrap();
            bytes.truncate(len);
            shown.push((format!("{mode:o}"), bytes));
        }
    });
    let Some(image) = image else { return };
    let files = image.open(Content::Ntfs);
    for (name, bytes) in shown {
        let id = find(&*files, &name).unwrap();
        assert_eq!(
            files.security_descriptor(id).unwrap(),
            Some(bytes),
            "{name}"
        );
    }
    let root = files.security_descriptor(files.root()).unwrap().unwrap();
    assert_eq!(root[0], 1);
}

#[test]
fn a_volume_that_was_not_let_go_says_so() {
    let Some(image) = made(|_| {}) else { return };
    assert_eq!(image.open(Content::Ntfs).about().state, State::Clean);
    let told = image
        .run("ntfsinfo", &["-v", "-f", "-i", "2", "IMAGE"])
        .unwrap();
    let log = told.split("Dumping attribute $DATA").nth(1).unwrap();
    let log = log
        .lines()
        .find(|line| line.trim_start().starts_with("0x"))
        .unwrap();
    let place = log.split_whitespace().nth(1).unwrap();
    let place = u64::from_str_radix(&place[2..], 16).unwrap() * 4096;
    let mut page = vec![0; 4096];
    page[..8].copy_from_slice(&[b'R', b'S', b'T', b'R', 30, 0, 9, 0]);
    page[16..26].copy_from_slice(&[0, 16, 0, 0, 0, 16, 0, 0, 48, 0]);
    image.patch(place, &page);
    assert!(matches!(
        image.open(Content::Ntfs).about().state,
        State::Behind(_)
    ));
    page[48 + 14] = 2;
    image.patch(place, &page);
    assert_eq!(image.open(Content::Ntfs).about().state, State::Clean);
    let boot = image.read(0, 64);
    let table = u64::from_le_bytes(boot[48..56].try_into().unwrap()) * 4096;
    let record = image.read(table + 3 * 1024, 1024);
    let mut at = usize::from(record[20]);
    while record[at] != 0x70 {
        at += usize::from(record[at + 4]);
    }
    image.patch(table + 3 * 1024 + at as u64 + 24 + 10, &[1]);
    assert!(matches!(
        image.open(Content::Ntfs).about().state,
        State::Behind(_)
    ));
}

#[test]
fn the_first_records_are_read_from_their_copy_where_they_are_damaged() {
    let Some(image) = made(|mounted| fs::write(mounted.path.join("file"), "bytes").unwrap()) else {
        return;
    };
    let boot = image.read(0, 64);
    let place = |at: usize| u64::from_le_bytes(boot[at..at + 8].try_into().unwrap()) * 4096;
    for record in [0, 3] {
        image.patch(place(48) + record * 1024, &[0; 1024]);
    }
    let before = walk(&*image.open(Content::Ntfs), &image.disk());
    assert_eq!(before["/file"].bytes, b"bytes");
    image.patch(place(56), &[0; 1024]);
    let opened = open_file_system(image.disk(), Content::Ntfs, OpenOptions::default());
    assert_eq!(opened.err().unwrap().kind(), FileErrorKind::Corrupt);
}

#[test]
fn the_root_of_a_large_disk_is_listed_with_few_reads() {
    // 256 GiB, of which next to nothing is stored.
    let image = VolumeImage::new(256 << 30);
    let made = image.run("mkntfs", &["-F", "-Q", "-q", "-c", "4096", "IMAGE"]);
    let Some(mounted) = made.and_then(|_| Mounted::new(&image, "ntfs-3g", WRITABLE)) else {
        return;
    };
    for number in 0..60 {
        fs::create_dir(mounted.path.join(format!("A folder {number}"))).unwrap();
        fs::write(
            mounted.path.join(format!("a file {number}")),
            noise(1, 2000),
        )
        .unwrap();
    }
    drop(mounted);
    let disk = Arc::new(CountedDisk::new(image.disk()));
    let device = Arc::clone(&disk) as Arc<dyn BlockDevice>;
    let files = open_file_system(device, Content::Ntfs, OpenOptions::default()).unwrap();
    assert_eq!(files.about().used_bytes, None);
    let listed = entries(&*files, files.root()).unwrap();
    for (_, id) in &listed {
        files.node(*id).unwrap();
    }
    assert_eq!(listed.len(), 120);
    assert!(disk.bytes_read() < 512 << 10, "{} bytes", disk.bytes_read());
    // With the table of large letters, which finding takes, it is below a mebibyte.
    assert!(find(&*files, "a FOLDER 7").is_some());
    assert!(disk.bytes_read() < 1 << 20, "{} bytes", disk.bytes_read());
    let before = disk.bytes_read();
    for number in 0..60 {
        assert!(find(&*files, &format!("A FILE {number}")).is_some());
    }
    let read = disk.bytes_read() - before;
    assert!(read < 256 << 10, "{read} bytes");
}

/// Reads a stream by `ntfscat`.
fn ntfscat(image: &Path, number: u64, stream: &str) -> Option<Vec<u8>> {
    let mut command = Command::new("ntfscat");
    command.args(["-f", "-i", &number.to_string()]);
    if !stream.is_empty() {
        command.args(["-n", stream]);
    }
    let output = command.arg(image).output().unwrap();
    output.status.success().then_some(output.stdout)
}

/// Compares every file with `ntfscat`; returns how many there were.
fn compare_with_ntfscat(volume: &VolumeImage, files: &dyn GuestFileSystem) -> (usize, usize) {
    let image = &volume.path();
    let (mut compared, mut streams) = (0, 0);
    for (path, found) in walk(files, &volume.disk()) {
        let number = found.node.id.number & 0xFFFF_FFFF_FFFF;
        if found.node.kind == NodeKind::File && found.node.size_bytes <= LARGE_BYTES {
            let their = ntfscat(image, number, "").unwrap_or_else(|| panic!("{path}"));
            assert!(their == found.bytes, "{path}");
            compared += 1;
        }
        for (name, bytes) in &found.streams {
            assert!(
                ntfscat(image, number, name).unwrap() == *bytes,
                "{path}:{name}"
            );
            streams += 1;
        }
        files.security_descriptor(found.node.id).unwrap();
    }
    (compared, streams)
}

#[test]
fn volumes_that_windows_made_are_read_as_ntfs_3g_does() {
    if !have_tool("ntfscat", &["--version"]) {
        return;
    }
    for (name, least) in [
        ("fs/dfvfs-ntfs-vss.qcow2", 5),
        ("fs/dfvfs-windows_volume.qcow2", 1),
        ("fs/colinfinck-ntfs-testfs1.img", 3),
        ("fs/ntfs-SampleTinyNtfsVolume.zip", 1),
    ] {
        let Some(path) = sample(name) else { continue };
        let image = VolumeImage::new(0);
        let from = path.to_str().unwrap();
        let is_there = if name.ends_with(".qcow2") {
            image.run("qemu-img", &["convert", "-O", "raw", from, "IMAGE"])
        } else if name.ends_with(".zip") {
            image.run(
                "sh",
                &[
                    "-c",
                    &format!("unzip -p '{from}' '*/partition.dd' > 'IMAGE'"),
                ],
            )
        } else {
            image.run("cp", &[from, "IMAGE"])
        };
        if is_there.is_none() {
            continue;
        }
        let disk = image.disk();
        let map = volume_map(&*disk).unwrap();
        let part = map
            .partitions
            .iter()
            .find(|part| part.content == Content::Ntfs);
        let part = part.unwrap_or_else(|| panic!("{name}: {map:?}"));
        // The tool takes a volume alone.
        let volume = VolumeImage::new(0);
        let mut bytes = vec![0; usize::try_from(part.len_bytes).unwrap()];
        disk.read_at(part.offset, &mut bytes).unwrap();
        fs::write(volume.path(), bytes).unwrap();
        let files = volume.open(Content::Ntfs);
        let (compared, streams) = compare_with_ntfscat(&volume, &*files);
        println!(
            "{name}: {:?}, {compared} files, {streams} streams",
            files.about()
        );
        assert!(compared >= least, "{name}: {compared}");
    }
}
