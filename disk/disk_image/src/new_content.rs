//! Which writer fills a new file.

use std::path::Path;
use std::sync::Arc;

use block_io::{DiskError, NewImage, WritableFile};

use crate::image_format::ImageFormat;
use crate::new_image_file::NewImageOptions;
use crate::new_raw::NewRaw;

/// Starts the writer of the format in an empty file, which will be called `path`.
pub(crate) fn new_content(
    file: Arc<dyn WritableFile>,
    path: &Path,
    options: &NewImageOptions,
) -> Result<Box<dyn NewImage>, DiskError> {
    let vhd = |kind| vhd_format::CreateOptions::new(options.size_bytes, kind);
    let vhdx = |kind| vhdx_format::CreateOptions {
        sector_bytes: options.sector_bytes,
        physical_sector_bytes: options.physical_sector_bytes,
        disk_id: options.disk_id,
        ..vhdx_format::CreateOptions::new(options.size_bytes, kind)
    };
    match options.format {
        ImageFormat::Raw => Ok(Box::new(NewRaw::create(file, options.size_bytes)?)),
        ImageFormat::Vhd => vhd_format::create(file, vhd(vhd_format::CreateKind::Dynamic)),
        ImageFormat::VhdFixed => vhd_format::create(file, vhd(vhd_format::CreateKind::Fixed)),
        ImageFormat::Vhdx => new_vhdx(file, &vhdx(vhdx_format::CreateKind::Dynamic)),
        ImageFormat::VhdxFixed => new_vhdx(file, &vhdx(vhdx_format::CreateKind::Fixed)),
        ImageFormat::Qcow2 => qcow2_format::create(file, options.size_bytes),
        ImageFormat::Vmdk => {
            let name = path.file_name().unwrap_or_default();
            let options = vmdk_format::CreateOptions {
                size_bytes: options.size_bytes,
                file_name: name.to_string_lossy().into_owned(),
                adapter: vmdk_format::Adapter::Ide,
            };
            vmdk_format::create(file, &options)
        }
    }
}

/// Starts a VHDX in an empty file.
pub(crate) fn new_vhdx(
    file: Arc<dyn WritableFile>,
    options: &vhdx_format::CreateOptions,
) -> Result<Box<dyn NewImage>, DiskError> {
    Ok(Box::new(vhdx_format::create(file, options)?))
}
