//! Files over restore points: what differs, which versions there are, what made a point large.
#![expect(clippy::print_stderr, reason = "a test that is skipped must be seen")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use disk_model::independent_tools::{have_tool, skip};
use serde_json::Value;

use crate::sandbox::{Sandbox, files, json_lines, noise};

fn records(text: &str, kind: &str) -> Vec<Value> {
    let lines = json_lines(text).into_iter();
    lines.filter(|line| line["type"] == kind).collect()
}

fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// An ext4 volume that is a whole disk, changed by `debugfs`.
struct Ext<'s> {
    sandbox: &'s Sandbox,
    image: String,
}

impl<'s> Ext<'s> {
    fn new(sandbox: &'s Sandbox) -> Option<Self> {
        if !have_tool("mkfs.ext4", &["-V"]) || !have_tool("debugfs", &["-V"]) {
            return None;
        }
        let tree = sandbox.path("tree");
        fs::create_dir_all(tree.join("docs/old")).unwrap();
        fs::write(tree.join("hello.txt"), noise("hello", 5000)).unwrap();
        fs::write(tree.join("big.bin"), noise("big", 3 << 20)).unwrap();
        fs::write(tree.join("docs/old/gone.txt"), "soon gone\n").unwrap();
        for number in 0..200 {
            fs::write(
                tree.join(format!("docs/file-{number:03}")),
                noise(&format!("{number}"), number * 37),
            )
            .unwrap();
        }
        let image = sandbox.text("host/EXT.raw");
        let label = "da\u{1b}[31mta";
        run(
            "mkfs.ext4",
            &[
                "-q",
                "-F",
                "-L",
                label,
                "-d",
                tree.to_str().unwrap(),
                &image,
                "32M",
            ],
        );
        Some(Self { sandbox, image })
    }

    /// Runs commands of `debugfs`.
    fn change(&self, commands: &str) {
        let script = self.sandbox.path("commands");
        fs::write(&script, commands).unwrap();
        run(
            "debugfs",
            &["-w", "-f", script.to_str().unwrap(), &self.image],
        );
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let file = self.sandbox.text("new-file");
        fs::write(&file, bytes).unwrap();
        self.change(&format!("rm {name}\nwrite {file} {name}\n"));
    }

    /// Writes over a block of a file in its place; the file system notices nothing.
    fn write_in_place(&self, name: &str, block: u64) {
        let place = run(
            "debugfs",
            &["-R", &format!("bmap {name} {block}"), &self.image],
        );
        let place: u64 = place.trim().parse().unwrap();
        // mkfs.ext4 makes blocks of 1 KiB on disks below 512 MiB.
        let image = OpenOptions::new().write(true).open(&self.image).unwrap();
        image
            .write_all_at(&noise("in place", 1024), place * 1024)
            .unwrap();
    }

    fn back_up(&self) {
        assert_eq!(self.sandbox.back_up_all()["outcome"], "success");
    }
}

/// What differs between two folders, by hash: names with A, D or M.
fn compare_folders(old: &Path, new: &Path) -> BTreeSet<(String, String)> {
    let hashes = |folder: &Path| -> BTreeMap<String, blake3::Hash> {
        let all = files(folder).into_iter().map(|path| {
            let name = path
                .strip_prefix(folder)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            (name, blake3::hash(&fs::read(&path).unwrap()))
        });
        all.collect()
    };
    let (old, new) = (hashes(old), hashes(new));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let differing = names.into_iter().filter_map(|name| {
        let letter = match (old.get(name), new.get(name)) {
            (None, _) => "added",
            (_, None) => "removed",
            (Some(old), Some(new)) if old != new => "changed",
            _ => return None,
        };
        Some((letter.to_owned(), name.clone()))
    });
    differing.collect()
}

/// What `files diff` says of files, below the volume.
fn diff(sandbox: &Sandbox, args: &[&str]) -> BTreeSet<(String, String)> {
    let args: Vec<&str> = ["files", "diff"]
        .iter()
        .chain(args)
        .chain(&["--json"])
        .copied()
        .collect();
    let changes = records(&sandbox.ok(&args), "change");
    let of_files = changes.iter().filter(|line| line["kind"] == "file");
    let named = of_files.map(|line| {
        let path = line["path"].as_str().unwrap();
        let name = path.splitn(3, '/').last().unwrap();
        (line["change"].as_str().unwrap().to_owned(), name.to_owned())
    });
    named.collect()
}

