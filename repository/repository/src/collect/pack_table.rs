//! The packs of a store, and what is alive in each.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::format::PackId;

/// A bit stands for about this many bytes of a pack: about one frame.
const BYTES_PER_BIT: u64 = 64 << 10;
/// Packs are found by the first bits of their names, which are random.
const BUCKET_BITS: u32 = 16;

/// A pack of the listing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListedPack {
    pub(crate) id: PackId,
    pub(crate) size_bytes: u32,
    /// When it was written, in seconds since 1970 by the store's clock.
    pub(crate) written: u32,
}

/// The packs of a listing, numbered in the order of their names, with marks.
///
/// A pack takes 24 bytes, its marks 24 and a bit for each 64 KiB: 2 MiB for each TiB of packs,
/// besides 1.5 MiB for their names.
pub(crate) struct PackTable {
    packs: Vec<ListedPack>,
    marks: Vec<Marks>,
    bits: Vec<AtomicU64>,
    /// Where packs begin whose names begin with these bits.
    buckets: Vec<u32>,
}

#[derive(Default)]
struct Marks {
    first_word: u32,
    words: u32,
    reached: AtomicBool,
    /// Stored bytes of the frames that were the first to set a bit.
    counted_bytes: AtomicU64,
}

fn bucket(id: &PackId) -> usize {
    let [a, b, c, d, ..] = id.0;
    // 16 bits.
    usize::try_from(u32::from_be_bytes([a, b, c, d]) >> (32 - BUCKET_BITS)).unwrap_or(0)
}

impl PackTable {
    pub(crate) fn new(mut packs: Vec<ListedPack>) -> Self {
        packs.sort_unstable_by_key(|pack| pack.id);
        packs.dedup_by_key(|pack| pack.id);
        let mut buckets = vec![0; (1 << BUCKET_BITS) + 1];
        for pack in &packs {
            buckets[bucket(&pack.id) + 1] += 1;
        }
        let mut total = 0;
        for bucket in &mut buckets {
            total += *bucket;
            *bucket = total;
        }
        let mut first_word = 0;
        let marks = packs.iter().map(|pack| {
            let bits = u64::from(pack.size_bytes) / BYTES_PER_BIT;
            let words = u32::try_from(bits / 64 + 1).unwrap_or(u32::MAX);
            let marks = Marks {
                first_word,
                words,
                ..Marks::default()
            };
            first_word += words;
            marks
        });
        let marks = marks.collect();
        let bits = (0..first_word).map(|_| AtomicU64::new(0)).collect();
        Self {
            packs,
            marks,
            bits,
            buckets,
        }
    }

