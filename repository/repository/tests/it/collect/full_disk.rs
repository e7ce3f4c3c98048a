//! A collection on a disk on which there is not a byte left.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use object_store::FolderStore;
use repository::{CollectOptions, Repository};

use super::site::noise;
use crate::support::{PASSWORD, Quiet, back_up, options, read_back, store_point};

/// A file system of a few megabytes in memory, which is there until this is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where this machine lets nobody make one.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]);
        let result = mount.arg(folder.path()).output();
        if result.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        assert!(
            std::env::var("LIFEBOAT_REQUIRE_TOOLS").as_deref() != Ok("1"),
            "a tmpfs cannot be mounted"
        );
        eprintln!("skipped: a tmpfs cannot be mounted here");
        None
    }

    /// Fills all the room that is left with a file that is not the store's.
    fn fill(&self) {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(self.0.path().join("filler"))
            .unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.0.path()).output());
    }
}

fn open(folder: &Path) -> Repository {
    let store = FolderStore::open(folder).unwrap();
    Repository::open(Arc::new(store), &PASSWORD).unwrap()
}

#[test]
fn a_full_disk_is_collected_out_of_the_reserve() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let folder = disk.0.path().join("store");
    let store = FolderStore::create(&folder).unwrap();
    let repository = Repository::init(Arc::new(store), &[PASSWORD], options()).unwrap();
    let kept_bytes = noise(1, 1 << 20);
    let kept = back_up(&repository, "kept", &kept_bytes);
    let gone = back_up(&repository, "gone", &noise(2, 2 << 20));
    let reserve = folder.join(".reserve");
    assert_eq!(reserve.metadata().unwrap().len(), 256 << 10);
    disk.fill();
    let run = open(&folder).begin_run(1).unwrap();
    let device = block_io::MemoryDisk::new(noise(3, 1 << 20));
    assert!(store_point(&run, "new", &device, None).is_err());
    drop(run);

    let repository = open(&folder);
    repository.remove_point(&gone).unwrap();
    disk.fill();
    // The clock here is the machine's: nobody can wait for the grace.
    let alone = CollectOptions {
        no_other_writers: true,
        ..CollectOptions::default()
    };
    let report = repository.collect(&alone, &Quiet).unwrap();
    assert!(report.deleted_bytes >= 2 << 20, "{report:?}");
    assert_eq!(read_back(&open(&folder), &kept).unwrap(), kept_bytes);
    // There is room again: for what is new, and for the reserve.
    let repository = open(&folder);
    let new = back_up(&repository, "new", &noise(4, 1 << 19));
    assert_eq!(read_back(&repository, &new).unwrap().len(), 1 << 19);
    assert_eq!(reserve.metadata().unwrap().len(), 256 << 10);
}
