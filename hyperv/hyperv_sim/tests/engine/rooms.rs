//! Volumes that fill.

use std::time::Duration;

use hyperv_sim::{PowerState, SimErrorKind};

use crate::fixture::{Fixture, MIB};

#[test]
fn free_space_follows_real_files() {
    let test = Fixture::new();
    let empty = test.host.volumes().unwrap()[0].free_bytes;
    let vm = test.vm();
    let with_vm = test.host.volumes().unwrap()[0].free_bytes;
    assert!(with_vm < empty);
    test.host.write(vm, 0, 0, &vec![1; 4 << 20]).unwrap();
    assert!(test.host.volumes().unwrap()[0].free_bytes <= with_vm - 4 * MIB);
}

#[test]
fn a_full_volume_refuses_checkpoints_and_pauses_writers() {
    let test = Fixture::new();
    let vm = test.vm();
    test.host.set_free_bytes("C:\\", 2 * MIB).unwrap();
    let refused = test.try_recovery(vm).unwrap_err();
    assert!(refused.to_string().contains("0x80070070"), "{refused}");
    let full = test.host.write(vm, 0, 0, &vec![1; 4 << 20]).unwrap_err();
    assert_eq!(full.kind(), SimErrorKind::NoSpace);
    assert_eq!(test.host.vm(vm).unwrap().power, PowerState::PausedCritical);
}

#[test]
fn others_fill_a_volume_as_time_goes_by() {
    let test = Fixture::new();
    let vm = test.vm();
    test.host.set_free_bytes("C:\\", 100 * MIB).unwrap();
    let capacity = test.host.volumes().unwrap()[0].volume.capacity_bytes;
    test.host.set_volume("C:\\", capacity, MIB).unwrap();
    let before = test.host.volumes().unwrap()[0].free_bytes;
    test.host.advance(Duration::from_secs(10)).unwrap();
    let after = test.host.volumes().unwrap()[0].free_bytes;
    assert!((10 * MIB..11 * MIB).contains(&(before - after)));
    test.host.advance(Duration::from_secs(100)).unwrap();
    assert_eq!(test.host.vm(vm).unwrap().power, PowerState::PausedCritical);
}
