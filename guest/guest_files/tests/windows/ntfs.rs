//! NTFS, against ntfs-3g.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;

use disk_model::{VolumeImage, noise};
use guest_files::{LinkKind, NodeKind, State, Time};
use volume_map::Content;

use crate::images::{ImageFiles as _, MIB, text};
use crate::mounted::{Mounted, shown};
use crate::walk::{Found, walk};

pub(crate) const WRITABLE: &[&str] = &[
    "-o",
    "compression,streams_interface=windows,big_writes,special_files=wsl,no_detach",
];
const READABLE: &[&str] = &[
    "-o",
    "ro,streams_interface=windows,special_files=wsl,no_detach",
];

/// Makes a volume with all that ntfs-3g can make.
fn made(mib: u64, arguments: &[&str]) -> Option<VolumeImage> {
    let image = VolumeImage::new(mib * MIB);
    let mut all = vec!["-F", "-Q", "-q", "-L", "Daten ä"];
    all.extend(arguments);
    all.push("IMAGE");
    image.run("mkntfs", &all)?;
    let mounted = Mounted::new(&image, "ntfs-3g", WRITABLE)?;
    fill(&mounted);
    Some(image)
}

fn fill(mounted: &Mounted) {
    let at = |name: &str| mounted.path.join(name);
    for (seed, len) in [0, 1, 600, 700, 4096, 5000, 65_536, 70_000, 1_500_000]
        .into_iter()
        .enumerate()
    {
        fs::write(at(&format!("file {len}")), noise(seed as u64, len)).unwrap();
    }
    fs::create_dir_all(at("docs/deep/a/b/c")).unwrap();
    fs::write(at("docs/deep/a/b/c/nested.bin"), noise(1, 123_457)).unwrap();
    fs::create_dir(at("Ünïcode 日本 🙂")).unwrap();
    fs::write(at("Ünïcode 日本 🙂/ファイル.txt"), "unicode\n").unwrap();
    fs::create_dir(at("many")).unwrap();
    for number in 0..1200 {
        let name = at(&format!("many/file-{number:05}.dat"));
        fs::write(name, noise(number, usize::try_from(number).unwrap() % 900)).unwrap();
    }
    // Streams, names and links.
    fs::write(at("hello.txt"), "hello recovery\n").unwrap();
    fs::write(at("hello.txt:note"), "alternate").unwrap();
    fs::write(at("hello.txt:Große Notiz"), noise(5, 100_000)).unwrap();
    fs::write(at("docs:of a folder"), "too").unwrap();
    fs::hard_link(at("hello.txt"), at("docs/hardlink.txt")).unwrap();
    std::os::unix::fs::symlink("docs/deep", at("symlink")).unwrap();
    // Holes, at the begin, in the middle, at the end.
    let sparse = fs::File::create(at("sparse.bin")).unwrap();
    sparse.write_all_at(b"middle", 3 << 20).unwrap();
    sparse.write_all_at(b"end", 7 << 20).unwrap();
    sparse.set_len((8 << 20) + 17).unwrap();
    // Two files of many places, with lists of attributes.
    let mut one = fs::File::create(at("frag a")).unwrap();
    let mut other = fs::File::create(at("frag b")).unwrap();
    for round in 0..1500 {
        one.write_all(&noise(round, 4096)).unwrap();
        other.write_all(&noise(round + 5000, 4096)).unwrap();
    }
    for link in 0..40 {
        let name = format!("docs/{link} {}", "a long name ".repeat(15));
        fs::hard_link(at("file 70000"), at(&name)).unwrap();
    }
}

/// Sets what ntfs-3g shows as an extended attribute.
pub(crate) fn set(mounted: &Mounted, name: &str, attribute: &str, value: &[u8]) {
    let path = mounted.path.join(name);
    rustix::fs::lsetxattr(path, attribute, value, rustix::fs::XattrFlags::empty())
        .unwrap_or_else(|error| panic!("{name}: {error}"));
}

fn moment(time: Option<Time>) -> (i64, i64) {
    let time = time.unwrap();
    (time.seconds, i64::from(time.nanoseconds))
}

/// Compares what we read with what ntfs-3g shows.
fn compare(image: &VolumeImage) -> std::collections::BTreeMap<String, Found> {
    let files = image.open(Content::Ntfs);
    let ours = walk(&*files, &image.disk());
    let mounted = Mounted::new(image, "ntfs-3g", READABLE).unwrap();
    let theirs = shown(&mounted.path);
    assert!(ours.keys().eq(theirs.keys()));
    for (path, their) in &theirs {
        let our = &ours[path];
        assert_eq!(our.node.kind == NodeKind::Folder, their.is_folder, "{path}");
        assert_eq!(moment(our.node.times.modified), their.modified, "{path}");
        assert_eq!(moment(our.node.times.accessed), their.accessed, "{path}");
        if our.node.kind == NodeKind::File {
            assert_eq!(our.node.size_bytes, their.size_bytes, "{path}");
            assert!(our.bytes == their.bytes, "{path}");
            assert_eq!(u64::from(our.node.links), their.links, "{path}");
        }
        assert_eq!(our.link.is_some(), their.link.is_some(), "{path}");
        for (name, bytes) in &our.streams {
            let stream = format!("{}{path}:{name}", mounted.path.display());
            assert!(fs::read(stream).unwrap() == *bytes, "{path}:{name}");
        }
    }
    ours
}

