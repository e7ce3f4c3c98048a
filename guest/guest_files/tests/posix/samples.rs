//! Volumes that others made.

use std::fs::File;
use std::process::{Command, Stdio};

use disk_model::independent_tools::sample;
use guest_files::State;
use volume_map::Content;

use crate::compare::{Judge, entries, judged_by_the_kernel};
use crate::image::Image;

/// Where the only partition of the sample disks begins.
const PARTITION_MIB: &str = "1";

fn run(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}

/// Unpacks a sample; of a disk its partition.
fn unpacked(name: &str) -> Option<Image> {
    let path = sample(name)?;
    let image = Image::new(0);
    let folder = image.folder();
    let program = if name.ends_with(".zst") {
        "zstd"
    } else {
        "gzip"
    };
    let first = folder.join("unpacked");
    let output = Stdio::from(File::create(&first).unwrap());
    if !run(Command::new(program).arg("-dc").arg(&path).stdout(output)) {
        disk_model::independent_tools::skip(&format!("{program} does not unpack {name}"));
        return None;
    }
    if !name.contains(".vhdx") {
        std::fs::rename(first, image.path()).unwrap();
        return Some(image);
    }
    let raw = folder.join("raw");
    if !run(Command::new("qemu-img")
        .args(["convert", "-O", "raw"])
        .args([&first, &raw]))
    {
        disk_model::independent_tools::skip("qemu-img is not installed");
        return None;
    }
    let (source, target) = (
        format!("if={}", raw.display()),
        format!("of={}", image.path().display()),
    );
    let skip = format!("skip={PARTITION_MIB}");
    let copy = [
        "bs=1M",
        "conv=sparse",
        "status=none",
        &skip,
        &source,
        &target,
    ];
    assert!(run(Command::new("dd").args(copy)));
    Some(image)
}

#[test]
fn volumes_that_others_made_are_shown_as_the_kernel_shows_them() {
    let samples = [
        ("fs/discutils-ext4.dat.gz", Content::Ext, 1),
        ("fs/ext4view-test_disk1.bin.zst", Content::Ext, 10),
        (
            "fs/ext4view-test_disk_4k_block_journal.bin.zst",
            Content::Ext,
            1,
        ),
        ("vhdx/discutils-btrfs.vhdx.gz", Content::Btrfs, 1),
        ("vhdx/discutils-xfs5.vhdx.gz", Content::Xfs, 1),
    ];
    for (name, content, least) in samples {
        let Some(image) = unpacked(name) else {
            continue;
        };
        let ours = image.open(content);
        let state: State = ours.about().state.clone();
        assert!(entries(ours.as_ref(), ours.root()).len() >= least, "{name}");
        let judge = Judge {
            has_plain_extents: false,
            options: if content == Content::Btrfs {
                "ro,subvolid=5"
            } else {
                "noatime"
            },
            ..Judge::KERNEL
        };
        eprintln!(
            "{name} ({state:?}): {:?}",
            judged_by_the_kernel(&image, content, &state, judge)
        );
    }
}
