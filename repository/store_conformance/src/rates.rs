//! How fast a store is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use object_store::{ObjectStore, StoreError};
use serde::Serialize;

use crate::place::{Numbers, clean_up, new_prefix, noise};

/// What a random read asks for.
const SMALL_BYTES: usize = 4096;
/// What a sequential read asks for at once.
const LARGE_BYTES: usize = 1 << 20;
/// Reads under way at once where many are.
const DEPTH: usize = 8;

/// How long each rate may be measured, and with how much.
#[derive(Debug, Clone, Copy)]
pub struct RatesOptions {
    /// Length of the objects that are written and read.
    pub object_bytes: usize,
    /// How many of them.
    pub objects: usize,
    /// How long each rate is measured at most; one request is always made.
    pub time: Duration,
}

impl Default for RatesOptions {
    fn default() -> Self {
        Self {
            object_bytes: 16 << 20,
            objects: 4,
            time: Duration::from_secs(3),
        }
    }
}

/// A store's rates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Rates {
    /// Bytes a second written, in objects as large as packs, two at once.
    pub write_bytes_per_second: u64,
    /// Bytes a second read in order, one request after another.
    pub read_bytes_per_second: u64,
    /// Small objects a second written, one after another.
    pub small_writes_per_second: u64,
    /// Reads a second of 4 KiB at random places, one after another.
    pub random_reads_per_second: u64,
    /// The same with eight under way at once.
    pub random_reads_at_once_per_second: u64,
}

/// Measures a store, with objects under a prefix of their own that are removed again.
pub fn measure_rates(store: &dyn ObjectStore, options: RatesOptions) -> Result<Rates, StoreError> {
    let prefix = new_prefix()?;
    let rates = measure(store, options, &prefix);
    clean_up(store, &prefix);
    rates
}

fn measure(
    store: &dyn ObjectStore,
    options: RatesOptions,
    prefix: &str,
) -> Result<Rates, StoreError> {
    let len = options.object_bytes.max(LARGE_BYTES);
    let body = noise(17, len);
    let name = |number: usize| format!("{prefix}large/{number}");
    let objects = options.objects.max(2);

    let at = AtomicU64::new(0);
    let next = || usize::try_from(at.fetch_add(1, Ordering::Relaxed)).unwrap_or(usize::MAX);
    let written = during(options.time, 2, || {
        let number = next();
        if number >= objects {
            return Ok(None);
        }
        store.put_new(&name(number), &body)?;
        Ok(Some(len))
    })?;
    let objects = objects.min(next());

    let mut offset = 0;
    let mut buf = vec![0; LARGE_BYTES];
    let mut object = 0;
    let read = in_turn(options.time, &mut || {
        if offset + LARGE_BYTES > len {
            (object, offset) = ((object + 1) % objects, 0);
        }
        store.get_range(&name(object), to_u64(offset), &mut buf)?;
        offset += LARGE_BYTES;
        Ok(LARGE_BYTES)
    })?;

    let mut number = 0;
    let small = in_turn(options.time / 3, &mut || {
        number += 1;
        store.put_new(&format!("{prefix}small/{number}"), &body[..SMALL_BYTES])?;
        Ok(1)
    })?;

    let places = to_u64(len - SMALL_BYTES);
    let random_read = |seed: u64| {
        let mut numbers = Numbers::new(seed);
        let mut buf = [0; SMALL_BYTES];
        let object = usize::try_from(numbers.next() % to_u64(objects)).unwrap_or_default();
        store.get_range(&name(object), numbers.next() % places, &mut buf)?;
        Ok(1)
    };
    let mut seed = 0;
    let random = in_turn(options.time, &mut || {
        seed += 1;
        random_read(seed)
    })?;
    let seeds = AtomicU64::new(1 << 32);
    let at_once = during(options.time, DEPTH, || {
        random_read(seeds.fetch_add(1, Ordering::Relaxed)).map(Some)
    })?;
    Ok(Rates {
        write_bytes_per_second: written,
        read_bytes_per_second: read,
        small_writes_per_second: small,
        random_reads_per_second: random,
        random_reads_at_once_per_second: at_once,
    })
}

fn to_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Repeats work for a while; returns what it did a second.
fn in_turn(
    time: Duration,
    work: &mut dyn FnMut() -> Result<usize, StoreError>,
) -> Result<u64, StoreError> {
    let started = Instant::now();
    let mut done = 0;
    loop {
        done += to_u64(work()?);
        if started.elapsed() >= time {
            return Ok(a_second(done, started.elapsed()));
        }
    }
}

/// Repeats work in several threads for a while, or until there is none.
fn during(
    time: Duration,
    threads: usize,
    work: impl Fn() -> Result<Option<usize>, StoreError> + Sync,
) -> Result<u64, StoreError> {
    let started = Instant::now();
    let done = AtomicU64::new(0);
    let worker = || -> Result<(), StoreError> {
        while let Some(amount) = work()? {
            done.fetch_add(to_u64(amount), Ordering::Relaxed);
            if started.elapsed() >= time {
                break;
            }
        }
        Ok(())
    };
    let failures: Vec<StoreError> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .filter_map(|worker| worker.join().ok().and_then(Result::err))
            .collect()
    });
    match failures.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(a_second(done.into_inner(), started.elapsed())),
    }
}

fn a_second(amount: u64, time: Duration) -> u64 {
    let nanos = time.as_nanos().max(1);
    u64::try_from(u128::from(amount) * 1_000_000_000 / nanos).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use object_store::FolderStore;

    use super::*;

    #[test]
    fn a_folder_has_rates_and_keeps_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::create(folder.path()).unwrap();
        let options = RatesOptions {
            object_bytes: 1 << 20,
            objects: 2,
            time: Duration::ZERO,
        };
        let rates = measure_rates(&store, options).unwrap();
        assert!(rates.write_bytes_per_second > 0 && rates.read_bytes_per_second > 0);
        assert!(rates.small_writes_per_second > 0 && rates.random_reads_per_second > 0);
        assert!(rates.random_reads_at_once_per_second > 0, "{rates:?}");
        store
            .list("", &mut |object| panic!("{} is left", object.name))
            .unwrap();
    }

    #[test]
    fn a_rate_is_an_amount_in_a_second() {
        assert_eq!(a_second(10, Duration::from_secs(2)), 5);
        assert_eq!(a_second(10, Duration::from_millis(100)), 100);
        assert_eq!(a_second(1, Duration::ZERO), 1_000_000_000);
    }
}
