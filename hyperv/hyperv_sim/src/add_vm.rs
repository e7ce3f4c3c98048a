//! New VMs.

use std::collections::BTreeMap;

use block_io::BlockDevice;
use disk_image::OpenOptions;
use uuid::{Uuid, uuid};
use vm_config::{ControllerKind, DiskSlot, Memory, NetworkAdapter};

use crate::drive::{file_name, parent_folder};
use crate::guid::guid_text;
use crate::host_state::HostState;
use crate::image::{LayerFile, NewDisk, create_child, create_disk};
use crate::{
    DataRoots, DiskContent, DiskFile, DiskKind, DiskSpec, GuestPlan, PowerState, Replication,
    SimError, SimErrorKind, SimHost, Vm, VmDisk, VmSpec,
};

/// The template of Secure Boot that new VMs get: `MicrosoftWindows`.
const WINDOWS_TEMPLATE: Uuid = uuid!("1734c6e8-3154-4dda-ba5f-a874cc483422");

impl SimHost {
    /// Adds a VM; returns its GUID. Names need not be unique.
    pub fn add_vm(&self, spec: &VmSpec) -> Result<Uuid, SimError> {
        self.act(|state| {
            let vm = state.add_vm(&state.spec_in_cluster(spec))?;
            if spec.is_clustered && state.membership.is_some() {
                state.add_role(vm)?;
            }
            Ok(vm)
        })
    }
}

impl HostState {
    fn add_vm(&mut self, spec: &VmSpec) -> Result<Uuid, SimError> {
        if !matches!(spec.generation, 1 | 2) {
            return Err(SimError::new(
                SimErrorKind::InvalidParameter,
                format!("there is no generation {}", spec.generation),
            ));
        }
        let mut vm = self.bare_vm(spec);
        let root = vm.config_root.clone();
        for (number, disk) in (1_u32..).zip(&spec.disks) {
            let slot = match disk.slot {
                Some(slot) => slot,
                None => free_slot(&vm)?,
            };
            while slot.kind == ControllerKind::Scsi
                && vm.scsi_controllers.len() <= usize::try_from(slot.controller).unwrap_or(0)
            {
                vm.scsi_controllers.push(self.new_guid());
            }
            let name = disk.file_name.clone().unwrap_or_else(|| {
                let stem = plain_name(&spec.name);
                match number {
                    1 => stem,
                    _ => format!("{stem}-disk{number}"),
                }
            });
            let wanted = format!("{root}\\Virtual Hard Disks\\{name}");
            let (disk, file) = self.new_disk(&wanted, disk, slot)?;
            if let Some(file) = file {
                vm.files.insert(disk.path.clone(), file);
            }
            vm.disks.push(disk);
        }
        vm.disks.sort_by_key(|disk| disk.slot);
        let id = vm.id;
        self.vms.insert(id, vm);
        self.vm_mut(id)?;
        self.write_configuration(id)?;
        Ok(id)
    }

    /// Makes a VM without disks; nothing of it is on disk yet.
    pub(crate) fn bare_vm(&mut self, spec: &VmSpec) -> Vm {
        let id = self.new_guid();
        let profile = self.facts.profile;
        let extension = if profile.has_binary_configurations() {
            "vmcx"
        } else {
            "xml"
        };
        let mac = self.new_number() & 0xFF_FFFF;
        let folder = spec.folder.clone();
        Vm {
            id,
            name: spec.name.clone(),
            generation: spec.generation,
            version: spec
                .version
                .clone()
                .unwrap_or_else(|| profile.vm_version().to_owned()),
            notes: spec.notes.clone(),
            created: self.now,
            power: if spec.running {
                PowerState::Running
            } else {
                PowerState::Off
            },
            guest: spec.guest,
            told: BTreeMap::new(),
            components: BTreeMap::new(),
            processors: 2,
            memory: Memory {
                startup_mib: spec.memory_mib,
                dynamic: false,
                minimum_mib: spec.memory_mib.min(512),
                maximum_mib: spec.memory_mib,
            },
            network_adapters: vec![NetworkAdapter {
                name: "Network Adapter".to_owned(),
                mac_address: format!("00155D{mac:06X}"),
                mac_is_static: false,
                switch_name: "External".to_owned(),
                vlan: None,
                addresses: None,
            }],
            ports: Vec::new(),
            disks: Vec::new(),
            empty_drives: Vec::new(),
            scsi_controllers: (0..spec.scsi_controllers)
                .map(|_| self.new_guid())
                .collect(),
            files: BTreeMap::new(),
            has_tpm: spec.has_tpm,
            secure_boot: spec.generation == 2,
            secure_boot_template: (spec.generation == 2).then_some(WINDOWS_TEMPLATE),
            other_keys: Vec::new(),
            config_root: folder
                .unwrap_or_else(|| format!("C:\\Hyper-V\\{}", plain_name(&spec.name))),
            data_roots: DataRoots::default(),
            config_file: format!("Virtual Machines\\{}.{extension}", guid_text(id)),
            snapshots: Vec::new(),
            current_parent: None,
            last_applied: None,
            reference_points: Vec::new(),
            user_snapshot_type: 3,
            automatic_snapshots: false,
            replication: Replication::default(),
            replication_plan: None,
            is_clustered: spec.is_clustered,
            health_state: 5,
            last_backup: None,
            jobs: Vec::new(),
            merge_fault: None,
            merges_enabled: true,
            started: None,
            guest_plan: GuestPlan::default(),
        }
    }

