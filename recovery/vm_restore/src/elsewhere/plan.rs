//! What will be made.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use block_io::{BlockDevice, DiskError, DiskErrorKind};
use disk_image::ImageFormat;
use hyperv_host::Finding;
use libvirt_domain::{DiskFormat, Domain, DomainDisk};
use repository::{Repository, RestorePoint};
use serde::Serialize;
use vm_config::{DiskSlot, VmConfiguration};
use volume_map::{Content, volume_map};

use crate::error::Cause;
use crate::target_path::target_path;
use crate::vm_plan::NOTE_FILE;
use crate::{PointDisk, RestoreError, disk_count, open_disk};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElsewhereOrder {
    /// The format of all disks.
    pub format: ImageFormat,
    /// A libvirt domain is made as well.
    pub domain: Option<DomainOrder>,
}

/// What is asked of a libvirt domain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DomainOrder {
    /// Names of switches, and the libvirt network that each becomes.
    pub networks: Vec<(String, String)>,
    /// No adapter is connected.
    pub disconnected: bool,
    /// Each adapter gets a new MAC address.
    pub new_mac: bool,
    /// The guest has virtio's drivers, and is to use them.
    pub virtio: bool,
}

/// A disk that will be made.
#[derive(Clone, Serialize)]
pub struct PlannedImage {
    /// Where it goes.
    pub path: PathBuf,
    /// Its number in the point.
    pub number: u32,
    /// Where it was attached.
    pub slot: Option<DiskSlot>,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Its logical sector size in bytes.
    pub sector_bytes: u32,
}

/// The files that make a domain of the disks.
#[derive(Debug, Clone, Serialize)]
pub struct DomainFiles {
    /// For `virsh define`.
    pub xml: PathBuf,
    /// Starts QEMU alone.
    pub script: PathBuf,
    /// Says what to do with them.
    pub note: PathBuf,
    /// The firmware's variables, which the script makes.
    pub(super) vars_name: String,
    #[serde(skip)]
    pub(super) domain: Domain,
}

/// What a restore for another hypervisor will make. Nothing has been done yet.
#[derive(Clone, Serialize)]
pub struct ElsewherePlan {
    /// Id of the point.
    pub point: String,
    /// The VM's name.
    pub vm: String,
    /// The folder that everything goes to.
    pub folder: PathBuf,
    /// The format of the disks.
    pub format: ImageFormat,
    /// The disks, flat.
    pub disks: Vec<PlannedImage>,
    /// What makes a domain of them.
    pub domain: Option<DomainFiles>,
    /// What will not be as it was on Hyper-V, and what to do.
    pub findings: Vec<Finding>,
    #[serde(skip)]
    pub(super) repository: Repository,
    #[serde(skip)]
    pub(super) source: RestorePoint,
}

/// Plans to restore a VM's disks into `folder`, as it last had them, for another hypervisor.
///
/// A few pages of each disk are read, to tell whether its guest is Windows.
///
/// # Errors
///
/// `Exists` if any file of the plan is there already; `Unsupported` where a domain is asked for
/// and libvirt does not know the format, or the point has no configuration.
pub fn plan_elsewhere(
    repository: &Repository,
    point: &RestorePoint,
    folder: &Path,
    order: &ElsewhereOrder,
) -> Result<ElsewherePlan, RestoreError> {
    let failed = |cause: Cause| RestoreError::of_vm(&point.vm.name, folder, cause);
    let mut disks = Vec::new();
    let mut taken = HashSet::new();
    let mut windows = false;
    for number in 0..u32::try_from(disk_count(point)?).unwrap_or(u32::MAX) {
        let disk = open_disk(repository, point, number, None)?;
        windows |= order.domain.is_some() && has_windows(&*disk.device);
        let planned = planned_image(&disk, folder, order.format, &mut taken);
        disks.push(planned.map_err(|error| failed(error.into()))?);
    }
    let domain = order.domain.as_ref();
    let domain = domain
        .map(|domain| domain_files(point, folder, order.format, &disks, windows, domain))
        .transpose()
        .map_err(|error| failed(error.into()))?;
    let plan = ElsewherePlan {
        point: point.id.clone(),
        vm: point.vm.name.clone(),
        folder: folder.to_owned(),
        format: order.format,
        findings: domain
            .as_ref()
            .map_or_else(Vec::new, |files| files.domain.findings.clone()),
        disks,
        domain,
        repository: repository.clone(),
        source: point.clone(),
    };
    plan.refuse_what_exists()
        .map_err(|error| failed(error.into()))?;
    Ok(plan)
}

impl ElsewherePlan {
    /// Returns the files that will be made.
    pub fn files(&self) -> Vec<PathBuf> {
        let disks = self.disks.iter().map(|disk| disk.path.clone());
        let domain = self
            .domain
            .iter()
            .flat_map(|own| [&own.xml, &own.script, &own.note].map(PathBuf::clone));
        disks
            .chain(domain)
            .chain([self.folder.join(NOTE_FILE)])
            .collect()
    }

