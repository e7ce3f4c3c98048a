//! Changing metadata through the log (MS-VHDX 2.3): a crash at any point leaves the state before
//! or after a commit.
//!
//! ```text
//!   begin    empty entry of a new log GUID · flush · both headers name that GUID
//!   commit   flush (payload, and what the last commit applied)
//!            · entry with all pending sectors, its tail at itself · flush · write them in place
//!   end      commit · flush · both headers without a log GUID
//! ```
//!
//! Each entry's tail is the entry itself, since everything before it has been applied and flushed.
//! The entry before it stays untouched until the new one is durable: an entry takes less than
//! half of the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use block_io::{DiskError, DiskErrorKind, WritableFile};
use uuid::Uuid;

use crate::field::{MIB, SECTOR_BYTES, Sector, index};
use crate::guid_source::GuidSource;
use crate::header::{HEADER_OFFSETS, Header};
use crate::log::{Ring, encode_entry};
use crate::sector_cache::SectorCache;

/// Pending sectors that ask for a commit. One more change adds at most 20.
const ENOUGH_PENDING: usize = 64;
/// Length of a log that is added to a file without one, in bytes.
const NEW_LOG_BYTES: u32 = 1 << 20;

/// Metadata that are changed but not yet in the file, and the log that will carry them.
pub(crate) struct Journal {
    target: Arc<dyn WritableFile>,
    pending: BTreeMap<u64, Arc<Sector>>,
    header: Header,
    /// Which copy of the header is the current one.
    current: usize,
    /// Length of the file in bytes; whole MiB once a session began.
    pub(crate) file_bytes: u64,
    session: Option<Session>,
}

/// The log since [`Journal::begin`].
#[derive(Clone, Copy)]
struct Session {
    ring: Ring,
    guid: Uuid,
    next_sequence: u64,
    next_position: u64,
}

impl Journal {
    /// Makes a journal over a file whose log is empty. New blocks go behind `end_bytes`.
    pub(crate) fn new(
        target: Arc<dyn WritableFile>,
        header: Header,
        current: usize,
        end_bytes: u64,
    ) -> Self {
        Self {
            target,
            pending: BTreeMap::new(),
            header,
            current,
            file_bytes: end_bytes,
            session: None,
        }
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.session.is_some()
    }

    /// Returns a sector that is changed but not yet in the file.
    pub(crate) fn pending(&self, offset: u64) -> Option<Arc<Sector>> {
        self.pending.get(&offset).map(Arc::clone)
    }

    /// Says whether a commit is due before more sectors are changed.
    pub(crate) fn is_full(&self) -> bool {
        self.pending.len() >= ENOUGH_PENDING
    }

    /// Changes a sector; `now` is what it holds now.
    pub(crate) fn change(&mut self, offset: u64, now: Arc<Sector>, edit: impl FnOnce(&mut Sector)) {
        let sector = self.pending.entry(offset).or_insert(now);
        edit(Arc::make_mut(sector));
    }

    /// Adds `len_bytes` of zeros at the end of the file and returns their offset.
    pub(crate) fn extend(&mut self, len_bytes: u64) -> Result<u64, DiskError> {
        let offset = self.file_bytes;
        let end = offset.saturating_add(len_bytes);
        self.target
            .set_size_bytes(end)
            .map_err(|error| self.failed("cannot make the file longer", error))?;
        self.file_bytes = end;
        Ok(offset)
    }

    /// Starts to change the file: a new log, a new version of the file and of the disk.
    pub(crate) fn begin(&mut self, guids: &mut GuidSource) -> Result<(), DiskError> {
        if self.session.is_some() {
            return Ok(());
        }
        // Trailing bytes of a foreign program and a cut block become whole MiB of the file.
        self.extend(0)?;
        let mut header = self.header;
        if header.log_length == 0 {
            header.log_offset = self.extend(u64::from(NEW_LOG_BYTES))?;
            header.log_length = NEW_LOG_BYTES;
        }
        header.file_write_guid = guids.next()?;
        header.data_write_guid = guids.next()?;
        header.log_guid = guids.next()?;
        header.log_version = 0;
        let mut session = Session {
            ring: Ring {
                offset: header.log_offset,
                length: header.log_length.into(),
            },
            guid: header.log_guid,
            next_sequence: 1,
            next_position: 0,
        };
        // A header that names a log without a valid entry would make the file unreadable.
        self.flush()?;
        self.write_entry(&mut session, &[])?;
        self.flush()?;
        self.set_header(header)?;
        self.session = Some(session);
        Ok(())
    }

