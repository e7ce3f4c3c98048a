//! Packs that are being filled.

use std::sync::{Arc, Mutex, PoisonError};

use crate::domain_view::{NewPack, Shared};
use crate::format::{
    Aead, FRAMES_MAX, Locator, Name, PackId, PackKind, TrailerEntry, place_nonce, seal_trailer,
};
use crate::write::pack_buffer::{PackBuffer, PackBuffers};
use crate::write::pack_ticket::{PackTicket, PackTickets};
use crate::{RepositoryError, RepositoryErrorKind};

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
    pub(crate) id: PackId,
    pub(crate) buffer: PackBuffer,
    pub(crate) entries: Vec<TrailerEntry>,
    pub(crate) ticket: PackTicket,
}

struct OpenPack {
    id: PackId,
    key: Aead,
    buffer: PackBuffer,
    entries: Vec<TrailerEntry>,
    ticket: PackTicket,
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
        let bytes = &mut self.buffer.bytes;
        let start = bytes.len();
        bytes.extend_from_slice(frame);
        let nonce = place_nonce(start as u64);
        let tag = self.key.seal(nonce, &name.0, &mut bytes[start..])?;
        bytes.extend_from_slice(&tag);
        let offset = u32::try_from(start).map_err(too_large)?;
        let stored_bytes = u32::try_from(bytes.len() - start).map_err(too_large)?;
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

    fn finish(mut self) -> Result<FinishedPack, RepositoryError> {
        seal_trailer(&self.key, &mut self.buffer.bytes, &self.entries)?;
        Ok(FinishedPack {
            id: self.id,
            buffer: self.buffer,
            entries: self.entries,
            ticket: self.ticket,
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
    buffers: Arc<PackBuffers>,
    tickets: Arc<PackTickets>,
}

impl PackBuilder {
    pub(crate) fn new(kind: PackKind, target_bytes: usize) -> Self {
        Self {
            kind,
            target_bytes,
            open: Mutex::new(None),
            buffers: Arc::new(PackBuffers::new(target_bytes + ROOM_BYTES)),
            tickets: Arc::default(),
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
            let full =
                pack.buffer.bytes.len() >= self.target_bytes || pack.entries.len() >= FRAMES_MAX;
            if full { open.take() } else { None }
        };
        // Sealing the trailer hashes the whole pack: not under the lock.
        Ok((locators, full.map(OpenPack::finish).transpose()?))
    }

    /// Finishes the pack that is being filled, if there is one.
    pub(crate) fn finish(&self) -> Result<Option<FinishedPack>, RepositoryError> {
        let open = self
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        open.map(OpenPack::finish).transpose()
    }

    /// Returns how many packs were begun so far.
    pub(crate) fn begun(&self) -> u64 {
        self.tickets.begun()
    }

    /// Waits until the first `begun` packs are durable, wherever they are now. The one that was
    /// being filled then must have been finished since.
    pub(crate) fn wait_until_durable(&self, begun: u64) -> Result<(), RepositoryError> {
        self.tickets.wait(begun)
    }

    fn start(&self, shared: &Shared) -> Result<OpenPack, RepositoryError> {
        let NewPack { id, header, key } = shared.new_pack(self.kind)?;
        let mut buffer = self.buffers.take();
        buffer.bytes.extend_from_slice(&header);
        Ok(OpenPack {
            id,
            key,
            buffer,
            entries: Vec::new(),
            ticket: self.tickets.issue(),
        })
    }
}
