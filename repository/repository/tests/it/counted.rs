//! What the repository costs, counted: requests, bytes written and read, memory. Times are measured
//! by `cargo xtask bench`; what is counted here is the same on every machine.

use std::process::Command;
use std::sync::Arc;

use block_io::{BlockDevice, ByteRanges, DiskError, Extent, ExtentKind, check_range};
use object_store::FolderStore;
use repository::{InitOptions, PasswordCost, Repository, RestorePoint};
use store_faults::{Fault, FaultySystem};

use crate::recorded_store::{RecordedStore, Request};
use crate::support::{PASSWORD, store_changed_point, store_point};

const CHUNK: u64 = 64 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;
/// Chunks of 64 KiB in a TiB.
const CHUNKS_PER_TIB: u64 = TIB / CHUNK;

type Store = RecordedStore<FolderStore<FaultySystem>>;

/// A repository as people have it: chunks of 64 KiB, packs of 32 MiB.
fn repository(folder: &std::path::Path, options: InitOptions) -> (Arc<Store>, Repository) {
    let system = FaultySystem::new(Fault::None);
    let store = Arc::new(RecordedStore::new(
        FolderStore::with_system(folder, system).unwrap(),
    ));
    let password_cost = PasswordCost {
        memory_kib: 64,
        passes: 1,
    };
    let options = InitOptions {
        password_cost,
        ..options
    };
    let repository = Repository::init(store.clone(), &[PASSWORD], options).unwrap();
    (store, repository)
}

fn count(requests: &[Request], what: &str, prefix: &str) -> u64 {
    let counted = requests.iter();
    counted
        .filter(|request| request.what == what && request.object.starts_with(prefix))
        .count() as u64
}

fn bytes(requests: &[Request], what: &str) -> u64 {
    let counted = requests.iter().filter(|request| request.what == what);
    counted.map(|request| request.bytes).sum()
}

/// A disk of which every chunk holds something else. Before [`FullDisk::changed`] it compresses to
/// next to nothing, so that filling a repository takes no time; what changed does not compress.
struct FullDisk {
    size_bytes: u64,
    chunk_bytes: u64,
    noisy: bool,
    changed: ByteRanges,
}

impl FullDisk {
    fn new(size_bytes: u64) -> Self {
        Self {
            size_bytes,
            chunk_bytes: CHUNK,
            noisy: false,
            changed: ByteRanges::new(),
        }
    }
}

impl BlockDevice for FullDisk {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes, offset, buf.len() as u64)?;
        let parts = buf.chunks_mut(usize::try_from(self.chunk_bytes).unwrap());
        for (number, part) in (offset / self.chunk_bytes..).zip(parts) {
            let at = number * self.chunk_bytes;
            if self.noisy || self.changed.intersects(at..at + 1) {
                let mut noise = blake3::Hasher::new();
                noise
                    .update(&number.to_le_bytes())
                    .finalize_xof()
                    .fill(part);
            } else {
                part.fill(0x11);
                part[..8].copy_from_slice(&(number + 1).to_le_bytes());
            }
        }
        Ok(())
    }
    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        check_range(self.size_bytes, offset, max_bytes)?;
        Ok(Extent {
            kind: ExtentKind::Data,
            len_bytes: max_bytes,
        })
    }
}

fn read_whole(repository: &Repository, point: &RestorePoint) {
    let disk = repository.open_stream(&point.streams[0]).unwrap();
    let mut buffer = vec![0; usize::try_from(MIB).unwrap()];
    for at in (0..disk.size_bytes()).step_by(buffer.len()) {
        disk.read_at(at, &mut buffer).unwrap();
    }
}

