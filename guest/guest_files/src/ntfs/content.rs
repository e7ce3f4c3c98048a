//! Content of attributes, and of files.

use std::sync::{Mutex, PoisonError};

use ntfs_format::{Run, decompress_lznt1};

use super::table::{Table, corrupt};
use super::wof::WofContent;
use crate::{Coding, FileError, FileExtent, GuestFile, PlainRun};

/// Bytes that are compressed together with LZNT1; Windows has 64 KiB at most.
const UNIT_BYTES_MAX: u64 = Coding::PACKED_MAX_BYTES;

/// The whole content of an attribute, from all of its parts.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Resident(Vec<u8>),
    Runs(Runs),
}

/// Fills a piece from its place on the volume in bytes; without one it is a hole.
type ReadPiece<'a> = dyn FnMut(Option<u64>, &mut [u8]) -> Result<(), FileError> + 'a;

/// Content in clusters.
#[derive(Debug, Clone)]
pub(super) struct Runs {
    /// In order, from the first cluster, without gaps.
    pub(super) runs: Vec<Run>,
    pub(super) len_bytes: u64,
    /// What was ever written; the rest reads as zero.
    pub(super) valid_bytes: u64,
    /// Clusters that are compressed together.
    pub(super) unit_clusters: Option<u64>,
}

impl Runs {
    /// Calls `read` for each piece of `buf`, with its place on the volume in bytes; without one for
    /// a hole.
    pub(super) fn pieces(
        &self,
        cluster_bytes: u64,
        offset: u64,
        buf: &mut [u8],
        read: &mut ReadPiece<'_>,
    ) -> Result<(), FileError> {
        let (mut at, mut rest) = (offset, buf);
        while !rest.is_empty() {
            let (place, len_bytes) = self.place_of(cluster_bytes, at)?;
            let len = length(len_bytes).min(rest.len());
            let (now, later) = rest.split_at_mut(len);
            read(place, now)?;
            at = at.saturating_add(count(len));
            rest = later;
        }
        Ok(())
    }

    /// Says where a byte lies on the volume, in bytes, and how many do from there on; nowhere in a hole.
    fn place_of(&self, cluster_bytes: u64, at: u64) -> Result<(Option<u64>, u64), FileError> {
        let cluster = at / cluster_bytes;
        let found = self.runs.partition_point(|run| run.end() <= cluster);
        let run = self.runs.get(found);
        let run = run.ok_or_else(|| corrupt("a file has fewer clusters than bytes"))?;
        let run_end = run.end().saturating_mul(cluster_bytes);
        let clusters = run.clusters.as_ref();
        let place = clusters
            .map(|clusters| clusters.start * cluster_bytes + (at - run.first * cluster_bytes));
        Ok((place, run_end.saturating_sub(at)))
    }

    /// Returns how many bytes there are clusters for, holes included.
    pub(super) fn allocated_bytes(&self, cluster_bytes: u64) -> u64 {
        let clusters = self.runs.last().map_or(0, Run::end);
        clusters.saturating_mul(cluster_bytes)
    }

    /// Says where what was written lies. Where clusters are compressed together, all of those that
    /// hold some of it.
    fn extents(&self, cluster_bytes: u64, from: u64, max: usize) -> Vec<FileExtent> {
        let end = self.len_bytes.min(self.valid_bytes);
        let stored = self.runs.iter().filter_map(|run| {
            let clusters = run.clusters.as_ref()?;
            let file_offset = run.first.saturating_mul(cluster_bytes);
            let stored_bytes = run.count.saturating_mul(cluster_bytes);
            let (stored_end, coding) = match self.unit_clusters {
                None => (end, Coding::Plain),
                Some(unit_clusters) => {
                    let unit = unit_clusters.saturating_mul(cluster_bytes).max(1);
                    let whole = |bytes: u64| bytes.div_ceil(unit).saturating_mul(unit);
                    let last = whole(file_offset.saturating_add(stored_bytes));
                    let coding = Coding::Packed {
                        file_bytes: last.min(end).saturating_sub(file_offset),
                        skip_bytes: 0,
                    };
                    (whole(end), coding)
                }
            };
            let len_bytes = stored_bytes.min(stored_end.saturating_sub(file_offset));
            (len_bytes > 0 && file_offset >= from).then(|| FileExtent {
                file_offset,
                volume_offset: clusters.start.saturating_mul(cluster_bytes),
                len_bytes,
                coding,
            })
        });
        stored.take(max).collect()
    }
}

