//! Files made by Windows and Hyper-V, against hashes that others computed.
#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use block_io::{DiskLayer, LayerExtentKind};
use support::{
    assert_qemu_agrees, have_python, have_qemu, open, open_disk, sample, sha256, slow_tests_wanted,
};

#[test]
fn a_dirty_windows_log_is_replayed_without_changing_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = sample("discutils-win10-dirty-log.vhdx", folder.path()) else {
        return;
    };
    if !have_python() {
        return;
    }
    let before = std::fs::read(&path).unwrap();
    assert!(open(&path).info().log_replayed);
    assert_eq!(
        sha256(&open_disk(&path)),
        "3ba3b309425b7ff5e8e0199edceed95226250f880c53b24e8eae93865f3fad5e"
    );
    assert!(std::fs::read(&path).unwrap() == before);
}

#[test]
fn a_hyper_v_checkpoint_opens_alone_and_holds_6200_sectors() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = sample("dissect-hyperv-checkpoint.avhdx", folder.path()) else {
        return;
    };
    let layer = open(&path);
    let info = layer.info();
    assert_eq!(info.creator, "Microsoft Windows 10.0.17763.0");
    assert_eq!((info.size_bytes, info.block_bytes), (8 << 30, 2 << 20));
    assert!(info.has_parent && !info.fixed && !info.log_replayed);
    let locator = layer.parent_locator().unwrap();
    assert_eq!(
        locator.linkage.to_string(),
        "ff34003b-11ed-4cf8-a166-b2be05e20b80"
    );
    assert_eq!(locator.linkage2, None);
    assert_eq!(locator.entries.len(), 5);
    assert!(
        locator
            .relative_path
            .as_ref()
            .unwrap()
            .starts_with(".\\Generation 1_")
    );
    assert!(!locator.accepts(info));

    let mut sectors = 0;
    let mut offset = 0;
    while offset < layer.size_bytes() {
        let extent = layer
            .layer_extent_at(offset, layer.size_bytes() - offset)
            .unwrap();
        if extent.kind == LayerExtentKind::Data {
            sectors += extent.len_bytes / 512;
        }
        offset += extent.len_bytes;
    }
    assert_eq!(sectors, 6200);
}

fn assert_windows_disk_reads_as_qemu_reads_it(name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = sample(name, folder.path()) else {
        return;
    };
    if have_qemu() {
        assert_qemu_agrees(&path, folder.path());
    }
}

#[test]
fn a_windows_disk_with_btrfs_reads_as_qemu_reads_it() {
    assert_windows_disk_reads_as_qemu_reads_it("discutils-btrfs.vhdx");
}

// The next three have blocks beyond the first chunk.

#[test]
fn a_windows_disk_with_xfs_reads_as_qemu_reads_it() {
    assert_windows_disk_reads_as_qemu_reads_it("discutils-xfs5.vhdx");
}

#[test]
fn a_windows_disk_with_swap_reads_as_qemu_reads_it() {
    assert_windows_disk_reads_as_qemu_reads_it("discutils-swap.vhdx");
}

#[test]
fn a_windows_disk_with_lvm_reads_as_qemu_reads_it() {
    assert_windows_disk_reads_as_qemu_reads_it("discutils-lvm2.vhdx");
}

#[test]
fn whole_disks_have_the_known_hashes() {
    if !slow_tests_wanted("hashes 31 GiB") || !have_python() {
        return;
    }
    for (name, hash) in [
        (
            "discutils-btrfs.vhdx",
            "0b959f9cb4e18348ad8b646f152178282542c8304f02fddf765e3fd1a1de6864",
        ),
        (
            "discutils-lvm2.vhdx",
            "f7dc6812a3b12a35f3ec895ce981bd59ff4558270fc80cd812c9cd522bff1295",
        ),
        (
            "discutils-swap.vhdx",
            "60dd30b4c74361427d1089510cabb36e2eeda0cc4747f467ea43173acd358c49",
        ),
        (
            "discutils-xfs5.vhdx",
            "edc5d630b2da0ddb08992afb58ded06ffb56b884e184b4974fda16e31b7e6817",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let Some(path) = sample(name, folder.path()) else {
            return;
        };
        assert_eq!(sha256(&open_disk(&path)), hash, "{name}");
    }
}
