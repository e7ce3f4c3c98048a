//! `Msvm_ImageManagementService` (contract 1.6, 2.3).

use std::fs;
use std::sync::Arc;

use disk_image::{DriveMap, ImageFormat, OpenOptions};
use uuid::Uuid;
use wmi::{CimType, EmbeddedInstance, Instance};

use super::super::view::HostView;
use super::Outcome;
use super::parameters::Parameters;
use crate::guid::guid_text;
use crate::host_state::HostState;
use crate::{SimError, SimErrorKind};

/// `GetVirtualDiskChanges`: what changed since `LimitId`, up to the state of the file at `Path`.
/// `processed_bytes` is the most that is looked at in one call.
pub(crate) fn changes(
    state: &HostState,
    parameters: &Parameters<'_>,
    processed_bytes: Option<u64>,
) -> Result<Outcome, SimError> {
    let path = parameters.required_text("Path")?;
    let limit = parameters.required_text("LimitId")?;
    if parameters.text("TargetSnapshotId").is_some() {
        return Err(SimError::new(
            SimErrorKind::NotSupported,
            "TargetSnapshotId belongs to VHD sets, which are not simulated",
        ));
    }
    let offset: u64 = parameters.required_number("ByteOffset")?;
    let length: u64 = parameters.required_number("ByteLength")?;
    let length = length.min(processed_bytes.unwrap_or(u64::MAX));
    let changes = state.changes(&path, &limit, offset, length)?;
    let offsets: Vec<u64> = changes.ranges.iter().map(|range| range.start).collect();
    let lengths: Vec<u64> = (changes.ranges.iter())
        .map(|range| range.end - range.start)
        .collect();
    Ok(Outcome::Done(
        Instance::new("__PARAMETERS")
            .with("ProcessedByteLength", changes.processed_bytes)
            .with("ChangedByteOffsets", offsets)
            .with("ChangedByteLengths", lengths),
    ))
}

/// `GetVirtualHardDiskSettingData`
pub(crate) fn setting_data(
    state: &HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let path = parameters.required_text("Path")?;
    let file = existing_file(state, &path)?;
    let mut drives = DriveMap::new();
    for (prefix, folder) in crate::drive::drives(state.dir())? {
        drives = drives.with(&prefix, &folder)?;
    }
    let image = disk_image::open(&file, &OpenOptions::on_host(Arc::new(drives)))?;
    let description = image.describe();
    let leaf = description.chain.first();
    let has_parent = leaf.is_some_and(|leaf| leaf.has_parent);
    let (disk_type, format) = match description.format {
        ImageFormat::Raw | ImageFormat::Qcow2 | ImageFormat::Vmdk => {
            let what = format!("{path} is not a virtual hard disk");
            return Err(SimError::new(SimErrorKind::InvalidParameter, what));
        }
        ImageFormat::Vhdx => (3_u16, 3_u16),
        ImageFormat::VhdxFixed => (2, 3),
        ImageFormat::Vhd => (3, 2),
        ImageFormat::VhdFixed => (2, 2),
    };
    let disk_id = description.disk_id.map(guid_text).unwrap_or_default();
    let mut data = EmbeddedInstance::new("Msvm_VirtualHardDiskSettingData")
        .with("Caption", CimType::String, "Virtual Hard Disk Setting Data")
        .with("Path", CimType::String, path.as_str())
        .with(
            "Type",
            CimType::Uint16,
            if has_parent { 4 } else { disk_type },
        )
        .with("Format", CimType::Uint16, format)
        .with("MaxInternalSize", CimType::Uint64, description.size_bytes)
        .with(
            "LogicalSectorSize",
            CimType::Uint32,
            description.sector_bytes,
        )
        .with(
            "PhysicalSectorSize",
            CimType::Uint32,
            description.physical_sector_bytes,
        )
        .with("VirtualDiskId", CimType::String, disk_id);
    if let Some(block_bytes) = leaf.and_then(|leaf| leaf.block_bytes) {
        data = data.with("BlockSize", CimType::Uint32, block_bytes);
    }
    if has_parent {
        data = data.with(
            "ParentPath",
            CimType::String,
            parent_path(state, &path, leaf),
        );
        if let Some(id) = description.chain.get(1).and_then(|parent| parent.link_id) {
            data = data.with("ParentIdentifier", CimType::String, guid_text(id));
        }
    }
    Ok(Outcome::Done(
        Instance::new("__PARAMETERS").with("SettingData", data.to_xml()),
    ))
}

