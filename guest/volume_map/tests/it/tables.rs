//! Partition tables of tools that others wrote, whole and damaged.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use block_io::MemoryDisk;
use disk_model::independent_tools::{have_tool, run};
use volume_map::{GuestVolumes, Origin, Scheme, WindowsId, guest_volumes};

use crate::disks::{Changed, Device, open};

const MIB: u64 = 1 << 20;

/// Feeds a script to a tool that divides a disk. `None`: it is not installed.
fn divide(
    tool: &str,
    arguments: &[&str],
    script: &str,
    mib: u64,
) -> Option<(tempfile::TempDir, PathBuf)> {
    if !have_tool(tool, &["--version"]) {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.raw");
    fs::File::create(&path).unwrap().set_len(mib * MIB).unwrap();
    let mut child = Command::new(tool)
        .args(arguments)
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(script.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success(), "{tool}");
    Some((folder, path))
}

/// What `sfdisk --dump` says: number, first sector, sectors, GUID, name.
fn dump(path: &Path) -> Vec<(u32, u64, u64, String, String)> {
    let text = run("sfdisk", &["--dump".as_ref(), path.as_ref()]).unwrap();
    let lines = text.lines().filter(|line| line.contains("start="));
    lines
        .map(|line| {
            let (device, fields) = line.split_once(" : ").unwrap();
            let number = device.trim().rsplit("raw").next().unwrap();
            let field = |name: &str| {
                let mut fields = fields.split(',').map(str::trim);
                let found = fields.find_map(|field| field.strip_prefix(name));
                found.unwrap_or("").trim().trim_matches('"').to_owned()
            };
            (
                number.parse().unwrap(),
                field("start=").parse().unwrap(),
                field("size=").parse().unwrap(),
                field("uuid=").to_lowercase(),
                // It shows what is no ASCII in digits.
                field("name=").replace("\\xc3\\xa4", "ä"),
            )
        })
        .collect()
}

/// The same of what was found, in sectors of 512 bytes.
fn found(all: &GuestVolumes) -> Vec<(u32, u64, u64, String, String)> {
    let volumes = all.volumes.iter().map(|volume| match &volume.origin {
        Origin::Partition {
            number,
            offset,
            name,
            guid,
            ..
        } => {
            let guid = guid.map(|guid| guid.to_string()).unwrap_or_default();
            (
                *number,
                offset / 512,
                volume.size_bytes / 512,
                guid,
                name.clone(),
            )
        }
        other => panic!("{other:?}"),
    });
    volumes.collect()
}

fn one(disk: &Device) -> GuestVolumes {
    guest_volumes(std::slice::from_ref(disk))
}

const MBR: &str = "label: dos\nlabel-id: 0x12345678\n\
    start=2048, size=4096, type=7, bootable\nstart=8192, size=20000, type=5\n\
    start=30720, size=2048, type=82\n\
    start=18432, size=2048, type=83\nstart=10240, size=2048, type=7\nstart=14336, size=2048, type=b\n";

#[test]
fn an_extended_chain_is_what_sfdisk_says_also_out_of_order() {
    let Some((_folder, path)) = divide("sfdisk", &["-q"], MBR, 20) else {
        return;
    };
    let all = one(&open(&path));
    let mut said = dump(&path);
    // The container is no volume.
    said.retain(|(number, ..)| *number != 2);
    let mut found = found(&all);
    found.sort();
    assert_eq!(found, said);
    assert_eq!(all.disks[0].signature, Some(0x1234_5678));
    // As Windows' registry has it.
    let mut value = 0x1234_5678_u32.to_le_bytes().to_vec();
    value.extend((2048_u64 * 512).to_le_bytes());
    let id = WindowsId::parse(&value).unwrap();
    assert_eq!(all.of_windows_id(id).unwrap().name, "1");
}

const GPT: &str = "label: gpt\nstart=2048, size=2048, name=\"Basic data\"\n\
    start=6144, size=2048, name=\"Wurzel ä\", type=U\nstart=4096, size=2048\n";

#[test]
fn a_gpt_is_what_sfdisk_says_and_its_backup_stands_in() {
    let Some((_folder, path)) = divide("sfdisk", &["-q"], GPT, 8) else {
        return;
    };
    let disk = open(&path);
    let all = one(&disk);
    let said = dump(&path);
    assert_eq!(
        (all.disks[0].scheme, found(&all)),
        (Scheme::Gpt, said.clone())
    );
    assert_eq!(all.disks[0].notes, Vec::<String>::new());
    let guid = all.volumes[1].windows_id.unwrap();
    assert_eq!(all.of_windows_id(guid).unwrap().name, "2");

    // The header, an entry, and the master boot record.
    let damage = |places: &[u64]| {
        let changes = places.iter().map(|at| (*at, 0x5A)).collect();
        one(&Changed::with(&disk, changes))
    };
    for (place, note) in [
        (512, "protective"),
        (512 + 24, "backup"),
        (1024 + 40, "backup"),
        (510, "protective"),
    ] {
        let all = damage(&[place]);
        assert_eq!(found(&all), said, "{place}");
        let told = all.disks[0].notes.join(" ");
        // Without its magic number the first header is not there at all, and the backup is.
        let note = if place == 512 { "backup" } else { note };
        assert!(told.contains(note), "{place}: {told}");
    }
    // Both: it is told as it is.
    let end = disk.size_bytes();
    let all = damage(&[1024 + 2 * 128 + 60, end - 512 + 24]);
    assert_eq!(found(&all).len(), said.len());
    assert!(
        all.disks[0].notes[0].contains("wrong checksum"),
        "{:?}",
        all.disks
    );
}

#[test]
fn a_hybrid_table_is_read_as_gpt() {
    let Some((_folder, path)) = divide("sfdisk", &["-q"], GPT, 8) else {
        return;
    };
    if run("sgdisk", &["-h".as_ref(), "1:2".as_ref(), path.as_ref()]).is_none() {
        return;
    }
    let all = one(&open(&path));
    assert_eq!(all.disks[0].scheme, Scheme::Gpt);
    assert!(all.disks[0].notes[0].contains("hybrid"));
    assert_eq!(all.volumes.len(), 3);
}

#[test]
fn tables_that_count_in_4096_bytes_are_read_also_in_an_image_that_was_moved() {
    let gpt = "g\nn\n1\n\n+4M\nn\n2\n\n+8M\nw\n";
    let mbr = "o\nn\np\n1\n\n+4M\nn\ne\n2\n\n\nn\n\n+8M\nw\n";
    for script in [gpt, mbr] {
        let arguments = ["--sector-size", "4096", "--wipe", "never"];
        let Some((_folder, path)) = divide("fdisk", &arguments, script, 32) else {
            return;
        };
        let disk = open(&path);
        let native: Device = Arc::new(Changed {
            disk: Arc::clone(&disk),
            changes: Vec::new(),
            sector_bytes: 4096,
        });
        let (native, moved) = (one(&native), one(&disk));
        assert_eq!(native.disks[0].sector_bytes, 4096);
        let sizes: Vec<u64> = native
            .volumes
            .iter()
            .map(|it| it.size_bytes / MIB)
            .collect();
        assert_eq!(sizes, [4, 8], "{script}");
        let list = |all: &GuestVolumes| -> Vec<Origin> {
            all.volumes
                .iter()
                .map(|volume| volume.origin.clone())
                .collect()
        };
        assert_eq!(list(&native), list(&moved), "{script}");
        assert_eq!(moved.disks[0].sector_bytes, 4096);
    }
}

#[test]
fn partitions_are_numbered_over_all_disks() {
    let Some((_folder, path)) = divide("sfdisk", &["-q"], GPT, 8) else {
        return;
    };
    let disk = open(&path);
    let all = guest_volumes(&[Arc::clone(&disk), Arc::clone(&disk)]);
    let names: Vec<&str> = all
        .volumes
        .iter()
        .map(|volume| volume.name.as_str())
        .collect();
    assert_eq!(names, ["1", "2", "3", "4", "5", "6"]);
}

#[test]
fn a_partition_that_leaves_its_disk_is_named() {
    let Some((_folder, path)) = divide("sfdisk", &["-q"], MBR, 20) else {
        return;
    };
    fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(2 * MIB)
        .unwrap();
    let all = one(&open(&path));
    let what = crate::disks::obstacle(&all, "1");
    assert!(what.contains("of a disk of 2097152 bytes"), "{what}");
    assert!(all.volumes[0].device.is_none());
}

#[test]
fn a_disk_that_nobody_knows_is_described() {
    let note = |bytes: Vec<u8>| {
        one(&(Arc::new(MemoryDisk::new(bytes)) as Device)).disks[0]
            .notes
            .join(" ")
    };
    assert!(note(vec![0; 100_000]).contains("the first 64 KiB are zero"));
    assert!(note(Vec::new()).contains("no bytes"));
    let mut bytes = vec![0; 100_000];
    bytes[..4].copy_from_slice(&[0xEB, 0x3C, 0x90, 0x41]);
    bytes[3 * 512..3 * 512 + 8].copy_from_slice(b"MYMAGIC1");
    let told = note(bytes.clone());
    assert!(
        told.contains("eb 3c 90 41") && told.contains("instead of 55 aa"),
        "{told}"
    );
    assert!(told.contains("\"MYMAGIC1\" in sector 3"), "{told}");
    bytes[510..512].copy_from_slice(&[0x55, 0xAA]);
    bytes[446] = 0x77;
    let told = note(bytes);
    assert!(told.contains("[77 00"), "{told}");
}
