//! One disk into one stream: what changed, or all of it.

use block_io::{BlockDevice, ByteRanges};
use hyperv_host::{DiskChanges, DiskSource, FullReason};
use jiff::Timestamp;
use repository::{
    Proof, RestorePoint, RunWriter, SampleBudget, StoredStream, Stream, StreamRead, StreamRole,
};

use crate::progress::Progress;
use crate::proof::Sweep;
use crate::skip::{DiskSkip, VmSkip};
use crate::throttle::{Throttle, Throttled};
use crate::vm_backup::BackupError;
use crate::{BackupOptions, DiskItem};

/// The host called ranges unchanged that had changed.
const TRACKING_WRONG: &str = "DISK-TRACKING-WRONG";
/// The repository had lost some of the disk, and got it back.
const MENDED: &str = "DISK-MENDED";

/// One disk's turn.
pub(crate) struct DiskBackup<'a> {
    pub(crate) run: &'a RunWriter,
    pub(crate) disk: &'a DiskSource,
    pub(crate) parent: Option<&'a RestorePoint>,
    pub(crate) options: &'a BackupOptions,
    pub(crate) skip: &'a VmSkip,
    pub(crate) throttle: Option<&'a Throttle>,
    pub(crate) progress: &'a Progress<'a>,
}

/// A disk that was stored, and how.
struct Stored {
    stream: StoredStream,
    full: Option<FullReason>,
    proof: Option<Proof>,
    proved_bytes: u64,
}

