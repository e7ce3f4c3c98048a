//! What is written is what is read: new images, chains, and changes in place, against a flat model.
#![expect(clippy::unwrap_used, reason = "test helpers; the numbers are small")]

mod support;

use std::sync::Arc;

use block_io::{
    BlockDevice as _, DiskErrorKind, DiskLayer, ImageFile, LayerExtentKind, LayeredDisk,
    MemoryFile, NewImage as _, WritableDevice as _, WritableFile,
};
use disk_model::{CrashFile, DiskOp, ModelDisk, disk_ops, pattern};
use proptest::prelude::*;
use support::images::{MIB, chain, image, layer, memory, small, small_child};
use vhdx_format::{
    CreateKind, CreateOptions, GuidSource, Severity, VhdxDevice, VhdxDisk, VhdxLayer, check, create,
};

const SIZE: u64 = 5 * MIB + 512 * 3;

fn assert_healthy(bytes: &[u8]) {
    let problems = check(memory(bytes.to_vec()));
    assert!(
        problems
            .iter()
            .all(|problem| problem.severity == Severity::Info),
        "{problems:?}"
    );
}

/// Applies writes to the model, and returns them for an image.
fn writes(ops: &[DiskOp], model: &mut ModelDisk) -> Vec<(u64, Vec<u8>)> {
    let writes: Vec<_> = ops.iter().filter_map(DiskOp::data).collect();
    for (offset, data) in &writes {
        model.write(*offset, data);
    }
    writes
}

/// Changes an image in place; a small one-MiB-block disk has a few of everything.
fn change(bytes: Vec<u8>, ops: &[DiskOp], model: &mut ModelDisk, below: &[&[u8]]) -> Vec<u8> {
    let file = Arc::new(MemoryFile::new("changed.vhdx", bytes));
    let target = Arc::clone(&file) as Arc<dyn WritableFile>;
    let disk = Arc::new(VhdxDisk::open_writable(target, GuidSource::Counting(900)).unwrap());
    for op in ops {
        match op.data() {
            Some((offset, data)) => {
                disk.write_layer_at(offset, &data).unwrap();
                model.write(offset, &data);
            }
            None => disk.flush().unwrap(),
        }
    }
    let mut layers: Vec<Arc<dyn DiskLayer>> = vec![Arc::clone(&disk) as Arc<dyn DiskLayer>];
    layers.extend(
        below
            .iter()
            .map(|bytes| Arc::new(layer(bytes)) as Arc<dyn DiskLayer>),
    );
    let whole = LayeredDisk::new(layers).unwrap();
    model.assert_same(&whole);
    drop(whole);
    Arc::into_inner(disk).unwrap().close().unwrap();
    file.to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_new_disk_reads_as_it_was_written(
        ops in disk_ops(SIZE, 1, 3 * MIB, 12),
        fixed in any::<bool>(),
    ) {
        let kind = if fixed { CreateKind::Fixed } else { CreateKind::Dynamic };
        let mut model = ModelDisk::new(SIZE);
        let bytes = image(&small(SIZE, kind), &writes(&ops, &mut model));
        prop_assert_eq!(bytes.len() as u64 % MIB, 0);
        model.assert_same(&chain(&[&bytes]));
        assert_healthy(&bytes);
    }

    #[test]
    fn a_chain_of_three_reads_as_its_leaf_was_written(
        base_ops in disk_ops(SIZE, 512, 3 * MIB, 8),
        child_ops in disk_ops(SIZE, 512, 2 * MIB, 8),
        leaf_ops in disk_ops(SIZE, 512, 2 * MIB, 8),
    ) {
        let mut model = ModelDisk::new(SIZE);
        let base = image(&small(SIZE, CreateKind::Dynamic), &writes(&base_ops, &mut model));
        let base_info = layer(&base).info().clone();
        let mut model = model.child();
        let child = image(&small_child(&base_info, 200), &writes(&child_ops, &mut model));
        let child_layer = layer(&child);
        prop_assert!(child_layer.parent_locator().unwrap().accepts(&base_info));
        prop_assert_eq!(child_layer.info().disk_id, base_info.disk_id);
        let child_model = model.clone();
        let mut model = model.child();
        let leaf = image(
            &small_child(child_layer.info(), 300),
            &writes(&leaf_ops, &mut model),
        );
        let leaf_layer = layer(&leaf);
        prop_assert!(leaf_layer.parent_locator().unwrap().accepts(child_layer.info()));
        prop_assert!(!leaf_layer.parent_locator().unwrap().accepts(&base_info));
        model.assert_same(&chain(&[&leaf, &child, &base]));
        child_model.assert_same(&chain(&[&child, &base]));
        assert_sectors_known_exactly(&leaf_layer, &model);
        assert_healthy(&child);
        assert_healthy(&leaf);
    }

    #[test]
    fn a_changed_base_disk_reads_as_it_was_written(
        ops in disk_ops(SIZE, 1, 3 * MIB, 8),
        changes in disk_ops(SIZE, 1, 2 * MIB, 12),
        more in disk_ops(SIZE, 1, 2 * MIB, 4),
    ) {
        let mut model = ModelDisk::new(SIZE);
        let bytes = image(&small(SIZE, CreateKind::Dynamic), &writes(&ops, &mut model));
        let before = layer(&bytes).info().clone();
        let bytes = change(bytes, &changes, &mut model, &[]);
        model.assert_same(&chain(&[&bytes]));
        assert_healthy(&bytes);
        let after = layer(&bytes).info().clone();
        prop_assert!(!after.log_replayed);
        if changes.iter().any(|op| op.data().is_some()) {
            prop_assert_ne!(after.data_write_guid, before.data_write_guid);
            prop_assert_ne!(after.file_write_guid, before.file_write_guid);
        }
        let bytes = change(bytes, &more, &mut model, &[]);
        model.assert_same(&chain(&[&bytes]));
        assert_healthy(&bytes);
    }

    #[test]
    fn a_changed_differencing_disk_reads_as_it_was_written(
        base_ops in disk_ops(SIZE, 512, 3 * MIB, 8),
        child_ops in disk_ops(SIZE, 512, MIB, 5),
        changes in disk_ops(SIZE, 512, 2 * MIB, 12),
    ) {
        let mut model = ModelDisk::new(SIZE);
        let base = image(&small(SIZE, CreateKind::Dynamic), &writes(&base_ops, &mut model));
        let mut model = model.child();
        let options = small_child(layer(&base).info(), 200);
        let child = image(&options, &writes(&child_ops, &mut model));
        let child = change(child, &changes, &mut model, &[&base]);
        model.assert_same(&chain(&[&child, &base]));
        assert_sectors_known_exactly(&layer(&child), &model);
        assert_healthy(&child);
    }
}