/// Takes both points out and compares the folders, which `files diff` has to agree with.
fn assert_diff_is_true(sandbox: &Sandbox, vm: &str) {
    assert_diff_of_volume_is_true(sandbox, vm, "1");
}

fn assert_diff_of_volume_is_true(sandbox: &Sandbox, vm: &str, volume: &str) {
    for (back, folder) in [("~1", "before"), ("", "after")] {
        let _ = fs::remove_dir_all(sandbox.path(folder));
        let place = format!("{vm}@latest{back}:/{volume}");
        sandbox.ok(&["files", "get", &place, "-o", &sandbox.text(folder)]);
    }
    let expected = compare_folders(&sandbox.path("before"), &sandbox.path("after"));
    assert!(!expected.is_empty());
    let old = format!("{vm}@latest~1");
    let mut found = diff(sandbox, &[&old, &format!("{vm}@latest")]);
    found.retain(|(change, _)| change != "attributes");
    assert_eq!(found, expected);
}

#[test]
fn a_diff_says_what_hashes_say() {
    let sandbox = Sandbox::with_repository();
    let Some(ext) = Ext::new(&sandbox) else {
        return;
    };
    ext.back_up();
    ext.write("/docs/file-007", &noise("seven", 7777));
    ext.write("/docs/new.bin", &noise("new", 100_000));
    ext.change("rm /docs/old/gone.txt\nsif /docs/file-100 mode 0100600\n");
    // No time and no size tell of it.
    ext.write_in_place("/big.bin", 1500);
    ext.back_up();
    assert_diff_is_true(&sandbox, "EXT");
    let found = diff(&sandbox, &["EXT@latest~1", "EXT@latest"]);
    for (change, name) in [
        ("changed", "big.bin"),
        ("changed", "docs/file-007"),
        ("added", "docs/new.bin"),
        ("removed", "docs/old/gone.txt"),
        ("attributes", "docs/file-100"),
    ] {
        assert!(
            found.contains(&(change.to_owned(), name.to_owned())),
            "{change} {name}: {found:?}"
        );
    }
    assert_eq!(found.len(), 5, "{found:?}");
    // A folder alone; and for people.
    let docs = diff(&sandbox, &["EXT@latest~1:/1/docs/old", "EXT@latest"]);
    assert_eq!(docs.len(), 1, "{docs:?}");
    let text = sandbox.ok(&["files", "diff", "EXT@latest~1", "EXT@latest"]);
    assert!(
        text.lines()
            .any(|line| line.starts_with("M ") && line.ends_with("/1/big.bin")),
        "{text}"
    );
    // Backwards, what was added is removed.
    let back = diff(&sandbox, &["EXT@latest", "EXT@latest~1"]);
    assert!(
        back.contains(&("removed".to_owned(), "docs/new.bin".to_owned())),
        "{back:?}"
    );
}

#[test]
fn files_that_lie_elsewhere_are_compared_by_their_bytes() {
    let sandbox = Sandbox::with_repository();
    let Some(ext) = Ext::new(&sandbox) else {
        return;
    };
    ext.back_up();
    // Made anew with one more file in front, so that all others lie elsewhere.
    let tree = sandbox.path("tree");
    fs::write(tree.join("a-new-one"), noise("front", 200_000)).unwrap();
    fs::write(tree.join("docs/file-050"), noise("other", 50 * 37)).unwrap();
    fs::remove_file(&ext.image).unwrap();
    run(
        "mkfs.ext4",
        &["-q", "-F", "-d", tree.to_str().unwrap(), &ext.image, "32M"],
    );
    ext.back_up();
    assert_diff_is_true(&sandbox, "EXT");
}

