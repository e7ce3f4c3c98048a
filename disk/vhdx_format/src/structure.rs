//! Everything of a file but its blocks, read and validated in the order that the format asks for.

use std::sync::Arc;

use block_io::{DiskError, ImageFile};

use crate::bat::{BatLayout, ENTRY_BYTES};
use crate::block_map::BlockMap;
use crate::header::{HEADER_OFFSETS, Headers, read_identifier};
use crate::info::VhdxInfo;
use crate::log::{Ring, replay};
use crate::metadata::Metadata;
use crate::parent_locator::ParentLocator;
use crate::region_table::RegionTable;
use crate::replayed_file::ReplayedFile;

/// A file that can be read.
pub(crate) struct Structure {
    pub(crate) file: ReplayedFile,
    pub(crate) headers: Headers,
    pub(crate) table: RegionTable,
    pub(crate) map: BlockMap,
    pub(crate) info: VhdxInfo,
    pub(crate) parent_locator: Option<ParentLocator>,
}

impl Structure {
    /// Identifier, headers, log, region table, metadata: each is trusted only after the one before.
    pub(crate) fn read(file: Arc<dyn ImageFile>) -> Result<Self, DiskError> {
        let mut file = ReplayedFile::new(file)?;
        let creator = read_identifier(&file)?;
        let headers = Headers::read(&file)?;
        let log_replayed = replay_log(&mut file, &headers)?;
        let table = RegionTable::read(&file, &headers.header)?;
        let metadata = Metadata::read(&file, table.metadata)?;
        let map = block_map(&file, &table, &metadata)?;
        let info = VhdxInfo {
            creator,
            size_bytes: metadata.size_bytes,
            block_bytes: metadata.block_bytes,
            sector_bytes: metadata.sector_bytes,
            physical_sector_bytes: metadata.physical_sector_bytes,
            fixed: metadata.fixed,
            has_parent: metadata.has_parent,
            disk_id: metadata.disk_id,
            data_write_guid: headers.header.data_write_guid,
            file_write_guid: headers.header.file_write_guid,
            log_replayed,
            sequence_number: headers.header.sequence_number,
        };
        Ok(Self {
            file,
            headers,
            table,
            map,
            info,
            parent_locator: metadata.parent_locator,
        })
    }
}

/// Lays the log over the file, where the header says that there is one.
pub(crate) fn replay_log(file: &mut ReplayedFile, headers: &Headers) -> Result<bool, DiskError> {
    let header = &headers.header;
    let at = HEADER_OFFSETS[headers.current.min(1)];
    header.check_log(file.name(), at, file.real_bytes())?;
    if header.log_guid.is_nil() {
        return Ok(false);
    }
    let ring = Ring {
        offset: header.log_offset,
        length: header.log_length.into(),
    };
    let patch = replay(file, ring, header.log_guid)?;
    file.set_patch(patch);
    Ok(true)
}

/// Checks that the BAT has room for every entry that will be looked at.
pub(crate) fn block_map(
    file: &ReplayedFile,
    table: &RegionTable,
    metadata: &Metadata,
) -> Result<BlockMap, DiskError> {
    let layout = BatLayout {
        size_bytes: metadata.size_bytes,
        block_bytes: metadata.block_bytes.into(),
        sector_bytes: metadata.sector_bytes.into(),
        has_parent: metadata.has_parent,
    };
    let needed = layout.entry_count() * ENTRY_BYTES;
    if table.bat.length < needed {
        return Err(DiskError::corrupt(
            file.name(),
            table.bat.offset,
            format!(
                "the block allocation table has {} bytes, a disk of {} bytes needs {needed}",
                table.bat.length, metadata.size_bytes
            ),
        ));
    }
    Ok(BlockMap {
        layout,
        bat_offset: table.bat.offset,
    })
}