/// A differencing disk holds what was written to it, and nothing else.
fn assert_sectors_known_exactly(layer: &VhdxLayer, model: &ModelDisk) {
    let mut offset = 0;
    while offset < layer.size_bytes() {
        let extent = layer
            .layer_extent_at(offset, layer.size_bytes() - offset)
            .unwrap();
        for sector in (offset..offset + extent.len_bytes).step_by(512) {
            assert_eq!(
                model.is_written(sector),
                extent.kind != LayerExtentKind::Parent,
                "sector at {sector}"
            );
        }
        offset += extent.len_bytes;
    }
}

#[test]
fn disks_of_4096_byte_sectors_and_every_block_size_read_as_written() {
    for (sector_bytes, shift) in [(512, 20), (512, 24), (4096, 20), (4096, 26), (512, 28)] {
        let size = (40 << shift) + u64::from(sector_bytes);
        let options = CreateOptions {
            block_bytes: 1 << shift,
            sector_bytes,
            ..small(size, CreateKind::Dynamic)
        };
        let data = pattern(7, 8192);
        let last = size - 8192;
        let middle = (17 << shift) - 4096;
        // A block of 64 or 256 MiB in memory is dear: touch one.
        let large = shift > 24;
        let base = if large {
            image(&options, &[(0, data.clone())])
        } else {
            image(
                &options,
                &[
                    (0, data.clone()),
                    (middle, data.clone()),
                    (last, data.clone()),
                ],
            )
        };
        let disk = chain(&[&base]);
        assert_eq!(disk.sector_bytes(), sector_bytes);
        let mut found = vec![0; 8192];
        disk.read_at(0, &mut found).unwrap();
        assert_eq!(found, data);
        if !large {
            for offset in [middle, last] {
                disk.read_at(offset, &mut found).unwrap();
                assert_eq!(found, data);
            }
        }
        assert_healthy(&base);
    }
}