#[test]
fn holes_are_not_compared_byte_by_byte() {
    let sandbox = Sandbox::with_repository();
    let Some(ext) = Ext::new(&sandbox) else {
        return;
    };
    let tree = sandbox.path("tree");
    // It would take hours to read.
    let sparse = |word: &[u8], end: &[u8]| {
        let file = fs::File::create(tree.join("sparse")).unwrap();
        file.set_len(1 << 40).unwrap();
        file.write_all_at(word, 0).unwrap();
        file.write_all_at(end, 1 << 39).unwrap();
        fs::remove_file(&ext.image).unwrap();
        let tree = tree.to_str().unwrap();
        run("mkfs.ext4", &["-q", "-F", "-d", tree, &ext.image, "32M"]);
        ext.back_up();
    };
    sparse(b"word", b"end");
    fs::write(tree.join("a-new-one"), noise("front", 200_000)).unwrap();
    sparse(b"word", b"end");
    let found = diff(&sandbox, &["EXT@latest~1", "EXT@latest"]);
    assert!(
        !found.contains(&("changed".to_owned(), "sparse".to_owned())),
        "{found:?}"
    );
    sparse(b"word", b"END");
    let found = diff(&sandbox, &["EXT@latest~1", "EXT@latest"]);
    assert!(
        found.contains(&("changed".to_owned(), "sparse".to_owned())),
        "{found:?}"
    );
}

#[test]
fn an_ntfs_volume_is_compared_likewise() {
    if !have_tool("ntfscp", &["--version"]) {
        return;
    }
    let sandbox = Sandbox::with_repository();
    let Some(image) = ntfs(&sandbox) else { return };
    let copy = |name: &str, bytes: &[u8]| {
        let file = sandbox.text("new-file");
        fs::write(&file, bytes).unwrap();
        run("ntfscp", &["-q", "-f", &image, &file, name]);
    };
    copy("pagefile.sys", &noise("page", 2 << 20));
    copy("small.txt", b"in the record");
    copy("plan.xlsx", &noise("plan", 300_000));
    copy("same.bin", &noise("same", 300_000));
    assert_eq!(sandbox.back_up_all()["outcome"], "success");
    copy("pagefile.sys", &noise("other page", 2 << 20));
    copy("small.txt", b"In the record");
    copy("plan.xlsx", &noise("plan 2", 310_000));
    copy("new.txt", b"new");
    assert_eq!(sandbox.back_up_all()["outcome"], "success");
    assert_diff_is_true(&sandbox, "WIN");

    let churn = sandbox.ok(&["point", "churn", "WIN@latest", "--json"]);
    let churn = records(&churn, "churn");
    let largest = &churn[0];
    assert_eq!(largest["what"], "/1/pagefile.sys", "{churn:?}");
    assert_eq!(largest["skip"], "page-files");
    let bytes = largest["changed_bytes"].as_u64().unwrap();
    assert!(
        (2 << 20..=(2 << 20) + (64 << 10)).contains(&bytes),
        "{bytes}"
    );
    let sum: u64 = churn
        .iter()
        .map(|row| row["changed_bytes"].as_u64().unwrap())
        .sum();
    let point_diff = sandbox.ok(&["point", "diff", "WIN@latest~1", "WIN@latest", "--json"]);
    let all = json_lines(&point_diff).last().unwrap()["changed_bytes"]
        .as_u64()
        .unwrap();
    assert_eq!(
        sum, all,
        "every changed byte is somebody's, once: {churn:?}"
    );
    let text = sandbox.run(&["point", "churn", "WIN@latest"]);
    let said = String::from_utf8(text.stderr).unwrap();
    assert!(
        said.contains("--skip page-files would have left out 2."),
        "{said}"
    );
}