    fn refuse_what_exists(&self) -> Result<(), DiskError> {
        let there = |path: &PathBuf| path.symlink_metadata().is_ok();
        match self.files().into_iter().find(there) {
            None => Ok(()),
            Some(path) => Err(
                DiskError::new(DiskErrorKind::Exists, "this file exists already")
                    .in_file(&path.display().to_string())
                    .hint("choose an empty folder: a restore replaces nothing"),
            ),
        }
    }
}

/// Names a disk after the file that it was, or after its base.
fn planned_image(
    disk: &PointDisk,
    folder: &Path,
    format: ImageFormat,
    taken: &mut HashSet<String>,
) -> Result<PlannedImage, DiskError> {
    let base = disk.chain.last().map_or("disk", String::as_str);
    let file = base.rsplit('/').next().unwrap_or(base);
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let mut name = format!("{stem}.{}", format.family_name());
    // Two disks of one name in different folders: both go into one.
    while !taken.insert(name.to_lowercase()) {
        name = format!("{}-{name}", disk.number);
    }
    Ok(PlannedImage {
        path: target_path(folder, &name)?,
        number: disk.number,
        slot: disk.slot,
        size_bytes: disk.device.size_bytes(),
        sector_bytes: disk.device.sector_bytes(),
    })
}

/// Windows starts from NTFS, and nothing else does. What cannot be read is told by the restore.
fn has_windows(disk: &dyn BlockDevice) -> bool {
    volume_map(disk).is_ok_and(|map| {
        let mut volumes = map.partitions.iter();
        volumes.any(|volume| matches!(volume.content, Content::Ntfs | Content::BitLocker))
    })
}

fn domain_files(
    point: &RestorePoint,
    folder: &Path,
    format: ImageFormat,
    disks: &[PlannedImage],
    windows: bool,
    order: &DomainOrder,
) -> Result<DomainFiles, DiskError> {
    let format = disk_format(format)?;
    let configuration = configuration_of(point)?;
    let disks: Vec<DomainDisk> = disks
        .iter()
        .map(|disk| DomainDisk {
            slot: disk.slot,
            file_name: file_name(&disk.path),
            format,
            sector_bytes: disk.sector_bytes,
        })
        .collect();
    let absolute = std::path::absolute(folder).map_err(|error| {
        DiskError::io(
            &folder.display().to_string(),
            "cannot be made absolute",
            error,
        )
    })?;
    let domain = Domain::of(&libvirt_domain::DomainOrder {
        configuration: &configuration,
        disks: &disks,
        folder: &absolute.display().to_string(),
        networks: &order.networks,
        windows,
        disconnected: order.disconnected,
        new_mac: order.new_mac,
        virtio: order.virtio,
    });
    let stem = safe_stem(&point.vm.name);
    Ok(DomainFiles {
        xml: folder.join(format!("{stem}.xml")),
        script: folder.join(format!("{stem}.sh")),
        note: folder.join(format!("{stem}.txt")),
        vars_name: format!("{stem}_VARS.fd"),
        domain,
    })
}

fn disk_format(format: ImageFormat) -> Result<DiskFormat, DiskError> {
    match format {
        ImageFormat::Raw => Ok(DiskFormat::Raw),
        ImageFormat::Qcow2 => Ok(DiskFormat::Qcow2),
        ImageFormat::Vmdk => Ok(DiskFormat::Vmdk),
        ImageFormat::Vhd | ImageFormat::VhdFixed => Ok(DiskFormat::Vhd),
        ImageFormat::Vhdx | ImageFormat::VhdxFixed => Err(DiskError::new(
            DiskErrorKind::Unsupported,
            "libvirt knows no VHDX, and QEMU should not write to one for long",
        )
        .hint("choose --format qcow2 or raw")),
    }
}

fn configuration_of(point: &RestorePoint) -> Result<VmConfiguration, DiskError> {
    let Some(configuration) = &point.configuration else {
        return Err(DiskError::new(
            DiskErrorKind::Unsupported,
            "the point has no configuration of the VM, so no domain can be made of it",
        )
        .hint("leave out --libvirt, and make the VM around its disks by hand"));
    };
    serde_json::from_value(configuration.clone()).map_err(|error| {
        let what = format!("cannot read the configuration in point {}", point.id);
        DiskError::new(DiskErrorKind::Corrupt, what).caused_by(error)
    })
}

/// A VM may be called what no file is.
fn safe_stem(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    let stem: String = name
        .chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .take(60)
        .collect();
    let stem = stem.trim().trim_start_matches(['.', '-']).to_owned();
    // The same rules as for a disk, with the extension that it will have.
    match target_path(Path::new(""), &format!("{stem}.xml")) {
        Ok(_) if !stem.is_empty() => stem,
        _ => "vm".to_owned(),
    }
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_of_a_vm_gives_a_file_of_that_folder() {
        for (name, stem) in [
            ("SQL 01", "SQL 01"),
            ("a/b\\c:d", "a_b_c_d"),
            ("../..", "_.."),
            ("NUL", "vm"),
            ("  ", "vm"),
            ("$(reboot)'\n", "__reboot___"),
        ] {
            assert_eq!(safe_stem(name), stem, "{name:?}");
        }
    }
}
