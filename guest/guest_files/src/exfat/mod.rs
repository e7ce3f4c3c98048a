//! exFAT.
//!
//! | What | How |
//! |---|---|
//! | content | in chains or not; zeros beyond the valid length |
//! | times | in UTC where the file says by how much they differ; else as if they were |
//! | no journal | a volume that was in use is [`crate::State::Behind`] |
//!
//! A node's number is twice the place of its entries on the volume in units of 32 bytes, and one
//! more where its folder is no chain: the entries may go on in the folder's next cluster. 0 is the
//! top folder, which has no entry.

mod boot_sector;
mod entry_set;
mod large_letters;

use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use block_io::BlockDevice;
use ntfs_format::UpCase;
use volume_map::Content;

use crate::cluster_chain::{Place, follow};
use crate::cluster_file::ClusterFile;
use crate::entry_node::{entry_node, no_content, refuse_stream, top_folder};
use crate::file_name::{from_wtf8, utf16_units, wtf8};
use crate::volume::Volume;
use crate::{
    About, FileError, FileErrorKind, FileName, GuestFile, GuestFileSystem, Link, Node, NodeId,
    OpenOptions, State, Visit,
};
use boot_sector::BootSector;
use entry_set::{ENTRY_BYTES, Entry, EntrySet, Stored};

/// A folder is no longer than this (exFAT specification, section 7).
const FOLDER_BYTES_MAX: u64 = 256 << 20;
const READ_BYTES: usize = 64 << 10;

const ROOT: NodeId = NodeId { tree: 0, number: 0 };

/// An exFAT volume.
pub(crate) struct ExFat {
    volume: Volume,
    boot: BootSector,
    about: About,
    upcase: Option<Stored>,
    large_letters: OnceLock<UpCase>,
}

/// A folder's clusters.
struct Folder {
    stored: Stored,
    places: Vec<Place>,
}

impl ExFat {
    pub(crate) fn open(
        device: Arc<dyn BlockDevice>,
        options: OpenOptions,
    ) -> Result<Self, FileError> {
        let volume = Volume::new(device);
        let boot = BootSector::read(&volume)?;
        let mut files = Self {
            about: About {
                content: Content::ExFat,
                label: String::new(),
                uuid: format!("{:04X}-{:04X}", boot.serial >> 16, boot.serial & 0xFFFF),
                size_bytes: boot.size_bytes,
                used_bytes: None,
                state: if boot.is_dirty {
                    State::Behind(
                        "it was in use, and exFAT has no journal: files that were being written may be shorter or hold other bytes".to_owned(),
                    )
                } else {
                    State::Clean
                },
                is_case_sensitive: false,
            },
            volume,
            boot,
            upcase: None,
            large_letters: OnceLock::new(),
        };
        files.look_at_root(options)?;
        Ok(files)
    }

    /// Finds what the top folder says of the volume.
    fn look_at_root(&mut self, options: OpenOptions) -> Result<(), FileError> {
        let (mut label, mut upcase, mut bitmap) = (String::new(), None, None);
        let root = self.folder(ROOT)?;
        self.each_entry(&root, &mut |_, entry| {
            match entry[0] {
                entry_set::LABEL => {
                    let units = utf16_units(&entry[2..24]).take(usize::from(entry[1]));
                    label = String::from_utf8_lossy(&wtf8(units)).into_owned();
                }
                entry_set::UPCASE => upcase = Some(entry_set::stored(entry)),
                entry_set::BITMAP if bitmap.is_none() => bitmap = Some(entry_set::stored(entry)),
                // Behind these, which come first, are files.
                entry_set::FILE if upcase.is_some() && bitmap.is_some() => {
                    return ControlFlow::Break(());
                }
                _ => {}
            }
            ControlFlow::Continue(())
        })?;
        self.about.label = label;
        self.upcase = upcase;
        if let (true, Some(bitmap)) = (options.count_used, bitmap) {
            self.about.used_bytes = Some(self.used_bytes(&bitmap)?);
        }
        Ok(())
    }

