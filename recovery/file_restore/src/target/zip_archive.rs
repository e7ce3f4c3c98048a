//! Files taken out as a zip archive: what every desktop opens.

use std::cell::Cell;
use std::io::{self, Read as _, Write as _};
use std::rc::Rc;

use guest_files::{FileName, Link, Node, Owner, Time};
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::archive_file::{ArchiveOut, Gate};
use super::local_name::windows_name;
use super::tar_archive::Filled;
use super::{FileTarget, Kept, Lost, TargetError};
use crate::take_out::{About, Source};

/// Bytes that are compressed at once.
const BUFFER_BYTES: usize = 256 << 10;
/// Files from here on get sizes of eight bytes. Compressed, what does not compress is a little
/// longer than it was, and has to fit into four bytes as well.
const LARGE_BYTES: u64 = 0xF000_0000;

/// A zip archive that is written to a stream.
pub struct ZipTarget<W: ArchiveOut> {
    /// There until it is ended.
    archive: Option<ZipWriter<StreamWriter<Gate<W>>>>,
    is_shut: Rc<Cell<bool>>,
    buffer: Vec<u8>,
}

impl<W: ArchiveOut> ZipTarget<W> {
    /// Begins an archive.
    pub fn new(out: W) -> Self {
        let (gate, is_shut) = Gate::new(out);
        Self {
            archive: Some(ZipWriter::new_stream(gate)),
            is_shut,
            buffer: vec![0; BUFFER_BYTES],
        }
    }

    fn archive(&mut self) -> Result<&mut ZipWriter<StreamWriter<Gate<W>>>, TargetError> {
        let ended = || failed(io::Error::other("it was ended before"));
        self.archive.as_mut().ok_or_else(ended)
    }
}

impl<W: ArchiveOut> FileTarget for ZipTarget<W> {
    fn folder(
        &mut self,
        path: &[FileName],
        node: &Node,
        about: &About,
    ) -> Result<Kept, TargetError> {
        let mut kept = lost(about);
        let name = name(path, &mut kept);
        let made = self.archive()?.add_directory(name, options(node, 0o755));
        made.map_err(|error| failed(error.into()))?;
        Ok(kept)
    }

    fn file(
        &mut self,
        path: &[FileName],
        node: &Node,
        about: &About,
        content: &mut Source<'_>,
    ) -> Result<Kept, TargetError> {
        let mut kept = lost(about);
        let name = name(path, &mut kept);
        // Whether it is long has to be said before.
        let large = content.size_bytes() >= LARGE_BYTES;
        let options = options(node, 0o644).large_file(large);
        let begun = self.archive()?.start_file(name, options);
        begun.map_err(|error| failed(error.into()))?;
        // A member that ends early would have a checksum that says it is whole.
        let mut filled = Filled::new(content);
        let mut buffer = std::mem::take(&mut self.buffer);
        let written = loop {
            let part = match filled.read(&mut buffer) {
                Ok(read) => buffer.get(..read).unwrap_or(&[]),
                // It was stopped, as `filled` says.
                Err(_) => break Ok(()),
            };
            if part.is_empty() {
                break Ok(());
            }
            if let Err(error) = self.archive()?.write_all(part) {
                break Err(failed(error));
            }
        };
        self.buffer = buffer;
        written?;
        filled.failed.map_or(Ok(kept), Err)
    }

    fn link(
        &mut self,
        path: &[FileName],
        node: &Node,
        link: &Link,
        about: &About,
    ) -> Result<Kept, TargetError> {
        let mut kept = lost(about);
        let name = name(path, &mut kept);
        let target = String::from_utf8_lossy(&link.target);
        let made = self
            .archive()?
            .add_symlink(name, target, options(node, 0o777));
        made.map_err(|error| failed(error.into()))?;
        Ok(kept)
    }

    fn same_file(&mut self, _path: &[FileName], _first: &[FileName]) -> Result<bool, TargetError> {
        Ok(false)
    }

    fn place_key(&self, path: &[FileName]) -> Vec<u8> {
        name(path, &mut Kept::all()).into_bytes()
    }

    fn finish(&mut self) -> Result<Lost, TargetError> {
        if let Some(archive) = self.archive.take() {
            let ended = archive.finish().map_err(|error| failed(error.into()))?;
            ended.into_inner().out.end()?;
        }
        Ok(Lost::default())
    }

    fn abandon(&mut self) -> Lost {
        self.is_shut.set(true);
        self.archive = None;
        Lost::default()
    }
}

impl<W: ArchiveOut> Drop for ZipTarget<W> {
    fn drop(&mut self) {
        self.abandon();
    }
}

fn failed(error: io::Error) -> TargetError {
    TargetError::io("the archive cannot be written", error)
}

/// Names in a zip are text, divided by slashes; many programs take a backslash for one too, and
/// unpack on Windows.
fn name(path: &[FileName], kept: &mut Kept) -> String {
    let mut is_other = false;
    let names: Vec<_> = path
        .iter()
        .map(|name| {
            let text = windows_name(&String::from_utf8_lossy(name.as_bytes()));
            is_other |= text.as_bytes() != name.as_bytes();
            text
        })
        .collect();
    if is_other {
        kept.lose("names that Windows does not allow (they are written with %)");
    }
    names.join("/")
}

fn options(node: &Node, otherwise: u32) -> SimpleFileOptions {
    let mode = match node.owner {
        Owner::Unix { mode, .. } => u32::from(mode),
        Owner::Windows { .. } => otherwise,
    };
    let modified = node.times.modified.and_then(date_time);
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .unix_permissions(mode)
        .last_modified_time(modified.unwrap_or_default())
}

/// A zip has two-second times from 1980 to 2107.
fn date_time(time: Time) -> Option<DateTime> {
    let (year, month, day) = date(time.seconds.div_euclid(86_400))?;
    let second = u32::try_from(time.seconds.rem_euclid(86_400)).ok()?;
    let part = |value: u32| u8::try_from(value).ok();
    DateTime::from_date_and_time(
        year,
        month,
        day,
        part(second / 3600)?,
        part(second / 60 % 60)?,
        part(second % 60)?,
    )
    .ok()
}

/// Returns the date of a day since 1970-01-01.
fn date(days: i64) -> Option<(u16, u8, u8)> {
    let date = jiff::civil::date(1970, 1, 1)
        .checked_add(jiff::Span::new().try_days(days).ok()?)
        .ok()?;
    let part = |value: i8| u8::try_from(value).ok();
    Some((
        u16::try_from(date.year()).ok()?,
        part(date.month())?,
        part(date.day())?,
    ))
}

fn lost(about: &About) -> Kept {
    let mut kept = Kept::all();
    if !about.attributes.is_empty() {
        kept.lose("extended attributes and named streams (a tar archive keeps them)");
    }
    if about.security_descriptor.is_some() {
        kept.lose("access control lists of Windows (a tar archive keeps them)");
    }
    kept
}
