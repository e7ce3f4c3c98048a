//! XFS, against xfsprogs.

use std::fmt::Write as _;
use std::ops::Range;

use disk_model::VolumeImage;
use skip_ranges::{SkipReason, SkipRequest};

use crate::images::{MIB, SkipImage as _, bytes_of, files, is_inside, words};

/// Makes a file system with files in it.
pub(crate) fn made(mib: u64, arguments: &[&str]) -> Option<VolumeImage> {
    let image = VolumeImage::new(mib * MIB);
    let folder = image.folder();
    let mut list = "/dev/null\n0 0\nd--755 0 0\n".to_owned();
    for (name, _) in files(&folder.join("files")) {
        let from = folder.join("files").join(&name);
        writeln!(list, "{name} ---644 0 0 {}", from.display()).unwrap();
    }
    list.push_str("$\n$\n");
    std::fs::write(folder.join("list"), list).unwrap();
    let mut all = vec!["-q", "-p", "DIR/list"];
    all.extend(arguments);
    all.push("IMAGE");
    image.run("mkfs.xfs", &all)?;
    Some(image)
}

fn field(image: &VolumeImage, name: &str) -> u64 {
    let command = format!("p {name}");
    let text = image
        .run("xfs_db", &["-r", "-c", "sb 0", "-c", &command, "IMAGE"])
        .unwrap();
    text.trim().rsplit(' ').next().unwrap().parse().unwrap()
}

/// Returns the free extents that `xfs_db` lists, in bytes.
fn free(image: &VolumeImage) -> Vec<Range<u64>> {
    let block = field(image, "blocksize");
    let group = field(image, "agblocks");
    let text = image
        .run("xfs_db", &["-r", "-c", "freesp -d", "IMAGE"])
        .unwrap();
    let mut free = Vec::new();
    for line in text.lines() {
        let numbers: Vec<u64> = line
            .split_whitespace()
            .map_while(|word| word.parse().ok())
            .collect();
        if let ([agno, start, len], 3) = (&numbers[..], line.split_whitespace().count()) {
            let first = agno * group + start;
            free.push(first * block..(first + len) * block);
        }
    }
    free
}

#[test]
fn free_extents_are_those_that_xfs_db_lists() {
    for arguments in [
        &["-m", "crc=1"][..],
        &["-m", "crc=0", "-n", "ftype=0"],
        &["-b", "size=1024", "-d", "agcount=3"],
        &["-m", "rmapbt=1,reflink=1", "-s", "size=4096"],
    ] {
        let Some(image) = made(320, arguments) else {
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
        let long = free.iter().map(|run| run.end - run.start);
        let long: u64 = long.filter(|len| *len >= 128 << 10).sum();
        // But for the ends of the volume.
        assert!(
            plan.ranges.total_bytes() + (128 << 10) >= long,
            "{arguments:?}"
        );
        assert!(long > 200 * MIB, "{arguments:?}");
        assert_eq!(
            bytes_of(volume, SkipReason::FreeSpace),
            plan.ranges.total_bytes()
        );
        image.spoil(&plan.ranges);
        image.run("xfs_repair", &["-n", "-f", "IMAGE"]).unwrap();
        assert_eq!(image.plan(&SkipRequest::all()), plan);
    }
}

#[test]
fn a_log_that_is_not_closed_and_a_flipped_bit_keep_the_volume() {
    let Some(image) = made(320, &[]) else {
        return;
    };
    let (start, shift) = (field(&image, "logstart"), field(&image, "agblklog"));
    let group = field(&image, "agblocks");
    let log = ((start >> shift) * group + (start & ((1 << shift) - 1))) * 4096;
    let header = image.read(log, 16);
    assert_eq!(header[..4], [0xFE, 0xED, 0xBA, 0xBE]);
    let rows = [
        // The only record does not say any more that it is the last one.
        (log + 512 + 9, "dirty"),
        // A round that begins in the middle.
        (log + 512 * 9 + 3, "dirty"),
        (8, "damaged"),
        (512 + 52, "damaged"),
    ];
    for (offset, word) in rows {
        let byte = image.read(offset, 1)[0];
        image.patch(offset, &[byte ^ 0x20]);
        let plan = image.plan(&SkipRequest::all());
        let volume = &plan.volumes[0];
        assert_eq!(words(volume), [word], "{offset}: {:?}", volume.refusals);
        assert!(plan.ranges.is_empty());
        image.patch(offset, &[byte]);
    }
    assert!(!image.plan(&SkipRequest::all()).ranges.is_empty());
}
