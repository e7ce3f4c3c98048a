//! Making a child of an existing image.

use std::path::{Component, Path};

use block_io::{DiskError, DiskErrorKind};

use crate::bounds::Bounds;
use crate::chain::OpenedFile;
use crate::image_layer::ImageLayer;
use crate::new_content::new_vhdx;
use crate::new_image_file::NewImageFile;

/// What a new differencing disk is to be, besides its parent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DifferencingOptions {
    /// The size of the disk in bytes; that of the parent where `None`.
    pub size_bytes: Option<u64>,
    /// The parent's absolute path on the Windows host that is to use the chain; the parent's path
    /// on this machine where `None`.
    pub absolute_path: Option<String>,
}

/// Starts a differencing disk of the parent's format: what is written to it differs from the
/// parent, and the rest is the parent's.
///
/// Writes must lie on whole sectors. The child names its parent by a relative and an absolute
/// path. A raw image cannot be a parent (`Unsupported`).
pub fn create_differencing(
    path: &Path,
    parent_path: &Path,
    options: &DifferencingOptions,
) -> Result<NewImageFile, DiskError> {
    let name = path.display().to_string();
    let io_error = |error| DiskError::io(&name, "cannot find the folder of this file", error);
    let parent_folder = parent_path.parent().unwrap_or(Path::new(""));
    let parent = OpenedFile::open(parent_path, &Bounds::below(or_here(parent_folder))?)?;
    let folder = or_here(path.parent().unwrap_or(Path::new("")))
        .canonicalize()
        .map_err(io_error)?;
    let relative = windows_relative(&folder, &parent.path);
    let absolute = options
        .absolute_path
        .clone()
        .or_else(|| windows_absolute(&parent.path));
    match &parent.layer {
        ImageLayer::Vhdx(layer) => {
            let mut create = vhdx_format::CreateOptions::child_of(layer.info(), relative, absolute);
            create.size_bytes = options.size_bytes.unwrap_or(create.size_bytes);
            NewImageFile::start(path, |file| new_vhdx(file, &create))
        }
        ImageLayer::Vhd(layer) => {
            let link = vhd_format::ParentLink::to(layer.info(), relative, absolute);
            let create = vhd_format::CreateOptions::new(
                options.size_bytes.unwrap_or(layer.info().size_bytes),
                vhd_format::CreateKind::Differencing(link),
            );
            NewImageFile::start(path, |file| vhd_format::create(file, create))
        }
        ImageLayer::Raw(_) => Err(DiskError::new(
            DiskErrorKind::Unsupported,
            "a raw image cannot be a parent, expected a VHDX or VHD",
        )
        .in_file(&parent.name())),
    }
}

fn or_here(folder: &Path) -> &Path {
    if folder == Path::new("") {
        Path::new(".")
    } else {
        folder
    }
}

/// Returns the way from `folder` to `file` as a Windows path; `None` where there is none (another
/// drive) or a name is not Unicode.
fn windows_relative(folder: &Path, file: &Path) -> Option<String> {
    let from: Vec<Component<'_>> = folder.components().collect();
    let to: Vec<Component<'_>> = file.components().collect();
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    if common == 0 {
        return None;
    }
    let mut text = if common == from.len() {
        ".".to_owned()
    } else {
        vec![".."; from.len() - common].join("\\")
    };
    for component in to.get(common..)? {
        text.push('\\');
        text.push_str(component.as_os_str().to_str()?);
    }
    Some(text)
}

fn windows_absolute(file: &Path) -> Option<String> {
    let text = file.to_str()?.replace('/', "\\");
    // What `canonicalize` puts in front on Windows.
    Some(if let Some(share) = text.strip_prefix("\\\\?\\UNC\\") {
        format!("\\\\{share}")
    } else {
        text.strip_prefix("\\\\?\\").unwrap_or(&text).to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_go_up_and_down() {
        let relative = |from: &str, to: &str| windows_relative(Path::new(from), Path::new(to));
        assert_eq!(
            relative("/a/b", "/a/b/c.vhdx").as_deref(),
            Some(".\\c.vhdx")
        );
        assert_eq!(
            relative("/a/b/d", "/a/x/c.vhdx").as_deref(),
            Some("..\\..\\x\\c.vhdx")
        );
    }

    #[test]
    fn absolute_paths_lose_the_prefix_of_canonical_ones() {
        let absolute = |path: &str| windows_absolute(Path::new(path)).unwrap();
        assert_eq!(absolute("/vms/a.vhdx"), "\\vms\\a.vhdx");
        assert_eq!(absolute("\\\\?\\C:\\a.vhdx"), "C:\\a.vhdx");
        assert_eq!(absolute("\\\\?\\UNC\\s\\d\\a.vhdx"), "\\\\s\\d\\a.vhdx");
    }
}