    /// Returns how much memory the table takes, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(&self.packs[..])
            + size_of_val(&self.marks[..])
            + size_of_val(&self.bits[..])
            + size_of_val(&self.buckets[..])
    }

    /// Returns the number of a pack of the listing.
    pub(crate) fn number(&self, id: &PackId) -> Option<u32> {
        let bucket = bucket(id);
        let start = *self.buckets.get(bucket)?;
        let end = *self.buckets.get(bucket + 1)?;
        let packs = self.packs.get(start as usize..end as usize)?;
        let found = packs.binary_search_by_key(id, |pack| pack.id).ok()?;
        Some(start + u32::try_from(found).ok()?)
    }

    pub(crate) fn pack(&self, number: u32) -> &ListedPack {
        &self.packs[number as usize]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &ListedPack)> {
        (0..).zip(&self.packs)
    }

    /// Marks a frame that is reached. May be called for one frame any number of times.
    pub(crate) fn mark(&self, number: u32, offset: u32, stored_bytes: u32) {
        let marks = &self.marks[number as usize];
        marks.reached.store(true, Ordering::Relaxed);
        // Mixed well: offsets at even distances must fall as by chance, for so they are counted.
        let mut hash = (offset ^ (offset >> 16)).wrapping_mul(0x7FEB_352D);
        hash = (hash ^ (hash >> 15)).wrapping_mul(0x846C_A68B);
        hash ^= hash >> 16;
        let bit = (u64::from(hash) * u64::from(marks.words) * 64) >> 32;
        let word = u64::from(marks.first_word) + bit / 64;
        let mask = 1u64 << (bit % 64);
        let word = &self.bits[usize::try_from(word).unwrap_or(usize::MAX)];
        // Most frames are reached by many points: a look is cheaper than a change.
        if word.load(Ordering::Relaxed) & mask == 0
            && word.fetch_or(mask, Ordering::Relaxed) & mask == 0
        {
            let counted = &marks.counted_bytes;
            counted.fetch_add(stored_bytes.into(), Ordering::Relaxed);
        }
    }

    /// Says whether anything of a pack is reached.
    pub(crate) fn reached(&self, number: u32) -> bool {
        self.marks[number as usize].reached.load(Ordering::Relaxed)
    }

    /// Estimates how many bytes of a pack are alive.
    ///
    /// Linear counting: of *m* bits, *z* of them still zero, about *m* ln(*m*/*z*) frames were
    /// marked. With as many frames as bits this is off by about 3 %.
    pub(crate) fn alive_bytes(&self, number: u32) -> u64 {
        let marks = &self.marks[number as usize];
        let words = marks.first_word as usize..(marks.first_word + marks.words) as usize;
        let set: u32 = self.bits[words]
            .iter()
            .map(|word| word.load(Ordering::Relaxed).count_ones())
            .sum();
        let size_bytes = u64::from(self.packs[number as usize].size_bytes);
        let zero = marks.words * 64 - set;
        if set == 0 || zero == 0 {
            return if set == 0 { 0 } else { size_bytes };
        }
        let bits = f64::from(marks.words * 64);
        let frames = bits * (bits / f64::from(zero)).ln();
        let counted = marks.counted_bytes.load(Ordering::Relaxed);
        // Packs are smaller than 2^32 bytes, which a double holds exactly.
        let counted = f64::from(u32::try_from(counted).unwrap_or(u32::MAX));
        let estimate = counted * frames / f64::from(set);
        // Not negative, and a cast that does not fit stays at the limit.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a positive estimate, cut off at the size of the pack"
        )]
        let estimate = estimate as u64;
        estimate.min(size_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packs(count: u32, size_bytes: u32) -> Vec<ListedPack> {
        let pack = |n: u32| {
            let mut id = [0; 16];
            id.copy_from_slice(&blake3::hash(&n.to_le_bytes()).as_bytes()[..16]);
            ListedPack {
                id: PackId(id),
                size_bytes,
                written: 0,
            }
        };
        (0..count).map(pack).collect()
    }

    #[test]
    fn packs_are_found_by_name_and_no_others() {
        let listed = packs(5000, 1000);
        let table = PackTable::new(listed[..4000].to_vec());
        for pack in &listed[..4000] {
            let number = table.number(&pack.id).unwrap();
            assert_eq!(table.pack(number).id, pack.id);
        }
        assert!(
            listed[4000..]
                .iter()
                .all(|pack| table.number(&pack.id).is_none())
        );
        assert_eq!(PackTable::new(Vec::new()).number(&listed[0].id), None);
    }

    #[test]
    fn what_is_alive_is_estimated_well_however_often_it_is_marked() {
        for frame_bytes in [8u32 << 10, 32 << 10, 65_565] {
            for alive_in_16 in [1, 4, 8, 15, 16] {
                let table = PackTable::new(packs(1, 32 << 20));
                let mut alive = 0;
                for (n, offset) in (96..(32 << 20) - frame_bytes)
                    .step_by(frame_bytes as usize)
                    .enumerate()
                {
                    if n % 16 < alive_in_16 {
                        alive += u64::from(frame_bytes);
                        (0..3).for_each(|_| table.mark(0, offset, frame_bytes));
                    }
                }
                let estimate = table.alive_bytes(0);
                let error = estimate.abs_diff(alive) as f64 / alive as f64;
                assert!(
                    error < 0.25,
                    "{frame_bytes} {alive_in_16}: {alive} {estimate}"
                );
            }
        }
    }

    #[test]
    fn marks_of_a_tib_take_two_mebibytes_and_its_packs_as_much_as_their_names() {
        // A TiB of packs of 32 MiB. All of it grows with the packs, but the buckets, which do not.
        let table = PackTable::new(packs(32_768, 32 << 20));
        let buckets = 4 * table.buckets.len();
        assert!(buckets < 1 << 19);
        let bits = table.bits.len() * 8;
        assert!(bits < 5 << 19, "{bits}");
        let per_pack = (table.memory_bytes() - buckets - bits) / 32_768;
        assert!(per_pack <= 48, "{per_pack}");
    }
}
