//! The copier: what it reads, what it writes, when it stops.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use block_io::{
    BlockDevice, DiskError, DiskErrorKind, Extent, ExtentKind, MemoryDisk, NewImage,
    WritableDevice as _, check_range,
};
use disk_image::{CopyObserver, copy, map};
use proptest::prelude::*;

/// A disk of extents; the data of each is its number, or zeros for the number 0.
#[derive(Debug)]
struct Patchwork {
    /// Kind, length and fill byte.
    extents: Vec<(ExtentKind, u64, u8)>,
    reads: Mutex<Vec<(u64, u64)>>,
}

impl Patchwork {
    fn new(extents: Vec<(ExtentKind, u64, u8)>) -> Self {
        Self {
            extents,
            reads: Mutex::default(),
        }
    }

    fn at(&self, offset: u64) -> (ExtentKind, u64, u8) {
        let mut start = 0;
        for (kind, len, byte) in &self.extents {
            if offset < start + len {
                return (*kind, start + len - offset, *byte);
            }
            start += len;
        }
        panic!("outside the disk");
    }

    fn flat(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, len, byte) in &self.extents {
            let byte = if *kind == ExtentKind::Data { *byte } else { 0 };
            bytes.resize(bytes.len() + *len as usize, byte);
        }
        bytes
    }
}

impl BlockDevice for Patchwork {
    fn size_bytes(&self) -> u64 {
        self.extents.iter().map(|extent| extent.1).sum()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes(), offset, buf.len() as u64)?;
        self.reads.lock().unwrap().push((offset, buf.len() as u64));
        let mut done = 0;
        while done < buf.len() {
            let (kind, len, byte) = self.at(offset + done as u64);
            let len = (len as usize).min(buf.len() - done);
            let byte = if kind == ExtentKind::Data { byte } else { 0 };
            buf[done..done + len].fill(byte);
            done += len;
        }
        Ok(())
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        let (kind, len, _) = self.at(offset);
        Ok(Extent {
            kind,
            len_bytes: len.min(max_bytes),
        })
    }
}

struct MemoryImage {
    disk: MemoryDisk,
    /// Bytes that may still be written.
    room: AtomicU64,
    writes: AtomicU64,
}

impl MemoryImage {
    fn new(size_bytes: u64, room: u64) -> Self {
        Self {
            disk: MemoryDisk::new(vec![0; size_bytes as usize]),
            room: AtomicU64::new(room),
            writes: AtomicU64::new(0),
        }
    }
}

impl NewImage for MemoryImage {
    fn size_bytes(&self) -> u64 {
        self.disk.size_bytes()
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        let len = data.len() as u64;
        let room = self
            .room
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |room| {
                room.checked_sub(len)
            });
        match room {
            Ok(_) => self.disk.write_at(offset, data),
            Err(_) => Err(DiskError::new(DiskErrorKind::NoSpace, "the volume is full")),
        }
    }

    fn finish(self: Box<Self>) -> Result<(), DiskError> {
        Ok(())
    }
}

#[derive(Default)]
struct Watch {
    done: AtomicU64,
    /// Ends the copy when this much is done.
    limit: Option<u64>,
    stopped: AtomicBool,
}

impl CopyObserver for Watch {
    fn advanced(&self, bytes_of_disk: u64) {
        self.done.fetch_add(bytes_of_disk, Ordering::SeqCst);
    }

    fn cancelled(&self) -> bool {
        let stop = self
            .limit
            .is_some_and(|limit| self.done.load(Ordering::SeqCst) >= limit);
        self.stopped.fetch_or(stop, Ordering::SeqCst);
        stop
    }
}

