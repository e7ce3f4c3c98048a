//! An opened image as a disk to be read.

use std::path::Path;
use std::sync::Arc;

use disk_image::{DiskImage, ImageFormat};
use vm_config::DiskSlot;

use crate::{DiskChanges, DiskSource};

impl DiskSource {
    /// Makes the source of an opened image. `configured_path` is the leaf as the configuration
    /// names it.
    pub fn of_image(
        number: u32,
        slot: Option<DiskSlot>,
        configured_path: String,
        image: DiskImage,
        changes: DiskChanges,
    ) -> Self {
        let image = Arc::new(image);
        let checked = Arc::clone(&image);
        Self {
            number,
            slot,
            configured_path,
            base_name: base_name(&image),
            format: image.format().family_name().to_owned(),
            disk_id: image.disk_id().map(|id| id.to_string()),
            chain: image
                .chain()
                .iter()
                .map(|file| file.path.display().to_string())
                .collect(),
            device: image,
            changes,
            check_unchanged: Box::new(move || checked.check_unchanged()),
        }
    }
}

/// Returns the name for a flattened copy: the base's, with the extension that Hyper-V wants.
fn base_name(image: &DiskImage) -> String {
    let Some(base) = image.chain().last() else {
        return String::new();
    };
    if base.format == ImageFormat::Raw {
        // It comes back as what it was, under its own name.
        let name = base.path.file_name().unwrap_or_default();
        return name.to_string_lossy().into_owned();
    }
    let extension = base.format.family_name();
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