    fn used_bytes(&self, bitmap: &Stored) -> Result<u64, FileError> {
        let file = self.file(bitmap, bitmap.len_bytes)?;
        let needed = u64::from(self.boot.area.clusters);
        let (mut used, mut at) = (0, 0);
        let mut bytes = vec![0; READ_BYTES];
        while at * 8 < needed {
            let read = file.read_at(at, &mut bytes)?;
            if read == 0 {
                return Err(corrupt("the bitmap is shorter than the volume"));
            }
            for byte in bytes.iter().take(read) {
                let valid = needed.saturating_sub(at * 8).min(8);
                let bits = u16::from(*byte) & ((1_u16 << valid) - 1);
                used += u64::from(bits.count_ones());
                at += 1;
            }
        }
        Ok(used * self.boot.area.cluster_bytes)
    }

    fn next(&self, cluster: u32) -> Result<Option<u32>, FileError> {
        let mut bytes = [0; 4];
        let offset = self.boot.table_offset + u64::from(cluster) * 4;
        self.volume.read(offset, &mut bytes)?;
        Ok(Some(u32::from_le_bytes(bytes)).filter(|next| self.boot.area.has(*next)))
    }

    fn places(&self, stored: &Stored) -> Result<Vec<Place>, FileError> {
        let area = &self.boot.area;
        let max = stored.len_bytes.div_ceil(area.cluster_bytes);
        if max == 0 || !area.has(stored.first) {
            return Ok(Vec::new());
        }
        if stored.is_chain {
            return follow(stored.first, max, |cluster| self.next(cluster));
        }
        let count = u32::try_from(max).unwrap_or(u32::MAX);
        let last = stored.first.checked_add(count - 1);
        if !last.is_some_and(|last| area.has(last)) {
            return Err(corrupt("a file leaves the volume"));
        }
        Ok(vec![Place {
            first: stored.first,
            count,
        }])
    }

