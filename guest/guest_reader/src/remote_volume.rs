//! The bytes of a volume that another process puts together.

use std::sync::Arc;

use block_io::{BlockDevice, DiskError, DiskErrorKind, Extent, check_range};
use guest_files::FileError;

use crate::frame::BYTES_MAX;
use crate::message::{Answer, DiskFacts, Request};
use crate::reader_process::{Conversation, no_parts};

/// A volume as a block device: partitions, groups, arrays and encryption are on its other side.
pub(crate) struct RemoteVolume {
    conversation: Arc<Conversation>,
    volume: u32,
    facts: DiskFacts,
}

impl RemoteVolume {
    /// Asks for the sectors of a volume that was said to have `size_bytes`. Another size, or sectors
    /// that no disk has, are not believed.
    pub(crate) fn open(
        conversation: Arc<Conversation>,
        volume: u32,
        size_bytes: u64,
    ) -> Result<Self, FileError> {
        let request = Request::Volume { volume };
        let is_sector = |bytes| matches!(bytes, 512 | 4096);
        let facts = conversation.ask(request, |answer| match answer {
            Answer::Volume(facts) => Some(facts).filter(|facts| {
                facts.size_bytes == size_bytes
                    && is_sector(facts.sector_bytes)
                    && is_sector(facts.physical_sector_bytes)
            }),
            _ => None,
        })?;
        Ok(Self {
            conversation,
            volume,
            facts,
        })
    }

    fn failed(&self, error: &FileError) -> DiskError {
        let volume = self.volume;
        DiskError::new(DiskErrorKind::Io, format!("volume {volume}: {error}"))
    }
}

impl BlockDevice for RemoteVolume {
    fn size_bytes(&self) -> u64 {
        self.facts.size_bytes
    }

    fn sector_bytes(&self) -> u32 {
        self.facts.sector_bytes
    }

    fn physical_sector_bytes(&self) -> u32 {
        self.facts.physical_sector_bytes
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes(), offset, buf.len() as u64)?;
        let mut bytes = Vec::new();
        for (part, at) in buf.chunks_mut(BYTES_MAX).zip((offset..).step_by(BYTES_MAX)) {
            let request = Request::ReadVolume {
                volume: self.volume,
                offset: at,
                len_bytes: u32::try_from(part.len()).unwrap_or(u32::MAX),
            };
            let read = |answer| matches!(answer, Answer::Read).then_some(());
            let asked = self
                .conversation
                .ask_for(request, &mut bytes, &mut no_parts, read);
            asked.map_err(|error| self.failed(&error))?;
            if bytes.len() != part.len() {
                let what = format!(
                    "volume {}: {} bytes came for {} at {at}",
                    self.volume,
                    bytes.len(),
                    part.len()
                );
                return Err(DiskError::new(DiskErrorKind::Io, what));
            }
            part.copy_from_slice(&bytes);
        }
        Ok(())
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        check_range(self.size_bytes(), offset, max_bytes)?;
        let request = Request::VolumeExtent {
            volume: self.volume,
            offset,
            max_bytes,
        };
        let extent = self.conversation.ask(request, |answer| match answer {
            Answer::VolumeExtent(extent) => Some(extent),
            _ => None,
        });
        let extent: Extent = extent.map_err(|error| self.failed(&error))?.into();
        Ok(Extent {
            kind: extent.kind,
            len_bytes: extent.len_bytes.min(max_bytes).max(1),
        })
    }
}
