//! A disk of which parts are lost, read all the same.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use block_io::{BlockDevice, ByteRanges, DiskError, DiskErrorKind, Extent, ExtentKind};
use serde::Serialize;

use crate::PointDisk;

/// Ranges that a report tells one by one.
const RANGES_TOLD: usize = 1000;

/// Reads a disk, and zeros where it is damaged; remembers where that was.
///
/// Only for people who ask for it: whoever reads the zeros cannot tell them from data.
pub struct DamagedDisk {
    disk: Arc<dyn BlockDevice>,
    /// What is lost at once, in bytes.
    chunk_bytes: u64,
    lost: Mutex<ByteRanges>,
}

/// What was lost, and reads as zeros in what was restored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ZeroedRanges {
    /// All of it, in bytes.
    pub zeroed_bytes: u64,
    /// Offset and length of each range, in bytes; the first thousand.
    pub ranges: Vec<(u64, u64)>,
    /// How many ranges there are besides.
    pub more_ranges: u64,
}

impl PointDisk {
    /// Lets the disk be read where it is damaged: as zeros, which [`DamagedDisk::zeroed`] tells
    /// afterwards. `chunk_bytes` is the repository's.
    pub fn allow_damage(&mut self, chunk_bytes: u32) -> Arc<DamagedDisk> {
        let damaged = Arc::new(DamagedDisk {
            disk: Arc::clone(&self.device),
            chunk_bytes: u64::from(chunk_bytes.max(1)),
            lost: Mutex::default(),
        });
        self.device = Arc::clone(&damaged) as Arc<dyn BlockDevice>;
        damaged
    }
}

impl DamagedDisk {
    fn lock(&self) -> MutexGuard<'_, ByteRanges> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what was read as zeros so far because it is lost.
    pub fn zeroed(&self) -> ZeroedRanges {
        let lost = self.lock();
        let ranges: Vec<(u64, u64)> = lost
            .iter()
            .map(|range| (range.start, range.end - range.start))
            .collect();
        ZeroedRanges {
            zeroed_bytes: lost.total_bytes(),
            more_ranges: ranges.len().saturating_sub(RANGES_TOLD) as u64,
            ranges: ranges.into_iter().take(RANGES_TOLD).collect(),
        }
    }

    /// Returns how much of `len` bytes from `offset` lies in the same chunk.
    fn in_chunk(&self, offset: u64, len: u64) -> u64 {
        (self.chunk_bytes - offset % self.chunk_bytes).min(len)
    }
}

fn is_damage(error: &DiskError) -> bool {
    matches!(
        error.kind(),
        DiskErrorKind::Corrupt | DiskErrorKind::Unsupported
    )
}

impl BlockDevice for DamagedDisk {
    fn size_bytes(&self) -> u64 {
        self.disk.size_bytes()
    }

    fn sector_bytes(&self) -> u32 {
        self.disk.sector_bytes()
    }

    fn physical_sector_bytes(&self) -> u32 {
        self.disk.physical_sector_bytes()
    }

    /// Reads; where that fails chunk by chunk, and zeros for the chunks that are lost.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        match self.disk.read_at(offset, buf) {
            Err(error) if is_damage(&error) => {}
            result => return result,
        }
        let mut rest = buf;
        let mut at = offset;
        while !rest.is_empty() {
            // At most what is left of the buffer.
            let len = usize::try_from(self.in_chunk(at, rest.len() as u64)).unwrap_or(rest.len());
            let (part, tail) = rest.split_at_mut(len);
            match self.disk.read_at(at, part) {
                Err(error) if is_damage(&error) => {
                    part.fill(0);
                    self.lock().insert(at, len as u64);
                }
                result => result?,
            }
            rest = tail;
            at += len as u64;
        }
        Ok(())
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        match self.disk.extent_at(offset, max_bytes) {
            // A part of the map is lost: nobody knows what was there, so it is read, and told.
            Err(error) if is_damage(&error) => Ok(Extent {
                kind: ExtentKind::Data,
                len_bytes: self.in_chunk(offset, max_bytes),
            }),
            result => result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes 8192 to 12288 are lost.
    struct Holed;

    impl BlockDevice for Holed {
        fn size_bytes(&self) -> u64 {
            20_000
        }
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
            if offset < 12_288 && offset + buf.len() as u64 > 8192 {
                return Err(DiskError::new(DiskErrorKind::Corrupt, "lost"));
            }
            buf.fill(7);
            Ok(())
        }
        fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
            self.read_at(offset, &mut [0])?;
            Ok(Extent {
                kind: ExtentKind::Data,
                len_bytes: max_bytes.min(4096 - offset % 4096),
            })
        }
    }

    #[test]
    fn lost_chunks_read_as_zeros_and_are_told() {
        let disk = DamagedDisk {
            disk: Arc::new(Holed),
            chunk_bytes: 4096,
            lost: Mutex::default(),
        };
        let mut bytes = vec![1; 20_000];
        disk.read_at(0, &mut bytes).unwrap();
        assert!(bytes[..8192].iter().all(|byte| *byte == 7));
        assert!(bytes[8192..12_288].iter().all(|byte| *byte == 0));
        assert!(bytes[12_288..].iter().all(|byte| *byte == 7));
        assert_eq!(disk.extent_at(9000, 9000).unwrap().len_bytes, 12_288 - 9000);
        let zeroed = disk.zeroed();
        assert_eq!(zeroed.ranges, [(8192, 4096)]);
        assert_eq!((zeroed.zeroed_bytes, zeroed.more_ranges), (4096, 0));
    }
}
