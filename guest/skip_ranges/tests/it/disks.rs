//! Whole disks: swap, partitions, and what is not looked into.

use disk_model::VolumeImage;
use skip_ranges::{SkipReason, SkipRequest};

use crate::images::{MIB, SkipImage as _, bytes_of, words};

#[test]
fn a_swap_area_goes_but_for_its_ends_and_not_while_a_system_sleeps_in_it() {
    let image = VolumeImage::new(8 * MIB);
    if image.run("mkswap", &["IMAGE"]).is_none() {
        return;
    }
    let plan = image.plan(&SkipRequest::all());
    assert_eq!(plan.volumes[0].file_system, "swap");
    let ends = 128 << 10;
    assert_eq!(bytes_of(&plan.volumes[0], SkipReason::Swap), 8 * MIB - ends);
    let without = SkipRequest {
        swap: false,
        ..SkipRequest::all()
    };
    assert!(image.plan(&without).ranges.is_empty());
    image.spoil(&plan.ranges);
    assert_eq!(image.plan(&SkipRequest::all()), plan);
    // The mark of an area in a partition of its own, with a system in it.
    let disk = VolumeImage::new(16 * MIB);
    partition(&disk, 0x82, 2048, 8 * 2048);
    disk.patch(MIB, &image.read(0, 8 << 20));
    assert_eq!(
        bytes_of(&disk.plan(&SkipRequest::all()).volumes[0], SkipReason::Swap),
        8 * MIB - ends
    );
    for mark in [&b"S1SUSPEND\0"[..], b"LINHIB0001"] {
        disk.patch(MIB + 4086, mark);
        let plan = disk.plan(&SkipRequest::all());
        assert_eq!(words(&plan.volumes[0]), ["hibernated"]);
        assert!(plan.ranges.is_empty());
    }
}

/// Writes an entry of a partition table.
fn partition(image: &VolumeImage, kind: u8, first: u32, sectors: u32) {
    image.patch(510, &[0x55, 0xAA]);
    let number = (0..4)
        .find(|number| image.read(446 + 16 * number + 4, 1)[0] == 0)
        .unwrap();
    let at = 446 + 16 * number;
    image.patch(at + 4, &[kind]);
    image.patch(at + 8, &first.to_le_bytes());
    image.patch(at + 12, &sectors.to_le_bytes());
}

#[test]
fn what_is_not_understood_is_kept_by_name() {
    let image = VolumeImage::new(16 * MIB);
    partition(&image, 0x8E, 2048, 4096);
    image.patch(MIB + 512, b"LABELONE");
    partition(&image, 0x42, 8192, 4096);
    partition(&image, 0x07, 12288, 4096);
    image.patch(6 * MIB + 3, b"-FVE-FS-");
    partition(&image, 0xFD, 16384, 4096);
    image.patch(8 * MIB + 4096, &0xA92B_4EFC_u32.to_le_bytes());
    let plan = image.plan(&SkipRequest::all());
    assert!(plan.ranges.is_empty());
    let told: Vec<String> = plan
        .volumes
        .iter()
        .map(|volume| {
            assert_eq!(words(volume), ["not-understood"]);
            volume.refusals[0].text.clone()
        })
        .collect();
    for (text, word) in told.iter().zip(["LVM", "LDM", "BitLocker", "md"]) {
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn overlapping_partitions_and_volumes_of_two_kinds_are_kept() {
    let swap = VolumeImage::new(8 * MIB);
    if swap.run("mkswap", &["IMAGE"]).is_none() {
        return;
    }
    let area = swap.read(0, 8 << 20);
    let image = VolumeImage::new(16 * MIB);
    partition(&image, 0x82, 2048, 16384);
    image.patch(MIB, &area);
    assert!(!image.plan(&SkipRequest::all()).ranges.is_empty());
    partition(&image, 0x07, 16384, 4096);
    let plan = image.plan(&SkipRequest::all());
    assert_eq!(words(&plan.volumes[0]), ["damaged"]);
    assert!(plan.ranges.is_empty());
    swap.patch(0x1_0040, b"_BHRfS_M");
    let plan = swap.plan(&SkipRequest::all());
    assert_eq!(words(&plan.volumes[0]), ["not-understood"]);
    assert!(plan.ranges.is_empty());
}
