//! FAT, against dosfstools and mtools.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::time::{Duration, UNIX_EPOCH};

use disk_model::independent_tools::have_tool;
use disk_model::{VolumeImage, noise};
use guest_files::{FileErrorKind, NodeKind, State};
use volume_map::{Content, volume_map};

use crate::images::{ImageFiles as _, MIB};
use crate::mounted::shown;
use crate::walk::{all, find, walk};

/// Sizes in MiB, what `mkfs.vfat` is asked for, and what comes out.
const LAYOUTS: &[(u64, &[&str], Content)] = &[
    (3, &["-F", "12"], Content::Fat12),
    (7, &["-F", "12", "-s", "8", "-f", "1"], Content::Fat12),
    (24, &["-F", "16"], Content::Fat16),
    (28, &["-F", "16", "-s", "1"], Content::Fat16),
    (70, &["-F", "32"], Content::Fat32),
    (300, &["-F", "32", "-S", "4096", "-s", "1"], Content::Fat32),
];

/// Returns what `mkfs.vfat` and mtools made, and the names and contents that are in it.
fn made(mib: u64, arguments: &[&str]) -> Option<(VolumeImage, BTreeMap<String, Vec<u8>>)> {
    let image = VolumeImage::new(mib * MIB);
    let mut command = vec!["-n", "DATEN", "-i", "DEADBEEF"];
    command.extend(arguments);
    command.push("IMAGE");
    image.run("mkfs.vfat", &command)?;
    if !have_tool("mcopy", &["--version"]) {
        return None;
    }
    let from = image.folder().join("from");
    fs::create_dir(&from).unwrap();
    let mut files = BTreeMap::new();
    let mut put = |path: &str, bytes: Vec<u8>| {
        let place = from.join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, &bytes).unwrap();
        // An even second, as FAT has them.
        let time = UNIX_EPOCH + Duration::from_secs(1_600_000_000 + 2 * bytes.len() as u64);
        File::options()
            .write(true)
            .open(&place)
            .unwrap()
            .set_modified(time)
            .unwrap();
        files.insert(format!("/{path}"), bytes);
    };
    put("SHORT.TXT", b"short\n".to_vec());
    put("small.txt", b"small letters\n".to_vec());
    put("empty", Vec::new());
    put("A long name with blanks and ä日.text", noise(1, 3000));
    put(&format!("{}.x", "very long ".repeat(20)), noise(2, 70_001));
    put("folder/below/Deep File.bin", noise(3, 300_000));
    for number in 0..120_usize {
        let name = format!("many/File number {number:03}.dat");
        put(&name, noise(number as u64, number * 31 % 2000));
    }
    let names = fs::read_dir(&from)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut arguments = ["TZ=UTC", "mcopy", "-m", "-s", "-Q", "-i", "IMAGE"]
        .map(str::to_owned)
        .to_vec();
    arguments.extend(names.map(|path| path.to_str().unwrap().to_owned()));
    arguments.push("::/".to_owned());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    image.run(
        "env",
        &["LC_ALL=C.UTF-8"]
            .iter()
            .chain(&arguments)
            .copied()
            .collect::<Vec<_>>(),
    )?;
    // Leave gaps, and put a file into them.
    let mut removed = vec!["-i", "IMAGE"];
    let names: Vec<String> = (0..120)
        .step_by(2)
        .map(|number| format!("::/many/File number {number:03}.dat"))
        .collect();
    removed.extend(names.iter().map(String::as_str));
    image.run("mdel", &removed)?;
    for number in (0..120).step_by(2) {
        files.remove(&format!("/many/File number {number:03}.dat"));
    }
    let fragmented = noise(9, 400_000);
    fs::write(image.folder().join("fragmented"), &fragmented).unwrap();
    image.run("mcopy", &["-i", "IMAGE", "DIR/fragmented", "::/fragmented"])?;
    files.insert("/fragmented".to_owned(), fragmented);
    Some((image, files))
}

