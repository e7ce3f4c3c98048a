//! NTFS, against ntfs-3g's tools and volumes that Windows made.

use std::ops::Range;

use block_io::ByteRanges;
use disk_model::independent_tools::sample;
use disk_model::{VolumeImage, noise};
use skip_ranges::{SkipReason, SkipRequest, skip_plan};

use crate::images::{MIB, NamedBytes, SkipImage as _, bytes_of, files, is_inside, words};

const MEBIBYTE: usize = 1 << 20;

/// Makes a volume with files in its root, a page file and a hibernation file among them.
fn made(mib: u64, cluster: &str) -> Option<(VolumeImage, Vec<NamedBytes>)> {
    let image = VolumeImage::new(mib * MIB);
    image.run("mkfs.ntfs", &["-F", "-Q", "-q", "-c", cluster, "IMAGE"])?;
    let folder = image.folder().join("files");
    let mut files = files(&folder);
    for (name, mib) in [
        ("pagefile.sys", 5_usize),
        ("HiberFil.Sys", 3),
        ("swapfile.sys", 1),
    ] {
        let bytes = noise(mib as u64, mib * MEBIBYTE);
        std::fs::write(folder.join(name), &bytes).unwrap();
        files.push((name.to_owned(), bytes));
    }
    for (name, _) in &files {
        let from = format!("DIR/files/{name}");
        image
            .run("ntfscp", &["-q", "-f", "IMAGE", &from, name])
            .unwrap();
    }
    Some((image, files))
}

/// Returns where a file lies, as `ntfsinfo` tells it.
fn runs(image: &VolumeImage, name: &str, cluster_bytes: u64) -> Vec<Range<u64>> {
    let text = image
        .run("ntfsinfo", &["-v", "-f", "-F", name, "IMAGE"])
        .unwrap();
    let data = text.split("Dumping attribute $DATA").nth(1).unwrap();
    let mut runs = Vec::new();
    for line in data.lines() {
        let numbers: Vec<u64> = line
            .split_whitespace()
            .filter_map(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok())
            .collect();
        if let (true, [_, lcn, len]) = (line.trim_start().starts_with("0x"), &numbers[..]) {
            runs.push(lcn * cluster_bytes..(lcn + len) * cluster_bytes);
        }
    }
    runs
}

#[test]
fn free_clusters_and_page_files_are_left_out_and_nothing_else() {
    for (mib, cluster) in [(48, 4096_u64), (40, 512), (200, 65536)] {
        let Some((image, files)) = made(mib, &cluster.to_string()) else {
            return;
        };
        let plan = image.plan(&SkipRequest::all());
        let volume = &plan.volumes[0];
        assert_eq!(words(volume), [""; 0], "{:?}", volume.refusals);
        let only = |reason: SkipReason| {
            let request = SkipRequest {
                page_files: reason == SkipReason::PageFile,
                hibernation_files: reason == SkipReason::HibernationFile,
                ..SkipRequest::default()
            };
            image.plan(&request).ranges
        };
        let pages: ByteRanges = [
            runs(&image, "pagefile.sys", cluster),
            runs(&image, "swapfile.sys", cluster),
        ]
        .concat()
        .into_iter()
        .collect();
        assert_eq!(pages.total_bytes(), 6 * MIB);
        assert_eq!(only(SkipReason::PageFile), pages);
        let hibernation: ByteRanges = runs(&image, "HiberFil.Sys", cluster).into_iter().collect();
        assert_eq!(only(SkipReason::HibernationFile), hibernation);
        // Of what is free nothing is in use, says the tool, cluster by cluster.
        let free = bytes_of(volume, SkipReason::FreeSpace);
        let text = image.run("ntfsinfo", &["-m", "-f", "IMAGE"]).unwrap();
        let line = text
            .lines()
            .find(|line| line.contains("Free Clusters"))
            .unwrap();
        let told: u64 = line
            .split(':')
            .nth(1)
            .unwrap()
            .split_whitespace()
            .next()
            .unwrap()
            .parse()
            .unwrap();
        assert!(
            free <= told * cluster && free * 10 >= told * cluster * 9,
            "{free} of {}",
            told * cluster
        );
        image.spoil(&plan.ranges);
        image.run("ntfsfix", &["-n", "IMAGE"]).unwrap();
        image
            .run(
                "ntfsresize",
                &["--info", "--force", "--no-progress-bar", "IMAGE"],
            )
            .unwrap();
        for (name, bytes) in &files {
            if name.to_lowercase().ends_with(".sys") {
                continue;
            }
            let out = std::process::Command::new("ntfscat")
                .args(["-f"])
                .arg(image.path())
                .arg(name)
                .output();
            assert!(out.unwrap().stdout == *bytes, "{name}");
        }
        // Twice the same: what was left out changes nothing in what is found.
        assert_eq!(image.plan(&SkipRequest::all()), plan);
    }
}

#[test]
fn a_page_file_counts_in_the_root_alone_and_only_when_asked_for() {
    let Some((image, _)) = made(48, "4096") else {
        return;
    };
    assert!(image.plan(&SkipRequest::default()).ranges.is_empty());
    let request = SkipRequest {
        free_space: true,
        ..SkipRequest::default()
    };
    let free = image.plan(&request).ranges;
    let pages = runs(&image, "pagefile.sys", 4096);
    assert!(pages.iter().all(|run| !free.intersects(run.clone())));
    assert!(!is_inside(&free, &pages));
}

