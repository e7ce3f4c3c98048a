//! Reading content, verified, from whichever copy is right.

use super::tree::{Key, Tree};
use super::volume::Volume;
use crate::FileError;
use crate::posix::corrupt;
use crate::posix::fields::index;

const CHECKSUMS: u64 = u64::MAX - 9;
const CHECKSUM_KEY: u8 = 128;

/// Where content is read from, and where its checksums are.
#[derive(Clone, Copy)]
pub(super) struct Checked<'a> {
    pub(super) volume: &'a Volume,
    /// The tree of checksums; `None` where the file has none.
    pub(super) checksums: Option<Tree<'a>>,
}

impl Checked<'_> {
    /// Fills `buf` from a logical address.
    pub(super) fn read(&self, address: u64, buf: &mut [u8]) -> Result<(), FileError> {
        let Some(checksums) = self.checksums else {
            return self.unverified(address, buf);
        };
        let sector = u64::from(self.volume.superblock.sectorsize).max(1);
        let len = u64::try_from(buf.len()).unwrap_or(u64::MAX);
        let start = address - address % sector;
        let end = address
            .checked_add(len)
            .and_then(|end| end.checked_next_multiple_of(sector))
            .ok_or_else(|| corrupt("an extent lies beyond all addresses"))?;
        let expected = self.expected(checksums, start, end, sector)?;
        if start == address && end - start == len {
            return self.verified(start, buf, &expected);
        }
        let mut whole = vec![0; index(end - start)?];
        self.verified(start, &mut whole, &expected)?;
        let skip = index(address - start)?;
        let source = whole.get(skip..).and_then(|rest| rest.get(..buf.len()));
        buf.copy_from_slice(source.ok_or_else(|| corrupt("an extent is short"))?);
        Ok(())
    }

    fn verified(&self, start: u64, buf: &mut [u8], expected: &[u8]) -> Result<(), FileError> {
        let kind = self.volume.superblock.csum_type;
        let sector = index(u64::from(self.volume.superblock.sectorsize))?.max(1);
        let copies = self.volume.copies(start)?;
        // Where the whole cannot be read from the first copy, each sector is looked for by itself.
        let is_read = self.volume.read_copy(start, 0, buf).is_ok();
        let sums = expected.chunks_exact(kind.digest_len().max(1));
        for (number, (part, sum)) in buf.chunks_mut(sector).zip(sums).enumerate() {
            if is_read && kind.verify(part, sum) {
                continue;
            }
            let at = start + u64::try_from(number * sector).unwrap_or(0);
            let mut last = None;
            let found = (0..copies).any(|copy| match self.volume.read_copy(at, copy, part) {
                Ok(()) => kind.verify(part, sum),
                Err(error) => {
                    last = Some(error);
                    false
                }
            });
            if !found {
                return Err(last.unwrap_or_else(|| {
                    corrupt(format!(
                        "its bytes at {at} have another checksum in all copies"
                    ))
                }));
            }
        }
        Ok(())
    }

    /// Returns the checksums of sectors, one behind the other.
    fn expected(
        &self,
        checksums: Tree<'_>,
        start: u64,
        end: u64,
        sector: u64,
    ) -> Result<Vec<u8>, FileError> {
        let size = self.volume.superblock.csum_type.digest_len().max(1);
        let mut found = Vec::new();
        let mut next = start;
        let first = checksums.floor(Key::of(CHECKSUMS, CHECKSUM_KEY, start))?;
        let from = first.map_or(start, |(key, _)| {
            if key.objectid == CHECKSUMS && key.key_type == CHECKSUM_KEY {
                key.offset
            } else {
                start
            }
        });
        let mut visit = |key: &fs_btrfs::chunk::DiskKey, data: &[u8]| {
            if key.objectid != CHECKSUMS || key.key_type != CHECKSUM_KEY || key.offset > next {
                return Ok(false);
            }
            let skip = index((next - key.offset) / sector)?;
            let wanted = index((end - next) / sector)?;
            let sums = data.as_chunks::<1>().0.len() / size;
            let take = sums.saturating_sub(skip).min(wanted);
            let part = data
                .get(skip.saturating_mul(size)..)
                .and_then(|rest| rest.get(..take * size));
            found.extend_from_slice(part.unwrap_or_default());
            next += u64::try_from(take).unwrap_or(0) * sector;
            Ok(next < end)
        };
        checksums.for_each(Key::of(CHECKSUMS, CHECKSUM_KEY, from), &mut visit)?;
        if next < end {
            return Err(corrupt(format!("its bytes at {next} have no checksum")));
        }
        Ok(found)
    }

    fn unverified(&self, address: u64, buf: &mut [u8]) -> Result<(), FileError> {
        let mut failed = None;
        for copy in 0..self.volume.copies(address)? {
            match self.volume.read_copy(address, copy, buf) {
                Ok(()) => return Ok(()),
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| corrupt("there is no copy of it")))
    }
}
