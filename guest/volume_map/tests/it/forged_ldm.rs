//! Dynamic disks made here from the documented format, for machines without Windows' own.

use std::fs;
use std::sync::Arc;

use block_io::MemoryDisk;
use disk_model::independent_tools::{have_tool, run};
use uuid::Uuid;
use volume_map::{GuestVolumes, guest_volumes};

use crate::disks::{Device, bytes, obstacle, volume};

const SECTORS: usize = 8192;
const DATA_START: usize = 63;
const DATABASE_START: usize = SECTORS - 2048;
const GROUP: Uuid = Uuid::from_u128(0xABCD);

fn disk_id(number: u8) -> Uuid {
    Uuid::from_u128(0x1000 + u128::from(number))
}

/// The checksum that a block has behind its magic number.
fn seal(block: &mut [u8]) {
    block[8..12].fill(0);
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[8..12].copy_from_slice(&sum.to_be_bytes());
}

fn put(block: &mut [u8], at: usize, bytes: &[u8]) {
    block[at..at + bytes.len()].copy_from_slice(bytes);
}

/// A record that is being written.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn number(mut self, value: u64) -> Self {
        let bytes = value.to_be_bytes();
        let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(7);
        self.0.push(u8::try_from(8 - first).unwrap());
        self.0.extend(&bytes[first..]);
        self
    }
    fn text(mut self, text: &str) -> Self {
        self.0.push(u8::try_from(text.len()).unwrap());
        self.0.extend(text.bytes());
        self
    }
    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }
    fn record(self, kind: u8, flags: u8) -> Vec<u8> {
        let len = u32::try_from(self.0.len()).unwrap();
        [&[0, 0, flags, kind][..], &len.to_be_bytes(), &self.0].concat()
    }
}

fn disk_record(number: u8) -> Vec<u8> {
    let fields = Fields::default()
        .number(100 + u64::from(number))
        .text(&format!("Disk{number}"));
    // The alternate name makes it too long for one VBLK.
    let fields = fields
        .text(&disk_id(number).to_string())
        .text(&"x".repeat(90));
    fields.raw(&[0; 12]).record(0x34, 0)
}

fn volume_record(id: u64, name: &str, children: u64, sectors: u64) -> Vec<u8> {
    let fields = Fields::default()
        .number(id)
        .text(name)
        .text("gen")
        .raw(&[0]);
    let fields = fields
        .raw(b"ACTIVE\0\0\0\0\0\0\0\0")
        .raw(&[3, 1, 5, 0, 0, 0, 0x11]);
    let fields = fields
        .number(children)
        .raw(&[0; 16])
        .number(sectors)
        .raw(&[0, 0, 0, 0, 7]);
    let guid = Uuid::from_u128(0x2000 + u128::from(id));
    fields.raw(guid.as_bytes()).text("E:").record(0x51, 0x02)
}

fn component_record(id: u64, volume: u64, kind: u8, children: u64, chunk: Option<u64>) -> Vec<u8> {
    let fields = Fields::default()
        .number(id)
        .text("component")
        .text("ACTIVE")
        .raw(&[kind, 0, 0, 0, 0]);
    let fields = fields
        .number(children)
        .raw(&[0; 16])
        .number(volume)
        .raw(&[0]);
    match chunk {
        Some(chunk) => fields.number(chunk).number(children).record(0x32, 0x10),
        None => fields.record(0x32, 0),
    }
}

/// Start and size in sectors; where in the component, and which column.
fn partition_record(
    component: u64,
    disk: u8,
    start: u64,
    sectors: u64,
    offset: u64,
    index: u64,
) -> Vec<u8> {
    let fields = Fields::default().number(900).text("part").raw(&[0; 12]);
    let fields = fields
        .raw(&start.to_be_bytes())
        .raw(&offset.to_be_bytes())
        .number(sectors);
    let fields = fields.number(component).number(100 + u64::from(disk));
    fields.number(index).record(0x33, 0x08)
}

