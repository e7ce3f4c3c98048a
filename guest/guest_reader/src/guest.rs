//! A guest's volumes, wherever they are read.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use block_io::BlockDevice;
use guest_files::{FileError, FileErrorKind, GuestFileSystem, OpenOptions, open_file_system};
use guest_system::{MountPoint, drive_letters, mount_points};
use serde::{Deserialize, Serialize};
use volume_map::{
    Content, GuestVolume, GuestVolumes, Obstacle, Origin, Role, WindowsId, guest_volumes,
};

/// What is known of a volume without opening it: all of a [`GuestVolume`] but its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeFacts {
    /// Its name in paths; no other volume of the guest has it.
    pub name: String,
    /// Where it comes from.
    pub origin: Origin,
    /// What Windows' registry refers to it by, where it can.
    pub windows_id: Option<WindowsId>,
    /// What the table says that it is for.
    pub role: Role,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// What its first bytes say that it is.
    pub content: Content,
    /// Its label; empty where it has none, or only its reader can tell.
    pub label: String,
    /// The file system's id as Linux writes it; empty where it has none.
    pub uuid: String,
    /// What is made of it; then it has no files of its own.
    pub used_by: Vec<String>,
    /// Why its files cannot be had.
    pub obstacle: Option<Obstacle>,
}

impl VolumeFacts {
    fn of(volume: &GuestVolume) -> Self {
        Self {
            name: volume.name.clone(),
            origin: volume.origin.clone(),
            windows_id: volume.windows_id,
            role: volume.role,
            size_bytes: volume.size_bytes,
            content: volume.content,
            label: volume.label.clone(),
            uuid: volume.uuid.clone(),
            used_by: volume.used_by.clone(),
            obstacle: volume.obstacle.clone(),
        }
    }
}

/// What was found on a guest's disks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DisksFacts {
    /// The volumes.
    pub volumes: Vec<VolumeFacts>,
    /// What a person should know of each disk, in the order of the disks.
    pub notes: Vec<Vec<String>>,
}

/// What the system on a volume says of the guest's volumes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SystemFacts {
    /// The drive letters of the Windows on it; `None` where there is none.
    pub letters: Option<BTreeMap<char, WindowsId>>,
    /// What the Linux on it mounts where; `None` where there is no `fstab`.
    pub mount_points: Option<Vec<MountPoint>>,
}

/// A guest's volumes.
pub trait Guest: Send + Sync {
    /// Says what there is.
    fn facts(&self) -> &DisksFacts;

    /// Opens the file system of volume `number` of the list, or returns it where it is open.
    ///
    /// # Errors
    ///
    /// `NotFound`, and those of [`open_file_system`].
    fn open(&self, number: u32) -> Result<&dyn GuestFileSystem, FileError>;

    /// Asks the system on volume `number`, if there is one, for its word on the volumes.
    ///
    /// # Errors
    ///
    /// Those of [`Guest::open`], and what is wrong with the system's own files.
    fn system(&self, number: u32) -> Result<SystemFacts, FileError>;
}

/// A guest that is read in this process.
pub struct LocalGuest {
    facts: DisksFacts,
    volumes: GuestVolumes,
    systems: Vec<OnceLock<Box<dyn GuestFileSystem>>>,
}

impl LocalGuest {
    /// Looks for the volumes of all disks.
    pub fn open(disks: &[Arc<dyn BlockDevice>]) -> Self {
        let volumes = guest_volumes(disks);
        Self {
            facts: DisksFacts {
                volumes: volumes.volumes.iter().map(VolumeFacts::of).collect(),
                notes: volumes
                    .disks
                    .iter()
                    .map(|disk| disk.notes.clone())
                    .collect(),
            },
            systems: volumes.volumes.iter().map(|_| OnceLock::new()).collect(),
            volumes,
        }
    }
}

impl Guest for LocalGuest {
    fn facts(&self) -> &DisksFacts {
        &self.facts
    }

    fn open(&self, number: u32) -> Result<&dyn GuestFileSystem, FileError> {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        let (Some(volume), Some(place)) = (self.volumes.volumes.get(at), self.systems.get(at))
        else {
            let what = format!("there is no volume {number}");
            return Err(FileError::new(FileErrorKind::NotFound, what));
        };
        if let Some(open) = place.get() {
            return Ok(&**open);
        }
        let system = open_volume(volume)?;
        Ok(&**place.get_or_init(|| system))
    }

    fn system(&self, number: u32) -> Result<SystemFacts, FileError> {
        let system = self.open(number)?;
        let is_windows = system.about().content == Content::Ntfs;
        Ok(SystemFacts {
            letters: if is_windows {
                drive_letters(system)?
            } else {
                None
            },
            mount_points: if is_windows {
                None
            } else {
                mount_points(system)?
            },
        })
    }
}

fn open_volume(volume: &GuestVolume) -> Result<Box<dyn GuestFileSystem>, FileError> {
    if let Some(obstacle) = &volume.obstacle {
        let what = match obstacle.hint.as_str() {
            "" => obstacle.what.clone(),
            hint => format!("{}; {hint}", obstacle.what),
        };
        return Err(FileError::new(FileErrorKind::Unreadable, what));
    }
    let Some(device) = &volume.device else {
        let what = match volume.used_by.as_slice() {
            [] => "its bytes are not here".to_owned(),
            parts => format!("it is a part of {}: look there", parts.join(", ")),
        };
        return Err(FileError::new(FileErrorKind::Unreadable, what));
    };
    open_file_system(Arc::clone(device), volume.content, OpenOptions::default())
}
