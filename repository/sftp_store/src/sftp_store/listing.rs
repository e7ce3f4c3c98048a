//! What is there.

use std::time::{Duration, UNIX_EPOCH};

use futures_util::{StreamExt as _, stream};
use russh_sftp::protocol::File;

use super::*;

/// Folders that are read at once.
const FOLDERS: usize = 8;
/// Objects of one listing, at most: a server that tells of more does not tell the truth.
const MOST_OBJECTS: usize = 1 << 26;

/// Returns when a file was written, where the server tells. Whole seconds.
pub(super) fn modified(attributes: &FileAttributes) -> Option<SystemTime> {
    let seconds = attributes.mtime?;
    UNIX_EPOCH.checked_add(Duration::from_secs(u64::from(seconds)))
}

impl SftpStore {
    pub(super) async fn list_below(
        &self,
        session: &Session,
        prefix: &str,
        visit: &mut dyn FnMut(ObjectInfo),
    ) -> Result<(), StoreError> {
        let mut level = vec![prefix.to_owned()];
        let mut seen: usize = 0;
        // Names have a bounded length, so there are few levels.
        while !level.is_empty() {
            let mut below = Vec::new();
            let mut folders = stream::iter(level)
                .map(|prefix| async move {
                    let files = self.read_folder(session, &prefix).await;
                    files.map(|files| (prefix, files))
                })
                .buffer_unordered(FOLDERS);
            while let Some(folder) = folders.next().await {
                let (prefix, files) = folder?;
                seen = seen.saturating_add(files.len());
                if seen > MOST_OBJECTS {
                    return Err(too_many(&prefix));
                }
                for file in files {
                    let name = format!("{prefix}{}", file.filename);
                    if file.attrs.is_dir() {
                        below.push(format!("{name}/"));
                    } else if let Some(object) = object(name, &file)? {
                        visit(object);
                    }
                }
            }
            drop(folders);
            level = below;
        }
        Ok(())
    }

    /// Returns what has a name that an object or its folder may have. A folder that is not there
    /// is empty, unless nothing of the store is there.
    async fn read_folder(&self, session: &Session, prefix: &str) -> Result<Vec<File>, StoreError> {
        let path = match prefix.strip_suffix('/') {
            Some(folder) => self.below_root(folder),
            None => self.address.path.clone(),
        };
        let handle = match session.raw.opendir(&path).await {
            Ok(handle) => handle.handle,
            Err(error) if kind_of(&error) == StoreErrorKind::NotFound => {
                self.check_root(session).await?;
                return Ok(Vec::new());
            }
            Err(error) => return Err(failed(prefix, "cannot list this folder", &error)),
        };
        let mut files = Vec::new();
        let mut told: usize = 0;
        let result = loop {
            match session.raw.readdir(&handle).await {
                Ok(answer) => {
                    told = told.saturating_add(answer.files.len());
                    if told > MOST_OBJECTS || answer.files.is_empty() {
                        break Err(too_many(prefix));
                    }
                    files.extend(answer.files.into_iter().filter(|file| {
                        let at_top = prefix.is_empty() && file.filename == TEMPORARY_FOLDER;
                        !at_top
                            && !file.filename.contains('/')
                            && check_object_name(&format!("{prefix}{}", file.filename)).is_ok()
                    }));
                }
                Err(error) if kind_of(&error) == StoreErrorKind::WrongSize => break Ok(files),
                Err(error) => break Err(failed(prefix, "cannot list this folder", &error)),
            }
        };
        close_later(session, handle);
        result
    }

    /// Removes what died runs left in `tmp/` more than a day ago. Failing to is no failure.
    pub fn sweep_temporary(&self) {
        let Ok(now) = self.now() else { return };
        let swept = self.call(async |session| {
            let folder = self.below_root(TEMPORARY_FOLDER);
            let Ok(handle) = session.raw.opendir(&folder).await else {
                return Ok(());
            };
            while let Ok(answer) = session.raw.readdir(&handle.handle).await {
                if answer.files.is_empty() {
                    break;
                }
                for file in answer.files {
                    let age = modified(&file.attrs).and_then(|then| now.duration_since(then).ok());
                    let is_ours = check_object_name(&file.filename).is_ok()
                        && !file.filename.contains('/')
                        && file.attrs.is_regular();
                    if is_ours && age.is_some_and(|age| age > TEMPORARY_LIFE) {
                        let path = format!("{folder}/{}", file.filename);
                        // What cannot be removed now is tried again by the next run.
                        drop(session.raw.remove(path).await);
                    }
                }
            }
            close_later(session, handle.handle);
            Ok(())
        });
        drop(swept);
    }
}

fn object(name: String, file: &File) -> Result<Option<ObjectInfo>, StoreError> {
    if !file.attrs.is_regular() {
        return Ok(None);
    }
    match (file.attrs.size, modified(&file.attrs)) {
        (Some(size_bytes), Some(modified)) => Ok(Some(ObjectInfo {
            name,
            size_bytes,
            modified,
        })),
        _ => {
            let text = "the server's listing has no sizes or times";
            Err(StoreError::new(StoreErrorKind::Unsupported, &name, text))
        }
    }
}

fn too_many(prefix: &str) -> StoreError {
    let text = "the server's listing does not end";
    StoreError::new(StoreErrorKind::Io, prefix, text)
}
