//! A crash after any write and any flush, and the failure of any one operation.
#![expect(clippy::unwrap_used, reason = "test helpers; the numbers are small")]

mod support;

use std::sync::Arc;

use block_io::{
    BlockDevice as _, DiskErrorKind, DiskLayer, ImageFile, LayeredDisk, NewImage as _, WritableFile,
};
use disk_model::{CrashFile, DiskOp, Loss, ModelDisk, WriteHistory, disk_ops, pattern};
use proptest::prelude::*;
use support::images::{MIB, chain, image, layer, memory, small, small_child};
use vhdx_format::{CreateKind, GuidSource, Severity, VhdxDisk, VhdxLayer, check, create};

const SIZE: u64 = 3 * MIB;

/// Runs `ops` on an image and returns its file, closed or not, and what may be found in it.
fn run_ops(bytes: Vec<u8>, start: ModelDisk, ops: &[DiskOp]) -> (Arc<CrashFile>, WriteHistory) {
    let file = Arc::new(CrashFile::new("crash.vhdx", bytes));
    let mut history = WriteHistory::new(start);
    let target = Arc::clone(&file) as Arc<dyn WritableFile>;
    let disk = VhdxDisk::open_writable(target, GuidSource::Counting(900)).unwrap();
    for op in ops {
        match op.data() {
            Some((offset, data)) => {
                history.write(file.recorded(), offset, &data);
                disk.write_layer_at(offset, &data).unwrap();
            }
            None => {
                disk.flush().unwrap();
                history.flush(file.recorded());
            }
        }
    }
    disk.close().unwrap();
    history.flush(file.recorded());
    (file, history)
}

/// Returns what a crash may leave after `cut` operations, each different file once: after a flush
/// all kinds of loss leave the same.
fn crashes(file: &CrashFile, cut: usize, seed: u64) -> Vec<(Loss, Vec<u8>)> {
    let mut different: Vec<(Loss, Vec<u8>)> = Vec::new();
    for loss in Loss::kinds(seed) {
        let bytes = file.crash(cut, loss);
        if different.iter().all(|(_, other)| *other != bytes) {
            different.push((loss, bytes));
        }
    }
    different
}

/// Reads the whole of a disk that lies over the layer `below`, if there is one.
fn read_all(leaf: &Arc<dyn ImageFile>, below: Option<&Arc<dyn DiskLayer>>, disk: &mut [u8]) {
    let leaf = VhdxLayer::open(Arc::clone(leaf)).unwrap();
    let mut layers: Vec<Arc<dyn DiskLayer>> = vec![Arc::new(leaf)];
    layers.extend(below.map(Arc::clone));
    LayeredDisk::new(layers).unwrap().read_at(0, disk).unwrap();
}

/// Looks at what every crash leaves: it opens, is healthy, and holds what was flushed.
fn assert_survives(file: &CrashFile, history: &WriteHistory, base: Option<&[u8]>, seed: u64) {
    let below = base.map(|bytes| Arc::new(layer(bytes)) as Arc<dyn DiskLayer>);
    let mut disk = vec![0; usize::try_from(SIZE).unwrap()];
    for cut in 0..=file.recorded() {
        for (loss, bytes) in crashes(file, cut, seed.wrapping_add(cut as u64)) {
            let image = memory(bytes);
            read_all(&image, below.as_ref(), &mut disk);
            history.assert_possible(cut, &disk);
            let problems = check(image);
            let bad = problems
                .iter()
                .find(|problem| problem.severity == Severity::Error);
            assert!(bad.is_none(), "cut {cut} {loss:?}: {bad:?}");
        }
    }
}

fn fixed_ops() -> Vec<DiskOp> {
    let write = |offset, len_bytes, seed| DiskOp::Write {
        offset,
        len_bytes,
        seed,
    };
    vec![
        write(4096, 1024, 1),
        DiskOp::Flush,
        write(4608, 512, 2),
        write(2 * MIB - 512, 1024, 3),
        DiskOp::Flush,
        DiskOp::Zero {
            offset: MIB,
            len_bytes: MIB,
        },
        write(0, 2048, 4),
        DiskOp::Flush,
        write(2 * MIB, MIB, 5),
    ]
}

