//! A guest's volumes, wherever they are read.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use block_io::{BlockDevice, NumberedDisk, Place};
use guest_files::{FileError, FileErrorKind, GuestFileSystem, OpenOptions, open_file_system_over};
use guest_system::{MountPoint, drive_letters, mount_points};
use serde::{Deserialize, Serialize};
use volume_map::{Content, GuestVolume, GuestVolumes, Obstacle, Origin, Role, WindowsId};

use crate::Secrets;
use crate::joined;
use crate::unlock::{self, Unlocked};

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
    /// What it is encrypted with, where it was opened; then all the rest is said of what is in it.
    pub encryption: Option<Content>,
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
            encryption: volume.encryption,
        }
    }

    /// Returns whether a person would look for files in it: it is a volume of its own, not a part of
    /// others, and not set aside for a system's own use.
    pub fn is_own(&self) -> bool {
        self.used_by.is_empty() && !matches!(self.role, Role::Reserved | Role::Ldm)
    }
}

/// What was found on a guest's disks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DisksFacts {
    /// The volumes.
    pub volumes: Vec<VolumeFacts>,
    /// What a person should know of each disk, in the order of the disks.
    pub notes: Vec<Vec<String>>,
    /// What came of the secrets.
    pub unlocked: Unlocked,
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
    /// `NotFound`, and those of [`guest_files::open_file_system`].
    fn open(&self, number: u32) -> Result<&dyn GuestFileSystem, FileError>;

    /// Counts how many bytes of volume `number` are in use, also where that takes reading its whole
    /// bitmap: 8 MiB of 256 GiB. `None` where nobody can tell.
    ///
    /// # Errors
    ///
    /// Those of [`Guest::open`].
    fn used_bytes(&self, number: u32) -> Result<Option<u64>, FileError>;

    /// Asks the system on volume `number`, if there is one, for its word on the volumes.
    ///
    /// # Errors
    ///
    /// Those of [`Guest::open`], and what is wrong with the system's own files.
    fn system(&self, number: u32) -> Result<SystemFacts, FileError>;

    /// Returns volume `number` itself, whoever can read what is in it: an encrypted one that was
    /// opened in clear text, others as they lie.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Unreadable` for a volume whose bytes are not here.
    fn volume(&self, number: u32) -> Result<Arc<dyn BlockDevice>, FileError> {
        let what = format!("the bytes of volume {number} are not handed out here");
        Err(FileError::new(FileErrorKind::Unreadable, what))
    }

    /// Says where volume `number` lies on the disks from `offset` on: places one behind the other, at
    /// most `max` of them. It is asked again for what comes behind them. None at the volume's end, and
    /// where its bytes lie nowhere as they are: encrypted ones, and zeros that are nowhere.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Unreadable` for a volume whose bytes are not here.
    fn volume_places(&self, number: u32, offset: u64, max: usize) -> Result<Vec<Place>, FileError>;

    /// Returns whether its reader has ended: what was open is gone, and others are opened anew if at
    /// all.
    fn is_over(&self) -> bool {
        false
    }
}

/// Most places that are told at once.
pub(crate) const PLACES_MAX: usize = 64 << 10;
/// Most extents that are told at once.
pub(crate) const EXTENTS_MAX: usize = 64 << 10;

/// A guest that is read in this process.
pub struct LocalGuest {
    facts: DisksFacts,
    volumes: GuestVolumes,
    /// For each volume, the others that its file system lies on as well.
    others: Vec<Vec<usize>>,
    systems: Vec<OpenVolume>,
}

/// A volume's file system, once it is open.
type OpenVolume = OnceLock<Box<dyn GuestFileSystem>>;

impl LocalGuest {
    /// Looks for the volumes of all disks.
    pub fn open(disks: &[Arc<dyn BlockDevice>]) -> Self {
        Self::open_with(disks, &Secrets::default())
    }

