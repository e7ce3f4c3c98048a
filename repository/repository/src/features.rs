//! Features: objects that stop programs which do not know them (section 2).

use object_store::{ObjectStore, StoreErrorKind};

use crate::domain_view::Shared;
use crate::{RepositoryError, RepositoryErrorKind};

/// Packs are collected: writers look at what is condemned.
pub(crate) const COLLECT: &str = "features/collect";
/// Frames were moved: readers follow forwarding objects.
pub(crate) const READ_FORWARD: &str = "features/read-forward";

/// There are several domains: a reader that knows one alone would call the others' points damaged.
pub(crate) const READ_DOMAINS: &str = "features/read-domains";
/// There are packs of key scheme 2.
pub(crate) const READ_SEALED_PACKS: &str = "features/read-sealed-packs";

const KNOWN: [&str; 4] = [COLLECT, READ_FORWARD, READ_DOMAINS, READ_SEALED_PACKS];

/// Fails if there is a feature whose name begins with `prefix` and that this version does not know.
///
/// Those that begin with `features/read-` stop readers, all of them stop writers.
pub(crate) fn refuse_unknown_features(
    store: &dyn ObjectStore,
    prefix: &str,
) -> Result<(), RepositoryError> {
    let mut feature = None;
    store.list("features/", &mut |object| {
        if object.name.starts_with(prefix) && !KNOWN.contains(&object.name.as_str()) {
            feature.get_or_insert(object.name);
        }
    })?;
    match feature {
        None => Ok(()),
        Some(feature) => {
            let what = "the repository uses a feature that this version does not know";
            Err(RepositoryError::new(RepositoryErrorKind::Unsupported, what)
                .in_object(&feature)
                .hint("use a newer version of lifeboat"))
        }
    }
}

impl Shared {
    /// Says in the repository that a feature is used, before it is.
    pub(crate) fn announce_feature(&self, feature: &str) -> Result<(), RepositoryError> {
        match self.store.size_bytes(feature) {
            Err(error) if error.kind() == StoreErrorKind::NotFound => {}
            result => return Ok(result.map(drop)?),
        }
        match self.store.put_new(feature, b"") {
            Err(error) if error.kind() != StoreErrorKind::Exists => Err(error.into()),
            _ => Ok(()),
        }
    }
}
