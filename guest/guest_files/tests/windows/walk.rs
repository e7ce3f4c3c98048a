//! All of a file system, through the trait.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use block_io::BlockDevice;
use guest_files::{FileError, FileName, GuestFile, GuestFileSystem, Link, Node, NodeId, NodeKind};

use crate::plain_runs::compare_plain_runs;

/// A file, folder or link, by its path.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) node: Node,
    /// Of a file.
    pub(crate) bytes: Vec<u8>,
    /// How many of them lie on the disk as they are.
    pub(crate) plain_bytes: u64,
    pub(crate) link: Option<Link>,
    pub(crate) streams: BTreeMap<String, Vec<u8>>,
}

/// Longer files are not read: stores of shadow copies.
pub(crate) const LARGE_BYTES: u64 = 64 << 20;

/// Reads everything, and sees that what lies on the disk as it is does.
pub(crate) fn walk(files: &dyn GuestFileSystem, disk: &dyn BlockDevice) -> BTreeMap<String, Found> {
    let mut found = BTreeMap::new();
    let mut todo = vec![(String::new(), files.root())];
    while let Some((path, folder)) = todo.pop() {
        for (name, id) in entries(files, folder).unwrap() {
            assert_eq!(files.find(folder, &name).unwrap(), Some(id), "{name}");
            let path = format!("{path}/{name}");
            let node = files.node(id).unwrap();
            let (mut bytes, mut plain_bytes) = (Vec::new(), 0);
            let mut link = None;
            match node.kind {
                NodeKind::Folder => todo.push((path.clone(), id)),
                NodeKind::File => {
                    let file = files.open(id, None).unwrap();
                    assert_eq!(file.size_bytes(), node.size_bytes, "{path}");
                    plain_bytes = compare_plain_runs(&*file, disk);
                    if node.size_bytes <= LARGE_BYTES {
                        bytes = all(&*file).unwrap_or_else(|error| panic!("{path}: {error}"));
                    }
                }
                NodeKind::Link => link = Some(files.link(id).unwrap()),
                NodeKind::Other => {}
            }
            let mut streams = BTreeMap::new();
            for stream in files.streams(id).unwrap() {
                let file = files.open(id, Some(&stream.name)).unwrap();
                assert_eq!(file.size_bytes(), stream.size_bytes);
                streams.insert(stream.name.to_string(), all(&*file).unwrap());
            }
            let new = Found {
                node,
                bytes,
                plain_bytes,
                link,
                streams,
            };
            assert!(found.insert(path, new).is_none());
        }
    }
    found
}

pub(crate) fn entries(
    files: &dyn GuestFileSystem,
    folder: NodeId,
) -> Result<Vec<(FileName, NodeId)>, FileError> {
    let mut entries = Vec::new();
    files.list(folder, &mut |name, id| {
        entries.push((name, id));
        ControlFlow::Continue(())
    })?;
    Ok(entries)
}

/// Reads a file in pieces of odd sizes.
pub(crate) fn all(file: &dyn GuestFile) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    for len in [1, 511, 4096, 70_001, 1 << 20].into_iter().cycle() {
        let from = bytes.len();
        bytes.resize(from + len, 0xEE);
        let read = file.read_at(from as u64, &mut bytes[from..])?;
        bytes.truncate(from + read);
        if read < len {
            break;
        }
    }
    Ok(bytes)
}

/// Returns the id that a path of names leads to.
pub(crate) fn find(files: &dyn GuestFileSystem, path: &str) -> Option<NodeId> {
    let mut id = files.root();
    for name in path.split('/') {
        id = files.find(id, &FileName::new(name.as_bytes())?).unwrap()?;
    }
    Some(id)
}
