//! What packs and index objects say of themselves.

use object_store::ObjectStore;

use crate::RepositoryError;
use crate::format::{FOOTER_BYTES, Footer, Header, IndexDirectory, PackId, TrailerEntry};
use crate::hex;
use crate::shared::Shared;

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
        let mut footer = [0; FOOTER_BYTES];
        let footer_offset = size_bytes.saturating_sub(FOOTER_BYTES as u64);
        self.store.get_range(&object, footer_offset, &mut footer)?;
        let footer = Footer::parse(&footer, size_bytes).map_err(named)?;
        let mut trailer = vec![0; footer.trailer_bytes];
        self.store
            .get_range(&object, footer.trailer_offset, &mut trailer)?;
        let entries = footer
            .open_trailer(&key, header.len_bytes, &mut trailer)
            .map_err(named)?;
        Ok((header, entries))
    }
}
