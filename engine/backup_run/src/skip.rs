//! What is left out of a VM's disks, and why what was asked for is not.

use block_io::{BlockDevice, ByteRanges};
use hyperv_host::{
    BackupMethod, Consistency, FileRole, HostError, HostErrorKind, PowerState, VmSource,
};
use repository::SkippedContent;
use serde::Serialize;
use skip_ranges::{SkipPlan, SkipRequest, VolumeVerdict, skip_plan};

/// Something that was asked to be left out is in the point.
const KEPT: &str = "DISK-SKIP-KEPT";

/// A file of state as large as this holds memory.
const MEMORY_BYTES_MIN: u64 = 16 << 20;

/// What a run found in a volume of a guest's disk.
#[derive(Debug, Clone, Serialize)]
pub struct VolumeItem {
    /// Where in the disk it begins, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub size_bytes: u64,
    /// What it is, such as `NTFS`.
    pub file_system: String,
    /// What was left out of it.
    pub skipped: Vec<SkippedItem>,
    /// Why something that was asked for is in the point all the same.
    pub kept: Vec<KeptItem>,
}

/// What was left out of a volume, of one kind.
#[derive(Debug, Clone, Serialize)]
pub struct SkippedItem {
    /// A word such as `free-space`.
    pub reason: String,
    /// Bytes of the ranges, before they were cut to whole chunks.
    pub bytes: u64,
}

/// Why something that was asked for is in the point all the same.
#[derive(Debug, Clone, Serialize)]
pub struct KeptItem {
    /// A word such as `shadow-copies`.
    pub kind: String,
    /// The same for people.
    pub text: String,
}

/// What is asked for of a VM's disks.
pub(crate) struct VmSkip {
    request: SkipRequest,
}

/// What is left out of one disk.
#[derive(Default)]
pub(crate) struct DiskSkip {
    pub(crate) ranges: ByteRanges,
    pub(crate) volumes: Vec<VolumeItem>,
    /// Some of it may be left out only because the guest flushed its file systems.
    pub(crate) relied_on_flush: bool,
}

impl VmSkip {
    /// Says what is asked for of a VM that is held still. Where its point keeps memory nothing is
    /// left out: the guest goes on with what it has paged out, and with what it knows of its disks.
    pub(crate) fn of(asked: SkipRequest, source: &VmSource, warnings: &mut Vec<String>) -> Self {
        let mut request = asked;
        let why = if asked.is_empty() {
            None
        } else if keeps_memory(source) {
            Some("the point keeps the VM's memory, which its disks must fit")
        } else if !source.images.is_empty() {
            Some("image files of a checkpoint tree are kept whole")
        } else {
            None
        };
        if let Some(why) = why {
            warnings.push(format!("{KEPT}: nothing is left out of the disks: {why}"));
            request = SkipRequest::default();
        }
        // No level but this one is reached without the guest.
        request.flushed = source.consistency.level != Consistency::Crash;
        Self { request }
    }

    /// Looks what may be left out of a disk. What cannot be looked at is kept.
    pub(crate) fn look(
        &self,
        name: &str,
        device: &dyn BlockDevice,
        warnings: &mut Vec<String>,
    ) -> DiskSkip {
        if self.request.is_empty() {
            return DiskSkip::default();
        }
        match skip_plan(device, &self.request) {
            Ok(plan) => DiskSkip::of(name, plan, warnings),
            Err(error) => {
                warnings.push(format!(
                    "{KEPT}: {name}: its partitions cannot be read, so nothing is left out: {error}"
                ));
                DiskSkip::default()
            }
        }
    }
}

fn keeps_memory(source: &VmSource) -> bool {
    let large = |size: std::io::Result<u64>| size.is_ok_and(|size| size >= MEMORY_BYTES_MIN);
    let mut states = source
        .files
        .iter()
        .filter(|file| file.role == FileRole::RuntimeState);
    source.method == BackupMethod::SavedState
        || source.entry.state == Some(PowerState::Saved)
        || states.any(|state| large(state.file.size_bytes()))
}

