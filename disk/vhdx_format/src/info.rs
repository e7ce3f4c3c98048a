//! What a file says about itself.

use uuid::Uuid;

/// What a VHDX file says about itself, after replay of its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VhdxInfo {
    /// The program that made the file. Must not change how it is read.
    pub creator: String,
    /// Size of the virtual disk in bytes.
    pub size_bytes: u64,
    /// Size of a payload block in bytes: a power of two, 1 to 256 MiB.
    pub block_bytes: u32,
    /// Logical sector size in bytes: 512 or 4096.
    pub sector_bytes: u32,
    /// Physical sector size in bytes: 512 or 4096.
    pub physical_sector_bytes: u32,
    /// The file keeps a place for every block (`LeaveBlockAllocated`).
    pub fixed: bool,
    /// The file is a differencing disk.
    pub has_parent: bool,
    /// The SCSI page 83 id, which all files of a chain share: it names the virtual disk.
    pub disk_id: Uuid,
    /// Names this version of the disk's content. A child knows its parent by it.
    pub data_write_guid: Uuid,
    /// Names this version of the file.
    pub file_write_guid: Uuid,
    /// The file was not closed cleanly: its log was replayed in memory.
    pub log_replayed: bool,
    /// Sequence number of the current header.
    pub sequence_number: u64,
}
