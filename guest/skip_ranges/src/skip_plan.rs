//! What may be left out of a disk.

use std::ops::Range;

use block_io::{BlockDevice, ByteRanges, DiskError};
use volume_map::{Content, PARTITIONS_MAX, Partition, Role, volume_map};

use crate::found_ranges::FoundRanges;
use crate::refusal::{Read, Refusal, RefusalKind};
use crate::request::{SkipReason, SkipRequest};
use crate::signatures::{Kind, told_by_signatures};
use crate::verdict::{Finding, VolumeVerdict};
use crate::volume::Volume;
use crate::{btrfs, ext, ntfs, swap, xfs};

/// What may be left out of a disk, and why what was asked for may not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SkipPlan {
    /// Bytes of the disk that may be left out.
    pub ranges: ByteRanges,
    /// What was found in each volume, in the order of the partition table.
    pub volumes: Vec<VolumeVerdict>,
}

/// Looks what may be left out of a disk that nobody writes to meanwhile.
///
/// Everything that is not understood, not at rest or not whole is kept, and the verdicts say so.
///
/// # Errors
///
/// Those of the device while the partition table is read. What goes wrong in a volume is a refusal.
pub fn skip_plan(disk: &dyn BlockDevice, request: &SkipRequest) -> Result<SkipPlan, DiskError> {
    if request.is_empty() {
        return Ok(SkipPlan::default());
    }
    let map = volume_map(disk)?;
    let mut all = FoundRanges::default();
    let mut volumes = Vec::with_capacity(map.partitions.len());
    let crowded = map.partitions.len() >= PARTITIONS_MAX;
    for (number, partition) in map.partitions.iter().enumerate() {
        let mut others = map.partitions.iter().enumerate();
        let alone = others.all(|(other, range)| other == number || !overlap(partition, range));
        let (file_system, finding) = if alone && !crowded {
            look_into(disk, partition, request)
        } else {
            let mut finding = Finding::default();
            finding.refuse(Refusal::damaged(
                "partitions overlap, or there are too many",
            ));
            (partition.content.name(), finding)
        };
        let mut skippable: Vec<(SkipReason, u64)> = Vec::new();
        for (reason, found) in &finding.parts {
            let mut bytes = 0;
            for range in found.iter() {
                bytes += range.end - range.start;
                all.add(range);
            }
            match skippable.iter_mut().find(|(known, _)| known == reason) {
                Some((_, sum)) => *sum += bytes,
                None => skippable.push((*reason, bytes)),
            }
        }
        volumes.push(VolumeVerdict {
            offset: partition.offset,
            len_bytes: partition.len_bytes,
            role: partition.role,
            file_system,
            skippable,
            refusals: finding.refusals,
            relied_on_flush: finding.relied_on_flush,
        });
    }
    let mut ranges: Vec<Range<u64>> = all.iter().collect();
    ranges.sort_unstable_by_key(|range| range.start);
    Ok(SkipPlan {
        ranges: ranges.into_iter().collect(),
        volumes,
    })
}

fn overlap(one: &Partition, other: &Partition) -> bool {
    one.offset < other.offset.saturating_add(other.len_bytes)
        && other.offset < one.offset.saturating_add(one.len_bytes)
}

/// Looks into one volume; returns what it is as well.
fn look_into(
    disk: &dyn BlockDevice,
    partition: &Partition,
    request: &SkipRequest,
) -> (&'static str, Finding) {
    let volume = Volume::new(disk, partition.offset, partition.len_bytes);
    let mut finding = Finding::default();
    let kind = match kind_of(&volume, partition) {
        Ok(kind) => kind,
        Err(refusal) => {
            finding.refuse(refusal);
            return (partition.content.name(), finding);
        }
    };
    let looked = match kind {
        Kind::Ntfs => ntfs::look(volume, request, &mut finding),
        Kind::Ext => ext::look(volume, request, &mut finding),
        Kind::Xfs => xfs::look(volume, request, &mut finding),
        Kind::Btrfs => btrfs::look(volume, request, &mut finding),
        Kind::Swap => swap::look(volume, request, &mut finding),
        Kind::Other(content) => Err(Refusal::new(
            RefusalKind::NotUnderstood,
            format!("{}: what it holds is not looked into", content.name()),
        )),
    };
    if let Err(refusal) = looked {
        // Whatever was found until then came from the same structures; shadow copies are no damage.
        if refusal.kind != RefusalKind::ShadowCopies {
            finding.parts.clear();
        }
        finding.refuse(refusal);
    }
    keep_inside(&mut finding, &volume);
    (kind.name(), finding)
}

/// Says what a volume is; fails where it is a part of something larger, or more than one thing.
fn kind_of(volume: &Volume<'_>, partition: &Partition) -> Read<Kind> {
    let not_understood = |what: &str| Err(Refusal::new(RefusalKind::NotUnderstood, what));
    match partition.role {
        Role::Ldm => not_understood("a part of a dynamic disk of Windows (LDM)"),
        Role::StorageSpaces => not_understood("a part of Storage Spaces"),
        Role::Data | Role::EfiSystem | Role::Reserved => {
            let kind = told_by_signatures(volume, partition.content)?;
            if kind == Kind::Other(Content::Unknown) {
                return not_understood("it holds nothing that is known here");
            }
            Ok(kind)
        }
    }
}

/// Takes out what lies outside of the volume, and its boot sectors at either end.
fn keep_inside(finding: &mut Finding, volume: &Volume<'_>) {
    let start = volume.offset;
    let end = start.saturating_add(volume.len_bytes);
    let first = start.saturating_add(BOOT_BYTES);
    let last = end.saturating_sub(BOOT_BYTES);
    finding.protect(&[0..first, last..u64::MAX]);
}

/// What is kept at either end of every volume, whatever its file system says: boot sectors, their
/// copies, and what others leave there.
const BOOT_BYTES: u64 = 64 << 10;
