//! The data of a new image that gives each cluster a place when something is written to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{DiskError, DiskErrorKind, WritableFile, check_range, is_zero};

/// The data of a new image: clusters of one size that lie in the file in the order in which they
/// were first written to.
///
/// What qcow2 and VMDK have in common; the formats add their headers and tables. Threads write
/// disjoint ranges: a lock is taken to give clusters their places, and the data is written outside
/// of it, neighbours with one call. What is zero gets no place. Memory: 4 bytes for each cluster of
/// those groups that hold anything.
pub struct NewClusters {
    file: Arc<dyn WritableFile>,
    size_bytes: u64,
    cluster_bytes: u64,
    places: Mutex<Places>,
    failed: AtomicBool,
}

/// Numbers of clusters of the file, group by group; 0 where a cluster has no place, since a header
/// lies there.
struct Places {
    group_clusters: u64,
    groups: Vec<Option<Box<[u32]>>>,
    next: u32,
}

/// A part of a write that lies in one piece in the file.
struct Piece {
    place_bytes: u64,
    start: usize,
    end: usize,
}

impl NewClusters {
    /// Starts the data of a disk of `size_bytes` in `file`, whose content is thrown away.
    ///
    /// The first cluster lies at `first_bytes`, which is a multiple of `cluster_bytes` and not 0;
    /// a table of the format lists `group_clusters` of them.
    ///
    /// # Errors
    ///
    /// `OutOfRange` where the file would have more clusters than can be counted in 32 bits; that
    /// of the file.
    pub fn start(
        file: Arc<dyn WritableFile>,
        size_bytes: u64,
        cluster_bytes: u64,
        group_clusters: u64,
        first_bytes: u64,
    ) -> Result<Self, DiskError> {
        let refuse = || {
            let what = format!("a disk of {size_bytes} bytes is too large for this format");
            DiskError::new(DiskErrorKind::OutOfRange, what).in_file(file.name())
        };
        let clusters = size_bytes.div_ceil(cluster_bytes.max(1));
        let first = first_bytes / cluster_bytes.max(1);
        let end = first.checked_add(clusters).ok_or_else(refuse)?;
        let (Ok(first), Ok(_)) = (u32::try_from(first), u32::try_from(end)) else {
            return Err(refuse());
        };
        let groups = clusters.div_ceil(group_clusters.max(1));
        file.set_size_bytes(0)
            .map_err(|error| DiskError::io(file.name(), "cannot set the length", error))?;
        Ok(Self {
            size_bytes,
            cluster_bytes,
            places: Mutex::new(Places {
                group_clusters,
                groups: vec![None; index(groups)],
                next: first,
            }),
            failed: AtomicBool::new(false),
            file,
        })
    }

    /// Returns the name that errors show.
    pub fn name(&self) -> &str {
        self.file.name()
    }

