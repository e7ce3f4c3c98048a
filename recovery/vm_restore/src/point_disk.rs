//! The one way from a restore point to a disk.

use std::sync::Arc;

use block_io::{BlockDevice, ImageFile};
use disk_image::{ImageFormat, open_files};
use repository::{Repository, RestorePoint, Stream};
use uuid::Uuid;
use vm_config::DiskSlot;

use crate::RestoreError;
use crate::checkpoint_tree::{chain_of, checkpoint_tree, disks_of};
use crate::repository_image::RepositoryImage;

/// A disk of a restore point, open for reading.
pub struct PointDisk {
    /// Id of the point.
    pub point: String,
    /// Position among the disks, from 0.
    pub number: u32,
    /// Where it was attached.
    pub slot: Option<DiskSlot>,
    /// The files that it is made of, leaf first; a disk that was flattened when it was stored is
    /// one.
    pub chain: Vec<String>,
    /// The format that it had.
    pub format: ImageFormat,
    /// The virtual disk's own id.
    pub disk_id: Option<Uuid>,
    /// The disk as the guest saw it.
    pub device: Arc<dyn BlockDevice>,
}

/// Opens disk `number` of a point, as it was when the point was made or, where the point holds
/// all checkpoints, as it was at the checkpoint that `checkpoint` names: by its name, its id, or
/// the beginning of that. Checkpoints are flattened while they are read; no path of this machine is
/// asked for a parent.
///
/// # Errors
///
/// `NoSuchDisk`, `Checkpoint`; `Failed`, whose cause says what of the repository or of an image
/// cannot be read.
pub fn open_disk(
    repository: &Repository,
    point: &RestorePoint,
    number: u32,
    checkpoint: Option<&str>,
) -> Result<PointDisk, RestoreError> {
    match (checkpoint_tree(point)?, checkpoint) {
        (Some(tree), checkpoint) => {
            let disks = disks_of(&tree, checkpoint)?;
            let disk = usize::try_from(number).ok().and_then(|at| disks.get(at));
            let disk = disk.ok_or(RestoreError::NoSuchDisk {
                number,
                disks: disks.len(),
            })?;
            open_chain(repository, point, number, disk.slot, &disk.image)
        }
        (None, None) => open_flat(repository, point, number),
        (None, Some(_)) => Err(no_checkpoints()),
    }
}

/// Says that a point has no checkpoint that could be asked for.
pub(crate) fn no_checkpoints() -> RestoreError {
    RestoreError::Checkpoint {
        what: "the restore point holds the latest state alone, and no checkpoints; mode \
               all-checkpoints keeps them"
            .to_owned(),
    }
}

/// Returns how many disks [`open_disk`] knows of a point.
///
/// # Errors
///
/// `Failed`, where the point's checkpoint tree cannot be understood.
pub fn disk_count(point: &RestorePoint) -> Result<usize, RestoreError> {
    let tree = checkpoint_tree(point)?;
    Ok(tree.map_or_else(|| point.disks().count(), |tree| tree.active.len()))
}

fn open_flat(
    repository: &Repository,
    point: &RestorePoint,
    number: u32,
) -> Result<PointDisk, RestoreError> {
    let disks = point.disks().count();
    let stream = point
        .disks()
        .find(|disk| disk.number == number)
        .ok_or(RestoreError::NoSuchDisk { number, disks })?;
    let device = repository.open_stream(stream).map_err(|error| {
        let what = format!("cannot read disk {number} of point {}", point.id);
        RestoreError::new(what, error.into())
    })?;
    Ok(PointDisk {
        point: point.id.clone(),
        number,
        slot: slot_of(stream),
        chain: vec![stream.name.clone()],
        format: format_of(stream),
        disk_id: disk_id_of(stream),
        device: Arc::new(device),
    })
}

/// Stacks an image of the point on its parents.
pub(crate) fn open_chain(
    repository: &Repository,
    point: &RestorePoint,
    number: u32,
    slot: Option<DiskSlot>,
    leaf: &str,
) -> Result<PointDisk, RestoreError> {
    let chain = chain_of(point, leaf)?;
    let failed = |cause| {
        let what = format!("cannot read the disk {leaf} of point {}", point.id);
        RestoreError::new(what, cause)
    };
    let files = chain
        .iter()
        .map(|stream| {
            let image = RepositoryImage::open(repository, stream)?;
            Ok(Arc::new(image) as Arc<dyn ImageFile>)
        })
        .collect::<Result<Vec<_>, repository::RepositoryError>>()
        .map_err(|error| failed(error.into()))?;
    let image = open_files(files).map_err(|error| failed(error.into()))?;
    Ok(PointDisk {
        point: point.id.clone(),
        number,
        slot,
        chain: chain.iter().map(|stream| stream.name.clone()).collect(),
        format: image.format(),
        disk_id: image.disk_id(),
        device: Arc::new(image),
    })
}

/// Opens every disk of a point's checkpoint tree, and says what cannot be opened. What is read for
/// it is little: where the images have their blocks.
///
/// That the bytes are as they were stored is for [`Repository::verify_point`] to say.
pub fn check_tree(repository: &Repository, point: &RestorePoint) -> Vec<RestoreError> {
    let tree = match checkpoint_tree(point) {
        Ok(Some(tree)) => tree,
        Ok(None) => return Vec::new(),
        Err(error) => return vec![error],
    };
    let nodes = tree.checkpoints.iter().map(|node| node.disks.as_slice());
    let states = nodes.chain([tree.active.as_slice()]);
    states
        .flat_map(|disks| (0..).zip(disks))
        .filter_map(|(number, disk)| {
            open_chain(repository, point, number, disk.slot, &disk.image).err()
        })
        .collect()
}

pub(crate) fn slot_of(stream: &Stream) -> Option<DiskSlot> {
    let slot = stream.slot.clone();
    slot.and_then(|slot| serde_json::from_value(slot).ok())
}

pub(crate) fn format_of(stream: &Stream) -> ImageFormat {
    match stream.format.as_deref() {
        Some("vhd") => ImageFormat::Vhd,
        Some("raw") => ImageFormat::Raw,
        _ => ImageFormat::Vhdx,
    }
}

pub(crate) fn disk_id_of(stream: &Stream) -> Option<Uuid> {
    let id = stream.disk_id.as_deref();
    id.and_then(|id| Uuid::parse_str(id).ok())
}
