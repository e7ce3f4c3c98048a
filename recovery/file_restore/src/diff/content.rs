//! Whether a file's content is the same in two points.

use std::ops::Range;

use block_io::ByteRanges;
use guest_files::{
    Coding, FileError, FileErrorKind, FileExtent, FileName, GuestFile, GuestFileSystem, Node,
    NodeKind, Owner, State,
};
use volume_map::Content;

use crate::VolumeChanges;

/// Most extents that are asked for: a file in more pieces is read.
const EXTENTS_MAX: usize = 32 << 10;
/// What of a file has no place on the volume is a hole, but for its begin, which may lie inside the
/// metadata. None of that is longer.
const INSIDE_MAX_BYTES: u64 = 1 << 20;
/// `FILE_ATTRIBUTE_REPARSE_POINT`.
const REPARSE_POINT: u32 = 0x400;
const BUFFER_BYTES: usize = 1 << 20;
/// All of a file, however long it is.
const ALL: Range<u64> = 0..u64::MAX;

/// A volume of two points: its files then and now, and what of it changed.
pub struct VolumePair<'g> {
    /// The files of the older point.
    pub old: &'g dyn GuestFileSystem,
    /// The files of the newer one.
    pub new: &'g dyn GuestFileSystem,
    /// What of the volume's bytes differs.
    pub changes: VolumeChanges,
}

/// Whether a file's content is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sameness {
    /// It is, byte for byte.
    Same,
    /// It is not.
    Differs,
    /// It was not looked at, since that would have meant to read all of it; its size is the same.
    Unknown,
}

/// Whether content is read where what changed on the volume is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// It is compared byte for byte.
    Everything,
    /// It is not: [`Sameness::Unknown`].
    WhatChanged,
}

impl VolumePair<'_> {
    /// Compares the content of a file, or of one of its named streams. Where it is known what of the
    /// volume changed, only what may differ is read.
    ///
    /// # Errors
    ///
    /// `Corrupt`, `Unreadable` and `Disk`, of either side: what cannot be read is not called the same.
    pub fn content(
        &self,
        old: &Node,
        new: &Node,
        stream: Option<&FileName>,
        reading: Reading,
    ) -> Result<Sameness, FileError> {
        if stream.is_none() {
            if old.size_bytes != new.size_bytes || old.kind != new.kind {
                return Ok(Sameness::Differs);
            }
            if old.size_bytes == 0 || old.kind != NodeKind::File {
                return Ok(Sameness::Same);
            }
        }
        self.compared(old, new, stream, reading)
    }

    /// Returns whether two nodes are one version of a file: the same size, the same times of change and
    /// of making, and nothing that says that the content differs. When a mode or an attribute changed
    /// makes no version, unless it is all that is known: also of a file that cannot be read.
    ///
    /// # Errors
    ///
    /// Those of [`VolumePair::content`], but for `Unreadable`.
    pub fn is_same_version(
        &self,
        old: &Node,
        new: &Node,
        reading: Reading,
    ) -> Result<bool, FileError> {
        let said = |node: &Node| {
            (
                node.kind,
                node.size_bytes,
                node.times.modified,
                node.times.created,
            )
        };
        if said(old) != said(new) {
            return Ok(false);
        }
        if new.kind == NodeKind::Link {
            return Ok(self.old.link(old.id)? == self.new.link(new.id)?);
        }
        let content = match self.content(old, new, None, reading) {
            Err(error) if error.kind() == FileErrorKind::Unreadable => Sameness::Unknown,
            content => content?,
        };
        Ok(match content {
            Sameness::Same => true,
            Sameness::Differs => false,
            Sameness::Unknown => old.times.changed == new.times.changed,
        })
    }

    fn compared(
        &self,
        old: &Node,
        new: &Node,
        stream: Option<&FileName>,
        reading: Reading,
    ) -> Result<Sameness, FileError> {
        if self.changes == VolumeChanges::Unknown && reading == Reading::WhatChanged {
            return Ok(Sameness::Unknown);
        }
        let (old_file, new_file) = (
            self.old.open(old.id, stream)?,
            self.new.open(new.id, stream)?,
        );
        if old_file.size_bytes() != new_file.size_bytes() {
            return Ok(Sameness::Differs);
        }
        let (before, places) = (
            old_file.extents(EXTENTS_MAX)?,
            new_file.extents(EXTENTS_MAX)?,
        );
        let compare = |ranges: &[Range<u64>]| same_bytes(&*old_file, &*new_file, ranges);
        let is_plain = is_plain(old, &before) && is_plain(new, &places);
        let inside = inside(&before, &places);
        let whole = || match is_plain {
            // What neither has a place for is a hole in both, or inside the metadata.
            true => joined(
                before
                    .iter()
                    .chain(&places)
                    .map(in_file)
                    .chain([inside.clone()]),
            ),
            false => vec![ALL],
        };
        let VolumeChanges::Ranges(changed) = &self.changes else {
            return compare(&whole());
        };
        let is_elsewhere = places.iter().any(|place| place.len_bytes == 0);
        if places != before || is_elsewhere || places.len() >= EXTENTS_MAX {
            return compare(&whole());
        }
        let touched: Vec<Range<u64>> = places
            .iter()
            .flat_map(|place| touched(place, changed))
            .collect();
        let ranges = match is_plain || touched.is_empty() {
            true => joined(touched.into_iter().chain([inside.clone()])),
            false => vec![ALL],
        };
        if compare(&ranges)? == Sameness::Differs {
            return Ok(Sameness::Differs);
        }
        if self.may_be_in_journal(old, new) {
            return compare(&whole());
        }
        Ok(Sameness::Same)
    }

    /// Returns whether a file's newest content may stand in the journal alone: ext with
    /// `data=journal`, whose journal was replayed. Then its places on the volume are the same as before.
    fn may_be_in_journal(&self, old: &Node, new: &Node) -> bool {
        let is_replayed = |system: &dyn GuestFileSystem| {
            let about = system.about();
            about.content == Content::Ext && about.state == State::Replayed
        };
        let is_touched =
            old.times.modified != new.times.modified || old.times.changed != new.times.changed;
        is_touched && (is_replayed(self.old) || is_replayed(self.new))
    }
}

