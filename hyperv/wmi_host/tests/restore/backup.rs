//! A VM's files as a restore writes them: copies in other folders.

use std::fs;
use std::path::{Path, PathBuf};

use hyperv_host::{AdapterOrder, Identity, ImportOrder, PlacedDisk, RestoreHost as _, RestoredVm};
use hyperv_sim::{DiskSpec, Vm, VmSpec};
use uuid::Uuid;
use vm_config::NetworkAdapter;
use wmi_host::WmiHost;

use crate::run::Steps;
use crate::stage::{DISK_BYTES, Stage};

/// The folder that copies of definitions go to.
pub(crate) const STAGING: &str = r"C:\Staging";
/// The folder that restored VMs go to.
pub(crate) const RESTORED: &str = r"C:\Restored";

/// What a restore has of a VM.
pub(crate) struct Copied {
    pub(crate) vm: Vm,
    pub(crate) order: ImportOrder,
}

/// Describes a VM with two disks and, where there is one, a network adapter.
pub(crate) fn spec(name: &str) -> VmSpec {
    VmSpec::new(name)
        .with_disk(DiskSpec::empty(DISK_BYTES))
        .with_disk(DiskSpec::empty(DISK_BYTES))
}

/// Gives a VM an adapter at a switch.
pub(crate) fn plug_in(stage: &Stage, vm: Uuid, switch: &str) {
    let adapter = NetworkAdapter {
        name: "Network Adapter".to_owned(),
        mac_address: "00155D010203".to_owned(),
        mac_is_static: true,
        switch_name: switch.to_owned(),
        vlan: None,
        addresses: None,
    };
    let change = |vm: &mut Vm| {
        vm.network_adapters = vec![adapter];
    };
    stage.sim.change_vm(vm, change).unwrap();
}

pub(crate) fn local(host: &WmiHost, path: &str) -> PathBuf {
    host.local_path(path).unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap();
}

pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit('\\').next().unwrap()
}

/// Copies a VM's definition, checkpoints' definitions and disks, as a restore would write them.
pub(crate) fn copy_files(stage: &Stage, host: &WmiHost, vm: Uuid) -> Copied {
    let vm = stage.sim.vm(vm).unwrap();
    let mut definitions = vec![vm.config_file.clone()];
    definitions.extend(vm.snapshots.iter().map(|own| own.config_file.clone()));
    for file in &definitions {
        let from = local(host, &format!("{}\\{file}", vm.config_root));
        for entry in fs::read_dir(from.parent().unwrap()).unwrap() {
            let entry = entry.unwrap().path();
            if entry.file_stem() == from.file_stem() {
                let name = entry.file_name().unwrap().to_str().unwrap().to_owned();
                let folder = file.rsplit_once('\\').unwrap().0;
                copy(
                    &entry,
                    &local(host, &format!("{STAGING}\\{folder}\\{name}")),
                );
            }
        }
    }
    for path in vm.files.keys() {
        copy(&local(host, path), &local(host, &placed(path)));
    }
    let mut disks = Vec::new();
    for disk in vm.disks.iter().filter(|disk| !disk.path.is_empty()) {
        disks.push(PlacedDisk {
            checkpoint: None,
            slot: disk.slot,
            path: placed(&disk.path),
        });
    }
    for snapshot in &vm.snapshots {
        for disk in &snapshot.disks {
            disks.push(PlacedDisk {
                checkpoint: Some(snapshot.id.to_string()),
                slot: disk.slot,
                path: placed(&disk.path),
            });
        }
    }
    let adapters = vm.network_adapters.iter().map(adapter_order);
    let order = ImportOrder {
        definition: format!("{STAGING}\\{}", vm.config_file),
        checkpoint_folder: None,
        identity: Identity::New,
        name: Some("web restored".to_owned()),
        configuration_folder: RESTORED.to_owned(),
        disks,
        adapters: adapters.collect(),
        keep_memory: false,
        run: "restore-1".to_owned(),
    };
    Copied { vm, order }
}

fn adapter_order(adapter: &NetworkAdapter) -> AdapterOrder {
    AdapterOrder {
        name: adapter.name.clone(),
        switch: Some(adapter.switch_name.clone()).filter(|name| !name.is_empty()),
        mac_address: Some(adapter.mac_address.clone()),
        mac_is_static: adapter.mac_is_static,
        vlan: None,
    }
}

/// Returns where a disk's file is put.
pub(crate) fn placed(path: &str) -> String {
    format!("{RESTORED}\\Virtual Hard Disks\\{}", file_name(path))
}

pub(crate) fn import(host: &WmiHost, order: &ImportOrder) -> RestoredVm {
    host.import(order, &Steps::default()).unwrap()
}

/// Returns the restored VM as the host has it.
pub(crate) fn made(stage: &Stage, restored: &RestoredVm) -> Vm {
    let id = Uuid::parse_str(&restored.identity).unwrap();
    stage.sim.vm(id).unwrap()
}

pub(crate) fn ids(restored: &RestoredVm) -> Vec<&str> {
    restored
        .findings
        .iter()
        .map(|own| own.id.as_str())
        .collect()
}
