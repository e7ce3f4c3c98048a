//! `lifeboat sim ailing`: a cluster on which about everything is wrong that doctor knows.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use block_io::MemoryDisk;
use clap::Args;
use disk_image::HostPaths as _;
use hyperv_sim::{
    ClusterOptions, Component, ComponentKind, DiskContent, DiskKind, DiskSpec, Guest, PowerState,
    Profile, Replication, ShadowStorage, SimCluster, SimError, SimHost, SimPaths, VmSpec,
};
use serde_json::json;
use uuid::Uuid;
use vm_config::{ControllerKind, DiskSlot};

use super::failed;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;

const MIB: usize = 1 << 20;
/// Functional level of Windows Server 2012 R2.
const OLD_LEVEL: u32 = 8;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat sim ailing DIR

A cluster of four nodes, one of them old and one that does not answer, on which about everything is
wrong that doctor knows: `lifeboat doctor --host sim:DIR` says what of each, and can be asked for its
cures.")]
pub(crate) struct AilingArgs {
    /// A folder that is empty or not there
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(super) fn run(invocation: &Invocation, args: &AilingArgs) -> Result<ExitCode, CliError> {
    let cluster = make(&args.dir).map_err(failed)?;
    let second = cluster.node("HV2").map_err(failed)?;
    spoil_files(&second)?;
    let ui = &invocation.ui;
    let dir = args.dir.display();
    ui.data(format!(
        "made the ailing cluster {} in {dir}",
        cluster.name()
    ));
    let fields = json!({ "dir": dir.to_string(), "cluster": cluster.name() });
    ui.summary("success", ExitCode::Success, fields);
    Ok(ExitCode::Success)
}

fn make(dir: &Path) -> Result<SimCluster, SimError> {
    let mut options = ClusterOptions::of_nodes(4, Profile::Server2022);
    options.functional_level = Some(OLD_LEVEL);
    if let Some(node) = options.nodes.get_mut(2) {
        node.profile = Profile::Server2012R2;
    }
    let cluster = SimCluster::create(dir, options)?;
    let first = cluster.node("HV1")?;
    spoil_volumes(&first)?;
    spoil_guests(&first)?;
    let second = cluster.node("HV2")?;
    spoil_vms(&second)?;
    let third = cluster.node("HV3")?;
    spoil_old_host(&third)?;
    cluster.add_vm("HV4", &small("out of sight"))?;
    cluster.set_reachable("HV4", false)?;
    Ok(cluster)
}

/// A small VM, a role of the cluster, that nothing is wrong with.
fn small(name: &str) -> VmSpec {
    role(name).with_disk(DiskSpec::empty(4 * MIB as u64))
}

/// As [`small`], without a disk.
fn role(name: &str) -> VmSpec {
    VmSpec {
        is_clustered: true,
        ..VmSpec::new(name)
    }
}

/// As [`small`], off.
fn off(name: &str) -> VmSpec {
    VmSpec {
        running: false,
        ..small(name)
    }
}

/// Volumes that are full, of the wrong kind, or snapped elsewhere; services that do not run.
fn spoil_volumes(host: &SimHost) -> Result<(), SimError> {
    for drive in ["D:\\", "E:\\", "F:\\", "G:\\"] {
        host.add_volume(drive, 1 << 40)?;
        let letter = drive.get(..1).unwrap_or_default();
        host.add_vm(&VmSpec {
            folder: Some(format!("{drive}VMs")),
            is_clustered: false,
            ..small(&format!("on {letter}"))
        })?;
    }
    host.set_free_bytes("D:\\", 0)?;
    host.change_volume("E:\\", |volume| {
        volume.file_system = Some("FAT32".to_owned());
    })?;
    let storage = |drive: &str, max_bytes| {
        Some(ShadowStorage {
            drive: drive.to_owned(),
            max_bytes,
        })
    };
    host.change_volume("F:\\", |volume| {
        volume.shadow_storage = storage("C:\\", 1 << 40);
    })?;
    host.change_volume("G:\\", |volume| {
        volume.shadow_storage = storage("G:\\", 320 << 20);
    })?;
    host.change_behavior(|behavior| {
        for (service, state) in [("vmcompute", "Stopped"), ("swprv", "Disabled")] {
            behavior
                .services
                .insert(service.to_owned(), state.to_owned());
        }
    })
}

/// Guests that cannot take part, and disks that they cannot freeze.
fn spoil_guests(host: &SimHost) -> Result<(), SimError> {
    host.add_vm(&small("linux without daemon").with_guest(Guest::Linux))?;
    host.add_vm(&small("nothing installed").with_guest(Guest::None))?;
    let switched_off = Component {
        enabled: false,
        status: 2,
    };
    let backup = host.add_vm(&small("backup service off"))?;
    host.set_component(backup, ComponentKind::Vss, switched_off)?;
    let exchange = host.add_vm(&small("data exchange off"))?;
    host.set_component(exchange, ComponentKind::KeyValueExchange, switched_off)?;
    for (name, what, told) in [
        ("old guest", "OSName", "Microsoft Windows 2000 Server"),
        ("domain controller", "ProductType", "2"),
        ("iscsi", "Initiator", "iqn.1991-05.com.microsoft:a"),
    ] {
        let vm = host.add_vm(&small(name))?;
        host.change_vm(vm, |vm| {
            vm.told.insert(what.to_owned(), told.to_owned());
        })?;
    }
    for (name, disk) in [("dynamic disk", table(0x42)), ("fat", fat())] {
        let content = DiskContent::Device(Arc::new(MemoryDisk::new(disk)));
        host.add_vm(&role(name).with_disk(DiskSpec::new(content)))?;
    }
    Ok(())
}

/// VMs of which a backup is less than it could be, or none.
fn spoil_vms(host: &SimHost) -> Result<(), SimError> {
    host.add_volume("D:\\", 1 << 40)?;
    let mut disks = role("disks");
    for kind in [
        DiskKind::PassThrough,
        DiskKind::SharedVhdx,
        DiskKind::VhdSet,
        DiskKind::Vhd,
    ] {
        disks = disks.with_disk(DiskSpec::empty(4 * MIB as u64).of_kind(kind));
    }
    host.add_vm(&disks)?;
    host.add_vm(&role("no disks"))?;
    host.add_vm(&VmSpec {
        version: Some("5.0".to_owned()),
        ..small("old version")
    })?;
    host.add_vm(&VmSpec {
        has_tpm: true,
        ..small("tpm")
    })?;
    host.add_vm(&VmSpec {
        notes: "nobackup".to_owned(),
        ..small("twin")
    })?;
    host.add_vm(&off("twin"))?;
    let standard = host.add_vm(&small("standard checkpoints"))?;
    host.change_vm(standard, |vm| vm.user_snapshot_type = 5)?;
    let replica = host.add_vm(&off("replica"))?;
    let replication = Replication {
        mode: 2,
        state: 3,
        health: 1,
        ..Replication::default()
    };
    host.set_replication(replica, replication)?;
    let chain = host.add_vm(&small("long chain"))?;
    for number in 0..10 {
        host.checkpoint(chain, &number.to_string())?;
    }
    host.advance(Duration::from_secs(40 * 86_400))?;
    let foreign = host.add_vm(&small("other program's checkpoint"))?;
    host.plant_foreign_checkpoint(foreign, "other program")?;
    let elsewhere = host.add_vm(&small("checkpoints elsewhere"))?;
    host.change_vm(elsewhere, |vm| "D:\\VMs".clone_into(&mut vm.config_root))?;
    let lost = host.add_vm(&small("storage lost"))?;
    host.set_power(lost, PowerState::PausedCritical)?;
    let merging = host.add_vm(&small("merging"))?;
    let checkpoint = host.checkpoint(merging, "one")?;
    host.delete_checkpoint(checkpoint)?;
    let busy = host.add_vm(&small("busy"))?;
    host.keep_busy(busy, Duration::from_secs(3600))
}

/// Disks that are damaged, gone, or without their parent.
fn spoil_files(host: &Arc<SimHost>) -> Result<(), CliError> {
    let add = |name| host.add_vm(&off(name)).map_err(failed);
    let damaged = disk_file(host, add("damaged disk")?)?;
    let gone = disk_file(host, add("missing disk")?)?;
    let child = add("missing parent")?;
    let parent = disk_file(host, child)?;
    host.checkpoint(child, "one").map_err(failed)?;
    let done = std::fs::write(&damaged, b"no disk at all")
        .and_then(|()| std::fs::remove_file(&gone))
        .and_then(|()| std::fs::remove_file(&parent));
    done.map_err(|error| CliError::io(host.dir().display().to_string(), error))
}

/// Windows Server 2012 R2, with a VM that it cannot back up while it runs.
fn spoil_old_host(host: &SimHost) -> Result<(), SimError> {
    let slot = DiskSlot {
        kind: ControllerKind::Ide,
        controller: 0,
        slot: 0,
    };
    let disk = DiskSpec::empty(4 * MIB as u64).at(slot);
    host.add_vm(&VmSpec {
        scsi_controllers: 0,
        ..role("no SCSI").with_generation(1).with_disk(disk)
    })?;
    Ok(())
}

/// Returns the file of this machine that is a VM's first disk.
fn disk_file(host: &Arc<SimHost>, vm: Uuid) -> Result<PathBuf, CliError> {
    let vm = host.vm(vm).map_err(failed)?;
    let path = vm.disks.first().map(|disk| disk.path.as_str());
    let file = path.and_then(|path| SimPaths::new(Arc::clone(host)).locate(path));
    file.ok_or_else(|| CliError::usage(format!("{} has no disk", vm.name)))
}

/// A disk with a partition of this type.
fn table(kind: u8) -> Vec<u8> {
    let mut disk = vec![0; 4 * MIB];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(place) = disk.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    put(446 + 4, &[kind]);
    put(446 + 8, &2048_u32.to_le_bytes());
    put(446 + 12, &4096_u32.to_le_bytes());
    put(510, &[0x55, 0xAA]);
    disk
}

/// A disk with one FAT16 volume.
fn fat() -> Vec<u8> {
    let mut disk = table(0x06);
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(place) = disk.get_mut(MIB + at..MIB + at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    put(0, &[0xEB, 0x3C, 0x90]);
    put(11, &512_u16.to_le_bytes());
    put(13, &[1]);
    put(14, &1_u16.to_le_bytes());
    put(16, &[2]);
    put(17, &512_u16.to_le_bytes());
    put(19, &20_000_u16.to_le_bytes());
    put(21, &[0xF8]);
    put(22, &80_u16.to_le_bytes());
    put(510, &[0x55, 0xAA]);
    disk
}
