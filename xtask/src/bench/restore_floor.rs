//! The floor of a restore: decrypting, decompressing and hashing each chunk, and writing it.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Instant;

use aws_lc_rs::aead::{Aad, Nonce};
use serde::Serialize;

use super::floor::{CHUNK_BYTES, CHUNKS_AT_ONCE, benchmark_key, holds_something, processor_time};
use super::measure::read_full;

/// Processor seconds of each component of a restore, each alone on one thread.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct RestoreFloor {
    pub(crate) decrypt_seconds: f64,
    pub(crate) decompress_seconds: f64,
    pub(crate) hash_seconds: f64,
    pub(crate) write_seconds: f64,
    /// The same by the clock, until it would survive a power cut.
    pub(crate) write_wall_seconds: f64,
    pub(crate) written_bytes: u64,
}

impl RestoreFloor {
    pub(crate) fn processor_seconds(&self) -> f64 {
        self.decrypt_seconds + self.decompress_seconds + self.hash_seconds + self.write_seconds
    }

    /// The least that a restore can take by the clock where decoding and writing do not wait for
    /// each other: the processors' work spread over `cores`, or the disk's.
    pub(crate) fn wall_seconds(&self, cores: f64) -> f64 {
        (self.processor_seconds() / cores).max(self.write_wall_seconds)
    }
}

/// Measures the components over the raw disk; `scratch` is written and removed.
pub(crate) fn measure(raw: &Path, scratch: &Path) -> Result<RestoreFloor, String> {
    let found = measure_into(raw, scratch);
    let removed = std::fs::remove_file(scratch);
    found.and_then(|floor| removed.map(|()| floor).map_err(|error| error.to_string()))
}

fn measure_into(raw: &Path, scratch: &Path) -> Result<RestoreFloor, String> {
    let text = |error: std::io::Error| error.to_string();
    let mut file = File::open(raw).map_err(text)?;
    let mut target = File::create(scratch).map_err(text)?;
    let mut floor = RestoreFloor::default();
    let mut batch = vec![0; CHUNK_BYTES * CHUNKS_AT_ONCE];
    let mut offset = 0;
    loop {
        let length = read_full(&mut file, &mut batch)?;
        if length == 0 {
            break;
        }
        decode(&batch[..length], &mut floor)?;
        let begun = Instant::now();
        let mut written = Ok(());
        floor.write_seconds += processor_time(|| {
            written = write_data(
                &mut target,
                offset,
                &batch[..length],
                &mut floor.written_bytes,
            );
        });
        written.map_err(text)?;
        floor.write_wall_seconds += begun.elapsed().as_secs_f64();
        offset += u64::try_from(length).unwrap_or_default();
    }
    let begun = Instant::now();
    target.sync_all().map_err(text)?;
    floor.write_wall_seconds += begun.elapsed().as_secs_f64();
    Ok(floor)
}

/// Writes the runs of chunks that hold something, and has them go to the disk.
fn write_data(
    target: &mut File,
    offset: u64,
    batch: &[u8],
    written: &mut u64,
) -> std::io::Result<()> {
    let mut position = offset;
    for part in batch.chunks(CHUNK_BYTES) {
        if holds_something(part) {
            target.seek(SeekFrom::Start(position))?;
            target.write_all(part)?;
            *written += u64::try_from(part.len()).unwrap_or_default();
        }
        position += u64::try_from(part.len()).unwrap_or_default();
    }
    target.sync_data()
}

/// Makes the frames of a batch, which costs nothing here, and takes them apart again.
fn decode(batch: &[u8], floor: &mut RestoreFloor) -> Result<(), String> {
    let key = benchmark_key()?;
    let nonce = || Nonce::assume_unique_for_key([0; 12]);
    let chunks = batch.chunks(CHUNK_BYTES);
    let chunks: Vec<&[u8]> = chunks.filter(|chunk| holds_something(chunk)).collect();
    let mut frames = Vec::with_capacity(chunks.len());
    for chunk in &chunks {
        let packed = zstd::bulk::compress(chunk, 1).map_err(|error| error.to_string())?;
        let is_packed = packed.len() < chunk.len();
        let mut frame = if is_packed { packed } else { chunk.to_vec() };
        key.seal_in_place_append_tag(nonce(), Aad::empty(), &mut frame)
            .map_err(|error| error.to_string())?;
        frames.push((is_packed, frame));
    }
    let mut failed = false;
    floor.decrypt_seconds += processor_time(|| {
        for (_, frame) in &mut frames {
            match key.open_in_place(nonce(), Aad::empty(), frame) {
                Ok(plain) => {
                    let len = plain.len();
                    frame.truncate(len);
                }
                Err(_) => failed = true,
            }
        }
    });
    let mut plain = vec![0; chunks.len() * CHUNK_BYTES];
    let mut decompressor = zstd::bulk::Decompressor::new().map_err(|error| error.to_string())?;
    floor.decompress_seconds += processor_time(|| {
        for ((is_packed, frame), target) in frames.iter().zip(plain.chunks_mut(CHUNK_BYTES)) {
            if !is_packed {
                target[..frame.len()].copy_from_slice(frame);
            } else if decompressor.decompress_to_buffer(frame, target).is_err() {
                failed = true;
            }
        }
    });
    let mut names = Vec::with_capacity(chunks.len());
    floor.hash_seconds += processor_time(|| {
        names.extend(
            plain
                .chunks(CHUNK_BYTES)
                .map(|chunk| blake3::keyed_hash(&[7; 32], chunk)),
        );
    });
    if failed {
        return Err("what was made could not be taken apart".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_nothing_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let (raw, scratch) = (folder.path().join("raw"), folder.path().join("scratch"));
        let mut content = vec![0; 3 * CHUNK_BYTES];
        content[CHUNK_BYTES] = 1;
        std::fs::write(&raw, content).unwrap();
        let floor = measure(&raw, &scratch).unwrap();
        assert_eq!(floor.written_bytes, u64::try_from(CHUNK_BYTES).unwrap());
        assert!(!scratch.exists());
    }
}
