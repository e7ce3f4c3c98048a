//! Small repositories with points in them.

use std::path::Path;
use std::sync::Arc;

use block_io::{BlockDevice as _, ByteRanges, MemoryDisk};
use jiff::Timestamp;
use object_store::{FolderStore, ObjectStore};
use point_copy::{CopyItem, CopyObserver, CopyReport, CopySelection, PlannedPoint};
use repository::{
    Consistency, InitOptions, PasswordCost, PointKind, PointVm, Repository, RepositoryError,
    RestorePoint, Stream, StreamObserver, StreamRole, Unlock,
};
use store_faults::{Fault, FaultySystem};

pub(crate) struct Quiet;

impl StreamObserver for Quiet {
    fn advanced(&self, _: u64, _: u64) {}
    fn cancelled(&self) -> bool {
        false
    }
}

impl CopyObserver for Quiet {
    fn point_begins(&self, _: usize, _: usize, _: &PlannedPoint) {}
    fn point_ends(&self, _: &CopyItem) {}
}

pub(crate) fn system() -> FaultySystem {
    FaultySystem::new(Fault::None)
}

pub(crate) fn folder_store(folder: &Path) -> Arc<dyn ObjectStore> {
    Arc::new(FolderStore::with_system(folder, system()).unwrap())
}

/// Makes a repository with a password of its own.
pub(crate) fn init(store: Arc<dyn ObjectStore>, password: &str, chunk_bytes: u32) -> Repository {
    let options = InitOptions {
        chunk_bytes,
        pack_bytes: 1 << 20,
        password_cost: PasswordCost {
            memory_kib: 64,
            passes: 1,
        },
    };
    Repository::init(store, &[Unlock::Password(password)], options).unwrap()
}

/// A disk whose bytes follow from a seed, half of them zeros.
pub(crate) fn disk_bytes(seed: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    for (number, part) in bytes.chunks_mut(8192).enumerate() {
        if number % 2 == 0 {
            let fill = u8::try_from(number / 2 % 100).unwrap() + seed;
            part.iter_mut()
                .enumerate()
                .for_each(|(at, byte)| *byte = u8::try_from(at % 251).unwrap() ^ fill);
        }
    }
    bytes
}

/// Backs a disk up as the `hour`-th point of a VM.
pub(crate) fn back_up(
    repository: &Repository,
    vm: &str,
    hour: i64,
    bytes: &[u8],
    skip: &ByteRanges,
) -> RestorePoint {
    let run = repository.begin_run(2).unwrap();
    let device = MemoryDisk::new(bytes.to_vec());
    let stored = run
        .store_stream_skipping(&device, None, skip, &Quiet)
        .unwrap();
    let mut stream = Stream::of_file(
        StreamRole::Disk,
        "disk.vhdx",
        "C:\\disk.vhdx",
        device.size_bytes(),
    );
    stream.root = stored.root;
    stream.statistics = stored.statistics;
    stream.cursor = Some("dHJhY2tpbmc=".to_owned());
    let started = Timestamp::from_second(1_790_000_000 + hour * 3600).unwrap();
    let point = RestorePoint {
        version: 1,
        id: RestorePoint::new_id().unwrap(),
        vm: PointVm {
            identity: format!("id of {vm}"),
            name: vm.to_owned(),
            generation: Some(2),
            configuration_version: None,
        },
        host: "test".to_owned(),
        started,
        finished: started,
        kind: PointKind::Full,
        method: None,
        consistency: Consistency::Application,
        consistency_reason: "test".to_owned(),
        parent: None,
        streams: vec![stream],
        images: Vec::new(),
        checkpoints: None,
        stages: Vec::new(),
        interruption_ms: None,
        host_settings: None,
        writer: None,
        left_out: Vec::new(),
        configuration: None,
        warnings: vec!["a warning".to_owned()],
        program: "test".to_owned(),
    };
    run.publish(&point).unwrap();
    point
}

pub(crate) fn read_back(repository: &Repository, point: &RestorePoint) -> Vec<u8> {
    let disk = repository.open_stream(&point.streams[0]).unwrap();
    let mut bytes = vec![0xEE; usize::try_from(disk.size_bytes()).unwrap()];
    disk.read_at(0, &mut bytes).unwrap();
    bytes
}

pub(crate) fn point(repository: &Repository, id: &str) -> RestorePoint {
    let (points, unreadable) = repository.points().unwrap();
    assert!(unreadable.is_empty(), "{unreadable:?}");
    points.into_iter().find(|point| point.id == id).unwrap()
}

/// Copies all that is missing.
pub(crate) fn copy(
    source: &Repository,
    target: &Repository,
) -> Result<CopyReport, RepositoryError> {
    let plan = point_copy::plan_copy(source, target, &CopySelection::default())?;
    point_copy::copy_points(source, target, plan, 2, &Quiet)
}
