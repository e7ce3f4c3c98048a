//! Volumes in files, and the kernel's own view of them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use block_io::BlockDevice;
use disk_model::VolumeImage;
use guest_files::{FileError, GuestFileSystem, OpenOptions, open_file_system};
use volume_map::Content;

/// A volume in a file, made and mounted by its own system's tools.
pub(crate) struct Image {
    volume: VolumeImage,
}

impl Image {
    pub(crate) fn new(size_mib: u64) -> Self {
        let volume = VolumeImage::new(size_mib << 20);
        Self { volume }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.volume.path()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.volume.folder()
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
        let volume = self.volume.copy();
        Self { volume }
    }

    pub(crate) fn disk(&self) -> Arc<dyn BlockDevice> {
        self.volume.disk()
    }

    pub(crate) fn try_open(&self, content: Content) -> Result<Box<dyn GuestFileSystem>, FileError> {
        open_file_system(self.disk(), content, OpenOptions::default())
    }

    pub(crate) fn open(&self, content: Content) -> Box<dyn GuestFileSystem> {
        self.try_open(content).unwrap()
    }

    /// Mounts it. `None`: this process may not, or the kernel has no such file system.
    pub(crate) fn mount(&self, options: &str) -> Option<Mounted> {
        let point = self.folder().join("mounted");
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
