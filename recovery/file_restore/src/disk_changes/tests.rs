use std::collections::BTreeSet;

use block_io::{MemoryDisk, Place};
use guest_files::{FileErrorKind, GuestFileSystem};
use guest_reader::{DisksFacts, LocalGuest, SystemFacts, VolumeFacts};
use proptest::prelude::*;
use volume_map::{Content, Origin, Role};

use super::*;

const DISK_BYTES: u64 = 200;

/// A guest with one volume that is pieced together of its disks.
struct Pieced {
    facts: DisksFacts,
    pieces: Vec<Place>,
}

impl Pieced {
    fn new(pieces: Vec<Place>) -> Self {
        let volume = VolumeFacts {
            name: "1".to_owned(),
            origin: Origin::Disk { disk: 0 },
            windows_id: None,
            role: Role::Data,
            size_bytes: pieces.iter().map(|piece| piece.len_bytes).sum(),
            content: Content::Unknown,
            label: String::new(),
            uuid: String::new(),
            used_by: Vec::new(),
            obstacle: None,
            encryption: None,
        };
        let facts = DisksFacts {
            volumes: vec![volume],
            ..DisksFacts::default()
        };
        Self { facts, pieces }
    }
}

impl Guest for Pieced {
    fn facts(&self) -> &DisksFacts {
        &self.facts
    }

    fn open(&self, _: u32) -> Result<&dyn GuestFileSystem, FileError> {
        Err(FileError::new(FileErrorKind::NotFound, "nothing"))
    }

    fn used_bytes(&self, _: u32) -> Result<Option<u64>, FileError> {
        Ok(None)
    }

    fn system(&self, _: u32) -> Result<SystemFacts, FileError> {
        Ok(SystemFacts::default())
    }

    fn volume_places(&self, _: u32, offset: u64, max: usize) -> Result<Vec<Place>, FileError> {
        let mut places = Vec::new();
        let mut begin = 0;
        for piece in &self.pieces {
            let skip = offset.saturating_sub(begin).min(piece.len_bytes);
            begin += piece.len_bytes;
            // In parts, as whoever tells of long volumes does.
            for at in (skip..piece.len_bytes).step_by(7) {
                places.push(Place {
                    offset: piece.offset + at,
                    len_bytes: (piece.len_bytes - at).min(7),
                    ..*piece
                });
            }
        }
        places.truncate(max.min(8));
        Ok(places)
    }
}

fn disks(changed: &[Option<ByteRanges>]) -> DiskChanges {
    let disk = |number: u8| -> Arc<dyn BlockDevice> {
        Arc::new(MemoryDisk::new(vec![
            number;
            usize::try_from(DISK_BYTES).unwrap()
        ]))
    };
    DiskChanges::new(&[disk(0), disk(1)], changed)
}

fn layout(disks: &DiskChanges, pieces: &[Place]) -> VolumeLayout {
    let guest = Pieced::new(pieces.to_vec());
    disks.layout(&guest, 0).unwrap()
}

/// The bytes of a volume, each as its place.
fn bytes(pieces: &[Place]) -> Vec<(u32, u64)> {
    let all = pieces.iter().flat_map(|piece| {
        (piece.offset..piece.offset + piece.len_bytes).map(|at| (piece.disk, at))
    });
    all.collect()
}

fn ranges() -> impl Strategy<Value = ByteRanges> {
    let parts = prop::collection::vec((0..DISK_BYTES, 1_u64..40), 0..6);
    parts.prop_map(|parts| {
        let ends = parts
            .into_iter()
            .map(|(at, len)| at..(at + len).min(DISK_BYTES));
        ends.collect()
    })
}