#[test]
fn the_versions_of_a_file_are_told_apart_over_all_points() {
    let sandbox = Sandbox::with_repository();
    let Some(ext) = Ext::new(&sandbox) else {
        return;
    };
    let plan = |text: &str| ext.write("/docs/plan.txt", text.as_bytes());
    ext.back_up();
    plan("first\n");
    ext.back_up();
    // Nothing, then something else.
    ext.back_up();
    ext.write("/docs/file-001", b"another");
    ext.back_up();
    plan("second, and longer\n");
    ext.back_up();
    ext.change("rm /docs/plan.txt\n");
    ext.back_up();
    let output = sandbox.ok(&[
        "files",
        "versions",
        "EXT@latest:/1/docs/plan.txt",
        "--hash",
        "--json",
    ]);
    let versions = records(&output, "version");
    let figures: Vec<(u64, u64)> = versions
        .iter()
        .map(|it| (it["points"].as_u64().unwrap(), it["size"].as_u64().unwrap()))
        .collect();
    assert_eq!(figures, [(1, 19), (3, 6)], "{versions:?}");
    assert_eq!(
        versions[1]["blake3"],
        blake3::hash(b"first\n").to_hex().to_string()
    );
    let summary = json_lines(&output).pop().unwrap();
    assert!(summary["gone_since"].is_string(), "{summary}");
    assert_eq!(summary["points"], 6);
    // What it says is what `files cat` takes.
    let first = versions[1]["path"].as_str().unwrap();
    assert_eq!(sandbox.ok(&["files", "cat", first]), "first\n");
    let last = sandbox.ok(&[
        "files",
        "versions",
        "EXT@latest:/1/docs/plan.txt",
        "--last",
        "2",
        "--json",
    ]);
    assert_eq!(records(&last, "version").len(), 1);
    sandbox.fails(2, &["files", "versions", "EXT@latest:/1/docs/never.txt"]);

    // The same files, each once.
    let output = sandbox.ok(&[
        "files",
        "find",
        "plan.*",
        "--vm",
        "ext",
        "--all-points",
        "--json",
    ]);
    let found = records(&output, "file");
    let figures: Vec<(u64, u64)> = found
        .iter()
        .map(|it| (it["points"].as_u64().unwrap(), it["size"].as_u64().unwrap()))
        .collect();
    assert_eq!(figures, [(1, 19), (3, 6)], "{found:?}");
    // Of six points two have the same disks, and one of them is not looked into.
    let walked = sandbox.run(&["files", "find", "plan.*", "--all-points"]);
    let said = String::from_utf8(walked.stderr).unwrap();
    assert!(said.contains("5 volumes walked"), "{said}");
    let error = sandbox.fails(
        2,
        &["files", "find", "plan.*", "--vm", "EXTT", "--all-points"],
    );
    assert!(error.contains("EXTT"), "{error}");
}

#[test]
fn files_are_found_by_path_size_and_time() {
    let sandbox = Sandbox::with_repository();
    let Some(ext) = Ext::new(&sandbox) else {
        return;
    };
    ext.back_up();
    let found = |args: &[&str]| {
        let args: Vec<&str> = ["files", "find"]
            .iter()
            .chain(args)
            .chain(&["EXT@latest", "--json"])
            .copied()
            .collect();
        records(&sandbox.ok(&args), "file").len()
    };
    assert_eq!(found(&["/1/docs/file-00?"]), 10);
    assert_eq!(found(&["docs/**/*.txt"]), 1);
    assert_eq!(found(&["*", "--size", "+1MiB"]), 1);
    assert_eq!(found(&["file-*", "--size", "37"]), 1);
    assert_eq!(found(&["file-*", "--size", "-38"]), 2);
    assert_eq!(found(&["big.bin", "--newer", "2d"]), 1);
    assert_eq!(found(&["big.bin", "--modified-before", "2001-01-01"]), 0);
    assert_eq!(found(&["big.bin", "--modified-after", "2001-01-01"]), 1);
}

#[test]
fn what_a_guest_writes_into_names_does_nothing_to_a_terminal() {
    let sandbox = Sandbox::with_repository();
    let Some(ext) = Ext::new(&sandbox) else {
        return;
    };
    fs::write(sandbox.path("tree/a\u{1b}[2Jb"), "x").unwrap();
    fs::remove_file(&ext.image).unwrap();
    let tree = sandbox.text("tree");
    run(
        "mkfs.ext4",
        &[
            "-q",
            "-F",
            "-L",
            "da\u{1b}[31mta",
            "-d",
            &tree,
            &ext.image,
            "32M",
        ],
    );
    ext.back_up();
    for args in [
        &["files", "volumes", "EXT@latest"][..],
        &["files", "volumes", "EXT@latest", "--plain"],
        &["files", "ls", "EXT@latest:/1"],
        &["files", "tree", "EXT@latest:/1"],
        &["files", "find", "*", "EXT@latest"],
        &["files", "find", "*", "--all-points"],
        &["files", "ls", "EXT@latest:/1/\u{1b}[31m"],
    ] {
        let output = sandbox.run(args);
        let shown = [output.stdout, output.stderr].concat();
        assert!(
            !shown.contains(&0x1b),
            "{args:?}: {}",
            String::from_utf8_lossy(&shown)
        );
        assert!(
            String::from_utf8_lossy(&shown).contains("\\u{1b}["),
            "{args:?}"
        );
    }
}

