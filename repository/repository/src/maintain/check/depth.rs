//! How much a check reads.

use crate::format::PackId;

/// How much a check reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckDepth {
    /// Points, indexes and disk maps; of packs that they are there and as long as they should be.
    Structure,
    /// Every byte of every pack as well.
    AllData,
    /// Every byte of one part of the packs: part `part`, from 1, of `of` parts. A pack is always in
    /// the same part, so `of` checks in turn read everything.
    Part {
        /// Which part, from 1.
        part: u32,
        /// How many parts there are.
        of: u32,
    },
    /// Every byte of about this share of the packs, chosen anew each time.
    Share {
        /// How much, from 1 to 100.
        percent: u32,
        /// What is chosen by: any number that is another one each time.
        seed: u64,
    },
}

impl CheckDepth {
    /// Says whether a pack is to be read as a whole.
    pub(crate) fn reads(self, pack: PackId) -> bool {
        // Names of packs are random, so any of their bytes choose fairly.
        let number = pack.0[..8]
            .iter()
            .fold(0_u64, |n, b| n << 8 | u64::from(*b));
        match self {
            Self::Structure => false,
            Self::AllData => true,
            Self::Part { part, of } => number % u64::from(of.max(1)) + 1 == u64::from(part),
            Self::Share { percent, seed } => {
                let mixed = (number ^ seed)
                    .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                    .rotate_left(32);
                mixed % 100 < u64::from(percent)
            }
        }
    }
}

impl From<bool> for CheckDepth {
    /// All data, or none.
    fn from(read_data: bool) -> Self {
        if read_data {
            Self::AllData
        } else {
            Self::Structure
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_every_pack_once_and_a_share_is_about_as_large_as_it_says() {
        let packs: Vec<PackId> = (0..2000_u32)
            .map(|n| {
                PackId(
                    *blake3::hash(&n.to_le_bytes())
                        .as_bytes()
                        .first_chunk()
                        .unwrap(),
                )
            })
            .collect();
        for pack in &packs {
            let parts = (1..=7).filter(|part| CheckDepth::Part { part: *part, of: 7 }.reads(*pack));
            assert_eq!(parts.count(), 1);
        }
        for seed in 0..5 {
            let share = CheckDepth::Share { percent: 10, seed };
            let read = packs.iter().filter(|pack| share.reads(**pack)).count();
            assert!((120..280).contains(&read), "{read} of 2000");
        }
    }
}
