//! One worker: reads, hashes, looks up, compresses and stores one leaf's span after another.

use block_io::{ExtentKind, is_zero};

use crate::format::{Codec, Entry, EntryKind, MapNode, Name, PackKind};
use crate::read::Leaf;
use crate::stream::StreamStatistics;
use crate::write::known_chunks::Claim;
use crate::write::pack_builder::StagedFrames;
use crate::write::stream_writer::StreamJob;
use crate::{RepositoryError, RepositoryErrorKind};

/// What is read, hashed and put into a pack at a time, in bytes.
const BATCH_BYTES: usize = 1 << 20;

/// A worker with its buffers.
pub(crate) struct SpanWorker<'a> {
    job: &'a StreamJob<'a>,
    codec: Codec,
    buffer: Vec<u8>,
    staged: StagedFrames,
    pub(crate) statistics: StreamStatistics,
}

/// What a chunk of a batch turned out to be.
enum Found {
    Entry(Entry),
    /// The n-th of the staged frames.
    Staged(usize),
    /// Somebody else, or an earlier chunk of this batch, is storing it.
    Pending(Name),
}

impl<'a> SpanWorker<'a> {
    pub(crate) fn new(job: &'a StreamJob<'a>) -> Result<Self, RepositoryError> {
        let chunk_bytes = usize::try_from(job.shape.chunk_bytes).unwrap_or(BATCH_BYTES);
        Ok(Self {
            job,
            codec: Codec::new()?,
            buffer: vec![0; BATCH_BYTES.max(chunk_bytes)],
            staged: StagedFrames::default(),
            statistics: StreamStatistics::default(),
        })
    }

    /// Stores a leaf and all it covers; returns it as its parent's entry.
    pub(crate) fn store_leaf(&mut self, index: u64) -> Result<Entry, RepositoryError> {
        let shape = self.job.shape;
        let count = shape.entries(0, index);
        let first_chunk = index * 256;
        let previous = self.previous_leaf(index);
        let mut entries = vec![Entry::NotAllocated; count];
        let mut pending: Vec<(usize, Name)> = Vec::new();
        let per_batch = self.buffer.len() / usize::try_from(shape.chunk_bytes).unwrap_or(1);
        for start in (0..count).step_by(per_batch) {
            if self.job.observer.cancelled() {
                return Err(RepositoryError::new(
                    RepositoryErrorKind::Cancelled,
                    "cancelled",
                ));
            }
            let batch = start..(start + per_batch).min(count);
            let stored_before = self.statistics.stored_bytes;
            let found = self.store_batch(first_chunk, batch.clone(), previous.as_ref())?;
            for (slot, found) in batch.clone().zip(found) {
                match found {
                    Found::Entry(entry) => entries[slot] = entry,
                    Found::Pending(name) => pending.push((slot, name)),
                    Found::Staged(_) => {}
                }
            }
            let done = batch
                .map(|slot| shape.chunk_len(first_chunk + slot as u64) as u64)
                .sum();
            self.job
                .observer
                .advanced(done, self.statistics.stored_bytes - stored_before);
        }
        // All that this worker claimed is resolved, so nobody waits for it while it waits.
        for (slot, name) in pending {
            let locator = self.job.run.known().wait(&name)?;
            entries[slot] = Entry::Stored { name, locator };
        }
        self.finish_leaf(entries, previous)
    }

    fn finish_leaf(
        &mut self,
        entries: Vec<Entry>,
        previous: Option<Leaf>,
    ) -> Result<Entry, RepositoryError> {
        let node = MapNode { level: 0, entries };
        if let Some(uniform) = node.uniform() {
            return Ok(uniform);
        }
        if let Some(Leaf::Stored {
            name,
            locator,
            node: old,
        }) = previous
        {
            // Equal with the places: the old leaf serves without being named again.
            if *old == node && self.job.run.known().usable(&locator) {
                return Ok(Entry::Stored { name, locator });
            }
        }
        let (entry, stored) = self.job.run.store_node(&node, &mut self.codec)?;
        self.statistics.stored_bytes += stored;
        Ok(entry)
    }

    /// Returns the leaf at the same place of the point that is compared with.
    fn previous_leaf(&self, index: u64) -> Option<Leaf> {
        let map = self.job.previous?;
        let inside =
            map.shape.chunk_bytes == self.job.shape.chunk_bytes && index < map.shape.leaves();
        // One that cannot be read is as good as none.
        if inside { map.leaf(index).ok() } else { None }
    }

    /// Handles some chunks of a leaf; `batch` are their places in it.
    fn store_batch(
        &mut self,
        first_chunk: u64,
        batch: std::ops::Range<usize>,
        previous: Option<&Leaf>,
    ) -> Result<Vec<Found>, RepositoryError> {
        let shape = self.job.shape;
        let kinds = self.classify(first_chunk, batch.clone())?;
        self.read_data(first_chunk + batch.start as u64, &kinds)?;
        self.staged.clear();
        let mut found = Vec::with_capacity(batch.len());
        let chunk_bytes = usize::try_from(shape.chunk_bytes).unwrap_or(1);
        for (number, slot) in batch.enumerate() {
            let len = shape.chunk_len(first_chunk + slot as u64);
            let old = previous.map(|leaf| leaf.entry(slot));
            found.push(match kinds[number] {
                EntryKind::NotAllocated => {
                    self.statistics.not_allocated_bytes += len as u64;
                    Found::Entry(Entry::NotAllocated)
                }
                EntryKind::Stored => self.store_chunk(number * chunk_bytes, len, old),
                EntryKind::Zero | EntryKind::Skipped => {
                    self.statistics.zero_bytes += len as u64;
                    Found::Entry(Entry::Zero)
                }
            });
        }
        if !self.staged.frames.is_empty() {
            self.append_staged(&mut found)?;
        }
        Ok(found)
    }

