//! The inventory says what the simulated host knows of itself.

use hyperv_host::{DiskKind, HypervHost, PowerState};
use hyperv_sim::{DiskSpec, Guest, Profile, VmSpec};
use vm_config::{ControllerKind, DiskSlot};

use crate::bench::Bench;

const MIB: u64 = 1 << 20;

fn slot(kind: ControllerKind, controller: u32, slot: u32) -> DiskSlot {
    DiskSlot {
        kind,
        controller,
        slot,
    }
}

fn disk(kind: hyperv_sim::DiskKind) -> DiskSpec {
    DiskSpec::empty(16 * MIB).of_kind(kind)
}

#[test]
fn disks_have_the_places_and_sizes_that_the_host_gave_them() {
    use hyperv_sim::DiskKind as Sim;
    for profile in Profile::SINCE_2012_R2 {
        let bench = Bench::with(profile, |sim| {
            let mut many = VmSpec::new("many")
                .with_generation(1)
                .with_disk(disk(Sim::Vhd).at(slot(ControllerKind::Ide, 0, 0)))
                .with_disk(disk(Sim::Vhdx).at(slot(ControllerKind::Ide, 1, 1)))
                .with_disk(disk(Sim::PassThrough).at(slot(ControllerKind::Scsi, 0, 3)))
                .with_disk(disk(Sim::Vhdx).at(slot(ControllerKind::Scsi, 1, 0)))
                .with_disk(disk(Sim::SharedVhdx).at(slot(ControllerKind::Scsi, 2, 5)));
            many.scsi_controllers = 3;
            sim.add_vm(&many).unwrap();
            sim.change_behavior(|behavior| behavior.localized = true)
                .unwrap();
        });
        let inventory = bench.host.inventory().unwrap();
        let [entry] = &inventory.vms[..] else {
            panic!("{:?}", inventory.vms);
        };
        let own = bench.sim.vms().unwrap().remove(0);
        assert_eq!(entry.identity, own.id.to_string());
        assert_eq!(entry.state, Some(PowerState::Running));
        assert_eq!(entry.version.as_deref(), Some(own.version.as_str()));
        let places: Vec<_> = entry.disks.iter().map(|disk| disk.slot.unwrap()).collect();
        let expected: Vec<_> = own.disks.iter().map(|disk| disk.slot).collect();
        assert_eq!(places, expected, "{profile}");
        for (disk, own) in entry.disks.iter().zip(&own.disks) {
            if disk.kind == DiskKind::Virtual {
                assert_eq!(disk.path, own.path);
                assert_eq!(disk.size_bytes, Some(own.size_bytes), "{}", disk.path);
                assert_eq!(disk.chain_files, 1);
            }
        }
    }
}

#[test]
fn checkpoints_are_counted_and_their_chains_opened() {
    let bench = Bench::with(Profile::Server2022, |sim| {
        let spec = VmSpec::new("vm").with_disk(disk(hyperv_sim::DiskKind::Vhdx));
        let vm = sim.add_vm(&spec).unwrap();
        sim.checkpoint(vm, "one").unwrap();
        sim.checkpoint(vm, "two").unwrap();
        sim.plant_foreign_checkpoint(vm, "other program").unwrap();
    });
    let entry = bench.host.inventory().unwrap().vms.remove(0);
    assert_eq!((entry.checkpoints, entry.disks[0].chain_files), (2, 4));
    let ids: Vec<_> = entry
        .findings
        .iter()
        .map(|finding| finding.id.as_str())
        .collect();
    assert_eq!(ids, ["VM-LEFTOVER-CHECKPOINT"]);
}

#[test]
fn a_renamed_vm_stays_the_same_and_a_namesake_is_another() {
    let bench = Bench::with(Profile::Server2022, |sim| {
        for _ in 0..2 {
            sim.add_vm(&VmSpec::new("web").with_guest(Guest::None))
                .unwrap();
        }
    });
    let before = bench.host.inventory().unwrap().vms;
    assert_ne!(before[0].identity, before[1].identity);
    let first = before[0].identity.parse().unwrap();
    bench.sim.rename(first, "db").unwrap();
    let after = bench.host.inventory().unwrap().vms;
    assert_eq!(
        (after[0].name.as_str(), &after[0].identity),
        ("db", &before[0].identity)
    );
}

#[test]
fn the_host_is_asked_as_often_for_many_vms_as_for_one() {
    let calls = |vms: usize| {
        let bench = Bench::with(Profile::Server2022, |sim| {
            for number in 0..vms {
                sim.add_vm(&VmSpec::new(format!("vm{number}"))).unwrap();
            }
        });
        let inventory = bench.host.inventory().unwrap();
        assert_eq!(inventory.vms.len(), vms);
        for vm in &inventory.vms {
            bench.host.plan(vm, &Default::default(), None).unwrap();
        }
        let count = bench.session.call_count();
        assert!(count.methods.is_empty(), "nothing is touched");
        (count.queries, count.gets)
    };
    assert_eq!(calls(1), calls(40));
}
