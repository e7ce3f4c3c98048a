//! Files out of restore points, through the confined process that reads them.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use disk_model::independent_tools::have_tool;
use serde_json::Value;

use crate::sandbox::{Sandbox, json_lines};

/// Fills a folder with what file systems differ in.
pub(crate) fn fill(folder: &Path) {
    fs::create_dir_all(folder.join("docs/deep/er")).unwrap();
    fs::write(folder.join("hello.txt"), "hello recovery\n").unwrap();
    fs::write(folder.join("empty"), "").unwrap();
    fs::write(folder.join("docs/Ünïcode ファイル.txt"), "unicode\n").unwrap();
    let noise: Vec<u8> = (0..300_000_u32)
        .flat_map(|n| blake3::hash(&n.to_le_bytes()).as_bytes()[..4].to_vec())
        .collect();
    fs::write(folder.join("docs/deep/er/big.bin"), noise).unwrap();
    fs::hard_link(folder.join("hello.txt"), folder.join("docs/again.txt")).unwrap();
    symlink("../hello.txt", folder.join("docs/link")).unwrap();
    let mode = fs::Permissions::from_mode(0o640);
    fs::set_permissions(folder.join("hello.txt"), mode).unwrap();
    for number in 0..300 {
        fs::write(
            folder.join(format!("docs/file-{number:03}")),
            vec![7; number * 11],
        )
        .unwrap();
    }
    keep_whole_seconds(folder);
}

/// Gives everything below a folder a time of whole seconds: `mkfs.ext4 -d` keeps no more.
pub(crate) fn keep_whole_seconds(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            keep_whole_seconds(&path);
        }
        let length = u64::try_from(path.as_os_str().len()).unwrap();
        let time = UNIX_EPOCH + Duration::from_secs(1_700_000_000 + length);
        File::open(&path).unwrap().set_modified(time).unwrap();
    }
}

/// Makes the disk of the VM `FILES`: one ext4 volume with what is in a folder.
pub(crate) fn image_of(sandbox: &Sandbox, tree: &Path) {
    let image = sandbox.path("host/FILES.raw");
    let made = Command::new("mkfs.ext4")
        .args(["-q", "-F", "-L", "data", "-d"])
        .arg(tree)
        .arg(&image)
        .arg("32M")
        .status()
        .unwrap();
    assert!(made.success());
}

/// Backs up a disk that is one ext4 volume with these files.
pub(crate) fn backed_up(sandbox: &Sandbox) -> bool {
    if !have_tool("mkfs.ext4", &["-V"]) {
        return false;
    }
    let tree = sandbox.path("tree");
    fill(&tree);
    image_of(sandbox, &tree);
    assert_eq!(sandbox.back_up_all()["outcome"], "success");
    true
}

/// Compares two folders: names, kinds, contents, modes and times.
pub(crate) fn assert_same(one: &Path, other: &Path) {
    let names = |folder: &Path| {
        let entries = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.filter(|name| name != "lost+found").collect();
        names.sort();
        names
    };
    assert_eq!(names(one), names(other), "{}", one.display());
    for name in names(one) {
        let (one, other) = (one.join(&name), other.join(&name));
        let (left, right) = (
            fs::symlink_metadata(&one).unwrap(),
            fs::symlink_metadata(&other).unwrap(),
        );
        assert_eq!(left.file_type(), right.file_type(), "{}", one.display());
        if left.is_symlink() {
            assert_eq!(fs::read_link(&one).unwrap(), fs::read_link(&other).unwrap());
            continue;
        }
        assert_eq!(left.mode(), right.mode(), "{}", one.display());
        assert_eq!(
            (left.mtime(), left.mtime_nsec()),
            (right.mtime(), right.mtime_nsec()),
            "{}",
            one.display()
        );
        if left.is_dir() {
            assert_same(&one, &other);
        } else {
            assert!(
                fs::read(&one).unwrap() == fs::read(&other).unwrap(),
                "{}",
                one.display()
            );
        }
    }
}

fn records(text: &str, kind: &str) -> Vec<Value> {
    let lines = json_lines(text).into_iter();
    lines.filter(|line| line["type"] == kind).collect()
}

