//! ext2, ext3 and ext4 (the kernel's `Documentation/filesystems/ext4`).
//!
//! ```text
//!   superblock ─► group descriptor ─► inode ─┬► extents, or pointers ─► blocks
//!   journal ──► where blocks lie instead      ├► content in the inode
//!                                             └► attributes
//! ```
//!
//! Our own: the crates there are hold whole folders in memory and refuse large ones, read a block at a
//! time, or do not read ext2's folders, content in inodes or extended attributes.
//!
//! Not here: fast commits (the state says so), a journal on another device (likewise), decryption, the
//! hash trees of folders (a name is found by reading its folder).

mod attributes;
mod block_map;
mod content;
mod folder;
mod inline_data;
mod inode;
mod journal;
mod superblock;

use std::ops::ControlFlow;
use std::sync::Arc;

use block_io::BlockDevice;
use volume_map::Content;

use crate::posix::fields::index;
use crate::posix::volume_reader::VolumeReader;
use crate::posix::{corrupt, not_found, wrong_kind};
use crate::{
    About, Attribute, FileError, FileName, GuestFile, GuestFileSystem, Link, LinkKind, Node,
    NodeId, NodeKind, State, Visit,
};
use content::ExtFile;
use inode::Inode;
use superblock::Superblock;

/// The top folder's inode.
const ROOT: u64 = 2;
/// Sixty-four inodes of the usual size.
const PAGE_BYTES: usize = 16 << 10;
/// No path of Linux is longer.
const MOST_TARGET_BYTES: u64 = 4096;

/// CRC-32C that goes on from `seed`, without the inversions that others put around it.
fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, bytes)
}

/// A volume whose superblock is known.
struct Volume {
    reader: VolumeReader,
    superblock: Superblock,
}

impl Volume {
    fn block(&self, number: u64) -> Result<Vec<u8>, FileError> {
        let len = index(u64::from(self.superblock.block_bytes))?;
        self.reader
            .bytes(self.superblock.block_offset(number)?, len)
    }
}

/// An open ext2, ext3 or ext4.
pub(crate) struct ExtFileSystem {
    volume: Volume,
    about: About,
}

impl ExtFileSystem {
    /// Opens one, its journal's work done in memory.
    pub(crate) fn open(device: Arc<dyn BlockDevice>) -> Result<Self, FileError> {
        let reader = VolumeReader::new(device, PAGE_BYTES);
        let superblock = Superblock::read(&reader)?;
        let mut volume = Volume { reader, superblock };
        let state = if !volume.superblock.has_journal() {
            without_journal(&volume.superblock)
        } else if !volume.superblock.needs_recovery() {
            State::Clean
        } else if volume.superblock.journal_inode == 0 {
            State::Behind(
                "its journal is on another device: what was written last may be missing, and \
                 files may not agree with each other"
                    .to_owned(),
            )
        } else {
            let replay = journal::replay(&volume).map_err(|error| error.of("the journal"))?;
            let block_bytes = volume.superblock.block_bytes;
            volume.reader = volume.reader.with_moved(replay.moved, block_bytes);
            // The journal may hold a later one.
            volume.superblock = Superblock::read(&volume.reader)?;
            if volume.superblock.block_bytes != block_bytes {
                return Err(corrupt("the journal changes the block size"));
            }
            replay.state
        };
        let about = about(&volume.superblock, state);
        let opened = Self { volume, about };
        if opened.inode(opened.root())?.node()?.kind != NodeKind::Folder {
            return Err(corrupt("the top folder is no folder"));
        }
        Ok(opened)
    }

    fn inode(&self, id: NodeId) -> Result<Inode, FileError> {
        let number = u32::try_from(id.number);
        let number = number.map_err(|_| not_found(format!("there is no inode {}", id.number)))?;
        Inode::read(&self.volume, number)
    }

    fn folder(&self, id: NodeId) -> Result<Inode, FileError> {
        let inode = self.inode(id)?;
        if crate::posix::mode::kind(inode.mode) != NodeKind::Folder {
            return Err(wrong_kind(format!("inode {} is no folder", id.number)));
        }
        inode.refuse_encrypted("the folder's names are")?;
        Ok(inode)
    }
}

