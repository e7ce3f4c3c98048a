//! What guests' disks can do without is left out where that is asked for, and comes back with use.

use backup_run::{Outcome, SkipRequest};

use crate::on_simulated_host::{CHUNK, DISK_BYTES, Stage, full_disk, spec};

const MIB: usize = 1 << 20;
/// The swap area: all but the first MiB of the disk.
const AREA: usize = DISK_BYTES - MIB;
/// What is kept of it at either end.
const ENDS: usize = 2 * CHUNK;

/// Makes a disk of which all but the first MiB is a partition, full of data.
fn with_partition(kind: u8) -> Vec<u8> {
    let mut disk = full_disk(3);
    disk[..512].fill(0);
    let sectors = u32::try_from(AREA / 512).unwrap().to_le_bytes();
    disk[446 + 4] = kind;
    disk[446 + 8..446 + 12].copy_from_slice(&2048_u32.to_le_bytes());
    disk[446 + 12..446 + 16].copy_from_slice(&sectors);
    disk[510..512].copy_from_slice(&[0x55, 0xAA]);
    disk
}

/// The first page of a swap area of so many bytes.
fn swap_head(area_bytes: usize) -> Vec<u8> {
    let mut page = vec![0; 4096];
    page[1024] = 1;
    let last = u32::try_from(area_bytes / 4096 - 1).unwrap();
    page[1028..1032].copy_from_slice(&last.to_le_bytes());
    page[4086..].copy_from_slice(b"SWAPSPACE2");
    page
}

fn swap_disk() -> Vec<u8> {
    let mut disk = with_partition(0x82);
    disk[MIB..MIB + 4096].copy_from_slice(&swap_head(AREA));
    disk
}

fn asking(request: SkipRequest) -> Stage {
    let mut stage = Stage::new();
    stage.options.skip = request;
    stage
}

#[test]
fn a_swap_area_is_left_out_when_asked_for_and_read_as_soon_as_it_is_none() {
    let mut stage = Stage::new();
    let disk = swap_disk();
    let vm = stage.sim.add_vm(&spec("VM", &disk)).unwrap();
    stage.run();
    assert_eq!(stage.newest(vm), disk, "by default nothing is left out");
    // Nobody calls any of it changed, and still it is let go.
    stage.options.skip.swap = true;
    let report = stage.run();
    let item = &report.items[0];
    assert_eq!(item.outcome, Outcome::Success, "{item:?}");
    let left_out = (AREA - ENDS) as u64;
    assert_eq!(item.statistics.skipped_bytes, left_out);
    assert_eq!(item.disks[0].volumes[0].skipped[0].reason, "swap");
    let mut expected = disk.clone();
    expected[MIB + CHUNK..DISK_BYTES - CHUNK].fill(0);
    assert_eq!(stage.newest(vm), expected);
    let point = stage.repository.points_of(&vm.to_string()).unwrap().pop();
    let streams = &point.unwrap().streams;
    let shortened = streams.iter().find(|stream| !stream.skipped.is_empty());
    let told = &shortened.unwrap().skipped[0];
    assert_eq!((told.volume, told.reason.as_str()), (MIB as u64, "swap"));
    // The area shrinks, and what was behind is written to; tracking does not tell of the latter.
    let place = 2 * MIB;
    let range = place as u64..(place + CHUNK) as u64;
    stage.sim.lie(vm, 0, range).unwrap();
    stage.sim.write(vm, 0, place as u64, &[0x5A; 4096]).unwrap();
    let head = swap_head(512 << 10);
    stage.sim.write(vm, 0, MIB as u64, &head).unwrap();
    stage.run();
    let mut expected = disk.clone();
    expected[place..place + 4096].fill(0x5A);
    expected[MIB..MIB + 4096].copy_from_slice(&head);
    expected[MIB + CHUNK..MIB + (512 << 10)].fill(0);
    assert_eq!(stage.newest(vm), expected);
    // Asked for no more: all of it comes back.
    stage.options.skip = SkipRequest::default();
    let report = stage.run();
    assert_eq!(report.items[0].statistics.skipped_bytes, 0);
    expected[MIB + CHUNK..MIB + (512 << 10)].copy_from_slice(&disk[MIB + CHUNK..MIB + (512 << 10)]);
    assert_eq!(stage.newest(vm), expected);
}

#[test]
fn what_is_not_at_rest_is_kept_and_the_point_says_so() {
    let stage = asking(SkipRequest::all());
    let mut disk = with_partition(0x83);
    // An ext4 whose journal has to be replayed.
    let superblock = MIB + 1024;
    disk[superblock..superblock + 1024].fill(0);
    disk[superblock + 56..superblock + 58].copy_from_slice(&[0x53, 0xEF]);
    disk[superblock + 96] = 4;
    let vm = stage.sim.add_vm(&spec("VM", &disk)).unwrap();
    let report = stage.run();
    let item = &report.items[0];
    assert_eq!(item.outcome, Outcome::Warning, "{item:?}");
    assert!(item.warnings[0].starts_with("DISK-SKIP-KEPT"), "{item:?}");
    assert_eq!(item.disks[0].volumes[0].kept[0].kind, "dirty");
    assert_eq!(item.statistics.skipped_bytes, 0);
    assert_eq!(stage.newest(vm), disk);
}

#[test]
fn a_vm_whose_memory_is_kept_keeps_what_it_has_paged_out() {
    let stage = asking(SkipRequest::all());
    let disk = swap_disk();
    let vm = stage.sim.add_vm(&spec("VM", &disk)).unwrap();
    stage.sim.start(vm).unwrap();
    stage.sim.save(vm).unwrap();
    let report = stage.run();
    let item = &report.items[0];
    assert!(item.point.is_some(), "{item:?}");
    let told = item
        .warnings
        .iter()
        .any(|text| text.starts_with("DISK-SKIP-KEPT"));
    assert!(told, "{item:?}");
    assert_eq!(stage.newest(vm), disk);
}
