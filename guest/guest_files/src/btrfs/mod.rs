//! Btrfs, on the decoders of the crate `rust-fs-btrfs` (the kernel's `btrfs` on-disk format).
//!
//! ```text
//!   superblock ─► chunks: logical addresses ─► devices, copies
//!              └► tree of roots ─► a tree for each subvolume ─► inodes, names, extents, attributes
//!                              └► tree of checksums
//! ```
//!
//! The crate decodes superblocks, chunks, nodes, items and compressed extents. Searching and reading
//! are done here: the crate reads all extents of a file for each read of it, looks up each of them in a
//! second tree, and keeps to the first copy of what is damaged.
//!
//! The top is the top of the volume, with its subvolumes as folders in it, whichever of them the guest
//! mounts.
//!
//! Not here: the log tree, RAID 5 and 6. What a guest synced since its last commit is in the log tree
//! alone; the state says so.

mod checked_read;
mod content;
mod devices;
mod tree;
mod volume;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use block_io::BlockDevice;
use fs_btrfs::dir::{DirEntry, name_hash, parse_dir_items};
use fs_btrfs::inode::{Inode, Timestamp};
use volume_map::Content;

pub use self::devices::{DeviceOf, device_of};

use self::checked_read::Checked;
use self::content::BtrfsFile;
use self::tree::{Key, Tree};
use self::volume::Volume;
use crate::posix::fields::{index, le, part, uuid_text};
use crate::posix::foreign_reader::{failed_read, guarded};
use crate::posix::{corrupt, mode, not_found, unreadable, wrong_kind};
use crate::{
    About, Attribute, FileError, FileName, GuestFile, GuestFileSystem, Link, LinkKind, Node,
    NodeId, NodeKind, Owner, State, Time, Times, Visit,
};

const INODE_KEY: u8 = 1;
const ATTRIBUTE_KEY: u8 = 24;
const NAME_KEY: u8 = 84;
const ORDER_KEY: u8 = 96;
const ROOT_KEY: u8 = 132;
const ROOT_REFERENCE_KEY: u8 = 156;
/// The tree of the top of the volume, and the tree of checksums.
const TOP_TREE: u64 = 5;
const CHECKSUM_TREE: u64 = 7;
/// The top folder of each tree.
const TOP_FOLDER: u64 = 256;
/// What a snapshot has in place of a subvolume of what it was made of: an empty folder.
const EMPTY_FOLDER: u64 = 2;
/// A file without checksums, or without copies when it is written, which has none either.
const NO_CHECKSUMS: u64 = 1 | 2;
/// No path of Linux is longer.
const MOST_TARGET_BYTES: u64 = 4096;
/// Roots of subvolumes that are kept.
const MOST_ROOTS: usize = 4096;

/// An open Btrfs.
pub(crate) struct BtrfsFileSystem {
    volume: Volume,
    checksum_root: Option<u64>,
    roots: Mutex<HashMap<u64, u64>>,
    about: About,
}

/// Takes a failure of the crate.
fn failure(error: fs_btrfs::Error) -> FileError {
    use fs_btrfs::Error as E;
    match error {
        E::Io(text) => failed_read(&text),
        E::UnsupportedFeature(_) | E::UnsupportedChecksum(_) | E::UnsupportedProfile(_) => {
            unreadable(error.to_string())
        }
        E::NotFound => not_found(error.to_string()),
        E::NotADirectory | E::NotAFile => wrong_kind(error.to_string()),
        error => corrupt(error.to_string()),
    }
}

impl BtrfsFileSystem {
    /// Opens one from those of its devices that are there.
    pub(crate) fn open(devices: Vec<Arc<dyn BlockDevice>>) -> Result<Self, FileError> {
        let volume = Volume::open(devices)?;
        let superblock = &volume.superblock;
        let about = About {
            content: Content::Btrfs,
            label: superblock.label.clone(),
            uuid: uuid_text(&superblock.fsid),
            size_bytes: superblock.total_bytes,
            used_bytes: Some(superblock.bytes_used),
            state: state(&volume),
            is_case_sensitive: true,
        };
        let mut opened = Self {
            volume,
            checksum_root: None,
            roots: Mutex::default(),
            about,
        };
        opened.checksum_root = match opened.root_of(CHECKSUM_TREE) {
            Ok(root) => Some(root),
            Err(error) if error.kind() == crate::FileErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        opened.folder(opened.root())?;
        Ok(opened)
    }

    /// Returns where the root of a tree lies.
    fn root_of(&self, id: u64) -> Result<u64, FileError> {
        let roots = || self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(root) = roots().get(&id) {
            return Ok(*root);
        }
        let found = self
            .tree_of_roots()
            .floor(Key::of(id, ROOT_KEY, u64::MAX))?;
        let missing = || not_found(format!("there is no subvolume {id}"));
        let (key, data) = found.ok_or_else(missing)?;
        // A subvolume that is being removed has no references left.
        if key.objectid != id || key.key_type != ROOT_KEY || le::u32_at(&data, 216)? == 0 {
            return Err(missing());
        }
        let root = le::u64_at(&data, 176)?;
        let mut roots = roots();
        if roots.len() >= MOST_ROOTS {
            roots.clear();
        }
        roots.insert(id, root);
        Ok(root)
    }

    fn tree_of_roots(&self) -> Tree<'_> {
        Tree {
            volume: &self.volume,
            root: self.volume.superblock.root,
        }
    }

