//! What is taken out of ext4 volumes, into each target.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper of a test that cannot do its work fails the test"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::ops::Range;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use block_io::{BlockDevice, DiskError, DiskErrorKind, Extent, MemoryDisk};
use disk_model::independent_tools::have_tool;
use file_restore::{
    ArchiveFile, FileTarget, FolderOptions, FolderTarget, GuestPath, TakeOutObserver,
    TakeOutReport, TarTarget, TargetError, Tree, ZipTarget, outermost, take_out,
};
use guest_files::FileName;
use guest_reader::{Guest, LocalGuest};
use tempfile::TempDir;

/// A disk with a place that cannot be read.
struct Worn {
    disk: MemoryDisk,
    bad: Range<u64>,
}

impl BlockDevice for Worn {
    fn size_bytes(&self) -> u64 {
        self.disk.size_bytes()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        if offset < self.bad.end && offset + buf.len() as u64 > self.bad.start {
            return Err(DiskError::new(DiskErrorKind::Io, "a bad place"));
        }
        self.disk.read_at(offset, buf)
    }
    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        self.disk.extent_at(offset, max_bytes)
    }
}

/// Stops after so many files.
struct StopAfter(AtomicU64);

impl StopAfter {
    fn never() -> Self {
        Self(AtomicU64::new(u64::MAX))
    }
}

impl TakeOutObserver for StopAfter {
    fn advanced(&self, _: u64) {}
    fn finished(&self, _: &[FileName]) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
    fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

struct Bench {
    folder: TempDir,
    image: Vec<u8>,
}

impl Bench {
    /// Makes an ext4 volume of what `fill` puts into a folder; `debugfs` gets `changes`.
    fn new(fill: impl FnOnce(&Path), changes: &[&str]) -> Option<Self> {
        if !have_tool("mkfs.ext4", &["-V"]) || !have_tool("debugfs", &["-V"]) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir(&tree).unwrap();
        fill(&tree);
        let image = folder.path().join("image");
        let mut make = Command::new("mkfs.ext4");
        make.args(["-q", "-F", "-d"])
            .arg(&tree)
            .arg(&image)
            .arg("16M");
        assert!(make.status().unwrap().success());
        for change in changes {
            let mut debugfs = Command::new("debugfs");
            debugfs.args(["-w", "-R", change]).arg(&image);
            assert!(debugfs.output().unwrap().status.success());
        }
        let image = fs::read(image).unwrap();
        Some(Self { folder, image })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn take(&self, paths: &[&str], target: Box<dyn FileTarget>) -> TakeOutReport {
        self.take_until(paths, target, 0..0, &StopAfter::never())
            .unwrap()
    }

    fn take_until(
        &self,
        paths: &[&str],
        target: Box<dyn FileTarget>,
        bad: Range<u64>,
        observer: &StopAfter,
    ) -> Result<TakeOutReport, TargetError> {
        let guest = self.guest(bad);
        let tree = Tree::new(&guest, BTreeMap::new());
        let found = paths.iter().flat_map(|path| {
            let place = GuestPath::parse(path).unwrap();
            tree.matching(&place).unwrap()
        });
        let found = outermost(found.collect());
        take_out(&tree, &found, target, observer)
    }

    fn guest(&self, bad: Range<u64>) -> LocalGuest {
        let disk = MemoryDisk::new(self.image.clone());
        let disk: Arc<dyn BlockDevice> = Arc::new(Worn { disk, bad });
        LocalGuest::open(&[disk])
    }

    /// Returns where on the volume a part of a file lies.
    fn place_of(&self, path: &str) -> Range<u64> {
        let guest = self.guest(0..0);
        let tree = Tree::new(&guest, BTreeMap::new());
        let found = tree.find(&GuestPath::parse(path).unwrap()).unwrap();
        let system = guest.open(found.volume).unwrap();
        let file = system.open(found.node.id, None).unwrap();
        let extent = file.extents(1).unwrap()[0];
        extent.volume_offset..extent.volume_offset + extent.len_bytes
    }

    fn folder_target(&self, name: &str, options: FolderOptions) -> Box<dyn FileTarget> {
        Box::new(FolderTarget::new(&self.path(name), options).unwrap())
    }

    fn tar(&self, name: &str) -> Box<dyn FileTarget> {
        let file = ArchiveFile::create(&self.path(name), false).unwrap();
        Box::new(TarTarget::new(file))
    }

    fn zip(&self, name: &str) -> Box<dyn FileTarget> {
        let file = ArchiveFile::create(&self.path(name), false).unwrap();
        Box::new(ZipTarget::new(file))
    }

    /// Returns what a folder has: each file with its content.
    fn files(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        let root = self.path(name);
        let mut found = BTreeMap::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                    found.insert(name.to_owned(), fs::read(&path).unwrap());
                }
            }
        }
        found
    }

    fn tarred(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(fs::File::open(self.path(name)).unwrap());
        let mut found = BTreeMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            if !name.ends_with('/') {
                assert_eq!(found.insert(name, content), None);
            }
        }
        found
    }

    fn zipped(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        let mut archive = zip::ZipArchive::new(fs::File::open(self.path(name)).unwrap()).unwrap();
        let mut found = BTreeMap::new();
        for number in 0..archive.len() {
            let mut entry = archive.by_index(number).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            if !entry.is_dir() {
                found.insert(entry.name().unwrap().into_owned(), content);
            }
        }
        found
    }
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

