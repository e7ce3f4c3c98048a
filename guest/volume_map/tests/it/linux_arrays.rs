//! Arrays and volume groups that a Linux kernel made, filled and read back: each byte must be the same.
//!
//! The kernel is Debian's, started in QEMU once; the disks stay beside the build for the next run.

use std::path::Path;
use std::sync::OnceLock;

use disk_model::independent_tools::skip;
use guest_disks::LinuxArrays;
use volume_map::{GuestVolumes, ObstacleKind, Origin, guest_volumes};

use crate::disks::{Device, bytes, obstacle, open, sha256, volume};

/// Returns what the kernel made. `None`: something is missing, and the test is skipped.
pub(crate) fn made() -> Option<&'static LinuxArrays> {
    static MADE: OnceLock<Option<LinuxArrays>> = OnceLock::new();
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    MADE.get_or_init(|| LinuxArrays::make(cache)).as_ref()
}

/// The disks from one letter to another.
pub(crate) fn disks(made: &LinuxArrays, letters: std::ops::RangeInclusive<char>) -> Vec<Device> {
    letters
        .map(|letter| open(&made.disk(&letter.to_string())))
        .collect()
}

fn all() -> Option<(&'static LinuxArrays, GuestVolumes)> {
    let made = made().or_else(|| {
        skip("no kernel made arrays");
        None
    })?;
    Some((made, guest_volumes(&disks(made, 'a'..='y'))))
}

#[test]
fn each_byte_is_what_the_kernel_reads() {
    let Some((made, all)) = all() else { return };
    let mut compared = 0;
    for (name, size, hash) in &made.said {
        // Its parity is not read; the encrypted ones are another crate's.
        if name == "md17" || name.starts_with("luks") || name.starts_with("secret") {
            continue;
        }
        let volume = volume(&all, name);
        let device = volume
            .device
            .as_ref()
            .unwrap_or_else(|| panic!("{volume:?}"));
        assert_eq!(
            (device.size_bytes(), &sha256(&bytes(device))),
            (*size, hash),
            "{name}"
        );
        compared += 1;
    }
    assert_eq!(compared, 14, "{made:?}");
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
    let Some((made, _)) = all() else { return };
    let all = guest_volumes(&disks(made, 'v'..='w'));
    let lost = volume(&all, "vg--a-linear").obstacle.as_ref().unwrap();
    assert_eq!(lost.kind, ObstacleKind::Missing);
    assert!(
        lost.what.contains("of volume group vg-a (/dev/vdu)"),
        "{lost}"
    );
    // One leg is enough.
    let mirror = bytes(volume(&all, "vg--a-raid_one").device.as_ref().unwrap());
    assert_eq!(sha256(&mirror), made.hash("vg--a-raid_one"));
}

#[test]
fn an_array_without_all_its_members_is_read_where_that_is_enough() {
    let Some((made, _)) = all() else { return };
    let read = |name: &str, letters| {
        let all = guest_volumes(&disks(made, letters));
        sha256(&bytes(volume(&all, name).device.as_ref().unwrap())) == made.hash(name)
    };
    assert!(read("md10", 'b'..='b') && read("md10", 'a'..='a'));
    assert!(read("md14", 'k'..='l') && read("md14", 'l'..='m'));
    assert!(read("md15", 'o'..='o'));
    let all = guest_volumes(&disks(made, 'c'..='d'));
    assert!(obstacle(&all, "md11").contains("member 2 of the array's 3 is on none of the disks"));
    // Who is behind and alone does not know it; together with the other one it is left out.
    assert!(read("md16", 'q'..='q') && read("md16", 'p'..='q'));
}

#[test]
fn a_disk_that_is_named_twice_is_one() {
    let Some((made, _)) = all() else { return };
    let twice = [disks(made, 'a'..='b'), disks(made, 'a'..='b')].concat();
    let all = guest_volumes(&twice);
    assert_eq!(
        all.volumes
            .iter()
            .filter(|it| matches!(it.origin, Origin::Md { .. }))
            .count(),
        1
    );
}