#[test]
fn a_volume_that_cannot_be_looked_into_is_told() {
    let sandbox = Sandbox::with_repository();
    let mut secret = vec![0; 1 << 20];
    secret[..8].copy_from_slice(b"\xEBR\x90-FVE-");
    secret[8..11].copy_from_slice(b"FS-");
    secret[510..512].copy_from_slice(&[0x55, 0xAA]);
    sandbox.raw("SECRET.raw", &secret);
    assert_eq!(sandbox.back_up_all()["outcome"], "success");
    let error = sandbox.fails(3, &["files", "find", "*", "SECRET@latest"]);
    assert!(error.contains("BitLocker"), "{error}");
    sandbox.fails(3, &["files", "find", "*", "--all-points"]);
    // As long as it is the same, there is nothing to compare.
    assert_eq!(sandbox.back_up_all()["outcome"], "success");
    sandbox.ok(&["files", "diff", "SECRET@latest~1", "SECRET@latest"]);
    let mut image = OpenOptions::new()
        .append(true)
        .open(sandbox.path("host/SECRET.raw"))
        .unwrap();
    image.write_all(&[1; 4096]).unwrap();
    drop(image);
    assert_eq!(sandbox.back_up_all()["outcome"], "success");
    let error = sandbox.fails(3, &["files", "diff", "SECRET@latest~1", "SECRET@latest"]);
    assert!(error.contains("BitLocker"), "{error}");
}

/// Makes a disk of partitions, each 1 MiB behind the one before.
fn partitioned(parts: &[&[u8]]) -> Vec<u8> {
    let mut disk = vec![0; 1 << 20];
    for (number, part) in parts.iter().enumerate() {
        let entry = 446 + number * 16;
        let (start, sectors) = (disk.len() / 512, part.len() / 512);
        disk[entry + 4] = 0x83;
        disk[entry + 8..entry + 12].copy_from_slice(&u32::try_from(start).unwrap().to_le_bytes());
        disk[entry + 12..entry + 16]
            .copy_from_slice(&u32::try_from(sectors).unwrap().to_le_bytes());
        disk.extend_from_slice(part);
        disk.resize(disk.len() + (1 << 20), 0);
    }
    disk[510..512].copy_from_slice(&[0x55, 0xAA]);
    disk
}

#[test]
fn of_two_partitions_the_one_that_changed_is_compared() {
    if !have_tool("mkfs.vfat", &["--help"]) || !have_tool("mcopy", &["-V"]) {
        return;
    }
    let sandbox = Sandbox::with_repository();
    let Some(ext) = Ext::new(&sandbox) else {
        return;
    };
    let ext = fs::read(&ext.image).unwrap();
    fs::remove_file(sandbox.path("host/EXT.raw")).unwrap();
    let fat = sandbox.text("fat");
    fs::File::create(&fat).unwrap().set_len(8 << 20).unwrap();
    run("mkfs.vfat", &["-F", "12", &fat]);
    let copy = |name: &str, bytes: &[u8]| {
        let file = sandbox.text("new-file");
        fs::write(&file, bytes).unwrap();
        run("mcopy", &["-o", "-i", &fat, &file, &format!("::{name}")]);
    };
    let back_up = || {
        sandbox.raw("BOTH.raw", &partitioned(&[&ext, &fs::read(&fat).unwrap()]));
        assert_eq!(sandbox.back_up_all()["outcome"], "success");
    };
    copy("kernel.img", &noise("kernel", 400_000));
    copy("old.cfg", b"old");
    back_up();
    copy("kernel.img", &noise("other kernel", 400_000));
    copy("a long name.cfg", b"new");
    run("mdel", &["-i", &fat, "::old.cfg"]);
    back_up();
    assert_diff_of_volume_is_true(&sandbox, "BOTH", "2");
    let text = sandbox.ok(&["files", "diff", "BOTH@latest~1", "BOTH@latest", "--json"]);
    let summary = json_lines(&text).pop().unwrap();
    assert_eq!(summary["same_volumes"], 1, "{summary}");
    assert_eq!(summary["compared"], 3, "{summary}");
    // The table of partitions moves the second volume, and nothing is the same by its place.
    sandbox.raw(
        "BOTH.raw",
        &partitioned(&[&ext[..16 << 20], &fs::read(&fat).unwrap()]),
    );
    assert_eq!(sandbox.back_up_all()["outcome"], "success");
    let moved = ["files", "diff", "BOTH@latest~1:/2", "BOTH@latest", "--json"];
    assert_eq!(records(&sandbox.ok(&moved), "change").len(), 0);
    let moved = [
        "files",
        "diff",
        "BOTH@latest~1:/2",
        "BOTH@latest",
        "--contents",
        "--json",
    ];
    assert_eq!(records(&sandbox.ok(&moved), "change").len(), 0);
    let churn = sandbox.ok(&["point", "churn", "BOTH@latest~1", "--json"]);
    let churn = records(&churn, "churn");
    assert_eq!(churn[0]["what"], "/2/kernel.img", "{churn:?}");
}

