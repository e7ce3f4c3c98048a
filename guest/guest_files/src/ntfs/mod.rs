//! NTFS 3.0 and 3.1.
//!
//! | What | How |
//! |---|---|
//! | content | resident, in clusters, sparse, LZNT1, WOF (XPRESS and LZX); zeros beyond the valid length |
//! | refused by name | EFS, deduplicated files, placeholders of cloud storage, other reparse points |
//! | links | symbolic links, junctions, mounted volumes, links of the Windows Subsystem for Linux |
//! | names | short names (8.3) are found, not listed |
//! | log | not replayed: a volume that was in use is [`crate::State::Behind`] |
//!
//! A node's number is its file reference: the record's number, and how often the record was used.

mod content;
mod index;
mod node;
mod security;
mod state;
mod streams;
mod table;
mod wof;

use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use block_io::BlockDevice;
use ntfs_format::{
    AttributeKind, FileNameValue, FileRecord, NameSpace, ReparsePoint, UpCase, record_number,
    record_sequence, tags,
};
use volume_map::Content as VolumeContent;

use crate::file_name::{from_wtf8, utf16_units, wtf8};
use crate::volume::Volume;
use crate::{
    About, FileError, FileErrorKind, FileName, GuestFile, GuestFileSystem, Link, LinkKind, Node,
    NodeId, OpenOptions, Stream, Visit,
};
use content::NtfsFile;
use index::{Index, Sought};
use table::{Table, corrupt};

/// Files below this number are the file system's own.
const OWN_FILES: u64 = 16;
const VOLUME: u64 = 3;
const ROOT: u64 = 5;
const UPCASE: u64 = 10;

/// Names of attributes, in UTF-16.
const FOLDER_INDEX: &[u8] = b"$\0I\x003\x000\0";
const WOF_STREAM: &str = "WofCompressedData";

/// An NTFS volume.
pub(crate) struct Ntfs {
    table: Table,
    about: About,
    root: NodeId,
    upcase: OnceLock<UpCase>,
}

impl Ntfs {
    pub(crate) fn open(
        device: Arc<dyn BlockDevice>,
        options: OpenOptions,
    ) -> Result<Self, FileError> {
        let table = Table::open(Volume::new(device))?;
        let volume = table.record(VOLUME)?;
        let label = match table.content(&volume, AttributeKind::VolumeName, &[])? {
            Some(content) => {
                String::from_utf8_lossy(&wtf8(utf16_units(&table.whole(&content)?))).into_owned()
            }
            None => String::new(),
        };
        let about = About {
            content: VolumeContent::Ntfs,
            label,
            uuid: format!("{:016X}", table.boot.serial),
            size_bytes: table.boot.size_bytes,
            used_bytes: if options.count_used {
                Some(state::used_bytes(&table)?)
            } else {
                None
            },
            state: state::of(&table, &volume)?,
            is_case_sensitive: false,
        };
        let root = table.record(ROOT)?;
        Ok(Self {
            root: id_of(&root),
            table,
            about,
            upcase: OnceLock::new(),
        })
    }

    /// Returns the record that an id stands for.
    fn record(&self, id: NodeId) -> Result<FileRecord, FileError> {
        let record = self.table.record(record_number(id.number))?;
        let sequence = record_sequence(id.number);
        let is_it = id.tree == 0 && record.base() == 0 && record.sequence() == sequence;
        if is_it {
            Ok(record)
        } else {
            let what = format!("file {} is another now", record.number());
            Err(FileError::new(FileErrorKind::NotFound, what))
        }
    }

    fn folder(&self, id: NodeId) -> Result<Index<'_>, FileError> {
        let record = self.record(id)?;
        let wrong = || FileError::new(FileErrorKind::WrongKind, "it is no folder");
        if !record.is_folder() {
            return Err(wrong());
        }
        Index::open(&self.table, &record, FOLDER_INDEX)?.ok_or_else(wrong)
    }

    fn upcase(&self) -> Result<&UpCase, FileError> {
        if let Some(upcase) = self.upcase.get() {
            return Ok(upcase);
        }
        let record = self.table.record(UPCASE)?;
        let content = self.table.content(&record, AttributeKind::Data, &[])?;
        let content = content.ok_or_else(|| corrupt("the table of large letters is empty"))?;
        let upcase = UpCase::parse(&self.table.whole(&content)?)?;
        Ok(self.upcase.get_or_init(|| upcase))
    }
}

fn id_of(record: &FileRecord) -> NodeId {
    NodeId {
        tree: 0,
        number: u64::from(record.sequence()) << 48 | record.number(),
    }
}

fn id(reference: u64) -> NodeId {
    NodeId {
        tree: 0,
        number: reference,
    }
}

impl GuestFileSystem for Ntfs {
    fn about(&self) -> &About {
        &self.about
    }

    fn root(&self) -> NodeId {
        self.root
    }

    fn node(&self, id: NodeId) -> Result<Node, FileError> {
        node::read(&self.table, &self.record(id)?, id)
    }

