//! A disk that somebody has changed here and there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use block_io::{BlockDevice, DiskError, DiskErrorKind, Extent, ExtentKind, check_range, is_zero};

const BLOCK_BYTES: usize = 64 << 10;
const SECTOR_BYTES: u64 = 512;

/// The content of an image, zeros left out.
pub struct SparseBytes {
    blocks: BTreeMap<u64, Box<[u8]>>,
    size_bytes: u64,
}

impl SparseBytes {
    /// Reads a file.
    pub fn load(path: &Path) -> Arc<Self> {
        let mut file = File::open(path).expect("the image opens");
        let mut blocks = BTreeMap::new();
        let mut size_bytes = 0;
        loop {
            let mut block = Vec::with_capacity(BLOCK_BYTES);
            let most = u64::try_from(BLOCK_BYTES).expect("it is small");
            let len = file.by_ref().take(most).read_to_end(&mut block);
            let len = u64::try_from(len.expect("the image reads")).expect("it is small");
            if len == 0 {
                break;
            }
            if !is_zero(&block) {
                block.resize(BLOCK_BYTES, 0);
                blocks.insert(size_bytes / most, block.into_boxed_slice());
            }
            size_bytes += len;
        }
        Arc::new(Self { blocks, size_bytes })
    }

    fn read(&self, offset: u64, buf: &mut [u8]) {
        buf.fill(0);
        let block_bytes = u64::try_from(BLOCK_BYTES).expect("it is small");
        let end = offset + u64::try_from(buf.len()).expect("it fits");
        for number in offset / block_bytes..end.div_ceil(block_bytes) {
            let Some(block) = self.blocks.get(&number) else {
                continue;
            };
            let start = number * block_bytes;
            let (from, to) = (start.max(offset), (start + block_bytes).min(end));
            let source = &block[crate::index(from - start)..crate::index(to - start)];
            buf[crate::index(from - offset)..crate::index(to - offset)].copy_from_slice(source);
        }
    }
}

/// An image with changes. It can be read so much and no more, so that whoever never comes to an end
/// is found out; and it knows which sectors were read.
pub struct ChangedDisk {
    base: Arc<SparseBytes>,
    changes: Vec<(u64, Vec<u8>)>,
    left_bytes: AtomicU64,
    is_exhausted: AtomicBool,
    sectors: Mutex<BTreeSet<u64>>,
}

impl ChangedDisk {
    /// Changes an image: later changes lie over earlier ones.
    pub fn new(base: Arc<SparseBytes>, changes: Vec<(u64, Vec<u8>)>, most_bytes: u64) -> Self {
        Self {
            base,
            changes,
            left_bytes: AtomicU64::new(most_bytes),
            is_exhausted: AtomicBool::new(false),
            sectors: Mutex::default(),
        }
    }

    /// Returns what lies at a place now.
    pub fn bytes(&self, offset: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.fill(offset, &mut bytes);
        bytes
    }

    /// Adds a change.
    pub fn change(&mut self, offset: u64, bytes: Vec<u8>) {
        self.changes.push((offset, bytes));
    }

    /// Says whether more was read than may be.
    pub fn is_exhausted(&self) -> bool {
        self.is_exhausted.load(Ordering::Relaxed)
    }

    /// Returns the offsets of the sectors that were read.
    pub fn sectors_read(&self) -> Vec<u64> {
        let sectors = self.sectors.lock().expect("nobody panics with it");
        sectors.iter().map(|sector| sector * SECTOR_BYTES).collect()
    }

    fn fill(&self, offset: u64, buf: &mut [u8]) {
        self.base.read(offset, buf);
        let end = offset + u64::try_from(buf.len()).expect("it fits");
        for (at, bytes) in &self.changes {
            let stop = at + u64::try_from(bytes.len()).expect("it is small");
            let (from, to) = ((*at).max(offset), stop.min(end));
            if from < to {
                let source = &bytes[crate::index(from - at)..crate::index(to - at)];
                buf[crate::index(from - offset)..crate::index(to - offset)].copy_from_slice(source);
            }
        }
    }
}

impl BlockDevice for ChangedDisk {
    fn size_bytes(&self) -> u64 {
        self.base.size_bytes
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        let len = u64::try_from(buf.len()).expect("it fits");
        check_range(self.size_bytes(), offset, len)?;
        let take = |left: u64| left.checked_sub(len);
        if { &self.left_bytes }
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_err()
        {
            self.is_exhausted.store(true, Ordering::Relaxed);
            return Err(DiskError::new(
                DiskErrorKind::Io,
                "enough was read of this disk",
            ));
        }
        let sectors = offset / SECTOR_BYTES..(offset + len).div_ceil(SECTOR_BYTES);
        if let Ok(mut known) = self.sectors.lock() {
            known.extend(sectors);
        }
        self.fill(offset, buf);
        Ok(())
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        check_range(self.size_bytes(), offset, max_bytes)?;
        Ok(Extent {
            len_bytes: max_bytes,
            kind: ExtentKind::Data,
        })
    }
}