    fn tree(&self, id: u64) -> Result<Tree<'_>, FileError> {
        Ok(Tree {
            volume: &self.volume,
            root: self.root_of(id)?,
        })
    }

    fn inode(&self, id: NodeId) -> Result<Inode, FileError> {
        let name = || format!("inode {} of subvolume {}", id.number, id.tree);
        let item = self.tree(id.tree)?.item(Key::of(id.number, INODE_KEY, 0))?;
        let item = item.ok_or_else(|| not_found(format!("there is no {}", name())))?;
        let inode = guarded(|| Inode::parse(&item, id.number).map_err(failure));
        let inode = inode.map_err(|error| error.of(name()))?;
        if inode.nlink == 0 || inode.size > i64::MAX.unsigned_abs() {
            return Err(not_found(format!("{} stands for no file", name())));
        }
        Ok(inode)
    }

    fn of_kind(&self, id: NodeId, kind: NodeKind) -> Result<Inode, FileError> {
        let inode = self.inode(id)?;
        if mode::kind(mode_of(&inode)) != kind {
            return Err(wrong_kind(format!("inode {} is something else", id.number)));
        }
        Ok(inode)
    }

    fn folder(&self, id: NodeId) -> Result<Inode, FileError> {
        self.of_kind(id, NodeKind::Folder)
    }

    /// Returns what an entry stands for.
    fn target(&self, folder: NodeId, entry: &DirEntry) -> Result<NodeId, FileError> {
        if entry.is_inode() {
            return Ok(NodeId {
                tree: folder.tree,
                number: entry.ino,
            });
        }
        // An entry of a snapshot still names the subvolume, which is not below it.
        let key = Key::of(folder.tree, ROOT_REFERENCE_KEY, entry.ino);
        let reference = self.tree_of_roots().item(key)?;
        let is_here = reference.is_some_and(|reference| {
            let len = usize::from(le::u16_at(&reference, 16).unwrap_or(0));
            le::u64_at(&reference, 0).is_ok_and(|parent| parent == folder.number)
                && part(&reference, 18, len).is_ok_and(|name| name == entry.name)
        });
        Ok(match is_here {
            true => NodeId {
                tree: entry.ino,
                number: TOP_FOLDER,
            },
            false => NodeId {
                tree: folder.tree,
                number: EMPTY_FOLDER,
            },
        })
    }

    fn content(&self, id: NodeId, inode: &Inode) -> Result<BtrfsFile<'_>, FileError> {
        let checksums = if inode.flags & NO_CHECKSUMS != 0 {
            None
        } else {
            self.checksum_root.map(|root| Tree {
                volume: &self.volume,
                root,
            })
        };
        Ok(BtrfsFile {
            tree: self.tree(id.tree)?,
            checked: Checked {
                volume: &self.volume,
                checksums,
            },
            inode: id.number,
            size_bytes: inode.size,
            decoded: Mutex::default(),
        })
    }
}

fn state(volume: &Volume) -> State {
    if volume.superblock.has_dirty_log() {
        return State::Behind(
            "the last commit is shown; what the guest synced (fsync) since then, at most 30 s by \
             default, is in the log tree, which is not read"
                .to_owned(),
        );
    }
    match volume.missing_devices() {
        0 => State::Clean,
        missing => State::Behind(format!(
            "{missing} of the volume's {} devices are not here: what lies on them alone cannot be \
             read, and what was written to them alone is not shown",
            volume.superblock.num_devices
        )),
    }
}

fn mode_of(inode: &Inode) -> u16 {
    u16::try_from(inode.mode & 0xFFFF).unwrap_or(0)
}

