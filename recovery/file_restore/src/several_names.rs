//! Files with several names: where each was written first.

use std::collections::HashMap;
use std::hash::Hash;

use guest_files::FileName;

/// Most bytes of paths that are remembered. A guest decides how many there are: beyond it a file is
/// written again for each name.
const MAX_BYTES: usize = 64 << 20;
/// What a name and a path take besides their bytes, about.
const OVERHEAD_BYTES: usize = 32;

/// Where files were written first.
pub(crate) struct SeveralNames<K> {
    paths: HashMap<K, Vec<FileName>>,
    free_bytes: usize,
}

impl<K> Default for SeveralNames<K> {
    fn default() -> Self {
        Self {
            paths: HashMap::new(),
            free_bytes: MAX_BYTES,
        }
    }
}

impl<K: Eq + Hash> SeveralNames<K> {
    /// Returns where a file was written first, if that is remembered.
    pub(crate) fn get(&self, file: &K) -> Option<&Vec<FileName>> {
        self.paths.get(file)
    }

    /// Remembers where a file was written, while there is room.
    pub(crate) fn insert(&mut self, file: K, path: &[FileName]) {
        let names = path.iter();
        let names = names.map(|name| name.as_bytes().len().saturating_add(OVERHEAD_BYTES));
        let bytes = names.sum::<usize>().saturating_add(2 * OVERHEAD_BYTES);
        if let Some(free) = self.free_bytes.checked_sub(bytes) {
            self.free_bytes = free;
            self.paths.insert(file, path.to_vec());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded_and_the_first_stay() {
        let mut names = SeveralNames {
            free_bytes: 10_000,
            ..SeveralNames::default()
        };
        let path = [FileName::new(&[b'n'; 200]).unwrap()];
        for file in 0..1000 {
            names.insert(file, &path);
        }
        assert!(names.get(&0).is_some());
        assert!(names.get(&999).is_none());
        assert!(names.paths.len() < 50);
    }
}
