//! File systems over several volumes, and what is counted of them.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use block_io::BlockDevice;
use disk_image::OpenOptions;
use disk_model::independent_tools::run;
use guest_files::State;
use guest_reader::{Guest as _, LocalGuest};
use volume_map::Content;

fn image(folder: &Path, name: &str, size_mib: u64) -> PathBuf {
    let path = folder.join(name);
    let file = File::create_new(&path).unwrap();
    file.set_len(size_mib << 20).unwrap();
    path
}

fn open(path: &Path) -> Arc<dyn BlockDevice> {
    Arc::new(disk_image::open(path, &OpenOptions::default()).unwrap())
}

#[test]
fn a_btrfs_over_two_disks_is_one_file_system() {
    let folder = tempfile::tempdir().unwrap();
    let one = image(folder.path(), "one.raw", 256);
    let two = image(folder.path(), "two.raw", 256);
    let mut arguments = ["-q", "-m", "raid1", "-d", "raid0"]
        .map(OsStr::new)
        .to_vec();
    arguments.extend([one.as_os_str(), two.as_os_str()]);
    if run("mkfs.btrfs", &arguments).is_none() {
        return;
    }
    let guest = LocalGuest::open(&[open(&two), open(&one)]);
    let volumes = &guest.facts().volumes;
    assert_eq!(volumes.len(), 2);
    assert!(volumes[0].used_by.is_empty(), "{:?}", volumes[0]);
    assert_eq!(volumes[1].used_by, ["the Btrfs of /1"]);
    let system = guest.open(0).unwrap();
    assert_eq!(system.about().state, State::Clean);
    assert_eq!(system.about().size_bytes, 512 << 20);
    let error = guest.open(1).err().unwrap().to_string();
    assert!(error.contains("a part of the Btrfs of /1"), "{error}");

    // With a disk missing it says so.
    let alone = LocalGuest::open(&[open(&one)]);
    let state = &alone.open(0).unwrap().about().state;
    assert!(matches!(state, State::Behind(_)), "{state:?}");

    // A disk and its copy: nobody knows which is the newer, so neither is taken for the other's part.
    let copies = LocalGuest::open(&[open(&one), open(&one), open(&two)]);
    for volume in &copies.facts().volumes {
        assert!(volume.used_by.is_empty(), "{volume:?}");
    }
}

#[test]
fn what_is_in_use_is_counted_when_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let ntfs = image(folder.path(), "ntfs.raw", 16);
    let arguments = ["-Q", "-q", "-F"].map(OsStr::new);
    let arguments = [&arguments[..], &[ntfs.as_os_str()]].concat();
    if run("mkntfs", &arguments).is_none() {
        return;
    }
    let guest = LocalGuest::open(&[open(&ntfs)]);
    assert_eq!(guest.facts().volumes[0].content, Content::Ntfs);
    assert_eq!(guest.open(0).unwrap().about().used_bytes, None);
    let used = guest.used_bytes(0).unwrap().unwrap();
    assert!((1 << 16..8 << 20).contains(&used), "{used}");
}
