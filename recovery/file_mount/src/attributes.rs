//! What the kernel is told of a node, and of what went wrong.

use std::time::{SystemTime, UNIX_EPOCH};

use file_view::{ViewError, ViewErrorKind, ViewFacts};
use fuser::{Errno, FileAttr, FileType, INodeNo};
use guest_files::{NodeKind, Owner, Time};

/// `FILE_ATTRIBUTE_READONLY`.
const READ_ONLY: u32 = 1;
/// About 35,000 years: more than any file system of a guest can say.
const SECONDS_MAX: u64 = 1 << 40;
/// A page: what programs read at once anyway.
const BLOCK_BYTES: u32 = 4096;

/// As what an entry is listed that cannot be read. Nobody passes by a folder: who walks through the
/// tree asks what is in it, and hears the error, where a file would be taken for what it is called.
pub(crate) const UNREADABLE: FileType = FileType::Directory;

/// Whose everything is shown to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader {
    pub(crate) user: u32,
    pub(crate) group: u32,
    /// Whether owners and all bits are shown as they are in the guest.
    pub(crate) as_in_guest: bool,
}

impl Reader {
    /// Returns what is told of a node.
    pub(crate) fn attributes(self, number: u64, facts: &ViewFacts) -> FileAttr {
        let time = |time: Option<Time>| time.or(facts.times.modified).map_or(UNIX_EPOCH, moment);
        let (user, group) = match facts.owner {
            Some(Owner::Unix { user, group, .. }) if self.as_in_guest => (user, group),
            _ => (self.user, self.group),
        };
        FileAttr {
            ino: INodeNo(number),
            size: facts.size_bytes,
            blocks: facts.size_bytes.div_ceil(512),
            atime: time(facts.times.accessed),
            mtime: time(facts.times.modified),
            ctime: time(facts.times.changed),
            crtime: time(facts.times.created),
            kind: kind(facts.kind),
            perm: self.permissions(facts),
            nlink: facts.links,
            uid: user,
            gid: group,
            rdev: 0,
            blksize: BLOCK_BYTES,
            flags: 0,
        }
    }

    /// Returns what is told of a node that cannot be read: that it is there, as [`UNREADABLE`].
    pub(crate) fn unreadable(self, number: u64) -> FileAttr {
        let nothing = ViewFacts {
            kind: NodeKind::Folder,
            size_bytes: 0,
            links: 1,
            times: guest_files::Times::default(),
            owner: None,
        };
        self.attributes(number, &nothing)
    }

    fn permissions(self, facts: &ViewFacts) -> u16 {
        match (facts.owner, facts.kind) {
            (Some(Owner::Unix { mode, .. }), _) if self.as_in_guest => mode & 0o7777,
            // Rights that come with the file are not for this machine.
            (Some(Owner::Unix { mode, .. }), _) => mode & 0o777,
            (Some(Owner::Windows { .. }), NodeKind::Folder) => 0o755,
            (Some(Owner::Windows { attributes }), _) if attributes & READ_ONLY == 0 => 0o644,
            (None, NodeKind::Folder) => 0o555,
            (None, NodeKind::Link) => 0o777,
            _ => 0o444,
        }
    }

    /// Returns whether an extended attribute is shown. Those that are not `user.` mean something to
    /// the system that a file is copied to.
    pub(crate) fn shows(self, name: &[u8]) -> bool {
        self.as_in_guest || name.starts_with(b"user.")
    }
}

/// Returns what a node is to the kernel. What is neither file, folder nor link is a socket, which
/// nobody can open, so nobody waits at it for ever.
pub(crate) fn kind(kind: NodeKind) -> FileType {
    match kind {
        NodeKind::File => FileType::RegularFile,
        NodeKind::Folder => FileType::Directory,
        NodeKind::Link => FileType::Symlink,
        NodeKind::Other => FileType::Socket,
    }
}

/// Returns a moment; that of 1970 for what a guest cannot mean, and others cannot reckon with.
fn moment(time: Time) -> SystemTime {
    if time.seconds.unsigned_abs() > SECONDS_MAX {
        return UNIX_EPOCH;
    }
    time.to_system_time().unwrap_or(UNIX_EPOCH)
}

/// Returns the number of an error.
pub(crate) fn errno(error: &ViewError) -> Errno {
    match error.kind() {
        ViewErrorKind::NotFound => Errno::ENOENT,
        ViewErrorKind::NotAFolder => Errno::ENOTDIR,
        ViewErrorKind::IsAFolder => Errno::EISDIR,
        ViewErrorKind::WrongKind => Errno::EINVAL,
        ViewErrorKind::Unsupported => Errno::EOPNOTSUPP,
        ViewErrorKind::TooMany => Errno::ENFILE,
        _ => Errno::EIO,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn moments_before_1970_and_out_of_range_are_moments() {
        let time = |seconds, nanoseconds| Time {
            seconds,
            nanoseconds,
        };
        let before = UNIX_EPOCH - Duration::from_millis(1500);
        assert_eq!(moment(time(-2, 500_000_000)), before);
        assert_eq!(moment(time(i64::MAX, 999_999_999)), UNIX_EPOCH);
        assert_eq!(moment(time(i64::MIN, 0)), UNIX_EPOCH);
    }

    #[test]
    fn what_cannot_be_read_is_told_as_what_it_is_listed_as() {
        let reader = Reader {
            user: 1000,
            group: 100,
            as_in_guest: false,
        };
        assert!(reader.unreadable(7).kind == UNREADABLE);
    }

    #[test]
    fn rights_of_the_guest_are_shown_where_they_were_asked_for_alone() {
        let facts = ViewFacts {
            kind: NodeKind::File,
            size_bytes: 1,
            links: 1,
            times: guest_files::Times::default(),
            owner: Some(Owner::Unix {
                user: 0,
                group: 0,
                mode: 0o4600,
            }),
        };
        let mut reader = Reader {
            user: 1000,
            group: 100,
            as_in_guest: false,
        };
        let shown = reader.attributes(7, &facts);
        assert_eq!((shown.uid, shown.gid, shown.perm), (1000, 100, 0o600));
        assert!(!reader.shows(b"security.capability"));
        reader.as_in_guest = true;
        let shown = reader.attributes(7, &facts);
        assert_eq!((shown.uid, shown.gid, shown.perm), (0, 0, 0o4600));
    }
}
