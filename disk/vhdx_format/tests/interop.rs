//! Against programs by others: qemu-img and libvhdi.
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "test helpers; the numbers are small"
)]

mod support;

use std::path::Path;
use std::sync::Arc;

use block_io::{BlockDevice as _, DiskLayer, LayeredDisk, NewImage as _, OsFile, WritableFile};
use disk_model::independent_tools::have_tool;
use disk_model::pattern;
use support::images::{MIB, small};
use support::{assert_qemu_agrees, have_qemu, open, run, write_raw};
use vhdx_format::{CreateKind, CreateOptions, GuidSource, VhdxDisk, create};

fn make(path: &Path, options: &CreateOptions, writes: &[(u64, usize)]) {
    let file: Arc<dyn WritableFile> = Arc::new(OsFile::create_new(path).unwrap());
    let new = create(file, options).unwrap();
    for (offset, len) in writes {
        new.write_at(*offset, &pattern(5, *len)).unwrap();
    }
    Box::new(new).finish().unwrap();
}

fn open_writable(path: &Path) -> VhdxDisk {
    let file: Arc<dyn WritableFile> = Arc::new(OsFile::open_writable(path).unwrap());
    VhdxDisk::open_writable(file, GuidSource::Random).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn qemu_reads_what_we_make_beyond_the_first_chunk() {
    if !have_qemu() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // 512-byte sectors in 1 MiB blocks: a chunk is 4 GiB, so the last writes lie in the third.
    let size = 9 << 30;
    let writes = [
        (0, 4096),
        (4 * 1024 * MIB - 3000, 9000),
        (5 * 1024 * MIB + 7, 2 << 20),
        (size - 512, 512),
    ];
    let fixed = folder.path().join("fixed.vhdx");
    make(
        &fixed,
        &small(40 * MIB, CreateKind::Fixed),
        &[(MIB - 9, 3 << 20)],
    );
    run("qemu-img", &["check", text(&fixed)]);
    assert_qemu_agrees(&fixed, folder.path());
    for block_bytes in [1 << 20, 8 << 20, 32 << 20] {
        let path = folder.path().join(format!("{block_bytes}.vhdx"));
        let options = CreateOptions {
            block_bytes,
            ..small(size, CreateKind::Dynamic)
        };
        make(&path, &options, &writes);
        run("qemu-img", &["check", text(&path)]);
        assert_qemu_agrees(&path, folder.path());
    }
}

#[test]
fn qemu_reads_what_we_change_at_the_edges_of_bat_sectors() {
    if !have_qemu() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.vhdx");
    make(&path, &small(5 << 30, CreateKind::Dynamic), &[(0, 4096)]);
    for session in 0..2 {
        let disk = open_writable(&path);
        // Entries 0, 511, 512, 513 of the BAT, and those around the interleaved bitmap entry.
        for block in [0, 511, 512, 513, 1024, 4094, 4095, 4096, 4097] {
            let offset = block * MIB + session * 8192;
            disk.write_layer_at(offset, &pattern(session as u8 + 1, 5000))
                .unwrap();
            disk.flush().unwrap();
        }
        disk.close().unwrap();
        run("qemu-img", &["check", text(&path)]);
        assert_qemu_agrees(&path, folder.path());
    }
}

#[test]
fn qemu_replays_the_log_that_we_leave() {
    if !have_qemu() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dirty.vhdx");
    make(&path, &small(64 * MIB, CreateKind::Dynamic), &[(0, 4096)]);
    let disk = open_writable(&path);
    for block in 0..9 {
        disk.write_layer_at(block * 3 * MIB + 100, &pattern(2, 70_000))
            .unwrap();
        disk.flush().unwrap();
    }
    drop(disk);
    assert!(open(&path).info().log_replayed);
    let ours = folder.path().join("ours.raw");
    write_raw(&support::open_disk(&path), &ours);
    run("qemu-img", &["check", "-r", "all", text(&path)]);
    assert!(!open(&path).info().log_replayed);
    assert_qemu_agrees(&path, folder.path());
    support::assert_same_as_raw(&support::open_disk(&path), &ours);
}

#[test]
fn we_read_and_change_what_qemu_makes() {
    if !have_qemu() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("source.raw");
    let source = OsFile::create_new(&raw).unwrap();
    source.set_size_bytes(300 * MIB).unwrap();
    for (offset, len) in [
        (0, 70_000),
        (99 * MIB - 10, 3 << 20),
        (300 * MIB - 512, 512),
    ] {
        source.write_all_at(offset, &pattern(3, len)).unwrap();
    }
    for (subformat, block) in [
        ("dynamic", "1M"),
        ("dynamic", "16M"),
        ("fixed", "8M"),
        ("dynamic", "256M"),
    ] {
        let path = folder.path().join(format!("{subformat}{block}.vhdx"));
        let options = format!("subformat={subformat},block_size={block}");
        run(
            "qemu-img",
            &[
                "convert",
                "-f",
                "raw",
                "-O",
                "vhdx",
                "-o",
                &options,
                text(&raw),
                text(&path),
            ],
        );
        let disk = support::open_disk(&path);
        let mut offset = 0;
        let (mut ours, mut theirs) = (vec![0; 1 << 20], vec![0; 1 << 20]);
        while offset < 300 * MIB {
            use block_io::ImageFile as _;
            disk.read_at(offset, &mut ours).unwrap();
            source.read_exact_at(offset, &mut theirs).unwrap();
            assert!(ours == theirs, "{options} at {offset}");
            offset += MIB;
        }
        drop(disk);
        let disk = open_writable(&path);
        disk.write_layer_at(50 * MIB + 3, &pattern(8, 2 << 20))
            .unwrap();
        disk.close().unwrap();
        run("qemu-img", &["check", text(&path)]);
        assert_qemu_agrees(&path, folder.path());
    }
}

/// Reads a chain with libvhdi and prints the CRC-32 of the whole disk.
const LIBVHDI: &str = "
import sys, zlib, pyvhdi
files = []
for path in sys.argv[1:]:
    file = pyvhdi.file()
    file.open(path)
    files.append(file)
for child, parent in zip(files, files[1:]):
    child.set_parent(parent)
leaf, crc, left = files[0], 0, files[0].get_media_size()
while left:
    data = leaf.read_buffer(min(left, 1 << 20))
    crc = zlib.crc32(data, crc)
    left -= len(data)
print(crc)
";

#[test]
fn libvhdi_reads_our_differencing_disks() {
    if !have_tool("/usr/bin/python3", &["-c", "import pyvhdi"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("base.vhdx");
    let child = folder.path().join("child.avhdx");
    let size = 24 * MIB;
    make(
        &base,
        &small(size, CreateKind::Dynamic),
        &[(0, 3 << 20), (9 * MIB, 5 << 20)],
    );
    let options = CreateOptions {
        block_bytes: 2 << 20,
        ..CreateOptions::child_of(
            open(&base).info(),
            Some(".\\base.vhdx".into()),
            Some("C:\\vm\\base.vhdx".into()),
        )
    };
    // Partly and fully present blocks, and some sectors of a block that the base lacks.
    make(
        &child,
        &options,
        &[(4096, 512), (10 * MIB, 4 << 20), (20 * MIB + 512, 8192)],
    );
    let disk = open_writable(&child);
    disk.write_layer_at(MIB + 1024, &pattern(9, 512 * 31))
        .unwrap();
    disk.write_layer_at(16 * MIB, &pattern(9, 2 << 20)).unwrap();
    disk.close().unwrap();

    let layers: Vec<Arc<dyn DiskLayer>> = vec![Arc::new(open(&child)), Arc::new(open(&base))];
    let disk = LayeredDisk::new(layers).unwrap();
    let mut bytes = vec![0; 24 << 20];
    disk.read_at(0, &mut bytes).unwrap();
    let ours = folder.path().join("ours.raw");
    std::fs::write(&ours, &bytes).unwrap();
    let crc = "import sys, zlib; print(zlib.crc32(open(sys.argv[1], 'rb').read()))";
    let ours = run("/usr/bin/python3", &["-c", crc, text(&ours)]);
    let theirs = run(
        "/usr/bin/python3",
        &["-c", LIBVHDI, text(&child), text(&base)],
    );
    assert_eq!(theirs, ours);
}
