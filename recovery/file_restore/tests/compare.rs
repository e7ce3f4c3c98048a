//! That comparing two points reads what changed, and nothing else.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a helper of tests may panic, and says what it skips"
)]

use std::fs;
use std::ops::Range;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use block_io::{BlockDevice, ByteRanges, DiskError, Extent, MemoryDisk};
use file_restore::{
    Change, DiffItem, DiskChanges, Reading, TreeDiff, VolumeChanges, VolumePair, match_volumes,
    volume_churn,
};
use guest_reader::{Guest as _, LocalGuest};

/// A disk that counts what is read of it.
struct Counted {
    disk: MemoryDisk,
    reads: AtomicU64,
    bytes: AtomicU64,
}

impl BlockDevice for Counted {
    fn size_bytes(&self) -> u64 {
        self.disk.size_bytes()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(buf.len() as u64, Ordering::Relaxed);
        self.disk.read_at(offset, buf)
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        self.disk.extent_at(offset, max_bytes)
    }
}

fn counted(bytes: Vec<u8>) -> Arc<Counted> {
    Arc::new(Counted {
        disk: MemoryDisk::new(bytes),
        reads: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
    })
}

/// A point: its guest, over disks that are counted, and what of them changed.
struct Point {
    counted: Vec<Arc<Counted>>,
    changes: DiskChanges,
    guest: LocalGuest,
}

impl Point {
    fn new(images: &[&[u8]], changed: &[Option<ByteRanges>]) -> Self {
        let counted: Vec<_> = images.iter().map(|image| counted(image.to_vec())).collect();
        let disks = counted
            .iter()
            .map(|disk| Arc::clone(disk) as Arc<dyn BlockDevice>);
        let disks: Vec<_> = disks.collect();
        Self {
            counted,
            changes: DiskChanges::new(&disks, changed),
            guest: LocalGuest::open(&disks),
        }
    }

    fn reads(&self) -> Vec<u64> {
        self.counted
            .iter()
            .map(|disk| disk.reads.load(Ordering::Relaxed))
            .collect()
    }

    fn bytes(&self) -> u64 {
        self.counted
            .iter()
            .map(|disk| disk.bytes.load(Ordering::Relaxed))
            .sum()
    }
}

fn pair<'g>(old: &'g Point, new: &'g Point, volume: u32) -> VolumePair<'g> {
    VolumePair {
        old: old.guest.open(volume).unwrap(),
        new: new.guest.open(volume).unwrap(),
        changes: changes(old, new, volume),
    }
}

fn changes(old: &Point, new: &Point, volume: u32) -> VolumeChanges {
    let layout = |point: &Point| point.changes.layout(&point.guest, volume).unwrap();
    layout(new).changes_since(&layout(old))
}

/// Returns chunks of 64 KiB in which two images differ, as a repository would.
fn differing(old: &[u8], new: &[u8]) -> ByteRanges {
    const CHUNK: usize = 64 << 10;
    let chunks = (0_u64..).zip(old.chunks(CHUNK).zip(new.chunks(CHUNK)));
    let differing = chunks.filter(|(_, (old, new))| old != new);
    differing
        .map(|(number, _)| number * CHUNK as u64..(number + 1) * CHUNK as u64)
        .collect()
}

/// Makes an ext4 volume of 16 MiB with a large file and 300 small ones; `None` where that cannot be
/// done here.
fn image() -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    fs::create_dir(&tree).unwrap();
    let noise = |seed: u8, len: usize| -> Vec<u8> {
        let mut state = u32::from(seed) + 1;
        let bytes = (0..len).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_le_bytes()[3]
        });
        bytes.collect()
    };
    fs::write(tree.join("large"), noise(1, 6 << 20)).unwrap();
    for number in 0..300 {
        fs::write(tree.join(format!("small-{number:03}")), noise(2, number)).unwrap();
    }
    let image = folder.path().join("image");
    let made = Command::new("mkfs.ext4")
        .args([
            "-q",
            "-F",
            "-d",
            tree.to_str().unwrap(),
            image.to_str().unwrap(),
            "16M",
        ])
        .status();
    if !made.is_ok_and(|status| status.success()) {
        assert!(
            std::env::var_os("LIFEBOAT_REQUIRE_TOOLS").is_none(),
            "mkfs.ext4 is missing"
        );
        eprintln!("skipped: mkfs.ext4 is not installed");
        return None;
    }
    Some(fs::read(image).unwrap())
}

