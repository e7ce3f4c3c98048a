//! Doing the same to many things at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::RepositoryError;

/// Requests at once where the answer takes longer than the question.
pub(crate) const REQUESTS: usize = 8;

/// Does `work` to all items with some threads; after a failure no further one is begun.
pub(crate) fn for_each<T: Sync>(
    items: &[T],
    workers: usize,
    work: impl Fn(usize, &T) -> Result<(), RepositoryError> + Sync,
) -> Result<(), RepositoryError> {
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let lock = || failure.lock().unwrap_or_else(PoisonError::into_inner);
    let run = || {
        while lock().is_none() {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(number) else {
                return;
            };
            if let Err(error) = work(number, item) {
                lock().get_or_insert(error);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..workers.min(items.len()) {
            scope.spawn(run);
        }
    });
    let failure = lock().take();
    failure.map_or(Ok(()), Err)
}