fn pieces() -> impl Strategy<Value = Vec<Place>> {
    let piece =
        (0_u32..2, 0..DISK_BYTES - 50, 1_u64..50).prop_map(|(disk, offset, len_bytes)| Place {
            disk,
            offset,
            len_bytes,
        });
    prop::collection::vec(piece, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn changes_of_disks_are_changes_of_what_lies_on_them(
        first in ranges(), second in ranges(), pieces in pieces(), other in pieces(),
    ) {
        let changed = [first, second];
        let disks = disks(&changed.clone().map(Some));
        let own = layout(&disks, &pieces);
        let model: BTreeSet<u64> = (0..).zip(bytes(&pieces)).filter(|(_, (disk, at))| {
            changed[usize::try_from(*disk).unwrap()].intersects(*at..*at + 1)
        }).map(|(at, _)| at).collect();
        let found: BTreeSet<u64> = own.changed.iter().flatten().collect();
        prop_assert_eq!(&found, &model);
        let places = own.places.clone().unwrap();
        prop_assert_eq!(bytes(&places), bytes(&pieces));
        // A volume that lies elsewhere is not said to be the same.
        let changes = own.changes_since(&layout(&disks, &other));
        if bytes(&pieces) == bytes(&other) {
            prop_assert_eq!(changes, VolumeChanges::Ranges(own.changed.clone()));
        } else {
            prop_assert_eq!(changes, VolumeChanges::Unknown);
        }
    }
}

#[test]
fn what_lies_on_no_disk_is_not_known() {
    let disks = disks(&[Some(ByteRanges::new()), Some(ByteRanges::new())]);
    let mut guest = Pieced::new(vec![Place {
        disk: 0,
        offset: 0,
        len_bytes: 50,
    }]);
    let seen = disks.layout(&guest, 0).unwrap();
    assert!(seen.changes_since(&seen).is_nothing());
    // Half of it lies on no disk.
    guest.facts.volumes[0].size_bytes = 100;
    let unseen = disks.layout(&guest, 0).unwrap();
    assert_eq!(unseen.changes_since(&unseen), VolumeChanges::Unknown);
    assert_eq!(unseen.changes_since(&seen), VolumeChanges::Unknown);
}

#[test]
fn a_disk_of_which_nothing_is_known_makes_its_volumes_unknown() {
    let disks = disks(&[Some(ByteRanges::new()), None]);
    let on = |disk| {
        layout(
            &disks,
            &[Place {
                disk,
                offset: 0,
                len_bytes: 50,
            }],
        )
    };
    assert!(on(0).changes_since(&on(0)).is_nothing());
    assert_eq!(on(1).changes_since(&on(1)), VolumeChanges::Unknown);
    assert_eq!(on(1).changed.total_bytes(), 50);
}

#[test]
fn a_file_system_on_two_volumes_is_the_same_while_both_are() {
    let known = |changed: [u64; 2]| {
        let disks = disks(&changed.map(|bytes| Some(std::iter::once(0..bytes).collect())));
        let place = Place {
            disk: 0,
            offset: 0,
            len_bytes: 50,
        };
        let mut guest = Pieced::new(vec![place]);
        guest.facts.volumes[0].content = Content::Btrfs;
        guest.facts.volumes[0].uuid = "one".to_owned();
        let mut other = guest.facts.volumes[0].clone();
        other.name = "2".to_owned();
        guest.facts.volumes.push(other);
        let layout = disks.layout(&guest, 0).unwrap();
        layout.changes_since(&layout)
    };
    assert!(known([0, 0]).is_nothing());
    assert_eq!(known([10, 0]), VolumeChanges::Unknown);
}

#[test]
fn a_guest_without_volumes_has_no_layouts() {
    let disks = disks(&[]);
    let guest = LocalGuest::open(&[]);
    assert!(disks.layout(&guest, 7).is_err());
}

#[test]
fn who_answers_in_parts_of_parts_is_not_asked_without_end() {
    let disks = disks(&[Some(ByteRanges::new()), Some(ByteRanges::new())]);
    let place = Place {
        disk: 0,
        offset: 0,
        len_bytes: 100_000,
    };
    let layout = layout(&disks, &[place]);
    assert_eq!(layout.places, None);
    assert_eq!(layout.changes_since(&layout), VolumeChanges::Unknown);
    assert!(layout.changed.total_bytes() > 90_000);
}