#[test]
fn a_volume_is_followed_where_its_number_changes() {
    let sandbox = Sandbox::with_repository();
    let Some(ext) = Ext::new(&sandbox) else {
        return;
    };
    ext.write("/docs/plan.txt", b"first\n");
    // What is on a volume before it, which goes; then its own number is that one's.
    let other = sandbox.text("other");
    let tree = sandbox.path("other-tree/docs");
    fs::create_dir_all(&tree).unwrap();
    fs::write(tree.join("plan.txt"), "of another volume\n").unwrap();
    let tree = sandbox.text("other-tree");
    run("mkfs.ext4", &["-q", "-F", "-d", &tree, &other, "8M"]);
    let other = fs::read(&other).unwrap();
    let put = |parts: &[&[u8]]| {
        sandbox.raw("MOVES.raw", &partitioned(parts));
        assert_eq!(sandbox.back_up_all()["outcome"], "success");
    };
    let image = ext.image.clone();
    let take = || {
        let bytes = fs::read(&image).unwrap();
        fs::remove_file(&image).unwrap();
        bytes
    };
    let first = take();
    put(&[&other, &first]);
    put(&[&other, &first]);
    fs::write(&image, &first).unwrap();
    ext.write("/docs/plan.txt", b"second, and longer\n");
    let second = take();
    put(&[&second]);

    let versions = |place: &str, extra: &[&str]| {
        let args = [&["files", "versions", place, "--json"], extra].concat();
        let versions = records(&sandbox.ok(&args), "version").into_iter();
        let told = versions.map(|it| {
            let content = sandbox.ok(&["files", "cat", it["path"].as_str().unwrap()]);
            (it["points"].as_u64().unwrap(), content)
        });
        told.collect::<Vec<_>>()
    };
    let both = [
        (1, "second, and longer\n".to_owned()),
        (2, "first\n".to_owned()),
    ];
    assert_eq!(versions("MOVES@latest:/1/docs/plan.txt", &[]), both);
    assert_eq!(versions("MOVES@latest~2:/2/docs/plan.txt", &[]), both);
    assert_eq!(
        versions("MOVES@latest~1:/2/docs/plan.txt", &["--last", "1"]),
        both[..1]
    );
    assert_eq!(
        versions("MOVES@latest~1:/1/docs/plan.txt", &[]),
        [(2, "of another volume\n".to_owned())]
    );
    sandbox.fails(2, &["files", "versions", "MOVES@latest:/2/docs/plan.txt"]);
    sandbox.fails(2, &["files", "versions", "MOVES@latest:C:\\docs\\plan.txt"]);

    let found = sandbox.ok(&["files", "find", "plan.txt", "--all-points", "--json"]);
    let found = records(&found, "file").into_iter();
    let mut told: Vec<(u64, String)> = found
        .map(|it| {
            let content = sandbox.ok(&["files", "cat", it["path"].as_str().unwrap()]);
            assert_eq!(it["size"], content.len());
            (it["points"].as_u64().unwrap(), content)
        })
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            both[0].clone(),
            both[1].clone(),
            (2, "of another volume\n".to_owned())
        ]
    );

    // Volumes that are not there are not taken for such as have nothing.
    for pattern in ["/9/docs/*", "C:\\docs\\*"] {
        let error = sandbox.fails(2, &["files", "find", pattern, "MOVES@latest"]);
        assert!(error.contains("there is no volume"), "{error}");
        let error = sandbox.fails(3, &["files", "find", pattern, "--all-points"]);
        assert!(error.contains("there is no volume"), "{error}");
    }
    let same = [
        "files",
        "diff",
        "MOVES@latest~2:/2/docs/plan.txt",
        "MOVES@latest~1",
    ];
    sandbox.ok(&same);
    for missing in ["/2/docs/never.txt", "/9/docs"] {
        let old = format!("MOVES@latest~2:{missing}");
        sandbox.fails(2, &["files", "diff", &old, "MOVES@latest~1"]);
    }
}

