//! Random writers, prunes and collectors over one store, against a model of what must be there.
//!
//! Hosts act inside each other's requests: before some request of a writer or collector, others
//! prune, back up and collect, and the store's clock moves by seconds or days. Some hosts die at a
//! request, some requests fail once, listings lag. After each step every point that was published
//! and not removed must read back whole, and at the end, after enough quiet collections, no
//! garbage may be left.
//!
//! Rules that were broken one at a time, and what noticed:
//!
//! | Rule that was left out | Noticed by |
//! |---|---|
//! | a condemned pack that a point reaches is pardoned | this model |
//! | a writer looks again after it has published | the writer that pauses; mending; `--no-other-writers` beside a writer |
//! | what is shared unread from a parent that the collector may not know is walked | nothing yet: in the tests that are there, what says that a deletion is done makes the writer look |
//! | a listing's absence is confirmed by asking for the pack itself | this model: forwarding objects in a circle |

use std::sync::{Arc, Mutex};
use std::time::Duration;

use block_io::{ByteRanges, MemoryDisk};
use repository::{CollectOptions, Repository, RepositoryErrorKind, RestorePoint, Unlock};
use store_faults::{Fault, ListingLag, MemoryStore};

use super::site::{DAY, HOUR, collect_on};
use crate::support::{CHUNK, PASSWORD, Quiet, options, publish_with_parent, read_back};

const CHUNKS: usize = 600;
const VMS: u64 = 3;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        mixed ^ (mixed >> 33)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// A published point, and what it must read as.
struct Expected {
    point: RestorePoint,
    vm: u64,
    bytes: Arc<Vec<u8>>,
}

struct World {
    store: MemoryStore,
    random: Random,
    points: Vec<Expected>,
    /// How deep hosts act inside each other's requests.
    depth: usize,
    collections: u64,
    backups: u64,
    /// Backups that failed because a collection was in their way.
    collected: u64,
}

type Shared = Arc<Mutex<World>>;

