//! What a file system says of a file or folder.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::FileName;

/// One file or folder of an open file system: valid there alone, and for as long as it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId {
    /// Which tree of the file system: a subvolume of Btrfs, zero elsewhere.
    pub tree: u64,
    /// Its number there: an inode, a file record with its sequence number, or the place of a
    /// directory entry where files have no numbers.
    pub number: u64,
}

/// A file, folder or other thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Which one.
    pub id: NodeId,
    /// What it is.
    pub kind: NodeKind,
    /// Its content's length in bytes, holes included; zero for what has none.
    pub size_bytes: u64,
    /// How many names it has; one where the file system does not count.
    pub links: u32,
    /// When it was made, changed and read.
    pub times: Times,
    /// Whose it is, and what may be done with it.
    pub owner: Owner,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeKind {
    /// A file.
    File,
    /// A folder; on Btrfs a subvolume too.
    Folder,
    /// A symbolic link, or a junction of NTFS.
    Link,
    /// A device, socket or pipe, or a reparse point that stands for no data that is here.
    Other,
}

/// A moment, since 1970-01-01 00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Time {
    /// Seconds; negative before 1970.
    pub seconds: i64,
    /// Nanoseconds of that second, less than 1,000,000,000.
    pub nanoseconds: u32,
}

impl Time {
    /// Returns it as this system reckons; `None` where it cannot.
    pub fn to_system_time(self) -> Option<SystemTime> {
        let seconds = Duration::from_secs(self.seconds.unsigned_abs());
        let whole = if self.seconds < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(seconds)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(seconds)
        };
        whole?.checked_add(Duration::from_nanos(self.nanoseconds.into()))
    }
}

/// The times of a node; `None` where the file system has none. FAT's are local times of the guest,
/// taken as if they were UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Times {
    /// When its content changed last.
    pub modified: Option<Time>,
    /// When it was read last.
    pub accessed: Option<Time>,
    /// When what is said of it changed last.
    pub changed: Option<Time>,
    /// When it was made.
    pub created: Option<Time>,
}

/// Whose a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owner {
    /// As POSIX has it.
    Unix {
        /// The owner's number.
        user: u32,
        /// The group's number.
        group: u32,
        /// The twelve bits of permissions.
        mode: u16,
    },
    /// As Windows has it; [`crate::GuestFileSystem::security_descriptor`] has the rest.
    Windows {
        /// `FILE_ATTRIBUTE_` flags.
        attributes: u32,
    },
}

/// Where a link leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What sort of link.
    pub kind: LinkKind,
    /// The target as it is stored: a path of the guest.
    pub target: Vec<u8>,
}

/// What sort of link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkKind {
    /// A symbolic link.
    Symbolic,
    /// A junction or mounted volume of NTFS.
    Junction,
}

/// A named stream of NTFS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Its name, without colons.
    pub name: FileName,
    /// Its length in bytes.
    pub size_bytes: u64,
}

/// An extended attribute, such as `user.note` or `system.posix_acl_access`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// Its name with its name space, as Linux has it.
    pub name: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
}

/// What is said of a node besides [`Node`], and its content where that is short: all that taking a
/// small file out needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Details {
    /// Where it leads, if it is a link.
    pub link: Option<Link>,
    /// Its extended attributes.
    pub attributes: Vec<Attribute>,
    /// Its named streams.
    pub streams: Vec<Stream>,
    /// Its security descriptor.
    pub security_descriptor: Option<Vec<u8>>,
    /// All of its content, if it is a file that is not longer than was asked for.
    pub content: Option<Vec<u8>>,
}