#[test]
fn a_gibibyte_takes_few_requests_to_write_and_one_for_each_mebibyte_to_read() {
    let folder = tempfile::tempdir().unwrap();
    let (store, repository) = repository(folder.path(), InitOptions::default());
    // An eighth of a GiB that does not compress.
    let mut disk = FullDisk::new(GIB / 8);
    disk.noisy = true;
    let run = repository.begin_run(3).unwrap();
    store.take();
    let point = store_point(&run, "vm", &disk, None).unwrap();
    let requests = store.take();
    // Packs of 32 MiB, the last one as it comes; one of nodes, an index object, the point.
    assert!((4..=5).contains(&(count(&requests, "write", "packs/") - 1)));
    assert_eq!(count(&requests, "write", "index/"), 1);
    assert_eq!(count(&requests, "write", "points/"), 1);
    assert!(count(&requests, "write", "") <= 8, "{requests:?}");
    let written = bytes(&requests, "write");
    assert!(written < GIB / 8 * 1005 / 1000, "{written}");

    let cold = Repository::open(store.clone(), &PASSWORD).unwrap();
    store.take();
    read_whole(&cold, &point);
    let requests = store.take();
    // What is read at once was stored at once, so it lies at one place; now and then a pack ends.
    let reads = count(&requests, "read", "packs/");
    assert!((128..=140).contains(&reads), "{reads}");
    let read = bytes(&requests, "read");
    assert!(read < GIB / 8 * 1005 / 1000, "{read}");
}

/// Changes these chunks of a full disk of a GiB and returns what is written for a byte that changed.
fn written_per_changed_byte(chunks: impl Iterator<Item = u64>) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let (store, repository) = repository(folder.path(), InitOptions::default());
    let mut disk = FullDisk::new(GIB);
    let run = repository.begin_run(2).unwrap();
    let first = store_point(&run, "vm", &disk, None).unwrap();
    drop(run);
    for chunk in chunks {
        disk.changed.insert(chunk * CHUNK, CHUNK);
    }
    let run = repository.begin_run(2).unwrap();
    store.take();
    store_changed_point(&run, "vm", &disk, &first, &disk.changed).unwrap();
    let written = bytes(&store.take(), "write");
    let ratio = |part: u64, whole: u64| {
        f64::from(u32::try_from(part).unwrap()) / f64::from(u32::try_from(whole).unwrap())
    };
    ratio(written, disk.changed.total_bytes())
}

#[test]
fn a_changed_byte_is_written_about_once_with_all_nodes_of_the_map() {
    // 64 MiB in one place: chunks, four or five leaves, the root, the index, the point.
    let together = written_per_changed_byte(5000..6024);
    assert!(together < 1.005, "{together}");
    // Eight chunks in each of the 64 leaves: every leaf is written again.
    let spread = written_per_changed_byte((0..512).map(|n| n / 8 * 256 + n % 8 * 30));
    assert!(spread < 1.04, "{spread}");
    // The worst: one chunk of each leaf.
    let scattered = written_per_changed_byte((0..64).map(|leaf| leaf * 256 + 77));
    assert!(scattered < 1.25, "{scattered}");
}

#[test]
fn a_random_read_takes_one_request_for_one_chunk() {
    let folder = tempfile::tempdir().unwrap();
    let (store, repository) = repository(folder.path(), InitOptions::default());
    let mut disk = FullDisk::new(GIB / 8);
    disk.noisy = true;
    let run = repository.begin_run(3).unwrap();
    let point = store_point(&run, "vm", &disk, None).unwrap();
    drop(run);
    let cold = Repository::open(store.clone(), &PASSWORD).unwrap();
    let disk = cold.open_stream(&point.streams[0]).unwrap();
    store.take();
    let mut block = [0; 4096];
    disk.read_at(GIB / 16 + 12_288, &mut block).unwrap();
    let first = store.take();
    // The map of such a disk lies in one window, or across the border of two.
    assert!((2..=3).contains(&count(&first, "read", "")), "{first:?}");
    assert!(bytes(&first, "read") < 2 * 256 * 1024 + CHUNK + 64);
    // From there on no map is read any more, and of the packs the one frame.
    for read in 0..50_u64 {
        let chunk = read * 37 % 2000;
        disk.read_at(chunk * CHUNK + 4096 * (read % 16), &mut block)
            .unwrap();
        let requests = store.take();
        assert_eq!(count(&requests, "read", ""), 1, "{requests:?}");
        // Codec and tag besides the chunk.
        assert_eq!(bytes(&requests, "read"), CHUNK + 17);
    }
}

