//! Content of files: extents, holes, what is compressed, and what lies in the tree itself.

use std::sync::{Arc, Mutex, PoisonError};

use fs_btrfs::compression::{
    Compression, MAX_COMPRESSED, MAX_UNCOMPRESSED, ShortDecode, decompress,
};

use super::checked_read::Checked;
use super::failure;
use super::tree::{Key, Tree};
use crate::posix::fields::{index, le, part, u8_at};
use crate::posix::foreign_reader::guarded;
use crate::posix::{corrupt, unreadable};
use crate::{Coding, FileError, FileExtent, GuestFile};

pub(super) const EXTENT_KEY: u8 = 108;
/// Where an extent's content begins when it lies in the item.
const INLINE_OFFSET: usize = 21;
/// What is read and verified at once.
const STEP_BYTES: usize = 1 << 20;

/// An open file.
pub(super) struct BtrfsFile<'a> {
    pub(super) tree: Tree<'a>,
    pub(super) checked: Checked<'a>,
    pub(super) inode: u64,
    pub(super) size_bytes: u64,
    /// The extent that was decoded last, by its address: who reads in small steps needs it again.
    pub(super) decoded: Mutex<Option<(u64, Arc<Vec<u8>>)>>,
}

/// A part of a file.
#[derive(Debug)]
struct Extent {
    start: u64,
    len: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Zeros,
    Inline(Vec<u8>),
    Plain { address: u64 },
    Packed(Packed),
}

#[derive(Debug)]
struct Packed {
    algorithm: Compression,
    address: u64,
    stored_bytes: u64,
    plain_bytes: u64,
    skip: u64,
}

impl GuestFile for BtrfsFile<'_> {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, FileError> {
        let left = self.size_bytes.saturating_sub(offset);
        let len = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let buf = buf.get_mut(..len).unwrap_or_default();
        buf.fill(0);
        let end = offset.saturating_add(u64::try_from(len).unwrap_or(0));
        if end > offset {
            self.for_each(offset, &mut |extent| {
                if extent.start >= end {
                    return Ok(false);
                }
                self.read_extent(extent, offset, end, buf)?;
                Ok(true)
            })
            .map_err(|error| error.of(format!("inode {}", self.inode)))?;
        }
        Ok(len)
    }

    fn extents(&self, max: usize) -> Result<Vec<FileExtent>, FileError> {
        self.extents_from(0, max)
    }

    fn extents_from(&self, from: u64, max: usize) -> Result<Vec<FileExtent>, FileError> {
        let mut found = Vec::new();
        if max == 0 {
            return Ok(found);
        }
        self.for_each(from, &mut |extent| {
            let left = self.size_bytes.saturating_sub(extent.start);
            match &extent.kind {
                Kind::Plain { address } => {
                    let len = extent.len.min(left);
                    let skip = from.saturating_sub(extent.start).min(len);
                    let (start, address) = (extent.start + skip, address.saturating_add(skip));
                    self.places(start, address, len - skip, Coding::Plain, max, &mut found)?;
                }
                Kind::Packed(packed) if extent.start >= from => {
                    // Another part of the same bytes is another content.
                    let coding = Coding::Packed {
                        file_bytes: extent.len.min(left),
                        skip_bytes: packed.skip,
                    };
                    let (address, len) = (packed.address, packed.stored_bytes);
                    self.places(extent.start, address, len, coding, max, &mut found)?;
                }
                Kind::Packed(_) | Kind::Zeros | Kind::Inline(_) => {}
            }
            Ok(found.len() < max && left > 0)
        })?;
        Ok(found)
    }
}

