//! Names are given where one volume has them, and to none where several do.

use block_io::Place;
use guest_files::{FileError, FileErrorKind, GuestFileSystem};
use guest_reader::{DisksFacts, SystemFacts};
use guest_system::MountPoint;
use volume_map::{Role, WindowsId};

use super::*;

/// Volumes, and what the system on the first says of them.
struct FakeGuest {
    facts: DisksFacts,
    system: SystemFacts,
}

impl Guest for FakeGuest {
    fn facts(&self) -> &DisksFacts {
        &self.facts
    }

    fn open(&self, _: u32) -> Result<&dyn GuestFileSystem, FileError> {
        Err(FileError::new(FileErrorKind::Unreadable, "made up"))
    }

    fn used_bytes(&self, _: u32) -> Result<Option<u64>, FileError> {
        Ok(None)
    }

    fn system(&self, number: u32) -> Result<SystemFacts, FileError> {
        match number {
            0 => Ok(self.system.clone()),
            1 => Err(FileError::new(
                FileErrorKind::Corrupt,
                "its registry is damaged",
            )),
            _ => Ok(SystemFacts::default()),
        }
    }

    fn volume_places(&self, _: u32, _: u64, _: usize) -> Result<Vec<Place>, FileError> {
        Ok(Vec::new())
    }
}

fn id(offset: u64) -> WindowsId {
    WindowsId::Mbr {
        signature: 7,
        offset,
    }
}

fn volume(name: &str, offset: u64, label: &str, used_by: &[&str]) -> VolumeFacts {
    VolumeFacts {
        name: name.to_owned(),
        origin: Origin::Disk { disk: 0 },
        windows_id: Some(id(offset)),
        role: Role::Data,
        size_bytes: 1 << 30,
        content: Content::Ntfs,
        label: label.to_owned(),
        uuid: String::new(),
        used_by: used_by.iter().map(ToString::to_string).collect(),
        obstacle: None,
        encryption: None,
    }
}

#[test]
fn a_name_that_fits_several_volumes_is_given_to_none() {
    let mount = |label: &str, path: &str| MountPoint {
        device: FstabDevice::Label(label.to_owned()),
        path: path.to_owned(),
    };
    let volumes = vec![
        volume("1", 100, "one", &[]),
        volume("2", 200, "twin", &[]),
        volume("3", 300, "twin", &[]),
        volume("4", 300, "part", &[]),
        // A part of the array has what the array has, and is not it.
        volume("5", 100, "one", &["md0"]),
    ];
    let letters = [('C', id(100)), ('D', id(300)), ('E', id(999))];
    let guest = FakeGuest {
        facts: DisksFacts {
            volumes,
            ..DisksFacts::default()
        },
        system: SystemFacts {
            letters: Some(letters.into_iter().collect()),
            mount_points: Some(vec![
                mount("one", "/"),
                mount("twin", "/srv"),
                mount("x", "/x"),
            ]),
        },
    };
    let names = own_names(&guest);
    assert_eq!(names.letters, [('C', 0)].into_iter().collect());
    assert_eq!(names.mounted, [("/".to_owned(), 0)]);
    let [damaged, letter, mounted] = {
        let mut notes = names.notes.clone();
        notes.sort_by_key(|note| (!note.contains("damaged"), !note.starts_with("D:")));
        <[String; 3]>::try_from(notes).unwrap()
    };
    assert!(damaged.contains("volume 2"), "{damaged}");
    assert!(letter.contains("/3, /4"), "{letter}");
    assert!(
        mounted.contains("/srv") && mounted.contains("/2, /3"),
        "{mounted}"
    );
}