/// Returns a length as one in memory; none is as long as that where it does not fit.
pub(super) fn length(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Returns a length in memory as a number of bytes.
pub(super) fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// What was decompressed last, and its number.
#[derive(Default)]
pub(super) struct LastPiece(Mutex<Option<(u64, Vec<u8>)>>);

impl LastPiece {
    /// Copies from piece `number` into `buf` from `offset` of it on; returns how many bytes.
    pub(super) fn copy(
        &self,
        number: u64,
        offset: usize,
        buf: &mut [u8],
        decompress: impl FnOnce() -> Result<Vec<u8>, FileError>,
    ) -> Result<usize, FileError> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last.take().filter(|(known, _)| *known == number);
        let (_, piece) = match known {
            Some(known) => last.insert(known),
            None => last.insert((number, decompress()?)),
        };
        let there = piece.get(offset..).unwrap_or_default();
        let len = there.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..len), there.get(..len)) {
            to.copy_from_slice(from);
        }
        Ok(len)
    }
}

/// The content of a file or a named stream.
pub(super) struct NtfsFile<'a> {
    table: &'a Table,
    size_bytes: u64,
    body: Body,
}

enum Body {
    Resident(Vec<u8>),
    Plain(Runs),
    Lznt1 {
        runs: Runs,
        unit_clusters: u64,
        last: LastPiece,
    },
    Wof(WofContent),
}

impl<'a> NtfsFile<'a> {
    pub(super) fn new(table: &'a Table, content: Content) -> Result<Self, FileError> {
        let (size_bytes, body) = match content {
            Content::Resident(bytes) => (count(bytes.len()), Body::Resident(bytes)),
            Content::Runs(runs) => (
                runs.len_bytes,
                match runs.unit_clusters {
                    None => Body::Plain(runs),
                    Some(unit_clusters) => {
                        let unit = unit_clusters.saturating_mul(table.boot.cluster_bytes);
                        if unit_clusters < 2 || unit > UNIT_BYTES_MAX {
                            return Err(corrupt("a compressed file is in pieces of no size"));
                        }
                        Body::Lznt1 {
                            runs,
                            unit_clusters,
                            last: LastPiece::default(),
                        }
                    }
                },
            ),
        };
        Ok(Self {
            table,
            size_bytes,
            body,
        })
    }

    pub(super) fn wof(table: &'a Table, content: WofContent) -> Self {
        Self {
            table,
            size_bytes: content.size_bytes,
            body: Body::Wof(content),
        }
    }

    /// Fills `buf`, which lies inside of the file.
    fn fill(&self, offset: u64, buf: &mut [u8]) -> Result<(), FileError> {
        match &self.body {
            Body::Resident(bytes) => {
                let from = length(offset);
                let there = bytes.get(from..from.saturating_add(buf.len()));
                buf.copy_from_slice(there.ok_or_else(|| corrupt("a file ends too early"))?);
                Ok(())
            }
            Body::Plain(runs) => {
                read_valid(runs, offset, buf, |buf| self.read_plain(runs, offset, buf))
            }
            Body::Lznt1 {
                runs,
                unit_clusters,
                last,
            } => read_valid(runs, offset, buf, |buf| {
                self.read_lznt1(runs, *unit_clusters, last, offset, buf)
            }),
            Body::Wof(content) => content.read(self.table, offset, buf),
        }
    }

    fn read_plain(&self, runs: &Runs, offset: u64, buf: &mut [u8]) -> Result<(), FileError> {
        runs.pieces(
            self.table.boot.cluster_bytes,
            offset,
            buf,
            &mut |place, buf| {
                if let Some(place) = place {
                    return self.table.volume.read_content(place, buf);
                }
                buf.fill(0);
                Ok(())
            },
        )
    }

    fn read_lznt1(
        &self,
        runs: &Runs,
        unit_clusters: u64,
        last: &LastPiece,
        offset: u64,
        buf: &mut [u8],
    ) -> Result<(), FileError> {
        let unit_bytes = unit_clusters * self.table.boot.cluster_bytes;
        let (mut at, mut rest) = (offset, buf);
        while !rest.is_empty() {
            let unit = at / unit_bytes;
            let copied = last.copy(unit, length(at % unit_bytes), rest, || {
                self.unit(runs, unit, unit_clusters)
            })?;
            if copied == 0 {
                return Err(corrupt("a compressed file ends too early"));
            }
            at += count(copied);
            rest = rest.split_at_mut(copied).1;
        }
        Ok(())
    }