/// A whole disk of the group, its data a pattern of its own.
fn disk(number: u8, committed: u64, records: &[Vec<u8>]) -> Vec<u8> {
    let mut disk = Vec::new();
    for sector in 0..SECTORS {
        let byte = if sector < DATABASE_START {
            sector.to_le_bytes()[0] ^ number
        } else {
            0
        };
        disk.extend([byte; 512]);
    }
    disk[..DATA_START * 512].fill(0);
    disk[446 + 4] = 0x42;
    put(&mut disk, 446 + 8, &63_u32.to_le_bytes());
    put(
        &mut disk,
        446 + 12,
        &u32::try_from(SECTORS - 63).unwrap().to_le_bytes(),
    );
    put(&mut disk, 510, &[0x55, 0xAA]);

    let mut head = vec![0; 512];
    put(&mut head, 0, b"PRIVHEAD");
    put(&mut head, 0x0C, &[0, 2, 0, 11]);
    put(&mut head, 0x30, disk_id(number).to_string().as_bytes());
    put(&mut head, 0xB0, GROUP.to_string().as_bytes());
    put(&mut head, 0xF0, b"Forged-Dg0");
    for (at, sector) in [
        (0x11B, DATA_START),
        (0x123, DATABASE_START - 63),
        (0x12B, DATABASE_START),
        (0x133, 2048),
    ] {
        put(&mut head, at, &(sector as u64).to_be_bytes());
    }
    seal(&mut head);
    for sector in [6, SECTORS - 1] {
        put(&mut disk, sector * 512, &head);
    }
    let mut contents = vec![0; 512];
    put(&mut contents, 0, b"TOCBLOCK");
    put(&mut contents, 0x24, b"config");
    put(&mut contents, 0x2E, &17_u64.to_be_bytes());
    put(&mut contents, 0x36, &1481_u64.to_be_bytes());
    put(&mut contents, 0x46, b"log");
    put(&mut contents, 0x50, &1498_u64.to_be_bytes());
    seal(&mut contents);
    for sector in [1, 2, 2046] {
        put(&mut disk, (DATABASE_START + sector) * 512, &contents);
    }
    let table = (DATABASE_START + 17) * 512;
    put(&mut disk, table, b"VMDB");
    for (at, value) in [(4, 200_u32), (8, 128), (12, 512)] {
        put(&mut disk, table + at, &value.to_be_bytes());
    }
    put(&mut disk, table + 0x10, &[0, 1, 0, 4, 0, 10]);
    put(&mut disk, table + 0x16, b"Forged-Dg0");
    put(&mut disk, table + 0x35, GROUP.to_string().as_bytes());
    put(&mut disk, table + 0x75, &committed.to_be_bytes());
    put(&mut disk, table + 0x7D, &committed.to_be_bytes());
    // How many volumes, components, partitions and disks.
    for (at, kind) in [(0x85, 0x51), (0x89, 0x32), (0x8D, 0x33), (0x91, 0x34)] {
        let count = records.iter().filter(|record| record[3] == kind).count();
        put(
            &mut disk,
            table + at,
            &u32::try_from(count).unwrap().to_be_bytes(),
        );
    }
    let mut pieces = Vec::new();
    for (group, record) in (1_u32..).zip(records) {
        let count = record.len().div_ceil(112);
        for (number, piece) in record.chunks(112).enumerate() {
            pieces.push((group, number, count, piece));
        }
    }
    // Pieces need not lie side by side.
    pieces.sort_by_key(|(group, number, ..)| (std::cmp::Reverse(*number), *group));
    for (slot, (group, number, count, piece)) in pieces.into_iter().enumerate() {
        let at = table + 512 + slot * 128;
        put(&mut disk, at, b"VBLK");
        put(
            &mut disk,
            at + 4,
            &u32::try_from(slot + 4).unwrap().to_be_bytes(),
        );
        put(&mut disk, at + 8, &group.to_be_bytes());
        put(
            &mut disk,
            at + 12,
            &u16::try_from(number).unwrap().to_be_bytes(),
        );
        put(
            &mut disk,
            at + 14,
            &u16::try_from(count).unwrap().to_be_bytes(),
        );
        put(&mut disk, at + 16, piece);
    }
    disk
}

/// A group of two disks with one volume of each layout, and the disks' bytes.
pub(crate) fn group() -> Vec<Vec<u8>> {
    let group_record = Fields::default()
        .number(99)
        .text("Forged-Dg0")
        .text(&GROUP.to_string());
    let records = [
        group_record.raw(&[0; 12]).record(0x35, 0),
        disk_record(1),
        disk_record(2),
        volume_record(1, "Simple", 1, 100),
        component_record(11, 1, 2, 1, None),
        partition_record(11, 1, 1, 100, 0, 0),
        volume_record(2, "Spanned", 1, 300),
        component_record(12, 2, 2, 2, None),
        partition_record(12, 2, 0, 200, 100, 0),
        partition_record(12, 1, 200, 100, 0, 0),
        volume_record(3, "Striped", 1, 256),
        component_record(13, 3, 1, 2, Some(64)),
        partition_record(13, 1, 500, 128, 0, 1),
        partition_record(13, 2, 400, 128, 0, 0),
        volume_record(4, "Mirrored", 2, 50),
        component_record(14, 4, 2, 1, None),
        component_record(15, 4, 2, 1, None),
        partition_record(14, 1, 1000, 50, 0, 0),
        partition_record(15, 2, 1000, 50, 0, 0),
    ];
    vec![disk(1, 7, &records), disk(2, 7, &records)]
}

fn found(disks: &[Vec<u8>]) -> GuestVolumes {
    let disks: Vec<Device> = disks
        .iter()
        .map(|disk| Arc::new(MemoryDisk::new(disk.clone())) as Device)
        .collect();
    guest_volumes(&disks)
}

fn sectors(disk: &[u8], start: usize, count: usize) -> &[u8] {
    &disk[(DATA_START + start) * 512..(DATA_START + start + count) * 512]
}

