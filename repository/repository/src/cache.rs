//! A bounded map that forgets what was not used for longest.

use std::collections::HashMap;
use std::hash::Hash;

/// A bounded map. When it is full, the half that was not used for longest goes at once, so that
/// an insertion costs little on average and nothing is linked to anything.
pub(crate) struct Cache<K, V> {
    entries: HashMap<K, (u64, V)>,
    capacity: usize,
    tick: u64,
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    /// Makes a cache for at most `capacity` entries.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            entries: HashMap::new(),
            capacity: capacity.max(2),
            tick: 0,
        }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        self.tick += 1;
        let tick = self.tick;
        let (used, value) = self.entries.get_mut(key)?;
        *used = tick;
        Some(value.clone())
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.entries.len() >= self.capacity {
            let mut ticks: Vec<u64> = self.entries.values().map(|(used, _)| *used).collect();
            let middle = ticks.len() / 2;
            let (_, median, _) = ticks.select_nth_unstable(middle);
            let median = *median;
            self.entries.retain(|_, (used, _)| *used > median);
        }
        self.tick += 1;
        self.entries.insert(key, (self.tick, value));
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;

    #[test]
    fn what_is_used_stays_and_the_size_is_bounded() {
        let mut cache = Cache::new(8);
        for n in 0..100 {
            cache.insert(n, n);
            assert_eq!(cache.get(&0), Some(0));
        }
        assert!(cache.entries.len() <= 8);
        assert_eq!(cache.get(&1), None);
    }
}
