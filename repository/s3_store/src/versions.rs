//! Which version of a name is the object: the oldest.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use object_store::{StoreError, StoreErrorKind};

use crate::http_client::HttpClient;
use crate::listing::{Entry, EntryKind, Listing, each_entry};

/// Names whose versions are remembered: some 40 MiB, and the packs of 8 TiB.
const REMEMBERED_MAX: usize = 262_144;
/// Most versions of one name that are looked through to remove it.
const VERSIONS_MAX: usize = 1_000_000;

/// The version that is the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OldestVersion {
    pub(crate) id: String,
    pub(crate) size_bytes: u64,
    pub(crate) modified: SystemTime,
}

/// Remembers the oldest versions of names.
#[derive(Debug, Default)]
pub(crate) struct VersionCache(Mutex<HashMap<String, OldestVersion>>);

impl VersionCache {
    pub(crate) fn get(&self, key: &str) -> Option<OldestVersion> {
        self.lock().get(key).cloned()
    }

    pub(crate) fn forget(&self, key: &str) {
        self.lock().remove(key);
    }

    pub(crate) fn remember(&self, key: &str, version: &OldestVersion) {
        let mut map = self.lock();
        if map.len() >= REMEMBERED_MAX && !map.contains_key(key) {
            // Rare enough that nothing finer is worth its memory.
            map.clear();
        }
        map.insert(key.to_owned(), version.clone());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, OldestVersion>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finds the oldest version of each name in a listing, whose entries stand together by name.
#[derive(Debug, Default)]
pub(crate) struct OldestFinder {
    last: Option<(String, OldestVersion)>,
}

impl OldestFinder {
    /// Takes in an entry; returns the object before it, where that is done.
    pub(crate) fn next(&mut self, entry: Entry) -> Option<(String, OldestVersion)> {
        let EntryKind::Version { id, size_bytes } = entry.kind else {
            return None;
        };
        let version = OldestVersion {
            id,
            size_bytes,
            modified: entry.modified,
        };
        match &mut self.last {
            Some((key, oldest)) if *key == entry.key => {
                // Newer ones stand first; times are in whole seconds.
                if version.modified <= oldest.modified {
                    *oldest = version;
                }
                None
            }
            last => last.replace((entry.key, version)),
        }
    }

    /// Returns the last object.
    pub(crate) fn end(self) -> Option<(String, OldestVersion)> {
        self.last
    }
}

/// Asks for the oldest version of a name.
pub(crate) fn look_up(
    client: &HttpClient,
    object: &str,
    key: &str,
) -> Result<Option<OldestVersion>, StoreError> {
    let mut finder = OldestFinder::default();
    each_entry(client, object, Listing::Versions, key, &mut |entry| {
        if entry.key != key {
            return ControlFlow::Break(());
        }
        finder.next(entry);
        ControlFlow::Continue(())
    })?;
    Ok(finder.end().map(|(_, oldest)| oldest))
}

/// Returns the ids of all versions and delete markers of a name, the object's own last: until that
/// is gone the object is as it was.
pub(crate) fn ids_to_remove(
    client: &HttpClient,
    object: &str,
    key: &str,
) -> Result<Vec<String>, StoreError> {
    let mut ids = Vec::new();
    let mut finder = OldestFinder::default();
    let mut too_many = false;
    each_entry(client, object, Listing::Versions, key, &mut |entry| {
        if entry.key != key {
            return ControlFlow::Break(());
        }
        if let EntryKind::Version { id, .. } | EntryKind::DeleteMarker { id } = &entry.kind {
            ids.push(id.clone());
        }
        finder.next(entry);
        too_many = ids.len() > VERSIONS_MAX;
        match too_many {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    if too_many {
        let message = format!("this object has more than {VERSIONS_MAX} versions");
        return Err(StoreError::new(StoreErrorKind::Io, object, message));
    }
    if let Some((_, oldest)) = finder.end() {
        ids.retain(|id| *id != oldest.id);
        ids.push(oldest.id);
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn entry(key: &str, id: &str, second: u64) -> Entry {
        Entry {
            key: key.to_owned(),
            modified: SystemTime::UNIX_EPOCH + Duration::from_secs(second),
            kind: match id.strip_prefix('x') {
                Some(id) => EntryKind::DeleteMarker { id: id.to_owned() },
                None => EntryKind::Version {
                    id: id.to_owned(),
                    size_bytes: 1,
                },
            },
        }
    }

    fn oldest(entries: &[(&str, &str, u64)]) -> Vec<(String, String)> {
        let mut finder = OldestFinder::default();
        let mut found = Vec::new();
        for (key, id, second) in entries {
            found.extend(finder.next(entry(key, id, *second)));
        }
        found.extend(finder.end());
        found.into_iter().map(|(key, one)| (key, one.id)).collect()
    }

    #[test]
    fn the_oldest_version_is_the_object() {
        let found = oldest(&[
            ("a", "x9", 90),
            ("a", "3", 80),
            ("a", "2", 10),
            // The same second: the later in the listing is the older.
            ("a", "1", 10),
            ("b", "x5", 50),
            ("c", "7", 70),
            ("c", "8", 71),
        ]);
        let expected = [("a", "1"), ("c", "7")].map(|(key, id)| (key.to_owned(), id.to_owned()));
        assert_eq!(found, expected);
        assert!(oldest(&[("a", "x1", 1)]).is_empty());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let cache = VersionCache::default();
        let version = OldestVersion {
            id: "1".to_owned(),
            size_bytes: 1,
            modified: SystemTime::UNIX_EPOCH,
        };
        for number in 0..=REMEMBERED_MAX {
            cache.remember(&number.to_string(), &version);
        }
        assert_eq!(cache.lock().len(), 1);
        cache.forget(&REMEMBERED_MAX.to_string());
        assert_eq!(cache.get("0"), None);
    }
}
