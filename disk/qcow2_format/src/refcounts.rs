//! How many clusters the refcounts of a file take, that count their own clusters as well.

use crate::new_qcow2::{CLUSTER_BYTES, ENTRY_BYTES};

/// Refcounts of 16 bits that a block holds.
const PER_BLOCK: u64 = CLUSTER_BYTES / 2;
/// Blocks that a cluster of the refcount table lists.
const PER_TABLE_CLUSTER: u64 = CLUSTER_BYTES / ENTRY_BYTES;

/// Clusters of a file that are refcounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refcounts {
    /// Refcount blocks, a cluster each.
    pub(crate) blocks: u64,
    /// Clusters of the table that lists them.
    pub(crate) table_clusters: u64,
}

impl Refcounts {
    /// Returns what a file needs that has `used` clusters without refcounts.
    pub(crate) fn of(used: u64) -> Self {
        let mut found = Self {
            blocks: 1,
            table_clusters: 1,
        };
        // Each round only ever grows, and a block counts 32768 times what it takes.
        loop {
            let clusters = used
                .saturating_add(found.blocks)
                .saturating_add(found.table_clusters);
            let next = Self {
                blocks: clusters.div_ceil(PER_BLOCK),
                table_clusters: clusters.div_ceil(PER_BLOCK).div_ceil(PER_TABLE_CLUSTER),
            };
            if next == found {
                return found;
            }
            found = next;
        }
    }

    /// Returns block `number` of a file of `clusters` clusters, each of which has one user.
    pub(crate) fn block(number: u64, clusters: u64) -> Vec<u8> {
        let first = number.saturating_mul(PER_BLOCK);
        let counted = clusters.saturating_sub(first).min(PER_BLOCK);
        let one = 1_u16.to_be_bytes();
        let zero = 0_u16.to_be_bytes();
        (0..PER_BLOCK)
            .flat_map(|cluster| if cluster < counted { one } else { zero })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refcounts_count_themselves() {
        for used in [
            2,
            PER_BLOCK - 3,
            PER_BLOCK - 2,
            PER_BLOCK - 1,
            PER_BLOCK * PER_TABLE_CLUSTER - 1,
            PER_BLOCK * PER_TABLE_CLUSTER * 3,
        ] {
            let found = Refcounts::of(used);
            let clusters = used + found.blocks + found.table_clusters;
            assert!(found.blocks * PER_BLOCK >= clusters, "{used}");
            assert!((found.blocks - 1) * PER_BLOCK < clusters, "{used}");
            assert!(found.table_clusters * PER_TABLE_CLUSTER >= found.blocks);
        }
        assert_eq!(Refcounts::of(PER_BLOCK - 2).blocks, 1);
        assert_eq!(Refcounts::of(PER_BLOCK - 1).blocks, 2);
    }

    #[test]
    fn a_block_counts_what_the_file_has() {
        let block = Refcounts::block(1, PER_BLOCK + 2);
        assert_eq!(block.len() as u64, CLUSTER_BYTES);
        assert_eq!(block[..6], [0, 1, 0, 1, 0, 0]);
    }
}