#[test]
fn a_base_disk_survives_a_crash_anywhere() {
    let mut model = ModelDisk::new(SIZE);
    model.write(MIB, &pattern(9, 8192));
    let bytes = image(
        &small(SIZE, CreateKind::Dynamic),
        &[(MIB, pattern(9, 8192))],
    );
    let (file, history) = run_ops(bytes, model, &fixed_ops());
    assert_survives(&file, &history, None, 1);
}

#[test]
fn a_differencing_disk_survives_a_crash_anywhere() {
    let (base, child, model) = base_and_child();
    let (file, history) = run_ops(child, model, &fixed_ops());
    assert_survives(&file, &history, Some(&base), 2);
}

fn base_and_child() -> (Vec<u8>, Vec<u8>, ModelDisk) {
    let mut model = ModelDisk::new(SIZE);
    let data = pattern(77, 3 << 20);
    model.write(0, &data);
    let base = image(&small(SIZE, CreateKind::Dynamic), &[(0, data)]);
    let options = small_child(layer(&base).info(), 200);
    let child = image(&options, &[(512, pattern(3, 512))]);
    model.write(512, &pattern(3, 512));
    (base, child, model.child())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1))]

    #[test]
    fn random_changes_survive_a_crash_anywhere(
        ops in disk_ops(SIZE, 512, 64 << 10, 8),
        seed in any::<u64>(),
    ) {
        let (base, child, model) = base_and_child();
        let (file, history) = run_ops(child, model, &ops);
        assert_survives(&file, &history, Some(&base), seed);
    }
}

#[test]
fn a_crash_during_replay_leaves_a_log_to_replay() {
    let (base, child, model) = base_and_child();
    let (file, history) = run_ops(child, model, &fixed_ops());
    // Cuts in the middle of the session, where the log holds something to apply.
    let dirty: Vec<Vec<u8>> = (0..file.recorded())
        .step_by(5)
        .map(|cut| (cut, file.crash(cut, Loss::All)))
        .filter(|(_, bytes)| layer(bytes).info().log_replayed)
        .map(|(_, bytes)| bytes)
        .collect();
    assert!(!dirty.is_empty());
    let below: Arc<dyn DiskLayer> = Arc::new(layer(&base));
    for bytes in dirty {
        let mut expected = vec![0; usize::try_from(SIZE).unwrap()];
        chain(&[&bytes, &base]).read_at(0, &mut expected).unwrap();
        let file = Arc::new(CrashFile::new("dirty.vhdx", bytes));
        let target = Arc::clone(&file) as Arc<dyn WritableFile>;
        drop(VhdxDisk::open_writable(target, GuidSource::Counting(5)).unwrap());
        assert!(!layer(&file.to_vec()).info().log_replayed);
        let mut found = vec![0; expected.len()];
        for cut in 0..=file.recorded() {
            for (loss, bytes) in crashes(&file, cut, cut as u64) {
                read_all(&memory(bytes), Some(&below), &mut found);
                assert!(found == expected, "cut {cut} {loss:?}");
            }
        }
    }
    drop(history);
}

