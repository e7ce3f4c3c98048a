//! What every tool of the benchmark is asked to do.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::image::Image;
use super::{create_folder, random_reads};

/// A backup tool.
pub(crate) trait Contender {
    /// Name and settings, as the table shows them.
    fn name(&self) -> String;
    /// What the tool says of its version.
    fn version(&self) -> String;
    /// Whether this is the tool that the bounds are about.
    fn is_lifeboat(&self) -> bool {
        false
    }
    fn place(&self) -> &Place;
    /// Makes the repository.
    fn init(&self) -> Command;
    /// Backs up [`Place::source`], for the first or the second time.
    fn backup(&self, time: u32) -> Command;
    /// Restores the newest backup.
    fn restore(&self) -> Command;
    /// Where [`Contender::restore`] puts the disk.
    fn restored(&self) -> PathBuf;
    /// Restores the newest backup into a VHDX, and where; of ours alone, which is bound to it.
    fn restore_vhdx(&self) -> Option<(Command, PathBuf)> {
        None
    }
    /// What the restored file must equal.
    fn expected(&self, image: &Image) -> PathBuf {
        image.second.clone()
    }
    /// Checks everything by reading it; of ours alone, for the memory that it takes.
    fn check(&self) -> Option<Command> {
        None
    }
    /// Cold random 4 KiB reads of the newest backup, one at a time, per second; `None` for a tool
    /// that cannot be asked.
    fn random_reads(&self, _image: &Image) -> Result<Option<f64>, String> {
        Ok(None)
    }
}

/// The folders of one tool.
pub(crate) struct Place {
    folder: PathBuf,
    /// The folder with the VM; holds the image and nothing else.
    pub(crate) vm: PathBuf,
    /// The image in it.
    pub(crate) source: PathBuf,
    pub(crate) repository: PathBuf,
    pub(crate) output: PathBuf,
    pub(crate) cache: PathBuf,
    pub(crate) mount: PathBuf,
    pub(crate) password_file: PathBuf,
}

/// Guards nothing: the repositories are thrown away.
pub(crate) const PASSWORD: &str = "benchmark";

impl Place {
    pub(crate) fn new(work: &Path, name: &str, _image: &Image) -> Place {
        let folder = work.join("runs").join(name);
        Place {
            vm: folder.join("vm"),
            source: folder.join("vm/disk.vhdx"),
            repository: folder.join("repository"),
            output: folder.join("output"),
            cache: folder.join("cache"),
            mount: folder.join("mount"),
            password_file: folder.join("password"),
            folder,
        }
    }

    pub(crate) fn prepare(&self) -> Result<(), String> {
        for folder in [&self.vm, &self.output, &self.cache, &self.mount] {
            create_folder(folder)?;
        }
        std::fs::write(&self.password_file, PASSWORD).map_err(|error| error.to_string())
    }

    /// Removes everything of this tool. Refuses while something is mounted below it.
    pub(crate) fn clear(&self) -> Result<(), String> {
        if !self.folder.exists() {
            return Ok(());
        }
        if random_reads::is_mounted(&self.mount) {
            return Err(format!("{} is still mounted", self.mount.display()));
        }
        std::fs::remove_dir_all(&self.folder)
            .map_err(|error| format!("cannot remove {}: {error}", self.folder.display()))
    }
}
