//! Volumes in files, and the kernel's own view of them.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use block_io::{BlockDevice, LayeredDisk, OsFile};
use disk_image::RawLayer;
use guest_files::{FileError, GuestFileSystem, OpenOptions, open_file_system};
use tempfile::TempDir;
use volume_map::Content;

/// A volume in a folder of its own.
pub(crate) struct Image {
    pub(crate) folder: TempDir,
}

impl Image {
    pub(crate) fn new(size_mib: u64) -> Self {
        let image = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let file = File::create_new(image.path()).unwrap();
        file.set_len(size_mib << 20).unwrap();
        image
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    /// Makes the file system: `command` is `mkfs` with its options, without the image.
    pub(crate) fn make(size_mib: u64, command: &[&str]) -> Option<Self> {
        let image = Self::new(size_mib);
        image.run(command).then_some(image)
    }

    /// Runs a tool with the image's path behind its arguments, or in place of `IMAGE`. `false`: it is
    /// not there.
    pub(crate) fn run(&self, command: &[&str]) -> bool {
        let path = self.path();
        let mut arguments: Vec<&OsStr> = command[1..]
            .iter()
            .map(|text| match *text {
                "IMAGE" => path.as_os_str(),
                text => OsStr::new(text),
            })
            .collect();
        if !command.contains(&"IMAGE") {
            arguments.push(path.as_os_str());
        }
        disk_model::independent_tools::run(command[0], &arguments).is_some()
    }

    /// Copies it as it is at this moment.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let status = Command::new("cp")
            .arg("--sparse=always")
            .args([self.path(), copy.path()])
            .status();
        assert!(status.unwrap().success());
        copy
    }

    pub(crate) fn disk(&self) -> Arc<dyn BlockDevice> {
        let file = Arc::new(OsFile::open(&self.path()).unwrap());
        Arc::new(LayeredDisk::new(vec![Arc::new(RawLayer::open(file).unwrap())]).unwrap())
    }

    pub(crate) fn try_open(&self, content: Content) -> Result<Box<dyn GuestFileSystem>, FileError> {
        open_file_system(self.disk(), content, OpenOptions::default())
    }

    pub(crate) fn open(&self, content: Content) -> Box<dyn GuestFileSystem> {
        self.try_open(content).unwrap()
    }

    /// Mounts it. `None`: this process may not, or the kernel has no such file system.
    pub(crate) fn mount(&self, options: &str) -> Option<Mounted> {
        let point = self.folder.path().join("mounted");
        std::fs::create_dir_all(&point).unwrap();
        let output = Command::new("mount")
            .args(["-o", &format!("loop,{options}")])
            .args([&self.path(), &point])
            .stderr(Stdio::piped())
            .output()
            .ok()?;
        if output.status.success() {
            return Some(Mounted { point });
        }
        let why = String::from_utf8_lossy(&output.stderr);
        eprintln!(
            "not judged by the kernel, which does not mount here: {}",
            why.trim()
        );
        None
    }
}

/// A mounted volume, until it is dropped.
pub(crate) struct Mounted {
    point: PathBuf,
}

impl Mounted {
    pub(crate) fn path(&self) -> &Path {
        &self.point
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A program that another test is just starting has our files open for a moment.
        let is_done = (0..500).any(|_| {
            let output = Command::new("umount").arg(&self.point).output();
            output.is_ok_and(|output| output.status.success())
        });
        if !is_done {
            eprintln!("{} is still mounted", self.point.display());
        }
    }
}
