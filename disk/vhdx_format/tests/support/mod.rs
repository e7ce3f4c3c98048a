//! What the tests of this crate share: samples, external tools, whole-disk comparisons.
#![expect(
    dead_code,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "each test binary uses a part of this; a skipped test must be seen; this is for tests"
)]

pub(crate) mod images;
pub(crate) mod raw_log;

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use block_io::{
    BlockDevice, DiskLayer, ExtentKind, ImageFile as _, LayerExtentKind, LayeredDisk, OsFile,
};
use disk_model::independent_tools::{self, have_tool};
use vhdx_format::VhdxLayer;

pub(crate) fn have_qemu() -> bool {
    have_tool("qemu-img", &["--version"])
}

pub(crate) fn have_python() -> bool {
    have_tool("python3", &["--version"])
}

/// Says whether tests that take minutes are to run; prints what this one does where they are not.
pub(crate) fn slow_tests_wanted(what: &str) -> bool {
    let wanted = std::env::var_os("LIFEBOAT_SLOW_TESTS").is_some_and(|value| value == "1");
    if !wanted {
        eprintln!("skipped: {what}; runs where LIFEBOAT_SLOW_TESTS=1");
    }
    wanted
}

/// Unpacks a sample into `folder`; `None`, visibly, where the samples are absent.
pub(crate) fn sample(name: &str, folder: &Path) -> Option<PathBuf> {
    let packed = independent_tools::sample(&format!("vhdx/{name}.gz"))?;
    if !have_tool("gzip", &["--version"]) {
        return None;
    }
    let path = folder.join(name);
    let out = File::create(&path).unwrap();
    let status = Command::new("gzip")
        .arg("-dc")
        .arg(&packed)
        .stdout(out)
        .status()
        .unwrap();
    assert!(status.success());
    Some(path)
}

pub(crate) fn open(path: &Path) -> VhdxLayer {
    VhdxLayer::open(Arc::new(OsFile::open(path).unwrap())).unwrap()
}

pub(crate) fn open_disk(path: &Path) -> LayeredDisk {
    let layer: Arc<dyn DiskLayer> = Arc::new(open(path));
    LayeredDisk::new(vec![layer]).unwrap()
}

/// Calls `each` with every data extent, at most 4 MiB at a time.
pub(crate) fn for_each_data(disk: &dyn BlockDevice, mut each: impl FnMut(u64, &[u8])) {
    let mut offset = 0;
    let mut buf = vec![0; 4 << 20];
    while offset < disk.size_bytes() {
        let extent = disk.extent_at(offset, disk.size_bytes() - offset).unwrap();
        let end = offset + extent.len_bytes;
        if extent.kind == ExtentKind::Data {
            while offset < end {
                let len = usize::try_from(end - offset).unwrap().min(buf.len());
                disk.read_at(offset, &mut buf[..len]).unwrap();
                each(offset, &buf[..len]);
                offset += len as u64;
            }
        }
        offset = end;
    }
}

/// Writes the disk to a sparse raw file.
pub(crate) fn write_raw(disk: &dyn BlockDevice, path: &Path) {
    use block_io::WritableFile as _;
    let raw = OsFile::create_new(path).unwrap();
    raw.set_size_bytes(disk.size_bytes()).unwrap();
    for_each_data(disk, |offset, data| {
        if data.iter().any(|byte| *byte != 0) {
            raw.write_all_at(offset, data).unwrap();
        }
    });
}

/// Hashes its input. Python's OpenSSL is five times as fast as `sha256sum`.
const SHA256: &str = "
import hashlib, sys
sha256 = hashlib.sha256()
while data := sys.stdin.buffer.read(1 << 20):
    sha256.update(data)
print(sha256.hexdigest())
";

/// Returns the SHA-256 of the whole disk, as another program computes it.
pub(crate) fn sha256(disk: &dyn BlockDevice) -> String {
    let mut child = Command::new("python3")
        .args(["-c", SHA256])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut buf = vec![0; 4 << 20];
    let mut offset = 0;
    while offset < disk.size_bytes() {
        let len = usize::try_from(disk.size_bytes() - offset)
            .unwrap()
            .min(buf.len());
        disk.read_at(offset, &mut buf[..len]).unwrap();
        stdin.write_all(&buf[..len]).unwrap();
        offset += len as u64;
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

/// Runs a tool and returns what it said; panics where it fails.
pub(crate) fn run(tool: &str, args: &[&str]) -> String {
    let output = Command::new(tool).args(args).output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{tool} {args:?}: {text}");
    text
}

/// Fails unless qemu-img reads the same bytes from `image` as we do.
pub(crate) fn assert_qemu_agrees(image: &Path, folder: &Path) {
    let raw = folder.join("theirs.raw");
    drop(std::fs::remove_file(&raw));
    let paths = [image.to_str().unwrap(), raw.to_str().unwrap()];
    run(
        "qemu-img",
        &["convert", "-f", "vhdx", "-O", "raw", paths[0], paths[1]],
    );
    assert_same_as_raw(&open_disk(image), &raw);
}

/// Fails unless a raw file holds the disk. What both call empty is not read: `qemu-img compare`
/// reads it, and takes minutes.
pub(crate) fn assert_same_as_raw(disk: &dyn BlockDevice, raw: &Path) {
    let raw = OsFile::open(raw).unwrap();
    assert_eq!(raw.size_bytes().unwrap(), disk.size_bytes());
    let (mut ours, mut theirs) = (vec![0; 4 << 20], vec![0; 4 << 20]);
    let mut offset = 0;
    while offset < disk.size_bytes() {
        let left = disk.size_bytes() - offset;
        let one = disk.extent_at(offset, left).unwrap();
        let two = raw.file_extent_at(offset, one.len_bytes).unwrap();
        let mut len = two.len_bytes;
        if one.kind == ExtentKind::Data || two.kind == LayerExtentKind::Data {
            len = len.min(4 << 20);
            let piece = usize::try_from(len).unwrap();
            disk.read_at(offset, &mut ours[..piece]).unwrap();
            raw.read_exact_at(offset, &mut theirs[..piece]).unwrap();
            assert!(ours[..piece] == theirs[..piece], "at {offset}");
        }
        offset += len;
    }
}
