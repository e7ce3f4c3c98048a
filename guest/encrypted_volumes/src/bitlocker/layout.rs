//! Which bytes of the open volume come from where (BDE format, "Virtual sector(s)").

use std::ops::Range;

use super::boot_sector::BootSector;
use super::entry::{role, value};
use super::fields::u64_at;
use super::metadata_block::{AREA_BYTES, MetadataBlock};
use crate::UnlockError;

/// States of a volume, as Windows numbers them.
mod state {
    pub(super) const DECRYPTED: u16 = 1;
    pub(super) const CONVERTING: u16 = 2;
    pub(super) const ENCRYPTED: u16 = 4;
    pub(super) const PAUSED: u16 = 5;
}

/// Where a run of bytes comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// BitLocker's own: nothing is shown.
    Zeros,
    /// At this offset of the volume, encrypted.
    Encrypted(u64),
    /// At this offset of the volume, not converted.
    Clear(u64),
}

/// The parts of an open volume. All are whole sectors.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) size_bytes: u64,
    pub(super) sector_bytes: u32,
    /// Up to where the volume below is encrypted.
    encrypted_bytes: u64,
    /// Where the volume's beginning lies, and with that how long it is.
    header: Range<u64>,
    metadata: [Range<u64>; 3],
}

impl Layout {
    /// # Errors
    ///
    /// `Unsupported` for states in which it is not certain what is encrypted; `Corrupt` for places that
    /// cannot be.
    pub(super) fn of(
        metadata: &MetadataBlock,
        boot: &BootSector,
        volume_bytes: u64,
    ) -> Result<Self, UnlockError> {
        let sector = u64::from(boot.sector_bytes);
        let encrypted_bytes = metadata.encrypted_bytes();
        let whole = volume_bytes / sector * sector;
        let is_paused = is_paused(metadata)?;
        let header = header(metadata, sector)?;
        let area = |at: u64| at..at.saturating_add(AREA_BYTES as u64);
        let layout = Self {
            size_bytes: if is_paused { whole } else { encrypted_bytes },
            sector_bytes: boot.sector_bytes,
            encrypted_bytes,
            header,
            metadata: metadata.offsets().map(area),
        };
        layout.check(whole)?;
        Ok(layout)
    }

    /// Refuses parts that are not of whole sectors, that lie over each other or beyond the end.
    fn check(&self, volume_bytes: u64) -> Result<(), UnlockError> {
        let sector = u64::from(self.sector_bytes);
        if self.size_bytes > volume_bytes || self.encrypted_bytes > volume_bytes {
            return Err(UnlockError::corrupt(
                "BitLocker's metadata describe a volume that is longer than what is here",
            ));
        }
        let beginning = 0..self.header.end.saturating_sub(self.header.start);
        let [first, second, third] = self.metadata.clone();
        let parts = [beginning, self.header.clone(), first, second, third];
        let is_whole = |part: &Range<u64>| {
            part.start.is_multiple_of(sector)
                && part.end.is_multiple_of(sector)
                && part.end <= self.size_bytes
                && !part.is_empty()
        };
        let mut sorted = parts.clone();
        sorted.sort_by_key(|part| part.start);
        let is_apart = sorted
            .windows(2)
            .all(|pair| matches!(pair, [one, other] if one.end <= other.start));
        if parts.iter().all(is_whole)
            && is_apart
            && self.encrypted_bytes.is_multiple_of(sector)
            && self.size_bytes.is_multiple_of(sector)
        {
            return Ok(());
        }
        Err(UnlockError::corrupt(
            "BitLocker's metadata place parts of the volume where they cannot be",
        ))
    }

    /// Says where the bytes from an offset on come from, and how many of them do.
    pub(super) fn source(&self, offset: u64) -> (Source, u64) {
        let header_bytes = self.header.end - self.header.start;
        let (at, mut end) = if offset < header_bytes {
            (self.header.start + offset, header_bytes)
        } else {
            (offset, self.size_bytes)
        };
        for own in self.metadata.iter().chain([&self.header]) {
            if own.contains(&offset) {
                return (Source::Zeros, own.end - offset);
            }
            if own.start > offset {
                end = end.min(own.start);
            }
        }
        let len = end - offset;
        if at >= self.encrypted_bytes {
            return (Source::Clear(at), len);
        }
        (Source::Encrypted(at), len.min(self.encrypted_bytes - at))
    }
}

/// Says whether a conversion is paused: then what is encrypted ends where the metadata say. The other
/// state in which a volume opens is that all of it is encrypted.
fn is_paused(metadata: &MetadataBlock) -> Result<bool, UnlockError> {
    let (now, next) = (metadata.current_state(), metadata.next_state());
    let what = match (now, next) {
        (state::ENCRYPTED, state::ENCRYPTED) => return Ok(false),
        (state::PAUSED, state::DECRYPTED | state::ENCRYPTED)
            if metadata.converting_bytes() == 0 =>
        {
            return Ok(true);
        }
        (state::CONVERTING, _) => {
            "BitLocker was encrypting or decrypting the volume, and how far it had come is not certain; \
             take a restore point from before or after"
                .to_owned()
        }
        (state::DECRYPTED, _) => {
            "the volume is not encrypted any more, or not yet, but still in BitLocker's hands; take a \
             restore point from before or after"
                .to_owned()
        }
        (now, next) => format!("BitLocker has the volume in state {now}, {next} next, which is not known"),
    };
    Err(UnlockError::unsupported(what))
}

/// Where the volume's beginning lies. Newer volumes say it twice, and both have to agree: a wrong length
/// of sectors shows here.
fn header(metadata: &MetadataBlock, sector: u64) -> Result<Range<u64>, UnlockError> {
    let offset = metadata.header_offset();
    let len = u64::from(metadata.header_sectors()) * sector;
    let found = metadata.entries()?;
    let said = found
        .iter()
        .filter(|entry| entry.is(role::VOLUME_HEADER, value::OFFSET_AND_SIZE));
    for entry in said {
        if (u64_at(entry.value, 0), u64_at(entry.value, 8)) != (offset, len) {
            return Err(UnlockError::corrupt(
                "BitLocker's metadata contradict themselves in where the volume's beginning lies",
            ));
        }
    }
    Ok(offset..offset.saturating_add(len))
}
