//! A disk as the reading process has it: questions to the program.

use std::sync::{Arc, Mutex, PoisonError};

use block_io::{BlockDevice, DiskError, DiskErrorKind, Extent, check_range};

use crate::frame::BYTES_MAX;
use crate::message::{DiskFacts, FromReader, ToReader};
use crate::reader::Pipes;

/// A disk whose bytes the program hands over.
pub(crate) struct PipeDisk {
    pipes: Arc<Mutex<Pipes>>,
    number: u32,
    facts: DiskFacts,
}

impl PipeDisk {
    pub(crate) fn new(pipes: Arc<Mutex<Pipes>>, number: u32, facts: DiskFacts) -> Self {
        Self {
            pipes,
            number,
            facts,
        }
    }

    fn ask(&self, question: &FromReader, bytes: &mut Vec<u8>) -> Result<ToReader, DiskError> {
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        pipes.ask(question, bytes).map_err(|error| {
            let what = format!("disk {}: the program does not answer", self.number);
            DiskError::new(DiskErrorKind::Io, format!("{what}: {error}"))
        })
    }
}

impl BlockDevice for PipeDisk {
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
        check_range(self.facts.size_bytes, offset, buf.len() as u64)?;
        let mut at = offset;
        let mut bytes = Vec::new();
        for part in buf.chunks_mut(BYTES_MAX) {
            let question = FromReader::ReadDisk {
                disk: self.number,
                offset: at,
                // A part is at most `BYTES_MAX` bytes long.
                len_bytes: u32::try_from(part.len()).unwrap_or(u32::MAX),
            };
            match self.ask(&question, &mut bytes)? {
                ToReader::Disk(Ok(())) if bytes.len() == part.len() => part.copy_from_slice(&bytes),
                ToReader::Disk(Err(failure)) => return Err(failure.into()),
                _ => return Err(self.not_an_answer()),
            }
            at = at.saturating_add(part.len() as u64);
        }
        Ok(())
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        let disk = self.number;
        let question = FromReader::Extent {
            disk,
            offset,
            max_bytes,
        };
        match self.ask(&question, &mut Vec::new())? {
            ToReader::Extent(extent) => Ok(extent?.into()),
            _ => Err(self.not_an_answer()),
        }
    }
}

impl PipeDisk {
    fn not_an_answer(&self) -> DiskError {
        let what = format!("disk {}: the program answered something else", self.number);
        DiskError::new(DiskErrorKind::Io, what)
    }
}