#[test]
fn a_new_image_is_whole_or_none_after_a_crash() {
    let data = pattern(6, 5000);
    let file = Arc::new(CrashFile::new("new.vhdx", Vec::new()));
    let target = Arc::clone(&file) as Arc<dyn WritableFile>;
    let new = create(target, &small(SIZE, CreateKind::Dynamic)).unwrap();
    new.write_at(MIB - 100, &data).unwrap();
    Box::new(new).finish().unwrap();
    let mut model = ModelDisk::new(SIZE);
    model.write(MIB - 100, &data);
    let mut whole = 0;
    let last = file.recorded() - 1;
    for cut in 0..=file.recorded() {
        // Before the last flush, headers may be there while something behind them is not: only
        // many tries meet that.
        let tries = if cut == last { 300 } else { 1 };
        let kinds = Loss::kinds(cut as u64);
        let more = (1..tries).map(|seed| Loss::Some { seed });
        for loss in kinds.into_iter().chain(more) {
            let bytes = file.crash(cut, loss);
            if VhdxLayer::open(memory(bytes.clone())).is_ok() {
                model.assert_same(&chain(&[&bytes]));
                whole += 1;
            }
        }
    }
    assert!(whole > 0);
}

#[test]
fn every_failure_poisons_the_disk_and_loses_nothing_flushed() {
    let (base, child, model) = base_and_child();
    let ops = fixed_ops();
    let total = {
        let (file, _) = run_ops(child.clone(), model.clone(), &ops);
        file.performed()
    };
    let mut disk_bytes = vec![0; usize::try_from(SIZE).unwrap()];
    let mut survived = 0;
    for number in 0..total {
        let file = Arc::new(CrashFile::new("fails.vhdx", child.clone()));
        file.fail_at(number);
        let target = Arc::clone(&file) as Arc<dyn WritableFile>;
        let mut history = WriteHistory::new(model.clone());
        let failed = (|| {
            let disk = VhdxDisk::open_writable(target, GuidSource::Counting(900))?;
            for op in &ops {
                let result = match op.data() {
                    Some((offset, data)) => {
                        history.write(file.recorded(), offset, &data);
                        disk.write_layer_at(offset, &data)
                    }
                    None => disk.flush().map(|()| history.flush(file.recorded())),
                };
                if let Err(error) = result {
                    let kind = |result: Result<(), block_io::DiskError>| result.unwrap_err().kind();
                    assert_eq!(
                        kind(disk.write_layer_at(0, &[1; 512])),
                        DiskErrorKind::Poisoned
                    );
                    assert_eq!(kind(disk.flush()), DiskErrorKind::Poisoned);
                    assert_eq!(kind(disk.close()), DiskErrorKind::Poisoned);
                    return Err(error);
                }
            }
            disk.close()
        })();
        match failed {
            // A region table that cannot be read has a second copy.
            Ok(()) => survived += 1,
            Err(error) => assert_eq!(error.kind(), DiskErrorKind::Io, "operation {number}"),
        }
        let cut = file.recorded();
        for loss in [Loss::Nothing, Loss::All] {
            let bytes = file.crash(cut, loss);
            chain(&[&bytes, &base]).read_at(0, &mut disk_bytes).unwrap();
            history.assert_possible(cut, &disk_bytes);
        }
    }
    assert_eq!(survived, 1);
}

#[test]
fn every_failure_while_making_an_image_is_reported() {
    let make = |fail_at: Option<u64>| {
        let file = Arc::new(CrashFile::new("new.vhdx", Vec::new()));
        if let Some(number) = fail_at {
            file.fail_at(number);
        }
        let target = Arc::clone(&file) as Arc<dyn WritableFile>;
        let result = create(target, &small(SIZE, CreateKind::Fixed)).and_then(|new| {
            let first = new.write_at(MIB - 100, &pattern(6, 5000));
            // The second write goes on where the first one failed; finishing must not.
            drop(new.write_at(2 * MIB, &pattern(7, 512)));
            let finished = Box::new(new).finish();
            first.and(finished)
        });
        (file, result)
    };
    let (file, result) = make(None);
    result.unwrap();
    assert!(file.size_bytes().unwrap() > 0);
    for number in 0..file.performed() {
        let (file, result) = make(Some(number));
        assert!(result.is_err(), "operation {number}");
        // Only the last flush may fail with the image complete.
        if number + 1 < file.performed() {
            assert!(
                VhdxLayer::open(memory(file.to_vec())).is_err(),
                "operation {number}"
            );
        }
    }
}