impl DiskBackup<'_> {
    /// Stores the disk; returns as well whether what was left out of it relied on the guest's
    /// flush. What is wrong with the host's tracking is told in `warnings`.
    pub(crate) fn store(
        &self,
        warnings: &mut Vec<String>,
    ) -> Result<(Stream, DiskItem, bool), BackupError> {
        let throttled;
        let device: &dyn BlockDevice = match self.throttle {
            Some(throttle) => {
                throttled = Throttled {
                    disk: &self.disk.device,
                    throttle,
                };
                &throttled
            }
            None => &self.disk.device,
        };
        let skip = self.skip.look(&self.disk.base_name, device, warnings);
        let stored = match self.changed_since() {
            Ok((previous, ranges)) => {
                self.store_changed(device, previous, ranges, &skip, warnings)?
            }
            Err(reason) => self.store_all(device, reason, &skip)?,
        };
        let ranges = match &self.disk.changes {
            DiskChanges::Ranges { ranges, .. } => Some(ranges),
            DiskChanges::Everything(_) => None,
        };
        let read = match (stored.full, ranges) {
            (None, Some(ranges)) => StreamRead::ChangedRanges {
                ranges: ranges.iter().count() as u64,
                changed_bytes: ranges.total_bytes(),
            },
            (reason, _) => StreamRead::Everything {
                reason: reason.unwrap_or(FullReason::NotTracked).name().to_owned(),
            },
        };
        if stored.stream.mended_bytes > 0 {
            warnings.push(format!(
                "{MENDED}: {}: the repository had lost {} bytes of earlier backups; they were read \
                 again, and this restore point is whole",
                self.disk.base_name, stored.stream.mended_bytes
            ));
        }
        let mut statistics = stored.stream.statistics;
        // What was read to prove the host's word was read too.
        statistics.read_bytes += stored.proved_bytes;
        let why = stored.full.map_or_else(
            || "what the host says has changed".to_owned(),
            |reason| format!("in full: {}", reason.text()),
        );
        let item = DiskItem {
            number: self.disk.number,
            name: self.disk.base_name.clone(),
            full: stored.full,
            why,
            changed_ranges_bytes: ranges.map(ByteRanges::total_bytes),
            proved_bytes: stored.proved_bytes,
            statistics,
            volumes: skip.volumes.clone(),
        };
        let stream = Stream {
            role: StreamRole::Disk,
            number: self.disk.number,
            name: self.disk.base_name.clone(),
            source_path: self.disk.configured_path.clone(),
            slot: self
                .disk
                .slot
                .and_then(|slot| serde_json::to_value(slot).ok()),
            format: Some(self.disk.format.clone()),
            sector_bytes: self.disk.device.sector_bytes(),
            physical_sector_bytes: self.disk.device.physical_sector_bytes(),
            disk_id: self.disk.disk_id.clone(),
            parent: None,
            size_bytes: self.disk.device.size_bytes(),
            root: stored.stream.root,
            statistics,
            cursor: None,
            read: Some(read),
            proof: stored.proof,
            skipped: skip.content(),
        };
        Ok((stream, item, skip.relied_on_flush))
    }

    /// Returns the stream that the host's ranges are counted from, or why all must be read.
    fn changed_since(&self) -> Result<(&Stream, &ByteRanges), FullReason> {
        match &self.disk.changes {
            DiskChanges::Everything(reason) => Err(*reason),
            DiskChanges::Ranges { ranges, previous } => {
                let disks = self.parent.into_iter().flat_map(RestorePoint::disks);
                let mut same = disks.filter(|stream| stream.number == *previous);
                let stream = same.next().ok_or(FullReason::NewDisk)?;
                if stream.size_bytes == self.disk.device.size_bytes() {
                    Ok((stream, ranges))
                } else {
                    Err(FullReason::DiskResized)
                }
            }
        }
    }

    fn store_all(
        &self,
        device: &dyn BlockDevice,
        reason: FullReason,
        skip: &DiskSkip,
    ) -> Result<Stored, BackupError> {
        let stream = self.run.store_stream_skipping(
            device,
            self.comparable(),
            &skip.ranges,
            self.progress,
        )?;
        Ok(Stored {
            stream,
            full: Some(reason),
            // All of it was read now, so all of it is proved.
            proof: Some(Proof {
                swept_to: 0,
                round_started: Timestamp::now(),
                checked_bytes: 0,
            }),
            proved_bytes: 0,
        })
    }

    /// Returns the stream of the last point that most likely holds the same content.
    fn comparable(&self) -> Option<&Stream> {
        let parent = self.parent?;
        let same = |wanted: &dyn Fn(&Stream) -> bool| parent.disks().find(|disk| wanted(disk));
        let id = self.disk.disk_id.as_deref();
        same(&|stream| id.is_some() && stream.disk_id.as_deref() == id)
            .or_else(|| same(&|stream| stream.source_path == self.disk.configured_path))
            .or_else(|| same(&|stream| stream.number == self.disk.number))
    }

    /// Stores what changed, after some of what did not was looked at. Where the host was wrong all
    /// of the disk is read.
    fn store_changed(
        &self,
        device: &dyn BlockDevice,
        previous: &Stream,
        ranges: &ByteRanges,
        skip: &DiskSkip,
        warnings: &mut Vec<String>,
    ) -> Result<Stored, BackupError> {
        let now = Timestamp::now();
        let sweep = previous.proof.as_ref().map_or(
            Sweep {
                swept_to: 0,
                round_started: now,
            },
            |proof| Sweep {
                swept_to: proof.swept_to,
                round_started: proof.round_started,
            },
        );
        let policy = self.options.proof;
        let chunk_bytes = u64::from(self.run.repository().chunk_bytes());
        let size_bytes = previous.size_bytes;
        let (window, sweep) = policy.window(sweep, now, size_bytes, chunk_bytes);
        let budget = SampleBudget::new(policy.random_chunks, window)?;
        let besides = skip.besides(ranges, chunk_bytes, size_bytes);
        let report =
            self.run
                .prove_unchanged(device, previous, &besides, &budget, self.progress)?;
        if let Some(offset) = report.differences.first() {
            warnings.push(format!(
                "{TRACKING_WRONG}: {}: the host called the bytes at {offset} unchanged, and they \
                 had changed; the whole disk was read instead",
                self.disk.base_name
            ));
            let mut stored = self.store_all(device, FullReason::TrackingWrong, skip)?;
            stored.proved_bytes = report.read_bytes;
            return Ok(stored);
        }
        let stream = self.run.store_changed_skipping(
            device,
            previous,
            ranges,
            &skip.ranges,
            self.progress,
        )?;
        Ok(Stored {
            stream,
            full: None,
            proof: Some(Proof {
                swept_to: sweep.swept_to,
                round_started: sweep.round_started,
                checked_bytes: report.read_bytes,
            }),
            proved_bytes: report.read_bytes,
        })
    }
}
