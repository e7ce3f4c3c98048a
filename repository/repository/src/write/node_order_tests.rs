//! A pack of map nodes is never in the store before what its nodes point to.
//!
//! A disk of many leaves fills node packs while it is being stored, with several workers, over a
//! store that keeps chunk packs waiting; and once more with each of its first writes failing.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use block_io::{BlockDevice, DiskError, Extent, ExtentKind};
use object_store::{FolderStore, ObjectInfo, ObjectStore, StoreError, StoreErrorKind};
use store_faults::{Fault, FaultySystem};

use crate::format::{Entry, MapNode, PackId, PackKind};
use crate::{InitOptions, PasswordCost, Repository, Stream, StreamObserver, StreamRole, Unlock};

const LEAVES: u64 = 120;
const CHUNK: u64 = 4096;

/// A disk on which every chunk is another one and compresses well, and another one for each
/// generation.
struct Numbered(u8);

impl BlockDevice for Numbered {
    fn size_bytes(&self) -> u64 {
        LEAVES * 256 * CHUNK
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        let chunks = buf.chunks_mut(usize::try_from(CHUNK).unwrap());
        for (chunk, number) in chunks.zip(offset / CHUNK..) {
            chunk.fill(self.0);
            chunk[..8].copy_from_slice(&number.to_le_bytes());
        }
        Ok(())
    }
    fn extent_at(&self, _: u64, len_bytes: u64) -> Result<Extent, DiskError> {
        Ok(Extent {
            kind: ExtentKind::Data,
            len_bytes,
        })
    }
}

impl StreamObserver for Numbered {
    fn advanced(&self, _: u64, _: u64) {}
    fn cancelled(&self) -> bool {
        false
    }
}

/// Remembers, for each node pack, which packs were whole before it was begun to be written.
struct Watching {
    store: FolderStore<FaultySystem>,
    whole: Mutex<HashSet<PackId>>,
    nodes: Mutex<Vec<(PackId, HashSet<PackId>)>>,
    writes: AtomicUsize,
    /// The write that fails; none: `usize::MAX`.
    fail: AtomicUsize,
}

impl ObjectStore for Watching {
    fn location(&self) -> String {
        self.store.location()
    }
    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let Some(pack) = PackId::from_object_name(name) else {
            return self.store.put_new(name, bytes);
        };
        let write = self.writes.fetch_add(1, Ordering::Relaxed);
        let is_node = bytes[8] == PackKind::MapNodes as u8;
        if is_node {
            let whole = self.whole.lock().unwrap().clone();
            self.nodes.lock().unwrap().push((pack, whole));
        } else {
            // Others get every chance to run ahead.
            (0..2000).for_each(|_| std::thread::yield_now());
        }
        if self.fail.load(Ordering::Relaxed) == write {
            return Err(StoreError::new(
                StoreErrorKind::NoSpace,
                name,
                "no room, by request",
            ));
        }
        self.store.put_new(name, bytes)?;
        self.whole.lock().unwrap().insert(pack);
        Ok(())
    }
    fn get(&self, name: &str, limit: u64) -> Result<Vec<u8>, StoreError> {
        self.store.get(name, limit)
    }
    fn get_range(&self, name: &str, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        self.store.get_range(name, offset, buf)
    }
    fn size_bytes(&self, name: &str) -> Result<u64, StoreError> {
        self.store.size_bytes(name)
    }
    fn list(&self, prefix: &str, visit: &mut dyn FnMut(ObjectInfo)) -> Result<(), StoreError> {
        self.store.list(prefix, visit)
    }
    fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.store.remove(name)
    }
    fn now(&self) -> Result<std::time::SystemTime, StoreError> {
        self.store.now()
    }
}

/// Stores the disk, or what changed of it in each leaf; returns whether that worked, and how many
/// node packs were looked through.
fn store_and_look(fail: usize, changed: bool) -> (bool, usize) {
    let folder = tempfile::tempdir().unwrap();
    let system = FaultySystem::new(Fault::None);
    let store = Arc::new(Watching {
        store: FolderStore::with_system(folder.path(), system).unwrap(),
        whole: Mutex::default(),
        nodes: Mutex::default(),
        writes: AtomicUsize::new(0),
        fail: AtomicUsize::new(usize::MAX),
    });
    let options = InitOptions {
        chunk_bytes: u32::try_from(CHUNK).unwrap(),
        pack_bytes: 1 << 20,
        password_cost: PasswordCost {
            memory_kib: 64,
            passes: 1,
        },
    };
    let unlocks = [Unlock::Password("order")];
    let repository = Repository::init(store.clone(), &unlocks, options).unwrap();
    let mut disk = Numbered(1);
    let mut stream = Stream::of_file(StreamRole::Disk, "disk", "disk", disk.size_bytes());
    if changed {
        let run = repository.begin_run(6).unwrap();
        let stored = run.store_stream(&disk, None, &disk).unwrap();
        run.flush().unwrap();
        (stream.root, stream.statistics) = (stored.root, stored.statistics);
        disk = Numbered(2);
        store.nodes.lock().unwrap().clear();
    }
    let first = store.writes.load(Ordering::Relaxed);
    store
        .fail
        .store(first.saturating_add(fail), Ordering::Relaxed);
    let run = repository.begin_run(6).unwrap();
    let stored = if changed {
        // Half of each leaf.
        let half = 128 * CHUNK;
        let ranges = (0..LEAVES).map(|leaf| 2 * leaf * half..(2 * leaf + 1) * half);
        run.store_changed(&disk, &stream, &ranges.collect(), &disk)
    } else {
        run.store_stream(&disk, None, &disk)
    };
    let stored = stored.and_then(|_| run.flush());
    drop(run);
    (stored.is_ok(), look_through(&repository, &store))
}

/// Looks through the node packs that are in the store; returns how many.
fn look_through(repository: &Repository, store: &Watching) -> usize {
    let whole = store.whole.lock().unwrap().clone();
    let nodes = store.nodes.lock().unwrap().clone();
    let present = nodes.iter().filter(|(pack, _)| whole.contains(pack));
    let mut looked = 0;
    for (pack, before) in present {
        let size = store.size_bytes(&pack.object_name()).unwrap();
        let (_, frames) = repository.shared.read_trailer(*pack, size).unwrap();
        for frame in frames {
            let locator = crate::format::Locator {
                pack: *pack,
                offset: frame.offset,
                stored_bytes: frame.stored_bytes,
            };
            let bytes = repository.shared.read_node(frame.name, locator).unwrap();
            let count = usize::from(u16::from_le_bytes([bytes[2], bytes[3]]));
            let naming = &repository.shared.naming;
            let (_, node) = MapNode::decode(&bytes, bytes[0], count, naming).unwrap();
            for entry in &node.entries {
                let Entry::Stored { locator, .. } = entry else {
                    continue;
                };
                let known = before.contains(&locator.pack) || locator.pack == *pack;
                assert!(
                    known,
                    "{pack:?} was written before {:?} was whole",
                    locator.pack
                );
            }
        }
        looked += 1;
    }
    looked
}

#[test]
fn nodes_are_written_after_what_they_point_to_whatever_fails() {
    for changed in [false, true] {
        let (stored, looked) = store_and_look(usize::MAX, changed);
        assert!(stored);
        assert!(
            looked >= 3,
            "only {looked} node packs: too few to mean anything"
        );
        for write in 0..8 {
            // It fails, and above all it ends.
            assert!(
                !store_and_look(write, changed).0,
                "write {write} failed and nobody noticed"
            );
        }
    }
}