/// What is kept of the index for a TiB of chunks, in bytes: what opening it reads is what is kept.
fn index_bytes_per_tib() -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let small_chunks = InitOptions {
        chunk_bytes: 4096,
        ..InitOptions::default()
    };
    let (store, repository) = repository(folder.path(), small_chunks);
    let chunks = 100_000;
    let mut disk = FullDisk::new(chunks * 4096);
    disk.chunk_bytes = 4096;
    let run = repository.begin_run(3).unwrap();
    store_point(&run, "vm", &disk, None).unwrap();
    drop(run);
    let cold = Repository::open(store.clone(), &PASSWORD).unwrap();
    store.take();
    drop(cold.begin_run(1).unwrap());
    let index = store.take().into_iter();
    let index: Vec<_> = index
        .filter(|request| request.object.starts_with("index/"))
        .collect();
    bytes(&index, "read") * CHUNKS_PER_TIB / chunks
}

/// A disk on which nothing was ever stored.
struct EmptyDisk(u64);

impl BlockDevice for EmptyDisk {
    fn size_bytes(&self) -> u64 {
        self.0
    }
    fn read_at(&self, offset: u64, _: &mut [u8]) -> Result<(), DiskError> {
        panic!("{offset} holds nothing and was read");
    }
    fn extent_at(&self, _: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        Ok(Extent {
            kind: ExtentKind::NotAllocated,
            len_bytes: max_bytes,
        })
    }
}

/// The most memory that this process had so far, where the system tells.
fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}

const SIZE_OF_CHILD: &str = "LIFEBOAT_TEST_DISK_TIB";

/// A part of the next test, in a process of its own: nothing else is in its memory.
#[test]
fn peak_memory_of_a_disk_that_a_variable_names() {
    let Ok(size) = std::env::var(SIZE_OF_CHILD) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (_, repository) = repository(folder.path(), InitOptions::default());
    let disk = EmptyDisk(size.parse::<u64>().unwrap() * TIB);
    let run = repository.begin_run(2).unwrap();
    let point = store_point(&run, "vm", &disk, None).unwrap();
    let read = repository.open_stream(&point.streams[0]).unwrap();
    for tib in 0..disk.0 / TIB {
        let extent = read.extent_at(tib * TIB, TIB).unwrap();
        assert_eq!(extent.kind, ExtentKind::NotAllocated);
    }
    println!("peak {}", peak_memory_bytes().unwrap_or(0));
}

fn peak_memory_in_a_child(tib: u64) -> u64 {
    let name = "counted::peak_memory_of_a_disk_that_a_variable_names";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(SIZE_OF_CHILD, tib.to_string())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "peak").unwrap();
    words[at + 1].parse().unwrap()
}

#[test]
fn a_tebibyte_takes_less_than_32_mib_of_memory() {
    // 11 bits a chunk: a filter, and where each page begins.
    let index = index_bytes_per_tib();
    // A name of 16 bytes and a length for each pack of 32 MiB, in a table that is half empty.
    let packs = TIB / (32 * MIB) * 2 * 32;
    // What grows with the disk: its leaves as their parents' entries.
    let (one, all) = (peak_memory_in_a_child(1), peak_memory_in_a_child(64));
    let leaves = all.saturating_sub(one) / 63;
    let total = index + packs + leaves;
    assert!(
        total < 32 * MIB,
        "index {index}, packs {packs}, leaves {leaves}"
    );
    assert!(
        index > 16 * MIB,
        "the index that was measured is not the whole: {index}"
    );
    // And what does not grow.
    assert!(one < 192 * MIB, "{one}");
}
