//! The encrypted, deduplicating repository: keys, chunks, packs, index, disk maps, restore points.