    /// Looks for the volumes of all disks, also inside of the encrypted volumes that one of the
    /// secrets opens. What came of each is in [`DisksFacts::unlocked`].
    pub fn open_with(disks: &[Arc<dyn BlockDevice>], secrets: &Secrets) -> Self {
        let numbered = (0..).zip(disks).map(|(number, disk)| {
            Arc::new(NumberedDisk::new(Arc::clone(disk), number)) as Arc<dyn BlockDevice>
        });
        let (mut volumes, unlocked) = unlock::volumes(&numbered.collect::<Vec<_>>(), secrets);
        let others = joined::file_systems(&mut volumes.volumes);
        Self {
            facts: DisksFacts {
                volumes: volumes.volumes.iter().map(VolumeFacts::of).collect(),
                notes: volumes
                    .disks
                    .iter()
                    .map(|disk| disk.notes.clone())
                    .collect(),
                unlocked,
            },
            systems: volumes.volumes.iter().map(|_| OnceLock::new()).collect(),
            others,
            volumes,
        }
    }

    /// Opens a file system over all volumes that it lies on.
    fn open_system(
        &self,
        number: u32,
        options: OpenOptions,
    ) -> Result<Box<dyn GuestFileSystem>, FileError> {
        let (volume, _) = self.found(number)?;
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        if !volume.used_by.is_empty() {
            return Err(part_of(volume));
        }
        let mut devices = vec![Arc::clone(device(volume)?)];
        for other in self.others.get(at).into_iter().flatten() {
            let other = self.volumes.volumes.get(*other);
            devices.extend(other.and_then(|other| other.device.clone()));
        }
        open_file_system_over(devices, volume.content, options)
    }

    fn found(&self, number: u32) -> Result<(&GuestVolume, &OpenVolume), FileError> {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        let volume = self.volumes.volumes.get(at).zip(self.systems.get(at));
        volume.ok_or_else(|| no_volume(number))
    }
}

impl Guest for LocalGuest {
    fn facts(&self) -> &DisksFacts {
        &self.facts
    }

    fn open(&self, number: u32) -> Result<&dyn GuestFileSystem, FileError> {
        let (_, place) = self.found(number)?;
        if let Some(open) = place.get() {
            return Ok(&**open);
        }
        let system = self.open_system(number, OpenOptions::default())?;
        Ok(&**place.get_or_init(|| system))
    }

    fn used_bytes(&self, number: u32) -> Result<Option<u64>, FileError> {
        if let Some(used) = self.open(number)?.about().used_bytes {
            return Ok(Some(used));
        }
        let mut counting = OpenOptions::default();
        counting.count_used = true;
        Ok(self.open_system(number, counting)?.about().used_bytes)
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

    fn volume(&self, number: u32) -> Result<Arc<dyn BlockDevice>, FileError> {
        bytes(self.found(number)?.0).cloned()
    }

    fn volume_places(&self, number: u32, offset: u64, max: usize) -> Result<Vec<Place>, FileError> {
        // Also of a volume that nobody reads: where its bytes lie is known all the same.
        let device = bytes(self.found(number)?.0)?;
        let mut places = Vec::new();
        let mut at = offset;
        while places.len() < max.min(PLACES_MAX) && at < device.size_bytes() {
            let rest = device.size_bytes() - at;
            let place = device.place_at(at, rest);
            let Some(place) = place.filter(|place| (1..=rest).contains(&place.len_bytes)) else {
                break;
            };
            at += place.len_bytes;
            places.push(place);
        }
        Ok(places)
    }
}

/// Returns the bytes of a volume, or says why they cannot be had.
fn device(volume: &GuestVolume) -> Result<&Arc<dyn BlockDevice>, FileError> {
    if let Some(obstacle) = &volume.obstacle {
        let what = match obstacle.hint.as_str() {
            "" => obstacle.what.clone(),
            hint => format!("{}; {hint}", obstacle.what),
        };
        return Err(FileError::new(FileErrorKind::Unreadable, what));
    }
    bytes(volume)
}

/// Returns the bytes of a volume, whoever can read what is in them.
fn bytes(volume: &GuestVolume) -> Result<&Arc<dyn BlockDevice>, FileError> {
    volume.device.as_ref().ok_or_else(|| part_of(volume))
}

pub(crate) fn no_volume(number: u32) -> FileError {
    let what = format!("there is no volume {number}");
    FileError::new(FileErrorKind::NotFound, what)
}

fn part_of(volume: &GuestVolume) -> FileError {
    let what = match volume.used_by.as_slice() {
        [] => "its bytes are not here".to_owned(),
        parts => format!("it is a part of {}: look there", parts.join(", ")),
    };
    FileError::new(FileErrorKind::Unreadable, what)
}