#[test]
fn all_that_ntfs_3g_made_is_read_as_ntfs_3g_does() {
    for (mib, arguments) in [
        (96, &["-c", "4096"][..]),
        (96, &["-c", "512"]),
        (160, &["-c", "65536"]),
        (96, &["-c", "4096", "-s", "4096"]),
        (1000, &["-c", "262144"]),
    ] {
        let Some(image) = made(mib, arguments) else {
            return;
        };
        let ours = compare(&image);
        assert!(ours.len() > 1250);
        assert!(ours.values().any(|found| found.plain_bytes > 100_000));
        let hello = &ours["/hello.txt"];
        assert_eq!(hello.node.links, 2);
        assert_eq!(hello.streams["note"], b"alternate");
        assert_eq!(hello.streams["Große Notiz"], noise(5, 100_000));
        assert_eq!(ours["/docs"].streams["of a folder"], b"too");
        assert_eq!(ours["/file 70000"].node.links, 41);
        let link = ours["/symlink"].link.as_ref().unwrap();
        assert_eq!(
            (link.kind, &link.target[..]),
            (LinkKind::Symbolic, &b"docs/deep"[..])
        );
    }
}

#[test]
fn the_volume_says_what_it_is() {
    let Some(image) = made(96, &[]) else { return };
    let files = image.open(Content::Ntfs);
    let about = files.about();
    assert_eq!(about.label, "Daten ä");
    assert_eq!(about.state, State::Clean);
    assert!(!about.is_case_sensitive);
    let told = image.run("ntfsinfo", &["-m", "-f", "IMAGE"]).unwrap();
    let field = |name: &str| {
        let line = told.lines().find(|line| line.contains(name)).unwrap();
        let words = line.split(':').nth(1).unwrap();
        words
            .split_whitespace()
            .next()
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    let clusters = field("Volume Size in Clusters");
    assert_eq!(about.size_bytes / 4096, clusters);
    assert_eq!(
        about.used_bytes.unwrap(),
        (clusters - field("Free Clusters")) * 4096
    );
    let id = image
        .run("blkid", &["-p", "-s", "UUID", "-o", "value", "IMAGE"])
        .unwrap();
    assert_eq!(about.uuid, id.trim());
}

#[test]
fn compressed_files_are_read() {
    for cluster in ["4096", "512", "1024"] {
        let image = VolumeImage::new(64 * MIB);
        let made = image.run("mkntfs", &["-F", "-Q", "-q", "-c", cluster, "IMAGE"]);
        let Some(mounted) = made.and_then(|_| Mounted::new(&image, "ntfs-3g", WRITABLE)) else {
            return;
        };
        let at = |name: &str| mounted.path.join("small").join(name);
        fs::create_dir(mounted.path.join("small")).unwrap();
        set(
            &mounted,
            "small",
            "system.ntfs_attrib",
            &0x800_u32.to_le_bytes(),
        );
        let text = text(40_000);
        fs::write(at("text.log"), &text).unwrap();
        fs::write(at("tiny"), &text[..100]).unwrap();
        fs::write(at("random"), noise(3, 300_000)).unwrap();
        let mut mixed = vec![0; 200_000];
        mixed.extend(noise(4, 100_000));
        mixed.extend(&text[..150_001]);
        mixed.extend(vec![7; 70_000]);
        fs::write(at("mixed"), &mixed).unwrap();
        let holes = fs::File::create(at("holes")).unwrap();
        holes.write_all_at(&text[..90_000], 1 << 20).unwrap();
        holes.set_len(3 << 20).unwrap();
        drop(holes);
        drop(mounted);
        let ours = compare(&image);
        assert!(ours["/small/text.log"].bytes == text);
        assert!(ours["/small/mixed"].bytes == mixed);
        let files = image.open(Content::Ntfs);
        let id = crate::walk::find(&*files, "small/TEXT.LOG").unwrap();
        let file = files.open(id, None).unwrap();
        let places = file.extents(usize::MAX).unwrap();
        let stored: u64 = places.iter().map(|place| place.len_bytes).sum();
        assert!(stored > 0 && stored < file.size_bytes() / 2, "{stored}");
    }
}

#[test]
fn names_that_differ_in_case_alone_are_told_apart_where_both_are_there() {
    let image = VolumeImage::new(48 * MIB);
    let made = image.run("mkntfs", &["-F", "-Q", "-q", "IMAGE"]);
    let Some(mounted) = made.and_then(|_| Mounted::new(&image, "ntfs-3g", WRITABLE)) else {
        return;
    };
    // So many that the index has two levels below its root.
    for number in 0..4000 {
        fs::write(
            mounted
                .path
                .join(format!("Some long name of a file {number:05}")),
            "",
        )
        .unwrap();
    }
    for name in ["Straße", "STRAßE", "straße", "other"] {
        fs::write(mounted.path.join(name), name).unwrap();
    }
    drop(mounted);
    let files = image.open(Content::Ntfs);
    let read = |name: &str| {
        let id = crate::walk::find(&*files, name)?;
        let bytes = crate::walk::all(&*files.open(id, None).unwrap()).unwrap();
        Some(String::from_utf8(bytes).unwrap())
    };
    for name in ["Straße", "STRAßE", "straße"] {
        assert_eq!(read(name).as_deref(), Some(name));
    }
    assert!(read("STRAßE".to_lowercase().as_str()).is_some());
    assert!(read("sTrAßE").is_some_and(|name| name.to_lowercase() == "straße"));
    assert_eq!(read("OTHER").as_deref(), Some("other"));
    assert_eq!(read("Strasse"), None);
    let ours = compare(&image);
    assert_eq!(ours.len(), 4004);
}
