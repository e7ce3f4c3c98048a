//! What is called the same by where it lies, over file systems that are made up here.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use block_io::ByteRanges;
use file_restore::{Change, DiffItem, Reading, Sameness, TreeDiff, VolumeChanges, VolumePair};
use guest_files::{
    About, Coding, FileError, FileErrorKind, FileExtent, FileName, GuestFile, GuestFileSystem,
    Link, Node, NodeId, NodeKind, Owner, State, Times, Visit,
};
use volume_map::Content;

const TOP: u64 = 0;
const FILE: u64 = 1;
const FOLDER: u64 = 2;

/// A volume with one file, and a folder whose entries are made up.
struct Volume {
    about: About,
    bytes: Vec<u8>,
    places: Vec<FileExtent>,
    is_readable: bool,
    /// Names in the folder; `None` where it cannot be listed.
    names: Option<BTreeMap<&'static str, u64>>,
}

impl Volume {
    fn new(bytes: Vec<u8>, places: Vec<FileExtent>) -> Self {
        Self {
            about: About {
                content: Content::Btrfs,
                label: String::new(),
                uuid: String::new(),
                size_bytes: 1 << 30,
                used_bytes: None,
                state: State::Clean,
                is_case_sensitive: true,
            },
            bytes,
            places,
            is_readable: true,
            names: Some(BTreeMap::new()),
        }
    }

    fn file(&self) -> Node {
        self.node(NodeId {
            tree: 0,
            number: FILE,
        })
        .unwrap()
    }
}

impl GuestFileSystem for Volume {
    fn about(&self) -> &About {
        &self.about
    }

    fn root(&self) -> NodeId {
        NodeId {
            tree: 0,
            number: TOP,
        }
    }

    fn node(&self, id: NodeId) -> Result<Node, FileError> {
        let is_folder = id.number == TOP || id.number == FOLDER;
        Ok(Node {
            id,
            kind: match is_folder {
                true => NodeKind::Folder,
                false => NodeKind::File,
            },
            size_bytes: self.bytes.len() as u64,
            links: 1,
            times: Times::default(),
            owner: Owner::Windows { attributes: 0 },
        })
    }

    fn list(&self, folder: NodeId, visit: &mut Visit<'_>) -> Result<(), FileError> {
        let top = BTreeMap::from([("folder", FOLDER)]);
        let names = match folder.number {
            TOP => Some(&top),
            _ => self.names.as_ref(),
        };
        let names = names.ok_or_else(|| FileError::new(FileErrorKind::Corrupt, "no list"))?;
        for (name, number) in names {
            let id = NodeId {
                tree: 0,
                number: *number,
            };
            if visit(FileName::new(name.as_bytes()).unwrap(), id).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn find(&self, _: NodeId, _: &FileName) -> Result<Option<NodeId>, FileError> {
        Ok(None)
    }

    fn open<'a>(
        &'a self,
        _: NodeId,
        _: Option<&FileName>,
    ) -> Result<Box<dyn GuestFile + 'a>, FileError> {
        match self.is_readable {
            true => Ok(Box::new(Bytes(self))),
            false => Err(FileError::new(FileErrorKind::Unreadable, "encrypted")),
        }
    }

    fn link(&self, _: NodeId) -> Result<Link, FileError> {
        Err(FileError::new(FileErrorKind::WrongKind, "no link"))
    }
}

struct Bytes<'a>(&'a Volume);

