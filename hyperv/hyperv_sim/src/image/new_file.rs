//! Making disks.

use std::path::Path;
use std::sync::Arc;

use block_io::{BlockDevice, DiskError, NewImage, WritableFile};
use uuid::Uuid;
use vhdx_format::GuidSource;

use super::layer_file::{LayerFile, is_vhd};
use super::volatile_file::VolatileFile;

/// Disks smaller than this get small blocks, so that small disks make small files.
const SMALL_DISK_BYTES: u64 = 1 << 30;
const SMALL_BLOCK_BYTES: u32 = 1 << 20;

/// What a new base disk is to be.
pub(crate) struct NewDisk<'a> {
    /// Its size in bytes.
    pub(crate) size_bytes: u64,
    /// What is on it; `None`: nothing.
    pub(crate) content: Option<&'a dyn BlockDevice>,
    /// Its identity: page 83 id, or unique id.
    pub(crate) disk_id: Uuid,
    /// What its other GUIDs come from.
    pub(crate) seed: u64,
}

/// Makes a dynamic VHDX or, as the name says, VHD.
pub(crate) fn create_disk(path: &Path, disk: &NewDisk<'_>) -> Result<(), DiskError> {
    let file: Arc<dyn WritableFile> = VolatileFile::create(path)?;
    let sector_bytes = disk.content.map_or(512, |content| content.sector_bytes());
    let size_bytes = disk.size_bytes.next_multiple_of(u64::from(sector_bytes));
    let new: Box<dyn NewImage> = if is_vhd(path) {
        let mut options =
            vhd_format::CreateOptions::new(size_bytes, vhd_format::CreateKind::Dynamic);
        options.unique_id = Some(disk.disk_id);
        vhd_format::create(file, options)?
    } else {
        let mut options =
            vhdx_format::CreateOptions::new(size_bytes, vhdx_format::CreateKind::Dynamic);
        options.sector_bytes = sector_bytes;
        options.disk_id = Some(disk.disk_id);
        options.guids = GuidSource::Counting(disk.seed);
        if size_bytes < SMALL_DISK_BYTES {
            options.block_bytes = SMALL_BLOCK_BYTES;
        }
        Box::new(vhdx_format::create(file, &options)?)
    };
    if let Some(content) = disk.content {
        disk_image::copy(content, &*new, &(), 1)?;
    }
    new.finish()
}

/// Makes a differencing disk of the parent's format. `parent_host_path` is the parent as the host
/// names it; a parent in the same folder is also named relative to the child.
pub(crate) fn create_child(
    path: &Path,
    parent: &Path,
    parent_host_path: &str,
    seed: u64,
) -> Result<(), DiskError> {
    let new = new_child(path, parent, parent_host_path, seed, None)?;
    new.finish()
}

/// Starts a differencing disk; a VHD keeps `unique_id` where one is given.
pub(super) fn new_child(
    path: &Path,
    parent: &Path,
    parent_host_path: &str,
    seed: u64,
    unique_id: Option<Uuid>,
) -> Result<Box<dyn NewImage>, DiskError> {
    let parent_layer = LayerFile::open(parent)?;
    let same_folder = path.parent() == parent.parent();
    let relative = same_folder
        .then(|| format!(".\\{}", crate::drive::file_name(parent_host_path)))
        .filter(|name| name.len() > 2);
    let absolute = Some(parent_host_path.to_owned());
    let file: Arc<dyn WritableFile> = VolatileFile::create(path)?;
    Ok(match &parent_layer {
        LayerFile::Vhdx(layer) => {
            let mut options =
                vhdx_format::CreateOptions::child_of(layer.info(), relative, absolute);
            options.guids = GuidSource::Counting(seed);
            Box::new(vhdx_format::create(file, &options)?)
        }
        LayerFile::Vhd(layer) => {
            let link = vhd_format::ParentLink::to(layer.info(), relative, absolute);
            let mut options = vhd_format::CreateOptions::new(
                layer.info().size_bytes,
                vhd_format::CreateKind::Differencing(link),
            );
            options.unique_id = Some(unique_id.unwrap_or(Uuid::from_u128(u128::from(seed))));
            vhd_format::create(file, options)?
        }
    })
}
