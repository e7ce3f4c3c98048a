//! What packs and index objects say of themselves.

use object_store::ObjectStore;

use crate::domain_view::Shared;
use crate::format::{FOOTER_BYTES, Footer, Header, IndexDirectory, PackId, TrailerEntry};
use crate::hex;
use crate::{RepositoryError, RepositoryErrorKind};

/// What is read of the end of a pack at first, in bytes: footer and trailer of a common one.
const TAIL_BYTES: u64 = 64 << 10;

fn too_short() -> RepositoryError {
    RepositoryError::new(RepositoryErrorKind::Damaged, "the pack is too short")
}

/// Lists the index objects: name, id, length.
pub(crate) fn index_objects(
    store: &dyn ObjectStore,
) -> Result<Vec<(String, PackId, u64)>, RepositoryError> {
    let mut objects = Vec::new();
    store.list("index/", &mut |object| {
        let id = object
            .name
            .strip_prefix("index/")
            .and_then(hex::decode_array);
        if let Some(id) = id {
            objects.push((object.name, PackId(id), object.size_bytes));
        }
    })?;
    objects.sort_unstable();
    Ok(objects)
}

impl Shared {
    /// Opens the directory of an index object of any domain; `OtherDomain` where we lack its keys.
    pub(crate) fn open_index(
        &self,
        object: &str,
        id: PackId,
        size_bytes: u64,
    ) -> Result<IndexDirectory, RepositoryError> {
        let domain_of = |domain| self.domain_of(domain);
        IndexDirectory::open(domain_of, id, size_bytes, |offset, buf| {
            Ok(self.store.get_range(object, offset, buf)?)
        })
        .map_err(|error| error.in_object(object))
    }

    /// Reads what a pack of `size_bytes`, of any domain, holds.
    pub(crate) fn read_trailer(
        &self,
        pack: PackId,
        size_bytes: u64,
    ) -> Result<(Header, Vec<TrailerEntry>), RepositoryError> {
        let object = pack.object_name();
        let named = |error: RepositoryError| error.in_object(&object);
        let (header, key) = self.read_header(pack)?;
        let mut tail_len = size_bytes.min(TAIL_BYTES);
        let (footer, mut trailer) = loop {
            // At most what a trailer may be, which the footer was compared with.
            let mut tail = vec![0; usize::try_from(tail_len).unwrap_or(0)];
            let offset = size_bytes - tail_len;
            self.store.get_range(&object, offset, &mut tail)?;
            let footer = tail.last_chunk::<FOOTER_BYTES>();
            let footer = footer.map(|footer| Footer::parse(footer, size_bytes));
            let footer = footer.unwrap_or_else(|| Err(too_short())).map_err(named)?;
            let wanted = size_bytes - footer.trailer_offset;
            if wanted > tail_len {
                tail_len = wanted;
                continue;
            }
            tail.drain(..usize::try_from(tail_len - wanted).unwrap_or(0));
            tail.truncate(footer.trailer_bytes);
            break (footer, tail);
        };
        let entries = footer
            .open_trailer(&key, header.len_bytes, &mut trailer)
            .map_err(named)?;
        Ok((header, entries))
    }
}
