//! What FAT and exFAT say of a file: they have no numbers, no names beside the first and no owners.

use crate::{FileError, FileErrorKind, FileName, Node, NodeId, NodeKind, Owner, Times};

/// `FILE_ATTRIBUTE_DIRECTORY`.
const FOLDER: u32 = 0x10;

/// Returns the top folder, of which no entry tells.
pub(crate) fn top_folder(id: NodeId) -> Node {
    entry_node(id, true, 0, Times::default(), FOLDER)
}

/// Returns what an entry tells. A folder's length is left out: it is of its entries.
pub(crate) fn entry_node(
    id: NodeId,
    is_folder: bool,
    size_bytes: u64,
    times: Times,
    attributes: u32,
) -> Node {
    let (kind, size_bytes) = if is_folder {
        (NodeKind::Folder, 0)
    } else {
        (NodeKind::File, size_bytes)
    };
    Node {
        id,
        kind,
        size_bytes,
        links: 1,
        times,
        owner: Owner::Windows { attributes },
    }
}

/// Refuses a named stream, of which `system` has none.
pub(crate) fn refuse_stream(system: &str, stream: Option<&FileName>) -> Result<(), FileError> {
    match stream {
        None => Ok(()),
        Some(_) => {
            let what = format!("{system} has no named streams");
            Err(FileError::new(FileErrorKind::NotFound, what))
        }
    }
}

/// A folder was opened as if it were a file.
pub(crate) fn no_content() -> FileError {
    FileError::new(FileErrorKind::WrongKind, "a folder has no content")
}
