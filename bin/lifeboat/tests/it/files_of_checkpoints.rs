//! Files as they were at each checkpoint of a VM: what later checkpoints wrote is in files of their
//! own (AVHDX), and a reader of the base disk alone would miss it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use disk_model::independent_tools::have_tool;

use crate::sandbox::{Sandbox, json_lines};

/// A disk of 8 MiB that is one FAT volume, as mtools make it.
struct FatDisk {
    image: PathBuf,
}

impl FatDisk {
    fn new(image: PathBuf) -> Self {
        fs::write(&image, vec![0; 8 << 20]).unwrap();
        mtool(Command::new("mformat").arg("-i").arg(&image).arg("::"));
        Self { image }
    }

    fn path(&self) -> &str {
        self.image.to_str().unwrap()
    }

    fn put(&self, sandbox: &Sandbox, name: &str) {
        let file = sandbox.path(name);
        fs::write(&file, content(name)).unwrap();
        mtool(
            Command::new("mcopy")
                .arg("-i")
                .arg(&self.image)
                .arg(&file)
                .arg("::"),
        );
    }

    fn remove(&self, name: &str) {
        mtool(
            Command::new("mdel")
                .arg("-i")
                .arg(&self.image)
                .arg(format!("::{name}")),
        );
    }
}

fn mtool(command: &mut Command) {
    let output = command.env("MTOOLS_SKIP_CHECK", "1").output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// Longer than a cluster, and of no other file.
fn content(name: &str) -> String {
    name.repeat(9000)
}

fn names(sandbox: &Sandbox, more: &[&str]) -> Vec<String> {
    let args = ["files", "ls", "SQL01@latest:/1", "--json"];
    let listed = json_lines(&sandbox.ok(&[&args[..], more].concat()));
    let files = listed.iter().filter(|line| line["type"] == "file");
    let paths = files.map(|file| file["path"].as_str().unwrap().to_owned());
    let mut names: Vec<String> = paths
        .map(|path| {
            Path::new(&path)
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    names.sort();
    names
}

/// A VM with two checkpoints; in each state its disk holds other files.
fn with_checkpoints(sandbox: &Sandbox) {
    let disk = FatDisk::new(sandbox.path("disk.img"));
    disk.put(sandbox, "BASE.TXT");
    sandbox.ok(&["sim", "new", "a"]);
    sandbox.ok(&["sim", "add-vm", "a", "SQL01", "--disk", disk.path()]);
    for (checkpoint, next) in [("before the update", "LATER.TXT"), ("after it", "LAST.TXT")] {
        sandbox.ok(&["sim", "checkpoint", "a", "SQL01", "--name", checkpoint]);
        disk.put(sandbox, next);
        sandbox.ok(&["sim", "apply", "a", "SQL01", disk.path()]);
    }
    disk.remove("BASE.TXT");
    sandbox.ok(&["sim", "apply", "a", "SQL01", disk.path()]);
}

#[test]
fn each_checkpoint_of_a_point_shows_the_files_of_its_time() {
    if !have_tool("mformat", &["--version"]) {
        return;
    }
    let sandbox = Sandbox::with_repository();
    with_checkpoints(&sandbox);
    sandbox.ok(&[
        "backup",
        "--host",
        "sim:a",
        "SQL01",
        "--mode",
        "all-checkpoints",
        "--quiet",
    ]);

    assert_eq!(names(&sandbox, &[]), ["LAST.TXT", "LATER.TXT"]);
    let after = ["--checkpoint", "after it"];
    assert_eq!(names(&sandbox, &after), ["BASE.TXT", "LATER.TXT"]);
    let before = ["--checkpoint", "before the update"];
    assert_eq!(names(&sandbox, &before), ["BASE.TXT"]);

    let cat = |name: &str, more: &[&str]| {
        let path = format!("SQL01@latest:/1/{name}");
        sandbox.ok(&[&["files", "cat", &path], more].concat())
    };
    assert!(cat("LAST.TXT", &[]) == content("LAST.TXT"));
    assert!(cat("LATER.TXT", &after) == content("LATER.TXT"));
    assert!(cat("BASE.TXT", &before) == content("BASE.TXT"));
    let error = sandbox.fails(
        2,
        &["files", "ls", "SQL01@latest:/1", "--checkpoint", "never"],
    );
    assert!(
        error.contains("never") && error.contains("after it"),
        "{error}"
    );
}

#[test]
fn a_point_of_the_latest_state_shows_what_the_last_checkpoint_wrote() {
    if !have_tool("mformat", &["--version"]) {
        return;
    }
    let sandbox = Sandbox::with_repository();
    with_checkpoints(&sandbox);
    sandbox.ok(&["backup", "--host", "sim:a", "SQL01", "--quiet"]);

    assert_eq!(names(&sandbox, &[]), ["LAST.TXT", "LATER.TXT"]);
    let last = sandbox.ok(&["files", "cat", "SQL01@latest:/1/LAST.TXT"]);
    assert!(last == content("LAST.TXT"));
}
