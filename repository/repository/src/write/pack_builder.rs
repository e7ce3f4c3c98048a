//! Packs that are being filled.

use std::sync::{Condvar, Mutex, PoisonError};

use crate::format::{
    Aead, Locator, Name, PackId, PackKind, TrailerEntry, place_nonce, seal_trailer,
};
use crate::repository::Shared;
use crate::{RepositoryError, RepositoryErrorKind};

/// Packs of one kind that are in memory at once: being filled, waiting, being written. It bounds
/// the memory of a run whose store is slow.
const BUFFERS: usize = 3;
/// A pack is full when it passes its target size: by a batch of frames and the trailer at most.
const ROOM_BYTES: usize = 2 << 20;

/// Frames that wait to be put into a pack together: codec ‖ body of each, back to back.
#[derive(Default)]
pub(crate) struct StagedFrames {
    pub(crate) bytes: Vec<u8>,
    /// Name, end in `bytes`, plain length.
    pub(crate) frames: Vec<(Name, usize, u32)>,
}

impl StagedFrames {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
    }
}

/// A pack that is whole, with what its trailer says.
pub(crate) struct FinishedPack {
    pub(crate) kind: PackKind,
    pub(crate) id: PackId,
    pub(crate) bytes: Vec<u8>,
    pub(crate) entries: Vec<TrailerEntry>,
}

struct OpenPack {
    id: PackId,
    key: Aead,
    bytes: Vec<u8>,
    entries: Vec<TrailerEntry>,
}

impl OpenPack {
    fn append(
        &mut self,
        frame: &[u8],
        name: Name,
        plain_bytes: u32,
    ) -> Result<Locator, RepositoryError> {
        let too_large =
            |_| RepositoryError::new(RepositoryErrorKind::Store, "a pack grew too large");
        let start = self.bytes.len();
        self.bytes.extend_from_slice(frame);
        let tag = self
            .key
            .seal(place_nonce(start as u64), &name.0, &mut self.bytes[start..])?;
        self.bytes.extend_from_slice(&tag);
        let offset = u32::try_from(start).map_err(too_large)?;
        let stored_bytes = u32::try_from(self.bytes.len() - start).map_err(too_large)?;
        self.entries.push(TrailerEntry {
            name,
            offset,
            stored_bytes,
            plain_bytes,
        });
        Ok(Locator {
            pack: self.id,
            offset,
            stored_bytes,
        })
    }

    fn finish(mut self, kind: PackKind) -> Result<FinishedPack, RepositoryError> {
        seal_trailer(&self.key, &mut self.bytes, &self.entries)?;
        Ok(FinishedPack {
            kind,
            id: self.id,
            bytes: self.bytes,
            entries: self.entries,
        })
    }
}

/// Fills packs of one kind, one after the other.
///
/// Frames that are appended together lie together, so that reading them back is one range.
pub(crate) struct PackBuilder {
    kind: PackKind,
    target_bytes: usize,
    open: Mutex<Option<OpenPack>>,
    buffers: Mutex<Buffers>,
    returned: Condvar,
}

/// Buffers of packs: they are filled again, because fresh memory costs more than filling it.
#[derive(Default)]
struct Buffers {
    spare: Vec<Vec<u8>>,
    in_use: usize,
}

impl PackBuilder {
    pub(crate) fn new(kind: PackKind, target_bytes: usize) -> Self {
        Self {
            kind,
            target_bytes,
            open: Mutex::new(None),
            buffers: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    /// Appends frames and returns where each lies, and a pack that became full by it.
    pub(crate) fn append(
        &self,
        shared: &Shared,
        staged: &StagedFrames,
    ) -> Result<(Vec<Locator>, Option<FinishedPack>), RepositoryError> {
        let mut locators = Vec::with_capacity(staged.frames.len());
        let full = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let pack = match &mut *open {
                Some(pack) => pack,
                None => open.insert(self.start(shared)?),
            };
            let mut start = 0;
            for &(name, end, plain_bytes) in &staged.frames {
                locators.push(pack.append(&staged.bytes[start..end], name, plain_bytes)?);
                start = end;
            }
            if pack.bytes.len() >= self.target_bytes {
                open.take()
            } else {
                None
            }
        };
        // Sealing the trailer hashes the whole pack: not under the lock.
        Ok((
            locators,
            full.map(|pack| pack.finish(self.kind)).transpose()?,
        ))
    }

    /// Finishes the pack that is being filled, if there is one.
    pub(crate) fn finish(&self) -> Result<Option<FinishedPack>, RepositoryError> {
        let open = self
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        open.map(|pack| pack.finish(self.kind)).transpose()
    }

    /// Takes back the buffer of a pack that was written, or never will be.
    pub(crate) fn give_back(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        buffers.in_use -= 1;
        buffers.spare.push(buffer);
        drop(buffers);
        self.returned.notify_one();
    }

    /// Waits for a buffer. Every pack's comes back, also when its writing fails.
    fn take_buffer(&self) -> Vec<u8> {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        while buffers.in_use >= BUFFERS {
            buffers = self
                .returned
                .wait(buffers)
                .unwrap_or_else(PoisonError::into_inner);
        }
        buffers.in_use += 1;
        buffers.spare.pop().unwrap_or_else(|| {
            // Address space alone: a small backup touches only what it fills.
            Vec::with_capacity(self.target_bytes + ROOM_BYTES)
        })
    }

    fn start(&self, shared: &Shared) -> Result<OpenPack, RepositoryError> {
        let (header, secret) = shared.new_pack(self.kind)?;
        let mut bytes = self.take_buffer();
        bytes.extend_from_slice(&header.to_bytes());
        Ok(OpenPack {
            id: header.pack,
            key: header.pack_key(secret),
            bytes,
            entries: Vec::new(),
        })
    }
}