fn patchwork() -> impl Strategy<Value = Patchwork> {
    let kind = prop_oneof![
        Just(ExtentKind::Data),
        Just(ExtentKind::Zero),
        Just(ExtentKind::NotAllocated)
    ];
    let len = prop_oneof![
        1..200_000_u64,
        (1..500_u64).prop_map(|n| n * 4096),
        Just(3 << 20)
    ];
    prop::collection::vec((kind, len, 0..3_u8), 1..12).prop_map(Patchwork::new)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_copy_is_equal_and_all_of_the_disk_is_accounted_for(
        source in patchwork(),
        threads in 1..4_usize,
        padding in 0..4096_u64,
    ) {
        let flat = source.flat();
        let target = MemoryImage::new(source.size_bytes() + padding, u64::MAX);
        let watch = Watch::default();
        let report = copy(&source, &target, &watch, threads).unwrap();
        let copied = target.disk.to_vec();
        prop_assert!(copied[..flat.len()] == flat);
        prop_assert!(copied[flat.len()..].iter().all(|byte| *byte == 0));
        prop_assert_eq!(watch.done.into_inner(), source.size_bytes());
        let reads = source.reads.into_inner().unwrap();
        prop_assert_eq!(report.bytes_read, reads.iter().map(|read| read.1).sum::<u64>());
        prop_assert!(report.bytes_written <= report.bytes_read);
        // Nothing is read twice.
        let mut sorted = reads.clone();
        sorted.sort_unstable();
        for pair in sorted.windows(2) {
            prop_assert!(pair[0].0 + pair[0].1 <= pair[1].0);
        }
    }

    #[test]
    fn a_map_covers_the_disk_with_extents_that_alternate(source in patchwork()) {
        let extents: Vec<_> = map(&source).map(Result::unwrap).collect();
        let mut end = 0;
        for extent in &extents {
            prop_assert_eq!(extent.offset, end);
            end += extent.len_bytes;
        }
        prop_assert_eq!(end, source.size_bytes());
        prop_assert!(extents.windows(2).all(|pair| pair[0].kind != pair[1].kind));
    }
}

#[test]
fn what_holds_nothing_is_not_read_and_zeros_are_not_written() {
    let source = Patchwork::new(vec![
        (ExtentKind::NotAllocated, 40 << 20, 0),
        (ExtentKind::Data, 2 << 20, 0),
        (ExtentKind::Zero, 5 << 20, 0),
        (ExtentKind::Data, 1 << 20, 5),
    ]);
    let target = MemoryImage::new(48 << 20, u64::MAX);
    let report = copy(&source, &target, &(), 3).unwrap();
    assert_eq!(report.bytes_read, 3 << 20);
    assert_eq!(report.bytes_written, 1 << 20);
    assert_eq!(target.writes.into_inner(), 1);
}

#[test]
fn a_huge_empty_disk_costs_nothing() {
    let source = Patchwork::new(vec![
        (ExtentKind::NotAllocated, 64 << 40, 0),
        (ExtentKind::Data, 4096, 1),
        (ExtentKind::Zero, (1 << 30) - 4096, 0),
    ]);
    struct Huge(AtomicU64);
    impl NewImage for Huge {
        fn size_bytes(&self) -> u64 {
            (64 << 40) + (1 << 30)
        }
        fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
            assert_eq!((offset, data), (64 << 40, &[1; 4096][..]));
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
        fn finish(self: Box<Self>) -> Result<(), DiskError> {
            Ok(())
        }
    }
    let target = Huge(AtomicU64::new(0));
    let watch = Watch::default();
    copy(&source, &target, &watch, 2).unwrap();
    assert_eq!(target.0.into_inner(), 1);
    assert_eq!(watch.done.into_inner(), source.size_bytes());
}

#[test]
fn a_full_volume_ends_the_copy_with_its_own_error() {
    let source = Patchwork::new(vec![(ExtentKind::Data, 64 << 20, 1)]);
    let target = MemoryImage::new(64 << 20, 3 << 20);
    let error = copy(&source, &target, &(), 3).unwrap_err();
    assert_eq!(error.kind(), DiskErrorKind::NoSpace);
    // The other threads stopped as well: at most one more write each.
    assert!(target.writes.into_inner() <= 3 + 3);
}

#[test]
fn a_cancelled_copy_is_an_error_of_its_own() {
    let source = Patchwork::new(vec![(ExtentKind::Data, 64 << 20, 1)]);
    let target = MemoryImage::new(64 << 20, u64::MAX);
    let watch = Watch {
        limit: Some(4 << 20),
        ..Watch::default()
    };
    let error = copy(&source, &target, &watch, 2).unwrap_err();
    assert_eq!(error.kind(), DiskErrorKind::Cancelled);
    assert!(watch.stopped.into_inner());
    assert!(target.writes.into_inner() < 16);
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let source = Patchwork::new(vec![(ExtentKind::Data, 10_000, 1)]);
    for size in [9_999, 10_000 + 4096] {
        let error = copy(&source, &MemoryImage::new(size, u64::MAX), &(), 1).unwrap_err();
        assert_eq!(error.kind(), DiskErrorKind::OutOfRange);
    }
}
