//! What changed since a restore point, for a restore in place.

use hyperv_host::{DiskChanges, FullReason, RestoreHost as _};
use hyperv_sim::Profile;

use crate::backup::spec;
use crate::run::{back_up, request};
use crate::stage::Stage;

#[test]
fn what_changed_since_a_point_is_told_while_the_vm_is_off() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add(&spec("web"));
    let id = vm.to_string();
    let (_, host) = stage.connect();
    let point = back_up(&stage, &host, vm, &request("one"), None).unwrap();
    let disk = &point.backup.disks[0];
    let (slot, cursor) = (disk.slot.unwrap(), disk.cursor.clone().unwrap());
    stage.sim.settle().unwrap();
    stage.write(vm, 9);
    let running = host.changes_since(&id, slot, &cursor).unwrap();
    assert_eq!(running, DiskChanges::Everything(FullReason::NotTracked));
    stage.sim.stop(vm).unwrap();
    let changes = host.changes_since(&id, slot, &cursor).unwrap();
    let DiskChanges::Ranges { ranges, .. } = changes else {
        panic!("{changes:?}");
    };
    let (before, now) = (&point.contents[0], stage.content(vm, 0));
    let mut differs = 0;
    for (number, (was, is)) in (0_u64..).zip(before.chunks(4096).zip(now.chunks(4096))) {
        if was != is {
            differs += 1;
            assert!(ranges.intersects(number * 4096..number * 4096 + 1));
        }
    }
    assert!(differs > 0 && ranges.total_bytes() < now.len() as u64);
    let unknown = host.changes_since(&id, slot, "{}").unwrap();
    assert_eq!(unknown, DiskChanges::Everything(FullReason::IdUnknown));
    let other = point.backup.disks[1].cursor.clone().unwrap();
    let replaced = host.changes_since(&id, slot, &other).unwrap();
    assert_eq!(replaced, DiskChanges::Everything(FullReason::DiskReplaced));
}
