//! Reading index objects whole: each byte once, in pieces.

use std::collections::HashMap;

use crate::domain_view::Shared;
use crate::format::{
    ENTRIES_PER_PAGE, IndexDirectory, IndexEntry, PAGE_STORED_BYTES, PackId, pack_bytes,
};
use crate::keys::DomainId;
use crate::maintain::check::frame_filter::FrameFilter;
use crate::maintain::check::keyless::check_hash;
use crate::{RepositoryError, RepositoryErrorKind};

/// Pages that are read at a time: about 1 MiB.
const PAGES_AT_ONCE: usize = 255;
/// The checksum at the end, in bytes.
const HASH_BYTES: u64 = 32;

/// What an index object says.
pub(crate) struct IndexSurvey {
    /// Its name.
    pub(crate) object: String,
    /// Whose packs it lists.
    pub(crate) domain: DomainId,
    id: PackId,
    size_bytes: u64,
    /// Packs that it lists, with the length that they must have for it to be right.
    pub(crate) packs: HashMap<PackId, u64>,
    /// Frames that it lists.
    pub(crate) frames: FrameFilter,
}

/// How far the frames of a pack reach, and how many there are.
#[derive(Clone, Copy, Default)]
struct Tally {
    frames: u64,
    end: u64,
}

/// An index object that is read from front to end.
struct Pieces<'a> {
    shared: &'a Shared,
    object: &'a str,
    offset: u64,
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
}

impl Pieces<'_> {
    fn next(&mut self, len: usize) -> Result<&mut [u8], RepositoryError> {
        self.buffer.resize(len, 0);
        let store = &self.shared.store;
        store.get_range(self.object, self.offset, &mut self.buffer)?;
        self.hasher.update(&self.buffer);
        self.offset += len as u64;
        Ok(&mut self.buffer)
    }
}

impl IndexSurvey {
    /// Reads an index object of `size_bytes` of any domain: its checksum, and every page.
    pub(crate) fn read(
        shared: &Shared,
        object: &str,
        id: PackId,
        size_bytes: u64,
    ) -> Result<Self, RepositoryError> {
        let opened = shared.open_index(object, id, size_bytes);
        if opened
            .as_ref()
            .is_err_and(|error| error.kind() == RepositoryErrorKind::OtherDomain)
        {
            // Whose it is is only known when its bytes are as they were written.
            check_hash(&*shared.store, object, size_bytes, &mut Vec::new())
                .map_err(|error| error.in_object(object))?;
        }
        let directory = opened?;
        let mut survey = Self {
            object: object.to_owned(),
            domain: directory.domain,
            id,
            size_bytes,
            packs: HashMap::new(),
            frames: FrameFilter::with_capacity(directory.pages() * ENTRIES_PER_PAGE),
        };
        survey
            .read_pages(shared, &directory, size_bytes)
            .map_err(|error| error.in_object(object))?;
        Ok(survey)
    }

    /// Reads the index again, entry by entry.
    pub(crate) fn read_entries(
        &self,
        shared: &Shared,
        visit: &mut dyn FnMut(IndexEntry),
    ) -> Result<(), RepositoryError> {
        let directory = shared.open_index(&self.object, self.id, self.size_bytes)?;
        let mut bytes = [0; PAGE_STORED_BYTES];
        for page in 0..directory.pages() {
            let offset = IndexDirectory::page_offset(page);
            let store = &shared.store;
            store.get_range(&self.object, offset, &mut bytes)?;
            directory
                .read_page(page, &mut bytes, visit)
                .map_err(|error| error.in_object(&self.object).at(offset))?;
        }
        Ok(())
    }

    fn read_pages(
        &mut self,
        shared: &Shared,
        directory: &IndexDirectory,
        size_bytes: u64,
    ) -> Result<(), RepositoryError> {
        let damaged = |what| RepositoryError::new(RepositoryErrorKind::Damaged, what);
        let mut pieces = Pieces {
            shared,
            object: &self.object,
            offset: 0,
            hasher: blake3::Hasher::new(),
            buffer: Vec::new(),
        };
        let header = usize::try_from(IndexDirectory::page_offset(0)).unwrap_or(0);
        pieces.next(header)?;
        let mut tallies: HashMap<PackId, Tally> = HashMap::new();
        tallies.extend(directory.packs.iter().map(|pack| (*pack, Tally::default())));
        let mut page = 0;
        while page < directory.pages() {
            let count = PAGES_AT_ONCE.min(directory.pages() - page);
            let bytes = pieces.next(count * PAGE_STORED_BYTES)?;
            for stored in bytes.chunks_mut(PAGE_STORED_BYTES) {
                let at = IndexDirectory::page_offset(page);
                let visit = &mut |entry: IndexEntry| {
                    let locator = entry.locator;
                    let tally = tallies.entry(locator.pack).or_default();
                    tally.frames += 1;
                    let end = u64::from(locator.offset) + u64::from(locator.stored_bytes);
                    tally.end = tally.end.max(end);
                    let frames = &mut self.frames;
                    frames.insert(&entry.name, locator.offset, locator.stored_bytes);
                };
                directory
                    .read_page(page, stored, visit)
                    .map_err(|error| error.at(at))?;
                page += 1;
            }
        }
        // Directory and footer: authenticated when they were opened, here for the checksum.
        let mut rest = size_bytes.saturating_sub(HASH_BYTES + pieces.offset);
        while rest > 0 {
            let len = rest.min(1 << 20);
            pieces.next(usize::try_from(len).unwrap_or(0))?;
            rest -= len;
        }
        let hash = *pieces.hasher.finalize().as_bytes();
        let mut stored = [0; 32];
        shared
            .store
            .get_range(&self.object, pieces.offset, &mut stored)?;
        if stored != hash {
            return Err(damaged(
                "the bytes are not as they were written: their checksum is wrong",
            ));
        }
        self.packs = tallies
            .into_iter()
            .map(|(pack, tally)| (pack, pack_bytes(tally.end, tally.frames)))
            .collect();
        Ok(())
    }
}
