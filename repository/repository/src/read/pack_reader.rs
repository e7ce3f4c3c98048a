//! What packs and index objects say of themselves.

use object_store::ObjectStore;

use crate::RepositoryError;
use crate::format::{
    FOOTER_BYTES, Footer, HEADER_BYTES, Header, IndexDirectory, PackId, PackKind, TrailerEntry,
};
use crate::hex;
use crate::repository::Shared;

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
    /// Opens the directory of an index object.
    pub(crate) fn open_index(
        &self,
        object: &str,
        id: PackId,
        size_bytes: u64,
    ) -> Result<IndexDirectory, RepositoryError> {
        IndexDirectory::open(self.domain(), id, size_bytes, |offset, buf| {
            Ok(self.store.get_range(object, offset, buf)?)
        })
        .map_err(|error| error.in_object(object))
    }

    /// Reads what a pack of `size_bytes` holds.
    pub(crate) fn read_trailer(
        &self,
        pack: PackId,
        size_bytes: u64,
    ) -> Result<(PackKind, Vec<TrailerEntry>), RepositoryError> {
        let object = pack.object_name();
        let named = |error: RepositoryError| error.in_object(&object);
        let mut header = [0; HEADER_BYTES];
        self.store.get_range(&object, 0, &mut header)?;
        let header = Header::parse(&header, pack).map_err(named)?;
        let key = self.key_of(header).map_err(named)?;
        let mut footer = [0; FOOTER_BYTES];
        let footer_offset = size_bytes.saturating_sub(FOOTER_BYTES as u64);
        self.store.get_range(&object, footer_offset, &mut footer)?;
        let footer = Footer::parse(&footer, size_bytes).map_err(named)?;
        let mut trailer = vec![0; footer.trailer_bytes];
        self.store
            .get_range(&object, footer.trailer_offset, &mut trailer)?;
        let entries = footer.open_trailer(&key, &mut trailer).map_err(named)?;
        Ok((header.kind, entries))
    }
}