fn time(stamp: Timestamp) -> Option<Time> {
    Some(Time {
        seconds: stamp.sec,
        nanoseconds: stamp.nsec.min(999_999_999),
    })
}

fn empty_folder(id: NodeId) -> Node {
    Node {
        id,
        kind: NodeKind::Folder,
        size_bytes: 0,
        links: 1,
        times: Times::default(),
        owner: Owner::Unix {
            user: 0,
            group: 0,
            mode: 0o755,
        },
    }
}

impl GuestFileSystem for BtrfsFileSystem {
    fn about(&self) -> &About {
        &self.about
    }

    fn root(&self) -> NodeId {
        NodeId {
            tree: TOP_TREE,
            number: TOP_FOLDER,
        }
    }

    fn node(&self, id: NodeId) -> Result<Node, FileError> {
        if id.number == EMPTY_FOLDER {
            return Ok(empty_folder(id));
        }
        let inode = self.inode(id)?;
        let kind = mode::kind(mode_of(&inode));
        let has_content = matches!(kind, NodeKind::File | NodeKind::Link);
        Ok(Node {
            id,
            kind,
            size_bytes: if has_content { inode.size } else { 0 },
            links: inode.nlink,
            times: Times {
                modified: time(inode.mtime),
                accessed: time(inode.atime),
                changed: time(inode.ctime),
                created: time(inode.otime),
            },
            owner: mode::owner(inode.uid, inode.gid, mode_of(&inode)),
        })
    }

    fn list(&self, folder: NodeId, visit: &mut Visit<'_>) -> Result<(), FileError> {
        if folder.number == EMPTY_FOLDER {
            return Ok(());
        }
        self.folder(folder)?;
        let from = Key::of(folder.number, ORDER_KEY, 0);
        self.tree(folder.tree)?.for_each(from, &mut |key, data| {
            if key.objectid != folder.number || key.key_type != ORDER_KEY {
                return Ok(false);
            }
            for entry in guarded(|| parse_dir_items(data).map_err(failure))? {
                let Some(name) = FileName::new(&entry.name) else {
                    continue;
                };
                if visit(name, self.target(folder, &entry)?) == ControlFlow::Break(()) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    fn find(&self, folder: NodeId, name: &FileName) -> Result<Option<NodeId>, FileError> {
        if folder.number == EMPTY_FOLDER {
            return Ok(None);
        }
        self.folder(folder)?;
        let key = Key::of(folder.number, NAME_KEY, name_hash(name.as_bytes()));
        let Some(data) = self.tree(folder.tree)?.item(key)? else {
            return Ok(None);
        };
        let entries = guarded(|| parse_dir_items(&data).map_err(failure))?;
        let found = entries.iter().find(|entry| entry.name == name.as_bytes());
        found.map(|entry| self.target(folder, entry)).transpose()
    }

    fn open<'a>(
        &'a self,
        file: NodeId,
        stream: Option<&FileName>,
    ) -> Result<Box<dyn GuestFile + 'a>, FileError> {
        if let Some(stream) = stream {
            return Err(not_found(format!(
                "Btrfs has no streams, so none named {stream}"
            )));
        }
        let inode = self.of_kind(file, NodeKind::File)?;
        Ok(Box::new(self.content(file, &inode)?))
    }

    fn link(&self, link: NodeId) -> Result<Link, FileError> {
        let inode = self.of_kind(link, NodeKind::Link)?;
        if inode.size > MOST_TARGET_BYTES {
            return Err(corrupt("a link's target is longer than any path"));
        }
        let mut target = vec![0; index(inode.size)?];
        self.content(link, &inode)?.read_at(0, &mut target)?;
        Ok(Link {
            kind: LinkKind::Symbolic,
            target,
        })
    }

    fn attributes(&self, node: NodeId) -> Result<Vec<Attribute>, FileError> {
        let mut found = Vec::new();
        if node.number == EMPTY_FOLDER {
            return Ok(found);
        }
        self.inode(node)?;
        let from = Key::of(node.number, ATTRIBUTE_KEY, 0);
        self.tree(node.tree)?.for_each(from, &mut |key, data| {
            if key.objectid != node.number || key.key_type != ATTRIBUTE_KEY {
                return Ok(false);
            }
            let items = guarded(|| fs_btrfs::xattr::parse_xattr_items(data).map_err(failure))?;
            found.extend(items.into_iter().map(|item| Attribute {
                name: item.name,
                value: item.value,
            }));
            Ok(true)
        })?;
        Ok(found)
    }
}
