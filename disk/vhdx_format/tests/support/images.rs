//! Small images in memory.

use std::sync::Arc;

use block_io::{DiskLayer, ImageFile, LayeredDisk, MemoryFile, NewImage as _, WritableFile};
use vhdx_format::{CreateKind, CreateOptions, GuidSource, VhdxInfo, VhdxLayer, create};

pub(crate) const MIB: u64 = 1 << 20;

/// Options with 1 MiB blocks and the same GUIDs each time.
pub(crate) fn small(size_bytes: u64, kind: CreateKind) -> CreateOptions {
    CreateOptions {
        block_bytes: 1 << 20,
        guids: GuidSource::Counting(100),
        ..CreateOptions::new(size_bytes, kind)
    }
}

/// Options of a child with 1 MiB blocks.
pub(crate) fn small_child(parent: &VhdxInfo, guids: u64) -> CreateOptions {
    CreateOptions {
        block_bytes: 1 << 20,
        guids: GuidSource::Counting(guids),
        ..CreateOptions::child_of(parent, Some(".\\base.vhdx".into()), None)
    }
}

/// Makes an image with these writes and returns its file.
pub(crate) fn image(options: &CreateOptions, writes: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let file = Arc::new(MemoryFile::new("new.vhdx", Vec::new()));
    let new = create(Arc::clone(&file) as Arc<dyn WritableFile>, options).unwrap();
    for (offset, data) in writes {
        new.write_at(*offset, data).unwrap();
    }
    Box::new(new).finish().unwrap();
    file.to_vec()
}

pub(crate) fn memory(bytes: Vec<u8>) -> Arc<dyn ImageFile> {
    Arc::new(MemoryFile::new("test.vhdx", bytes))
}

pub(crate) fn layer(bytes: &[u8]) -> VhdxLayer {
    VhdxLayer::open(memory(bytes.to_vec())).unwrap()
}

/// Stacks images, leaf first.
pub(crate) fn chain(files: &[&[u8]]) -> LayeredDisk {
    let layers = files
        .iter()
        .map(|bytes| Arc::new(layer(bytes)) as Arc<dyn DiskLayer>)
        .collect();
    LayeredDisk::new(layers).unwrap()
}
