//! Files taken out as a tar archive with pax headers (POSIX.1-2001): what `tar` on any system reads.
//!
//! Names and times are in the pax headers as they are; extended attributes are `SCHILY.xattr.…`, as
//! GNU tar, bsdtar and star have them: POSIX ACLs among them, streams of NTFS as `user.…`, security
//! descriptors as `system.ntfs_acl`, the names that NTFS has on Linux.

use std::io::{self, Read, Write};

use guest_files::{FileName, Link, Node, Owner, Time};
use tar::{Builder, EntryType, Header};

use super::{FileTarget, Kept, TargetError};
use crate::take_out::{About, Source};

/// A tar archive that is written to a stream.
pub struct TarTarget<W: Write> {
    archive: Builder<W>,
}

type Records = Vec<(String, Vec<u8>)>;

impl<W: Write> TarTarget<W> {
    /// Begins an archive.
    pub fn new(out: W) -> Self {
        Self {
            archive: Builder::new(out),
        }
    }

    fn append(
        &mut self,
        path: &[FileName],
        node: &Node,
        kind: EntryType,
        mut records: Records,
        content: &mut dyn Read,
        size_bytes: u64,
    ) -> Result<(), TargetError> {
        let mut name = joined(path);
        if kind == EntryType::Directory {
            name.push(b'/');
        }
        let mut header = header(node, kind, size_bytes);
        put_name(&mut header, &name);
        header.set_cksum();
        records.insert(0, ("path".to_owned(), name));
        if size_bytes >= SIZE_MAX_USTAR {
            records.push(("size".to_owned(), size_bytes.to_string().into_bytes()));
        }
        let pairs = records
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_slice()));
        let written = self.archive.append_pax_extensions(pairs);
        let written = written.and_then(|()| self.archive.append(&header, content));
        written.map_err(|error| TargetError::io("the archive cannot be written", &error))
    }
}

/// Sizes from here on do not fit into the header's eleven octal digits.
const SIZE_MAX_USTAR: u64 = 1 << 33;

impl<W: Write> FileTarget for TarTarget<W> {
    fn folder(
        &mut self,
        path: &[FileName],
        node: &Node,
        about: &About,
    ) -> Result<Kept, TargetError> {
        let records = records(node, about);
        self.append(
            path,
            node,
            EntryType::Directory,
            records,
            &mut io::empty(),
            0,
        )?;
        Ok(Kept::all())
    }

    fn file(
        &mut self,
        path: &[FileName],
        node: &Node,
        about: &About,
        content: &mut Source<'_>,
    ) -> Result<Kept, TargetError> {
        let records = records(node, about);
        let size_bytes = content.size_bytes();
        let mut filled = Filled::new(content, size_bytes);
        self.append(
            path,
            node,
            EntryType::Regular,
            records,
            &mut filled,
            size_bytes,
        )?;
        filled.failed.map_or(Ok(Kept::all()), Err)
    }

    fn link(
        &mut self,
        path: &[FileName],
        node: &Node,
        link: &Link,
        about: &About,
    ) -> Result<Kept, TargetError> {
        let mut records = records(node, about);
        records.push(("linkpath".to_owned(), link.target.clone()));
        self.append(path, node, EntryType::Symlink, records, &mut io::empty(), 0)?;
        Ok(Kept::all())
    }

    fn same_file(&mut self, path: &[FileName], first: &[FileName]) -> Result<bool, TargetError> {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Link);
        header.set_size(0);
        header.set_mode(0o644);
        let name = joined(path);
        put_name(&mut header, &name);
        header.set_cksum();
        let target = joined(first);
        let records = [("path", name.as_slice()), ("linkpath", target.as_slice())];
        let written = self.archive.append_pax_extensions(records);
        written
            .and_then(|()| self.archive.append(&header, io::empty()))
            .map_err(|error| TargetError::io("the archive cannot be written", &error))?;
        Ok(true)
    }

    fn finish(self: Box<Self>) -> Result<(), TargetError> {
        let ended = self.archive.into_inner().and_then(|mut out| out.flush());
        ended.map_err(|error| TargetError::io("the archive cannot be ended", &error))
    }
}