/// Returns whether bytes of the volume stand for the bytes of the file at the same distance, or at
/// most a packed piece away, and what has no place is a hole. Of what Windows compressed by itself
/// that is not so: its content is a reparse point's.
fn is_plain(node: &Node, places: &[FileExtent]) -> bool {
    let is_reparse_point =
        matches!(node.owner, Owner::Windows { attributes } if attributes & REPARSE_POINT != 0);
    let ascending = places.windows(2).all(|pair| match pair {
        [one, next] => one.file_offset < next.file_offset,
        _ => true,
    });
    let is_opaque = places.iter().any(|place| place.coding == Coding::Opaque);
    ascending && !is_opaque && !is_reparse_point && places.len() < EXTENTS_MAX
}

/// Returns what of a file may lie inside the metadata, in either of two points: what is before its
/// first place.
fn inside(before: &[FileExtent], places: &[FileExtent]) -> Range<u64> {
    let ends = [before, places].map(|it| it.first().map_or(u64::MAX, |place| place.file_offset));
    0..ends.into_iter().max().unwrap_or(0).min(INSIDE_MAX_BYTES)
}

/// Returns what of a file lies in a place.
fn in_file(place: &FileExtent) -> Range<u64> {
    match place.coding {
        Coding::Packed { file_bytes, .. } => {
            place.file_offset..place.file_offset.saturating_add(file_bytes)
        }
        Coding::Plain | Coding::Opaque => {
            place.file_offset..place.file_offset.saturating_add(place.len_bytes)
        }
    }
}

/// Returns what of a file may differ where its place is the same, and some of the volume changed.
fn touched<'a>(
    place: &'a FileExtent,
    changed: &'a ByteRanges,
) -> impl Iterator<Item = Range<u64>> + 'a {
    // What changed of a piece changes all of it.
    let around = match place.coding {
        Coding::Plain => 0,
        Coding::Packed { .. } | Coding::Opaque => Coding::PACKED_MAX_BYTES,
    };
    let end = place.volume_offset.saturating_add(place.len_bytes);
    let at = |offset: u64| {
        let within = offset.saturating_sub(place.volume_offset);
        place.file_offset.saturating_add(within)
    };
    changed.within(place.volume_offset..end).map(move |range| {
        at(range.start).saturating_sub(around)..at(range.end).saturating_add(around)
    })
}

/// Joins ranges, so that nothing is read twice.
fn joined(ranges: impl Iterator<Item = Range<u64>>) -> Vec<Range<u64>> {
    ranges.collect::<ByteRanges>().iter().collect()
}

/// Compares ranges of two contents, as far as these go.
fn same_bytes(
    old: &dyn GuestFile,
    new: &dyn GuestFile,
    ranges: &[Range<u64>],
) -> Result<Sameness, FileError> {
    let size_bytes = old.size_bytes();
    if size_bytes != new.size_bytes() {
        return Ok(Sameness::Differs);
    }
    if ranges.is_empty() {
        return Ok(Sameness::Same);
    }
    let most = usize::try_from(size_bytes)
        .unwrap_or(usize::MAX)
        .min(BUFFER_BYTES);
    let (mut one, mut other) = (vec![0; most], vec![0; most]);
    for range in ranges {
        let end = range.end.min(size_bytes);
        let mut at = range.start;
        while at < end {
            let len = usize::try_from(end - at).unwrap_or(usize::MAX).min(most);
            let (one, other) = (
                one.get_mut(..len).unwrap_or_default(),
                other.get_mut(..len).unwrap_or_default(),
            );
            let read = (old.read_at(at, one)?, new.read_at(at, other)?);
            if read != (len, len) {
                let what = format!("a file ends before its {size_bytes} bytes");
                return Err(FileError::new(FileErrorKind::Corrupt, what));
            }
            if one != other {
                return Ok(Sameness::Differs);
            }
            at += len as u64;
        }
    }
    Ok(Sameness::Same)
}