impl GuestFile for Bytes<'_> {
    fn size_bytes(&self) -> u64 {
        self.0.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, FileError> {
        let rest = &self.0.bytes[usize::try_from(offset).unwrap()..];
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn extents(&self, max: usize) -> Result<Vec<FileExtent>, FileError> {
        Ok(self.0.places.iter().copied().take(max).collect())
    }
}

fn place(file_offset: u64, volume_offset: u64, len_bytes: u64, coding: Coding) -> FileExtent {
    FileExtent {
        file_offset,
        volume_offset,
        len_bytes,
        coding,
    }
}

/// Compares two volumes of which these bytes changed, or none.
fn content(old: &Volume, new: &Volume, changed: Option<std::ops::Range<u64>>) -> Sameness {
    let pair = VolumePair {
        old,
        new,
        changes: VolumeChanges::Ranges(changed.into_iter().collect()),
    };
    pair.content(&old.file(), &new.file(), None, Reading::WhatChanged)
        .unwrap()
}

fn with(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}

const LEN: usize = 3 << 20;

#[test]
fn another_part_of_the_same_packed_bytes_is_another_content() {
    let packed = |file_bytes, skip_bytes| {
        let coding = Coding::Packed {
            file_bytes,
            skip_bytes,
        };
        vec![place(0, 4096, 4096, coding)]
    };
    let bytes = vec![7; LEN];
    let old = Volume::new(bytes.clone(), packed(131_072, 0));
    for (file_bytes, skip_bytes, at) in [(65_536, 0, 70_000), (131_072, 4096, 5)] {
        let new = Volume::new(with(&bytes, at), packed(file_bytes, skip_bytes));
        assert_eq!(content(&old, &new, None), Sameness::Differs);
    }
    let same = Volume::new(bytes.clone(), packed(131_072, 0));
    let elsewhere = 1 << 20..2 << 20;
    assert_eq!(content(&old, &same, Some(elsewhere)), Sameness::Same);
    // One byte of what is packed may change all that is packed with it.
    let new = Volume::new(with(&bytes, 131_071), packed(131_072, 0));
    assert_eq!(content(&old, &new, Some(4096..4097)), Sameness::Differs);
}

#[test]
fn what_is_inside_the_metadata_is_compared() {
    let bytes = vec![0; LEN];
    let behind = vec![place(8192, 1 << 20, 4096, Coding::Plain)];
    for places in [Vec::new(), behind] {
        let old = Volume::new(bytes.clone(), places.clone());
        let new = Volume::new(with(&bytes, 10), places.clone());
        assert_eq!(content(&old, &new, None), Sameness::Differs);
        assert_eq!(content(&new, &new, None), Sameness::Same);
        // It was inside, and has a place now.
        let moved = Volume::new(bytes.clone(), vec![place(16_384, 0, 1, Coding::Plain)]);
        assert_eq!(content(&new, &moved, None), Sameness::Differs);
    }
}

#[test]
fn what_lies_nobody_knows_where_is_read_whole() {
    let bytes = vec![0; LEN];
    let inside = vec![place(0, 0, 0, Coding::Opaque)];
    let old = Volume::new(bytes.clone(), inside.clone());
    let new = Volume::new(with(&bytes, LEN - 1), inside);
    assert_eq!(content(&old, &new, None), Sameness::Differs);
    let opaque = vec![place(0, 4096, 4096, Coding::Opaque)];
    let old = Volume::new(bytes.clone(), opaque.clone());
    let new = Volume::new(with(&bytes, LEN - 1), opaque);
    assert_eq!(content(&old, &new, Some(4096..4097)), Sameness::Differs);
}

#[test]
fn what_cannot_be_read_is_not_called_the_same() {
    let mut volume = Volume::new(vec![1; 10], Vec::new());
    volume.is_readable = false;
    volume.names = Some(BTreeMap::from([("file", FILE)]));
    let top = volume.node(volume.root()).unwrap();
    let diff = |changes, reading| {
        let pair = VolumePair {
            old: &volume,
            new: &volume,
            changes,
        };
        let mut diff = TreeDiff::new(&pair, Some(&top), Some(&top), reading);
        let found: Vec<DiffItem> = diff.by_ref().collect();
        let is_version = pair.is_same_version(&volume.file(), &volume.file(), reading);
        assert!(is_version.unwrap(), "all that is known is the same");
        (found.len(), diff.not_read())
    };
    let known = || VolumeChanges::Ranges(ByteRanges::from_iter(std::iter::once(0..4096)));
    assert_eq!(diff(known(), Reading::WhatChanged), (1, 0));
    assert_eq!(diff(known(), Reading::Everything), (1, 0));
    assert_eq!(diff(VolumeChanges::Unknown, Reading::Everything), (1, 0));
    assert_eq!(diff(VolumeChanges::Unknown, Reading::WhatChanged), (0, 1));
}

#[test]
fn of_a_folder_that_one_point_cannot_list_that_alone_is_told() {
    let mut old = Volume::new(vec![1; 10], Vec::new());
    old.names = Some(BTreeMap::from([("one", FILE), ("two", FILE)]));
    let mut new = Volume::new(vec![1; 10], Vec::new());
    new.names = None;
    for (old, new) in [(&old, &new), (&new, &old)] {
        let pair = VolumePair {
            old,
            new,
            changes: VolumeChanges::Unknown,
        };
        let top = old.node(old.root()).unwrap();
        let diff = TreeDiff::new(&pair, Some(&top), Some(&top), Reading::WhatChanged);
        let found: Vec<DiffItem> = diff.collect();
        let [DiffItem::Failed { path, .. }] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(path.len(), 1);
    }
    // What one point alone has is told with all that is in it.
    let pair = VolumePair {
        old: &old,
        new: &old,
        changes: VolumeChanges::Unknown,
    };
    let top = old.node(old.root()).unwrap();
    let added = TreeDiff::new(&pair, None, Some(&top), Reading::WhatChanged);
    let is_added =
        |item: &DiffItem| matches!(item, DiffItem::Changed(it) if it.change == Change::Added);
    assert_eq!(added.filter(is_added).count(), 3);
}
