//! Index objects: a sorted copy of pack trailers (section 9).

mod directory;

use crate::format::{Aead, Bloom, Locator, Name, PackId, TAG_BYTES, place_nonce};
use crate::keys::Domain;
use crate::{RepositoryError, RepositoryErrorKind};

pub(crate) use directory::IndexDirectory;

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
