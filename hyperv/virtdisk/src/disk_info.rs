//! What Windows says about a disk.

use uuid::Uuid;

/// What Windows says about a virtual disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskInfo {
    /// Bytes that the guest sees.
    pub virtual_size_bytes: u64,
    /// Bytes of the file.
    pub physical_size_bytes: u64,
    /// Bytes of a block; 0 in a fixed disk.
    pub block_size_bytes: u32,
    /// Bytes of a sector.
    pub sector_size_bytes: u32,
    /// The disk's own id (SCSI page 83), which its copies and children share. `None` where this
    /// kind of disk has none.
    pub virtual_disk_id: Option<Uuid>,
    /// How its changes are tracked; `None` where this kind of disk or Windows cannot.
    pub change_tracking: Option<ChangeTracking>,
}

/// How the changes of a disk are tracked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeTracking {
    /// Whether they are.
    pub is_on: bool,
    /// Whether there are changes since the most recent id.
    pub has_newer_changes: bool,
    /// The most recent id, where there is one.
    pub most_recent_id: Option<String>,
}