#[test]
fn names_that_look_the_same_are_two_files() {
    use std::os::unix::ffi::OsStrExt as _;

    let sandbox = Sandbox::with_repository();
    let Some(ext) = Ext::new(&sandbox) else {
        return;
    };
    let tree = sandbox.path("tree/odd");
    fs::create_dir_all(&tree).unwrap();
    fs::write(tree.join(std::ffi::OsStr::from_bytes(b"\\xff")), "letters").unwrap();
    fs::write(tree.join(std::ffi::OsStr::from_bytes(b"\xff")), "a byte").unwrap();
    fs::remove_file(&ext.image).unwrap();
    let tree = sandbox.text("tree");
    run("mkfs.ext4", &["-q", "-F", "-d", &tree, &ext.image, "32M"]);
    ext.back_up();
    let found = sandbox.ok(&["files", "find", "/1/odd/*", "--all-points", "--json"]);
    let found = records(&found, "file").into_iter();
    let sizes: BTreeSet<u64> = found.map(|it| it["size"].as_u64().unwrap()).collect();
    assert_eq!(sizes, BTreeSet::from([6, 7]));
}

/// An NTFS volume of 24 MiB that is a whole disk; `None` where none can be made here.
fn ntfs(sandbox: &Sandbox) -> Option<String> {
    if !have_tool("mkfs.ntfs", &["--version"]) {
        return None;
    }
    let image = sandbox.text("host/WIN.raw");
    fs::File::create(&image).unwrap().set_len(24 << 20).unwrap();
    run("mkfs.ntfs", &["-q", "-F", "-s", "512", "-L", "win", &image]);
    Some(image)
}

/// Marks an NTFS volume as one to be checked: flags of VOLUME_INFORMATION in record 3.
fn mark_dirty(image: &str) {
    let mut bytes = fs::read(image).unwrap();
    let cluster = usize::from(bytes[13]) * 512;
    let table = usize::try_from(u64::from_le_bytes(bytes[0x30..0x38].try_into().unwrap())).unwrap();
    let record = table * cluster + 3 * 1024;
    let number = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let mut attribute = record + number(record + 0x14);
    while number(attribute) != 0x70 {
        attribute += number(attribute + 4);
    }
    let flags = attribute + number(attribute + 0x14) + 10;
    bytes[flags] |= 1;
    fs::write(image, bytes).unwrap();
}

#[test]
fn a_volume_that_may_be_older_is_told_by_every_command() {
    let sandbox = Sandbox::with_repository();
    let Some(image) = ntfs(&sandbox) else { return };
    assert_eq!(sandbox.back_up_all()["outcome"], "success");
    let quiet = sandbox.run(&["files", "ls", "WIN@latest:/1"]);
    assert!(quiet.stderr.is_empty(), "{quiet:?}");
    mark_dirty(&image);
    assert_eq!(sandbox.back_up_all()["outcome"], "success");
    for args in [
        &["files", "ls", "WIN@latest:/1"][..],
        &["files", "tree", "WIN@latest:/1"],
        &["files", "find", "*", "WIN@latest"],
        &["files", "find", "*", "--all-points"],
        &["files", "diff", "WIN@latest~1", "WIN@latest"],
    ] {
        let output = sandbox.run(args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.contains("may be older than what its guest wrote last"),
            "{args:?}: {said}"
        );
    }
}