fn texts(files: &BTreeMap<String, Vec<u8>>) -> Vec<(&str, &str)> {
    let texts = files.iter().map(|(name, content)| {
        let content = std::str::from_utf8(content).unwrap();
        (name.as_str(), content)
    });
    texts.collect()
}

const OVERWRITE: FolderOptions = FolderOptions {
    overwrite: true,
    owners: false,
};

#[test]
fn what_a_pattern_finds_in_several_folders_stays_apart() {
    let fill = |tree: &Path| {
        write(
            tree,
            &[
                ("users/ann/x.txt", "ann's"),
                ("users/bob/x.txt", "bob's"),
                ("users/bob/deep/x.txt", "deep"),
                ("users/bob/other", "-"),
            ],
        );
    };
    let Some(bench) = Bench::new(fill, &[]) else {
        return;
    };
    let report = bench.take(
        &["/1/users/*/x.txt"],
        bench.folder_target("one", FolderOptions::default()),
    );
    assert_eq!(report.files, 2, "{report:?}");
    assert_eq!(
        texts(&bench.files("one")),
        [("ann/x.txt", "ann's"), ("bob/x.txt", "bob's")]
    );
    bench.take(&["/1/users/**/x.txt"], bench.tar("two"));
    assert_eq!(
        texts(&bench.tarred("two")),
        [
            ("ann/x.txt", "ann's"),
            ("bob/deep/x.txt", "deep"),
            ("bob/x.txt", "bob's")
        ]
    );
    // A folder and what is in it are found both, and come once.
    let report = bench.take(&["/1/users/**"], bench.zip("three"));
    assert_eq!((report.files, report.failed.len()), (4, 0), "{report:?}");
    assert_eq!(bench.zipped("three").len(), 4);
}

#[test]
fn no_two_files_of_a_run_come_to_one_place() {
    let fill = |tree: &Path| write(tree, &[("a/x", "first"), ("b/x", "second")]);
    let Some(bench) = Bench::new(fill, &[]) else {
        return;
    };
    let paths = ["/1/a/x", "/1/b/x"];
    let targets = [
        bench.folder_target("folder", OVERWRITE),
        bench.tar("tar"),
        bench.zip("zip"),
    ];
    for target in targets {
        let report = bench.take(&paths, target);
        assert_eq!(report.files, 1);
        let [(path, why)] = report.failed.as_slice() else {
            panic!("{report:?}");
        };
        assert_eq!(path, "x");
        assert!(why.contains("the same place"), "{why}");
    }
    for files in [
        bench.files("folder"),
        bench.tarred("tar"),
        bench.zipped("zip"),
    ] {
        assert_eq!(texts(&files), [("x", "first")]);
    }
}

#[test]
fn a_name_that_looks_like_a_pattern_is_found_as_it_is_written() {
    let files = [
        ("[1]/{a,b}.txt", "braces"),
        ("[1]/a.txt", "a"),
        ("1/c", "c"),
    ];
    let Some(bench) = Bench::new(|tree| write(tree, &files), &[]) else {
        return;
    };
    let taken = |name: &str, path: &str| {
        bench.take(&[path], bench.folder_target(name, FolderOptions::default()));
        bench.files(name).into_keys().collect::<Vec<_>>()
    };
    assert_eq!(taken("one", "/1/[1]/{a,b}.txt"), ["{a,b}.txt"]);
    assert_eq!(taken("two", "/1/[1]/{a,b}*"), ["{a,b}.txt"]);
    assert_eq!(taken("three", "/1/?/c"), ["1/c"]);
    // In a pattern, a folder without one is that folder alone.
    assert_eq!(taken("four", "/1/[1]/a*"), ["a.txt"]);
}

