//! ext2, ext3 and ext4, against e2fsprogs.

use std::ops::Range;

use disk_model::VolumeImage;
use skip_ranges::{SkipReason, SkipRequest};

use crate::images::{MIB, NamedBytes, SkipImage as _, bytes_of, files, is_inside, words};

/// Makes a file system with files in it.
fn made(size_bytes: u64, arguments: &[&str]) -> Option<(VolumeImage, Vec<NamedBytes>)> {
    let image = VolumeImage::new(size_bytes);
    let files = files(&image.folder().join("files"));
    let mut all = vec!["-q", "-F", "-d", "DIR/files"];
    all.extend(arguments);
    all.push("IMAGE");
    image.run("mke2fs", &all)?;
    Some((image, files))
}

/// Returns the free blocks that `dumpe2fs` lists, in bytes.
fn free(image: &VolumeImage) -> Vec<Range<u64>> {
    let text = image.run("dumpe2fs", &["IMAGE"]).unwrap();
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let block = field("Block size:");
    let mut free = Vec::new();
    for line in text.lines() {
        let Some(list) = line.strip_prefix("  Free blocks: ") else {
            continue;
        };
        for run in list.split(", ").filter(|run| !run.is_empty()) {
            let (first, last) = run.split_once('-').unwrap_or((run, run));
            let first: u64 = first.parse().unwrap();
            let last: u64 = last.parse().unwrap();
            free.push(first * block..(last + 1) * block);
        }
    }
    free
}

/// Sizes in MiB, and what `mke2fs` is asked for.
const LAYOUTS: &[(u64, &[&str])] = &[
    (96, &["-t", "ext4", "-b", "4096"]),
    (64, &["-t", "ext4", "-b", "1024"]),
    (
        140,
        &[
            "-t",
            "ext4",
            "-b",
            "4096",
            "-O",
            "meta_bg,^resize_inode",
            "-g",
            "1024",
        ],
    ),
    (
        140,
        &[
            "-t",
            "ext4",
            "-b",
            "1024",
            "-O",
            "meta_bg,^resize_inode,^64bit",
        ],
    ),
    (
        100,
        &["-t", "ext4", "-b", "4096", "-O", "bigalloc", "-C", "65536"],
    ),
    (
        100,
        &[
            "-t",
            "ext4",
            "-b",
            "4096",
            "-O",
            "^flex_bg,^metadata_csum,uninit_bg",
            "-g",
            "2048",
        ],
    ),
    (
        100,
        &[
            "-t",
            "ext4",
            "-b",
            "4096",
            "-O",
            "sparse_super2,^resize_inode",
            "-g",
            "4096",
        ],
    ),
    (
        100,
        &[
            "-t",
            "ext4",
            "-b",
            "4096",
            "-O",
            "metadata_csum_seed",
            "-I",
            "256",
        ],
    ),
    (100, &["-t", "ext3", "-b", "2048"]),
    (64, &["-t", "ext2", "-b", "1024"]),
    (
        64,
        &[
            "-t",
            "ext2",
            "-b",
            "4096",
            "-O",
            "^sparse_super,^resize_inode",
        ],
    ),
];

#[test]
fn free_blocks_of_every_layout_are_those_that_dumpe2fs_lists() {
    for (mib, arguments) in LAYOUTS {
        let Some((image, files)) = made(mib * MIB, arguments) else {
            return;
        };
        let plan = image.plan(&SkipRequest::all());
        let volume = &plan.volumes[0];
        assert_eq!(
            words(volume),
            [""; 0],
            "{arguments:?}: {:?}",
            volume.refusals
        );
        let free = free(&image);
        assert!(is_inside(&plan.ranges, &free), "{arguments:?}");
        // All that is long enough, but for the volume's ends.
        let ends = 64 << 10;
        let long = free
            .iter()
            .map(|run| run.start.max(ends)..run.end.min(mib * MIB - ends));
        let long = long.filter(|run| run.end.saturating_sub(run.start) >= ends);
        let long: u64 = long.map(|run| run.end - run.start).sum();
        // With meta groups a block or two more of each group are kept.
        assert!(
            plan.ranges.total_bytes() >= long / 100 * 99,
            "{arguments:?}"
        );
        assert!(long > mib * MIB / 2, "{arguments:?}");
        assert_eq!(
            bytes_of(volume, SkipReason::FreeSpace),
            plan.ranges.total_bytes()
        );
        image.spoil(&plan.ranges);
        image.run("e2fsck", &["-f", "-n", "IMAGE"]).unwrap();
        for (name, bytes) in &files {
            let command = format!("dump /{name} DIR/out");
            image.run("debugfs", &["-R", &command, "IMAGE"]).unwrap();
            assert_eq!(&std::fs::read(image.folder().join("out")).unwrap(), bytes);
        }
    }
}

#[test]
fn what_is_not_at_rest_or_not_known_is_kept() {
    let rows: &[(&[&str], &str)] = &[
        (&["feature needs_recovery"], "dirty"),
        (&["set_super_value state 0"], "dirty"),
        (&["set_super_value state 3"], "dirty"),
        (&["feature FEATURE_I20"], "unknown-feature"),
        (&["feature FEATURE_R30"], "unknown-feature"),
        (&["set_block_group 1 free_blocks_count 7"], "damaged"),
        (&["set_block_group 1 checksum 7"], "damaged"),
    ];
    for (commands, word) in rows {
        let Some((image, _)) = made(150 * MIB, &["-t", "ext4", "-b", "4096"]) else {
            return;
        };
        let commands: String = commands.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(image.folder().join("commands"), &commands).unwrap();
        image
            .run("debugfs", &["-w", "-f", "DIR/commands", "IMAGE"])
            .unwrap();
        for flushed in [false, true] {
            let request = SkipRequest {
                flushed,
                ..SkipRequest::all()
            };
            let plan = image.plan(&request);
            assert_eq!(words(&plan.volumes[0]), vec![*word; 1], "{commands}");
            assert!(plan.ranges.is_empty());
        }
    }
}

#[test]
fn a_flipped_bit_in_any_structure_keeps_the_volume() {
    let Some((image, _)) = made(150 * MIB, &["-t", "ext4", "-b", "4096"]) else {
        return;
    };
    let text = image.run("dumpe2fs", &["IMAGE"]).unwrap();
    let bitmap = text.split("Block bitmap at ").nth(1).unwrap();
    let bitmap: u64 = bitmap.split(' ').next().unwrap().parse().unwrap();
    for offset in [1024 + 8, 4096 + 64, bitmap * 4096 + 4000] {
        let byte = image.read(offset, 1)[0];
        image.patch(offset, &[byte ^ 0x10]);
        let plan = image.plan(&SkipRequest::all());
        assert_eq!(words(&plan.volumes[0]), ["damaged"], "{offset}");
        assert!(plan.ranges.is_empty());
        image.patch(offset, &[byte]);
    }
    assert!(!image.plan(&SkipRequest::all()).ranges.is_empty());
}
