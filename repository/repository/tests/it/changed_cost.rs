//! The same change costs the same on a small and on a large disk.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use block_io::ByteRanges;
use disk_model::CountedDisk;
use object_store::FolderStore;
use repository::{InitOptions, PasswordCost, Repository, StreamStatistics};
use store_faults::{Fault, FaultySystem};

use crate::known_disks::{Pattern, PatternDisk};
use crate::recorded_store::{RecordedStore, Request};
use crate::support::{PASSWORD, Quiet, store_changed_point, store_point};

const CHUNK: u64 = 64 << 10;
const GIB: u64 = 1 << 30;

/// What a change cost.
struct Cost {
    source_reads: Vec<Range<u64>>,
    /// Chunks and nodes that were stored.
    frames: u64,
    requests: Vec<Request>,
    statistics: StreamStatistics,
}

impl Cost {
    fn count(&self, what: &str, prefix: &str) -> usize {
        let counts =
            |request: &&Request| request.what == what && request.object.starts_with(prefix);
        self.requests.iter().filter(counts).count()
    }
}

/// Writes that touch three leaves, all below 4 GiB: data, zeros, and what is given back.
fn change(disk: &mut PatternDisk) -> ByteRanges {
    let mut changed = ByteRanges::new();
    let writes = [
        (GIB / CHUNK, Pattern::Data(77)),
        (GIB / CHUNK + 1, Pattern::Data(78)),
        (GIB / CHUNK + 9, Pattern::Zero),
        (2 * GIB / CHUNK, Pattern::NotAllocated),
        (3 * GIB / CHUNK + 100, Pattern::Data(79)),
    ];
    for (chunk, pattern) in writes {
        disk.exceptions.insert(chunk, pattern);
        changed.insert(chunk * CHUNK + 4096, 8192);
    }
    changed
}

/// Backs a disk up, changes it, and looks at what storing the change costs.
fn cost(size_bytes: u64) -> Cost {
    let folder = tempfile::tempdir().unwrap();
    let system = FaultySystem::new(Fault::None);
    let folder_store = FolderStore::with_system(folder.path(), system).unwrap();
    let store = Arc::new(RecordedStore::new(folder_store));
    let options = InitOptions {
        password_cost: PasswordCost {
            memory_kib: 64,
            passes: 1,
        },
        ..InitOptions::default()
    };
    let repository = Repository::init(store.clone(), &[PASSWORD], options).unwrap();
    let mut disk = PatternDisk {
        empty: false,
        size_bytes,
        chunk_bytes: CHUNK,
        exceptions: BTreeMap::new(),
    };
    let run = repository.begin_run(2).unwrap();
    let first = store_point(&run, "vm", &disk, None).unwrap();
    drop(run);
    let frames = || repository.check(true, &Quiet).unwrap().frames;
    let frames_before = frames();

    let changed = change(&mut disk);
    let disk = CountedDisk::new(disk);
    let cold = Repository::open(store.clone(), &PASSWORD).unwrap();
    let run = cold.begin_run(1).unwrap();
    store.take();
    let point = store_changed_point(&run, "vm", &disk, &first, &changed).unwrap();
    let requests = store.take();
    let source_reads = disk.take();
    let frames = frames() - frames_before;
    // It is the very map that reading everything gives.
    let all = run.store_stream(&disk, None, &Quiet).unwrap();
    assert_eq!(all.root, point.streams[0].root);
    let statistics = point.streams[0].statistics;
    assert_eq!(all.statistics.data_bytes, statistics.data_bytes);
    assert_eq!(all.statistics.zero_bytes, statistics.zero_bytes);
    assert_eq!(
        all.statistics.not_allocated_bytes,
        statistics.not_allocated_bytes
    );
    Cost {
        source_reads,
        frames,
        requests,
        statistics,
    }
}

#[test]
fn a_change_costs_the_same_on_4_gib_and_on_256_gib() {
    let [small, large] = [4 * GIB, 256 * GIB].map(cost);
    // Three chunks, two of them side by side; what holds nothing is not read.
    let reads = [
        GIB..GIB + 2 * CHUNK,
        3 * GIB + 100 * CHUNK..3 * GIB + 101 * CHUNK,
    ];
    for cost in [&small, &large] {
        assert_eq!(cost.source_reads, reads);
        assert_eq!(cost.statistics.read_bytes, 3 * CHUNK);
        // One pack of chunks, one of nodes, an index object, the point.
        assert_eq!(cost.count("write", "packs/"), 2);
        assert_eq!(cost.count("write", "index/"), 1);
        assert_eq!(cost.count("write", "points/"), 1);
        assert_eq!(
            cost.requests.iter().filter(|r| r.what == "write").count(),
            4
        );
        // And one look at what is condemned, once the point is there.
        assert_eq!(cost.count("list", ""), 1);
        assert_eq!(cost.count("list", "condemned/"), 1);
        // A page for a new name that a filter seems to know: three chunks, and at most six nodes.
        assert!(cost.count("read", "index/") <= 9);
    }
    // Nodes that are read: root and three leaves; the level between is one node more. The nodes of
    // the small disk all lie in one window of 256 KiB; of the large one in one for each at most,
    // and one of them may lie across a border.
    let windows = |cost: &Cost| cost.count("read", "packs/");
    assert_eq!(windows(&small), 1);
    assert!((1..=6).contains(&windows(&large)), "{:?}", large.requests);
    // Three chunks, three leaves and the root; and the node between.
    assert_eq!((small.frames, large.frames), (3 + 4, 3 + 5));
}
