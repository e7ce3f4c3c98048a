//! How large a repository is, and why.

use serde::Serialize;

use crate::{Repository, RepositoryError};

/// Sizes of a repository, in bytes.
#[derive(Debug, Default, Clone, Serialize)]
pub struct RepositoryStatistics {
    /// Restore points that can be read.
    pub points: u64,
    /// VMs that have any.
    pub vms: u64,
    /// Sum of the sizes of all disks and image files of all points.
    pub provisioned_bytes: u64,
    /// Sum of the data in all points, as if each were stored alone.
    pub data_bytes: u64,
    /// Data that was stored, each chunk once, before compression.
    pub unique_bytes: u64,
    /// What that took when it was stored.
    pub stored_bytes: u64,
    /// Packs in the store now.
    pub packs: u64,
    /// Their size.
    pub pack_bytes: u64,
    /// Size of the index objects.
    pub index_bytes: u64,
    /// Size of everything in the store.
    pub total_bytes: u64,
}

impl Repository {
    /// Adds up the sizes of all packs: what a quota counts.
    pub fn pack_bytes(&self) -> Result<u64, RepositoryError> {
        let mut sum = 0_u64;
        self.shared.store.list("packs/", &mut |object| {
            sum = sum.saturating_add(object.size_bytes);
        })?;
        Ok(sum)
    }

    /// Adds sizes up: from the listing and from what the points say, without reading any pack.
    pub fn statistics(&self) -> Result<RepositoryStatistics, RepositoryError> {
        let mut statistics = RepositoryStatistics::default();
        self.shared.store.list("", &mut |object| {
            statistics.total_bytes += object.size_bytes;
            if object.name.starts_with("packs/") {
                statistics.packs += 1;
                statistics.pack_bytes += object.size_bytes;
            } else if object.name.starts_with("index/") {
                statistics.index_bytes += object.size_bytes;
            }
        })?;
        let catalog = self.catalog()?;
        let mut vms = std::collections::HashSet::new();
        for point in &catalog.points {
            let summary = &point.summary;
            statistics.points += 1;
            vms.insert(&summary.vm.identity);
            // Of a checkpoint tree, the files: how large its disks are only they know.
            statistics.provisioned_bytes += summary.size_bytes;
            statistics.data_bytes += summary.statistics.data_bytes;
            statistics.unique_bytes += summary.statistics.new_bytes;
            statistics.stored_bytes += summary.statistics.stored_bytes;
        }
        statistics.vms = vms.len() as u64;
        Ok(statistics)
    }
}