    fn file(&self, stored: &Stored, valid_bytes: u64) -> Result<ClusterFile<'_>, FileError> {
        let places = self.places(stored)?;
        Ok(ClusterFile {
            volume: &self.volume,
            extents: self.boot.area.extents(&places).collect(),
            size_bytes: stored.len_bytes,
            valid_bytes,
        })
    }

    fn folder(&self, id: NodeId) -> Result<Folder, FileError> {
        let stored = if id == ROOT {
            Stored {
                first: self.boot.root,
                len_bytes: FOLDER_BYTES_MAX,
                is_chain: true,
            }
        } else {
            let set = self.set(id)?;
            if !set.is_folder() {
                return Err(FileError::new(FileErrorKind::WrongKind, "it is no folder"));
            }
            if set.stored.len_bytes > FOLDER_BYTES_MAX {
                return Err(corrupt("a folder is longer than any"));
            }
            set.stored
        };
        let places = self.places(&stored)?;
        if places.is_empty() && stored.len_bytes > 0 {
            return Err(corrupt("a folder is nowhere on the volume"));
        }
        Ok(Folder { stored, places })
    }

    /// Calls `visit` with each entry of a folder and its place on the volume.
    fn each_entry(
        &self,
        folder: &Folder,
        visit: &mut dyn FnMut(u64, &Entry) -> ControlFlow<()>,
    ) -> Result<(), FileError> {
        for extent in self.boot.area.extents(&folder.places) {
            for number in 0..extent.len_bytes / ENTRY_BYTES {
                let offset = extent.volume_offset + number * ENTRY_BYTES;
                let mut entry = [0; 32];
                self.volume.read(offset, &mut entry)?;
                if entry[0] == entry_set::END || visit(offset, &entry).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Calls `visit` with each file of a folder. Those whose entries are damaged are passed over,
    /// and are an error when all others were seen.
    fn each_set(
        &self,
        id: NodeId,
        visit: &mut dyn FnMut(NodeId, EntrySet) -> ControlFlow<()>,
    ) -> Result<(), FileError> {
        let folder = self.folder(id)?;
        let mut wrong = None;
        let mut begun: Option<(NodeId, usize, Vec<Entry>)> = None;
        self.each_entry(&folder, &mut |offset, entry| {
            if entry[0] == entry_set::FILE {
                let id = NodeId {
                    tree: 0,
                    number: offset / ENTRY_BYTES * 2 + u64::from(!folder.stored.is_chain),
                };
                match entry_set::secondary_count(entry) {
                    Ok(count) => begun = Some((id, usize::from(count), vec![*entry])),
                    Err(error) => wrong = Some(error),
                }
                return ControlFlow::Continue(());
            }
            let Some((id, count, mut entries)) = begun.take() else {
                return ControlFlow::Continue(());
            };
            entries.push(*entry);
            if entries.len() <= count {
                begun = Some((id, count, entries));
                return ControlFlow::Continue(());
            }
            match EntrySet::parse(&entries) {
                Ok(set) => visit(id, set),
                Err(error) => {
                    wrong = Some(error);
                    ControlFlow::Continue(())
                }
            }
        })?;
        wrong.map_or(Ok(()), Err)
    }

    /// Returns a file or folder that is not the top folder.
    fn set(&self, id: NodeId) -> Result<EntrySet, FileError> {
        let missing = || FileError::new(FileErrorKind::NotFound, "there is no such file");
        let is_chain = id.number.is_multiple_of(2);
        let mut offset = (id.number / 2)
            .checked_mul(ENTRY_BYTES)
            .ok_or_else(missing)?;
        let mut entries: Vec<Entry> = Vec::new();
        let mut count = 0;
        while entries.len() <= count {
            let cluster = self.boot.area.cluster_at(offset).ok_or_else(missing)?;
            let mut entry = [0; 32];
            self.volume.read(offset, &mut entry)?;
            if entries.is_empty() {
                if id.tree != 0 || entry[0] != entry_set::FILE {
                    return Err(missing());
                }
                count = usize::from(entry_set::secondary_count(&entry)?);
            }
            entries.push(entry);
            offset += ENTRY_BYTES;
            let is_end = self.boot.area.cluster_at(offset) != Some(cluster);
            if is_end && is_chain && entries.len() <= count {
                let next = self.next(cluster)?.ok_or_else(missing)?;
                offset = self.boot.area.place(next);
            }
        }
        EntrySet::parse(&entries)
    }
}

fn corrupt(what: &str) -> FileError {
    FileError::new(FileErrorKind::Corrupt, what)
}

impl GuestFileSystem for ExFat {
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
        let set = self.set(id)?;
        Ok(entry_node(
            id,
            set.is_folder(),
            set.stored.len_bytes,
            set.times,
            u32::from(set.attributes),
        ))
    }

    fn list(&self, folder: NodeId, visit: &mut Visit<'_>) -> Result<(), FileError> {
        self.each_set(
            folder,
            &mut |id, set| match FileName::from_utf16(utf16_units(&set.name)) {
                Some(name) => visit(name, id),
                None => ControlFlow::Continue(()),
            },
        )
    }

    fn find(&self, folder: NodeId, name: &FileName) -> Result<Option<NodeId>, FileError> {
        let Some(wanted) = from_wtf8(name) else {
            return Ok(None);
        };
        let upcase = self.upcase()?;
        let mut found = None;
        self.each_set(folder, &mut |id, set| {
            if upcase.compare(&set.name, &wanted) == Ordering::Equal {
                found = Some(id);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })
        .or_else(|error| if found.is_some() { Ok(()) } else { Err(error) })?;
        Ok(found)
    }

    fn open<'a>(
        &'a self,
        file: NodeId,
        stream: Option<&FileName>,
    ) -> Result<Box<dyn GuestFile + 'a>, FileError> {
        refuse_stream("exFAT", stream)?;
        let set = match file {
            ROOT => None,
            file => Some(self.set(file)?).filter(|set| !set.is_folder()),
        };
        let set = set.ok_or_else(no_content)?;
        Ok(Box::new(self.file(&set.stored, set.valid_bytes)?))
    }

    fn link(&self, _link: NodeId) -> Result<Link, FileError> {
        Err(FileError::new(
            FileErrorKind::WrongKind,
            "exFAT has no links",
        ))
    }
}
