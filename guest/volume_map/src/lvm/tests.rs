//! Groups that describe what cannot be.

use std::sync::Arc;

use block_io::{BlockDevice, MemoryDisk};
use proptest::prelude::*;

use super::Physical;
use super::segments::Mapper;
use super::volume_group::VolumeGroup;
use crate::{Obstacle, ObstacleKind};

/// A group with a volume of each kind that is read.
const TEXT: &str = r#"vg { id = "vg-id" seqno = 3 extent_size = 8 status = ["READ"]
    physical_volumes {
        pv0 { id = "a-0" device = "/dev/sda" pe_start = 16 pe_count = 100 }
        pv1 { id = "a-1" device = "/dev/sdb" pe_start = 8 pe_count = 100 }
    }
    logical_volumes {
        one { status = ["READ", "VISIBLE"] segment_count = 2
            segment1 { start_extent = 0 extent_count = 4 type = "striped" stripe_count = 1 stripes = ["pv0", 3] }
            segment2 { start_extent = 4 extent_count = 6 type = "striped" stripe_count = 2 stripe_size = 2
                stripes = ["pv0", 20, "pv1", 9] } }
        two { status = ["VISIBLE"]
            segment1 { start_extent = 0 extent_count = 5 type = "raid1" raids = ["m0", "i0", "m1", "i1"] } }
        m0 { segment1 { start_extent = 0 extent_count = 1 type = "striped" stripes = ["pv0", 30] } }
        m1 { segment1 { start_extent = 0 extent_count = 1 type = "striped" stripes = ["pv1", 30] } }
        i0 { segment1 { start_extent = 0 extent_count = 5 type = "striped" stripes = ["pv0", 40] } }
        i1 { segment1 { start_extent = 0 extent_count = 5 type = "striped" stripes = ["pv1", 40] } }
        three { status = ["VISIBLE"] segment1 { start_extent = 0 extent_count = 2 type = "zero" } }
    } }"#;

fn physical() -> Physical {
    let disk = |fill| Arc::new(MemoryDisk::new(vec![fill; 1 << 20])) as Arc<dyn BlockDevice>;
    [("a0".to_owned(), disk(1)), ("a1".to_owned(), disk(2))].into()
}

/// Makes every volume of a group; each that is made can be read to its end.
fn make_all(text: &str, physical: &Physical) -> Vec<(String, Result<u64, Obstacle>)> {
    let Some(group) = VolumeGroup::parse(text.as_bytes()) else {
        return Vec::new();
    };
    let mapper = Mapper::new(&group, physical);
    let names = group.volumes.keys();
    let made = names.map(|name| {
        let size = mapper.device(name).map(|device| {
            let size = device.size_bytes();
            for at in [0, size / 2, size - 1] {
                device.read_at(at, &mut [0]).unwrap();
            }
            size
        });
        (name.clone(), size)
    });
    made.collect()
}

/// What becomes of one volume when a part of the text is another one.
fn changed(name: &str, from: &str, to: &str) -> Result<u64, Obstacle> {
    assert!(TEXT.contains(from), "{from}");
    let made = make_all(&TEXT.replace(from, to), &physical());
    made.into_iter().find(|(own, _)| own == name).unwrap().1
}

#[test]
fn a_sound_group_is_made_and_a_leg_that_is_behind_left_out() {
    let made = make_all(TEXT, &physical());
    let sizes: Vec<u64> = made
        .into_iter()
        .map(|(_, size)| size.unwrap() / 4096)
        .collect();
    assert_eq!(sizes, [5, 5, 1, 1, 10, 2, 5]);
    // Superblocks of both legs: the second one has seen more, and says that the first one failed.
    let disk = |fill: u8, extent_at: usize, events: u8, failed: u8| {
        let mut bytes = vec![fill; 1 << 20];
        let at = extent_at + 30 * 4096;
        bytes[at..at + 40].fill(0);
        bytes[at..at + 4].copy_from_slice(b"DmRd");
        (bytes[at + 16], bytes[at + 24]) = (events, failed);
        bytes[at + 32..at + 40].fill(0xFF);
        Arc::new(MemoryDisk::new(bytes)) as Arc<dyn BlockDevice>
    };
    let first_byte = |physical: &Physical| {
        let group = VolumeGroup::parse(TEXT.as_bytes()).unwrap();
        let mut byte = [0];
        let device = Mapper::new(&group, physical).device("two");
        device.map(|device| {
            device.read_at(0, &mut byte).unwrap();
            byte[0]
        })
    };
    let both =
        |one, other| -> Physical { [("a0".to_owned(), one), ("a1".to_owned(), other)].into() };
    assert_eq!(
        first_byte(&both(disk(1, 8192, 5, 0), disk(2, 4096, 5, 0))),
        Ok(1)
    );
    assert_eq!(
        first_byte(&both(disk(1, 8192, 5, 0), disk(2, 4096, 6, 1))),
        Ok(2)
    );
    assert_eq!(
        first_byte(&both(disk(1, 8192, 6, 2), disk(2, 4096, 5, 0))),
        Ok(1)
    );
    assert!(first_byte(&both(disk(1, 8192, 6, 3), disk(2, 4096, 6, 3))).is_err());
}

#[test]
fn what_cannot_be_is_named() {
    let rows = [
        (
            "one",
            r#"stripes = ["pv0", 3]"#,
            r#"stripes = ["pv0", 99999]"#,
            "beyond the end of pv0",
        ),
        (
            "one",
            r#"stripes = ["pv0", 3]"#,
            r#"stripes = ["nobody", 3]"#,
            "refers to nobody",
        ),
        (
            "one",
            r#"stripes = ["pv0", 3]"#,
            r#"stripes = ["one", 0]"#,
            "makes one out of itself",
        ),
        (
            "one",
            "start_extent = 4",
            "start_extent = 5",
            "leaves a hole",
        ),
        ("one", "stripe_size = 2", "stripe_size = 0", "do not fit"),
        (
            "one",
            "extent_count = 6",
            "extent_count = 99999999999999999",
            "no disk holds",
        ),
        (
            "two",
            "extent_count = 5 type = \"raid1\"",
            "extent_count = 6 type = \"raid1\"",
            "shorter than its segment",
        ),
        (
            "three",
            "type = \"zero\"",
            "type = \"vdo\"",
            "made by LVM as vdo",
        ),
    ];
    for (name, from, to, why) in rows {
        let obstacle = changed(name, from, to).unwrap_err();
        assert!(obstacle.what.contains(why), "{from} {to}: {obstacle}");
    }
    let lost = changed("one", "a-1", "a-2").unwrap_err();
    assert_eq!(lost.kind, ObstacleKind::Missing);
    // A mirror does without one leg.
    assert_eq!(changed("two", "a-1", "a-2"), Ok(5 * 4096));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_change_of_a_group_ends(
        changes in prop::collection::vec((0..TEXT.len(), prop::sample::select(b"0129{}[]\"=, pvone".to_vec())), 1..8),
    ) {
        let mut text = TEXT.as_bytes().to_vec();
        for (at, byte) in changes {
            text[at] = byte;
        }
        make_all(&String::from_utf8(text).unwrap(), &physical());
    }
}