fn check(all: &GuestVolumes, disks: &[Vec<u8>]) {
    let [one, two] = disks else { panic!() };
    let data = |name: &str| bytes(volume(all, name).device.as_ref().unwrap());
    assert!(data("Simple") == sectors(one, 1, 100));
    assert!(data("Spanned") == [sectors(one, 200, 100), sectors(two, 0, 200)].concat());
    let striped = [
        sectors(two, 400, 64),
        sectors(one, 500, 64),
        sectors(two, 464, 64),
        sectors(one, 564, 64),
    ];
    assert!(data("Striped") == striped.concat());
    assert!(data("Mirrored") == sectors(one, 1000, 50));
}

#[test]
fn each_layout_reads_the_sectors_that_its_records_name() {
    let disks = group();
    check(&found(&disks), &disks);
}

#[test]
fn ldmtool_says_the_same() {
    if !have_tool("ldmtool", &["--help"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut arguments: Vec<std::ffi::OsString> = Vec::new();
    for (number, disk) in group().iter().enumerate() {
        let path = folder.path().join(number.to_string());
        fs::write(&path, disk).unwrap();
        arguments.extend(["-d".into(), path.into()]);
    }
    for (name, layout, size) in [
        ("Simple", "simple", 100),
        ("Spanned", "spanned", 300),
        ("Striped", "striped", 256),
        ("Mirrored", "mirrored", 50),
    ] {
        let mut arguments = arguments.clone();
        arguments.extend([
            "show".into(),
            "volume".into(),
            GROUP.to_string().into(),
            name.into(),
        ]);
        let arguments: Vec<&std::ffi::OsStr> = arguments
            .iter()
            .map(std::ffi::OsString::as_os_str)
            .collect();
        let said = run("ldmtool", &arguments).unwrap();
        assert!(said.contains(&format!("\"type\" : \"{layout}\"")), "{said}");
        assert!(said.contains(&format!("\"size\" : {size},")), "{said}");
    }
}

#[test]
fn a_damaged_header_and_table_of_contents_have_copies() {
    let mut disks = group();
    for disk in &mut disks {
        disk[6 * 512 + 0x40] ^= 1;
        for sector in [1, 2] {
            disk[(DATABASE_START + sector) * 512 + 0x50] ^= 1;
        }
    }
    let all = found(&disks);
    check(&all, &disks);
    for disk in &mut disks {
        disk[(SECTORS - 1) * 512 + 0x40] ^= 1;
    }
    let all = found(&disks);
    assert_eq!(all.volumes.len(), 2);
    assert!(obstacle(&all, "1").contains("its database is damaged"));
}

#[test]
fn the_newest_database_is_believed() {
    let mut disks = group();
    let records = [
        disk_record(1),
        volume_record(1, "Newer", 1, 10),
        component_record(11, 1, 2, 1, None),
        partition_record(11, 1, 5, 10, 0, 0),
    ];
    disks[0] = disk(1, 8, &records);
    let all = found(&disks);
    assert_eq!(all.volumes.len(), 3);
    assert!(bytes(volume(&all, "Newer").device.as_ref().unwrap()) == sectors(&disks[0], 5, 10));
}

#[test]
fn a_missing_disk_is_named_and_a_mirror_does_without() {
    let disks = group();
    let all = found(&disks[1..]);
    for name in ["Simple", "Spanned", "Striped"] {
        let what = obstacle(&all, name);
        assert!(
            what.contains("lies on Disk1 too") && what.contains(&disk_id(1).to_string()),
            "{what}"
        );
    }
    assert!(
        bytes(volume(&all, "Mirrored").device.as_ref().unwrap()) == sectors(&disks[1], 1000, 50)
    );
}

#[test]
fn a_partition_of_a_dynamic_disk_that_leaves_it_stays_named() {
    let mut disks = group();
    disks[0][446 + 15] = 1;
    let all = found(&disks);
    assert!(volume(&all, "1").device.is_none());
    assert!(obstacle(&all, "1").contains("reaches to byte"));
}

#[test]
fn records_that_contradict_each_other_make_no_volume() {
    let rows: [(&[Vec<u8>], &str); 4] = [
        (
            &[
                component_record(11, 1, 2, 2, None),
                partition_record(11, 1, 0, 50, 0, 0),
            ],
            "another number of parts",
        ),
        (
            &[
                component_record(11, 1, 2, 2, None),
                partition_record(11, 1, 0, 50, 0, 0),
                partition_record(11, 1, 90, 60, 40, 0),
            ],
            "overlap",
        ),
        (
            &[
                component_record(11, 1, 2, 1, None),
                partition_record(11, 1, u64::MAX / 512, 100, 0, 0),
            ],
            "beyond the end",
        ),
        (
            &[
                component_record(11, 1, 1, 2, Some(8)),
                partition_record(11, 1, 0, 50, 0, 0),
                partition_record(11, 1, 90, 50, 0, 0),
            ],
            "order is not known",
        ),
    ];
    for (records, why) in rows {
        let records = [
            &[disk_record(1), volume_record(1, "V", 1, 100)][..],
            records,
        ]
        .concat();
        let all = found(&[disk(1, 7, &records)]);
        let what = obstacle(&all, "V");
        assert!(what.contains(why), "{what}");
    }
}
