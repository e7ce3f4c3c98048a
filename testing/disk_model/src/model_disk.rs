//! The disk as one vector.

use block_io::{BlockDevice, ExtentKind};

use crate::index;

/// Smallest sector that any format knows, in bytes.
const SECTOR_BYTES: u64 = 512;

/// A disk that cannot be wrong: its bytes in one vector, and which sectors were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelDisk {
    bytes: Vec<u8>,
    written: Vec<bool>,
}

impl ModelDisk {
    /// Makes a disk of zeros of which nothing was written.
    pub fn new(size_bytes: u64) -> Self {
        Self {
            bytes: vec![0; index(size_bytes)],
            written: vec![false; index(size_bytes.div_ceil(SECTOR_BYTES))],
        }
    }

    /// Returns a child: the same bytes, of which it has written none itself.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            bytes: self.bytes.clone(),
            written: vec![false; self.written.len()],
        }
    }

    /// Returns the size in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Returns all bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Says whether the 512-byte sector at `offset` was written, if only with zeros.
    pub fn is_written(&self, offset: u64) -> bool {
        self.written[index(offset / SECTOR_BYTES)]
    }

    /// Writes `data` at `offset`.
    pub fn write(&mut self, offset: u64, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let end = offset + data.len() as u64;
        self.bytes[index(offset)..index(end)].copy_from_slice(data);
        self.written[index(offset / SECTOR_BYTES)..index(end.div_ceil(SECTOR_BYTES))].fill(true);
    }

    /// Fails unless `disk` reads as this model, whole, in odd pieces, and as its extents say.
    pub fn assert_same(&self, disk: &dyn BlockDevice) {
        assert_eq!(disk.size_bytes(), self.size_bytes(), "size of the disk");
        let mut whole = vec![0xA5; self.bytes.len()];
        read(disk, 0, &mut whole);
        self.assert_bytes(0, &whole);
        let mut offset = 0;
        let mut piece = vec![0xA5; 70_001];
        // A stride that meets every alignment, and crosses blocks in the middle of a piece.
        while offset < self.size_bytes() {
            let len = index(self.size_bytes() - offset).min(piece.len());
            read(disk, offset, &mut piece[..len]);
            self.assert_bytes(offset, &piece[..len]);
            offset += 524_287;
        }
        self.assert_extents(disk);
    }

    /// Fails unless what `disk` calls zero or not allocated is zero, and its extents make sense.
    pub fn assert_extents(&self, disk: &dyn BlockDevice) {
        let mut offset = 0;
        while offset < self.size_bytes() {
            let max = self.size_bytes() - offset;
            let extent = match disk.extent_at(offset, max) {
                Ok(extent) => extent,
                Err(error) => panic!("extent at {offset}: {error}"),
            };
            assert!(
                (1..=max).contains(&extent.len_bytes),
                "the extent at {offset} has {} bytes of {max}",
                extent.len_bytes
            );
            let end = offset + extent.len_bytes;
            if extent.kind != ExtentKind::Data {
                let part = &self.bytes[index(offset)..index(end)];
                assert!(
                    part.iter().all(|byte| *byte == 0),
                    "{:?} from {offset} to {end}, but data was written there",
                    extent.kind
                );
            }
            offset = end;
        }
    }

    fn assert_bytes(&self, offset: u64, found: &[u8]) {
        let expected = &self.bytes[index(offset)..index(offset) + found.len()];
        if expected == found {
            return;
        }
        if let Some(at) = (0..found.len()).find(|at| expected[*at] != found[*at]) {
            panic!(
                "byte {} of the disk is {:#04x}, expected {:#04x}",
                offset + at as u64,
                found[at],
                expected[at]
            );
        }
    }
}

fn read(disk: &dyn BlockDevice, offset: u64, buf: &mut [u8]) {
    if let Err(error) = disk.read_at(offset, buf) {
        panic!("read of {} bytes at {offset}: {error}", buf.len());
    }
}
