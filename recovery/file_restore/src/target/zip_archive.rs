//! Files taken out as a zip archive: what every desktop opens.

use std::io::{self, Write};

use guest_files::{FileName, Link, Node, Owner, Time};
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::{FileTarget, Kept, TargetError};
use crate::take_out::{About, Source};

/// Bytes that are compressed at once.
const BUFFER_BYTES: usize = 256 << 10;

/// A zip archive that is written to a stream.
pub struct ZipTarget<W: Write> {
    archive: ZipWriter<StreamWriter<W>>,
    buffer: Vec<u8>,
}

impl<W: Write> ZipTarget<W> {
    /// Begins an archive.
    pub fn new(out: W) -> Self {
        Self {
            archive: ZipWriter::new_stream(out),
            buffer: vec![0; BUFFER_BYTES],
        }
    }
}

impl<W: Write> FileTarget for ZipTarget<W> {
    fn folder(
        &mut self,
        path: &[FileName],
        node: &Node,
        about: &About,
    ) -> Result<Kept, TargetError> {
        let mut kept = lost(about);
        let name = name(path, &mut kept);
        let made = self.archive.add_directory(name, options(node, 0o755));
        made.map_err(|error| failed(&error.into()))?;
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
        // Whether it is longer than 4 GiB has to be said before.
        let large = content.size_bytes() >= u64::from(u32::MAX);
        let options = options(node, 0o644).large_file(large);
        let begun = self.archive.start_file(name, options);
        begun.map_err(|error| failed(&error.into()))?;
        loop {
            let read = content.read(&mut self.buffer)?;
            let part = self.buffer.get(..read).unwrap_or(&[]);
            if part.is_empty() {
                return Ok(kept);
            }
            self.archive
                .write_all(part)
                .map_err(|error| failed(&error))?;
        }
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
        let made = self.archive.add_symlink(name, target, options(node, 0o777));
        made.map_err(|error| failed(&error.into()))?;
        Ok(kept)
    }

    fn same_file(&mut self, _path: &[FileName], _first: &[FileName]) -> Result<bool, TargetError> {
        Ok(false)
    }

    fn finish(self: Box<Self>) -> Result<(), TargetError> {
        let ended = self.archive.finish().map_err(io::Error::from);
        let mut out = ended.map_err(|error| failed(&error))?.into_inner();
        out.flush().map_err(|error| failed(&error))
    }
}

fn failed(error: &io::Error) -> TargetError {
    TargetError::io("the archive cannot be written", error)
}

/// Names in a zip are text.
fn name(path: &[FileName], kept: &mut Kept) -> String {
    let names: Vec<_> = path
        .iter()
        .map(|name| String::from_utf8_lossy(name.as_bytes()))
        .collect();
    if path
        .iter()
        .zip(&names)
        .any(|(name, text)| name.as_bytes() != text.as_bytes())
    {
        kept.lose("names that are no text");
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