#[test]
fn threads_fill_a_new_image_at_once() {
    let size = 16 * MIB;
    let file = Arc::new(MemoryFile::new("new.vhdx", Vec::new()));
    let new = create(
        Arc::clone(&file) as Arc<dyn WritableFile>,
        &small(size, CreateKind::Dynamic),
    )
    .unwrap();
    let mut model = ModelDisk::new(size);
    let piece = 96 << 10;
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let new = &new;
            scope.spawn(move || {
                let mut offset = u64::from(thread) * piece;
                while offset + piece <= size {
                    new.write_at(offset, &pattern(thread, 96 << 10)).unwrap();
                    offset += 4 * piece;
                }
            });
        }
    });
    for number in 0..size / piece {
        let thread = u8::try_from(number % 4).unwrap();
        model.write(number * piece, &pattern(thread, 96 << 10));
    }
    Box::new(new).finish().unwrap();
    model.assert_same(&chain(&[&file.to_vec()]));
}

#[test]
fn threads_change_a_disk_at_once() {
    let size = 16 * MIB;
    let bytes = image(&small(size, CreateKind::Dynamic), &[(0, pattern(9, 4096))]);
    let base = layer(&bytes).info().clone();
    let child = image(&small_child(&base, 200), &[]);
    for (start, below) in [(bytes.clone(), vec![]), (child, vec![bytes.as_slice()])] {
        let file = Arc::new(MemoryFile::new("changed.vhdx", start));
        let target = Arc::clone(&file) as Arc<dyn WritableFile>;
        let disk = VhdxDisk::open_writable(target, GuidSource::Random).unwrap();
        let piece = 160 << 10;
        let mut model = ModelDisk::new(size);
        model.write(0, &pattern(9, 4096));
        std::thread::scope(|scope| {
            for thread in 0..4_u8 {
                let disk = &disk;
                scope.spawn(move || {
                    let mut offset = u64::from(thread) * piece;
                    while offset + piece <= size {
                        disk.write_layer_at(offset, &pattern(thread, 160 << 10))
                            .unwrap();
                        offset += 4 * piece;
                        if thread == 0 {
                            disk.flush().unwrap();
                        }
                    }
                });
            }
        });
        for number in 0..size / piece {
            let thread = u8::try_from(number % 4).unwrap();
            model.write(number * piece, &pattern(thread, 160 << 10));
        }
        disk.close().unwrap();
        let bytes = file.to_vec();
        let mut files = vec![bytes.as_slice()];
        files.extend(below);
        model.assert_same(&chain(&files));
        assert_healthy(&bytes);
    }
}

#[test]
fn a_hundred_commits_go_round_the_log_and_round_again() {
    let size = 4 << 30;
    let bytes = image(&small(size, CreateKind::Dynamic), &[]);
    let file = Arc::new(MemoryFile::new("changed.vhdx", bytes));
    let target = Arc::clone(&file) as Arc<dyn WritableFile>;
    let disk = VhdxDisk::open_writable(target, GuidSource::Random).unwrap();
    // Two sectors per commit, 256 in the log, each entry 3: the log wraps at different places.
    for number in 0..300_u64 {
        let offset = number % 6 * 600 * MIB + number / 6 * 4096;
        disk.write_layer_at(offset, &pattern(1, 4096)).unwrap();
        disk.flush().unwrap();
        if number % 37 == 0 {
            let bytes = file.to_vec();
            let crashed = chain(&[&bytes]);
            let mut found = vec![0; 4096];
            crashed.read_at(offset, &mut found).unwrap();
            assert_eq!(found, pattern(1, 4096));
        }
    }
    disk.close().unwrap();
    assert_healthy(&file.to_vec());
}

#[test]
fn a_differencing_disk_refuses_half_a_sector() {
    let base = image(&small(SIZE, CreateKind::Dynamic), &[]);
    let options = small_child(layer(&base).info(), 200);
    let file = Arc::new(MemoryFile::new("new.vhdx", Vec::new()));
    let new = create(file, &options).unwrap();
    assert_eq!(
        new.write_at(100, &[1; 512]).unwrap_err().kind(),
        DiskErrorKind::OutOfRange
    );
    let file = Arc::new(MemoryFile::new("child.vhdx", image(&options, &[])));
    let disk = VhdxDisk::open_writable(file, GuidSource::Random).unwrap();
    assert_eq!(
        disk.write_layer_at(0, &[1; 100]).unwrap_err().kind(),
        DiskErrorKind::OutOfRange
    );
    assert_eq!(
        VhdxDevice::new(disk).err().unwrap().kind(),
        DiskErrorKind::ParentMissing
    );
}

