//! FAT12, FAT16 and FAT32.
//!
//! | What | How |
//! |---|---|
//! | names | long ones where they are whole; short ones in code page 437, whatever the guest had |
//! | times | local times of the guest, taken as if they were UTC |
//! | no journal | a volume that was in use is [`crate::State::Behind`] |
//!
//! A node's number is the place of its short entry on the volume in units of 32 bytes; 0 is the top
//! folder, which has no entry.

mod boot_sector;
mod code_page;
mod folder_entry;
mod table;

use std::ops::ControlFlow;
use std::sync::Arc;

use block_io::BlockDevice;
use volume_map::Content;

use crate::cluster_chain::{Place, follow};
use crate::cluster_file::ClusterFile;
use crate::entry_node::{entry_node, no_content, refuse_stream, top_folder};
use crate::file_name::is_same_letters;
use crate::volume::Volume;
use crate::{
    About, Coding, FileError, FileErrorKind, FileExtent, FileName, GuestFile, GuestFileSystem,
    Link, Node, NodeId, OpenOptions, State, Visit,
};
use boot_sector::{BootSector, Root, Width};
use folder_entry::{ENTRY_BYTES, LongName, ShortEntry, Stored};
use table::Entry;

/// A folder has no more entries than this (FAT specification, section 6).
const FOLDER_BYTES_MAX: u64 = 65_536 * ENTRY_BYTES;

const ROOT: NodeId = NodeId { tree: 0, number: 0 };

/// A FAT volume.
pub(crate) struct Fat {
    volume: Volume,
    boot: BootSector,
    about: About,
}

/// A file or folder in a folder.
struct Found {
    id: NodeId,
    entry: ShortEntry,
    long: Option<FileName>,
}

impl Fat {
    pub(crate) fn open(
        device: Arc<dyn BlockDevice>,
        options: OpenOptions,
    ) -> Result<Self, FileError> {
        let volume = Volume::new(device);
        let mut sector = [0; 512];
        volume.read(0, &mut sector)?;
        let boot = BootSector::parse(&sector, volume.size_bytes())?;
        let mut fat = Self {
            about: About {
                content: match boot.width {
                    Width::Fat12 => Content::Fat12,
                    Width::Fat16 => Content::Fat16,
                    Width::Fat32 => Content::Fat32,
                },
                label: String::new(),
                uuid: match boot.serial {
                    0 => String::new(),
                    serial => format!("{:04X}-{:04X}", serial >> 16, serial & 0xFFFF),
                },
                size_bytes: boot.size_bytes,
                used_bytes: None,
                state: State::Clean,
                is_case_sensitive: false,
            },
            volume,
            boot,
        };
        fat.about.label = fat.label()?;
        if fat.boot.is_marked_dirty || !table::is_clean(&fat.volume, &fat.boot)? {
            fat.about.state = State::Behind(
                "it was in use, and FAT has no journal: files that were being written may be shorter or hold other bytes".to_owned(),
            );
        }
        if options.count_used {
            fat.about.used_bytes = Some(fat.used_bytes()?);
        }
        Ok(fat)
    }

