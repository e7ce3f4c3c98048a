//! What a new VHD is to be.

use uuid::Uuid;

use crate::vhd_info::VhdInfo;

/// How a new VHD stores its disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateKind {
    /// The whole disk, then the footer.
    Fixed,
    /// Blocks are added as they are written.
    Dynamic,
    /// Sectors that differ from a parent are added as they are written.
    Differencing(ParentLink),
}

/// The parent of a new differencing VHD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParentLink {
    /// The parent's unique id.
    pub unique_id: Uuid,
    /// A Windows path to the parent from the child's folder, such as `.\base.vhd`.
    pub relative_path: Option<String>,
    /// The absolute Windows path of the parent.
    pub absolute_path: Option<String>,
}

impl ParentLink {
    /// Links to `parent`, which lies at these Windows paths.
    pub fn to(
        parent: &VhdInfo,
        relative_path: Option<String>,
        absolute_path: Option<String>,
    ) -> Self {
        Self {
            unique_id: parent.unique_id,
            relative_path,
            absolute_path,
        }
    }
}

/// What a new VHD is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateOptions {
    /// The size of the disk in bytes: a multiple of 512, at most 2040 GiB.
    pub size_bytes: u64,
    /// How the disk is stored.
    pub kind: CreateKind,
    /// Bytes of a block of a dynamic or differencing disk: a power of two.
    pub block_bytes: u32,
    /// The identity of the file; a random one where `None`.
    pub unique_id: Option<Uuid>,
}

impl CreateOptions {
    /// The block size that Windows takes: 2 MiB.
    pub const DEFAULT_BLOCK_BYTES: u32 = 2 << 20;

    /// Describes a disk of the default block size and a random identity.
    pub fn new(size_bytes: u64, kind: CreateKind) -> Self {
        Self {
            size_bytes,
            kind,
            block_bytes: Self::DEFAULT_BLOCK_BYTES,
            unique_id: None,
        }
    }
}
