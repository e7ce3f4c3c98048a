//! What new files are, and what they are not before they are finished.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use block_io::{
    BlockDevice as _, DiskErrorKind, DiskLayer, ImageFile, LayerExtentKind, LayeredDisk,
    MemoryFile, WritableFile,
};
use vhd_format::{CreateKind, CreateOptions, LocatorKind, ParentLink, VhdLayer, create};

fn memory() -> Arc<MemoryFile> {
    Arc::new(MemoryFile::new("new.vhd", Vec::new()))
}

#[test]
fn data_is_aligned_to_4_kib_and_the_bitmap_ends_where_it_starts() {
    let file = memory();
    let image = create(
        file.clone(),
        CreateOptions::new(5 << 20, CreateKind::Dynamic),
    )
    .unwrap();
    image.write_at(4 << 20, &[1]).unwrap();
    image.write_at(0, &[2]).unwrap();
    image.finish().unwrap();
    let bytes = file.to_vec();
    let entry =
        |block: usize| u32::from_be_bytes(bytes[1536 + 4 * block..][..4].try_into().unwrap());
    assert_eq!([entry(0), entry(1), entry(2)], [4111, u32::MAX, 7]);
    assert_eq!((bytes[8 * 512], bytes[4112 * 512]), (1, 2));
    assert!(bytes[7 * 512..8 * 512].iter().all(|byte| *byte == 0xFF));
    // The footer is the last sector of a 4 KiB unit, and its copy is the same.
    assert_eq!(bytes.len() % 4096, 0);
    assert_eq!(bytes[..512], bytes[bytes.len() - 512..]);
}

#[test]
fn an_unfinished_file_is_not_an_image() {
    for kind in [CreateKind::Fixed, CreateKind::Dynamic] {
        let file = memory();
        let image = create(file.clone(), CreateOptions::new(1 << 20, kind)).unwrap();
        image.write_at(0, &[1; 4096]).unwrap();
        drop(image);
        let error = VhdLayer::open(file).err().unwrap();
        assert_eq!(error.kind(), DiskErrorKind::Corrupt);
    }
}

#[test]
fn impossible_disks_are_refused() {
    for (size, block) in [
        (0, 2 << 20),
        (511, 2 << 20),
        ((2040 << 30) + 512, 2 << 20),
        (1 << 20, 3 << 20),
        (1 << 20, 512),
    ] {
        let mut options = CreateOptions::new(size, CreateKind::Dynamic);
        options.block_bytes = block;
        let error = create(memory(), options).err().unwrap();
        assert_eq!(error.kind(), DiskErrorKind::OutOfRange, "{size} {block}");
    }
    let largest = CreateOptions::new(2040 << 30, CreateKind::Dynamic);
    let file = memory();
    create(file.clone(), largest).unwrap().finish().unwrap();
    let layer = VhdLayer::open(file).unwrap();
    assert_eq!(layer.size_bytes(), 2040 << 30);
    // Even the largest empty disk is skipped over in few calls.
    let mut offset = 0;
    let mut calls = 0;
    while offset < layer.size_bytes() {
        let extent = layer
            .layer_extent_at(offset, layer.size_bytes() - offset)
            .unwrap();
        assert_eq!(extent.kind, LayerExtentKind::Parent);
        offset += extent.len_bytes;
        calls += 1;
    }
    assert!(calls < 100);
}

#[test]
fn threads_write_one_image() {
    let file = memory();
    let options = CreateOptions {
        block_bytes: 64 << 10,
        ..CreateOptions::new(4 << 20, CreateKind::Dynamic)
    };
    let image = create(file.clone(), options).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let image = &image;
            scope.spawn(move || {
                // Neighbours write into the same blocks.
                for piece in (thread..1024).step_by(4) {
                    image
                        .write_at(piece * 4096, &[thread as u8 + 1; 4096])
                        .unwrap();
                }
            });
        }
    });
    image.finish().unwrap();
    let disk = LayeredDisk::new(vec![Arc::new(VhdLayer::open(file).unwrap())]).unwrap();
    let mut bytes = vec![0; 4 << 20];
    disk.read_at(0, &mut bytes).unwrap();
    for (piece, part) in bytes.chunks(4096).enumerate() {
        assert!(part.iter().all(|byte| *byte == (piece % 4) as u8 + 1));
    }
}

