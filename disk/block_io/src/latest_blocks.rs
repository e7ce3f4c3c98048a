//! Blocks of a device that were read last.

use std::collections::HashMap;
use std::sync::Arc;

use crate::{DiskError, DiskErrorKind};

/// The latest blocks of a device, by their number. All blocks have one length but the device's last.
#[derive(Debug)]
pub struct LatestBlocks {
    blocks: HashMap<u64, Block>,
    blocks_max: usize,
    /// Counts uses.
    clock: u64,
}

#[derive(Debug)]
struct Block {
    bytes: Arc<[u8]>,
    last_used: u64,
}

impl LatestBlocks {
    /// Keeps at most `blocks_max` blocks.
    pub fn new(blocks_max: usize) -> Self {
        Self {
            blocks: HashMap::new(),
            blocks_max,
            clock: 0,
        }
    }

    /// Returns how many blocks are kept.
    pub fn count(&self) -> usize {
        self.blocks.len()
    }

    /// Returns a block that is kept.
    pub fn find(&mut self, number: u64) -> Option<Arc<[u8]>> {
        self.clock += 1;
        let block = self.blocks.get_mut(&number)?;
        block.last_used = self.clock;
        Some(Arc::clone(&block.bytes))
    }

    /// Keeps a block, for which the one goes that was not used for longest.
    pub fn keep(&mut self, number: u64, bytes: Arc<[u8]>) {
        if self.blocks.len() >= self.blocks_max {
            let oldest = self.blocks.iter().min_by_key(|(_, block)| block.last_used);
            if let Some(oldest) = oldest.map(|(number, _)| *number) {
                self.blocks.remove(&oldest);
            }
        }
        let last_used = self.clock;
        self.blocks.insert(number, Block { bytes, last_used });
    }
}

/// Fills `buf` from `offset` with what `block` returns of the blocks that lie there.
///
/// # Errors
///
/// Those of `block`, and `OutOfRange` where one is shorter than what is asked of it.
pub fn read_blocks<E: From<DiskError>>(
    block_bytes: u64,
    offset: u64,
    buf: &mut [u8],
    mut block: impl FnMut(u64) -> Result<Arc<[u8]>, E>,
) -> Result<(), E> {
    let mut at = offset;
    let mut rest = buf;
    while !rest.is_empty() {
        let bytes = block(at / block_bytes)?;
        let from = usize::try_from(at % block_bytes).unwrap_or(usize::MAX);
        let there = bytes.get(from..).unwrap_or_default();
        let len = there.len().min(rest.len());
        if len == 0 {
            let what = format!("{} bytes at {at} leave the device", rest.len());
            return Err(DiskError::new(DiskErrorKind::OutOfRange, what).into());
        }
        let (now, later) = rest.split_at_mut(len);
        now.copy_from_slice(there.get(..len).unwrap_or_default());
        at += len as u64;
        rest = later;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_that_was_not_used_for_longest_goes() {
        let mut latest = LatestBlocks::new(2);
        for number in [1, 2] {
            assert_eq!(latest.find(number), None);
            latest.keep(number, Arc::from([0, 1]));
        }
        assert!(latest.find(1).is_some());
        latest.keep(3, Arc::from([3]));
        let kept = [1, 2, 3].map(|number| latest.find(number).is_some());
        assert_eq!(kept, [true, false, true]);
    }

    #[test]
    fn ranges_are_read_across_blocks_and_not_beyond_the_last() {
        let bytes: Vec<u8> = (0..50).collect();
        let block = |number: u64| -> Result<Arc<[u8]>, DiskError> {
            let from = usize::try_from(number * 16).unwrap().min(50);
            Ok(bytes[from..(from + 16).min(50)].into())
        };
        for (offset, len) in [(0, 50), (15, 2), (16, 16), (49, 1), (50, 0)] {
            let mut buf = vec![0; len];
            read_blocks(16, offset as u64, &mut buf, block).unwrap();
            assert_eq!(buf, bytes[offset..offset + len]);
        }
        assert!(read_blocks(16, 49, &mut [0; 2], block).is_err());
    }
}
