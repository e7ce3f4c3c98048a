//! One of each kind of finding that checks of a host make, on hosts that have all of it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use hyperv_sim::{
    ClusterOptions, Component, ComponentKind, DiskKind, DiskSpec, Guest, PowerState, Profile,
    Replication, ShadowStorage, SimCluster, SimHost, VmSpec,
};
use uuid::Uuid;
use vm_config::{ControllerKind, DiskSlot};

use crate::stage::{Stage, fat, mbr, vm, vm_with};

fn ids(found: BTreeSet<String>) -> Vec<String> {
    found.into_iter().collect()
}

/// The file of this machine that holds one of the host.
fn local(sim: &SimHost, path: &str) -> PathBuf {
    let drives = sim.drives().unwrap();
    let (drive, folder) = drives
        .iter()
        .find(|(drive, _)| path.starts_with(drive.as_str()))
        .unwrap();
    folder.join(path[drive.len()..].replace('\\', "/"))
}

fn has(stage: &Stage, expected: &[&str]) {
    let found = stage.ids();
    let missing: Vec<_> = expected.iter().filter(|id| !found.contains(**id)).collect();
    assert!(
        missing.is_empty(),
        "missing {missing:?} among {:?}",
        ids(found)
    );
}

#[test]
fn a_host_that_nothing_is_wrong_with_has_no_findings() {
    for profile in [
        Profile::Server2016,
        Profile::Server2019,
        Profile::Server2022,
        Profile::Server2025,
    ] {
        let stage = Stage::new(profile);
        stage.sim.add_vm(&vm("good")).unwrap();
        assert_eq!(ids(stage.ids()), Vec::<String>::new(), "{profile}");
    }
}

