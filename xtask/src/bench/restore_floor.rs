//! The floor of a restore: decrypting, decompressing and hashing each chunk, and writing it.
//!
//! What is written is written by the very code that restores use: flushed as it grows, and out of
//! the page cache. Buffers are filled again and again, so that no component pays for fresh pages.

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use aws_lc_rs::aead::{Aad, Nonce};
use block_io::{DiskError, NewImage};
use disk_image::{ImageFormat, NewImageOptions};
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
    let disk_text = |error: DiskError| error.to_string();
    let mut file = File::open(raw).map_err(text)?;
    let size_bytes = file.metadata().map_err(text)?.len();
    let options = NewImageOptions::new(ImageFormat::Raw, size_bytes);
    let target = disk_image::create(scratch, &options).map_err(disk_text)?;
    let mut floor = RestoreFloor::default();
    let mut batch = vec![0; CHUNK_BYTES * CHUNKS_AT_ONCE];
    let mut plain = vec![1; CHUNK_BYTES * CHUNKS_AT_ONCE];
    let mut offset = 0;
    loop {
        let length = read_full(&mut file, &mut batch)?;
        if length == 0 {
            break;
        }
        decode(&batch[..length], &mut plain, &mut floor)?;
        let begun = Instant::now();
        let mut written = Ok(());
        floor.write_seconds += processor_time(|| {
            written = write_data(&target, offset, &batch[..length], &mut floor.written_bytes);
        });
        written.map_err(disk_text)?;
        floor.write_wall_seconds += begun.elapsed().as_secs_f64();
        offset += u64::try_from(length).unwrap_or_default();
    }
    let begun = Instant::now();
    let mut finished = Ok(());
    floor.write_seconds += processor_time(|| finished = Box::new(target).finish());
    finished.map_err(disk_text)?;
    floor.write_wall_seconds += begun.elapsed().as_secs_f64();
    Ok(floor)
}

/// Writes the chunks that hold something, neighbours together.
fn write_data(
    target: &dyn NewImage,
    offset: u64,
    batch: &[u8],
    written: &mut u64,
) -> Result<(), DiskError> {
    let mut position = offset;
    for part in batch.chunks(16 * CHUNK_BYTES) {
        let chunks: Vec<&[u8]> = part.chunks(CHUNK_BYTES).collect();
        let mut start = 0;
        for run in chunks.chunk_by(|a, b| holds_something(a) == holds_something(b)) {
            let len = run.iter().map(|chunk| chunk.len()).sum::<usize>();
            let at = position + u64::try_from(start).unwrap_or_default();
            if run.first().is_some_and(|chunk| holds_something(chunk)) {
                target.write_at(at, &part[start..start + len])?;
                *written += u64::try_from(len).unwrap_or_default();
            }
            start += len;
        }
        position += u64::try_from(part.len()).unwrap_or_default();
    }
    Ok(())
}

/// Makes the frames of a batch, which costs nothing here, and takes them apart again.
fn decode(batch: &[u8], plain: &mut [u8], floor: &mut RestoreFloor) -> Result<(), String> {
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
    let plain = &mut plain[..chunks.len() * CHUNK_BYTES];
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
