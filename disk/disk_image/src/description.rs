//! What is known of an image, for people and programs.

use std::path::PathBuf;

use block_io::DiskError;
use serde::Serialize;
use uuid::Uuid;

use crate::chain::OpenedFile;
use crate::image_format::ImageFormat;

/// Everything that is known of an opened image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Description {
    /// The size of the disk in bytes.
    pub size_bytes: u64,
    /// The logical sector size in bytes.
    pub sector_bytes: u32,
    /// The physical sector size in bytes.
    pub physical_sector_bytes: u32,
    /// The format of the leaf.
    pub format: ImageFormat,
    /// The identity of the virtual disk.
    pub disk_id: Option<Uuid>,
    /// What the leaf names its content by.
    pub content_id: Option<Uuid>,
    /// A log was replayed in memory.
    pub log_replayed: bool,
    /// The files, leaf first.
    pub chain: Vec<ChainFile>,
}

/// One file of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainFile {
    /// Where it lies, with all links resolved.
    pub path: PathBuf,
    /// Its format.
    pub format: ImageFormat,
    /// The size of the disk that it describes, in bytes.
    pub size_bytes: u64,
    /// The length of the file in bytes.
    pub file_bytes: u64,
    /// Bytes of a block; `None` where the format has none.
    pub block_bytes: Option<u32>,
    /// The program that made it, where the format tells.
    pub creator: Option<String>,
    /// What a child of it stores to know it by.
    pub link_id: Option<Uuid>,
    /// It describes only what differs from a parent.
    pub has_parent: bool,
    /// The parent's paths as the file has them: a host's paths, not this machine's.
    pub parent_paths: Vec<String>,
    /// What is not as it should be, though the file can be read.
    pub notes: Vec<String>,
}

impl ChainFile {
    pub(crate) fn of(file: &OpenedFile) -> Result<Self, DiskError> {
        let layer = &file.layer;
        let file_bytes = file.file.size_bytes().map_err(|error| {
            DiskError::io(&file.name(), "cannot tell the length of this file", error)
        })?;
        Ok(Self {
            path: file.path.clone(),
            format: layer.format(),
            size_bytes: layer.as_layer().size_bytes(),
            file_bytes,
            block_bytes: layer.block_bytes(),
            creator: layer.creator(),
            link_id: layer.link_id(),
            has_parent: layer.parent_ids().is_some(),
            parent_paths: layer
                .parent_claim()
                .paths
                .iter()
                .map(ToString::to_string)
                .collect(),
            notes: layer.notes(),
        })
    }
}
