//! Arrays and volume groups that a Linux kernel made, filled and read back: each byte must be the same.
//!
//! The kernel is Debian's, started in QEMU once; the disks stay beside the build for the next run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use disk_model::independent_tools::{have_tool, skip};
use volume_map::{GuestVolumes, ObstacleKind, Origin, guest_volumes};

use crate::disks::{Device, bytes, obstacle, open, sha256, volume};

const SCRIPT: &str = include_str!("make_arrays.sh");
const PROGRAMS: [(&str, &str); 8] = [
    ("qemu-system-x86_64", "--version"),
    ("apt-get", "--version"),
    ("dpkg-deb", "--version"),
    ("cpio", "--version"),
    ("sfdisk", "--version"),
    ("mdadm", "--version"),
    ("lvm", "version"),
    ("busybox", "true"),
];

/// Returns the folder with the disks. `None`: something is missing, and the test is skipped.
pub(crate) fn made() -> Option<&'static Path> {
    static MADE: OnceLock<Option<PathBuf>> = OnceLock::new();
    MADE.get_or_init(make).as_deref()
}

fn make() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let script = sha256(SCRIPT.as_bytes());
    let kept = beside.join(format!("linux-arrays-{}", &script[..12]));
    if kept.join("said").exists() {
        return Some(kept);
    }
    if !PROGRAMS.iter().all(|(name, ask)| have_tool(name, &[ask])) {
        return None;
    }
    let kernel = guest_disks::kernel_package(&beside.join("guest-kernel"))?;
    let folder = tempfile::tempdir_in(beside).unwrap();
    let script = folder.path().join("make_arrays.sh");
    fs::write(&script, SCRIPT).unwrap();
    let output = Command::new("sh")
        .arg(&script)
        .arg(folder.path())
        .arg(kernel)
        .output()
        .unwrap();
    let said = fs::read_to_string(folder.path().join("said")).unwrap_or_default();
    assert!(
        said.contains("ORACLE-DONE") && !said.contains("FAILED"),
        "{said}\n{output:?}"
    );
    fs::rename(folder.keep(), &kept).unwrap();
    Some(kept)
}

/// The disks from one letter to another.
pub(crate) fn disks(folder: &Path, letters: std::ops::RangeInclusive<char>) -> Vec<Device> {
    let paths = letters.map(|letter| folder.join(format!("disk-{letter}.raw")));
    paths.map(|path| open(&path)).collect()
}

fn all() -> Option<(&'static Path, GuestVolumes)> {
    let folder = made().or_else(|| {
        skip("no kernel made arrays");
        None
    })?;
    Some((folder, guest_volumes(&disks(folder, 'a'..='y'))))
}

#[test]
fn each_byte_is_what_the_kernel_reads() {
    let Some((folder, all)) = all() else { return };
    let said = fs::read_to_string(folder.join("said")).unwrap();
    let mut compared = 0;
    for line in said.lines().filter(|line| line.starts_with("ORACLE ")) {
        let [_, name, size, hash] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        // Its parity is not read.
        if name == "md17" {
            continue;
        }
        let device = volume(&all, name)
            .device
            .as_ref()
            .unwrap_or_else(|| panic!("{:?}", volume(&all, name)));
        assert_eq!(device.size_bytes().to_string(), size, "{name}");
        assert_eq!(sha256(&bytes(device)), hash, "{name}");
        compared += 1;
    }
    assert_eq!(compared, 14, "{said}");
}

#[test]
fn what_a_volume_is_made_of_and_what_is_not_read_is_named() {
    let Some((_, all)) = all() else { return };
    let level = |name: &str| match &volume(&all, name).origin {
        Origin::Md { level, .. } => level.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (level("md11"), level("md13"), level("md14")),
        ("raid0".into(), "linear".into(), "raid10".into())
    );
    assert!(obstacle(&all, "md17").contains("raid5"));
    assert!(obstacle(&all, "vg--a-thin").contains("thin"));
    assert!(obstacle(&all, "vg--a-snapped").contains("snapshot"));
    assert_eq!(volume(&all, "1").used_by, ["array md10"]);
    assert_eq!(volume(&all, "21").used_by, ["volume group vg-a"]);
    assert_eq!(volume(&all, "md-root.2").used_by, ["volume group inner"]);
    // No part of a mirror is a volume of its own.
    assert!(
        all.volumes
            .iter()
            .all(|volume| !volume.name.contains("rimage"))
    );
}

#[test]
fn a_missing_physical_volume_is_named_and_the_others_are_read() {
    let Some((folder, _)) = all() else { return };
    let all = guest_volumes(&disks(folder, 'v'..='w'));
    let lost = volume(&all, "vg--a-linear").obstacle.as_ref().unwrap();
    assert_eq!(lost.kind, ObstacleKind::Missing);
    assert!(
        lost.what.contains("of volume group vg-a (/dev/vdu)"),
        "{lost}"
    );
    // One leg is enough.
    let said = fs::read_to_string(folder.join("said")).unwrap();
    let mirror = bytes(volume(&all, "vg--a-raid_one").device.as_ref().unwrap());
    assert!(
        said.contains(&sha256(&mirror)),
        "the other leg holds the same"
    );
}

#[test]
fn an_array_without_all_its_members_is_read_where_that_is_enough() {
    let Some((folder, _)) = all() else { return };
    let said = fs::read_to_string(folder.join("said")).unwrap();
    let read = |name: &str, letters| {
        let all = guest_volumes(&disks(folder, letters));
        said.contains(&sha256(&bytes(volume(&all, name).device.as_ref().unwrap())))
    };
    assert!(read("md10", 'b'..='b') && read("md10", 'a'..='a'));
    assert!(read("md14", 'k'..='l') && read("md14", 'l'..='m'));
    assert!(read("md15", 'o'..='o'));
    let all = guest_volumes(&disks(folder, 'c'..='d'));
    assert!(obstacle(&all, "md11").contains("member 2 of the array's 3 is on none of the disks"));
    // Who is behind and alone does not know it; together with the other one it is left out.
    assert!(read("md16", 'q'..='q') && read("md16", 'p'..='q'));
}

#[test]
fn a_disk_that_is_named_twice_is_one() {
    let Some((folder, _)) = all() else { return };
    let twice = [disks(folder, 'a'..='b'), disks(folder, 'a'..='b')].concat();
    let all = guest_volumes(&twice);
    assert_eq!(
        all.volumes
            .iter()
            .filter(|it| matches!(it.origin, Origin::Md { .. }))
            .count(),
        1
    );
}