#[test]
fn a_volume_is_listed_with_what_is_known_of_it() {
    let sandbox = Sandbox::with_repository();
    if !backed_up(&sandbox) {
        return;
    }
    let volumes = records(
        &sandbox.ok(&["files", "volumes", "FILES@latest", "--json"]),
        "volume",
    );
    let [volume] = volumes.as_slice() else {
        panic!("{volumes:?}");
    };
    assert_eq!(volume["path"], "/1");
    assert_eq!(volume["filesystem"], "ext");
    assert_eq!(volume["label"], "data");
    assert_eq!(volume["state"], "clean");
    assert_eq!(volume["size"], 32 << 20);
    assert!(volume["used"].as_u64().unwrap() > 1_200_000, "{volume}");
}

#[test]
fn everything_comes_out_into_a_folder_as_it_was() {
    let sandbox = Sandbox::with_repository();
    if !backed_up(&sandbox) {
        return;
    }
    sandbox.ok(&[
        "files",
        "get",
        "FILES@latest:/1",
        "-o",
        &sandbox.text("out"),
    ]);
    assert_same(&sandbox.path("tree"), &sandbox.path("out"));
    let hello = fs::metadata(sandbox.path("out/hello.txt")).unwrap();
    let again = fs::metadata(sandbox.path("out/docs/again.txt")).unwrap();
    assert_eq!(hello.ino(), again.ino(), "two names of one file");
}

#[test]
fn archives_hold_what_was_there() {
    let sandbox = Sandbox::with_repository();
    if !backed_up(&sandbox) {
        return;
    }
    let archive = sandbox.text("docs.tar");
    sandbox.ok(&[
        "files",
        "get",
        "FILES@latest:/1/docs",
        "--format",
        "tar",
        "-o",
        &archive,
    ]);
    let out = sandbox.path("untarred/x").parent().unwrap().to_owned();
    let status = Command::new("tar")
        .arg("-xpf")
        .arg(&archive)
        .arg("-C")
        .arg(&out)
        .status()
        .unwrap();
    assert!(status.success());
    assert_same(&sandbox.path("tree/docs"), &out.join("docs"));

    let archive = sandbox.text("docs.zip");
    sandbox.ok(&[
        "files",
        "get",
        "FILES@latest:/1/docs/deep",
        "--format",
        "zip",
        "-o",
        &archive,
    ]);
    let script = "import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read('deep/er/big.bin'))";
    let output = Command::new("python3")
        .args(["-c", script, &archive])
        .output()
        .unwrap();
    assert!(output.stdout == fs::read(sandbox.path("tree/docs/deep/er/big.bin")).unwrap());
}

#[test]
fn files_are_found_listed_and_written_out() {
    let sandbox = Sandbox::with_repository();
    if !backed_up(&sandbox) {
        return;
    }
    assert_eq!(
        sandbox.ok(&["files", "cat", "FILES@latest:/1/hello.txt"]),
        "hello recovery\n"
    );
    let found = sandbox.ok(&["files", "find", "BIG.*", "--vm", "FILES", "--json"]);
    let found = records(&found, "file");
    assert_eq!(found.len(), 1, "{found:?}");
    let path = found[0]["path"].as_str().unwrap();
    assert!(path.ends_with(":/1/docs/deep/er/big.bin"), "{path}");
    let listed = records(
        &sandbox.ok(&["files", "ls", "FILES@latest:/1/docs/file-29?", "--json"]),
        "file",
    );
    assert_eq!(listed.len(), 10, "{listed:?}");
    let error = sandbox.fails(2, &["files", "cat", "FILES@latest:/1/docs/nothing"]);
    assert!(
        error.contains("there is no \"nothing\" in /1/docs"),
        "{error}"
    );
    let error = sandbox.fails(2, &["files", "ls", "FILES@latest:/7/docs"]);
    assert!(error.contains("there are /1"), "{error}");
}

#[test]
fn what_exists_is_not_written_over() {
    let sandbox = Sandbox::with_repository();
    if !backed_up(&sandbox) {
        return;
    }
    fs::write(sandbox.path("out/hello.txt"), "mine").unwrap();
    let out = sandbox.text("out");
    sandbox.fails(
        3,
        &["files", "get", "FILES@latest:/1/hello.txt", "-o", &out],
    );
    assert_eq!(
        fs::read_to_string(sandbox.path("out/hello.txt")).unwrap(),
        "mine"
    );
    sandbox.ok(&[
        "files",
        "get",
        "FILES@latest:/1/hello.txt",
        "-o",
        &out,
        "--overwrite",
    ]);
    assert_eq!(
        fs::read_to_string(sandbox.path("out/hello.txt")).unwrap(),
        "hello recovery\n"
    );
}
