//! Images that are mounted, by drivers in user space alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use disk_model::VolumeImage;
use disk_model::independent_tools::skip;

/// A mounted image, for as long as this lives.
pub(crate) struct Mounted {
    pub(crate) path: PathBuf,
    driver: Child,
    _device: Option<LoopDevice>,
}

/// An image as a block device, which some drivers want.
pub(crate) struct LoopDevice(String);

impl LoopDevice {
    fn new(image: &Path) -> Option<Self> {
        let output = Command::new("losetup")
            .args(["-f", "--show"])
            .arg(image)
            .output();
        match output {
            Ok(output) if output.status.success() => Some(Self(
                String::from_utf8(output.stdout).unwrap().trim().to_owned(),
            )),
            _ => {
                eprintln!("not tested: losetup makes no block devices here");
                None
            }
        }
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        drop(Command::new("losetup").args(["-d", &self.0]).status());
    }
}

impl Mounted {
    /// Mounts by `driver`, which `arguments` tell to stay in the foreground. `None`: it is not
    /// installed, and the test is skipped; or this machine mounts nothing, which no tool would change,
    /// and the test says so.
    pub(crate) fn new(image: &VolumeImage, driver: &str, arguments: &[&str]) -> Option<Self> {
        Self::mount(image, &image.path(), None, driver, arguments)
    }

    /// Does so by way of a block device.
    pub(crate) fn by_device(image: &VolumeImage, driver: &str, arguments: &[&str]) -> Option<Self> {
        let device = LoopDevice::new(&image.path())?;
        let path = PathBuf::from(&device.0);
        Self::mount(image, &path, Some(device), driver, arguments)
    }

    fn mount(
        image: &VolumeImage,
        source: &Path,
        loop_device: Option<LoopDevice>,
        driver: &str,
        arguments: &[&str],
    ) -> Option<Self> {
        let path = image.folder().join("mounted");
        fs::create_dir_all(&path).unwrap();
        let device = fs::metadata(&path).unwrap().dev();
        let mut command = Command::new(driver);
        command.args(arguments).arg(source).arg(&path);
        let Ok(mut child) = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn() else {
            skip(&format!("{driver} is not installed"));
            return None;
        };
        while fs::metadata(&path).is_ok_and(|about| about.dev() == device) {
            if child.try_wait().unwrap().is_some() {
                let mut why = String::new();
                child
                    .stderr
                    .take()
                    .unwrap()
                    .read_to_string(&mut why)
                    .unwrap();
                eprintln!("not tested: {driver} cannot mount here: {why}");
                return None;
            }
            std::thread::yield_now();
        }
        // What it says is of no use, but it must not wait for somebody who reads it.
        let mut said = child.stderr.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Some(Self {
            path,
            driver: child,
            _device: loop_device,
        })
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = ["fusermount3", "fusermount", "umount"]
            .iter()
            .any(|program| {
                let mut command = Command::new(program);
                if *program != "umount" {
                    command.arg("-u");
                }
                let status = command.arg(&self.path).stderr(Stdio::null()).status();
                status.is_ok_and(|status| status.success())
            });
        if !unmounted {
            drop(self.driver.kill());
        }
        // It writes what it holds before it ends.
        drop(self.driver.wait());
    }
}

/// What a driver shows of a file.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) bytes: Vec<u8>,
    pub(crate) link: Option<PathBuf>,
    pub(crate) is_folder: bool,
    pub(crate) size_bytes: u64,
    /// Seconds and nanoseconds.
    pub(crate) modified: (i64, i64),
    pub(crate) accessed: (i64, i64),
    pub(crate) links: u64,
}

/// Reads everything below a folder.
pub(crate) fn shown(root: &Path) -> BTreeMap<String, Shown> {
    let mut found = BTreeMap::new();
    let mut todo = vec![root.to_owned()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let about = fs::symlink_metadata(&path).unwrap();
            let kind = about.file_type();
            assert!(!kind.is_socket() && !kind.is_block_device());
            if kind.is_dir() {
                todo.push(path.clone());
            }
            let shown = Shown {
                bytes: if kind.is_file() {
                    fs::read(&path).unwrap()
                } else {
                    Vec::new()
                },
                link: kind.is_symlink().then(|| fs::read_link(&path).unwrap()),
                is_folder: kind.is_dir(),
                size_bytes: about.len(),
                modified: (about.mtime(), about.mtime_nsec()),
                accessed: (about.atime(), about.atime_nsec()),
                links: about.nlink(),
            };
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            found.insert(format!("/{name}"), shown);
        }
    }
    found
}
