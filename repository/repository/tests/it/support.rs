//! Small repositories and disks.

use std::path::Path;
use std::sync::Arc;

use block_io::{BlockDevice, ByteRanges, DiskError, Extent, ExtentKind, MemoryDisk};
use object_store::{FolderStore, ObjectStore};
use repository::{
    Consistency, InitOptions, PasswordCost, PointKind, PointVm, Repository, RepositoryError,
    RestorePoint, RunWriter, StoredStream, Stream, StreamObserver, StreamRole, StreamStatistics,
    Unlock, VerifyObserver,
};
use store_faults::{Fault, FaultySystem};

pub(crate) const PASSWORD: Unlock<'static> = Unlock::Password("correct horse");
pub(crate) const CHUNK: usize = 4096;

/// Small chunks and a cheap password: many nodes, quick tests.
pub(crate) fn options() -> InitOptions {
    InitOptions {
        chunk_bytes: u32::try_from(CHUNK).unwrap(),
        pack_bytes: 1 << 20,
        password_cost: PasswordCost {
            memory_kib: 64,
            passes: 1,
        },
    }
}

/// A store that does not wait for the disk: the file system's own flush is not what is tested.
pub(crate) fn store(folder: &Path) -> Arc<dyn ObjectStore> {
    let system = FaultySystem::new(Fault::None);
    Arc::new(FolderStore::with_system(folder, system).unwrap())
}

pub(crate) fn init(folder: &Path) -> Repository {
    Repository::init(store(folder), &[PASSWORD], options()).unwrap()
}

pub(crate) fn open(folder: &Path) -> Result<Repository, RepositoryError> {
    Repository::open(store(folder), &PASSWORD)
}

/// Never stops, hears nothing.
pub(crate) struct Quiet;

impl StreamObserver for Quiet {
    fn advanced(&self, _: u64, _: u64) {}
    fn cancelled(&self) -> bool {
        false
    }
}

impl VerifyObserver for Quiet {
    fn advanced(&self, _: u64) {}
    fn cancelled(&self) -> bool {
        false
    }
}

/// A disk whose bytes follow from a seed: data that compresses, data that does not, and zeros.
pub(crate) fn disk_bytes(seed: u32, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    for (number, chunk) in bytes.chunks_mut(CHUNK).enumerate() {
        let number = u32::try_from(number).unwrap();
        let mut noise = blake3::Hasher::new_derive_key("test disk")
            .update(&[seed.to_le_bytes(), number.to_le_bytes()].concat())
            .finalize_xof();
        match (number + seed) % 5 {
            0 => {}
            1 | 2 => chunk.fill(u8::try_from(number % 200).unwrap() + 1),
            _ => noise.fill(chunk),
        }
    }
    bytes
}

/// A disk of bytes in which some ranges are said to hold nothing.
pub(crate) struct SparseDisk {
    pub(crate) bytes: MemoryDisk,
    pub(crate) empty: Vec<(std::ops::Range<u64>, ExtentKind)>,
}

impl BlockDevice for SparseDisk {
    fn size_bytes(&self) -> u64 {
        self.bytes.size_bytes()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        let end = offset + buf.len() as u64;
        let chunk = CHUNK as u64;
        let whole = self.empty.iter().any(|(range, _)| {
            let first = range.start.div_ceil(chunk) * chunk;
            let last = range.end / chunk * chunk;
            offset.max(first) < end.min(last)
        });
        assert!(
            !whole,
            "a chunk that holds nothing was read: {offset}..{end}"
        );
        self.bytes.read_at(offset, buf)
    }
    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        let end = offset + max_bytes;
        for (range, kind) in &self.empty {
            if range.contains(&offset) {
                return Ok(Extent {
                    kind: *kind,
                    len_bytes: range.end.min(end) - offset,
                });
            }
        }
        let next = self
            .empty
            .iter()
            .map(|(range, _)| range.start)
            .filter(|start| *start > offset);
        let len_bytes = next.min().unwrap_or(end).min(end) - offset;
        Ok(Extent {
            kind: ExtentKind::Data,
            len_bytes,
        })
    }
}