#[test]
fn parent_and_paths_read_back() {
    let link = ParentLink {
        unique_id: uuid::Uuid::from_u128(0x1234),
        relative_path: Some(".\\bäse.vhd".to_owned()),
        absolute_path: Some("C:\\VMs\\bäse.vhd".to_owned()),
    };
    let file = memory();
    create(
        file.clone(),
        CreateOptions::new(1 << 20, CreateKind::Differencing(link)),
    )
    .unwrap()
    .finish()
    .unwrap();
    let layer = VhdLayer::open(file).unwrap();
    assert_eq!(
        layer.info().parent_unique_id,
        Some(uuid::Uuid::from_u128(0x1234))
    );
    assert_eq!(
        layer.info().parent_name.as_deref(),
        Some("C:\\VMs\\bäse.vhd")
    );
    let found: Vec<_> = layer
        .parent_locators()
        .iter()
        .map(|locator| (locator.kind, locator.path.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (LocatorKind::Absolute, "C:\\VMs\\bäse.vhd"),
            (LocatorKind::Relative, ".\\bäse.vhd")
        ]
    );
}

#[test]
fn a_callers_mistake_does_the_file_no_harm() {
    let link = ParentLink {
        unique_id: uuid::Uuid::from_u128(1),
        relative_path: None,
        absolute_path: None,
    };
    let options = CreateOptions::new(1 << 20, CreateKind::Differencing(link));
    let image = create(memory(), options).unwrap();
    for (offset, len) in [(100, 512), (0, 100), (1 << 20, 512), (u64::MAX, 512)] {
        let error = image.write_at(offset, &vec![1; len]).unwrap_err();
        assert_eq!(error.kind(), DiskErrorKind::OutOfRange);
    }
    image.write_at(0, &[1; 512]).unwrap();
    image.finish().unwrap();
}

/// A file on a volume with room for a few more writes.
struct FullVolume {
    file: MemoryFile,
    writes_left: AtomicI64,
}

impl ImageFile for FullVolume {
    fn name(&self) -> &str {
        "full.vhd"
    }
    fn size_bytes(&self) -> io::Result<u64> {
        self.file.size_bytes()
    }
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(offset, buf)
    }
}

impl WritableFile for FullVolume {
    fn write_all_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if self.writes_left.fetch_sub(1, Ordering::SeqCst) <= 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_all_at(offset, data)
    }
    fn set_size_bytes(&self, size_bytes: u64) -> io::Result<()> {
        self.file.set_size_bytes(size_bytes)
    }
    fn flush(&self) -> io::Result<()> {
        self.file.flush()
    }
}

#[test]
fn a_full_volume_poisons_the_image_and_never_leaves_one() {
    for kind in [CreateKind::Fixed, CreateKind::Dynamic] {
        for writes in 0.. {
            let file = Arc::new(FullVolume {
                file: MemoryFile::new("full.vhd", Vec::new()),
                writes_left: AtomicI64::new(writes),
            });
            let image = create(file.clone(), CreateOptions::new(8 << 20, kind.clone())).unwrap();
            let written = image.write_at(0, &[1; 512]);
            if let Err(error) = written {
                assert_eq!(error.kind(), DiskErrorKind::NoSpace);
                // There is room again, but what was lost does not come back.
                file.writes_left.store(100, Ordering::SeqCst);
                let error = image.write_at(512, &[1; 512]).unwrap_err();
                assert_eq!(error.kind(), DiskErrorKind::Poisoned);
                assert_eq!(image.finish().unwrap_err().kind(), DiskErrorKind::Poisoned);
            } else if let Err(error) = image.finish() {
                assert_eq!(error.kind(), DiskErrorKind::NoSpace);
            } else {
                assert!(VhdLayer::open(file).is_ok());
                break;
            }
        }
    }
}
