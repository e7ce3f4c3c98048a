//! Reads all that a volume shows, within bounds of its own.

use std::ops::ControlFlow;
use std::sync::Arc;

use block_io::BlockDevice;
use guest_files::{FileName, GuestFileSystem, NodeId, NodeKind, OpenOptions, open_file_system};
use volume_map::Content;

/// What a volume may claim to hold before we have seen enough.
const MOST_NODES: u64 = 2_000;
const MOST_ENTRIES: u64 = 3_000;
const MOST_LEVELS: usize = 20;

/// What was seen.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Walked {
    pub(crate) opened: u64,
    pub(crate) nodes: u64,
    pub(crate) errors: u64,
    /// Errors that a foreign crate's panic became.
    pub(crate) panics: u64,
}

impl Walked {
    fn see<T>(&mut self, result: Result<T, guest_files::FileError>) -> Option<T> {
        if let Err(error) = &result {
            self.errors += 1;
            self.panics += u64::from(error.to_string().contains("its reader gave up"));
        }
        result.ok()
    }
}

/// Opens a volume and looks at everything; at content too where that is asked for.
pub(crate) fn walk(disk: Arc<dyn BlockDevice>, content: Content, with_content: bool) -> Walked {
    let mut walked = Walked::default();
    let opened = open_file_system(disk, content, OpenOptions::default());
    if let Some(volume) = walked.see(opened) {
        walked.opened = 1;
        let _ = volume.about();
        let root = volume.root();
        node(volume.as_ref(), root, with_content, 0, &mut walked);
    }
    walked
}

fn node(
    volume: &dyn GuestFileSystem,
    id: NodeId,
    with_content: bool,
    level: usize,
    walked: &mut Walked,
) {
    walked.nodes += 1;
    if walked.nodes > MOST_NODES || level > MOST_LEVELS {
        return;
    }
    let Some(node_found) = walked.see(volume.node(id)) else {
        return;
    };
    walked.see(volume.attributes(id));
    match node_found.kind {
        NodeKind::Folder => {
            let mut children = Vec::new();
            let mut seen = 0;
            let listed = volume.list(id, &mut |name: FileName, child| {
                seen += 1;
                children.push((name, child));
                if seen < MOST_ENTRIES {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
            walked.see(listed);
            for (place, (name, child)) in children.into_iter().enumerate() {
                if place % 64 == 0 {
                    walked.see(volume.find(id, &name));
                }
                node(volume, child, with_content, level + 1, walked);
            }
        }
        NodeKind::Link => {
            walked.see(volume.link(id));
        }
        NodeKind::File if with_content => file(volume, id, walked),
        NodeKind::File => {
            walked
                .see(volume.open(id, None))
                .map(|file| walked.see(file.extents(100)));
        }
        NodeKind::Other => {}
    }
}

fn file(volume: &dyn GuestFileSystem, id: NodeId, walked: &mut Walked) {
    let Some(file) = walked.see(volume.open(id, None)) else {
        return;
    };
    let size = file.size_bytes();
    let mut buf = vec![0; 20_000];
    for offset in [0, size / 2, size.saturating_sub(5000), size, u64::MAX - 5] {
        walked.see(file.read_at(offset, &mut buf));
    }
    walked.see(file.extents(50));
}
