//! What is found on disks: of tools that others wrote, and of bytes that nobody meant.

use std::path::Path;
use std::process::Command;

use block_io::MemoryDisk;
use disk_model::CountedDisk;
use proptest::prelude::*;
use volume_map::{Content, READS_MAX, Role, Scheme, volume_map};

const MIB: usize = 1 << 20;

/// A disk with a master boot record: type, first sector, sectors.
fn mbr(entries: &[(u8, u32, u32)]) -> Vec<u8> {
    let mut disk = vec![0; 16 * MIB];
    table(&mut disk, 0, entries);
    disk
}

fn table(disk: &mut [u8], sector: usize, entries: &[(u8, u32, u32)]) {
    let base = sector * 512;
    for (number, (kind, first, sectors)) in entries.iter().enumerate() {
        let at = base + 446 + 16 * number;
        disk[at + 4] = *kind;
        disk[at + 8..at + 12].copy_from_slice(&first.to_le_bytes());
        disk[at + 12..at + 16].copy_from_slice(&sectors.to_le_bytes());
    }
    disk[base + 510..base + 512].copy_from_slice(&[0x55, 0xAA]);
}

fn gpt(sector_bytes: usize, kinds: &[&str]) -> Vec<u8> {
    let mut disk = mbr(&[(0xEE, 1, u32::MAX)]);
    let header = sector_bytes;
    disk[header..header + 8].copy_from_slice(b"EFI PART");
    disk[header + 72..header + 80].copy_from_slice(&2_u64.to_le_bytes());
    disk[header + 80..header + 84].copy_from_slice(&128_u32.to_le_bytes());
    disk[header + 84..header + 88].copy_from_slice(&128_u32.to_le_bytes());
    for (number, kind) in kinds.iter().enumerate() {
        let at = 2 * sector_bytes + 128 * number;
        let kind = uuid::Uuid::parse_str(kind).unwrap();
        disk[at..at + 16].copy_from_slice(&kind.to_bytes_le());
        let first = u64::try_from(MIB / sector_bytes * (1 + number)).unwrap();
        let sectors = u64::try_from(MIB / sector_bytes).unwrap();
        disk[at + 32..at + 40].copy_from_slice(&first.to_le_bytes());
        disk[at + 40..at + 48].copy_from_slice(&(first + sectors - 1).to_le_bytes());
    }
    disk
}

fn found(disk: &[u8]) -> (Scheme, Vec<(Role, Content)>) {
    let counted = CountedDisk::new(MemoryDisk::new(disk.to_vec()));
    let map = volume_map(&counted).unwrap();
    assert!(counted.reads() <= READS_MAX as u64);
    let parts = map.partitions.iter();
    (
        map.scheme,
        parts.map(|part| (part.role, part.content)).collect(),
    )
}

const BASIC: &str = "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7";
const EFI: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";

#[test]
fn dynamic_disks_of_windows_are_told_by_type_and_by_guid() {
    let disk = mbr(&[(0x42, 63, 20_000)]);
    assert_eq!(
        found(&disk),
        (Scheme::Mbr, vec![(Role::Ldm, Content::Unknown)])
    );
    assert!(volume_map(&MemoryDisk::new(disk)).unwrap().is_ldm());
    for sector_bytes in [512, 4096] {
        let disk = gpt(
            sector_bytes,
            &[
                "5808c8aa-7e8f-42e0-85d2-e1e90434cfb3",
                "af9b60a0-1431-4f62-bc68-3311714a69ad",
            ],
        );
        let (scheme, parts) = found(&disk);
        assert_eq!(scheme, Scheme::Gpt);
        assert!(
            parts.iter().all(|(role, _)| *role == Role::Ldm),
            "{parts:?}"
        );
    }
    let basic = mbr(&[(0x07, 2048, 20_000)]);
    assert!(!volume_map(&MemoryDisk::new(basic)).unwrap().is_ldm());
}

#[test]
fn an_efi_system_partition_is_told_from_data() {
    let (_, parts) = found(&gpt(512, &[EFI, BASIC]));
    assert_eq!(parts[0].0, Role::EfiSystem);
    assert_eq!(parts[1].0, Role::Data);
}