fn without_journal(superblock: &Superblock) -> State {
    if superblock.was_unmounted {
        return State::Clean;
    }
    State::Behind(
        "it has no journal and was in use: what its guest had not written yet is missing, and \
         files may not agree with each other"
            .to_owned(),
    )
}

fn about(superblock: &Superblock, state: State) -> About {
    let block = u64::from(superblock.block_bytes);
    let used = superblock.blocks.checked_sub(superblock.free_blocks);
    About {
        content: Content::Ext,
        label: superblock.label.clone(),
        uuid: superblock.uuid.clone(),
        size_bytes: superblock.blocks * block,
        used_bytes: used.map(|blocks| blocks * block),
        state,
        is_case_sensitive: true,
    }
}

fn id(number: u32) -> NodeId {
    NodeId {
        tree: 0,
        number: u64::from(number),
    }
}

impl GuestFileSystem for ExtFileSystem {
    fn about(&self) -> &About {
        &self.about
    }

    fn root(&self) -> NodeId {
        NodeId {
            tree: 0,
            number: ROOT,
        }
    }

    fn node(&self, id: NodeId) -> Result<Node, FileError> {
        self.inode(id)?.node()
    }

    fn list(&self, folder: NodeId, visit: &mut Visit<'_>) -> Result<(), FileError> {
        let inode = self.folder(folder)?;
        folder::for_each(
            &self.volume,
            &inode,
            &mut |name, number| match FileName::new(name) {
                Some(name) => visit(name, id(number)),
                None => ControlFlow::Continue(()),
            },
        )
        .map_err(|error| error.of(format!("the folder of inode {}", folder.number)))
    }

    fn find(&self, folder: NodeId, name: &FileName) -> Result<Option<NodeId>, FileError> {
        let inode = self.folder(folder)?;
        let folds = inode.flags & inode::CASE_FOLDED != 0;
        let wanted = String::from_utf8_lossy(name.as_bytes()).to_lowercase();
        let mut found = None;
        folder::for_each(&self.volume, &inode, &mut |there, number| {
            if there == name.as_bytes() {
                found = Some(id(number));
                return ControlFlow::Break(());
            }
            // Unicode's normal forms are left out: such a name is found as it is written alone.
            if folds && String::from_utf8_lossy(there).to_lowercase() == wanted {
                found = Some(id(number));
            }
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    fn open<'a>(
        &'a self,
        file: NodeId,
        stream: Option<&FileName>,
    ) -> Result<Box<dyn GuestFile + 'a>, FileError> {
        if let Some(stream) = stream {
            return Err(not_found(format!(
                "ext has no streams, so none named {stream}"
            )));
        }
        let inode = self.inode(file)?;
        if crate::posix::mode::kind(inode.mode) != NodeKind::File {
            return Err(wrong_kind(format!("inode {} is no file", file.number)));
        }
        inode.refuse_encrypted("the file is")?;
        Ok(Box::new(ExtFile {
            volume: &self.volume,
            inode,
        }))
    }

    fn link(&self, link: NodeId) -> Result<Link, FileError> {
        let inode = self.inode(link)?;
        if crate::posix::mode::kind(inode.mode) != NodeKind::Link {
            return Err(wrong_kind(format!("inode {} is no link", link.number)));
        }
        inode.refuse_encrypted("the link's target is")?;
        if inode.size_bytes > MOST_TARGET_BYTES {
            return Err(corrupt("a link's target is longer than any path"));
        }
        let mut target = vec![0; index(inode.size_bytes)?];
        if inode.is_short_link(self.volume.superblock.cluster_bytes) {
            let source = inode.block.get(..target.len());
            target.copy_from_slice(source.ok_or_else(|| corrupt("a link's target is short"))?);
        } else {
            content::read(&self.volume, &inode, 0, &mut target)?;
        }
        Ok(Link {
            kind: LinkKind::Symbolic,
            target,
        })
    }

    fn attributes(&self, node: NodeId) -> Result<Vec<Attribute>, FileError> {
        attributes::all(&self.volume, &self.inode(node)?)
    }
}