/// Finds bytes of a file in an image.
fn place_of(image: &[u8], old: &Point) -> Range<usize> {
    let system = old.guest.open(0).unwrap();
    let name = guest_files::FileName::new(b"large").unwrap();
    let id = system.find(system.root(), &name).unwrap().unwrap();
    let extents = system.open(id, None).unwrap().extents(1).unwrap();
    let begin = usize::try_from(extents[0].volume_offset).unwrap() + (2 << 20);
    assert!(begin < image.len());
    begin..begin + 100
}

#[test]
fn a_volume_that_did_not_change_is_not_read() {
    let Some(image) = image() else { return };
    let unchanged = [
        Some(ByteRanges::new()),
        Some(ByteRanges::from_iter(std::iter::once(0..65_536))),
    ];
    let old = Point::new(&[&image, &image], &unchanged);
    let new = Point::new(&[&image, &image], &unchanged);
    let before = (old.reads(), new.reads());
    let matches = match_volumes(old.guest.facts(), new.guest.facts());
    assert_eq!(matches.len(), 2);
    assert!(changes(&old, &new, 0).is_nothing());
    assert!(!changes(&old, &new, 1).is_nothing());
    assert_eq!((old.reads(), new.reads()), before);
}

#[test]
fn of_a_large_file_what_changed_is_read_alone() {
    let Some(image) = image() else { return };
    let mut changed_image = image.clone();
    let place = place_of(&image, &Point::new(&[&image], &[]));
    changed_image[place].fill(7);
    let changed = [Some(differing(&image, &changed_image))];
    let (old, new) = (
        Point::new(&[&image], &changed),
        Point::new(&[&changed_image], &changed),
    );
    let pair = pair(&old, &new, 0);
    let top = |point: &Point| {
        let system = point.guest.open(0).unwrap();
        system.node(system.root()).unwrap()
    };
    let diff = TreeDiff::new(
        &pair,
        Some(&top(&old)),
        Some(&top(&new)),
        Reading::WhatChanged,
    );
    let found: Vec<DiffItem> = diff.collect();
    let [DiffItem::Changed(found)] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(
        (found.change, found.path[0].as_bytes()),
        (Change::Content, &b"large"[..])
    );
    // The tables of inodes, the folder, and 64 KiB of the file with what stands around them.
    assert!(new.bytes() < 2 << 20, "{}", new.bytes());
    let churn = volume_churn(pair.new, changed[0].as_ref().unwrap(), 20, &|| false).unwrap();
    assert_eq!(churn.files.len(), 1, "{churn:?}");
    assert_eq!(
        churn.files[0].changed_bytes + churn.other_bytes(),
        churn.changed_bytes
    );
    assert!(churn.files[0].changed_bytes >= 64 << 10);
}

#[test]
fn where_nothing_is_known_the_nodes_decide_unless_all_is_to_be_read() {
    let Some(image) = image() else { return };
    let mut changed_image = image.clone();
    let place = place_of(&image, &Point::new(&[&image], &[]));
    changed_image[place].fill(7);
    let (old, new) = (
        Point::new(&[&image], &[]),
        Point::new(&[&changed_image], &[]),
    );
    let pair = pair(&old, &new, 0);
    assert_eq!(pair.changes, VolumeChanges::Unknown);
    let top = |point: &Point| {
        let system = point.guest.open(0).unwrap();
        system.node(system.root()).unwrap()
    };
    let found = |reading| TreeDiff::new(&pair, Some(&top(&old)), Some(&top(&new)), reading).count();
    assert_eq!(found(Reading::WhatChanged), 0);
    assert_eq!(found(Reading::Everything), 1);
}
