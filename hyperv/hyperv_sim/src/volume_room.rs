//! Room on the host's volumes.

use std::fs;
use std::path::Path;

use uuid::Uuid;

use crate::drive::drive_folder;
use crate::host_state::HostState;
use crate::{PowerState, SimError, SimErrorKind, SimHost, Vm, VmDisk, Volume, VolumeRoom};

/// Volumes of at least this size are not measured before each write: they are never full here.
const ENDLESS_BYTES: u64 = 1 << 40;
/// What a new differencing disk needs, in bytes.
const LEAF_BYTES: u64 = 8 << 20;

impl SimHost {
    /// Lists the volumes and the room on them.
    pub fn volumes(&self) -> Result<Vec<VolumeRoom>, SimError> {
        self.look(HostState::volume_rooms)
    }

    /// Adds a volume, such as `D:\`.
    pub fn add_volume(&self, drive: &str, capacity_bytes: u64) -> Result<(), SimError> {
        self.act(|state| {
            let letter = drive.chars().next().filter(char::is_ascii_alphabetic);
            let letter = letter.ok_or_else(|| no_volume(drive))?.to_ascii_uppercase();
            let folder = drive_folder(state.dir(), letter);
            let made = fs::create_dir_all(&folder);
            made.map_err(|error| SimError::io(folder.display(), error))?;
            let id = state.new_guid();
            state.facts_mut().volumes.push(Volume {
                id,
                drive: format!("{letter}:\\"),
                label: "Data".to_owned(),
                capacity_bytes,
                file_system: None,
                shadow_storage: None,
                growth_bytes_per_second: 0,
                consumed_bytes: 0,
            });
            Ok(())
        })
    }

    /// Gives a volume another capacity, and says how fast others fill it. Nobody else fills the
    /// shared volumes of a cluster.
    pub fn set_volume(
        &self,
        drive: &str,
        capacity_bytes: u64,
        growth_bytes_per_second: u64,
    ) -> Result<(), SimError> {
        self.act(|state| {
            if state.shared_volume_of(drive).is_some() {
                return state.set_capacity(drive, capacity_bytes);
            }
            let volumes = &mut state.facts_mut().volumes;
            let volume = volumes.iter_mut().find(|volume| is_on(volume, drive));
            let volume = volume.ok_or_else(|| no_volume(drive))?;
            volume.capacity_bytes = capacity_bytes;
            volume.growth_bytes_per_second = growth_bytes_per_second;
            Ok(())
        })
    }

    /// Gives a volume so many free bytes now, by what others use of it or by another capacity.
    pub fn set_free_bytes(&self, drive: &str, free_bytes: u64) -> Result<(), SimError> {
        self.act(|state| {
            let volume = state.volume_of(drive).ok_or_else(|| no_volume(drive))?;
            let room = state.room_on(&volume)?;
            let used = volume.capacity_bytes.saturating_sub(room.free_bytes);
            state.set_capacity(drive, used.saturating_add(free_bytes))
        })
    }
}

impl HostState {
    /// Lists the volumes and the room on them.
    pub(crate) fn volume_rooms(&self) -> Result<Vec<VolumeRoom>, SimError> {
        let volumes = self.all_volumes().into_iter();
        volumes.map(|volume| self.room_on(&volume)).collect()
    }

    /// Lists the host's own volumes, and those that it shares with other nodes behind them.
    pub(crate) fn all_volumes(&self) -> Vec<Volume> {
        let own = self.facts.volumes.iter().cloned();
        own.chain(self.shared_volumes()).collect()
    }

    /// Returns the volume that a path is on.
    pub(crate) fn volume_of(&self, host_path: &str) -> Option<Volume> {
        let volumes = self.all_volumes().into_iter();
        let found = volumes.filter(|volume| is_on(volume, host_path));
        found.max_by_key(|volume| volume.drive.len())
    }

    fn set_capacity(&mut self, drive: &str, capacity_bytes: u64) -> Result<(), SimError> {
        let capacity = if self.shared_volume_of(drive).is_some() {
            let volumes = &mut self.cluster_mut()?.volumes;
            let volume = volumes.iter_mut().find(|volume| volume.holds(drive));
            volume.map(|volume| &mut volume.capacity_bytes)
        } else {
            let volumes = &mut self.facts_mut().volumes;
            let volume = volumes.iter_mut().find(|volume| is_on(volume, drive));
            volume.map(|volume| &mut volume.capacity_bytes)
        };
        *capacity.ok_or_else(|| no_volume(drive))? = capacity_bytes;
        Ok(())
    }