    /// Returns the size of the disk in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes `data` at `offset` of the disk.
    ///
    /// # Errors
    ///
    /// `OutOfRange`; that of the file, after which every call is `Poisoned`.
    pub fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes, offset, data.len() as u64)
            .map_err(|error| error.in_file(self.name()))?;
        self.refuse_if_failed()?;
        for piece in self.place(offset, data) {
            if let Some(part) = data.get(piece.start..piece.end) {
                self.put(piece.place_bytes, part)?;
            }
        }
        Ok(())
    }

    /// Gives a place to each cluster that needs one, and returns where the parts of `data` go.
    fn place(&self, offset: u64, data: &[u8]) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut places = self.places();
        let mut start = 0;
        while start < data.len() {
            let at = offset + start as u64;
            let (cluster, inside) = (at / self.cluster_bytes, at % self.cluster_bytes);
            let end = data.len().min(start + index(self.cluster_bytes - inside));
            let part = data.get(start..end).unwrap_or_default();
            if let Some(place) = places.of(cluster, !is_zero(part)) {
                let place_bytes = u64::from(place) * self.cluster_bytes + inside;
                match pieces.last_mut() {
                    Some(last)
                        if last.end == start
                            && last.place_bytes + (last.end - last.start) as u64 == place_bytes =>
                    {
                        last.end = end;
                    }
                    _ => pieces.push(Piece {
                        place_bytes,
                        start,
                        end,
                    }),
                }
            }
            start = end;
        }
        pieces
    }

    /// Writes a header or table at `offset` of the file.
    ///
    /// # Errors
    ///
    /// That of the file, after which every call is `Poisoned`.
    pub fn put(&self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.refuse_if_failed()?;
        self.file.write_all_at(offset, bytes).map_err(|error| {
            self.failed.store(true, Ordering::Release);
            DiskError::io(self.name(), "cannot write", error).at(offset)
        })
    }

    /// Returns what of a group has a place: the cluster's number in the group, and where it lies in
    /// the file in bytes. `None`: the group holds nothing.
    pub fn group(&self, group: u64) -> Option<Vec<(usize, u64)>> {
        let places = self.places();
        let table = places.groups.get(index(group))?.as_ref()?;
        let placed = table.iter().enumerate().filter(|(_, place)| **place != 0);
        Some(
            placed
                .map(|(number, place)| (number, u64::from(*place) * self.cluster_bytes))
                .collect(),
        )
    }

    /// Returns how many groups there are.
    pub fn group_count(&self) -> u64 {
        self.places().groups.len() as u64
    }

    /// Returns where the last cluster ends in the file, in bytes.
    pub fn end_bytes(&self) -> u64 {
        u64::from(self.places().next) * self.cluster_bytes
    }

    /// Gives the file its length.
    pub fn set_length(&self, size_bytes: u64) -> Result<(), DiskError> {
        self.refuse_if_failed()?;
        self.file.set_size_bytes(size_bytes).map_err(|error| {
            self.failed.store(true, Ordering::Release);
            DiskError::io(self.name(), "cannot set the length", error)
        })
    }

    /// Returns once everything written so far would survive a power cut.
    pub fn flush(&self) -> Result<(), DiskError> {
        self.refuse_if_failed()?;
        self.file.flush().map_err(|error| {
            self.failed.store(true, Ordering::Release);
            DiskError::io(self.name(), "cannot flush", error)
        })
    }

    fn refuse_if_failed(&self) -> Result<(), DiskError> {
        if self.failed.load(Ordering::Acquire) {
            let what = "an earlier write failed, so this image cannot be completed";
            return Err(DiskError::new(DiskErrorKind::Poisoned, what).in_file(self.name()));
        }
        Ok(())
    }
}

impl Places {
    /// Returns the place of a cluster, which gets one where it has none and `wanted` says so.
    fn of(&mut self, cluster: u64, wanted: bool) -> Option<u32> {
        let group_clusters = self.group_clusters;
        let group = self.groups.get_mut(index(cluster / group_clusters))?;
        if group.is_none() && !wanted {
            return None;
        }
        let table = group.get_or_insert_with(|| vec![0; index(group_clusters)].into_boxed_slice());
        let place = table.get_mut(index(cluster % group_clusters))?;
        if *place == 0 && wanted {
            *place = self.next;
            // `start` has seen to it that all clusters can be counted.
            self.next = self.next.saturating_add(1);
        }
        (*place != 0).then_some(*place)
    }
}

/// What is counted here lies in memory.
fn index(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFile;

    fn clusters() -> (Arc<MemoryFile>, NewClusters) {
        let file = Arc::new(MemoryFile::new("new", vec![7; 99]));
        let clusters = NewClusters::start(file.clone(), 100_000, 4096, 4, 8192).unwrap();
        (file, clusters)
    }

    #[test]
    fn clusters_lie_in_the_order_of_the_writes_and_zeros_nowhere() {
        let (file, clusters) = clusters();
        clusters.write_at(99_990, &[1; 10]).unwrap();
        clusters.write_at(4000, &[2; 200]).unwrap();
        clusters.write_at(20_000, &[0; 40_000]).unwrap();
        assert_eq!(clusters.group_count(), 7);
        assert_eq!(clusters.group(6), Some(vec![(0, 8192)]));
        assert_eq!(clusters.group(0), Some(vec![(0, 12_288), (1, 16_384)]));
        assert_eq!((1..6).find_map(|group| clusters.group(group)), None);
        assert_eq!(clusters.end_bytes(), 20_480);
        let bytes = file.to_vec();
        assert!(bytes[..8192].iter().all(|byte| *byte == 0));
        assert_eq!(bytes[12_288 + 4000..][..200], [2; 200]);
        // Zeros over what was written count.
        clusters.write_at(4000, &[0; 200]).unwrap();
        assert_eq!(file.to_vec()[12_288 + 4000..][..200], [0; 200]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (_, clusters) = clusters();
        for (offset, len) in [(100_000, 1), (u64::MAX, 1), (99_999, 2)] {
            let error = clusters.write_at(offset, &vec![1; len]).unwrap_err();
            assert_eq!(error.kind(), DiskErrorKind::OutOfRange);
        }
        let file = Arc::new(MemoryFile::new("new", Vec::new()));
        let error = NewClusters::start(file, 1 << 60, 65_536, 8192, 65_536).err();
        assert_eq!(
            error.map(|error| error.kind()),
            Some(DiskErrorKind::OutOfRange)
        );
    }
}
