//! What snapshots of volumes hold.

use disk_image::HostPaths as _;
use hyperv_sim::{
    DiskKind, DiskSpec, GuestPlan, GuestWrite, PowerState, Profile, SimPaths, SnapshotSettings,
    VmSpec,
};
use uuid::Uuid;

use crate::stage::{MIB, Stage, never};

/// A guest that recovers, and that writes between its own snapshot and that of the volume.
fn busy_guest() -> GuestPlan {
    let write = |offset, byte| GuestWrite {
        disk: 0,
        offset,
        bytes: vec![byte; 700],
    };
    GuestPlan {
        volumes_lack_vss: false,
        recovery: vec![write(5000, 0xAA)],
        meanwhile: vec![write(100_000, 0xBB)],
    }
}

/// The disk as the guest left it, and the same with what it writes in a snapshot, or meanwhile.
struct Contents {
    at_snapshot: Vec<u8>,
    recovered: Vec<u8>,
    running: Vec<u8>,
}

fn prepare(stage: &Stage, vm: Uuid) -> Contents {
    let mut at_snapshot = vec![0; 4 << 20];
    for (offset, byte) in [(0_usize, 1_u8), (70_000, 2), (3 << 20, 3)] {
        at_snapshot[offset..offset + 5000].fill(byte);
        stage
            .host
            .write(vm, 0, offset as u64, &[byte; 5000])
            .unwrap();
    }
    stage.host.plan_guest(vm, busy_guest()).unwrap();
    let mut recovered = at_snapshot.clone();
    recovered[5000..5700].fill(0xAA);
    let mut running = at_snapshot.clone();
    running[100_000..100_700].fill(0xBB);
    Contents {
        at_snapshot,
        recovered,
        running,
    }
}

fn leaf(stage: &Stage, vm: Uuid) -> String {
    stage.host.vm(vm).unwrap().disks[0].path.clone()
}

#[test]
fn on_2012_r2_the_recovery_file_holds_what_the_guest_recovered_to() {
    let stage = Stage::new(Profile::Server2012R2);
    let vm = stage.vm("web");
    let contents = prepare(&stage, vm);
    let frozen = leaf(&stage, vm);
    let mut backup = stage.snapped(&[vm]);
    let recovery = frozen.replace(".vhdx", "-AutoRecovery.avhdx");
    assert!(stage.read(&mut *backup, &frozen) == contents.at_snapshot);
    assert!(stage.read(&mut *backup, &recovery) == contents.recovered);
    let folder = frozen.rsplit_once('\\').unwrap().0;
    let device = backup.snapshots().unwrap()[0].device.clone();
    let paths = SimPaths::new(stage.host.clone());
    let folder = paths.locate(&folder.replacen("C:", &device, 1)).unwrap();
    let names = std::fs::read_dir(folder).unwrap();
    let names = names.map(|own| own.unwrap().file_name().into_string().unwrap());
    let running: Vec<String> = names.filter(|own| own.starts_with("web_")).collect();
    let running = format!("{}\\{}", frozen.rsplit_once('\\').unwrap().0, running[0]);
    assert!(stage.read(&mut *backup, &running) == contents.running);
    backup.complete(&never).unwrap();
}

#[test]
fn on_2012_the_disk_itself_is_taken_back_and_since_2016_nothing_has_to_be() {
    for kind in [DiskKind::Vhd, DiskKind::Vhdx] {
        let stage = Stage::new(Profile::Server2012);
        let disk = DiskSpec::empty(4 * MIB).of_kind(kind);
        let vm = stage.add(&VmSpec::new("web").with_disk(disk));
        let contents = prepare(&stage, vm);
        let mut backup = stage.snapped(&[vm]);
        let mut expected = contents.running.clone();
        expected[5000..5700].fill(0xAA);
        assert!(
            stage.read(&mut *backup, &leaf(&stage, vm)) == expected,
            "{kind:?}"
        );
    }
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.vm("web");
    let contents = prepare(&stage, vm);
    let frozen = leaf(&stage, vm);
    let mut backup = stage.snapped(&[vm]);
    assert!(stage.read(&mut *backup, &frozen) == contents.at_snapshot);
}

