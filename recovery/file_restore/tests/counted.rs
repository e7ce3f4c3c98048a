//! What files out of a large disk cost, counted: bytes out of the repository, questions between the
//! program and its reader. They are the same on every machine.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that cannot do its work fails the test"
)]

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::Arc;

use block_io::BlockDevice;
use disk_model::VolumeImage;
use disk_model::independent_tools::have_tool;
use file_restore::{FolderOptions, FolderTarget, GuestPath, TakeOutObserver, Tree, Walk, take_out};
use guest_files::FileName;
use guest_reader::RemoteGuest;
use object_store::{FolderStore, ObjectStore};
use repository::{
    Consistency, InitOptions, PasswordCost, PointKind, PointVm, Repository, RestorePoint, Stream,
    StreamObserver, StreamRole, StreamStatistics, Unlock,
};
use store_faults::{CountingStore, Fault, FaultySystem};

const GIB: u64 = 1 << 30;
const PASSWORD: Unlock<'static> = Unlock::Password("correct horse");

struct Quiet;

impl StreamObserver for Quiet {
    fn advanced(&self, _: u64, _: u64) {}
    fn cancelled(&self) -> bool {
        false
    }
}

impl TakeOutObserver for Quiet {
    fn advanced(&self, _: u64) {}
    fn finished(&self, _: &[FileName]) {}
    fn cancelled(&self) -> bool {
        false
    }
}

type Store = CountingStore<FolderStore<FaultySystem>>;

/// Backs an image up into a repository as people have it; returns its disk in there.
fn backed_up(image: &VolumeImage) -> (Arc<Store>, Arc<dyn BlockDevice>) {
    let folder = image.folder().join("repository");
    fs::create_dir(&folder).unwrap();
    let system = FaultySystem::new(Fault::None);
    let store = FolderStore::with_system(&folder, system).unwrap();
    let store = Arc::new(CountingStore::new(store));
    let options = InitOptions {
        password_cost: PasswordCost {
            memory_kib: 64,
            passes: 1,
        },
        ..InitOptions::default()
    };
    let shared: Arc<dyn ObjectStore> = store.clone();
    let repository = Repository::init(shared, &[PASSWORD], options).unwrap();
    let disk = disk_image::open(&image.path(), &disk_image::OpenOptions::default()).unwrap();
    let run = repository.begin_run(2).unwrap();
    let stored = run.store_stream(&disk, None, &Quiet).unwrap();
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let point = RestorePoint {
        version: 1,
        id: RestorePoint::new_id().unwrap(),
        vm: PointVm {
            identity: "vm".to_owned(),
            name: "vm".to_owned(),
            generation: None,
            configuration_version: None,
        },
        host: "test".to_owned(),
        started: now,
        finished: now,
        kind: PointKind::Full,
        method: None,
        consistency: Consistency::Crash,
        consistency_reason: String::new(),
        parent: None,
        streams: vec![Stream {
            role: StreamRole::Disk,
            number: 0,
            name: "disk".to_owned(),
            source_path: "disk".to_owned(),
            slot: None,
            format: None,
            sector_bytes: 512,
            physical_sector_bytes: 4096,
            disk_id: None,
            parent: None,
            size_bytes: disk.size_bytes(),
            root: stored.root,
            statistics: StreamStatistics::default(),
            cursor: None,
            read: None,
            proof: None,
            skipped: Vec::new(),
        }],
        images: Vec::new(),
        checkpoints: None,
        stages: Vec::new(),
        interruption_ms: None,
        host_settings: None,
        writer: None,
        left_out: Vec::new(),
        configuration: None,
        warnings: Vec::new(),
        program: "test".to_owned(),
    };
    let point = run.publish(&point).unwrap();
    let disk = repository.open_stream(&point.streams[0]).unwrap();
    (store, Arc::new(disk))
}

/// A guest whose reader is a thread: what passes is the same as between processes.
fn guest(disk: Arc<dyn BlockDevice>) -> RemoteGuest {
    let (asked, ask) = std::io::pipe().unwrap();
    let (answered, answer) = std::io::pipe().unwrap();
    std::thread::spawn(move || guest_reader::serve(asked, answer));
    RemoteGuest::over(answered, ask, vec![disk]).unwrap()
}

fn listed(tree: &Tree<'_>) -> usize {
    let found = tree.find(&GuestPath::parse("/1").unwrap()).unwrap();
    let system = tree.file_system(found.volume).unwrap();
    Walk::one_folder(system, &found.node).count()
}

#[test]
fn a_large_ext4_disk_costs_what_is_looked_at() {
    if !have_tool("mkfs.ext4", &["-V"]) {
        return;
    }
    let image = VolumeImage::new(256 * GIB);
    let small = image.folder().join("tree/small");
    for number in 0..5000_u32 {
        let folder = small.join(format!("{:02}", number % 50));
        fs::create_dir_all(&folder).unwrap();
        let content = disk_model::noise(number.into(), usize::try_from(number % 9000).unwrap());
        fs::write(folder.join(format!("file-{number:05}")), content).unwrap();
    }
    let lazy = "lazy_itable_init=1,lazy_journal_init=1";
    let mut make = Command::new("mkfs.ext4");
    make.args(["-q", "-F", "-E", lazy, "-d"]);
    make.arg(image.folder().join("tree")).arg(image.path());
    assert!(make.status().unwrap().success());
    let (store, disk) = backed_up(&image);

    store.take();
    let guest = guest(disk);
    let tree = Tree::new(&guest, BTreeMap::new());
    assert_eq!(listed(&tree), 2);
    let read = store.take();
    eprintln!("root listing: {read:?}, {:?}", guest.traffic());
    assert!(read.read_bytes <= 1 << 20, "{read:?}");

    let before = guest.traffic();
    let found = tree.find(&GuestPath::parse("/1/small").unwrap()).unwrap();
    let out = image.folder().join("out");
    let target = FolderTarget::new(&out, FolderOptions::default()).unwrap();
    let report = take_out(&tree, &[found], Box::new(target), &Quiet).unwrap();
    assert_eq!((report.files, report.failed.len()), (5000, 0), "{report:?}");
    let (after, read) = (guest.traffic(), store.take());
    let questions = after.questions - before.questions;
    let disk_reads = after.disk_reads - before.disk_reads;
    let disk_bytes = after.disk_bytes - before.disk_bytes;
    eprintln!(
        "5,000 files: {questions} questions, {disk_reads} of the reader for {disk_bytes} bytes, \
         {read:?} for {} bytes",
        report.bytes
    );
    assert!(questions <= 400, "{questions}");
    assert!(disk_reads <= 400, "{disk_reads}");
    // A file takes whole blocks, and what is said of it lies elsewhere.
    let blocks: u64 = (0..5000_u64).map(|len| len.div_ceil(4096)).sum();
    let most = blocks * 4096 * 3 / 2;
    assert!(disk_bytes <= most, "{disk_bytes} of {most}");
    assert!(read.read_bytes <= most, "{read:?} of {most}");
}

#[test]
fn a_root_listing_of_a_large_ntfs_disk_reads_at_most_a_mebibyte() {
    let image = VolumeImage::new(256 * GIB);
    let made = image.run("mkfs.ntfs", &["-F", "-Q", "-q", "IMAGE"]);
    if made.is_none() {
        return;
    }
    let (store, disk) = backed_up(&image);
    store.take();
    let guest = guest(disk);
    listed(&Tree::new(&guest, BTreeMap::new()));
    let read = store.take();
    eprintln!("root listing: {read:?}, {:?}", guest.traffic());
    assert!(read.read_bytes <= 1 << 20, "{read:?}");
}