    /// Makes everything written so far durable, payload before the metadata that show it.
    pub(crate) fn commit(&mut self, cache: &SectorCache) -> Result<(), DiskError> {
        self.flush()?;
        let Some(mut session) = self.session else {
            return Ok(());
        };
        if self.pending.is_empty() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        let sectors: Vec<(u64, &Sector)> = pending
            .iter()
            .map(|(offset, sector)| (*offset, &**sector))
            .collect();
        self.write_entry(&mut session, &sectors)?;
        self.session = Some(session);
        self.flush()?;
        for (offset, sector) in pending {
            self.put(offset, &*sector)?;
            cache.put(offset, sector);
        }
        Ok(())
    }

    /// Closes the file cleanly.
    pub(crate) fn end(&mut self, cache: &SectorCache) -> Result<(), DiskError> {
        if self.session.is_none() {
            return Ok(());
        }
        self.commit(cache)?;
        self.flush()?;
        self.set_header(Header {
            log_guid: Uuid::nil(),
            ..self.header
        })?;
        self.session = None;
        Ok(())
    }

    fn write_entry(
        &self,
        session: &mut Session,
        sectors: &[(u64, &Sector)],
    ) -> Result<(), DiskError> {
        let Session {
            ring,
            guid,
            next_sequence,
            next_position,
        } = *session;
        let entry = encode_entry(guid, next_sequence, next_position, self.file_bytes, sectors);
        let length = entry.len() as u64;
        if length > ring.length / 2 - SECTOR_BYTES {
            let message = format!("a change of {length} bytes does not fit the log");
            return Err(DiskError::new(DiskErrorKind::Unsupported, message));
        }
        let before_end = index((ring.length - next_position).min(length));
        let (first, wrapped) = entry.split_at(before_end);
        self.put(ring.file_offset(next_position), first)?;
        if !wrapped.is_empty() {
            self.put(ring.offset, wrapped)?;
        }
        session.next_position = ring.wrap(next_position + length);
        session.next_sequence = next_sequence.saturating_add(1);
        Ok(())
    }

    /// Writes the header to the copy that is not current, then to the other, so that both agree.
    pub(crate) fn set_header(&mut self, header: Header) -> Result<(), DiskError> {
        self.header = Header {
            sequence_number: self.header.sequence_number,
            ..header
        };
        for _ in HEADER_OFFSETS {
            let Some(sequence_number) = self.header.sequence_number.checked_add(1) else {
                let message = "the header's sequence number cannot grow any more";
                return Err(DiskError::new(DiskErrorKind::Unsupported, message));
            };
            self.header.sequence_number = sequence_number;
            self.current = 1 - self.current.min(1);
            self.put(HEADER_OFFSETS[self.current], &self.header.encode())?;
            self.flush()?;
        }
        Ok(())
    }

    pub(crate) fn put(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        self.target
            .write_all_at(offset, data)
            .map_err(|error| self.failed("cannot write", error).at(offset))
    }

    pub(crate) fn flush(&self) -> Result<(), DiskError> {
        self.target
            .flush()
            .map_err(|error| self.failed("cannot flush", error))
    }

    fn failed(&self, what: &str, error: std::io::Error) -> DiskError {
        DiskError::io(self.target.name(), what, error)
    }
}

/// Fills a range of the file with zeros.
pub(crate) fn write_zeros(journal: &Journal, offset: u64, len_bytes: u64) -> Result<(), DiskError> {
    let zeros = vec![0; index(len_bytes.min(MIB))];
    let end = offset.saturating_add(len_bytes);
    let mut at = offset;
    while at < end {
        let len = index((end - at).min(MIB));
        journal.put(at, zeros.get(..len).unwrap_or(&zeros))?;
        at += len as u64;
    }
    Ok(())
}