#[test]
fn volumes_of_an_extended_partition_are_found_and_a_loop_ends() {
    let mut disk = mbr(&[(0x07, 64, 64), (0x0F, 1000, 20_000)]);
    table(&mut disk, 1000, &[(0x0B, 8, 100), (0x05, 500, 600)]);
    table(&mut disk, 1500, &[(0x42, 8, 100), (0x05, 0, 600)]);
    let map = volume_map(&MemoryDisk::new(disk)).unwrap();
    let offsets: Vec<u64> = map
        .partitions
        .iter()
        .map(|part| part.offset / 512)
        .collect();
    assert_eq!(offsets, [64, 1008, 1508]);
    assert!(map.is_ldm());
}

#[test]
fn what_lies_beyond_the_end_is_cut_off() {
    let map = volume_map(&MemoryDisk::new(mbr(&[
        (0x07, 2048, u32::MAX),
        (0x07, u32::MAX, 5),
    ])));
    let map = map.unwrap();
    assert_eq!(map.partitions.len(), 1);
    assert_eq!(map.partitions[0].len_bytes, (16 * MIB - MIB) as u64);
}

#[test]
fn nothing_is_found_on_an_empty_disk() {
    for bytes in [0, 1, 511, 512, 4096, MIB] {
        assert_eq!(found(&vec![0; bytes]), (Scheme::Unknown, vec![]));
    }
}

/// Makes a volume with a tool, and puts it behind a table.
fn made_by(tool: &str, arguments: &[&str], mib: usize) -> Option<Vec<u8>> {
    let folder =
        std::env::temp_dir().join(format!("volume-map-{}-{tool}-{mib}", std::process::id()));
    let path: &Path = &folder;
    std::fs::write(path, vec![0; mib * MIB]).unwrap();
    let made = Command::new(tool).args(arguments).arg(path).output();
    let bytes = std::fs::read(path).unwrap();
    std::fs::remove_file(path).unwrap();
    match made {
        Ok(output) if output.status.success() => Some(bytes),
        Ok(output) => panic!("{tool}: {output:?}"),
        Err(_) => {
            assert!(
                std::env::var_os("LIFEBOAT_REQUIRE_TOOLS").is_none_or(|value| value != "1"),
                "{tool} is not installed"
            );
            eprintln!("skipped: {tool} is not installed");
            None
        }
    }
}

#[test]
fn volumes_that_others_made_are_told_by_their_first_bytes() {
    let rows = [
        ("mkfs.vfat", &["-F", "12"][..], 2, Content::Fat12),
        ("mkfs.vfat", &["-F", "16"], 24, Content::Fat16),
        ("mkfs.vfat", &["-F", "32"], 70, Content::Fat32),
        ("mkfs.ntfs", &["-F", "-Q"], 8, Content::Ntfs),
        ("mkfs.ext4", &["-q", "-F"], 8, Content::Ext),
        ("mkfs.exfat", &[], 8, Content::ExFat),
        ("mkswap", &[], 2, Content::Swap),
        ("mkfs.btrfs", &["-q", "-M"], 120, Content::Btrfs),
    ];
    for (tool, arguments, mib, content) in rows {
        let Some(volume) = made_by(tool, arguments, mib) else {
            continue;
        };
        assert_eq!(
            found(&volume),
            (Scheme::None, vec![(Role::Data, content)]),
            "{tool}"
        );
        let sectors = u32::try_from(volume.len() / 512).unwrap();
        let mut disk = vec![0; MIB];
        table(&mut disk, 0, &[(0x07, 2048, sectors)]);
        disk.extend(volume);
        assert_eq!(
            found(&disk),
            (Scheme::Mbr, vec![(Role::Data, content)]),
            "{tool}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_a_disk(
        seed in prop::collection::vec(any::<u8>(), 0..6000),
        signature in any::<bool>(),
        kind in any::<u8>(),
        magic in 0..4_usize,
    ) {
        let mut disk = seed;
        disk.resize(disk.len() + 9000, 0x41);
        if signature {
            for at in [446, 462, 478, 494] {
                disk[at] = 0;
            }
            disk[510] = 0x55;
            disk[511] = 0xAA;
            disk[450] = kind;
        }
        if magic > 0 {
            disk[450] = 0xEE;
            disk[512 * magic..512 * magic + 8].copy_from_slice(b"EFI PART");
        }
        let (_, parts) = found(&disk);
        prop_assert!(parts.len() <= volume_map::PARTITIONS_MAX);
    }
}