#[test]
fn what_happens_to_the_disk_later_does_not_reach_the_snapshot() {
    for profile in [Profile::Server2012R2, Profile::Server2022] {
        let stage = Stage::new(profile);
        let vm = stage.vm("web");
        stage.host.checkpoint(vm, "a person's").unwrap();
        stage.host.write(vm, 0, 0, &[7; 4096]).unwrap();
        let frozen = leaf(&stage, vm);
        let mut backup = stage.snapped(&[vm]);
        let before = stage.read(&mut *backup, &frozen);
        assert_eq!(before[..4096], [7; 4096]);
        stage.host.settle().unwrap();
        stage.host.write(vm, 0, 0, &[8; 4096]).unwrap();
        let person = stage.host.vm(vm).unwrap().snapshots[0].id;
        stage.host.delete_checkpoint(person).unwrap();
        stage.host.settle().unwrap();
        assert!(stage.read(&mut *backup, &frozen) == before);
        backup.complete(&never).unwrap();
        drop(backup);
        let device = "\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy1\\Hyper-V";
        assert_eq!(SimPaths::new(stage.host.clone()).locate(device), None);
    }
}

#[test]
fn who_reads_a_snapshot_does_not_hold_back_a_merge() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.vm("web");
    stage.host.write(vm, 0, 0, &[7; 4096]).unwrap();
    let frozen = leaf(&stage, vm);
    let mut backup = stage.snapped(&[vm]);
    let device = backup.snapshots().unwrap()[0].device.clone();
    let paths = SimPaths::new(stage.host.clone());
    let path = paths.locate(&frozen.replacen("C:", &device, 1)).unwrap();
    let options = disk_image::OpenOptions::on_host(std::sync::Arc::new(paths));
    let image = disk_image::open(&path, &options).unwrap();
    stage.host.settle().unwrap();
    assert_eq!(stage.host.vm(vm).unwrap().files.len(), 1);
    drop(image);
    let unlucky = SnapshotSettings::standard("still works");
    stage.host.make_checkpoint(vm, &unlucky).unwrap();
}

#[test]
fn memory_of_a_vm_that_was_saved_for_it_is_in_the_snapshot() {
    let stage = Stage::new(Profile::Server2012);
    let spec = VmSpec::new("db").with_guest(hyperv_sim::Guest::Linux);
    let vm = stage.add(&spec.with_disk(DiskSpec::empty(MIB)));
    let mut backup = stage.snapped(&[vm]);
    let device = backup.snapshots().unwrap()[0].device.clone();
    let file = format!("Virtual Machines\\{}.bin", vm.to_string().to_uppercase());
    let paths = SimPaths::new(stage.host.clone());
    assert!(
        paths
            .locate(&format!("{device}\\Hyper-V\\db\\{file}"))
            .is_some()
    );
    assert_eq!(stage.host.vm(vm).unwrap().power, PowerState::Running);
}

#[test]
fn a_guest_that_writes_on_changes_its_disk_and_not_the_snapshot() {
    for kind in [DiskKind::Vhdx, DiskKind::Vhd] {
        let stage = Stage::new(Profile::Server2022);
        let disk = DiskSpec::empty(4 * MIB).of_kind(kind);
        let vm = stage.add(&VmSpec::new("web").with_disk(disk));
        stage.host.write(vm, 0, 0, &[1; 4096]).unwrap();
        let mut backup = stage.snapped_without_writers();
        stage.host.write(vm, 0, 0, &[2; 4096]).unwrap();
        let path = leaf(&stage, vm);
        assert_eq!(
            stage.read(&mut *backup, &path)[..4096],
            [1; 4096],
            "{kind:?}"
        );
        stage
            .host
            .change_vm(vm, |own| own.notes = "changed".to_owned())
            .unwrap();
        let device = backup.snapshots().unwrap()[0].device.clone();
        let file = format!("Virtual Machines\\{}.vmcx", vm.to_string().to_uppercase());
        let paths = SimPaths::new(stage.host.clone());
        let old = paths
            .locate(&format!("{device}\\Hyper-V\\web\\{file}"))
            .unwrap();
        let new = paths.locate(&format!("C:\\Hyper-V\\web\\{file}")).unwrap();
        assert!(std::fs::read(old).unwrap() != std::fs::read(new).unwrap());
    }
}
