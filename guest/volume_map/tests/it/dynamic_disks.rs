//! Dynamic disks that Windows Server 2003 R2 (MBR) and 2008 R2 (MBR and GPT) made, from libldm's tests.
//! What must be found is what `ldmtool` says of them; each readable volume has an NTFS with one file.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use disk_model::independent_tools::{run, sample};
use volume_map::{Content, GuestVolumes, ObstacleKind, Origin, WindowsId, guest_volumes};

use crate::disks::{Device, extract, open, volume};

const MAKER_2003: [&str; 10] = [
    "2003r2-simple-1",
    "2003r2-spanned-1",
    "2003r2-spanned-2",
    "2003r2-striped-1",
    "2003r2-striped-2",
    "2003r2-mirrored-1",
    "2003r2-mirrored-2",
    "2003r2-raid5-1",
    "2003r2-raid5-2",
    "2003r2-raid5-3",
];
const MAKER_2008: [&str; 9] = [
    "2008r2-spanned-1",
    "2008r2-spanned-2",
    "2008r2-striped-1",
    "2008r2-striped-2",
    "2008r2-mirrored-1",
    "2008r2-mirrored-2",
    "2008r2-raid5-1",
    "2008r2-raid5-2",
    "2008r2-raid5-3",
];

/// Unpacks samples. `None`: they are not here.
fn disks(folder: &Path, names: &[&str]) -> Option<Vec<Device>> {
    let mut disks = Vec::new();
    for name in names {
        let packed = sample(&format!("volumes/libldm/ldm-{name}.img.gz"))?;
        let path = folder.join(format!("{name}.raw"));
        if !path.exists() {
            let file = File::create(&path).unwrap();
            let status = Command::new("gzip")
                .arg("-dc")
                .arg(packed)
                .stdout(file)
                .status();
            assert!(status.unwrap().success());
        }
        disks.push(open(&path));
    }
    Some(disks)
}

/// Name, layout, sectors, GUID, drive letter: of `ldmtool show volume`.
type Row = (&'static str, &'static str, u64, &'static str, &'static str);

fn check(all: &GuestVolumes, rows: &[Row], folder: &Path) {
    for (name, layout, sectors, guid, letter) in rows {
        let volume = volume(all, name);
        let Origin::Ldm {
            layout: found,
            drive_hint,
            ..
        } = &volume.origin
        else {
            panic!("{volume:?}")
        };
        assert_eq!(
            (found.as_str(), drive_hint.as_str()),
            (*layout, *letter),
            "{name}"
        );
        assert_eq!(volume.size_bytes, sectors * 512, "{name}");
        assert_eq!(
            volume.windows_id,
            Some(WindowsId::Guid(guid.parse().unwrap())),
            "{name}"
        );
        if *layout == "RAID-5" {
            let obstacle = volume.obstacle.as_ref().unwrap();
            assert!(obstacle.what.contains("RAID-5"), "{obstacle}");
            continue;
        }
        assert_eq!(
            (volume.content, &volume.obstacle),
            (Content::Ntfs, &None),
            "{name}"
        );
        if volume.name == "Volume4" || volume.name == "Volume5" {
            // These lie on what the other volumes left, and hold no files.
            continue;
        }
        let path = folder.join("volume");
        extract(volume, &path);
        let arguments = ["-f".as_ref(), path.as_ref(), "test.txt".as_ref()];
        if let Some(text) = run("ntfscat", &arguments) {
            assert_eq!(text, "Filesystem test", "{name}");
        }
    }
    let parts = all.volumes.iter().filter(|volume| !volume.is_own());
    for part in parts.filter(|part| part.role == volume_map::Role::Ldm) {
        assert!(part.used_by[0].starts_with("disk group"), "{part:?}");
    }
}

#[test]
fn volumes_of_windows_2003_r2_are_what_ldmtool_says() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disks) = disks(folder.path(), &MAKER_2003) else {
        return;
    };
    let rows = [
        (
            "Volume1",
            "simple",
            96_256,
            "6e30daae-8e42-40fb-9af0-807416c3fede",
            "E:",
        ),
        (
            "Volume2",
            "spanned",
            192_512,
            "fad18ad4-5054-4dea-8fe3-ca433d5fe1d1",
            "F:",
        ),
        (
            "Volume3",
            "mirrored",
            96_256,
            "1010eeb7-09e4-4a6d-9c43-6753ec9d3af2",
            "H:",
        ),
        (
            "Volume4",
            "spanned",
            69_632,
            "782ff9fb-f2f6-465e-9f13-935a20458f00",
            "J:",
        ),
        (
            "Stripe1",
            "striped",
            122_880,
            "e5396ff0-7477-4b1a-91e8-476b9b5c6fb5",
            "G:",
        ),
        (
            "Raid1",
            "RAID-5",
            192_512,
            "f8528b30-cbe8-4ce0-9188-e60e39afcc72",
            "I:",
        ),
    ];
    check(&guest_volumes(&disks), &rows, folder.path());
}

#[test]
fn volumes_of_windows_2008_r2_are_what_ldmtool_says() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disks) = disks(folder.path(), &MAKER_2008) else {
        return;
    };
    let rows = [
        (
            "Volume1",
            "spanned",
            129_024,
            "06495a8d-fbfd-11e1-8cf9-52540061f5db",
            "E:",
        ),
        (
            "Volume2",
            "striped",
            65_536,
            "06495a9c-fbfd-11e1-8cf9-52540061f5db",
            "F:",
        ),
        (
            "Volume3",
            "mirrored",
            32_768,
            "06495aab-fbfd-11e1-8cf9-52540061f5db",
            "G:",
        ),
        (
            "Volume4",
            "RAID-5",
            65_536,
            "06495ac0-fbfd-11e1-8cf9-52540061f5db",
            "H:",
        ),
        (
            "Volume5",
            "spanned",
            190_464,
            "06495ac6-fbfd-11e1-8cf9-52540061f5db",
            "I:",
        ),
    ];
    check(&guest_volumes(&disks), &rows, folder.path());
}

#[test]
fn half_a_mirror_is_read_and_half_a_span_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for (name, mirror) in [
        ("2003r2-mirrored-1", "Volume3"),
        ("2008r2-mirrored-2", "Volume3"),
    ] {
        let Some(disks) = disks(folder.path(), &[name]) else {
            return;
        };
        let all = guest_volumes(&disks);
        let path = folder.path().join("volume");
        extract(volume(&all, mirror), &path);
        if let Some(text) = run(
            "ntfscat",
            &["-f".as_ref(), path.as_ref(), "test.txt".as_ref()],
        ) {
            assert_eq!(text, "Filesystem test");
        }
        let other = if name.starts_with("2003") {
            "Volume2"
        } else {
            "Volume1"
        };
        let obstacle = volume(&all, other).obstacle.as_ref().unwrap();
        assert_eq!(obstacle.kind, ObstacleKind::Missing);
        assert!(obstacle.what.contains("none of the disks"), "{obstacle}");
    }
}
