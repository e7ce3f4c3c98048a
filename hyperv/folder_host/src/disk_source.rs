//! An opened disk as backup reads it.

use std::path::Path;
use std::sync::Arc;

use block_io::BlockDevice;
use disk_image::{DiskImage, ImageFormat};
use hyperv_host::{DiskChanges, DiskEntry, DiskSource, FullReason, HostError, HostErrorKind};

use crate::machine::OpenedDisk;

/// Makes the source of an opened disk, or the error of one that could not be opened.
pub(crate) fn disk_source(entry: &DiskEntry, disk: OpenedDisk) -> Result<DiskSource, HostError> {
    let image = disk
        .image
        .map_err(|error| HostError::new(HostErrorKind::Disk, error.to_string()).caused_by(error))?;
    let image = Arc::new(image);
    let checked = Arc::clone(&image);
    Ok(DiskSource {
        number: entry.number,
        slot: entry.slot,
        configured_path: disk.configured_path,
        base_name: base_name(&image),
        format: match image.format() {
            ImageFormat::Vhdx | ImageFormat::VhdxFixed => "vhdx",
            ImageFormat::Vhd | ImageFormat::VhdFixed => "vhd",
            ImageFormat::Raw => "raw",
        }
        .to_owned(),
        disk_id: image.disk_id().map(|id| id.to_string()),
        chain: image
            .chain()
            .iter()
            .map(|file| file.path.display().to_string())
            .collect(),
        device: image as Arc<dyn BlockDevice>,
        changes: DiskChanges::Everything(FullReason::NotTracked),
        check_unchanged: Box::new(move || checked.check_unchanged()),
    })
}

/// Returns the name for a flattened copy: the base's, with the extension that Hyper-V wants.
fn base_name(image: &DiskImage) -> String {
    let Some(base) = image.chain().last() else {
        return String::new();
    };
    let extension = match base.format {
        ImageFormat::Vhd | ImageFormat::VhdFixed => "vhd",
        ImageFormat::Vhdx | ImageFormat::VhdxFixed => "vhdx",
        // It comes back as what it was, under its own name.
        ImageFormat::Raw => {
            let name = base.path.file_name().unwrap_or_default();
            return name.to_string_lossy().into_owned();
        }
    };
    let name = Path::new(base.path.file_name().unwrap_or_default());
    if name
        .extension()
        .is_some_and(|found| found.eq_ignore_ascii_case(extension))
    {
        return name.to_string_lossy().into_owned();
    }
    format!(
        "{}.{extension}",
        name.file_stem().unwrap_or_default().to_string_lossy()
    )
}