    /// Returns the label in the top folder, which counts before that of the boot sector.
    fn label(&self) -> Result<String, FileError> {
        let mut found = None;
        self.each_stored(ROOT, &mut |_, stored| match stored {
            Stored::Label(label) => {
                found = Some(label);
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        })?;
        let label = found.unwrap_or(self.boot.label);
        let label = folder_entry::letters(&label, false);
        Ok(if label == "NO NAME" {
            String::new()
        } else {
            label
        })
    }

    fn used_bytes(&self) -> Result<u64, FileError> {
        let mut used = 0;
        for cluster in 2..2 + self.boot.area.clusters {
            if table::entry(&self.volume, &self.boot, cluster)? != Entry::Free {
                used += self.boot.area.cluster_bytes;
            }
        }
        Ok(used)
    }

    fn chain(&self, first: u32, len_bytes: u64) -> Result<Vec<Place>, FileError> {
        if !self.boot.area.has(first) {
            return Ok(Vec::new());
        }
        let max = len_bytes.div_ceil(self.boot.area.cluster_bytes);
        follow(first, max, |cluster| {
            Ok(match table::entry(&self.volume, &self.boot, cluster)? {
                Entry::Next(next) => Some(next),
                Entry::Free | Entry::Last => None,
            })
        })
    }

    /// Returns the entry of a file or folder that is not the top folder.
    fn entry(&self, id: NodeId) -> Result<ShortEntry, FileError> {
        let missing = || FileError::new(FileErrorKind::NotFound, "there is no such file");
        let offset = id.number.checked_mul(ENTRY_BYTES).ok_or_else(missing)?;
        let is_in_root = match self.boot.root {
            Root::Region {
                offset: start,
                len_bytes,
            } => (start..start + len_bytes).contains(&offset),
            Root::Chain(_) => false,
        };
        if id.tree != 0 || !(is_in_root || self.boot.area.cluster_at(offset).is_some()) {
            return Err(missing());
        }
        let mut bytes = [0; 32];
        self.volume.read(offset, &mut bytes)?;
        match folder_entry::read(bytes) {
            Stored::Short(entry) if !entry.is_dots() => Ok(entry),
            _ => Err(missing()),
        }
    }

    /// Returns where a folder's entries are.
    fn folder(&self, id: NodeId) -> Result<Vec<FileExtent>, FileError> {
        let first = if id == ROOT {
            match self.boot.root {
                Root::Region { offset, len_bytes } => {
                    return Ok(vec![FileExtent {
                        file_offset: 0,
                        volume_offset: offset,
                        len_bytes,
                        coding: Coding::Plain,
                    }]);
                }
                Root::Chain(first) => first,
            }
        } else {
            let entry = self.entry(id)?;
            if !entry.is_folder() {
                return Err(FileError::new(FileErrorKind::WrongKind, "it is no folder"));
            }
            entry.first_cluster(self.boot.width == Width::Fat32)
        };
        let places = self.chain(first, FOLDER_BYTES_MAX)?;
        if places.is_empty() {
            let what = "a folder is nowhere on the volume";
            return Err(FileError::new(FileErrorKind::Corrupt, what));
        }
        Ok(self.boot.area.extents(&places).collect())
    }

    /// Calls `visit` with each entry of a folder, and its place on the volume.
    fn each_stored(
        &self,
        folder: NodeId,
        visit: &mut dyn FnMut(u64, Stored) -> ControlFlow<()>,
    ) -> Result<(), FileError> {
        for extent in self.folder(folder)? {
            for entry in 0..extent.len_bytes / ENTRY_BYTES {
                let offset = extent.volume_offset + entry * ENTRY_BYTES;
                let mut bytes = [0; 32];
                self.volume.read(offset, &mut bytes)?;
                let stored = folder_entry::read(bytes);
                let is_end = matches!(stored, Stored::End);
                if visit(offset, stored).is_break() || is_end {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn each(
        &self,
        folder: NodeId,
        visit: &mut dyn FnMut(Found) -> ControlFlow<()>,
    ) -> Result<(), FileError> {
        let mut long = LongName::default();
        self.each_stored(folder, &mut |offset, stored| {
            match stored {
                Stored::LongName(part) => long.add(&part),
                Stored::Short(entry) if !entry.is_dots() => {
                    return visit(Found {
                        id: NodeId {
                            tree: 0,
                            number: offset / ENTRY_BYTES,
                        },
                        long: long.take(&entry),
                        entry,
                    });
                }
                _ => long = LongName::default(),
            }
            ControlFlow::Continue(())
        })
    }
}

impl GuestFileSystem for Fat {
    fn about(&self) -> &About {
        &self.about
    }

    fn root(&self) -> NodeId {
        ROOT
    }

    fn node(&self, id: NodeId) -> Result<Node, FileError> {
        if id == ROOT {
            return Ok(top_folder(id));
        }
        let entry = self.entry(id)?;
        Ok(entry_node(
            id,
            entry.is_folder(),
            entry.size_bytes(),
            entry.times(),
            entry.attributes(),
        ))
    }

    fn list(&self, folder: NodeId, visit: &mut Visit<'_>) -> Result<(), FileError> {
        self.each(folder, &mut |found| {
            let name = found
                .long
                .or_else(|| FileName::new(&found.entry.short_name()));
            match name {
                Some(name) => visit(name, found.id),
                None => ControlFlow::Continue(()),
            }
        })
    }

    fn find(&self, folder: NodeId, name: &FileName) -> Result<Option<NodeId>, FileError> {
        let mut id = None;
        self.each(folder, &mut |found| {
            let long = found.long.as_ref().map_or(&[][..], FileName::as_bytes);
            let is_it = is_same_letters(long, name.as_bytes())
                || is_same_letters(&found.entry.short_name(), name.as_bytes());
            if is_it {
                id = Some(found.id);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        Ok(id)
    }

    fn open<'a>(
        &'a self,
        file: NodeId,
        stream: Option<&FileName>,
    ) -> Result<Box<dyn GuestFile + 'a>, FileError> {
        refuse_stream("FAT", stream)?;
        let entry = match file {
            ROOT => None,
            file => Some(self.entry(file)?).filter(|entry| !entry.is_folder()),
        };
        let entry = entry.ok_or_else(no_content)?;
        let first = entry.first_cluster(self.boot.width == Width::Fat32);
        let places = self.chain(first, entry.size_bytes())?;
        Ok(Box::new(ClusterFile {
            volume: &self.volume,
            extents: self.boot.area.extents(&places).collect(),
            size_bytes: entry.size_bytes(),
            valid_bytes: entry.size_bytes(),
        }))
    }

    fn link(&self, _link: NodeId) -> Result<Link, FileError> {
        Err(FileError::new(FileErrorKind::WrongKind, "FAT has no links"))
    }
}
