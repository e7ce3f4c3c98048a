//! What a new VHDX is to be.

use block_io::{DiskError, DiskErrorKind};
use uuid::Uuid;

use crate::guid_source::GuidSource;
use crate::info::VhdxInfo;
use crate::metadata::{Metadata, check_parameters};
use crate::parent_locator::ParentLocator;

/// Longest path in a parent locator, in UTF-16 units: that of Windows.
const MAX_PATH_UNITS: usize = 32_767;

/// How a new VHDX stores its disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateKind {
    /// Every block has its place from the start.
    Fixed,
    /// Blocks are added as they are written.
    Dynamic,
    /// Sectors that differ from a parent are added as they are written.
    Differencing(ParentLink),
}

/// The parent of a new differencing VHDX.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParentLink {
    /// The parent's data-write GUID.
    pub data_write_guid: Uuid,
    /// A Windows path to the parent from the child's folder, such as `.\base.vhdx`.
    pub relative_path: Option<String>,
    /// The absolute Windows path of the parent.
    pub absolute_path: Option<String>,
    /// The path of the parent by its volume's GUID.
    pub volume_path: Option<String>,
}

/// What a new VHDX is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateOptions {
    /// Size of the disk in bytes: a multiple of the sector size, at most 64 TiB.
    pub size_bytes: u64,
    /// How the disk is stored.
    pub kind: CreateKind,
    /// Size of a block in bytes: a power of two, 1 to 256 MiB.
    pub block_bytes: u32,
    /// Logical sector size in bytes: 512 or 4096.
    pub sector_bytes: u32,
    /// Physical sector size in bytes: 512 or 4096.
    pub physical_sector_bytes: u32,
    /// The page 83 id. All files of a chain share it; `None` makes a new one.
    pub disk_id: Option<Uuid>,
    /// The name of the program, at most 255 UTF-16 units.
    pub creator: String,
    /// Where the file's GUIDs come from.
    pub guids: GuidSource,
}

impl CreateOptions {
    /// Windows' block size of a base disk, in bytes.
    pub const DEFAULT_BLOCK_BYTES: u32 = 32 << 20;
    /// Windows' block size of a differencing disk, in bytes.
    pub const DEFAULT_DIFFERENCING_BLOCK_BYTES: u32 = 2 << 20;

    /// Describes a disk as Windows would make it: 512-byte sectors on 4096-byte ones.
    pub fn new(size_bytes: u64, kind: CreateKind) -> Self {
        let block_bytes = match kind {
            CreateKind::Fixed | CreateKind::Dynamic => Self::DEFAULT_BLOCK_BYTES,
            CreateKind::Differencing(_) => Self::DEFAULT_DIFFERENCING_BLOCK_BYTES,
        };
        Self {
            size_bytes,
            kind,
            block_bytes,
            sector_bytes: 512,
            physical_sector_bytes: 4096,
            disk_id: None,
            creator: concat!("Lifeboat ", env!("CARGO_PKG_VERSION")).to_owned(),
            guids: GuidSource::Random,
        }
    }

    /// Describes a child of `parent`, which lies at these Windows paths.
    pub fn child_of(
        parent: &VhdxInfo,
        relative_path: Option<String>,
        absolute_path: Option<String>,
    ) -> Self {
        let link = ParentLink {
            data_write_guid: parent.data_write_guid,
            relative_path,
            absolute_path,
            volume_path: None,
        };
        Self {
            sector_bytes: parent.sector_bytes,
            physical_sector_bytes: parent.physical_sector_bytes,
            disk_id: Some(parent.disk_id),
            ..Self::new(parent.size_bytes, CreateKind::Differencing(link))
        }
    }

    /// Checks the options and turns them into the file's metadata.
    pub(crate) fn metadata(&self, disk_id: Uuid) -> Result<Metadata, DiskError> {
        let wrong = |message: String| DiskError::new(DiskErrorKind::OutOfRange, message);
        let parent_locator = match &self.kind {
            CreateKind::Fixed | CreateKind::Dynamic => None,
            CreateKind::Differencing(link) => {
                let paths = [&link.relative_path, &link.absolute_path, &link.volume_path];
                if let Some(path) = paths
                    .into_iter()
                    .flatten()
                    .find(|path| path.encode_utf16().count() > MAX_PATH_UNITS)
                {
                    return Err(wrong(format!(
                        "a path of {} bytes is too long for a parent locator",
                        path.len()
                    )));
                }
                Some(ParentLocator::new(
                    link.data_write_guid,
                    link.relative_path.clone(),
                    link.volume_path.clone(),
                    link.absolute_path.clone(),
                ))
            }
        };
        let metadata = Metadata {
            block_bytes: self.block_bytes,
            fixed: self.kind == CreateKind::Fixed,
            has_parent: parent_locator.is_some(),
            size_bytes: self.size_bytes,
            disk_id,
            sector_bytes: self.sector_bytes,
            physical_sector_bytes: self.physical_sector_bytes,
            parent_locator,
        };
        check_parameters(&metadata).map_err(wrong)?;
        Ok(metadata)
    }
}
