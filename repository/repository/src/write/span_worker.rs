//! One worker: reads, hashes, looks up, compresses and stores one leaf's span after another.

use std::ops::Range;

use block_io::{ExtentKind, is_zero};

use crate::format::{Codec, Entry, EntryKind, MapNode, Name, PackKind};
use crate::read::Leaf;
use crate::write::known_chunks::Claim;
use crate::write::pack_builder::StagedFrames;
use crate::write::stream_job::{Selection, StreamJob};
use crate::write::stream_tally::StreamTally;
use crate::{RepositoryError, RepositoryErrorKind};

/// A worker with its buffers.
pub(crate) struct SpanWorker<'a> {
    job: &'a StreamJob<'a>,
    codec: Codec,
    buffer: Vec<u8>,
    staged: StagedFrames,
    pub(crate) tally: StreamTally,
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
        Ok(Self {
            job,
            codec: Codec::new()?,
            buffer: job.source.batch_buffer(),
            staged: StagedFrames::default(),
            tally: StreamTally::default(),
        })
    }

    /// Stores a leaf and all it covers; returns it as its parent's entry.
    ///
    /// `None`: the earlier map was trusted, and the repository has lost part of it here.
    pub(crate) fn store_leaf(&mut self, index: u64) -> Result<Option<Entry>, RepositoryError> {
        if let Some(entry) = self.store_empty_leaf(index)? {
            return Ok(Some(entry));
        }
        let first_chunk = index * 256;
        let previous = self.previous_leaf(index);
        let Some(wanted) = self.wanted(index, previous.as_ref()) else {
            return Ok(None);
        };
        let old = |slot| previous.as_ref().map(|leaf| leaf.entry(slot));
        let mut entries: Vec<Entry> = (0..wanted.len())
            .map(|slot| old(slot).unwrap_or(Entry::NotAllocated))
            .collect();
        let mut pending: Vec<(usize, Name)> = Vec::new();
        for batch in batches(&wanted, self.job.source.batch_chunks()) {
            if self.job.observer.cancelled() {
                let kind = RepositoryErrorKind::Cancelled;
                return Err(RepositoryError::new(kind, "cancelled"));
            }
            let stored_before = self.tally.run.stored_bytes;
            let found = self.store_batch(first_chunk, batch.clone(), previous.as_ref())?;
            for (slot, found) in batch.clone().zip(found) {
                match found {
                    Found::Entry(entry) => entries[slot] = entry,
                    Found::Pending(name) => pending.push((slot, name)),
                    Found::Staged(_) => {}
                }
            }
            let done = batch
                .map(|slot| self.chunk_len(first_chunk, slot) as u64)
                .sum();
            self.job
                .observer
                .advanced(done, self.tally.run.stored_bytes - stored_before);
        }
        // All that this worker claimed is resolved, so nobody waits for it while it waits.
        for (slot, name) in pending {
            let locator = self.job.run.known().wait(&name)?;
            entries[slot] = Entry::Stored { name, locator };
        }
        for (slot, (entry, wanted)) in entries.iter().zip(&wanted).enumerate() {
            let len_bytes = self.chunk_len(first_chunk, slot) as u64;
            self.tally.add(len_bytes, *wanted, old(slot), *entry);
        }
        self.finish_leaf(entries, previous).map(Some)
    }

    /// Returns the entry of a leaf that holds nothing, and held nothing before: most of a large disk
    /// is such leaves, and each is told by one question.
    fn store_empty_leaf(&mut self, index: u64) -> Result<Option<Entry>, RepositoryError> {
        let source = self.job.source;
        let span = source.shape.span(0, index);
        let len_bytes = span.end - span.start;
        if !matches!(self.job.selection, Selection::Everything) || len_bytes == 0 {
            return Ok(None);
        }
        if self.job.observer.cancelled() {
            let kind = RepositoryErrorKind::Cancelled;
            return Err(RepositoryError::new(kind, "cancelled"));
        }
        let extent = source.device.extent_at(span.start, len_bytes)?;
        let entry = match extent.kind {
            ExtentKind::Data => return Ok(None),
            ExtentKind::Zero => Entry::Zero,
            ExtentKind::NotAllocated => Entry::NotAllocated,
        };
        if extent.len_bytes < len_bytes {
            return Ok(None);
        }
        let old = match self.previous_leaf(index) {
            None => None,
            Some(Leaf::Uniform(old)) => Some(old),
            // Its entries are to be counted one by one.
            Some(Leaf::Stored { .. }) => return Ok(None),
        };
        self.tally.add(len_bytes, true, old, entry);
        self.job.observer.advanced(len_bytes, 0);
        Ok(Some(entry))
    }

    fn chunk_len(&self, first_chunk: u64, slot: usize) -> usize {
        self.job.source.shape.chunk_len(first_chunk + slot as u64)
    }

    /// Says which chunks of a leaf are looked at; the others are as they were.
    ///
    /// A chunk that the repository has lost is read, whoever calls it unchanged, and so is one that
    /// was left out and is not any more. Data that is left out now is let go.
    fn wanted(&mut self, index: u64, previous: Option<&Leaf>) -> Option<Vec<bool>> {
        let source = self.job.source;
        let count = source.shape.entries(0, index);
        let Selection::Changed {
            ranges,
            look_through,
        } = self.job.selection
        else {
            return Some(vec![true; count]);
        };
        let mut wanted = Vec::with_capacity(count);
        for slot in 0..count {
            let old = previous.map(|leaf| leaf.entry(slot));
            let there = old.is_some_and(|old| self.job.run.known().holds(&old));
            if !there && !look_through {
                return None;
            }
            let chunk = index * 256 + slot as u64;
            let span = source.span(chunk);
            let skipped = source.skips(chunk);
            let changed = ranges.intersects(span.clone())
                || match old.map(|old| old.kind()) {
                    Some(EntryKind::Stored) => skipped,
                    Some(EntryKind::Skipped) => !skipped,
                    _ => false,
                };
            if !there && !changed {
                self.tally.mended_bytes += span.end - span.start;
            }
            wanted.push(changed || !there);
        }
        Some(wanted)
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
        self.tally.run.stored_bytes += stored;
        Ok(entry)
    }

    /// Returns the leaf at the same place of the point that is compared with.
    fn previous_leaf(&self, index: u64) -> Option<Leaf> {
        let map = self.job.previous?;
        let shape = self.job.source.shape;
        let inside = map.shape.chunk_bytes == shape.chunk_bytes && index < map.shape.leaves();
        // One that cannot be read is as good as none.
        if inside { map.leaf(index).ok() } else { None }
    }

    /// Handles some chunks of a leaf; `batch` are their places in it.
    fn store_batch(
        &mut self,
        first_chunk: u64,
        batch: Range<usize>,
        previous: Option<&Leaf>,
    ) -> Result<Vec<Found>, RepositoryError> {
        let source = self.job.source;
        let (start, end) = (batch.start as u64, batch.end as u64);
        let kinds = source.classify(first_chunk + start..first_chunk + end)?;
        self.tally.run.read_bytes += source.read(first_chunk + start, &kinds, &mut self.buffer)?;
        self.staged.clear();
        let mut found = Vec::with_capacity(batch.len());
        for (number, slot) in batch.enumerate() {
            let len = self.chunk_len(first_chunk, slot);
            let old = previous.map(|leaf| leaf.entry(slot));
            found.push(match kinds[number] {
                EntryKind::NotAllocated => Found::Entry(Entry::NotAllocated),
                EntryKind::Stored => self.store_chunk(number * source.chunk_bytes(), len, old),
                EntryKind::Zero => Found::Entry(Entry::Zero),
                EntryKind::Skipped => Found::Entry(Entry::Skipped),
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
            self.tally.run.stored_bytes += u64::from(locator.stored_bytes);
        }
        for found in found {
            if let Found::Staged(number) = found {
                let (name, locator) = (self.staged.frames[*number].0, locators[*number]);
                *found = Found::Entry(Entry::Stored { name, locator });
            }
        }
        Ok(())
    }

    /// Names a chunk that was read, and stages it if the repository does not have it.
    fn store_chunk(&mut self, start: usize, len: usize, old: Option<Entry>) -> Found {
        let run = self.job.run;
        let content = &self.buffer[start..start + len];
        if is_zero(content) {
            return Found::Entry(Entry::Zero);
        }
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
        self.tally.run.changed_bytes += len as u64;
        match run.known().claim(&name, |_| true) {
            Claim::Known(locator) => Found::Entry(Entry::Stored { name, locator }),
            Claim::Pending => Found::Pending(name),
            Claim::Mine => {
                self.codec.encode(content, &mut self.staged.bytes);
                self.tally.run.new_bytes += len as u64;
                let plain_bytes = u32::try_from(len).unwrap_or(u32::MAX);
                self.staged
                    .frames
                    .push((name, self.staged.bytes.len(), plain_bytes));
                Found::Staged(self.staged.frames.len() - 1)
            }
        }
    }
}

/// Cuts the chunks that are wanted into runs of at most `most`.
fn batches(wanted: &[bool], most: usize) -> Vec<Range<usize>> {
    let mut batches: Vec<Range<usize>> = Vec::new();
    for (slot, _) in wanted.iter().enumerate().filter(|(_, wanted)| **wanted) {
        match batches.last_mut() {
            Some(last) if last.end == slot && last.len() < most => last.end += 1,
            _ => batches.push(slot..slot + 1),
        }
    }
    batches
}
