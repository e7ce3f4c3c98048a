//! What is there.

use std::io::{BufRead as _, BufReader, Read as _};

use object_store::TEMPORARY_LIFE;
use suppaftp::Status;

use super::*;
use crate::facts::{Facts, Sort, read_facts};

/// Bytes of one folder's listing, at most: a million names.
const LISTING_BYTES: u64 = 256 << 20;
/// Bytes of one line: facts, and a name of 200 bytes at most that is ours.
const LINE_BYTES: u64 = 4096;
/// Objects of one listing, at most: a server that tells of more does not tell the truth.
const MOST_OBJECTS: usize = 1 << 26;

impl FtpStore {
    pub(super) fn list_below(
        &self,
        connection: &mut Connection,
        prefix: &str,
        visit: &mut dyn FnMut(ObjectInfo),
    ) -> Result<(), StoreError> {
        let mut folders = vec![prefix.to_owned()];
        let mut seen: usize = 0;
        // Names have a bounded length, so folders have a bounded depth.
        while let Some(prefix) = folders.pop() {
            let entries = self.read_folder(connection, &prefix)?;
            seen = seen.saturating_add(entries.len());
            if seen > MOST_OBJECTS {
                return Err(unending(&prefix));
            }
            for entry in entries {
                let name = format!("{prefix}{}", entry.name);
                match entry.sort {
                    Sort::Folder => folders.push(format!("{name}/")),
                    Sort::File => visit(object(name, &entry)?),
                    Sort::Other => {}
                }
            }
        }
        Ok(())
    }

    /// Returns what has a name that an object or its folder may have. A folder that is not there
    /// is empty, unless nothing of the store is there.
    fn read_folder(
        &self,
        connection: &mut Connection,
        prefix: &str,
    ) -> Result<Vec<Facts>, StoreError> {
        let folder = match prefix.strip_suffix('/') {
            Some(folder) => format!("{}/{folder}", connection.root),
            None => connection.root.clone(),
        };
        let mut entries = match self.read_listing(connection, &folder, prefix) {
            Err(error) if error.kind() == StoreErrorKind::NotFound => {
                self.check_root(connection)?;
                return Ok(Vec::new());
            }
            result => result?,
        };
        entries.retain(|entry| {
            let at_top = prefix.is_empty() && entry.name == TEMPORARY_FOLDER;
            !at_top
                && !entry.name.contains('/')
                && check_object_name(&format!("{prefix}{}", entry.name)).is_ok()
        });
        Ok(entries)
    }

    fn read_listing(
        &self,
        connection: &mut Connection,
        folder: &str,
        prefix: &str,
    ) -> Result<Vec<Facts>, StoreError> {
        const WHAT: &str = "cannot list this folder";
        let command = format!("MLSD {folder}");
        let expected = [Status::AboutToSend, Status::AlreadyOpen];
        let (_, stream) = connection
            .ftp
            .custom_data_command(command, &expected)
            .map_err(|error| match kind_of(&error) {
                StoreErrorKind::Unsupported => StoreError::new(
                    StoreErrorKind::Unsupported,
                    &self.location(),
                    "the server has no MLSD (RFC 3659): what LIST says is made for people and \
                     cannot be relied on",
                ),
                _ => failed(prefix, WHAT, &error),
            })?;
        let mut lines = BufReader::new(stream);
        let (mut entries, mut told) = (Vec::new(), 0);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = (&mut lines)
                .take(LINE_BYTES)
                .read_until(b'\n', &mut line)
                .map_err(|error| broke_off(prefix, WHAT, &error))?;
            told += read as u64;
            if told > LISTING_BYTES || (read as u64 == LINE_BYTES && !line.ends_with(b"\n")) {
                return Err(unending(prefix));
            }
            if read == 0 {
                break;
            }
            let text = String::from_utf8_lossy(&line);
            entries.extend(read_facts(text.trim_end_matches(['\r', '\n'])));
        }
        // A listing that was cut off looks like a whole one but for this answer.
        let finished = lines.into_inner().finish();
        finished.map_err(|error| failed(prefix, WHAT, &error))?;
        Ok(entries)
    }

    /// Removes what died runs left in `tmp/` more than a day ago. Failing to is no failure.
    pub fn sweep_temporary(&self) {
        let Ok(now) = self.now() else { return };
        let swept = self.call(|connection| {
            let folder = format!("{}/{TEMPORARY_FOLDER}", connection.root);
            let entries = self.read_listing(connection, &folder, TEMPORARY_FOLDER)?;
            for entry in entries {
                let age = entry
                    .modified
                    .and_then(|then| now.duration_since(then).ok());
                let is_old = age.is_some_and(|age| age > TEMPORARY_LIFE);
                if !is_old || entry.name.contains('/') {
                    continue;
                }
                let path = format!("{folder}/{}", entry.name);
                // What cannot be removed now is tried again by the next run.
                match entry.sort {
                    Sort::File if check_object_name(&entry.name).is_ok() => {
                        drop(connection.ftp.rm(path));
                    }
                    Sort::Folder if entry.name.starts_with(publishing::CLAIM) => {
                        drop(connection.ftp.rmdir(path));
                    }
                    _ => {}
                }
            }
            Ok(())
        });
        drop(swept);
    }
}

fn object(name: String, facts: &Facts) -> Result<ObjectInfo, StoreError> {
    match (facts.size_bytes, facts.modified) {
        (Some(size_bytes), Some(modified)) => Ok(ObjectInfo {
            name,
            size_bytes,
            modified,
        }),
        _ => {
            let text = "the server's listing has no sizes or times";
            Err(StoreError::new(StoreErrorKind::Unsupported, &name, text))
        }
    }
}

fn unending(prefix: &str) -> StoreError {
    // The rest of it is still to come on this connection, which is not used again.
    let text = "the server's listing does not end";
    StoreError::new(StoreErrorKind::Unavailable, prefix, text)
}