/// A volume that is mounted by `ntfs-3g`, until it is dropped.
struct Mounted(String);

impl Mounted {
    fn new(sandbox: &Sandbox, image: &str) -> Option<Self> {
        let folder = sandbox.text("mounted");
        fs::create_dir_all(&folder).unwrap();
        let options = ["-o", "streams_interface=windows", image, &folder];
        let output = Command::new("ntfs-3g").args(options).output();
        let Ok(output) = output else {
            skip("ntfs-3g is not installed");
            return None;
        };
        if !output.status.success() {
            eprintln!("not tested: this machine mounts nothing");
            return None;
        }
        Some(Self(folder))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn what_windows_programs_do_to_files_is_told() {
    let sandbox = Sandbox::with_repository();
    let Some(image) = ntfs(&sandbox) else { return };
    let Some(mounted) = Mounted::new(&sandbox, &image) else {
        return;
    };
    let at = |name: &str| format!("{}/{name}", sandbox.text("mounted"));
    fs::create_dir(at("docs")).unwrap();
    for name in [
        "docs/stays.bin",
        "docs/goes.bin",
        "docs/renamed.bin",
        "docs/marked.bin",
    ] {
        fs::write(at(name), noise(name, 100_000)).unwrap();
    }
    fs::write(at("docs/marked.bin:zone"), "internet").unwrap();
    fs::write(at("now a folder"), "a file").unwrap();
    drop(mounted);
    assert_eq!(sandbox.back_up_all()["outcome"], "success");
    let Some(mounted) = Mounted::new(&sandbox, &image) else {
        return;
    };
    fs::remove_file(at("docs/goes.bin")).unwrap();
    fs::rename(at("docs/renamed.bin"), at("docs/Renamed.bin")).unwrap();
    fs::write(at("docs/marked.bin:zone"), "intranet").unwrap();
    fs::remove_file(at("now a folder")).unwrap();
    fs::create_dir(at("now a folder")).unwrap();
    fs::write(at("now a folder/file"), "in it").unwrap();
    drop(mounted);
    assert_eq!(sandbox.back_up_all()["outcome"], "success");
    // A hash of the content alone would not tell of the named stream.
    let found = diff(&sandbox, &["WIN@latest~1", "WIN@latest"]);
    let expected = [
        ("removed", "docs/goes.bin"),
        ("removed", "docs/renamed.bin"),
        ("added", "docs/Renamed.bin"),
        ("changed", "docs/marked.bin"),
        ("removed", "now a folder"),
        ("added", "now a folder/file"),
    ];
    let expected = expected.map(|(change, name)| (change.to_owned(), name.to_owned()));
    assert_eq!(found, BTreeSet::from(expected));
}

#[test]
fn what_changed_outside_of_files_is_told_for_what_it_is() {
    let sandbox = Sandbox::with_repository();
    let mut swap = vec![0; 1 << 20];
    swap[4086..4096].copy_from_slice(b"SWAPSPACE2");
    let disk = |swap: &[u8], between: u8| {
        let mut disk = partitioned(&[swap, &noise("what is this", 1 << 20)]);
        // Between the partitions.
        disk[(2 << 20) + 5] = between;
        sandbox.raw("SWAP.raw", &disk);
        assert_eq!(sandbox.back_up_all()["outcome"], "success");
    };
    disk(&swap, 1);
    let error = sandbox.fails(2, &["point", "churn", "SWAP@latest"]);
    assert!(
        error.contains("no restore point before this one"),
        "{error}"
    );
    swap[1 << 19..].copy_from_slice(&noise("swapped out", 1 << 19));
    disk(&swap, 2);
    let churn = records(
        &sandbox.ok(&["point", "churn", "SWAP@latest", "--json"]),
        "churn",
    );
    let rows: Vec<(&str, u64, &Value)> = churn
        .iter()
        .map(|row| {
            let bytes = row["changed_bytes"].as_u64().unwrap();
            (row["kind"].as_str().unwrap(), bytes, &row["skip"])
        })
        .collect();
    let swap_skip = Value::from("swap");
    assert_eq!(
        rows,
        [
            ("swap", 1 << 19, &swap_skip),
            ("outside", 64 << 10, &Value::Null)
        ]
    );
}