#[test]
fn a_device_grows_blocks_only_for_data() {
    let bytes = image(&small(SIZE, CreateKind::Dynamic), &[]);
    let before = bytes.len();
    let file = Arc::new(MemoryFile::new("base.vhdx", bytes));
    let target = Arc::clone(&file) as Arc<dyn WritableFile>;
    let disk = VhdxDisk::open_writable(target, GuidSource::Random).unwrap();
    let device = VhdxDevice::new(disk).unwrap();
    device.write_at(0, &vec![0; 3 << 20]).unwrap();
    device.flush().unwrap();
    assert_eq!(file.to_vec().len(), before);
    device.write_at(MIB + 5, &[7]).unwrap();
    device.close().unwrap();
    assert_eq!(file.to_vec().len(), before + (1 << 20));
}

#[test]
fn an_unfinished_image_is_not_one() {
    let file = Arc::new(MemoryFile::new("new.vhdx", Vec::new()));
    let new = create(
        Arc::clone(&file) as Arc<dyn WritableFile>,
        &small(SIZE, CreateKind::Dynamic),
    )
    .unwrap();
    new.write_at(0, &[1; 4096]).unwrap();
    drop(new);
    let error = VhdxLayer::open(memory(file.to_vec())).err().unwrap();
    assert_eq!(error.kind(), DiskErrorKind::Corrupt);
    let again = create(file, &small(SIZE, CreateKind::Dynamic))
        .err()
        .unwrap();
    assert_eq!(again.kind(), DiskErrorKind::Exists);
}

#[test]
fn impossible_options_are_refused() {
    let good = small(SIZE, CreateKind::Dynamic);
    let bad = [
        CreateOptions {
            size_bytes: 0,
            ..good.clone()
        },
        CreateOptions {
            size_bytes: SIZE + 1,
            ..good.clone()
        },
        CreateOptions {
            size_bytes: (64 << 40) + 512,
            ..good.clone()
        },
        CreateOptions {
            block_bytes: 3 << 20,
            ..good.clone()
        },
        CreateOptions {
            block_bytes: 512 << 20,
            ..good.clone()
        },
        CreateOptions {
            sector_bytes: 1024,
            ..good.clone()
        },
        CreateOptions {
            physical_sector_bytes: 0,
            ..good
        },
    ];
    for options in bad {
        let file = Arc::new(MemoryFile::new("new.vhdx", Vec::new()));
        let error = create(file, &options).err().unwrap();
        assert_eq!(error.kind(), DiskErrorKind::OutOfRange, "{options:?}");
    }
}

#[test]
fn the_same_guids_make_the_same_file() {
    let base = image(
        &small(SIZE, CreateKind::Dynamic),
        &[(3 * MIB - 512, pattern(3, 2048))],
    );
    let child = image(
        &small_child(layer(&base).info(), 200),
        &[(MIB, pattern(4, 1024))],
    );
    let options = CreateOptions {
        creator: "golden".into(),
        ..small(SIZE, CreateKind::Dynamic)
    };
    let golden = image(&options, &[(3 * MIB - 512, pattern(3, 2048))]);
    let options = CreateOptions {
        creator: "golden".into(),
        ..small_child(layer(&base).info(), 200)
    };
    let golden_child = image(&options, &[(MIB, pattern(4, 1024))]);
    assert_eq!(
        (base.len(), child.len()),
        (golden.len(), golden_child.len())
    );
    // The bytes of the format do not change by accident.
    assert_eq!(crc32c::crc32c(&golden), 3_828_589_648);
    assert_eq!(crc32c::crc32c(&golden_child), 839_636_976);
}

#[test]
fn a_mib_of_one_block_is_one_read_of_the_file() {
    let size = 8 * MIB;
    let options = CreateOptions {
        block_bytes: 4 << 20,
        ..small(size, CreateKind::Dynamic)
    };
    let bytes = image(&options, &[(0, pattern(1, 8 << 20))]);
    let file = Arc::new(CrashFile::new("counted.vhdx", bytes));
    let layer = VhdxLayer::open(Arc::clone(&file) as Arc<dyn ImageFile>).unwrap();
    let mut buf = vec![0; 1 << 20];
    layer.read_layer_at(0, &mut buf).unwrap();
    let before = file.performed();
    for offset in [0, MIB + 1, 2 * MIB, 5 * MIB] {
        layer.layer_extent_at(offset, MIB).unwrap();
        layer.read_layer_at(offset, &mut buf).unwrap();
    }
    assert_eq!(file.performed() - before, 4);
}
