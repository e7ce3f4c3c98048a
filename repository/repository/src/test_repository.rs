//! Small repositories in memory, for the tests of what only this crate can forge.

use std::sync::Arc;

use block_io::{BlockDevice as _, MemoryDisk};
use store_faults::MemoryStore;

use crate::{
    CollectObserver, CollectStage, HostKey, InitOptions, PasswordCost, Repository, RestorePoint,
    Stream, StreamObserver, StreamRole, Unlock, VerifyObserver,
};

const PASSWORD: Unlock<'static> = Unlock::Password("correct horse");
pub(crate) const CHUNK: usize = 4096;

/// Hears everything, and says nothing.
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

impl CollectObserver for Quiet {
    fn advanced(&self, _: CollectStage, _: u64, _: u64) {}
    fn cancelled(&self) -> bool {
        false
    }
}

/// Makes a repository with small chunks and packs.
pub(crate) fn made() -> (MemoryStore, Repository) {
    let store = MemoryStore::new();
    let options = InitOptions {
        chunk_bytes: 4096,
        pack_bytes: 1 << 20,
        password_cost: PasswordCost {
            memory_kib: 64,
            passes: 1,
        },
    };
    let shared = Arc::new(store.another_host());
    let repository = Repository::init(shared, &[PASSWORD], options).unwrap();
    (store, repository)
}

/// Opens it as a host with a key of its own does.
pub(crate) fn at_host(store: &MemoryStore, key: &HostKey) -> Repository {
    Repository::open(Arc::new(store.another_host()), &Unlock::HostKey(key)).unwrap()
}

/// Returns the noise of a seed, in this many chunks.
pub(crate) fn disk(seed: u8, chunks: usize) -> Vec<u8> {
    let mut bytes = vec![0; chunks * CHUNK];
    blake3::Hasher::new_derive_key("disk of a test")
        .update(&[seed])
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

/// Stores a disk without publishing a point of it; all of it is durable and in the index. Returns
/// also how much of it was new, in bytes.
pub(crate) fn store_disk(repository: &Repository, bytes: &[u8]) -> (Stream, u64) {
    let run = repository.begin_run(1).unwrap();
    let (stream, new_bytes) = stored_by(&run, bytes);
    run.flush().unwrap();
    (stream, new_bytes)
}

/// Stores a disk as a point.
pub(crate) fn back_up(repository: &Repository, bytes: &[u8]) -> RestorePoint {
    let run = repository.begin_run(1).unwrap();
    let mut point = a_point("vm");
    point.streams.push(stored_by(&run, bytes).0);
    run.publish(&point).unwrap()
}

/// Returns a point of a VM with nothing in it.
pub(crate) fn a_point(vm: &str) -> RestorePoint {
    let golden = include_str!("../tests/golden/point-v1.json");
    let mut point: RestorePoint = serde_json::from_str(golden).unwrap();
    point.id = RestorePoint::new_id().unwrap();
    point.vm.identity = vm.to_owned();
    point.parent = None;
    point.streams.clear();
    point
}

fn stored_by(run: &crate::RunWriter, bytes: &[u8]) -> (Stream, u64) {
    let device = MemoryDisk::new(bytes.to_vec());
    let stored = run.store_stream(&device, None, &Quiet).unwrap();
    let size_bytes = device.size_bytes();
    let mut stream = Stream::of_file(StreamRole::Configuration, "f", "f", size_bytes);
    stream.root = stored.root;
    (stream, stored.statistics.new_bytes)
}
