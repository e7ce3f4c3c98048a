//! One opened file of a chain, whatever its format.

use std::path::Path;
use std::sync::Arc;

use block_io::{DiskError, DiskErrorKind, DiskLayer, ImageFile};
use uuid::Uuid;
use vhd_format::{LocatorKind, VhdKind, VhdLayer};
use vhdx_format::VhdxLayer;

use crate::image_format::{Family, ImageFormat, detect};
use crate::raw_layer::RawLayer;
use crate::windows_path::WindowsPath;

/// One opened file of a chain.
#[derive(Clone)]
pub(crate) enum ImageLayer {
    Vhdx(Arc<VhdxLayer>),
    Vhd(Arc<VhdLayer>),
    Raw(Arc<RawLayer>),
}

/// Where a file says that its parent is, in the order in which the places are tried.
#[derive(Debug, Default)]
pub(crate) struct ParentClaim {
    pub(crate) paths: Vec<WindowsPath>,
}

impl ImageLayer {
    /// Opens the file as what its content says it is.
    pub(crate) fn open(file: Arc<dyn ImageFile>, path: &Path) -> Result<Self, DiskError> {
        Ok(match detect(&*file, path)? {
            Family::Vhdx => Self::Vhdx(Arc::new(VhdxLayer::open(file)?)),
            Family::Vhd => Self::Vhd(Arc::new(VhdLayer::open(file)?)),
            Family::Raw => Self::Raw(Arc::new(open_raw(file)?)),
        })
    }

    pub(crate) fn as_layer(&self) -> Arc<dyn DiskLayer> {
        match self {
            Self::Vhdx(layer) => Arc::<VhdxLayer>::clone(layer),
            Self::Vhd(layer) => Arc::<VhdLayer>::clone(layer),
            Self::Raw(layer) => Arc::<RawLayer>::clone(layer),
        }
    }

    pub(crate) fn format(&self) -> ImageFormat {
        match self {
            Self::Vhdx(layer) if layer.info().fixed => ImageFormat::VhdxFixed,
            Self::Vhdx(_) => ImageFormat::Vhdx,
            Self::Vhd(layer) if layer.info().kind == VhdKind::Fixed => ImageFormat::VhdFixed,
            Self::Vhd(_) => ImageFormat::Vhd,
            Self::Raw(_) => ImageFormat::Raw,
        }
    }

    pub(crate) fn block_bytes(&self) -> Option<u32> {
        match self {
            Self::Vhdx(layer) => Some(layer.info().block_bytes),
            Self::Vhd(layer) => layer.info().block_bytes,
            Self::Raw(_) => None,
        }
    }

    pub(crate) fn creator(&self) -> Option<String> {
        match self {
            Self::Vhdx(layer) => Some(layer.info().creator.clone()),
            Self::Vhd(layer) => Some(layer.info().creator.trim_end().to_owned()),
            Self::Raw(_) => None,
        }
    }

    pub(crate) fn log_replayed(&self) -> bool {
        matches!(self, Self::Vhdx(layer) if layer.info().log_replayed)
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        match self {
            Self::Vhdx(layer) if layer.info().log_replayed => {
                vec!["the file was not closed cleanly; its log was replayed in memory".to_owned()]
            }
            Self::Vhd(layer) => layer.info().notes.clone(),
            Self::Vhdx(_) | Self::Raw(_) => Vec::new(),
        }
    }

    /// Returns the identity that all files of a VHDX chain share.
    pub(crate) fn disk_id(&self) -> Option<Uuid> {
        match self {
            Self::Vhdx(layer) => Some(layer.info().disk_id),
            Self::Vhd(layer) => Some(layer.info().unique_id),
            Self::Raw(_) => None,
        }
    }

    /// Returns what a child of this file stores to know it by.
    pub(crate) fn link_id(&self) -> Option<Uuid> {
        match self {
            Self::Vhdx(layer) => Some(layer.info().data_write_guid),
            Self::Vhd(layer) => Some(layer.info().unique_id),
            Self::Raw(_) => None,
        }
    }

    /// Returns what this file stores to know its parent by; `None`: it needs no parent.
    pub(crate) fn parent_ids(&self) -> Option<Vec<Uuid>> {
        match self {
            Self::Vhdx(layer) if layer.info().has_parent => {
                let locator = layer.parent_locator();
                Some(
                    locator
                        .into_iter()
                        .flat_map(|locator| [Some(locator.linkage), locator.linkage2])
                        .flatten()
                        .collect(),
                )
            }
            Self::Vhd(layer) => layer.info().parent_unique_id.map(|id| vec![id]),
            Self::Vhdx(_) | Self::Raw(_) => None,
        }
    }

    /// Returns where this file says that its parent is.
    pub(crate) fn parent_claim(&self) -> ParentClaim {
        let texts: Vec<String> = match self {
            Self::Vhdx(layer) => layer
                .parent_locator()
                .into_iter()
                .flat_map(|locator| {
                    [
                        locator.relative_path.clone(),
                        locator.absolute_win32_path.clone(),
                        locator.volume_path.clone(),
                    ]
                })
                .flatten()
                .collect(),
            Self::Vhd(layer) => vhd_paths(layer),
            Self::Raw(_) => Vec::new(),
        };
        ParentClaim {
            paths: texts
                .iter()
                .filter(|text| !text.is_empty())
                .map(|text| WindowsPath::parse(text))
                .collect(),
        }
    }

    /// Returns whether `parent` is the parent of this file, by the format's own linkage.
    pub(crate) fn accepts(&self, parent: &Self) -> bool {
        match (self, parent) {
            (Self::Vhdx(child), Self::Vhdx(parent)) => child
                .parent_locator()
                .is_some_and(|locator| locator.accepts(parent.info())),
            (Self::Vhd(child), Self::Vhd(parent)) => child.accepts(parent.info()),
            _ => false,
        }
    }
}

fn vhd_paths(layer: &VhdLayer) -> Vec<String> {
    let of_kind = |kind: LocatorKind| {
        layer
            .parent_locators()
            .iter()
            .filter(move |locator| locator.kind == kind)
            .map(|locator| locator.path.clone())
    };
    of_kind(LocatorKind::Relative)
        .chain(of_kind(LocatorKind::Absolute))
        .chain(
            // A Mac's URL: its components are all that is used of it.
            of_kind(LocatorKind::Url)
                .map(|url| url.trim_start_matches("file://localhost").to_owned()),
        )
        .chain(layer.info().parent_name.clone())
        .collect()
}

/// There is no disk of no bytes, although there are such files.
fn open_raw(file: Arc<dyn ImageFile>) -> Result<RawLayer, DiskError> {
    let name = file.name().to_owned();
    let layer = RawLayer::open(file)?;
    if layer.size_bytes() == 0 {
        return Err(DiskError::new(DiskErrorKind::Corrupt, "this file is empty").in_file(&name));
    }
    Ok(layer)
}
