//! A folder with something of everything.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::Path;

use disk_model::noise;
use rustix::fs::{
    AtFlags, CWD, FallocateFlags, FileType, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags,
};

/// What a file system can hold.
#[derive(Clone, Copy)]
pub(crate) struct Can {
    /// Extended attributes.
    pub(crate) attributes: bool,
    /// The longest value of one, in bytes.
    pub(crate) value_bytes: usize,
    /// Times after 2038.
    pub(crate) late_times: bool,
}

impl Can {
    pub(crate) const ALL: Self = Self {
        attributes: true,
        value_bytes: 2000,
        late_times: true,
    };
}

/// Fills a folder.
pub(crate) fn fill(root: &Path, can: Can) {
    sizes(root);
    sparse(root);
    names(root);
    links(root);
    many(root, 2000);
    if can.attributes {
        attributes(root, can.value_bytes);
    }
    owners_and_times(root, can);
}

fn sizes(root: &Path) {
    let folder = root.join("sizes");
    fs::create_dir(&folder).unwrap();
    let sizes = [
        0, 1, 59, 60, 61, 100, 159, 160, 200, 1023, 4095, 4096, 4097, 70_000, 3_000_017,
    ];
    for (seed, size) in (1..).zip(sizes) {
        fs::write(folder.join(size.to_string()), noise(seed, size)).unwrap();
    }
    fs::write(
        folder.join("text"),
        "a line that compresses well\n".repeat(20_000),
    )
    .unwrap();
    fs::write(folder.join("zeros"), vec![0; 300_000]).unwrap();
}

fn sparse(root: &Path) {
    let folder = root.join("sparse");
    fs::create_dir(&folder).unwrap();
    let hole = File::create(folder.join("hole")).unwrap();
    hole.write_all_at(b"start", 0).unwrap();
    hole.write_all_at(&noise(3, 9000), 12_345_678).unwrap();
    hole.set_len(14 << 20).unwrap();
    let pieces = File::create(folder.join("pieces")).unwrap();
    for piece in 0..600 {
        pieces
            .write_all_at(&noise(piece, 4096), piece * 3 * 4096)
            .unwrap();
    }
    let promised = File::create(folder.join("promised")).unwrap();
    // Not every file system can; then it is a file like others.
    let _ = rustix::fs::fallocate(&promised, FallocateFlags::empty(), 0, 500_000);
    promised.write_all_at(&noise(5, 50_000), 100_000).unwrap();
    let beyond = File::create(folder.join("beyond")).unwrap();
    let _ = rustix::fs::fallocate(&beyond, FallocateFlags::KEEP_SIZE, 0, 500_000);
    beyond.write_all_at(b"short", 0).unwrap();
}

fn names(root: &Path) {
    let folder = root.join("names ü 日本");
    fs::create_dir(&folder).unwrap();
    for name in ["ünïcode ファイル", "two  blanks", "new\nline", "-dash", "…"] {
        fs::write(folder.join(name), name).unwrap();
    }
    fs::write(folder.join(OsStr::from_bytes(b"no\xFFtext")), "bytes").unwrap();
    fs::write(folder.join("n".repeat(255)), "long").unwrap();
    let mut deep = folder.clone();
    for level in 0..30 {
        deep.push(format!("level {level}"));
        fs::create_dir(&deep).unwrap();
    }
    fs::write(deep.join("bottom"), "deep").unwrap();
    fs::create_dir(folder.join("empty")).unwrap();
}

fn links(root: &Path) {
    let folder = root.join("links");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("target"), "target").unwrap();
    fs::hard_link(folder.join("target"), folder.join("second")).unwrap();
    for len in [1, 58, 59, 60, 61, 100, 500, 1000] {
        let target = "t".repeat(len);
        symlink(target, folder.join(format!("to {len}"))).unwrap();
    }
    let pipe = folder.join("pipe");
    rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o640), 0).unwrap();
}

/// A folder whose names do not fit in a few blocks, some of them removed again.
pub(crate) fn many(root: &Path, count: usize) {
    let folder = root.join("many");
    fs::create_dir(&folder).unwrap();
    for number in 0..count {
        let name = folder.join(format!("{number:06}-{}", "x".repeat(number % 40)));
        let mut file = File::create(&name).unwrap();
        if number % 10 == 0 {
            file.write_all(&noise(7, number % 777)).unwrap();
        }
    }
    for number in (0..count).step_by(7) {
        let name = folder.join(format!("{number:06}-{}", "x".repeat(number % 40)));
        fs::remove_file(name).unwrap();
    }
}

fn attributes(root: &Path, value_bytes: usize) {
    let folder = root.join("attributes");
    fs::create_dir(&folder).unwrap();
    let set = |path: &Path, name: &str, value: &[u8]| {
        rustix::fs::lsetxattr(path, name, value, XattrFlags::empty()).unwrap();
    };
    let few = folder.join("few");
    fs::write(&few, "few").unwrap();
    set(&few, "user.note", b"short");
    set(&few, "user.empty", b"");
    set(&few, "trusted.overlay", b"y");
    let several = folder.join("several");
    fs::write(&several, noise(9, 100)).unwrap();
    for number in 0..if value_bytes > 1000 { 12 } else { 8 } {
        set(
            &several,
            &format!("user.number{number}"),
            &noise(number, 60),
        );
    }
    let large = folder.join("large");
    fs::write(&large, "large").unwrap();
    set(&large, "user.large", &noise(11, value_bytes));
    set(&large, "user.small", b"beside it");
    symlink("few", folder.join("link")).unwrap();
    set(&folder.join("link"), "trusted.link", b"of the link");
    let acl = folder.join("acl");
    fs::write(&acl, "acl").unwrap();
    set(&acl, "system.posix_acl_access", &acl_bytes());
    let inherits = folder.join("inherits");
    fs::create_dir(&inherits).unwrap();
    set(&inherits, "system.posix_acl_default", &acl_bytes());
    fs::write(inherits.join("heir"), "heir").unwrap();
}

/// `u::rw-,u:1000:r--,g::r--,g:2000:rwx,m::rwx,o::---`, as Linux takes it.
fn acl_bytes() -> Vec<u8> {
    let none = u32::MAX;
    let entries = [
        (1_u16, 6_u16, none),
        (2, 4, 1000),
        (4, 4, none),
        (8, 7, 2000),
        (0x10, 7, none),
        (0x20, 0, none),
    ];
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

fn owners_and_times(root: &Path, can: Can) {
    let folder = root.join("times");
    fs::create_dir(&folder).unwrap();
    let mut seconds = vec![0, 1, -1, -1_000_000_000, 1_700_000_000, i64::from(i32::MAX)];
    if can.late_times {
        seconds.extend([i64::from(i32::MAX) + 1, 5_000_000_000, 10_000_000_000]);
    }
    for (number, second) in (0_u32..).zip(seconds) {
        let path = folder.join(format!("at {second}"));
        fs::write(&path, "time").unwrap();
        let user = Uid::from_raw(number * 70_001);
        let group = Gid::from_raw(number * 33);
        // Whoever is not root may not.
        let _ = rustix::fs::chownat(
            CWD,
            &path,
            Some(user),
            Some(group),
            AtFlags::SYMLINK_NOFOLLOW,
        );
        let mode = Mode::from_raw_mode(0o4000 >> (number % 3) | 0o640);
        rustix::fs::chmod(&path, mode).unwrap();
        let time = Timespec {
            tv_sec: second,
            tv_nsec: 123_456_789,
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        rustix::fs::utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
    }
}