    pub(crate) fn room_on(&self, volume: &Volume) -> Result<VolumeRoom, SimError> {
        let files = folder_bytes(&self.local_path(&volume.drive)?)?;
        let used = files.saturating_add(volume.consumed_bytes);
        Ok(VolumeRoom {
            volume: volume.clone(),
            free_bytes: volume.capacity_bytes.saturating_sub(used),
        })
    }

    /// Returns what is free on a path's volume; `None`: it cannot be full.
    fn free_for(&self, host_path: &str) -> Result<Option<u64>, SimError> {
        match self.volume_of(host_path) {
            Some(volume) if volume.capacity_bytes < ENDLESS_BYTES => {
                Ok(Some(self.room_on(&volume)?.free_bytes))
            }
            _ => Ok(None),
        }
    }

    /// Says whether writes to a disk's file fit on its volume, at worst.
    pub(crate) fn has_room_for(
        &self,
        host_path: &str,
        writes: &[(u64, Vec<u8>)],
    ) -> Result<bool, SimError> {
        let needed: u64 = writes.iter().map(|(_, data)| data.len() as u64).sum();
        Ok(self
            .free_for(host_path)?
            .is_none_or(|free| free >= needed.max(1)))
    }

    /// Fails where new leaves of these disks do not fit.
    pub(crate) fn check_room_for_leaves(&self, vm: &Vm, disks: &[VmDisk]) -> Result<(), SimError> {
        for disk in disks {
            let free = self.free_for(&disk.path)?;
            if free.is_some_and(|free| free < LEAF_BYTES) {
                return Err(SimError::new(
                    SimErrorKind::NoSpace,
                    format!(
                        "'{}' cannot create the storage required for the checkpoint using disk \
                         {}: There is not enough space on the disk. (0x80070070)",
                        vm.name, disk.path
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Pauses the running VMs whose volumes are full, as time goes by.
    pub(crate) fn pause_where_full(&mut self) -> Result<(), SimError> {
        let volumes = &self.facts.volumes;
        let grows = volumes
            .iter()
            .filter(|volume| volume.growth_bytes_per_second > 0);
        let grows: Vec<Volume> = grows.cloned().collect();
        for volume in grows {
            if self.room_on(&volume)?.free_bytes > 0 {
                continue;
            }
            let on_it = |vm: &&Vm| {
                vm.power == PowerState::Running
                    && vm.disks.iter().any(|disk| is_on(&volume, &disk.path))
            };
            let ids: Vec<Uuid> = self.vms.values().filter(on_it).map(|vm| vm.id).collect();
            for id in ids {
                self.pause_for_lack_of_room(id)?;
            }
        }
        Ok(())
    }
}

fn is_on(volume: &Volume, host_path: &str) -> bool {
    if volume.drive.len() > 3 {
        let root = volume.drive.trim_end_matches('\\');
        let below = host_path.get(root.len()..);
        return host_path
            .get(..root.len())
            .is_some_and(|own| own.eq_ignore_ascii_case(root))
            && below.is_some_and(|below| below.is_empty() || below.starts_with('\\'));
    }
    let drive = volume.drive.get(..2);
    host_path
        .get(..2)
        .zip(drive)
        .is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
        || host_path.len() == 1 && volume.drive.starts_with(&host_path.to_ascii_uppercase())
}

fn no_volume(drive: &str) -> SimError {
    SimError::new(
        SimErrorKind::NotFound,
        format!("there is no volume {drive:?}"),
    )
}

/// Adds up the lengths of all files below a folder.
fn folder_bytes(folder: &Path) -> Result<u64, SimError> {
    let failed = |error| SimError::io(folder.display(), error);
    let mut sum = 0_u64;
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let metadata = entry.metadata().map_err(failed)?;
        sum = sum.saturating_add(if metadata.is_dir() {
            folder_bytes(&entry.path())?
        } else {
            metadata.len()
        });
    }
    Ok(sum)
}
