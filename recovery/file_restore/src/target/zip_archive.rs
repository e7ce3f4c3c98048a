//! Files taken out as a zip archive: what every desktop opens.

use std::cell::Cell;
use std::io::{self, Read as _, Write as _};
use std::rc::Rc;

use guest_files::{FileName, Link, Node, Owner, Time};
use zip::write::{FullFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::archive_file::{ArchiveOut, Gate};
use super::local_name::windows_name;
use super::lost::lose_attributes;
use super::tar_archive::Filled;
use super::{FileTarget, Kept, Lost, TargetError, joined};
use crate::take_out::{About, Source};

/// Bytes that are compressed at once.
const BUFFER_BYTES: usize = 256 << 10;
/// Files from here on get sizes of eight bytes. Compressed, what does not compress is a little
/// longer than it was, and has to fit into four bytes as well.
const LARGE_BYTES: u64 = 0xF000_0000;

/// Longest path in bytes. A zip counts them in two bytes, a slash and what programs add included.
const PATH_MAX_BYTES: usize = 60_000;
/// The extra field with times in UTC ("extended timestamp" of Info-ZIP).
const EXTENDED_TIMESTAMP: u16 = 0x5455;
/// It has the time of the last change alone.
const HAS_MODIFIED: u8 = 1;

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
        let name = name(path, &mut kept)?;
        let options = options(node, 0o755, &mut kept)?;
        let made = self.archive()?.add_directory(name, options);
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
        let name = name(path, &mut kept)?;
        // Whether it is long has to be said before.
        let large = content.size_bytes() >= LARGE_BYTES;
        let options = options(node, 0o644, &mut kept)?.large_file(large);
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

    fn fills_up(&self) -> bool {
        true
    }

    fn link(
        &mut self,
        path: &[FileName],
        node: &Node,
        link: &Link,
        about: &About,
    ) -> Result<Kept, TargetError> {
        let mut kept = lost(about);
        let name = name(path, &mut kept)?;
        let target = String::from_utf8_lossy(&link.target);
        let options = options(node, 0o777, &mut kept)?;
        let made = self.archive()?.add_symlink(name, target, options);
        made.map_err(|error| failed(error.into()))?;
        Ok(kept)
    }

    fn same_file(&mut self, _path: &[FileName], _first: &[FileName]) -> Result<bool, TargetError> {
        Ok(false)
    }

    fn place_key(&self, path: &[FileName]) -> Vec<u8> {
        safe_path(path).into_bytes()
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

/// Returns what a path is called in a zip.
fn name(path: &[FileName], kept: &mut Kept) -> Result<String, TargetError> {
    let name = safe_path(path);
    if name.len() > PATH_MAX_BYTES {
        return Err(TargetError::of_file("the path is too long for a zip"));
    }
    if name.as_bytes() != joined(path) {
        kept.lose("names that Windows does not allow (they are written with %)");
    }
    Ok(name)
}

/// Names in a zip are text, divided by slashes; many programs take a backslash for one too, and
/// unpack on Windows.
fn safe_path(path: &[FileName]) -> String {
    let names = path.iter();
    let names = names.map(|name| windows_name(&String::from_utf8_lossy(name.as_bytes())));
    names.collect::<Vec<_>>().join("/")
}

fn options(
    node: &Node,
    otherwise: u32,
    kept: &mut Kept,
) -> Result<FullFileOptions<'static, 'static>, TargetError> {
    let mode = match node.owner {
        Owner::Unix { mode, .. } => u32::from(mode),
        Owner::Windows { .. } => otherwise,
    };
    let modified = node.times.modified;
    let mut options = FullFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .unix_permissions(mode)
        .last_modified_time(modified.and_then(date_time).unwrap_or_default());
    // The other time is local by convention, of a zone that nobody knows.
    match modified.map(|time| i32::try_from(time.seconds)) {
        Some(Ok(seconds)) => {
            let [a, b, c, d] = seconds.to_le_bytes();
            options
                .add_extra_field(EXTENDED_TIMESTAMP, [HAS_MODIFIED, a, b, c, d], false)
                .map_err(|error| failed(error.into()))?;
        }
        Some(Err(_)) => kept.lose("times before 1901 or after 2038"),
        None => {}
    }
    lose_attributes(node, kept);
    Ok(options)
}

/// The older of a zip's times is of two seconds, from 1980 to 2107.
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

#[cfg(test)]
mod tests {
    use guest_files::{NodeId, NodeKind, Times};

    use super::*;
    use crate::ToStream;

    fn node(seconds: i64) -> Node {
        let modified = Some(Time {
            seconds,
            nanoseconds: 0,
        });
        Node {
            id: NodeId { tree: 0, number: 1 },
            kind: NodeKind::Folder,
            size_bytes: 0,
            links: 1,
            times: Times {
                modified,
                ..Times::default()
            },
            owner: Owner::Windows { attributes: 0 },
        }
    }

    #[test]
    fn a_path_that_is_too_long_is_one_file_that_fails() {
        let mut target = ZipTarget::new(ToStream::new(Vec::new()));
        let deep = vec![FileName::new(&[b'n'; 200]).unwrap(); 320];
        let made = target.folder(&deep, &node(0), &About::default());
        assert!(made.is_err_and(|error| error.is_of_one_file()));
        let made = target.folder(&deep[..200], &node(0), &About::default());
        assert_eq!(made.unwrap(), Kept::all());
    }

    #[test]
    fn times_are_in_utc_or_told_to_be_lost() {
        let mut bytes = Vec::new();
        let mut target = ZipTarget::new(ToStream::new(&mut bytes));
        let [soon, late] = ["soon", "late"].map(|name| FileName::new(name.as_bytes()).unwrap());
        let about = About::default();
        let kept = target.folder(&[soon], &node(1_700_000_001), &about);
        assert_eq!(kept.unwrap(), Kept::all());
        let kept = target.folder(&[late], &node(1 << 32), &about);
        assert_eq!(kept.unwrap().lost.len(), 1);
        target.finish().unwrap();
        drop(target);
        let field = [
            &[0x55, 0x54, 5, 0, HAS_MODIFIED][..],
            &1_700_000_001_i32.to_le_bytes(),
        ];
        let field = field.concat();
        let places = bytes.windows(field.len()).filter(|place| *place == field);
        assert_eq!(places.count(), 2, "it is before the member and in the list");
    }
}
