//! Reads all that a volume shows, within bounds of its own.

use std::ops::ControlFlow;
use std::sync::Arc;

use block_io::BlockDevice;
use guest_files::{
    FileError, FileName, GuestFile, GuestFileSystem, NodeId, NodeKind, OpenOptions,
    open_file_system,
};
use volume_map::Content;

/// What a volume may claim to hold before we have seen enough.
const MOST_NODES: u64 = 2_000;
const MOST_LEVELS: usize = 20;

/// What was seen.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Walked {
    pub(crate) opened: u64,
    pub(crate) nodes: u64,
    pub(crate) errors: u64,
}

impl Walked {
    pub(crate) fn add(&mut self, other: Self) {
        self.opened += other.opened;
        self.nodes += other.nodes;
        self.errors += other.errors;
    }

    fn see<T>(&mut self, result: Result<T, FileError>) -> Option<T> {
        self.errors += u64::from(result.is_err());
        result.ok()
    }
}

/// Opens a volume and looks at everything; at content too where that is asked for.
pub(crate) fn walk(disk: Arc<dyn BlockDevice>, content: Content, with_content: bool) -> Walked {
    let mut walked = Walked::default();
    let mut options = OpenOptions::default();
    options.count_used = true;
    let opened = open_file_system(disk, content, options);
    if let Some(volume) = walked.see(opened) {
        walked.opened = 1;
        node(&*volume, volume.root(), with_content, 0, &mut walked);
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
    let Some(found) = walked.see(volume.node(id)) else {
        return;
    };
    walked.see(volume.security_descriptor(id));
    for stream in walked.see(volume.streams(id)).unwrap_or_default() {
        if let Some(file) = walked.see(volume.open(id, Some(&stream.name))) {
            read(&*file, with_content, walked);
        }
    }
    match found.kind {
        NodeKind::Folder => folder(volume, id, with_content, level, walked),
        NodeKind::Link => {
            walked.see(volume.link(id));
        }
        NodeKind::File => {
            if let Some(file) = walked.see(volume.open(id, None)) {
                read(&*file, with_content, walked);
            }
        }
        NodeKind::Other => {}
    }
}

fn folder(
    volume: &dyn GuestFileSystem,
    id: NodeId,
    with_content: bool,
    level: usize,
    walked: &mut Walked,
) {
    let mut children: Vec<(FileName, NodeId)> = Vec::new();
    let listed = volume.list(id, &mut |name, child| {
        children.push((name, child));
        ControlFlow::Continue(())
    });
    walked.see(listed);
    for (place, (name, child)) in children.into_iter().enumerate() {
        if place % 16 == 0 {
            walked.see(volume.find(id, &name));
        }
        node(volume, child, with_content, level + 1, walked);
    }
}

fn read(file: &dyn GuestFile, with_content: bool, walked: &mut Walked) {
    walked.see(file.extents(50));
    if !with_content {
        return;
    }
    let size = file.size_bytes();
    let mut buf = vec![0; 50_000];
    for offset in [
        0,
        100_000,
        size / 2,
        size.saturating_sub(5000),
        size,
        u64::MAX - 5,
    ] {
        walked.see(file.read_at(offset, &mut buf));
    }
}
