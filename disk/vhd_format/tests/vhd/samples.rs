//! Files by Windows and others read as their manifest says.

use std::sync::Arc;

use block_io::{DiskErrorKind, DiskLayer as _, LayerExtentKind, OsFile};
use vhd_format::{LocatorKind, VhdKind, VhdLayer, check};

use disk_model::independent_tools::sample;

fn open(name: &str) -> Option<Result<VhdLayer, block_io::DiskError>> {
    let path = sample(name)?;
    Some(VhdLayer::open(Arc::new(OsFile::open(&path).unwrap())))
}

#[test]
fn a_differencing_disk_by_windows() {
    let Some(layer) = open("vhd/dfvfs-win10-fat-differential.vhd") else {
        return;
    };
    let layer = layer.unwrap();
    let info = layer.info();
    assert_eq!(info.kind, VhdKind::Differencing);
    assert_eq!(
        info.parent_unique_id.unwrap().to_string(),
        "5fa21a55-f394-aa4d-9958-1951a67d5540"
    );
    let parent = "C:\\Projects\\dfvfs\\test_data\\fat-parent.vhd";
    assert_eq!(info.parent_name.as_deref(), Some(parent));
    let paths: Vec<_> = layer
        .parent_locators()
        .iter()
        .map(|locator| (locator.kind, locator.path.as_str()))
        .collect();
    assert!(
        paths.contains(&(LocatorKind::Absolute, parent)),
        "{paths:?}"
    );
    assert!(
        paths.contains(&(LocatorKind::Relative, ".\\fat-parent.vhd")),
        "{paths:?}"
    );
    let present: Vec<u64> = (0..layer.size_bytes() / 512)
        .filter(|sector| {
            let extent = layer.layer_extent_at(sector * 512, 512).unwrap();
            extent.kind == LayerExtentKind::Data
        })
        .collect();
    let mut expected = vec![134, 143];
    expected.extend(152..160);
    expected.extend([184, 185, 188, 190, 191, 192, 194, 196]);
    assert_eq!(present, expected);
    assert_eq!(info.notes, Vec::<String>::new());
}

#[test]
fn a_fixed_disk_by_windows() {
    let Some(layer) = open("vhd/dfvfs-win10-ntfs-fixed.vhd") else {
        return;
    };
    let layer = layer.unwrap();
    assert_eq!(layer.info().kind, VhdKind::Fixed);
    assert_eq!(layer.size_bytes(), 4_194_304);
    assert_eq!(
        layer.info().geometry,
        vhd_format::Geometry::of_size(4_194_304)
    );
    let path = sample("vhd/dfvfs-win10-ntfs-fixed.vhd").unwrap();
    let file = std::fs::read(&path).unwrap();
    let mut bytes = vec![0; 4_194_304];
    layer.read_layer_at(0, &mut bytes).unwrap();
    assert!(bytes == file[..4_194_304]);
    assert_eq!(check(Arc::new(OsFile::open(&path).unwrap())), []);
}

#[test]
fn a_dynamic_disk_by_qemu_has_the_size_of_its_geometry() {
    let Some(layer) = open("vhd/dfvfs-qemu-ext2.vhd") else {
        return;
    };
    let layer = layer.unwrap();
    assert_eq!(layer.size_bytes(), 4_212_736);
    // The magic number of ext2.
    let mut magic = [0; 2];
    layer.read_layer_at(1024 + 56, &mut magic).unwrap();
    assert_eq!(magic, [0x53, 0xEF]);
}

#[test]
fn a_wrong_checksum_in_both_footers_is_refused() {
    let Some(layer) = open("vhd/dfvfs-image-badcsum.vhd") else {
        return;
    };
    let error = layer.err().unwrap();
    assert_eq!(error.kind(), DiskErrorKind::Corrupt);
    assert!(error.to_string().contains("checksum"), "{error}");
}
