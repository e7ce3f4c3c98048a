//! qemu-img and libvhdi read what we write, and we read what qemu-img writes.
//!
//! qemu-img is never asked about a differencing VHD: it reads the parent's data as zeros.

use std::path::Path;
use std::sync::Arc;

use block_io::{BlockDevice as _, DiskLayer, LayeredDisk, OsFile};
use vhd_format::{CreateKind, CreateOptions, ParentLink, VhdLayer, create};

use disk_model::independent_tools::{run, skip};

/// A size that no geometry describes exactly.
const SIZE: u64 = (9 << 20) + 512;

fn pattern(len: u64) -> Vec<u8> {
    let mut state = 1_u64;
    (0..len)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .collect()
}

/// Writes three pieces, one of them over the border of two blocks.
fn write(path: &Path, kind: CreateKind, model: &mut [u8], at: [u64; 3]) -> VhdLayer {
    let file = Arc::new(OsFile::create_new(path).unwrap());
    let image = create(file, CreateOptions::new(SIZE, kind)).unwrap();
    let data = pattern(40 << 10);
    for offset in at {
        let len = data.len().min((SIZE - offset) as usize);
        model[offset as usize..][..len].copy_from_slice(&data[..len]);
        image.write_at(offset, &data[..len]).unwrap();
    }
    image.finish().unwrap();
    VhdLayer::open(Arc::new(OsFile::open(path).unwrap())).unwrap()
}

const BASE: [u64; 3] = [0, (2 << 20) - 4096, SIZE - (40 << 10)];

fn read(layers: Vec<Arc<dyn DiskLayer>>) -> Vec<u8> {
    let disk = LayeredDisk::new(layers).unwrap();
    let mut bytes = vec![0; disk.size_bytes() as usize];
    disk.read_at(0, &mut bytes).unwrap();
    bytes
}

#[test]
fn qemu_img_reads_what_we_write() {
    let folder = tempfile::tempdir().unwrap();
    for (name, kind) in [
        ("fixed.vhd", CreateKind::Fixed),
        ("dynamic.vhd", CreateKind::Dynamic),
    ] {
        let path = folder.path().join(name);
        let mut model = vec![0; SIZE as usize];
        write(&path, kind, &mut model, BASE);
        let raw = folder.path().join("out.raw");
        let arguments = ["convert", "-f", "vpc", "-O", "raw"].map(AsRef::as_ref);
        let arguments = [&arguments[..], &[path.as_ref(), raw.as_ref()]].concat();
        if run("qemu-img", &arguments).is_none() {
            return;
        }
        assert!(std::fs::read(&raw).unwrap() == model, "{name}");
    }
}

#[test]
fn we_read_what_qemu_img_writes() {
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("in.raw");
    // Sizes by geometry (the default, which rounds up) and by current size.
    let mut model = vec![0; SIZE as usize];
    for offset in BASE {
        model[offset as usize..][..40 << 10].copy_from_slice(&pattern(40 << 10));
    }
    std::fs::write(&raw, &model).unwrap();
    for options in [
        "subformat=dynamic",
        "subformat=fixed",
        "subformat=dynamic,force_size=on",
        "subformat=fixed,force_size=on",
    ] {
        let path = folder.path().join("out.vhd");
        let arguments = ["convert", "-f", "raw", "-O", "vpc", "-o", options].map(AsRef::as_ref);
        let arguments = [&arguments[..], &[raw.as_ref(), path.as_ref()]].concat();
        if run("qemu-img", &arguments).is_none() {
            return;
        }
        let layer = VhdLayer::open(Arc::new(OsFile::open(&path).unwrap())).unwrap();
        let bytes = read(vec![Arc::new(layer)]);
        assert!(bytes.len() >= model.len(), "{options}");
        assert_eq!(bytes.len() == model.len(), options.contains("force_size"));
        assert!(bytes[..model.len()] == model, "{options}");
        assert!(bytes[model.len()..].iter().all(|byte| *byte == 0));
    }
}

/// Copies a disk, with its parent if there is one, to a raw file by libvhdi.
const LIBVHDI: &str = "
import sys, pyvhdi
out, names = sys.argv[1], sys.argv[2:]
disks = []
for name in names:
    disk = pyvhdi.file()
    disk.open(name)
    disks.append(disk)
for child, parent in zip(disks, disks[1:]):
    child.set_parent(parent)
leaf = disks[0]
with open(out, 'wb') as raw:
    raw.write(leaf.read_buffer_at_offset(leaf.get_media_size(), 0))
";

#[test]
fn libvhdi_reads_what_we_write() {
    let python = "/usr/bin/python3";
    let has_libvhdi = std::process::Command::new(python)
        .args(["-c", "import pyvhdi"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !has_libvhdi {
        return skip("python3-libvhdi is not installed");
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut model = vec![0; SIZE as usize];
    let base = write(&at("base.vhd"), CreateKind::Dynamic, &mut model, BASE);
    let base_model = model.clone();
    let link = ParentLink::to(
        base.info(),
        Some(".\\base.vhd".to_owned()),
        Some("C:\\base.vhd".to_owned()),
    );
    let child = write(
        &at("child.vhd"),
        CreateKind::Differencing(link),
        &mut model,
        [512, 3 << 20, (8 << 20) + 1024],
    );
    write(
        &at("fixed.vhd"),
        CreateKind::Fixed,
        &mut base_model.clone(),
        BASE,
    );
    for (names, expected) in [
        (vec!["base.vhd"], &base_model),
        (vec!["fixed.vhd"], &base_model),
        (vec!["child.vhd", "base.vhd"], &model),
    ] {
        let out = at("out.raw");
        let mut arguments = vec!["-c".into(), LIBVHDI.into(), out.clone().into_os_string()];
        arguments.extend(names.iter().map(|name| at(name).into_os_string()));
        let arguments: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
        run(python, &arguments).unwrap();
        assert!(std::fs::read(&out).unwrap() == *expected, "{names:?}");
    }
    let ours = read(vec![Arc::new(child), Arc::new(base)]);
    assert!(ours == model);
}
