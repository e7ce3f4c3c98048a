//! What is kept in memory of an index object, and how its pages are read.

use super::{
    DIRECTORY_NONCE, END_MAGIC, ENTRY_BYTES, FOOTER_BYTES, HEADER_BYTES, IndexEntry, MAGIC,
    OBJECT_BYTES_MAX, PAGE_STORED_BYTES, directory_data, header, object_key, prefix, u32_at,
};
use crate::format::{Aead, Bloom, Locator, Name, PackId, place_nonce};
use crate::keys::{Domain, DomainId};
use crate::{RepositoryError, RepositoryErrorKind};

/// What is kept in memory of an index object: about 11 bits an entry.
pub(crate) struct IndexDirectory {
    key: Aead,
    /// Whose packs they are.
    pub(crate) domain: DomainId,
    /// Packs that the index lists whole, sorted.
    pub(crate) packs: Vec<PackId>,
    fences: Vec<u64>,
    filter: Bloom,
}

impl IndexDirectory {
    /// Opens the index object `id` of `size_bytes`, reading with `read(offset, buf)`.
    ///
    /// `domain_of` has the keys of the domain that the header names, or says why not.
    pub(crate) fn open(
        domain_of: impl FnOnce(DomainId) -> Result<Domain, RepositoryError>,
        id: PackId,
        size_bytes: u64,
        read: impl Fn(u64, &mut [u8]) -> Result<(), RepositoryError>,
    ) -> Result<Self, RepositoryError> {
        let damaged = |what| RepositoryError::new(RepositoryErrorKind::Damaged, what);
        let footer_offset = size_bytes
            .checked_sub(FOOTER_BYTES as u64)
            .filter(|offset| *offset >= HEADER_BYTES as u64 && size_bytes <= OBJECT_BYTES_MAX)
            .ok_or_else(|| damaged("an index object of this length cannot be"))?;
        let mut stored_header = [0; HEADER_BYTES];
        read(0, &mut stored_header)?;
        if &stored_header[..8] != MAGIC {
            return Err(
                damaged("this is not an index object (it should begin with LBINDX01)").at(0),
            );
        }
        let mut domain = [0; 16];
        domain.copy_from_slice(&stored_header[16..32]);
        let domain = &domain_of(domain)?;
        if stored_header != header(domain, id) {
            return Err(damaged("this is not the index object that its name says").at(0));
        }
        let mut footer = [0; FOOTER_BYTES];
        read(footer_offset, &mut footer)?;
        if &footer[8..16] != END_MAGIC {
            return Err(damaged("the index object does not end as one does").at(footer_offset));
        }
        let pages = u32_at(&footer, 4).unwrap_or(0);
        let stored = u64::from(u32_at(&footer, 0).unwrap_or(0));
        let start = HEADER_BYTES as u64 + u64::from(pages) * PAGE_STORED_BYTES as u64;
        if start.checked_add(stored) != Some(footer_offset) {
            return Err(damaged("the index object's parts do not fill it").at(footer_offset));
        }
        let mut directory = vec![0; usize::try_from(stored).unwrap_or(0)];
        read(start, &mut directory)?;
        let key = object_key(domain, &stored_header);
        let plain = key
            .open(DIRECTORY_NONCE, &directory_data(pages), &mut directory)
            .map_err(|error| error.at(start))?;
        Self::parse(key, domain.id, plain, pages as usize)
            .ok_or_else(|| damaged("the index object's directory makes no sense").at(start))
    }

    /// Opens an index object that is in memory.
    pub(crate) fn from_bytes(
        domain: &Domain,
        id: PackId,
        bytes: &[u8],
    ) -> Result<Self, RepositoryError> {
        let domain_of = |_| Ok(domain.clone());
        Self::open(domain_of, id, bytes.len() as u64, |offset, buf| {
            let part = usize::try_from(offset)
                .ok()
                .and_then(|start| bytes.get(start..start.checked_add(buf.len())?));
            let part = part.ok_or_else(|| {
                RepositoryError::new(RepositoryErrorKind::Damaged, "an index object is too short")
            })?;
            buf.copy_from_slice(part);
            Ok(())
        })
    }

    /// Reads a directory that was decrypted; `None` for one that makes no sense.
    pub(crate) fn parse(key: Aead, domain: DomainId, plain: &[u8], pages: usize) -> Option<Self> {
        let packs = u32_at(plain, 8)? as usize;
        let (packs, rest) = plain.get(12..)?.split_at_checked(packs.checked_mul(16)?)?;
        let (fences, rest) = rest.split_at_checked(pages.checked_mul(8)?)?;
        let filter = rest.get(4..)?;
        if u32_at(rest, 0)? as usize != filter.len() {
            return None;
        }
        Some(Self {
            key,
            domain,
            packs: packs
                .as_chunks::<16>()
                .0
                .iter()
                .map(|pack| PackId(*pack))
                .collect(),
            fences: fences
                .as_chunks::<8>()
                .0
                .iter()
                .map(|f| u64::from_be_bytes(*f))
                .collect(),
            filter: Bloom::from_bytes(filter)?,
        })
    }