#[test]
fn an_unreadable_file_is_told_and_what_is_there_of_it_never_looks_whole() {
    let noise: String = (0..60_000).map(|n: u32| format!("{n:05}")).collect();
    let fill = |tree: &Path| {
        write(
            tree,
            &[("d/bad", &noise), ("d/good", "good"), ("d/short", "x")],
        );
    };
    let Some(bench) = Bench::new(fill, &[]) else {
        return;
    };
    let place = bench.place_of("/1/d/bad");
    let bad = place.start + 100_000..place.start + 100_001;
    let take = |target, has_zeros: bool| {
        let report = bench
            .take_until(&["/1/d"], target, bad.clone(), &StopAfter::never())
            .unwrap();
        let [(path, why)] = report.failed.as_slice() else {
            panic!("{report:?}");
        };
        assert_eq!(path, "d/bad");
        assert!(why.contains("a bad place"), "{why}");
        assert_eq!(why.contains("zeros"), has_zeros, "{why}");
        assert_eq!(report.files, 2);
    };
    take(
        bench.folder_target("folder", FolderOptions::default()),
        false,
    );
    assert_eq!(
        texts(&bench.files("folder")),
        [("d/good", "good"), ("d/short", "x")]
    );
    take(bench.tar("tar"), true);
    take(bench.zip("zip"), true);
    for files in [bench.tarred("tar"), bench.zipped("zip")] {
        assert_eq!(files["d/good"], b"good");
        assert_eq!(files["d/bad"].len(), noise.len());
        assert!(files["d/bad"] != noise.as_bytes());
        assert_eq!(files["d/bad"].last(), Some(&0));
    }
}