    /// Puts the staged frames into a pack and says where they are.
    fn append_staged(&mut self, found: &mut [Found]) -> Result<(), RepositoryError> {
        let run = self.job.run;
        let locators = run.append(PackKind::Chunks, &self.staged)?;
        for ((name, _, _), locator) in self.staged.frames.iter().zip(&locators) {
            run.known().resolve(name, *locator);
            self.statistics.stored_bytes += u64::from(locator.stored_bytes);
        }
        for found in found {
            if let Found::Staged(number) = found {
                let (name, locator) = (self.staged.frames[*number].0, locators[*number]);
                *found = Found::Entry(Entry::Stored { name, locator });
            }
        }
        Ok(())
    }

    /// Says of each chunk whether it must be read (`Stored`), or what the device says it is.
    fn classify(
        &self,
        first_chunk: u64,
        batch: std::ops::Range<usize>,
    ) -> Result<Vec<EntryKind>, RepositoryError> {
        let shape = self.job.shape;
        let mut kinds = vec![EntryKind::NotAllocated; batch.len()];
        let start = (first_chunk + batch.start as u64) * shape.chunk_bytes;
        let end = ((first_chunk + batch.end as u64) * shape.chunk_bytes).min(shape.size_bytes);
        let mut position = start;
        while position < end {
            let extent = self.job.device.extent_at(position, end - position)?;
            let kind = match extent.kind {
                ExtentKind::Data => EntryKind::Stored,
                ExtentKind::Zero => EntryKind::Zero,
                ExtentKind::NotAllocated => EntryKind::NotAllocated,
            };
            let extent_end = position + extent.len_bytes.clamp(1, end - position);
            let first = (position - start) / shape.chunk_bytes;
            let last = (extent_end - 1 - start) / shape.chunk_bytes;
            for number in first..=last {
                // Data anywhere in a chunk makes it data; zero outweighs not allocated.
                let number = usize::try_from(number).unwrap_or(usize::MAX);
                let Some(known) = kinds.get_mut(number) else {
                    continue;
                };
                *known = match (*known, kind) {
                    (EntryKind::Stored, _) | (_, EntryKind::Stored) => EntryKind::Stored,
                    (EntryKind::Zero, _) | (_, EntryKind::Zero) => EntryKind::Zero,
                    (other, _) => other,
                };
            }
            position = extent_end;
        }
        Ok(kinds)
    }

    /// Reads the chunks that must be read, neighbours together, to their places in the buffer.
    fn read_data(&mut self, first_chunk: u64, kinds: &[EntryKind]) -> Result<(), RepositoryError> {
        let shape = self.job.shape;
        let chunk_bytes = usize::try_from(shape.chunk_bytes).unwrap_or(1);
        let mut number = 0;
        while number < kinds.len() {
            let run = kinds[number..]
                .iter()
                .take_while(|k| **k == EntryKind::Stored)
                .count();
            if run > 0 {
                let first = first_chunk + number as u64;
                let last_len = shape.chunk_len(first + run as u64 - 1);
                let len = (run - 1) * chunk_bytes + last_len;
                let start = number * chunk_bytes;
                let buffer = &mut self.buffer[start..start + len];
                self.job.device.read_at(first * shape.chunk_bytes, buffer)?;
                self.statistics.read_bytes += len as u64;
            }
            number += run.max(1);
        }
        Ok(())
    }

    /// Names a chunk that was read, and stages it if the repository does not have it.
    fn store_chunk(&mut self, start: usize, len: usize, old: Option<Entry>) -> Found {
        let run = self.job.run;
        let content = &self.buffer[start..start + len];
        if is_zero(content) {
            self.statistics.zero_bytes += len as u64;
            return Found::Entry(Entry::Zero);
        }
        self.statistics.data_bytes += len as u64;
        let name = run.shared().naming.chunk(content);
        if let Some(Entry::Stored {
            name: old_name,
            locator,
        }) = old
            && old_name == name
            && run.known().usable(&locator)
        {
            return Found::Entry(Entry::Stored { name, locator });
        }
        self.statistics.changed_bytes += len as u64;
        match run.known().claim(&name, |_| true) {
            Claim::Known(locator) => Found::Entry(Entry::Stored { name, locator }),
            Claim::Pending => Found::Pending(name),
            Claim::Mine => {
                self.codec.encode(content, &mut self.staged.bytes);
                self.statistics.new_bytes += len as u64;
                let plain_bytes = u32::try_from(len).unwrap_or(u32::MAX);
                self.staged
                    .frames
                    .push((name, self.staged.bytes.len(), plain_bytes));
                Found::Staged(self.staged.frames.len() - 1)
            }
        }
    }
}
