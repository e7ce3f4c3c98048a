//! Disks that lie: whatever they say, looking at them ends, soon, and without much memory.

use std::path::Path;
use std::sync::Arc;

use block_io::{BlockDevice, MemoryDisk};
use disk_model::CountedDisk;
use proptest::prelude::*;
use volume_map::guest_volumes;

use crate::disks::{Changed, Device, open};
use crate::{forged_ldm, linux_arrays};

/// Looks at disks, reads a little of each volume, and returns how much was read.
fn look(disks: Vec<Device>) -> u64 {
    let counted: Vec<Arc<CountedDisk<Device>>> = disks
        .into_iter()
        .map(|disk| Arc::new(CountedDisk::new(disk)))
        .collect();
    let devices: Vec<Device> = counted
        .iter()
        .map(|disk| Arc::clone(disk) as Device)
        .collect();
    let all = guest_volumes(&devices);
    assert!(all.volumes.len() <= 1024);
    let looking = counted.iter().map(|disk| disk.bytes_read()).sum();
    for volume in &all.volumes {
        assert!(!volume.name.contains(['/', ':', '\0']) && !volume.name.is_empty());
        let Some(device) = &volume.device else {
            assert!(volume.obstacle.is_some(), "{volume:?}");
            continue;
        };
        assert_eq!(device.size_bytes(), volume.size_bytes);
        for at in [
            0,
            device.size_bytes() / 2,
            device.size_bytes().saturating_sub(9),
        ] {
            let len = (device.size_bytes() - at).min(9);
            let before: u64 = counted.iter().map(|disk| disk.bytes_read()).sum();
            device
                .read_at(at, &mut vec![0; usize::try_from(len).unwrap()])
                .unwrap();
            let after: u64 = counted.iter().map(|disk| disk.bytes_read()).sum();
            // What was asked for, and nothing else.
            assert!(after - before <= len, "{volume:?}");
            if len > 0 {
                let extent = device.extent_at(at, len).unwrap();
                assert!((1..=len).contains(&extent.len_bytes));
            }
        }
    }
    looking
}

/// Places where something is said of a disk: the first 2 MiB and the last 128 KiB, as far as they are
/// not zero.
fn places(disk: &dyn BlockDevice) -> Vec<u64> {
    let mut places = Vec::new();
    let size = disk.size_bytes();
    for (from, to) in [
        (0, size.min(2 << 20)),
        (size.saturating_sub(128 << 10), size),
    ] {
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        disk.read_at(from, &mut bytes).unwrap();
        let said = (from..).zip(bytes).filter(|(_, byte)| *byte != 0);
        places.extend(said.map(|(at, _)| at));
    }
    places
}

fn changed(disks: &[Device], places: &[Vec<u64>], changes: &[(usize, usize, u8)]) -> Vec<Device> {
    let disks = disks.iter().zip(places).enumerate();
    disks
        .map(|(number, (disk, places))| {
            let own = changes.iter().filter(|(of, ..)| of % 3 == number % 3);
            let own = own
                .filter_map(|(_, at, byte)| Some((*places.get(at % places.len().max(1))?, *byte)));
            Changed::with(disk, own.collect())
        })
        .collect()
}

fn changes() -> impl Strategy<Value = Vec<(usize, usize, u8)>> {
    prop::collection::vec((0..3_usize, any::<usize>(), any::<u8>()), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn changed_arrays_and_groups_end(changes in changes(), kind in 0..6_usize) {
        let Some(made) = linux_arrays::made() else { return Ok(()) };
        let letters = ['a'..='b', 'c'..='e', 'k'..='m', 'n'..='o', 'u'..='w', 'x'..='y'];
        let disks = linux_arrays::disks(made, letters[kind].clone());
        let places: Vec<Vec<u64>> = disks.iter().map(|disk| places(disk)).collect();
        let read = look(changed(&disks, &places, &changes));
        prop_assert!(read < 64 << 20, "{}", read);
    }

    #[test]
    fn changed_dynamic_disks_end(changes in changes(), at in 0..3000_usize) {
        // Records have no checksum, so these reach everything.
        let disks: Vec<Device> =
            forged_ldm::group().into_iter().map(|disk| Arc::new(MemoryDisk::new(disk)) as Device).collect();
        let table = disks[0].size_bytes() - (2048 - 17) * 512;
        let places: Vec<Vec<u64>> = vec![(table..table + 3500).collect(); 2];
        let changes: Vec<_> = changes.into_iter().map(|(disk, place, byte)| (disk, at + place % 60, byte)).collect();
        let read = look(changed(&disks, &places, &changes));
        prop_assert!(read < 16 << 20, "{}", read);
    }

    #[test]
    fn any_bytes_are_disks(seed in prop::collection::vec(any::<u8>(), 600..6000), magic in 0..5_usize) {
        let mut disk = seed;
        disk.resize(300_000, 0x41);
        let put = |disk: &mut Vec<u8>, at: usize, bytes: &[u8]| disk[at..at + bytes.len()].copy_from_slice(bytes);
        match magic {
            0 => put(&mut disk, 512, b"LABELONE"),
            1 => put(&mut disk, 4096, &[0xFC, 0x4E, 0x2B, 0xA9, 1, 0, 0, 0]),
            2 => put(&mut disk, 512, b"EFI PART"),
            3 => put(&mut disk, 3072, b"PRIVHEAD"),
            _ => {}
        }
        put(&mut disk, 510, &[0x55, 0xAA]);
        for at in [446, 462, 478, 494] {
            disk[at] = 0;
        }
        look(vec![Arc::new(MemoryDisk::new(disk))]);
    }
}

#[test]
fn looking_at_a_large_disk_reads_little() {
    let folder = tempfile::tempdir().unwrap();
    let path: &Path = &folder.path().join("large.raw");
    std::fs::File::create(path)
        .unwrap()
        .set_len(14 << 40)
        .unwrap();
    let script = "label: gpt\nsize=1TiB\nsize=4TiB\nsize=8TiB\n";
    let mut child = std::process::Command::new("sfdisk");
    let child = child
        .arg("-q")
        .arg(path)
        .stdin(std::process::Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        return disk_model::independent_tools::skip("sfdisk is not installed");
    };
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), script.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let read = look(vec![open(path)]);
    assert!(read < 256 << 10, "{read}");
}
