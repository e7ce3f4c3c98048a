//! Files taken out as a tar archive with pax headers (POSIX.1-2001): what `tar` on any system reads.
//!
//! Names and times are in the pax headers as they are; extended attributes are `SCHILY.xattr.…`, as
//! GNU tar, bsdtar and star have them: POSIX ACLs among them, streams of NTFS as `user.…`, security
//! descriptors as `system.ntfs_acl`, the names that NTFS has on Linux. Owners, set-id bits and all
//! attributes are in it: who unpacks it decides what becomes of them.

use std::cell::Cell;
use std::io::{self, Read, Write as _};
use std::rc::Rc;

use guest_files::{FileName, Link, Node, Owner, Time};
use tar::{Builder, EntryType, Header};

use super::archive_file::{ArchiveOut, Gate};
use super::lost::lose_attributes;
use super::{FileTarget, Kept, Lost, TargetError, joined};
use crate::take_out::{About, Source};

/// A tar archive that is written to a stream.
pub struct TarTarget<W: ArchiveOut> {
    /// There until it is ended.
    archive: Option<Builder<Gate<W>>>,
    is_shut: Rc<Cell<bool>>,
    /// Whether what was written last ends within a member: it was stopped there.
    is_within: bool,
}

type Records = Vec<(String, Vec<u8>)>;

impl<W: ArchiveOut> TarTarget<W> {
    /// Begins an archive.
    pub fn new(out: W) -> Self {
        let (gate, is_shut) = Gate::new(out);
        Self {
            archive: Some(Builder::new(gate)),
            is_shut,
            is_within: false,
        }
    }

    fn archive(&mut self) -> io::Result<&mut Builder<Gate<W>>> {
        let ended = || io::Error::other("it was ended before");
        self.archive.as_mut().ok_or_else(ended)
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
        self.is_within = true;
        let written = self.archive().and_then(|archive| {
            archive.append_pax_extensions(pairs)?;
            archive.append(&header, content)
        });
        self.is_within = written.is_err();
        written.map_err(failed)
    }
}

/// Bytes of a block of a tar archive.
const BLOCK_BYTES: u64 = 512;
/// Sizes from here on do not fit into the header's eleven octal digits.
const SIZE_MAX_USTAR: u64 = 1 << 33;

impl<W: ArchiveOut> FileTarget for TarTarget<W> {
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
        Ok(kept(node))
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
        let mut filled = Filled::new(content);
        let written = self.append(
            path,
            node,
            EntryType::Regular,
            records,
            &mut filled,
            size_bytes,
        );
        match filled.failed {
            Some(stopped) if stopped.is_cancelled() => Err(stopped),
            failed => written.and(failed.map_or(Ok(kept(node)), Err)),
        }
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
        let mut records = records(node, about);
        records.push(("linkpath".to_owned(), link.target.clone()));
        self.append(path, node, EntryType::Symlink, records, &mut io::empty(), 0)?;
        Ok(kept(node))
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
        self.is_within = true;
        let written = self.archive().and_then(|archive| {
            archive.append_pax_extensions(records)?;
            archive.append(&header, io::empty())
        });
        self.is_within = written.is_err();
        written.map_err(failed)?;
        Ok(true)
    }

    fn finish(&mut self) -> Result<Lost, TargetError> {
        if let Some(archive) = self.archive.take() {
            archive.into_inner().map_err(failed)?.out.end()?;
        }
        Ok(Lost::default())
    }

    fn abandon(&mut self) -> Lost {
        let archive = self.archive.as_mut().filter(|_| !self.is_within);
        if let Some(archive) = archive {
            // Where it cannot be written, it ends early as well.
            let _ = archive.get_mut().write_all(&cut_member());
        }
        self.is_shut.set(true);
        self.archive = None;
        Lost::default()
    }
}

impl<W: ArchiveOut> Drop for TarTarget<W> {
    fn drop(&mut self) {
        self.abandon();
    }
}

/// Returns what an archive that is given up ends with: a member that is cut off. Readers take one that
/// lacks but its two blocks of zeros for whole, and GNU tar one that ends within a header too.
fn cut_member() -> Vec<u8> {
    let what = b"this archive is not whole: it was stopped";
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_size(BLOCK_BYTES);
    header.set_mode(0o644);
    put_name(&mut header, b"THIS-ARCHIVE-IS-NOT-WHOLE");
    header.set_cksum();
    [header.as_bytes().as_slice(), what].concat()
}

fn failed(error: io::Error) -> TargetError {
    TargetError::io("the archive cannot be written", error)
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

/// There is a record for the time of creation (`LIBARCHIVE.creationtime`), of which GNU tar warns once
/// for each member.
fn kept(node: &Node) -> Kept {
    let mut kept = Kept::all();
    if node.times.created.is_some() {
        kept.lose("times of creation");
    }
    lose_attributes(node, &mut kept);
    kept
}

fn records(node: &Node, about: &About) -> Records {
    let mut records = Records::new();
    for (key, time) in [
        ("mtime", node.times.modified),
        ("atime", node.times.accessed),
        ("ctime", node.times.changed),
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
        // As GNU tar has it: a key ends with the first equals sign.
        let name = name.replace('%', "%25").replace('=', "%3D");
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
pub(super) struct Filled<'a, 'b> {
    content: &'a mut Source<'b>,
    rest: u64,
    /// Why it could not be read from some place on, or was stopped.
    pub(super) failed: Option<TargetError>,
}

impl<'a, 'b> Filled<'a, 'b> {
    pub(super) fn new(content: &'a mut Source<'b>) -> Self {
        Self {
            rest: content.size_bytes(),
            content,
            failed: None,
        }
    }
}

impl Read for Filled<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.rest).unwrap_or(usize::MAX);
        let most = most.min(buf.len());
        let Some(buf) = buf.get_mut(..most).filter(|buf| !buf.is_empty()) else {
            return Ok(0);
        };
        let read = match &self.failed {
            None => self.content.read(buf),
            Some(_) => Ok(0),
        };
        let read = match read {
            Ok(read) if read > 0 => read,
            Ok(_) => zeros(buf),
            Err(error) => {
                let is_cancelled = error.is_cancelled();
                self.failed = Some(error);
                if is_cancelled {
                    return Err(io::Error::other("stopped"));
                }
                zeros(buf)
            }
        };
        self.rest -= read as u64;
        Ok(read)
    }
}

fn zeros(buf: &mut [u8]) -> usize {
    buf.fill(0);
    buf.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ToStream;

    #[test]
    fn an_archive_that_is_given_up_ends_within_a_member() {
        let mut bytes = Vec::new();
        drop(TarTarget::new(ToStream::new(&mut bytes)));
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
        let read = io::copy(&mut entry, &mut io::sink());
        assert!(
            !read.is_ok_and(|read| read == BLOCK_BYTES),
            "it looks whole"
        );
    }

    #[test]
    fn an_archive_that_is_finished_has_its_end_alone() {
        let mut bytes = Vec::new();
        TarTarget::new(ToStream::new(&mut bytes)).finish().unwrap();
        assert_eq!(bytes, [0_u8; 1024]);
    }
}