    /// Returns clusters that are compressed together: where a hole follows them they are
    /// compressed, where none does they are not.
    fn unit(&self, runs: &Runs, unit: u64, unit_clusters: u64) -> Result<Vec<u8>, FileError> {
        let cluster_bytes = self.table.boot.cluster_bytes;
        let (first, end) = (unit * unit_clusters, (unit + 1) * unit_clusters);
        let from = runs.runs.partition_point(|run| run.end() <= first);
        let (mut stored, mut has_hole) = (0, false);
        for run in runs
            .runs
            .iter()
            .skip(from)
            .take_while(|run| run.first < end)
        {
            let count = run.end().min(end) - run.first.max(first);
            match run.clusters {
                None => has_hole = true,
                Some(_) if has_hole => {
                    return Err(corrupt("compressed clusters lie behind a hole"));
                }
                Some(_) => stored += count,
            }
        }
        let mut output = vec![0; length(unit_clusters * cluster_bytes)];
        let mut input = vec![0; length(stored * cluster_bytes)];
        self.read_plain(runs, first * cluster_bytes, &mut input)?;
        if has_hole && stored > 0 {
            decompress_lznt1(&input, &mut output)?;
        } else if let Some(begin) = output.get_mut(..input.len()) {
            begin.copy_from_slice(&input);
        }
        Ok(output)
    }
}

/// Reads what is valid and makes zeros of the rest.
fn read_valid(
    runs: &Runs,
    offset: u64,
    buf: &mut [u8],
    read: impl FnOnce(&mut [u8]) -> Result<(), FileError>,
) -> Result<(), FileError> {
    let valid = length(runs.valid_bytes.saturating_sub(offset)).min(buf.len());
    let (now, never_written) = buf.split_at_mut(valid);
    never_written.fill(0);
    read(now)
}

impl GuestFile for NtfsFile<'_> {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, FileError> {
        let len = length(self.size_bytes.saturating_sub(offset)).min(buf.len());
        let (now, _) = buf.split_at_mut(len);
        self.fill(offset, now)?;
        Ok(len)
    }

    fn extents(&self, max: usize) -> Result<Vec<FileExtent>, FileError> {
        self.extents_from(0, max)
    }

    fn extents_from(&self, from: u64, max: usize) -> Result<Vec<FileExtent>, FileError> {
        let cluster_bytes = self.table.boot.cluster_bytes;
        Ok(match &self.body {
            Body::Resident(_) => Vec::new(),
            Body::Plain(runs) | Body::Lznt1 { runs, .. } => runs.extents(cluster_bytes, from, max),
            // All of it is at the begin.
            Body::Wof(_) if from > 0 => Vec::new(),
            Body::Wof(content) => {
                let inside = FileExtent {
                    file_offset: 0,
                    volume_offset: 0,
                    len_bytes: 0,
                    coding: Coding::Opaque,
                };
                let mut extents = match &content.stored {
                    Content::Resident(_) if max > 0 => vec![inside],
                    Content::Resident(_) => Vec::new(),
                    Content::Runs(runs) => runs.extents(cluster_bytes, 0, max),
                };
                // Which bytes of the file a cluster holds is not known without reading.
                for extent in &mut extents {
                    (extent.file_offset, extent.coding) = (0, Coding::Opaque);
                }
                extents
            }
        })
    }

    fn plain_at(&self, offset: u64) -> Result<Option<PlainRun>, FileError> {
        let Body::Plain(runs) = &self.body else {
            return Ok(None);
        };
        let valid = runs.valid_bytes.saturating_sub(offset);
        if valid == 0 {
            return Ok(PlainRun::zeros(self.size_bytes.saturating_sub(offset)));
        }
        let (place, len_bytes) = runs.place_of(self.table.boot.cluster_bytes, offset)?;
        let len_bytes = len_bytes.min(valid);
        Ok(match place {
            Some(place) => self.table.volume.plain_run(place, len_bytes),
            None => PlainRun::zeros(len_bytes),
        })
    }
}