    /// Returns the pages, first to last, that may hold `name`: none where the filter knows better.
    pub(crate) fn candidate_pages(&self, name: &Name) -> std::ops::Range<usize> {
        if !self.filter.may_contain(name) {
            return 0..0;
        }
        let prefix = prefix(name);
        // A page whose first name has the same prefix may begin after the name that is looked for.
        let first = self
            .fences
            .partition_point(|fence| *fence < prefix)
            .saturating_sub(1);
        let end = self.fences.partition_point(|fence| *fence <= prefix);
        first..end
    }

    /// Reads all entries of an index object that is in memory.
    pub(crate) fn entries(
        &self,
        object: &[u8],
        visit: &mut dyn FnMut(IndexEntry),
    ) -> Result<(), RepositoryError> {
        for page in 0..self.fences.len() {
            let start = HEADER_BYTES + page * PAGE_STORED_BYTES;
            let stored = object.get(start..).and_then(<[u8]>::first_chunk);
            let mut bytes: [u8; PAGE_STORED_BYTES] = *stored.ok_or_else(|| {
                RepositoryError::new(RepositoryErrorKind::Damaged, "an index object is too short")
            })?;
            let plain = self.key.open(place_nonce(page as u64), &[], &mut bytes)?;
            for record in records(plain) {
                let mut name = [0; 32];
                name.copy_from_slice(&record[..32]);
                visit(IndexEntry {
                    name: Name(name),
                    locator: self.locator(record)?,
                });
            }
        }
        Ok(())
    }

    /// Returns the offset of a page in the object in bytes.
    pub(crate) fn page_offset(page: usize) -> u64 {
        HEADER_BYTES as u64 + page as u64 * PAGE_STORED_BYTES as u64
    }

    /// Returns the number of pages.
    pub(crate) fn pages(&self) -> usize {
        self.fences.len()
    }

    /// Opens a stored page and calls `visit` for each entry in it, in order of the names.
    pub(crate) fn read_page(
        &self,
        page: usize,
        bytes: &mut [u8],
        visit: &mut dyn FnMut(IndexEntry),
    ) -> Result<(), RepositoryError> {
        let damaged = |what| RepositoryError::new(RepositoryErrorKind::Damaged, what);
        let plain = self.key.open(place_nonce(page as u64), &[], bytes)?;
        let count = u32_at(plain, 0).unwrap_or(0) as usize;
        let records = plain
            .get(4..)
            .unwrap_or_default()
            .as_chunks::<ENTRY_BYTES>()
            .0;
        let records = records
            .get(..count)
            .ok_or_else(|| damaged("an index page says that it has more than fits"))?;
        for record in records {
            let field = |at| u32_at(record, at).unwrap_or(0);
            let pack = self.packs.get(field(32) as usize).ok_or_else(|| {
                damaged("an index page names a pack that the index does not list")
            })?;
            let mut name = [0; 32];
            name.copy_from_slice(&record[..32]);
            visit(IndexEntry {
                name: Name(name),
                locator: Locator {
                    pack: *pack,
                    offset: field(36),
                    stored_bytes: field(40),
                },
            });
        }
        Ok(())
    }

    /// Opens a stored page and looks for `name` in it.
    pub(crate) fn find_in_page(
        &self,
        page: usize,
        bytes: &mut [u8],
        name: &Name,
    ) -> Result<Option<Locator>, RepositoryError> {
        let plain = self.key.open(place_nonce(page as u64), &[], bytes)?;
        let records = records(plain);
        let Ok(found) = records.binary_search_by(|record| record[..32].cmp(&name.0)) else {
            return Ok(None);
        };
        self.locator(&records[found]).map(Some)
    }

    fn locator(&self, record: &[u8; ENTRY_BYTES]) -> Result<Locator, RepositoryError> {
        let pack = u32_at(record, 32).and_then(|pack| self.packs.get(pack as usize));
        let pack = pack.ok_or_else(|| {
            let what = "an index page names a pack that the index does not list";
            RepositoryError::new(RepositoryErrorKind::Damaged, what)
        })?;
        Ok(Locator {
            pack: *pack,
            offset: u32_at(record, 36).unwrap_or(0),
            stored_bytes: u32_at(record, 40).unwrap_or(0),
        })
    }
}

/// Returns the entries of a page that was decrypted.
fn records(plain: &[u8]) -> &[[u8; ENTRY_BYTES]] {
    let count = u32_at(plain, 0).unwrap_or(0) as usize;
    let (records, _) = plain.get(4..).unwrap_or_default().as_chunks();
    records.get(..count).unwrap_or_default()
}