/// Returns the parent of a file as the VM that has it knows it, or else as the file itself says.
fn parent_path(state: &HostState, path: &str, leaf: Option<&disk_image::ChainFile>) -> String {
    let known = state.vms.values().flat_map(|vm| &vm.files);
    let mut known = known.filter(|(own, _)| own.eq_ignore_ascii_case(path));
    let known = known.find_map(|(_, file)| file.parent.clone().or(file.foreign_parent.clone()));
    let said = || leaf.and_then(|leaf| leaf.parent_paths.last().cloned());
    known.or_else(said).unwrap_or_default()
}

/// `GetVirtualHardDiskState`
pub(crate) fn disk_state(
    state: &HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let path = parameters.required_text("Path")?;
    let file = existing_file(state, &path)?;
    let length = fs::metadata(&file).map_err(|error| SimError::io(&path, error))?;
    let data = EmbeddedInstance::new("Msvm_VirtualHardDiskState")
        .with("FileSize", CimType::Uint64, length.len())
        .with(
            "InUse",
            CimType::Boolean,
            is_in_use(HostView::new(state), &path),
        )
        .with("FragmentationPercentage", CimType::Uint32, 0_u32);
    Ok(Outcome::Done(
        Instance::new("__PARAMETERS").with("State", data.to_xml()),
    ))
}

/// `AttachVirtualHardDisk`: attaches an image to the host itself.
pub(crate) fn attach(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let path = parameters.required_text("Path")?;
    existing_file(state, &path)?;
    let read_only = parameters.value("ReadOnly").to_bool().unwrap_or(false);
    state.mount_image(&path, read_only)?;
    Ok(Outcome::Done(Instance::new("__PARAMETERS")))
}

/// `FindMountedStorageImageInstance`; 32789: it is not attached.
pub(crate) fn find_mounted(
    state: &HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let path = parameters.required_text("SelectionCriterion")?;
    let mut mounted = state.facts.mounted.iter();
    let Some(image) = mounted.find(|image| image.path.eq_ignore_ascii_case(&path)) else {
        return Ok(Outcome::Refused(32789));
    };
    let class = "Msvm_MountedStorageImage";
    let path = HostView::new(state).instance_path(class, &guid_text(image.id));
    Ok(Outcome::Done(
        Instance::new("__PARAMETERS").with("Image", path),
    ))
}

/// `DetachVirtualHardDisk`
pub(crate) fn detach(state: &mut HostState, id: Uuid) -> Result<Outcome, SimError> {
    state.unmount_image(id)?;
    Ok(Outcome::Done(Instance::new("__PARAMETERS")))
}

/// Returns whether a VM that is not off has the file in one of its chains, or the host itself.
fn is_in_use(view: HostView<'_>, path: &str) -> bool {
    let mut mounted = view.state.facts.mounted.iter();
    if mounted.any(|image| image.path.eq_ignore_ascii_case(path)) {
        return true;
    }
    let mut running = view.state.vms.values().filter(|vm| vm.power.has_memory());
    running.any(|vm| vm.files.keys().any(|own| own.eq_ignore_ascii_case(path)))
}

/// Returns where a file of the host lies. 32779: it does not exist.
fn existing_file(state: &HostState, path: &str) -> Result<std::path::PathBuf, SimError> {
    let file = state.local_path(path)?;
    if file.is_file() {
        return Ok(file);
    }
    let what = format!("there is no file {path}");
    Err(SimError::new(SimErrorKind::NotFound, what))
}