fn joined(path: &[FileName]) -> Vec<u8> {
    let names: Vec<&[u8]> = path.iter().map(FileName::as_bytes).collect();
    names.join(&b'/')
}

/// Puts into the header what fits of the name: who reads pax headers has it whole.
fn put_name(header: &mut Header, name: &[u8]) {
    let field = &mut header.as_old_mut().name;
    for (place, byte) in field.iter_mut().take(99).zip(name) {
        *place = if byte.is_ascii_graphic() || *byte == b'/' {
            *byte
        } else {
            b'_'
        };
    }
}

fn header(node: &Node, kind: EntryType, size_bytes: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_size(size_bytes.min(SIZE_MAX_USTAR - 1));
    let seconds = node.times.modified.map_or(0, |time| time.seconds);
    header.set_mtime(u64::try_from(seconds).unwrap_or(0).min(SIZE_MAX_USTAR - 1));
    let (user, group, mode) = match node.owner {
        Owner::Unix { user, group, mode } => (user, group, u32::from(mode)),
        Owner::Windows { .. } if kind == EntryType::Directory => (0, 0, 0o755),
        Owner::Windows { .. } => (0, 0, 0o644),
    };
    // Numbers beyond seven octal digits are in the pax headers.
    header.set_uid(u64::from(user).min(0o777_7777));
    header.set_gid(u64::from(group).min(0o777_7777));
    header.set_mode(mode);
    header
}

fn records(node: &Node, about: &About) -> Records {
    let mut records = Records::new();
    for (key, time) in [
        ("mtime", node.times.modified),
        ("atime", node.times.accessed),
        ("ctime", node.times.changed),
        ("LIBARCHIVE.creationtime", node.times.created),
    ] {
        if let Some(time) = time {
            records.push((key.to_owned(), decimal(time)));
        }
    }
    if let Owner::Unix { user, group, .. } = node.owner {
        records.push(("uid".to_owned(), user.to_string().into_bytes()));
        records.push(("gid".to_owned(), group.to_string().into_bytes()));
    }
    for attribute in &about.attributes {
        let name = String::from_utf8_lossy(&attribute.name);
        records.push((format!("SCHILY.xattr.{name}"), attribute.value.clone()));
    }
    if let Some(descriptor) = &about.security_descriptor {
        records.push((
            "SCHILY.xattr.system.ntfs_acl".to_owned(),
            descriptor.clone(),
        ));
    }
    records
}

/// Seconds with nine digits behind the point. Before 1970 the fraction counts backwards, as the
/// number does.
fn decimal(time: Time) -> Vec<u8> {
    let nanoseconds = i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanoseconds);
    let (sign, size) = (
        if nanoseconds < 0 { "-" } else { "" },
        nanoseconds.unsigned_abs(),
    );
    format!("{sign}{}.{:09}", size / 1_000_000_000, size % 1_000_000_000).into_bytes()
}

/// Content of exactly the length that the header says: what cannot be read is zeros, and is told.
struct Filled<'a, 'b> {
    content: &'a mut Source<'b>,
    rest: u64,
    failed: Option<TargetError>,
}

impl<'a, 'b> Filled<'a, 'b> {
    fn new(content: &'a mut Source<'b>, size_bytes: u64) -> Self {
        Self {
            content,
            rest: size_bytes,
            failed: None,
        }
    }
}

impl Read for Filled<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.rest)
            .unwrap_or(usize::MAX)
            .min(buf.len());
        let Some(buf) = buf.get_mut(..most).filter(|buf| !buf.is_empty()) else {
            return Ok(0);
        };
        let read = match &self.failed {
            None => self.content.read(buf),
            Some(_) => Ok(0),
        };
        let read = match read {
            Ok(read) if read > 0 => read,
            Ok(_) => {
                buf.fill(0);
                buf.len()
            }
            Err(error) if error.is_cancelled() => return Err(io::Error::other(error)),
            Err(error) => {
                self.failed = Some(error);
                buf.fill(0);
                buf.len()
            }
        };
        self.rest -= read as u64;
        Ok(read)
    }
}
