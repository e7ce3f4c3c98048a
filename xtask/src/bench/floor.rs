//! The floor: what the components alone cost for the same bytes.
//!
//! A backup cannot be cheaper than naming every chunk that is not zero, compressing each different
//! one once, and encrypting what is stored. Each is timed alone on one thread; reading is free here.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::time::Instant;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde::Serialize;

use super::measure::read_full;

pub(crate) const CHUNK_BYTES: usize = 64 << 10;
pub(crate) const CHUNKS_AT_ONCE: usize = 1024;

/// Processor seconds of each component, and the bytes that each was given.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Floor {
    pub(crate) hash_seconds: f64,
    pub(crate) hashed_bytes: u64,
    pub(crate) compress_seconds: f64,
    pub(crate) compressed_bytes: u64,
    pub(crate) encrypt_seconds: f64,
    pub(crate) stored_bytes: u64,
}

impl Floor {
    /// All components.
    pub(crate) fn seconds(&self) -> f64 {
        self.hash_seconds + self.compress_seconds + self.encrypt_seconds
    }
}

/// Measures the components over the raw disk.
pub(crate) fn measure(raw: &Path) -> Result<Floor, String> {
    let mut file = File::open(raw).map_err(|error| format!("{}: {error}", raw.display()))?;
    let mut batch = vec![0; CHUNK_BYTES * CHUNKS_AT_ONCE];
    let mut builder = FloorBuilder::new()?;
    loop {
        let length = read_full(&mut file, &mut batch)?;
        if length == 0 {
            return Ok(builder.floor);
        }
        builder.process(&batch[..length])?;
    }
}

/// The key of everything here: what is encrypted is thrown away.
pub(crate) fn benchmark_key() -> Result<LessSafeKey, String> {
    let key = UnboundKey::new(&AES_256_GCM, &[7; 32]).map_err(|error| error.to_string())?;
    Ok(LessSafeKey::new(key))
}

/// Whether a chunk is to be stored at all.
pub(crate) fn holds_something(chunk: &[u8]) -> bool {
    chunk.iter().any(|byte| *byte != 0)
}

/// Adds up what the components take, piece by piece.
pub(crate) struct FloorBuilder {
    pub(crate) floor: Floor,
    known: HashSet<blake3::Hash>,
    compressor: zstd::bulk::Compressor<'static>,
    key: LessSafeKey,
    /// Where chunks are compressed to; filled again and again, as the program does.
    stored: Vec<Vec<u8>>,
}

impl FloorBuilder {
    pub(crate) fn new() -> Result<FloorBuilder, String> {
        Ok(FloorBuilder {
            floor: Floor::default(),
            known: HashSet::new(),
            compressor: zstd::bulk::Compressor::new(1).map_err(|error| error.to_string())?,
            key: benchmark_key()?,
            stored: Vec::new(),
        })
    }

    /// Hashes, compresses and encrypts the chunks of `bytes` that hold something.
    pub(crate) fn process(&mut self, bytes: &[u8]) -> Result<(), String> {
        let chunks = bytes.chunks(CHUNK_BYTES);
        let chunks: Vec<&[u8]> = chunks.filter(|chunk| holds_something(chunk)).collect();
        let mut names = Vec::with_capacity(chunks.len());
        self.floor.hash_seconds += processor_time(|| {
            names.extend(
                chunks
                    .iter()
                    .map(|chunk| blake3::keyed_hash(&[7; 32], chunk)),
            );
        });
        self.floor.hashed_bytes += total(chunks.iter().map(|chunk| chunk.len()));

        let unique = names
            .into_iter()
            .zip(chunks)
            .filter(|(name, _)| self.known.insert(*name));
        let unique: Vec<&[u8]> = unique.map(|(_, chunk)| chunk).collect();
        self.floor.compressed_bytes += total(unique.iter().map(|chunk| chunk.len()));
        while self.stored.len() < unique.len() {
            self.stored.push(vec![0; 2 * CHUNK_BYTES]);
        }
        let stored = &mut self.stored[..unique.len()];
        stored.iter_mut().for_each(Vec::clear);
        let mut failed = None;
        let compressor = &mut self.compressor;
        self.floor.compress_seconds += processor_time(|| {
            for (chunk, target) in unique.iter().zip(&mut *stored) {
                if let Err(error) = compressor.compress_to_buffer(chunk, target) {
                    failed = Some(error.to_string());
                }
            }
        });
        // What does not shrink is stored as it is.
        for (chunk, target) in unique.iter().zip(&mut *stored) {
            if target.len() >= chunk.len() {
                target.clear();
                target.extend_from_slice(chunk);
            }
        }
        self.floor.stored_bytes += total(stored.iter().map(Vec::len));
        let key = &self.key;
        self.floor.encrypt_seconds += processor_time(|| {
            for chunk in stored {
                let nonce = Nonce::assume_unique_for_key([0; 12]);
                if key
                    .seal_in_place_append_tag(nonce, Aad::empty(), chunk)
                    .is_err()
                {
                    failed = Some("encryption failed".into());
                }
            }
        });
        failed.map_or(Ok(()), Err)
    }
}

fn total(lengths: impl Iterator<Item = usize>) -> u64 {
    lengths
        .map(|length| u64::try_from(length).unwrap_or_default())
        .sum()
}

/// Seconds of processor time that `work` takes on this thread; of wall time where the kernel does
/// not tell.
pub(crate) fn processor_time(work: impl FnOnce()) -> f64 {
    let (started, before) = (Instant::now(), thread_nanoseconds());
    work();
    match (before, thread_nanoseconds()) {
        (Some(before), Some(after)) => {
            std::time::Duration::from_nanos(after.saturating_sub(before)).as_secs_f64()
        }
        _ => started.elapsed().as_secs_f64(),
    }
}

/// Nanoseconds that this thread has run, by the scheduler's own account.
fn thread_nanoseconds() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_component_gets_the_bytes_it_must_have() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        let mut content = vec![0; CHUNK_BYTES];
        content.extend(vec![1; CHUNK_BYTES]);
        content.extend(vec![1; CHUNK_BYTES]);
        content.extend(vec![2; 100]);
        std::fs::write(&path, content).unwrap();
        let floor = measure(&path).unwrap();
        let chunk = u64::try_from(CHUNK_BYTES).unwrap();
        assert_eq!(floor.hashed_bytes, 2 * chunk + 100);
        assert_eq!(floor.compressed_bytes, chunk + 100);
        assert!(floor.stored_bytes < 200);
    }
}
