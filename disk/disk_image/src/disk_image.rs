//! An opened image with all its parents.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use block_io::{BlockDevice, DiskError, DiskErrorKind, Extent, ImageFile, LayeredDisk};
use uuid::Uuid;

use crate::bounds::Bounds;
use crate::chain::{Chain, OpenedFile};
use crate::description::{ChainFile, Description};
use crate::host_paths::HostPaths;
use crate::image_format::ImageFormat;

/// How an image is opened.
///
/// The default: the image and all its parents lie in the image's own folder, or below it.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    within: Within,
}

#[derive(Debug, Clone, Default)]
enum Within {
    #[default]
    OwnFolder,
    Folder(PathBuf),
    Host(Arc<dyn HostPaths>),
}

impl OpenOptions {
    /// Opens only what lies below `root`. Absolute paths of parents are those of another machine:
    /// the file with the longest equal tail is looked for.
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self {
            within: Within::Folder(root.into()),
        }
    }

    /// Opens what lies in the folders of a host, where the host has it. Absolute paths of parents
    /// are the host's own and are located through it; relative ones are seen from the child.
    pub fn on_host(host: Arc<dyn HostPaths>) -> Self {
        Self {
            within: Within::Host(host),
        }
    }

    pub(crate) fn bounds_of(&self, image: &Path) -> Result<Bounds, DiskError> {
        match &self.within {
            Within::Folder(root) => Bounds::below(root),
            Within::Host(host) => Bounds::on_host(Arc::clone(host)),
            Within::OwnFolder => {
                let folder = image.parent().filter(|folder| *folder != Path::new(""));
                Bounds::below(folder.unwrap_or(Path::new(".")))
            }
        }
    }
}

/// An opened image with all its parents: a whole disk, which is only ever read.
pub struct DiskImage {
    device: LayeredDisk,
    files: Vec<OpenedFile>,
    chain: Vec<ChainFile>,
}

/// Opens an image and all its parents.
///
/// The format is told by content. Parents are looked for at every place that the file names and
/// beside it, inside the bounds, and known by their linkage.
///
/// Errors: `NotFound`, `Denied`, `InUse`, `Corrupt`, `Unsupported`; of the chain `ParentMissing`,
/// `ParentMismatch`, `ParentLoop`, `Ambiguous`, `OutsideRoot`.
pub fn open(path: &Path, options: &OpenOptions) -> Result<DiskImage, DiskError> {
    let bounds = options.bounds_of(path)?;
    DiskImage::stacked(Chain::open(path, &bounds)?.whole()?)
}

/// Resolves all links of a path that `host` located, for what is opened beside images.
///
/// Errors: `OutsideRoot` where it lies in none of the host's folders, `NotFound` and the like where
/// it is not there.
pub fn contained(host: &Arc<dyn HostPaths>, path: &Path) -> Result<PathBuf, DiskError> {
    Bounds::on_host(Arc::clone(host))?.contain(path)
}

/// Stacks files that are known to be a chain, leaf first, wherever their bytes come from. The
/// formats are told by content and by the files' names.
///
/// The paths that the files name for their parents are not asked, their linkage is. Errors:
/// `Corrupt`, `Unsupported`; `ParentMismatch`, `ParentMissing` where the last file is no base,
/// `ParentLoop` where there are too many.
pub fn open_files(files: Vec<Arc<dyn ImageFile>>) -> Result<DiskImage, DiskError> {
    DiskImage::stacked(Chain::of_files(files)?)
}

impl DiskImage {
    fn stacked(files: Vec<OpenedFile>) -> Result<Self, DiskError> {
        let layers = files.iter().map(|file| file.layer.as_layer()).collect();
        let device = LayeredDisk::new(layers).map_err(|error| {
            error.in_file(&files.first().map(OpenedFile::name).unwrap_or_default())
        })?;
        let chain = files
            .iter()
            .map(ChainFile::of)
            .collect::<Result<_, DiskError>>()?;
        Ok(Self {
            device,
            files,
            chain,
        })
    }

    /// Returns the opened files, leaf first: their bytes as they lie.
    pub fn files(&self) -> impl Iterator<Item = Arc<dyn ImageFile>> {
        self.files.iter().map(|file| Arc::clone(&file.file))
    }

    /// Returns what is known of the files, leaf first.
    pub fn chain(&self) -> &[ChainFile] {
        &self.chain
    }

    /// Returns the format of the leaf.
    pub fn format(&self) -> ImageFormat {
        self.files[0].layer.format()
    }

    /// Returns the identity of the virtual disk, which stays when checkpoints come and go: the
    /// page 83 id of a VHDX chain, the unique id of a VHD chain's base. A raw image has none.
    pub fn disk_id(&self) -> Option<Uuid> {
        match self.format() {
            ImageFormat::Vhdx | ImageFormat::VhdxFixed => self.files.first(),
            _ => self.files.last(),
        }
        .and_then(|file| file.layer.disk_id())
    }

    /// Returns what the leaf names its content by: a VHDX's data write GUID, which is another one
    /// after each change, or a VHD's unique id, which is not. A raw image has none.
    pub fn content_id(&self) -> Option<Uuid> {
        self.files[0].layer.link_id()
    }

    /// Returns whether a file of the chain was not closed cleanly, so that its log was replayed in
    /// memory.
    pub fn log_replayed(&self) -> bool {
        self.files.iter().any(|file| file.layer.log_replayed())
    }

    /// Fails with `Changed`, and the file's name, where a file of the chain is not as it was when
    /// it was opened: another length, another time of the last write, or another file in its place.
    pub fn check_unchanged(&self) -> Result<(), DiskError> {
        for file in &self.files {
            let Some(before) = file.stamp else { continue };
            let now = file.file.stamp().map_err(|error| {
                DiskError::io(&file.name(), "cannot read the file's times", error)
            })?;
            let Some(now) = now else { continue };
            let what = if now.replaced {
                "another file stands in its place".to_owned()
            } else if now.size_bytes != before.size_bytes {
                format!(
                    "it has {} bytes and had {}",
                    now.size_bytes, before.size_bytes
                )
            } else if now.modified != before.modified {
                "it was written to".to_owned()
            } else {
                continue;
            };
            return Err(DiskError::new(
                DiskErrorKind::Changed,
                format!("the file changed while it was read: {what}"),
            )
            .in_file(&file.name())
            .hint("shut the virtual machine down, or back up a checkpoint of it, and try again"));
        }
        Ok(())
    }

    /// Returns everything that is known of the image, ready to be serialised.
    pub fn describe(&self) -> Description {
        Description {
            size_bytes: self.size_bytes(),
            sector_bytes: self.sector_bytes(),
            physical_sector_bytes: self.physical_sector_bytes(),
            format: self.format(),
            disk_id: self.disk_id(),
            content_id: self.content_id(),
            log_replayed: self.log_replayed(),
            chain: self.chain.clone(),
        }
    }
}

impl BlockDevice for DiskImage {
    fn size_bytes(&self) -> u64 {
        self.device.size_bytes()
    }

    fn sector_bytes(&self) -> u32 {
        self.device.sector_bytes()
    }

    fn physical_sector_bytes(&self) -> u32 {
        self.device.physical_sector_bytes()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        self.device.read_at(offset, buf)
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        self.device.extent_at(offset, max_bytes)
    }
}