#[test]
fn what_this_machine_s_kernel_goes_by_comes_where_it_was_asked_for() {
    let fill = |tree: &Path| {
        write(tree, &[("tool", "#!"), ("dir/in", "-")]);
        let set = |name: &str, mode| {
            fs::set_permissions(tree.join(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        set("tool", 0o6755);
        set("dir", 0o3770);
        set("dir/in", 0o400);
    };
    let changes = [
        "ea_set tool security.capability 0123456789ab",
        "ea_set tool user.note kept",
        "ea_set dir/in user.note kept",
        "set_inode_field tool uid 12345",
    ];
    let Some(bench) = Bench::new(fill, &changes) else {
        return;
    };
    let report = bench.take(
        &["/1/tool", "/1/dir"],
        bench.folder_target("out", FolderOptions::default()),
    );
    let about = |name: &str| fs::metadata(bench.path(&format!("out/{name}"))).unwrap();
    assert_eq!(about("tool").mode() & 0o7777, 0o755);
    assert_eq!(about("dir").mode() & 0o7777, 0o1770);
    assert_eq!(about("dir/in").mode() & 0o7777, 0o400);
    assert_eq!(about("tool").uid(), about("").uid());
    let lost: Vec<_> = report.lost.sorts.iter().map(|(_, what, _)| what).collect();
    assert!(
        lost.iter().any(|what| what.starts_with("set-user-id")),
        "{lost:?}"
    );
    assert!(
        lost.iter()
            .any(|what| what.starts_with("attributes security.*")),
        "{lost:?}"
    );
    // `user.*` is kept where the file system has it, also of a file that nobody may write.
    let here = rustix::fs::setxattr(
        bench.path("out"),
        "user.try",
        b"",
        rustix::fs::XattrFlags::empty(),
    );
    let noted = lost
        .iter()
        .filter(|what| what.contains("user.note"))
        .count();
    assert_eq!(noted == 0, here.is_ok(), "{lost:?}");
}

#[test]
fn what_is_stopped_leaves_whole_files_and_no_archive() {
    let fill = |tree: &Path| {
        write(tree, &[("d/a", "1"), ("d/b", "2"), ("d/c", "3")]);
        fs::set_permissions(tree.join("d"), fs::Permissions::from_mode(0o750)).unwrap();
    };
    let Some(bench) = Bench::new(fill, &[]) else {
        return;
    };
    // The folder and two files.
    let stop = || StopAfter(AtomicU64::new(3));
    let take = |target| bench.take_until(&["/1/d"], target, 0..0, &stop()).unwrap();
    let report = take(bench.folder_target("out", FolderOptions::default()));
    assert!(report.cancelled);
    assert_eq!(texts(&bench.files("out")), [("d/a", "1"), ("d/b", "2")]);
    let mode = fs::metadata(bench.path("out/d")).unwrap().mode();
    assert_eq!(mode & 0o777, 0o750, "the folder was not finished");
    for archive in ["tar", "zip"] {
        let target = match archive {
            "tar" => bench.tar(archive),
            _ => bench.zip(archive),
        };
        assert!(take(target).cancelled);
        let names = fs::read_dir(bench.folder.path()).unwrap();
        let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 3, "{names:?}");
    }
}

#[test]
fn a_full_device_is_told_as_one() {
    let Some(bench) = Bench::new(|tree| write(tree, &[("a", "x")]), &[]) else {
        return;
    };
    let full = || ArchiveFile::create(Path::new("/dev/full"), true).unwrap();
    let targets: [Box<dyn FileTarget>; 3] = [
        Box::new(TarTarget::new(full())),
        Box::new(ZipTarget::new(full())),
        Box::new(TarTarget::new(
            file_restore::ZstdOut::new(full(), 3).unwrap(),
        )),
    ];
    for target in targets {
        let taken = bench.take_until(&["/1/a"], target, 0..0, &StopAfter::never());
        let error = taken.expect_err("a full device took an archive");
        assert!(error.is_full(), "{error}");
    }
}

#[test]
fn what_exists_stays_until_the_new_one_is_whole() {
    let noise = "noise ".repeat(60_000);
    let fill = |tree: &Path| {
        write(tree, &[("d/file", &noise)]);
        symlink("elsewhere", tree.join("d/link")).unwrap();
        fs::hard_link(tree.join("d/file"), tree.join("d/second")).unwrap();
    };
    let Some(bench) = Bench::new(fill, &[]) else {
        return;
    };
    let place = bench.place_of("/1/d/file");
    write(&bench.path("out"), &[("d/file", "mine")]);
    fs::set_permissions(bench.path("out/d"), fs::Permissions::from_mode(0o711)).unwrap();
    let bad = place.start + 200_000..place.start + 200_001;
    let target = bench.folder_target("out", OVERWRITE);
    let report = bench
        .take_until(&["/1/d"], target, bad, &StopAfter::never())
        .unwrap();
    assert_eq!(report.failed.len(), 2, "{report:?}");
    assert_eq!(
        fs::read_to_string(bench.path("out/d/file")).unwrap(),
        "mine"
    );

    // Twice: two names of one file are put over two names of one file.
    for _ in 0..2 {
        let report = bench.take(&["/1/d"], bench.folder_target("out", OVERWRITE));
        assert_eq!(report.failed.len(), 0, "{report:?}");
    }
    let about = |name: &str| fs::symlink_metadata(bench.path("out").join(name)).unwrap();
    assert_eq!(fs::read_to_string(bench.path("out/d/file")).unwrap(), noise);
    assert_eq!(about("d/file").ino(), about("d/second").ino());
    let target = fs::read_link(bench.path("out/d/link")).unwrap();
    assert_eq!(target, Path::new("elsewhere"));
    // A folder that was there keeps what it had, and nothing of ours is left.
    assert_eq!(about("d").mode() & 0o777, 0o711);
    assert_eq!(fs::read_dir(bench.path("out/d")).unwrap().count(), 3);
}

#[test]
fn a_zip_has_names_that_every_system_takes_for_the_same() {
    let files = [("a\\b", "backslash"), ("c:d", "colon"), ("100%", "percent")];
    let Some(bench) = Bench::new(|tree| write(tree, &files), &[]) else {
        return;
    };
    let report = bench.take(&["/1/[!l]*"], bench.zip("zip"));
    assert_eq!(
        texts(&bench.zipped("zip")),
        [
            ("100%", "percent"),
            ("a%5Cb", "backslash"),
            ("c%3Ad", "colon")
        ]
    );
    let [(_, what, 2)] = report.lost.sorts.as_slice() else {
        panic!("{report:?}");
    };
    assert!(what.contains("Windows"), "{what}");
}
