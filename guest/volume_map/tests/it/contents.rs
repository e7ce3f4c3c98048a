//! What volumes are, by signatures and by the names that their makers gave them.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use block_io::MemoryDisk;
use disk_model::independent_tools::{have_tool, run};
use volume_map::{Content, ObstacleKind, guest_volumes};

use crate::disks::{Device, open};

/// Asks `blkid` for one thing.
fn blkid(what: &str, path: &std::path::Path) -> Option<String> {
    let mut command = Command::new("blkid");
    let output = command
        .args(["-p", "-o", "value", "-s", what])
        .arg(path)
        .output()
        .ok()?;
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[test]
fn labels_and_ids_are_what_blkid_says() {
    let rows: [(&str, &[&str], u64, Content); 10] = [
        (
            "mkfs.ext4",
            &["-q", "-F", "-L", "my root"],
            16,
            Content::Ext,
        ),
        ("mkfs.ext2", &["-q", "-F"], 4, Content::Ext),
        ("mkfs.xfs", &["-q", "-L", "xlabel"], 300, Content::Xfs),
        (
            "mkfs.btrfs",
            &["-q", "-L", "a longer label of btrfs"],
            120,
            Content::Btrfs,
        ),
        (
            "mkfs.vfat",
            &["-F", "16", "-n", "STICK"],
            24,
            Content::Fat16,
        ),
        ("mkfs.vfat", &["-F", "32", "-n", "BIG"], 70, Content::Fat32),
        ("mkfs.vfat", &["-F", "12"], 2, Content::Fat12),
        ("mkfs.exfat", &["-L", "exläbel"], 8, Content::ExFat),
        ("mkswap", &["-L", "swapped"], 2, Content::Swap),
        ("mkfs.ntfs", &["-q", "-F", "-Q"], 8, Content::Ntfs),
    ];
    for (tool, arguments, mib, content) in rows {
        if !have_tool("blkid", &["--version"]) {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("volume.raw");
        fs::File::create(&path).unwrap().set_len(mib << 20).unwrap();
        let mut all: Vec<&std::ffi::OsStr> = arguments.iter().map(|it| (*it).as_ref()).collect();
        all.push(path.as_ref());
        if run(tool, &all).is_none() {
            continue;
        }
        let all = guest_volumes(&[open(&path)]);
        let volume = crate::disks::volume(&all, "1");
        assert_eq!(
            (volume.content, &volume.obstacle),
            (content, &None),
            "{tool}"
        );
        assert_eq!(volume.uuid, blkid("UUID", &path).unwrap(), "{tool}");
        // NTFS keeps its label in a file.
        if content != Content::Ntfs {
            assert_eq!(
                volume.label,
                blkid("LABEL", &path).unwrap(),
                "{tool} {arguments:?}"
            );
        }
    }
}

#[test]
fn an_encrypted_volume_is_named_and_its_bytes_can_be_had() {
    let folder = tempfile::tempdir().unwrap();
    for version in ["luks1", "luks2"] {
        let path = folder.path().join(version);
        fs::File::create(&path).unwrap().set_len(20 << 20).unwrap();
        fs::write(folder.path().join("key"), b"a key").unwrap();
        let key = folder.path().join("key");
        let arguments: [&std::ffi::OsStr; 10] = [
            "luksFormat".as_ref(),
            "--batch-mode".as_ref(),
            "--type".as_ref(),
            version.as_ref(),
            "--pbkdf".as_ref(),
            "pbkdf2".as_ref(),
            "--pbkdf-force-iterations".as_ref(),
            "1000".as_ref(),
            path.as_ref(),
            key.as_ref(),
        ];
        if run("cryptsetup", &arguments).is_none() {
            return;
        }
        let all = guest_volumes(&[open(&path)]);
        let volume = crate::disks::volume(&all, "1");
        assert_eq!(volume.content, Content::Luks);
        assert_eq!(volume.uuid, blkid("UUID", &path).unwrap());
        let obstacle = volume.obstacle.as_ref().unwrap();
        assert_eq!(obstacle.kind, ObstacleKind::Encrypted);
        assert!(!obstacle.hint.is_empty());
        assert_eq!(volume.device.as_ref().unwrap().size_bytes(), 20 << 20);
    }
}

#[test]
fn what_nobody_reads_is_named_by_its_signature() {
    let rows: [(usize, &[u8], Content); 11] = [
        (3, b"-FVE-FS-", Content::BitLocker),
        (3, b"ReFS\0\0\0\0", Content::Refs),
        (32, b"NXSB", Content::Apfs),
        (0x10_0000, &[0x0D, 0xD0, 0x01, 0xC0], Content::Vmfs),
        (0x4000, &[1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], Content::Zfs),
        (0x8000, b"\x01CD001\x01", Content::Iso9660),
        (0, b"hsqs", Content::SquashFs),
        (0, b"SPACEDB ", Content::StorageSpaces),
        (0, b"XFSB", Content::Xfs),
        (512, b"LABELONE", Content::Lvm),
        (
            0x1018,
            &[
                0xC6, 0x85, 0x73, 0xF6, 0x4E, 0x1A, 0x45, 0xCA, 0x82, 0x65, 0xF5, 0x7F, 0x48, 0xBA,
                0x6D, 0x81,
            ],
            Content::Bcache,
        ),
    ];
    for (at, magic, content) in rows {
        let mut bytes = vec![0; 2 << 20];
        bytes[at..at + magic.len()].copy_from_slice(magic);
        let all = guest_volumes(&[Arc::new(MemoryDisk::new(bytes)) as Device]);
        let volume = crate::disks::volume(&all, "1");
        assert_eq!(volume.content, content);
        assert_eq!(
            volume.obstacle.is_some(),
            content != Content::Xfs,
            "{content:?}"
        );
        assert!(volume.device.is_some());
    }
    // A stick that BitLocker To Go made: FAT's boot sector, and BitLocker's GUID in it.
    let mut bytes = vec![0; 1 << 20];
    bytes[..11].copy_from_slice(b"\xEB\x58\x90MSWIN4.1");
    let guid = uuid::uuid!("4967d63b-2e29-4ad8-8399-f6a339e3d001");
    bytes[424..440].copy_from_slice(&guid.to_bytes_le());
    let all = guest_volumes(&[Arc::new(MemoryDisk::new(bytes)) as Device]);
    assert_eq!(all.volumes[0].content, Content::BitLocker);
}