#[test]
fn all_that_mtools_wrote_is_read_as_mtools_does() {
    let mut places = 0;
    for (mib, arguments, expected) in LAYOUTS {
        let Some((image, files)) = made(*mib, arguments) else {
            return;
        };
        let map = volume_map(&*image.disk()).unwrap();
        assert_eq!(map.partitions[0].content, *expected);
        let opened = image.open(*expected);
        let about = opened.about();
        assert_eq!(
            (about.content, about.state.clone()),
            (*expected, State::Clean)
        );
        assert_eq!((&about.label[..], &about.uuid[..]), ("DATEN", "DEAD-BEEF"));
        let ours = walk(&*opened, &image.disk());
        assert!(ours.values().any(|found| found.plain_bytes > 1000));
        let out = image.folder().join("out");
        fs::create_dir(&out).unwrap();
        image
            .run(
                "env",
                &[
                    "TZ=UTC",
                    "LC_ALL=C.UTF-8",
                    "mcopy",
                    "-m",
                    "-s",
                    "-Q",
                    "-n",
                    "-i",
                    "IMAGE",
                    "::/*",
                    "DIR/out",
                ],
            )
            .unwrap();
        let theirs = shown(&out);
        assert!(ours.keys().eq(theirs.keys()), "{arguments:?}");
        for (path, their) in &theirs {
            let our = &ours[path];
            assert_eq!(our.node.kind == NodeKind::Folder, their.is_folder);
            if their.is_folder {
                continue;
            }
            assert!(
                our.bytes == their.bytes && our.bytes == files[path],
                "{path}"
            );
            let time = our.node.times.modified.unwrap();
            assert_eq!((time.seconds, 0), their.modified, "{path}");
        }
        assert_eq!(ours.len(), files.len() + 3);
        let told = image.run("fsck.vfat", &["-n", "-v", "IMAGE"]).unwrap();
        let line = told
            .lines()
            .find(|line| line.ends_with("clusters"))
            .unwrap();
        let used = line.rsplit(' ').nth(1).unwrap().split('/').next().unwrap();
        let line = told
            .lines()
            .find(|line| line.contains("bytes per cluster"))
            .unwrap();
        let cluster = line.split_whitespace().next().unwrap();
        let used: u64 = used.parse().unwrap();
        let cluster: u64 = cluster.parse().unwrap();
        assert_eq!(about.used_bytes, Some(used * cluster));
        let id = find(&*opened, "FRAGMENTED").unwrap();
        let file = opened.open(id, None).unwrap();
        places = places.max(file.extents(100).unwrap().len());
    }
    // Some drivers look for room from where they found it last.
    assert!(places > 3, "no file is in pieces");
}

#[test]
fn names_are_found_by_case_or_not_and_by_their_short_form() {
    let Some((image, _)) = made(24, &["-F", "16"]) else {
        return;
    };
    let files = image.open(Content::Fat16);
    let long = find(&*files, "a LONG name with blanks and Ä日.TEXT");
    assert!(long.is_some());
    assert_eq!(
        find(&*files, "folder/BELOW/deep file.BIN"),
        find(&*files, "FOLDER/below/DEEPFI~1.BIN")
    );
    assert_eq!(find(&*files, "nothing"), None);
}

#[test]
fn a_volume_that_was_in_use_says_so() {
    for (mib, arguments, content) in LAYOUTS {
        let Some((image, _)) = made(*mib, arguments) else {
            return;
        };
        let (flags, bits) = if *content == Content::Fat32 {
            (65, 0x0800_0000_u32)
        } else {
            (37, 0x8000)
        };
        image.patch(flags, &[1]);
        assert!(matches!(
            image.open(*content).about().state,
            State::Behind(_)
        ));
        image.patch(flags, &[0]);
        assert_eq!(image.open(*content).about().state, State::Clean);
        if *content == Content::Fat12 {
            continue;
        }
        let boot = image.read(0, 512);
        let reserved = u64::from(u16::from_le_bytes([boot[14], boot[15]]));
        let sector = u64::from(u16::from_le_bytes([boot[11], boot[12]]));
        let (at, len) = if *content == Content::Fat32 {
            (4, 4)
        } else {
            (2, 2)
        };
        let place = reserved * sector + at;
        let mut entry = [0; 4];
        entry[..len].copy_from_slice(&image.read(place, len));
        let entry = u32::from_le_bytes(entry) & !bits;
        image.patch(place, &entry.to_le_bytes()[..len]);
        assert!(matches!(
            image.open(*content).about().state,
            State::Behind(_)
        ));
    }
}

#[test]
fn a_chain_that_is_too_short_or_leads_back_is_damage_and_other_files_are_read() {
    let Some((image, _)) = made(24, &["-F", "16"]) else {
        return;
    };
    let files = image.open(Content::Fat16);
    let id = find(&*files, "folder/below/Deep File.bin").unwrap();
    let place = files.open(id, None).unwrap().extents(1).unwrap()[0];
    let boot = image.read(0, 512);
    let reserved = u64::from(u16::from_le_bytes([boot[14], boot[15]])) * 512;
    let cluster_bytes = u64::from(boot[13]) * 512;
    let tables = u64::from(u16::from_le_bytes([boot[22], boot[23]])) * 512 * 2;
    let data = reserved + tables + u64::from(u16::from_le_bytes([boot[17], boot[18]])) * 32;
    let cluster = (place.volume_offset - data) / cluster_bytes + 2;
    let entry = reserved + (cluster + 1) * 2;
    for (next, opens) in [(0xFFFF_u16, true), (u16::try_from(cluster).unwrap(), false)] {
        image.patch(entry, &next.to_le_bytes());
        let files = image.open(Content::Fat16);
        let id = find(&*files, "folder/below/Deep File.bin").unwrap();
        let file = files.open(id, None);
        assert_eq!(file.is_ok(), opens);
        let error = match &file {
            Ok(file) => all(&**file).unwrap_err(),
            Err(_) => file.err().unwrap(),
        };
        assert_eq!(error.kind(), FileErrorKind::Corrupt);
        let other = find(&*files, "SHORT.TXT").unwrap();
        assert_eq!(all(&*files.open(other, None).unwrap()).unwrap(), b"short\n");
    }
}
