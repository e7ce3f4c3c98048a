//! Content that lies in clusters, as FAT and exFAT have it.

use crate::cluster_chain::Place;
use crate::volume::Volume;
use crate::{Coding, FileError, FileErrorKind, FileExtent, GuestFile, PlainRun};

/// Where clusters are on a volume.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClusterArea {
    /// Where cluster 2 begins, in bytes.
    pub(crate) offset: u64,
    pub(crate) cluster_bytes: u64,
    /// How many there are.
    pub(crate) clusters: u32,
}

impl ClusterArea {
    /// Returns whether there is such a cluster.
    pub(crate) fn has(&self, cluster: u32) -> bool {
        cluster >= 2 && cluster - 2 < self.clusters
    }

    /// Returns where a cluster begins, in bytes of the volume.
    pub(crate) fn place(&self, cluster: u32) -> u64 {
        let before = u64::from(cluster.saturating_sub(2));
        self.offset
            .saturating_add(before.saturating_mul(self.cluster_bytes))
    }

    /// Returns which cluster an offset of the volume is in.
    pub(crate) fn cluster_at(&self, offset: u64) -> Option<u32> {
        let before = offset.checked_sub(self.offset)? / self.cluster_bytes;
        let cluster = u32::try_from(before).ok()?.checked_add(2)?;
        self.has(cluster).then_some(cluster)
    }

    /// Returns where places are, in order: `(offset in the file, offset on the volume, length)`.
    pub(crate) fn extents<'a>(
        &'a self,
        places: &'a [Place],
    ) -> impl Iterator<Item = FileExtent> + 'a {
        let mut file_offset = 0;
        places.iter().map(move |place| {
            let len_bytes = u64::from(place.count) * self.cluster_bytes;
            let extent = FileExtent {
                file_offset,
                volume_offset: self.place(place.first),
                len_bytes,
                coding: Coding::Plain,
            };
            file_offset += len_bytes;
            extent
        })
    }
}

/// A file in clusters.
pub(crate) struct ClusterFile<'a> {
    pub(crate) volume: &'a Volume,
    pub(crate) extents: Vec<FileExtent>,
    pub(crate) size_bytes: u64,
    /// What was ever written; the rest reads as zero.
    pub(crate) valid_bytes: u64,
}

impl ClusterFile<'_> {
    /// Returns the extent that a byte of the file lies in.
    fn extent_of(&self, at: u64) -> Result<&FileExtent, FileError> {
        let ends_before = |extent: &FileExtent| extent.file_offset + extent.len_bytes <= at;
        let found = self.extents.partition_point(ends_before);
        self.extents.get(found).ok_or_else(|| {
            let what = "a file's chain of clusters is shorter than the file";
            FileError::new(FileErrorKind::Corrupt, what)
        })
    }
}

impl GuestFile for ClusterFile<'_> {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, FileError> {
        let within = |end: u64, len: usize| {
            usize::try_from(end.saturating_sub(offset)).map_or(len, |left| left.min(len))
        };
        let len = within(self.size_bytes, buf.len());
        let (buf, _) = buf.split_at_mut(len);
        let (mut rest, never_written) = buf.split_at_mut(within(self.valid_bytes, len));
        never_written.fill(0);
        let mut at = offset;
        while !rest.is_empty() {
            let extent = self.extent_of(at)?;
            let end = extent.file_offset + extent.len_bytes;
            let left = usize::try_from(end - at).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at_mut(left.min(rest.len()));
            let place = extent.volume_offset + (at - extent.file_offset);
            self.volume.read_content(place, now)?;
            at += u64::try_from(now.len()).unwrap_or(0);
            rest = later;
        }
        Ok(len)
    }

    fn extents(&self, max: usize) -> Result<Vec<FileExtent>, FileError> {
        self.extents_from(0, max)
    }

    fn extents_from(&self, from: u64, max: usize) -> Result<Vec<FileExtent>, FileError> {
        let end = self.size_bytes.min(self.valid_bytes);
        let written = self.extents.iter().filter_map(|extent| {
            let left = end.saturating_sub(extent.file_offset);
            let len_bytes = extent.len_bytes.min(left);
            (len_bytes > 0 && extent.file_offset >= from).then_some(FileExtent {
                len_bytes,
                ..*extent
            })
        });
        Ok(written.take(max).collect())
    }

    fn plain_at(&self, offset: u64) -> Result<Option<PlainRun>, FileError> {
        if offset >= self.valid_bytes {
            return Ok(PlainRun::zeros(self.size_bytes.saturating_sub(offset)));
        }
        let extent = self.extent_of(offset)?;
        let skip = offset - extent.file_offset;
        let len_bytes = (extent.len_bytes - skip).min(self.valid_bytes - offset);
        Ok(self
            .volume
            .plain_run(extent.volume_offset + skip, len_bytes))
    }
}