impl DiskSkip {
    fn of(name: &str, plan: SkipPlan, warnings: &mut Vec<String>) -> Self {
        for volume in &plan.volumes {
            if !volume.is_kept_unexpectedly() {
                continue;
            }
            for refusal in &volume.refusals {
                warnings.push(format!(
                    "{KEPT}: {name}: the {} volume at {} is kept where it was to be left out: {}",
                    volume.file_system, volume.offset, refusal.text
                ));
            }
        }
        let relied =
            |volume: &VolumeVerdict| volume.relied_on_flush && !volume.skippable.is_empty();
        Self {
            relied_on_flush: plan.volumes.iter().any(relied),
            volumes: plan.volumes.iter().map(VolumeItem::of).collect(),
            ranges: plan.ranges,
        }
    }

    /// Returns what was left out, as the point keeps it.
    pub(crate) fn content(&self) -> Vec<SkippedContent> {
        let parts = self.volumes.iter().flat_map(|volume| {
            volume.skipped.iter().map(|part| SkippedContent {
                volume: volume.offset,
                file_system: volume.file_system.clone(),
                reason: part.reason.clone(),
                bytes: part.bytes,
            })
        });
        parts.collect()
    }

    /// Returns what is not to be proved unchanged: what is known to have changed, and the chunks
    /// that are left out.
    pub(crate) fn besides(
        &self,
        changed: &ByteRanges,
        chunk_bytes: u64,
        size_bytes: u64,
    ) -> ByteRanges {
        let skipped = self.ranges.shrunk(chunk_bytes, size_bytes);
        let mut both: Vec<_> = changed.iter().chain(skipped.iter()).collect();
        both.sort_unstable_by_key(|range| range.start);
        both.into_iter().collect()
    }
}

impl VolumeItem {
    fn of(verdict: &VolumeVerdict) -> Self {
        let skipped = verdict.skippable.iter().map(|(reason, bytes)| SkippedItem {
            reason: reason.name().to_owned(),
            bytes: *bytes,
        });
        let kept = verdict.refusals.iter().map(|refusal| KeptItem {
            kind: refusal.kind.name().to_owned(),
            text: refusal.text.clone(),
        });
        Self {
            offset: verdict.offset,
            size_bytes: verdict.len_bytes,
            file_system: verdict.file_system.to_owned(),
            skipped: skipped.collect(),
            kept: kept.collect(),
        }
    }
}

/// Fails where something was left out because the guest flushed its file systems, and the host says
/// in the end that it did not: what was left out may be needed.
pub(crate) fn check_flush(relied: bool, level: Consistency) -> Result<(), HostError> {
    if !relied || level != Consistency::Crash {
        return Ok(());
    }
    let what = "the host says now that the guest took no part; what was left out of its disks \
                relied on that, so there is no restore point";
    Err(HostError::new(HostErrorKind::ConsistencyMissed, what)
        .hint("run it again; without --skip such a point is kept as it is"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_relied_on_a_flush_is_kept_without_one() {
        assert!(check_flush(false, Consistency::Crash).is_ok());
        assert!(check_flush(true, Consistency::FileSystem).is_ok());
        let error = check_flush(true, Consistency::Crash).unwrap_err();
        assert_eq!(error.kind(), HostErrorKind::ConsistencyMissed);
    }

    #[test]
    fn neither_what_changed_nor_what_is_left_out_is_proved() {
        let ranges =
            |ranges: &[std::ops::Range<u64>]| ranges.iter().cloned().collect::<ByteRanges>();
        let skip = DiskSkip {
            ranges: ranges(&[5..35, 90..100]),
            ..DiskSkip::default()
        };
        let besides = skip.besides(&ranges(&[2..3, 25..45]), 10, 100);
        assert_eq!(besides, ranges(&[2..3, 10..45, 90..100]));
    }
}