pub(crate) fn stream(device: &dyn BlockDevice) -> Stream {
    Stream {
        role: StreamRole::Disk,
        number: 0,
        name: "disk.vhdx".to_owned(),
        source_path: "C:\\disk.vhdx".to_owned(),
        slot: None,
        format: Some("vhdx".to_owned()),
        sector_bytes: 512,
        physical_sector_bytes: 4096,
        disk_id: None,
        parent: None,
        size_bytes: device.size_bytes(),
        root: None,
        statistics: StreamStatistics::default(),
        cursor: None,
        read: None,
        proof: None,
        skipped: Vec::new(),
    }
}

/// Stores a disk and publishes a point of a VM that has nothing else.
pub(crate) fn store_point(
    run: &RunWriter,
    vm: &str,
    device: &dyn BlockDevice,
    previous: Option<&RestorePoint>,
) -> Result<RestorePoint, RepositoryError> {
    let stored = run.store_stream(device, previous.map(|point| &point.streams[0]), &Quiet)?;
    publish(run, vm, device, stored)
}

/// Stores what changed of a disk, and publishes a point likewise.
pub(crate) fn store_changed_point(
    run: &RunWriter,
    vm: &str,
    device: &dyn BlockDevice,
    previous: &RestorePoint,
    changed: &ByteRanges,
) -> Result<RestorePoint, RepositoryError> {
    let stored = run.store_changed(device, &previous.streams[0], changed, &Quiet)?;
    publish(run, vm, device, stored)
}

pub(crate) fn publish(
    run: &RunWriter,
    vm: &str,
    device: &dyn BlockDevice,
    stored: StoredStream,
) -> Result<RestorePoint, RepositoryError> {
    publish_with_parent(run, vm, device, stored, None)
}

/// Publishes a point that says which one it was compared with; returns it as it was published.
pub(crate) fn publish_with_parent(
    run: &RunWriter,
    vm: &str,
    device: &dyn BlockDevice,
    stored: StoredStream,
    parent: Option<&str>,
) -> Result<RestorePoint, RepositoryError> {
    let mut stream = stream(device);
    stream.root = stored.root;
    stream.statistics = stored.statistics;
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let point = RestorePoint {
        version: 1,
        id: RestorePoint::new_id()?,
        vm: PointVm {
            identity: vm.to_owned(),
            name: vm.to_owned(),
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
        parent: parent.map(str::to_owned),
        streams: vec![stream],
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
    run.publish(&point)
}

/// Backs a disk up in a run of its own.
pub(crate) fn back_up(repository: &Repository, vm: &str, bytes: &[u8]) -> RestorePoint {
    let previous = repository.points_of(vm).unwrap().pop();
    let run = repository.begin_run(3).unwrap();
    store_point(
        &run,
        vm,
        &MemoryDisk::new(bytes.to_vec()),
        previous.as_ref(),
    )
    .unwrap()
}

/// Reads a point's disk back as a whole.
pub(crate) fn read_back(
    repository: &Repository,
    point: &RestorePoint,
) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let disk = repository.open_stream(&point.streams[0])?;
    let mut bytes = vec![0xEE; usize::try_from(disk.size_bytes()).unwrap()];
    disk.read_at(0, &mut bytes)?;
    Ok(bytes)
}

/// Returns the names and sizes of all objects, in order.
pub(crate) fn listing(folder: &Path) -> Vec<(String, u64)> {
    let store = FolderStore::open(folder).unwrap();
    let mut objects = Vec::new();
    store
        .list("", &mut |object| {
            objects.push((object.name, object.size_bytes));
        })
        .unwrap();
    objects.sort();
    objects
}
