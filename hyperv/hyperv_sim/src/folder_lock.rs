//! The lock of a folder, and the line in it: who may change the folder, and what changes most often.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::{SimError, SimErrorKind};

/// The line is padded to this length, so that an older one leaves nothing behind it.
const RECORD_LEN: usize = 80;

/// The file `lock` of a folder.
pub(crate) struct FolderLock {
    path: PathBuf,
    file: File,
}

/// The lock, held against everybody else until this is dropped.
pub(crate) struct HeldLock<'a> {
    lock: &'a FolderLock,
}

/// What the line in `lock` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) generation: u64,
    pub(crate) now: Timestamp,
    pub(crate) drawn: u64,
}

impl FolderLock {
    /// Opens the lock of a folder; fails with `what` the folder does not hold where there is none.
    pub(crate) fn open(dir: &Path, what: &str) -> Result<Self, SimError> {
        let path = dir.join("lock");
        let file = OpenOptions::new().read(true).write(true).open(&path);
        let file = file.map_err(|error| {
            SimError::io(format_args!("{} holds no {what}", dir.display()), error)
        })?;
        Ok(Self { path, file })
    }

    /// Waits for the lock.
    pub(crate) fn hold(&self) -> Result<HeldLock<'_>, SimError> {
        self.file.lock().map_err(|error| self.failed(error))?;
        Ok(HeldLock { lock: self })
    }

    fn failed(&self, error: std::io::Error) -> SimError {
        SimError::io(self.path.display(), error)
    }
}

impl Drop for HeldLock<'_> {
    fn drop(&mut self) {
        let _ = self.lock.file.unlock();
    }
}

impl HeldLock<'_> {
    /// Reads the line.
    pub(crate) fn record(&self) -> Result<Record, SimError> {
        let failed = |error| self.lock.failed(error);
        let mut text = String::new();
        let mut file = &self.lock.file;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let line = file.take(RECORD_LEN as u64);
        { line }.read_to_string(&mut text).map_err(failed)?;
        Record::parse(&text).ok_or_else(|| {
            let what = format!(
                "{} cannot be understood: no record",
                self.lock.path.display()
            );
            SimError::new(SimErrorKind::Storage, what)
        })
    }

    /// Writes the line.
    pub(crate) fn write(&self, record: Record) -> Result<(), SimError> {
        let failed = |error| self.lock.failed(error);
        let mut file = &self.lock.file;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        file.write_all(record.to_text().as_bytes()).map_err(failed)
    }
}

impl Record {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let mut number = || words.next()?.parse().ok();
        let generation = number()?;
        let now = i64::try_from(number()?).ok()?;
        Some(Self {
            generation,
            now: Timestamp::from_millisecond(now).ok()?,
            drawn: number()?,
        })
    }

    fn to_text(self) -> String {
        let now = self.now.as_millisecond();
        let line = format!("{} {now} {}", self.generation, self.drawn);
        format!("{line:<width$}\n", width = RECORD_LEN - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_comes_back() {
        let record = Record {
            generation: u64::MAX,
            now: Timestamp::from_millisecond(1_767_600_000_123).unwrap(),
            drawn: 7,
        };
        let text = record.to_text();
        assert_eq!(text.len(), RECORD_LEN);
        assert_eq!(Record::parse(&text), Some(record));
        assert_eq!(Record::parse(""), None);
    }
}