impl BtrfsFile<'_> {
    /// Goes through the extents from the one that holds `offset`.
    fn for_each(
        &self,
        offset: u64,
        visit: &mut dyn FnMut(&Extent) -> Result<bool, FileError>,
    ) -> Result<(), FileError> {
        let wanted = Key::of(self.inode, EXTENT_KEY, offset);
        let from = match self.tree.floor(wanted)? {
            Some((key, _)) if key.objectid == self.inode && key.key_type == EXTENT_KEY => key,
            _ => wanted,
        };
        self.tree.for_each(from, &mut |key, data| {
            if key.objectid != self.inode || key.key_type != EXTENT_KEY {
                return Ok(false);
            }
            visit(&parse(key.offset, data)?)
        })
    }

    /// Copies what of an extent lies in `offset..end`, which is what `buf` is of.
    fn read_extent(
        &self,
        extent: &Extent,
        offset: u64,
        end: u64,
        buf: &mut [u8],
    ) -> Result<(), FileError> {
        let from = extent.start.max(offset);
        let to = extent.start.saturating_add(extent.len).min(end);
        if from >= to {
            return Ok(());
        }
        let target = buf
            .get_mut(index(from - offset)?..index(to - offset)?)
            .unwrap_or_default();
        let skip = from - extent.start;
        match &extent.kind {
            Kind::Zeros => {}
            Kind::Inline(bytes) => copy(bytes, skip, target)?,
            Kind::Plain { address } => {
                let mut at = address.saturating_add(skip);
                for step in target.chunks_mut(STEP_BYTES) {
                    self.checked.read(at, step)?;
                    at = at.saturating_add(u64::try_from(step.len()).unwrap_or(0));
                }
            }
            Kind::Packed(packed) => {
                let is_last = extent.start.saturating_add(packed.plain_bytes) >= self.size_bytes;
                let plain = self.unpacked(packed, is_last)?;
                copy(&plain, packed.skip.saturating_add(skip), target)?;
            }
        }
        Ok(())
    }

    fn unpacked(&self, packed: &Packed, is_last: bool) -> Result<Arc<Vec<u8>>, FileError> {
        let kept = self
            .decoded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some((address, plain)) = kept
            && address == packed.address
        {
            return Ok(plain);
        }
        let mut stored = vec![0; index(packed.stored_bytes)?];
        self.checked.read(packed.address, &mut stored)?;
        let short = if is_last {
            ShortDecode::Pad
        } else {
            ShortDecode::Refuse
        };
        let sector = index(u64::from(self.checked.volume.superblock.sectorsize))?;
        let plain_bytes = index(packed.plain_bytes)?;
        let plain = guarded(|| {
            decompress(packed.algorithm, &stored, plain_bytes, sector, short).map_err(failure)
        })?;
        let plain = Arc::new(plain);
        let mut kept = self.decoded.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some((packed.address, Arc::clone(&plain)));
        Ok(plain)
    }

    /// Says where logical bytes lie on the first device, of a copy that is there. What lies on another
    /// device alone has a place without bytes.
    fn places(
        &self,
        file_offset: u64,
        address: u64,
        len: u64,
        coding: Coding,
        max: usize,
        found: &mut Vec<FileExtent>,
    ) -> Result<(), FileError> {
        let volume = self.checked.volume;
        let mut done = 0;
        while done < len && found.len() < max {
            let at = address.saturating_add(done);
            let file_offset = match coding {
                Coding::Plain => file_offset.saturating_add(done),
                Coding::Packed { .. } | Coding::Opaque => file_offset,
            };
            let mut place = FileExtent {
                file_offset,
                volume_offset: 0,
                len_bytes: 0,
                coding: Coding::Opaque,
            };
            let mut step = len - done;
            for copy in 0..volume.copies(at)? {
                let (device, volume_offset, there) = volume.place(at, copy)?;
                step = step.min(there).max(1);
                if device == volume.first_device {
                    place = FileExtent {
                        file_offset,
                        volume_offset,
                        len_bytes: step,
                        coding,
                    };
                    break;
                }
            }
            found.push(place);
            done += step;
        }
        Ok(())
    }
}

fn copy(source: &[u8], skip: u64, target: &mut [u8]) -> Result<(), FileError> {
    let source = source
        .get(index(skip)?..)
        .and_then(|rest| rest.get(..target.len()));
    target.copy_from_slice(source.ok_or_else(|| corrupt("an extent is shorter than it says"))?);
    Ok(())
}

fn parse(start: u64, data: &[u8]) -> Result<Extent, FileError> {
    let plain_bytes = le::u64_at(data, 8)?;
    let algorithm = guarded(|| Compression::from_byte(u8_at(data, 16)?).map_err(failure))?;
    if u8_at(data, 17)? != 0 || le::u16_at(data, 18)? != 0 {
        return Err(unreadable(
            "an extent is encrypted, or encoded in a way that is not known here",
        ));
    }
    let kind = u8_at(data, 20)?;
    if kind == 0 {
        return inline(start, plain_bytes, algorithm, data);
    }
    let (address, stored_bytes) = (le::u64_at(data, 21)?, le::u64_at(data, 29)?);
    let (skip, len) = (le::u64_at(data, 37)?, le::u64_at(data, 45)?);
    let kind = match kind {
        // A hole, or what was allocated and never written.
        1 | 2 if address == 0 || kind == 2 => Kind::Zeros,
        1 if algorithm == Compression::None => Kind::Plain {
            address: address.saturating_add(skip),
        },
        1 if stored_bytes <= MAX_COMPRESSED => Kind::Packed(Packed {
            algorithm,
            address,
            stored_bytes,
            plain_bytes,
            skip,
        }),
        _ => return Err(corrupt("an extent is of no kind that there is")),
    };
    Ok(Extent { start, len, kind })
}

fn inline(
    start: u64,
    plain_bytes: u64,
    algorithm: Compression,
    data: &[u8],
) -> Result<Extent, FileError> {
    let stored = part(
        data,
        INLINE_OFFSET,
        data.len().saturating_sub(INLINE_OFFSET),
    )?;
    let len = index(plain_bytes)?;
    if len > MAX_UNCOMPRESSED {
        return Err(corrupt("an extent in a tree is longer than one can be"));
    }
    let mut bytes = if algorithm == Compression::None {
        stored.to_vec()
    } else {
        guarded(|| decompress(algorithm, stored, len, 4096, ShortDecode::Pad).map_err(failure))?
    };
    bytes.resize(len, 0);
    Ok(Extent {
        start,
        len: plain_bytes,
        kind: Kind::Inline(bytes),
    })
}