/// The content of a chunk: few different ones, so that disks share and find each other's.
fn chunk(content: u64) -> Vec<u8> {
    let mut bytes = vec![0; CHUNK];
    let mut noise = blake3::Hasher::new_derive_key("model chunk");
    noise
        .update(&content.to_le_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

fn open(host: &MemoryStore) -> Option<Repository> {
    let unlock: Unlock<'_> = PASSWORD;
    Repository::open(Arc::new(host.clone()), &unlock).ok()
}

/// Lets others act before some request of this host, and gives it a fault now and then.
fn trouble(world: &Shared, host: &MemoryStore) {
    let mut guard = world.lock().unwrap();
    let fault = match guard.random.below(8) {
        0 => Fault::DieAt(usize::try_from(guard.random.below(40)).unwrap()),
        1 => Fault::FailOnce(usize::try_from(guard.random.below(40)).unwrap()),
        _ => Fault::None,
    };
    host.set_fault(fault, true);
    if guard.depth >= 2 {
        return;
    }
    for _ in 0..guard.random.below(3) {
        let step = usize::try_from(guard.random.below(60)).unwrap();
        let world = Arc::clone(world);
        host.before_step(step, move || {
            world.lock().unwrap().depth += 1;
            for _ in 0..2 {
                act(&world);
            }
            world.lock().unwrap().depth -= 1;
        });
    }
}

/// Something happens.
fn act(world: &Shared) {
    let what = world.lock().unwrap().random.below(10);
    match what {
        0..=2 => back_up(world),
        3..=4 => prune(world),
        5..=7 => collect(world),
        _ => sleep(world),
    }
}

fn sleep(world: &Shared) {
    let mut guard = world.lock().unwrap();
    let time = match guard.random.below(5) {
        0 => Duration::from_secs(guard.random.below(100)),
        1 => HOUR,
        2 => 13 * HOUR,
        3 => 30 * HOUR,
        _ => 3 * DAY,
    };
    guard.store.advance(time);
}

fn collect(world: &Shared) {
    let (host, options) = {
        let mut guard = world.lock().unwrap();
        guard.collections += 1;
        let rewrite_below = [0.0, 0.5, 1.0][usize::try_from(guard.random.below(3)).unwrap()];
        let options = CollectOptions {
            rewrite_below,
            ..CollectOptions::default()
        };
        (guard.store.another_host(), options)
    };
    trouble(world, &host);
    // Whatever fails, nothing that is needed may be gone.
    drop(collect_on(&host, &options));
}

fn prune(world: &Shared) {
    let mut guard = world.lock().unwrap();
    if guard.points.is_empty() {
        return;
    }
    let count = guard.points.len() as u64;
    let number = usize::try_from(guard.random.below(count)).unwrap();
    let expected = guard.points.swap_remove(number);
    let host = guard.store.another_host();
    drop(guard);
    open(&host).unwrap().remove_point(&expected.point).unwrap();
}

/// Changes part of the disk of a VM's newest point and backs it up, by what changed or as a whole.
fn back_up(world: &Shared) {
    let (host, vm, parent, bytes, changed, whole) = {
        let mut guard = world.lock().unwrap();
        guard.backups += 1;
        let vm = guard.random.below(VMS);
        let parent = guard.points.iter().rev().find(|point| point.vm == vm);
        let parent = parent.map(|parent| (parent.point.clone(), Arc::clone(&parent.bytes)));
        let mut bytes = parent
            .as_ref()
            .map_or_else(Vec::new, |(_, bytes)| bytes.to_vec());
        let mut changed = ByteRanges::new();
        let fresh = bytes.is_empty();
        bytes.resize(CHUNKS * CHUNK, 0);
        let changes = if fresh {
            CHUNKS as u64
        } else {
            1 + guard.random.below(60)
        };
        for n in 0..changes {
            let place = if fresh {
                n
            } else {
                guard.random.below(CHUNKS as u64)
            };
            let content = guard.random.below(1500);
            let start = usize::try_from(place).unwrap() * CHUNK;
            bytes[start..start + CHUNK].copy_from_slice(&chunk(content));
            changed.insert(start as u64, CHUNK as u64);
        }
        let whole = guard.random.one_in(3);
        (
            guard.store.another_host(),
            vm,
            parent.map(|(point, _)| point),
            bytes,
            changed,
            whole,
        )
    };
    let Some(repository) = open(&host) else {
        return;
    };
    trouble(world, &host);
    let name = format!("vm{vm}");
    let run = || {
        let run = repository.begin_run(2)?;
        let disk = MemoryDisk::new(bytes.clone());
        let stored = match &parent {
            Some(parent) if !whole => {
                run.store_changed(&disk, &parent.streams[0], &changed, &Quiet)?
            }
            _ => run.store_stream(
                &disk,
                parent.as_ref().map(|parent| &parent.streams[0]),
                &Quiet,
            )?,
        };
        let id = parent.as_ref().map(|parent| &*parent.id);
        publish_with_parent(&run, &name, &disk, stored, id)
    };
    let result = run();
    if result
        .as_ref()
        .is_err_and(|error| error.kind() == RepositoryErrorKind::Collected)
    {
        world.lock().unwrap().collected += 1;
    }
    // A run that failed or died may have published all the same: `check` reads that too.
    let point = result.ok();
    if let Some(point) = point {
        let mut guard = world.lock().unwrap();
        let bytes = Arc::new(bytes);
        guard.points.push(Expected { point, vm, bytes });
    }
}

/// Every point reads back whole: those that the model knows, and those that a host published
/// before it died.
fn check(world: &Shared, seed: u64, step: usize) {
    let guard = world.lock().unwrap();
    let host = guard.store.fork();
    host.set_lag(ListingLag::default(), 1);
    let repository = open(&host).unwrap();
    for Expected { point, bytes, .. } in &guard.points {
        let read = read_back(&repository, point);
        let whole = read.as_ref().is_ok_and(|read| *read == **bytes);
        assert!(
            whole,
            "seed {seed}, step {step}: {} {:?}",
            point.id,
            read.err()
        );
    }
    let (points, damaged) = repository.points().unwrap();
    assert!(damaged.is_empty(), "seed {seed}, step {step}: {damaged:?}");
    for point in points {
        let read = read_back(&repository, &point);
        assert!(
            read.is_ok(),
            "seed {seed}, step {step}: {} {:?}",
            point.id,
            read.err()
        );
    }
}

fn run(seed: u64, steps: usize) -> (u64, u64, u64) {
    let store = MemoryStore::new();
    Repository::init(Arc::new(store.clone()), &[PASSWORD], options()).unwrap();
    store.advance(DAY);
    let mut random = Random(seed);
    let lag = match random.below(3) {
        0 => Duration::ZERO,
        1 => Duration::from_secs(90),
        _ => Duration::from_secs(3599),
    };
    store.set_lag(
        ListingLag {
            time: lag,
            requests: 0,
        },
        seed,
    );
    let world = Arc::new(Mutex::new(World {
        store: store.clone(),
        random,
        points: Vec::new(),
        depth: 0,
        collections: 0,
        backups: 0,
        collected: 0,
    }));
    for step in 0..steps {
        act(&world);
        check(&world, seed, step);
    }
    // Quiet: what is left is what points need, and what is written down of it.
    store.set_lag(ListingLag::default(), 1);
    let mut last = None;
    // What is rewritten late needs some more until what it leaves is condemned, deleted, forgotten.
    for round in 0..16 {
        store.advance(4 * DAY);
        let report = collect_on(&store.another_host(), &CollectOptions::default()).unwrap();
        let clean = report.packs == report.needed_packs;
        last = Some(report);
        if round >= 7 && clean && store.names("condemned/").is_empty() {
            break;
        }
    }
    let last = last.unwrap();
    assert_eq!(
        last.packs, last.needed_packs,
        "seed {seed}: garbage is left"
    );
    assert_eq!(
        store.names("condemned/"),
        Vec::<String>::new(),
        "seed {seed}: {last:?}"
    );
    assert_eq!(last.missing_packs, 0, "seed {seed}");
    check(&world, seed, usize::MAX);
    let guard = world.lock().unwrap();
    (guard.backups, guard.collections, guard.collected)
}

#[test]
fn whatever_happens_every_published_point_reads_back_and_garbage_goes() {
    let seeds = std::env::var("LIFEBOAT_MODEL_SEEDS").ok();
    let seeds: u64 = seeds.map_or(12, |seeds| seeds.parse().unwrap());
    let first = std::env::var("LIFEBOAT_MODEL_FIRST").ok();
    let first: u64 = first.map_or(1, |first| first.parse().unwrap());
    let mut total = (0, 0, 0);
    for seed in first..first + seeds {
        let (backups, collections, collected) = run(seed, 14);
        total = (
            total.0 + backups,
            total.1 + collections,
            total.2 + collected,
        );
    }
    println!("backups, collections, backups that a collection was in the way of: {total:?}");
}