#[test]
fn of_the_host_and_its_volumes() {
    let stage = Stage::new(Profile::Server2022);
    let sim = &stage.sim;
    for drive in ["D:\\", "E:\\", "F:\\", "G:\\"] {
        sim.add_volume(drive, 1 << 40).unwrap();
        let spec = VmSpec {
            folder: Some(format!("{drive}VMs")),
            ..vm(&format!("on {}", &drive[..1]))
        };
        sim.add_vm(&spec).unwrap();
    }
    sim.set_free_bytes("D:\\", 0).unwrap();
    sim.change_volume("E:\\", |volume| {
        volume.file_system = Some("FAT32".to_owned());
    })
    .unwrap();
    sim.change_volume("F:\\", |volume| {
        volume.shadow_storage = Some(ShadowStorage {
            drive: "C:\\".to_owned(),
            max_bytes: 1 << 40,
        });
    })
    .unwrap();
    sim.change_volume("G:\\", |volume| {
        volume.shadow_storage = Some(ShadowStorage {
            drive: "G:\\".to_owned(),
            max_bytes: 320 << 20,
        });
    })
    .unwrap();
    sim.change_behavior(|behavior| {
        for (service, state) in [("vmcompute", "Stopped"), ("swprv", "Disabled")] {
            behavior
                .services
                .insert(service.to_owned(), state.to_owned());
        }
    })
    .unwrap();
    has(
        &stage,
        &[
            "HOST-VOLUME-LOW",
            "HOST-VSS-VOLUME",
            "HOST-SHADOW-STORAGE",
            "HOST-VMCOMPUTE",
            "HOST-VSS-SERVICE",
        ],
    );
    let texts: Vec<String> = stage
        .found()
        .into_iter()
        .filter(|(_, own)| own.id == "HOST-SHADOW-STORAGE")
        .map(|(_, own)| own.text)
        .collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(
        texts.iter().any(|text| text.contains(r"F:\ lies on C:\")),
        "{texts:?}"
    );
    assert!(
        texts.iter().any(|text| text.contains("320 MiB")),
        "{texts:?}"
    );
    sim.change_behavior(|behavior| {
        behavior
            .services
            .insert("vmms".to_owned(), "Stopped".to_owned());
    })
    .unwrap();
    has(&stage, &["HOST-VMMS"]);
}

#[test]
fn of_guests() {
    let stage = Stage::new(Profile::Server2022);
    let sim = &stage.sim;
    let add = |name: &str, guest| sim.add_vm(&vm(name).with_guest(guest)).unwrap();
    add("linux", Guest::Linux);
    add("nothing", Guest::None);
    let off = Component {
        enabled: false,
        status: 2,
    };
    let backup = add("backup off", Guest::Windows);
    sim.set_component(backup, ComponentKind::Vss, off).unwrap();
    let exchange = add("exchange off", Guest::Windows);
    sim.set_component(exchange, ComponentKind::KeyValueExchange, off)
        .unwrap();
    let tells = |vm: Uuid, name: &str, data: &str| {
        sim.change_vm(vm, |vm| {
            drop(vm.told.insert(name.to_owned(), data.to_owned()));
        })
        .unwrap();
    };
    tells(
        add("old", Guest::Windows),
        "OSName",
        "Microsoft Windows 2000 Server",
    );
    tells(add("dc", Guest::Windows), "ProductType", "2");
    tells(
        add("iscsi", Guest::Windows),
        "Initiator",
        "iqn.1991-05.com.microsoft:a",
    );
    sim.add_vm(&vm_with("dynamic", &mbr(0x42), &stage.folder))
        .unwrap();
    sim.add_vm(&vm_with("fat", &fat(), &stage.folder)).unwrap();
    let on_linux =
        vm_with("fat on linux", &fat(), &stage.folder).with_guest(Guest::LinuxWithDaemon);
    sim.add_vm(&on_linux).unwrap();
    has(
        &stage,
        &[
            "VM-INTEGRATION",
            "VM-IC-MISSING",
            "VM-IC-BACKUP",
            "VM-DATA-EXCHANGE",
            "VM-OLD-GUEST",
            "VM-DOMAIN-CONTROLLER",
            "VM-GUEST-ISCSI",
            "VM-DYNAMIC-DISK",
            "VM-FS",
        ],
    );
    let cure = |id: &str, vm: &str| {
        let found = stage.found();
        let own = found
            .into_iter()
            .find(|(name, own)| own.id == id && name.as_deref() == Some(vm));
        own.unwrap().1.cure.unwrap()
    };
    assert!(
        cure("VM-INTEGRATION", "linux").contains("hyperv-daemons"),
        "by what Debian calls it"
    );
    assert!(cure("VM-IC-BACKUP", "backup off").contains("-VMName \"backup off\""));
    let fat: Vec<_> = stage
        .found()
        .into_iter()
        .filter(|(_, own)| own.id == "VM-FS")
        .collect();
    assert_eq!(fat.len(), 1, "{fat:?}");
}

#[test]
fn of_vms() {
    let stage = Stage::new(Profile::Server2022);
    let sim = &stage.sim;
    sim.add_volume("D:\\", 1 << 40).unwrap();
    let disk = |kind| DiskSpec::empty(4 << 20).of_kind(kind);
    let mut mixed = VmSpec::new("disks");
    for kind in [
        DiskKind::PassThrough,
        DiskKind::SharedVhdx,
        DiskKind::VhdSet,
        DiskKind::Vhd,
    ] {
        mixed = mixed.with_disk(disk(kind));
    }
    sim.add_vm(&mixed).unwrap();
    sim.add_vm(&VmSpec::new("empty")).unwrap();
    sim.add_vm(&VmSpec {
        version: Some("5.0".into()),
        ..vm("old")
    })
    .unwrap();
    sim.add_vm(&VmSpec {
        has_tpm: true,
        ..vm("tpm")
    })
    .unwrap();
    sim.add_vm(&VmSpec {
        notes: "nobackup".into(),
        ..vm("twin")
    })
    .unwrap();
    sim.add_vm(&VmSpec {
        running: false,
        ..vm("twin")
    })
    .unwrap();
    let standard = sim.add_vm(&vm("standard")).unwrap();
    sim.change_vm(standard, |vm| vm.user_snapshot_type = 5)
        .unwrap();
    let replica = sim
        .add_vm(&VmSpec {
            running: false,
            ..vm("replica")
        })
        .unwrap();
    let replication = Replication {
        mode: 2,
        state: 3,
        health: 1,
        ..Replication::default()
    };
    sim.set_replication(replica, replication).unwrap();
    let chain = sim.add_vm(&vm("chain")).unwrap();
    for number in 0..10 {
        sim.checkpoint(chain, &number.to_string()).unwrap();
    }
    sim.advance(Duration::from_secs(40 * 86_400)).unwrap();
    let foreign = sim.add_vm(&vm("foreign")).unwrap();
    sim.plant_foreign_checkpoint(foreign, "other program")
        .unwrap();
    let elsewhere = sim.add_vm(&vm("elsewhere")).unwrap();
    sim.change_vm(elsewhere, |vm| vm.config_root = "D:\\VMs".into())
        .unwrap();
    let lost = sim.add_vm(&vm("lost")).unwrap();
    sim.set_power(lost, PowerState::PausedCritical).unwrap();
    let busy = sim.add_vm(&vm("busy")).unwrap();
    sim.keep_busy(busy, Duration::from_secs(3600)).unwrap();
    has(
        &stage,
        &[
            "VM-PASS-THROUGH",
            "VM-SHARED-DISK",
            "VM-VHD-SET",
            "VM-VHD-DISK",
            "VM-NO-DISKS",
            "VM-OLD-VERSION",
            "VM-VTPM",
            "VM-NOBACKUP-TAG",
            "VM-SAME-NAME",
            "VM-NOT-RUNNING",
            "VM-CHECKPOINT-TYPE",
            "VM-REPLICA",
            "VM-LONG-CHAIN",
            "VM-OLD-CHECKPOINTS",
            "VM-LEFTOVER-CHECKPOINT",
            "RESIDUE-CHECKPOINT-FOREIGN",
            "VM-OTHER-VOLUME",
            "VM-STORAGE-LOST",
            "VM-BUSY",
        ],
    );
}

#[test]
fn of_an_old_host_and_of_disks_that_do_not_open() {
    let stage = Stage::new(Profile::Server2012R2);
    let sim = &stage.sim;
    let ide = DiskSlot {
        kind: ControllerKind::Ide,
        controller: 0,
        slot: 0,
    };
    let spec = VmSpec {
        scsi_controllers: 0,
        ..VmSpec::new("ide")
            .with_generation(1)
            .with_disk(DiskSpec::empty(4 << 20).at(ide))
    };
    sim.add_vm(&spec).unwrap();
    let damaged = sim
        .add_vm(&VmSpec {
            running: false,
            ..vm("damaged")
        })
        .unwrap();
    let missing = sim
        .add_vm(&VmSpec {
            running: false,
            ..vm("missing")
        })
        .unwrap();
    let file = |vm: Uuid| local(sim, &sim.vm(vm).unwrap().disks[0].path);
    std::fs::write(file(damaged), b"no disk at all").unwrap();
    std::fs::remove_file(file(missing)).unwrap();
    has(
        &stage,
        &[
            "VM-NO-SCSI",
            "VM-DISK-UNREADABLE",
            "VM-DISK-UNREACHABLE",
            "VM-GUEST-DISK-UNREAD",
        ],
    );
}

#[test]
fn of_a_node_of_a_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = ClusterOptions::of_nodes(2, Profile::Server2022);
    options.functional_level = Some(8);
    let cluster = SimCluster::create(&folder.path().join("cluster"), options).unwrap();
    let node = cluster.node("HV1").unwrap();
    node.add_vm(&vm("by hand")).unwrap();
    let stage = Stage::on(node, folder);
    has(
        &stage,
        &[
            "HOST-CLUSTER-MIXED",
            "HOST-CLUSTER-NODES",
            "VM-NOT-CLUSTERED",
        ],
    );
}

#[test]
fn of_chains_that_are_broken() {
    let stage = Stage::new(Profile::Server2022);
    let sim = &stage.sim;
    let own = sim
        .add_vm(&VmSpec {
            running: false,
            ..vm("broken")
        })
        .unwrap();
    let parent = sim.vm(own).unwrap().disks[0].path.clone();
    sim.checkpoint(own, "one").unwrap();
    let merging = sim.add_vm(&vm("merging")).unwrap();
    let checkpoint = sim.checkpoint(merging, "one").unwrap();
    sim.delete_checkpoint(checkpoint).unwrap();
    std::fs::remove_file(local(sim, &parent)).unwrap();
    has(&stage, &["VM-PARENT-MISSING", "VM-MERGE-PENDING"]);
}