    /// Makes a disk's file. `wanted` is its path without an extension; a file that is there already
    /// gets another name.
    pub(crate) fn new_disk(
        &mut self,
        wanted: &str,
        spec: &DiskSpec,
        slot: DiskSlot,
    ) -> Result<(VmDisk, Option<DiskFile>), SimError> {
        let disk_id = self.new_guid();
        let mut disk = VmDisk {
            slot,
            kind: spec.kind,
            path: String::new(),
            size_bytes: 0,
            disk_id,
            physical_number: None,
        };
        let opened;
        let content: Option<&dyn BlockDevice> = match &spec.content {
            DiskContent::Empty { .. } | DiskContent::ChildOf(_) => None,
            DiskContent::Image(path) => {
                opened = disk_image::open(path, &OpenOptions::default())?;
                Some(&opened)
            }
            DiskContent::Device(device) => Some(&**device),
        };
        disk.size_bytes = match (&spec.content, content) {
            (DiskContent::Empty { size_bytes }, _) => *size_bytes,
            (_, Some(content)) => content
                .size_bytes()
                .next_multiple_of(u64::from(content.sector_bytes())),
            _ => 0,
        };
        if spec.kind == DiskKind::PassThrough {
            let count = self.vms.values().flat_map(|vm| &vm.disks);
            let count = count
                .filter(|disk| disk.kind == DiskKind::PassThrough)
                .count();
            disk.physical_number = u32::try_from(count + 1).ok();
            return Ok((disk, None));
        }
        disk.path = self.free_path(wanted, extension(spec))?;
        let seed = self.new_number();
        let local = self.local_path(&disk.path)?;
        let mut file = DiskFile {
            parent: None,
            foreign_parent: None,
        };
        if let DiskContent::ChildOf(parent) = &spec.content {
            let parent_local = self.local_path(parent)?;
            create_child(&local, &parent_local, parent, seed)?;
            let layer = LayerFile::open(&local)?;
            disk.size_bytes = layer.as_layer().size_bytes();
            disk.disk_id = layer.disk_id();
            file.foreign_parent = Some(parent.clone());
        } else {
            let new = NewDisk {
                size_bytes: disk.size_bytes,
                content,
                disk_id,
                seed,
            };
            if spec.kind == DiskKind::VhdSet {
                self.write_vhd_set(&disk.path, &new)?;
            } else {
                create_disk(&local, &new)?;
            }
        }
        Ok((disk, Some(file)))
    }

    /// Makes a VHD set: a small file that names another one with the data.
    fn write_vhd_set(&mut self, path: &str, new: &NewDisk<'_>) -> Result<(), SimError> {
        let id = self.new_guid();
        let stem = file_name(path).trim_end_matches(".vhds").to_owned();
        let backing = format!("{}\\{stem}_{}.avhdx", parent_folder(path), guid_text(id));
        create_disk(&self.local_path(&backing)?, new)?;
        let local = self.local_path(path)?;
        std::fs::write(&local, format!("vhdset {backing}\n"))
            .map_err(|error| SimError::io(local.display(), error))
    }

    /// Returns a path that no file has yet.
    fn free_path(&self, wanted: &str, extension: &str) -> Result<String, SimError> {
        let stem = wanted.trim_end_matches(&format!(".{extension}"));
        for number in 1.. {
            let path = match number {
                1 => format!("{stem}.{extension}"),
                _ => format!("{stem} ({number}).{extension}"),
            };
            if !self.local_path(&path)?.exists() {
                return Ok(path);
            }
        }
        Err(SimError::new(SimErrorKind::Failed, "no name is free"))
    }
}

fn extension(spec: &DiskSpec) -> &'static str {
    let child_of_vhd = matches!(&spec.content, DiskContent::ChildOf(parent)
        if parent.to_ascii_lowercase().ends_with("vhd"));
    match spec.kind {
        DiskKind::Vhd => "vhd",
        DiskKind::VhdSet => "vhds",
        _ if child_of_vhd => "vhd",
        _ => "vhdx",
    }
}

/// Returns the next free slot: with generation 1 those of IDE first, but for that of the DVD drive.
fn free_slot(vm: &Vm) -> Result<DiskSlot, SimError> {
    const IDE: [(u32, u32); 3] = [(0, 0), (0, 1), (1, 1)];
    let slot = |kind, controller, slot| DiskSlot {
        kind,
        controller,
        slot,
    };
    let ide = IDE
        .iter()
        .filter(|_| vm.generation == 1)
        .map(|(controller, place)| slot(ControllerKind::Ide, *controller, *place));
    let scsi = (0..4)
        .flat_map(|number| (0..64).map(move |place| slot(ControllerKind::Scsi, number, place)));
    let mut slots = ide.chain(scsi);
    slots
        .find(|slot| vm.disk(*slot).is_none())
        .ok_or_else(|| SimError::new(SimErrorKind::InvalidParameter, "all slots are taken"))
}

/// Returns a name without the characters that no file of Windows has in its name.
fn plain_name(name: &str) -> String {
    let plain = |character: char| match character {
        '\\' | '/' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => '_',
        control if control.is_control() => '_',
        other => other,
    };
    let plain: String = name.chars().map(plain).collect();
    let trimmed = plain.trim_matches([' ', '.']);
    if trimmed.is_empty() {
        "vm".to_owned()
    } else {
        trimmed.to_owned()
    }
}
