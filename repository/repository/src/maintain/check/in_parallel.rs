//! Work that several threads share.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::{RepositoryError, RepositoryErrorKind};

/// Threads at least: a store is waited for even by a machine with one processor.
const THREADS_MIN: usize = 4;
/// Threads at most: each has buffers of its own.
const THREADS_MAX: usize = 16;

/// Does `work` for each item, on a bounded number of threads, until one fails.
///
/// Each thread makes a worker of its own, which keeps its buffers from one item to the next. Items
/// are taken in order.
pub(crate) fn in_parallel<T, W>(
    items: &[T],
    worker: impl Fn() -> W + Sync,
) -> Result<(), RepositoryError>
where
    T: Sync,
    W: FnMut(&T) -> Result<(), RepositoryError>,
{
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    let threads = processors.clamp(THREADS_MIN, THREADS_MAX).min(items.len());
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let run = || {
        let mut work = worker();
        while !stop.load(Ordering::Relaxed) {
            let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) else {
                return Ok(());
            };
            work(item).inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        // All of them end before this does, whatever the first one says.
        let results: Vec<Result<(), RepositoryError>> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(thread_died())))
            .collect();
        results.into_iter().collect()
    })
}

fn thread_died() -> RepositoryError {
    RepositoryError::new(RepositoryErrorKind::Poisoned, "a thread of this work died")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn each_item_is_done_once_and_a_failure_ends_all() {
        let items: Vec<u64> = (0..1000).collect();
        let sum = AtomicU64::new(0);
        let add = || {
            |item: &u64| {
                sum.fetch_add(*item, Ordering::Relaxed);
                Ok(())
            }
        };
        in_parallel(&items, add).unwrap();
        assert_eq!(sum.into_inner(), 499_500);
        let fail = || {
            |item: &u64| match item {
                7 => Err(thread_died()),
                _ => Ok(()),
            }
        };
        assert!(in_parallel(&items, fail).is_err());
    }
}
