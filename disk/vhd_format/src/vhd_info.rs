//! What a VHD says about itself.

use uuid::Uuid;

use crate::footer::VhdKind;
use crate::geometry::Geometry;

/// What a VHD says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VhdInfo {
    /// How the disk is stored.
    pub kind: VhdKind,
    /// The size of the disk in bytes: by the creator's rule one of the next two.
    pub size_bytes: u64,
    /// The footer's current size in bytes.
    pub current_size_bytes: u64,
    /// The footer's geometry; its product is often a little less than the size.
    pub geometry: Geometry,
    /// Bytes of a block; `None` for a fixed disk.
    pub block_bytes: Option<u32>,
    /// The identity of this file: what a child stores as its parent's.
    pub unique_id: Uuid,
    /// The identity of the parent; `None` unless the disk is a differencing one.
    pub parent_unique_id: Option<Uuid>,
    /// The parent's name as the header has it: on Windows the full path.
    pub parent_name: Option<String>,
    /// Seconds from 2000-01-01 00:00 UTC to the making of the file.
    pub timestamp: u32,
    /// The program that made the file, such as `win `, `vpc `, `qemu`.
    pub creator: String,
    /// That program's version.
    pub creator_version: u32,
    /// The virtual machine was saved: its memory refers to this disk.
    pub saved_state: bool,
    /// What is not as it should be, though the disk can be read.
    pub notes: Vec<String>,
}
