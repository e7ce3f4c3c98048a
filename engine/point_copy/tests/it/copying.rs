//! What a copy is, and what it costs.

use std::sync::Arc;

use block_io::ByteRanges;
use object_store::ObjectStore;
use point_copy::{CopyOutcome, CopySelection};
use repository::{Repository, Unlock};
use store_faults::CountingStore;

use crate::repositories::{Quiet, back_up, copy, disk_bytes, folder_store, init, point, read_back};

const LEN: usize = 6 << 20;

#[test]
fn points_come_out_the_same_under_other_keys_and_another_chunk_size() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = init(folder_store(a.path()), "one", 4096);
    let target = init(folder_store(b.path()), "two", 16384);
    let none = ByteRanges::new();
    let mut bytes = disk_bytes(1, LEN + 700);
    let mut made = Vec::new();
    for hour in 0..3 {
        bytes[100_000 * usize::try_from(hour).unwrap()..][..5000].fill(77);
        made.push((back_up(&source, "web", hour, &bytes, &none), bytes.clone()));
    }
    made.push((back_up(&source, "sql", 0, &bytes, &none), bytes.clone()));
    let report = copy(&source, &target).unwrap();
    assert_eq!(report.counts(), (4, 0, 0));
    for (original, bytes) in &made {
        let copied = point(&target, &original.id);
        assert!(read_back(&target, &copied) == *bytes);
        assert_eq!(copied.vm, original.vm);
        assert_eq!(copied.started, original.started);
        assert_eq!(copied.warnings, original.warnings);
        assert_eq!(copied.streams[0].cursor, None);
        assert_eq!(
            copied.streams[0].statistics.data_bytes
                + copied.streams[0].statistics.zero_bytes
                + copied.streams[0].statistics.not_allocated_bytes,
            copied.streams[0].size_bytes
        );
    }
    assert_eq!(copy(&source, &target).unwrap().counts(), (0, 4, 0));
}

#[test]
fn what_was_left_out_is_left_out_of_the_copy_too() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = init(folder_store(a.path()), "one", 4096);
    let target = init(folder_store(b.path()), "two", 4096);
    let mut skip = ByteRanges::new();
    skip.insert(0, 65536);
    skip.insert(1 << 20, 3 << 20);
    let bytes = disk_bytes(1, LEN);
    let first = back_up(&source, "web", 0, &bytes, &skip);
    // Less is left out of the second.
    let mut less = ByteRanges::new();
    less.insert(1 << 20, 1 << 20);
    let second = back_up(&source, "web", 1, &bytes, &less);
    copy(&source, &target).unwrap();
    for original in [&first, &second] {
        let copied = point(&target, &original.id);
        assert!(original.streams[0].statistics.skipped_bytes > 0);
        assert_eq!(
            copied.streams[0].statistics.skipped_bytes,
            original.streams[0].statistics.skipped_bytes
        );
        assert_eq!(
            target.skipped_ranges(&copied.streams[0]).unwrap(),
            source.skipped_ranges(&original.streams[0]).unwrap()
        );
        assert!(read_back(&target, &copied) == read_back(&source, original));
    }
}

#[test]
fn a_copy_reads_and_writes_what_changed_alone() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let counted_source = Arc::new(CountingStore::new(folder_store(a.path())));
    let counted_target = Arc::new(CountingStore::new(folder_store(b.path())));
    let source = init(
        Arc::clone(&counted_source) as Arc<dyn ObjectStore>,
        "one",
        4096,
    );
    let target = init(
        Arc::clone(&counted_target) as Arc<dyn ObjectStore>,
        "two",
        4096,
    );
    let none = ByteRanges::new();
    let mut bytes = disk_bytes(1, LEN);
    back_up(&source, "web", 0, &bytes, &none);
    copy(&source, &target).unwrap();
    bytes[3 << 20..][..8192].fill(99);
    let second = back_up(&source, "web", 1, &bytes, &none);
    // A fresh handle, so that nothing is kept in memory.
    let source = Repository::open(
        Arc::clone(&counted_source) as Arc<dyn ObjectStore>,
        &Unlock::Password("one"),
    )
    .unwrap();
    counted_source.take();
    counted_target.take();
    let report = copy(&source, &target).unwrap();
    assert_eq!(
        report.items[1].outcome,
        CopyOutcome::Copied {
            read_bytes: 8192,
            stored_bytes: point(&target, &second.id).streams[0]
                .statistics
                .stored_bytes,
        }
    );
    let (read, written) = (counted_source.take(), counted_target.take());
    // Two chunks, a few map nodes in windows of 256 KiB at most, the points.
    assert!(read.read_bytes < 600_000, "{read:?}");
    assert!(written.written_bytes < 60_000, "{written:?}");
}

#[test]
fn the_newest_points_of_a_vm_can_be_chosen_and_unknown_vms_are_told() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = init(folder_store(a.path()), "one", 4096);
    let target = init(folder_store(b.path()), "two", 4096);
    let none = ByteRanges::new();
    for hour in 0..4 {
        let bytes = disk_bytes(u8::try_from(hour).unwrap(), 100_000);
        back_up(&source, "web", hour, &bytes, &none);
        back_up(&source, "sql", hour, &bytes, &none);
    }
    let selection = CopySelection {
        vms: vec!["WEB".to_owned(), "mail".to_owned()],
        newest: Some(2),
    };
    let plan = point_copy::plan_copy(&source, &target, &selection).unwrap();
    assert_eq!(plan.unknown_vms, ["mail"]);
    assert_eq!(plan.missing(), 2);
    let report = point_copy::copy_points(&source, &target, plan, 1, &Quiet).unwrap();
    assert_eq!(report.counts(), (2, 0, 0));
    // The older ones can follow later.
    assert_eq!(copy(&source, &target).unwrap().counts(), (6, 2, 0));
}
