//! The filter of an index object: "not here", or "perhaps" (section 9).

use crate::format::Name;

const BITS_PER_ENTRY: usize = 10;
const PROBES: u64 = 7;

/// A Bloom filter over names.
#[derive(Debug, Clone)]
pub(crate) struct Bloom(Vec<u64>);

impl Bloom {
    pub(crate) fn with_capacity(entries: usize) -> Self {
        Self(vec![0; (entries * BITS_PER_ENTRY).div_ceil(64).max(1)])
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<8>();
        let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        (rest.is_empty() && !words.is_empty()).then_some(Self(words))
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// Yields word and mask of each probe.
    fn probes(&self, name: &Name) -> impl Iterator<Item = (usize, u64)> + use<> {
        // Names are hashes already: their own bytes serve.
        let word = |at: usize| {
            name.0[at..at + 8]
                .iter()
                .rev()
                .fold(0, |v, b| v << 8 | u64::from(*b))
        };
        let (first, step) = (word(0), word(8) | 1);
        let bits = self.0.len() as u64 * 64;
        (0..PROBES).map(move |probe| {
            let bit = first.wrapping_add(probe.wrapping_mul(step)) % bits;
            // A bit number of a vector in memory fits.
            (usize::try_from(bit / 64).unwrap_or(0), 1 << (bit % 64))
        })
    }

    pub(crate) fn insert(&mut self, name: &Name) {
        for (word, mask) in self.probes(name) {
            self.0[word] |= mask;
        }
    }

    pub(crate) fn may_contain(&self, name: &Name) -> bool {
        self.probes(name)
            .all(|(word, mask)| self.0[word] & mask != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::Bloom;
    use crate::format::Name;

    #[test]
    fn what_was_put_in_is_found_and_little_else() {
        let name = |n: u32| Name(*blake3::hash(&n.to_le_bytes()).as_bytes());
        let mut bloom = Bloom::with_capacity(10_000);
        (0..10_000).for_each(|n| bloom.insert(&name(n)));
        let bloom = Bloom::from_bytes(&bloom.to_bytes()).unwrap();
        assert!((0..10_000).all(|n| bloom.may_contain(&name(n))));
        let wrong = (10_000..20_000)
            .filter(|n| bloom.may_contain(&name(*n)))
            .count();
        assert!(wrong < 200, "{wrong} of 10,000 absent names look present");
    }
}