    fn list(&self, folder: NodeId, visit: &mut Visit<'_>) -> Result<(), FileError> {
        let mut wrong = None;
        self.folder(folder)?.walk(&mut |entry| {
            let key = entry.key.unwrap_or_default();
            let name = match FileNameValue::parse(key) {
                Ok(name) => name,
                Err(error) => {
                    wrong = Some(error);
                    return ControlFlow::Break(());
                }
            };
            let is_own = record_number(entry.reference) < OWN_FILES;
            if is_own || name.name_space == NameSpace::Dos {
                return ControlFlow::Continue(());
            }
            match FileName::from_utf16(utf16_units(name.name)) {
                Some(name) => visit(name, id(entry.reference)),
                None => ControlFlow::Continue(()),
            }
        })?;
        wrong.map_or(Ok(()), |error| Err(error.into()))
    }

    fn find(&self, folder: NodeId, name: &FileName) -> Result<Option<NodeId>, FileError> {
        let index = self.folder(folder)?;
        let Some(wanted) = from_wtf8(name) else {
            return Ok(None);
        };
        let upcase = self.upcase()?;
        let (mut found, mut wrong) = (None, None);
        index.search(&mut |entry| {
            let stored = match FileNameValue::parse(entry.key.unwrap_or_default()) {
                Ok(stored) => stored.name,
                Err(error) => {
                    wrong = Some(error);
                    return Sought::Here;
                }
            };
            if record_number(entry.reference) < OWN_FILES {
                return match upcase.compare(&wanted, stored) {
                    Ordering::Less => Sought::Before,
                    Ordering::Equal => Sought::Around,
                    Ordering::Greater => Sought::After,
                };
            }
            match upcase.compare(&wanted, stored) {
                Ordering::Less => Sought::Before,
                Ordering::Greater => Sought::After,
                Ordering::Equal if stored == wanted => {
                    found = Some(id(entry.reference));
                    Sought::Here
                }
                // Names may differ in case alone, where a system that tells them apart made them.
                Ordering::Equal => {
                    found.get_or_insert(id(entry.reference));
                    Sought::Around
                }
            }
        })?;
        wrong.map_or(Ok(found), |error| Err(error.into()))
    }

    fn open<'a>(
        &'a self,
        file: NodeId,
        stream: Option<&FileName>,
    ) -> Result<Box<dyn GuestFile + 'a>, FileError> {
        let record = self.record(file)?;
        if let Some(name) = stream {
            let missing = || {
                let what = format!("there is no stream {name}");
                FileError::new(FileErrorKind::NotFound, what)
            };
            let name = self.stream_name(&record, name)?.ok_or_else(missing)?;
            let content = self.data(&record, &name)?.ok_or_else(missing)?;
            return Ok(Box::new(NtfsFile::new(&self.table, content)?));
        }
        if record.is_folder() {
            let what = "a folder has no content";
            return Err(FileError::new(FileErrorKind::WrongKind, what));
        }
        Ok(Box::new(self.open_unnamed(&record)?))
    }

    fn link(&self, link: NodeId) -> Result<Link, FileError> {
        let record = self.record(link)?;
        let bytes = self.reparse_point(&record)?;
        let no_link = || FileError::new(FileErrorKind::WrongKind, "it is no link");
        let bytes = bytes.ok_or_else(no_link)?;
        let point = ReparsePoint::parse(&bytes)?;
        let kind = match point.tag {
            tags::MOUNT_POINT => LinkKind::Junction,
            tags::SYMBOLIC_LINK => LinkKind::Symbolic,
            tags::LINUX_LINK => {
                return Ok(Link {
                    kind: LinkKind::Symbolic,
                    target: point.linux_target()?.to_vec(),
                });
            }
            _ => return Err(no_link()),
        };
        let target = wtf8(utf16_units(point.target()?));
        // The object manager's name for what everybody calls by its drive letter.
        let target = match target.strip_prefix(br"\??\") {
            Some([letter, b':', ..]) if letter.is_ascii_alphabetic() => target[4..].to_vec(),
            _ => target,
        };
        Ok(Link { kind, target })
    }

    fn streams(&self, node: NodeId) -> Result<Vec<Stream>, FileError> {
        let record = self.record(node)?;
        let mut streams = Vec::new();
        let is_wof = match self.reparse_point(&record)? {
            Some(bytes) => ReparsePoint::parse(&bytes)?.tag == tags::WOF,
            None => false,
        };
        self.each_stream(&record, |name, size_bytes| {
            if is_wof && ntfs_format::is_called(name, WOF_STREAM) {
                return;
            }
            if let Some(name) = FileName::from_utf16(utf16_units(name)) {
                streams.push(Stream { name, size_bytes });
            }
        })?;
        Ok(streams)
    }

    fn security_descriptor(&self, node: NodeId) -> Result<Option<Vec<u8>>, FileError> {
        security::descriptor(&self.table, &self.record(node)?)
    }
}