/// Returns where an attribute of a record begins.
fn attribute(image: &VolumeImage, record: u64, kind: u8) -> u64 {
    let boot = image.read(0, 64);
    let table = u64::from_le_bytes(boot[48..56].try_into().unwrap()) * 4096;
    let place = table + record * 1024;
    let bytes = image.read(place, 1024);
    let mut at = usize::from(bytes[20]);
    while bytes[at] != kind {
        at += usize::from(bytes[at + 4]) + 256 * usize::from(bytes[at + 5]);
    }
    place + at as u64
}

/// A restart page of the log of a volume that is in use, or was let go.
fn restart_page(sequence: u8, closed: bool) -> Vec<u8> {
    let mut page = vec![0; 4096];
    page[..8].copy_from_slice(&[b'R', b'S', b'T', b'R', 30, 0, 9, 0]);
    page[16..26].copy_from_slice(&[0, 16, 0, 0, 0, 16, 0, 0, 48, 0]);
    page[30..32].copy_from_slice(&[7, 7]);
    for end in (512..=4096).step_by(512) {
        page[end - 2..end].copy_from_slice(&[7, 7]);
    }
    page[48] = sequence;
    page[48 + 12..48 + 14].copy_from_slice(&[0, 0]);
    page[48 + 14] = if closed { 2 } else { 0 };
    page
}

#[test]
fn a_volume_that_is_not_at_rest_is_kept_unless_the_guest_flushed_it() {
    let Some((image, _)) = made(48, "4096") else {
        return;
    };
    let text = image
        .run("ntfsinfo", &["-v", "-f", "-i", "2", "IMAGE"])
        .unwrap();
    let log = text.split("Dumping attribute $DATA").nth(1).unwrap();
    let log = log
        .lines()
        .find(|line| line.trim_start().starts_with("0x"))
        .unwrap();
    let place = log.split_whitespace().nth(1).unwrap();
    let place = u64::from_str_radix(&place[2..], 16).unwrap() * 4096;
    let flushed = SkipRequest {
        flushed: true,
        ..SkipRequest::all()
    };
    // The later of two pages counts; one that was torn may be the later one.
    let rows = [
        (true, true, ""),
        (false, true, ""),
        (true, false, "dirty"),
        (false, false, "dirty"),
    ];
    for (first, second, word) in rows {
        image.patch(place, &restart_page(1, first));
        image.patch(place + 4096, &restart_page(2, second));
        let verdict = |request: &SkipRequest| image.plan(request).volumes.remove(0);
        let told = words(&verdict(&SkipRequest::all()));
        assert_eq!(told.concat(), word, "{first} {second}");
        assert_eq!(words(&verdict(&flushed)), [""; 0]);
    }
    image.patch(place + 4096 + 510, &[8]);
    assert_eq!(
        words(&image.plan(&SkipRequest::all()).volumes[0]),
        ["damaged"]
    );
    // What asks for a check is kept whoever flushed it.
    let flags = attribute(&image, 3, 0x70) + 24 + 10;
    image.patch(flags, &[1]);
    let plan = image.plan(&flushed);
    assert_eq!(words(&plan.volumes[0]), ["dirty"]);
    assert!(plan.ranges.is_empty());
}

#[test]
fn a_catalog_of_shadow_copies_keeps_free_space_and_lets_page_files_go() {
    let Some((image, _)) = made(48, "4096") else {
        return;
    };
    let id = b"\x6B\x87\x08\x38\x76\xC1\x48\x4E\xB7\xAE\x04\x04\x6E\x6C\xC7\x52";
    image.patch(0x1E00, id);
    let catalog = 40 * MIB;
    image.patch(0x1E00 + 48, &catalog.to_le_bytes());
    image.patch(catalog, id);
    assert_eq!(words(&image.plan(&SkipRequest::all()).volumes[0]), [""; 0]);
    image.patch(catalog + 256, &[2]);
    let volume = image.plan(&SkipRequest::all()).volumes.remove(0);
    assert_eq!(words(&volume), ["shadow-copies"]);
    assert_eq!(bytes_of(&volume, SkipReason::FreeSpace), 0);
    assert_eq!(bytes_of(&volume, SkipReason::PageFile), 6 * MIB);
    image.patch(catalog + 256, &[0]);
    // Kept on another volume.
    image.patch(0x1E00 + 80, &[5]);
    assert_eq!(
        words(&image.plan(&SkipRequest::all()).volumes[0]),
        ["shadow-copies"]
    );
}

/// Opens a volume that Windows made.
fn windows_volume(name: &str) -> Option<VolumeImage> {
    let path = sample(name)?;
    let image = VolumeImage::new(0);
    let from = path.to_str().unwrap();
    image.run("qemu-img", &["convert", "-O", "raw", from, "IMAGE"])?;
    Some(image)
}

#[test]
fn volumes_that_windows_made_are_read() {
    if let Some(image) = windows_volume("fs/dfvfs-ntfs-vss.qcow2") {
        let plan = skip_plan(&image.disk(), &SkipRequest::all()).unwrap();
        let volume = &plan.volumes[0];
        assert_eq!(volume.file_system, "NTFS");
        assert_eq!(words(volume), ["shadow-copies"], "{:?}", volume.refusals);
        assert!(plan.ranges.is_empty());
    }
    if let Some(image) = windows_volume("fs/dfvfs-windows_volume.qcow2") {
        let volume = image.plan(&SkipRequest::all()).volumes.remove(0);
        assert_eq!(
            (volume.file_system, words(&volume)),
            ("NTFS", vec![]),
            "{volume:?}"
        );
        let free = bytes_of(&volume, SkipReason::FreeSpace);
        assert!(free > 0, "{volume:?}");
    }
}
