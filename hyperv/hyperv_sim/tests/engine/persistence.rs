//! One folder, several programs.

use std::sync::Arc;

use hyperv_sim::{DiskSpec, SimHost, SimOptions, VmSpec};
use vm_config::VmConfiguration;

use crate::fixture::{Fixture, MIB, bytes_of};

#[test]
fn a_host_that_is_opened_again_is_the_same() {
    let test = Fixture::new();
    let vm = test.vm();
    test.recovery(vm);
    let other = SimHost::open(&test.dir()).unwrap();
    assert_eq!(other.vm(vm).unwrap(), test.host.vm(vm).unwrap());
    assert_eq!(other.ledger().unwrap(), test.host.ledger().unwrap());
    assert!(SimHost::create(&test.dir(), SimOptions::default()).is_err());
}

#[test]
fn two_handles_see_each_others_changes() {
    let test = Fixture::new();
    let vm = test.vm();
    let other = SimHost::open(&test.dir()).unwrap();
    other.write(vm, 0, 0, &[5; 512]).unwrap();
    let snapshot = test.recovery(vm);
    assert_eq!(other.vm(vm).unwrap().snapshots[0].id, snapshot);
    other.delete_checkpoint(snapshot).unwrap();
    other.settle().unwrap();
    assert!(test.host.vm(vm).unwrap().snapshots.is_empty());
    assert_eq!(bytes_of(&test.host.open_disk(vm, 0).unwrap())[0], 5);
    assert!(other.now().unwrap() < test.host.now().unwrap());
}

#[test]
fn threads_take_turns() {
    let test = Arc::new(Fixture::new());
    let vm = test.vm();
    let threads: Vec<_> = (0..4_u64)
        .map(|number| {
            let test = Arc::clone(&test);
            std::thread::spawn(move || {
                for step in 0..4 {
                    let offset = (number * 4 + step) * 4096;
                    let fill = u8::try_from(number + 1).unwrap();
                    test.host.write(vm, 0, offset, &[fill; 4096]).unwrap();
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    let bytes = bytes_of(&test.host.open_disk(vm, 0).unwrap());
    assert_eq!((bytes[0], bytes[65_535]), (1, 4));
}

#[test]
fn one_seed_makes_one_host() {
    let made = || {
        let test = Fixture::new();
        let vm = test.vm();
        test.reference_point(vm);
        serde_json::to_string(&test.host.vm(vm).unwrap()).unwrap()
    };
    assert_eq!(made(), made());
}

#[test]
fn configurations_read_back() {
    let test = Fixture::new();
    let spec = VmSpec {
        has_tpm: true,
        ..VmSpec::new("db").with_disk(DiskSpec::empty(8 * MIB))
    };
    let vm = test.host.add_vm(&spec).unwrap();
    let snapshot = test.recovery(vm);
    let facts = test.host.vm(vm).unwrap();
    let read = |relative: &str| {
        let local = test.local(&format!("{}\\{relative}", facts.config_root));
        for extension in ["VMRS", "vmgs"] {
            assert!(
                local.with_extension(extension).is_file(),
                "{relative} {extension}"
            );
        }
        let bytes = std::fs::read(&local).unwrap();
        VmConfiguration::from_bytes(relative, &bytes).unwrap()
    };
    let active = read(&facts.config_file);
    assert_eq!((active.name.as_str(), active.id), ("db", vm));
    assert_eq!(active.version, "10.0");
    assert_eq!(active.disks[0].path, facts.disks[0].path);
    assert_eq!(active.checkpoints[0].id, snapshot);
    let frozen = read(&facts.snapshots[0].config_file);
    assert_eq!(frozen.disks[0].path, test.frozen(vm, snapshot));
}
