//! Index objects: a sorted copy of pack trailers (section 9).

use crate::format::{Aead, Bloom, Locator, Name, PackId, TAG_BYTES, place_nonce};
use crate::keys::{Domain, DomainId};
use crate::{RepositoryError, RepositoryErrorKind};

const MAGIC: &[u8; 8] = b"LBINDX01";
const END_MAGIC: &[u8; 8] = b"LBIXEND1";
/// Length of the header, which the pages follow, in bytes.
const HEADER_BYTES: usize = 64;
const FOOTER_BYTES: usize = 48;
const ENTRY_BYTES: usize = 44;
/// The most entries that a page holds.
pub(crate) const ENTRIES_PER_PAGE: usize = 93;
const PAGE_BYTES: usize = 4096;
/// Stored length of a page in bytes.
pub(crate) const PAGE_STORED_BYTES: usize = PAGE_BYTES + TAG_BYTES;
const DIRECTORY_NONCE: [u8; 12] = [0xFF; 12];
/// The most that an index object may be, in bytes.
const OBJECT_BYTES_MAX: u64 = 1 << 30;

/// One name and where it lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IndexEntry {
    pub(crate) name: Name,
    pub(crate) locator: Locator,
}

/// An index object that is about to be written.
pub(crate) struct IndexObject {
    pub(crate) id: PackId,
    pub(crate) bytes: Vec<u8>,
}

fn header(domain: &Domain, id: PackId) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[16..32].copy_from_slice(&domain.id);
    bytes[32..48].copy_from_slice(&id.0);
    bytes
}

fn object_key(domain: &Domain, header: &[u8; HEADER_BYTES]) -> Aead {
    Aead::new(&domain.map_key.derive("lifeboat v1 index", &[header]))
}

fn directory_data(pages: u32) -> Vec<u8> {
    [
        b"lifeboat v1 index directory".as_slice(),
        &pages.to_le_bytes(),
    ]
    .concat()
}

fn prefix(name: &Name) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&name.0[..8]);
    u64::from_be_bytes(bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

impl IndexObject {
    /// Builds an index of `entries`, which it sorts; `packs` are all packs that it lists whole.
    pub(crate) fn build(
        domain: &Domain,
        entries: &mut [IndexEntry],
        mut packs: Vec<PackId>,
    ) -> Result<Self, RepositoryError> {
        let too_large =
            || RepositoryError::new(RepositoryErrorKind::Store, "an index object grew too large");
        let id = PackId::random()?;
        entries.sort_unstable_by_key(|entry| entry.name);
        packs.sort_unstable();
        packs.dedup();
        let header = header(domain, id);
        let key = object_key(domain, &header);
        let mut bytes = header.to_vec();
        let mut filter = Bloom::with_capacity(entries.len());
        let mut fences = Vec::new();
        for (number, page_entries) in entries.chunks(ENTRIES_PER_PAGE).enumerate() {
            let mut page = [0; PAGE_BYTES];
            let count = u32::try_from(page_entries.len()).map_err(|_| too_large())?;
            page[..4].copy_from_slice(&count.to_le_bytes());
            for (slot, entry) in page[4..].chunks_exact_mut(ENTRY_BYTES).zip(page_entries) {
                filter.insert(&entry.name);
                let pack = packs
                    .binary_search(&entry.locator.pack)
                    .ok()
                    .and_then(|pack| u32::try_from(pack).ok())
                    .ok_or_else(too_large)?;
                slot[..32].copy_from_slice(&entry.name.0);
                slot[32..36].copy_from_slice(&pack.to_le_bytes());
                slot[36..40].copy_from_slice(&entry.locator.offset.to_le_bytes());
                slot[40..44].copy_from_slice(&entry.locator.stored_bytes.to_le_bytes());
            }
            fences.extend_from_slice(&page_entries[0].name.0[..8]);
            let tag = key.seal(place_nonce(number as u64), &[], &mut page)?;
            bytes.extend_from_slice(&page);
            bytes.extend(tag);
        }
        let pages = u32::try_from(fences.len() / 8).map_err(|_| too_large())?;
        let start = bytes.len();
        bytes.extend((entries.len() as u64).to_le_bytes());
        bytes.extend(
            u32::try_from(packs.len())
                .map_err(|_| too_large())?
                .to_le_bytes(),
        );
        bytes.extend(packs.iter().flat_map(|pack| pack.0));
        bytes.extend(fences);
        let filter = filter.to_bytes();
        bytes.extend(
            u32::try_from(filter.len())
                .map_err(|_| too_large())?
                .to_le_bytes(),
        );
        bytes.extend(filter);
        let tag = key.seal(DIRECTORY_NONCE, &directory_data(pages), &mut bytes[start..])?;
        bytes.extend(tag);
        let stored = u32::try_from(bytes.len() - start).map_err(|_| too_large())?;
        bytes.extend(stored.to_le_bytes());
        bytes.extend(pages.to_le_bytes());
        bytes.extend(END_MAGIC);
        let hash = blake3::hash(&bytes);
        bytes.extend(hash.as_bytes());
        Ok(Self { id, bytes })
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeyRing;

    #[test]
    fn every_name_is_found_where_it_lies_and_no_other() {
        let ring = KeyRing::generate(String::new()).unwrap();
        let domain = &ring.domains[0];
        let domain_of = |_| Ok(domain.clone());
        let name = |n: u32| Name(*blake3::hash(&n.to_le_bytes()).as_bytes());
        let locator = |n: u32| Locator {
            pack: PackId([u8::try_from(n % 3).unwrap(); 16]),
            offset: n,
            stored_bytes: n + 1,
        };
        let mut entries: Vec<IndexEntry> = (0..1000)
            .map(|n| IndexEntry {
                name: name(n),
                locator: locator(n),
            })
            .collect();
        let packs = (0..4).map(|n| PackId([n; 16])).collect();
        let object = IndexObject::build(domain, &mut entries, packs).unwrap();
        let read = |offset: u64, buf: &mut [u8]| {
            let offset = usize::try_from(offset).unwrap();
            buf.copy_from_slice(&object.bytes[offset..offset + buf.len()]);
            Ok(())
        };
        let size = object.bytes.len() as u64;
        let index = IndexDirectory::open(domain_of, object.id, size, read).unwrap();
        assert_eq!(index.packs.len(), 4);
        let find = |n: u32| {
            index.candidate_pages(&name(n)).find_map(|page| {
                let mut bytes = [0; PAGE_STORED_BYTES];
                read(IndexDirectory::page_offset(page), &mut bytes).unwrap();
                index.find_in_page(page, &mut bytes, &name(n)).unwrap()
            })
        };
        assert!((0..1000).all(|n| find(n) == Some(locator(n))));
        assert!((1000..3000).all(|n| find(n).is_none()));
        let other = PackId([9; 16]);
        assert!(IndexDirectory::open(domain_of, other, size, read).is_err());
    }
}
