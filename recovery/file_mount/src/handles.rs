//! What programs have open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most entries of all open folders together.
pub const LISTED_MAX: usize = 4 << 20;

/// Open things, each with a number, and a bound for what they weigh together.
pub(crate) struct Handles<T> {
    weight_max: usize,
    open: Mutex<Open<T>>,
}

struct Open<T> {
    things: HashMap<u64, (Arc<T>, usize)>,
    weight: usize,
    next: u64,
}

impl<T> Handles<T> {
    pub(crate) fn new(weight_max: usize) -> Self {
        Self {
            weight_max,
            open: Mutex::new(Open {
                things: HashMap::new(),
                weight: 0,
                next: 1,
            }),
        }
    }

    /// Keeps a thing; `None` where too much is open.
    pub(crate) fn add(&self, thing: T, weight: usize) -> Option<u64> {
        let mut open = self.lock();
        let sum = open.weight.checked_add(weight)?;
        // One alone is borne however heavy it is: its maker has bounds of its own.
        if sum > self.weight_max && !open.things.is_empty() {
            return None;
        }
        let number = open.next;
        open.next += 1;
        open.weight = sum;
        open.things.insert(number, (Arc::new(thing), weight));
        Some(number)
    }

    pub(crate) fn get(&self, number: u64) -> Option<Arc<T>> {
        let open = self.lock();
        open.things.get(&number).map(|(thing, _)| Arc::clone(thing))
    }

    pub(crate) fn remove(&self, number: u64) {
        let mut open = self.lock();
        if let Some((_, weight)) = open.things.remove(&number) {
            open.weight = open.weight.saturating_sub(weight);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open<T>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
