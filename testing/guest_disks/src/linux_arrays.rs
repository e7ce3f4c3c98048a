//! Disks with arrays, volume groups and encrypted volumes, which a Linux kernel made and read.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::process::Command;

use disk_model::independent_tools::have_tool;

use crate::kernel_package;

const SCRIPT: &str = include_str!("../make_arrays.sh");
const PROGRAMS: [(&str, &str); 9] = [
    ("qemu-system-x86_64", "--version"),
    ("apt-get", "--version"),
    ("dpkg-deb", "--version"),
    ("cpio", "--version"),
    ("sfdisk", "--version"),
    ("mdadm", "--version"),
    ("lvm", "version"),
    ("cryptsetup", "--version"),
    ("busybox", "true"),
];

/// The password of the encrypted disks.
pub const LUKS_PASSWORD: &str = "a password of tests";

/// The disks, and what the kernel reads of them.
#[derive(Debug, Clone)]
pub struct LinuxArrays {
    folder: PathBuf,
    /// Each volume's name, size in bytes, and SHA-256.
    pub said: Vec<(String, u64, String)>,
}

impl LinuxArrays {
    /// Has a kernel make them; they stay in `cache` for the next time, as does the kernel. `None`:
    /// something is missing, and the test is skipped.
    pub fn make(cache: &Path) -> Option<Self> {
        let mut hasher = DefaultHasher::new();
        hasher.write(SCRIPT.as_bytes());
        let kept = cache.join(format!("linux-arrays-{:016x}", hasher.finish()));
        if !kept.exists() {
            if !PROGRAMS.iter().all(|(name, ask)| have_tool(name, &[ask])) {
                return None;
            }
            let kernel = kernel_package(&cache.join("guest-kernel"))?;
            let folder = tempfile::tempdir_in(cache).unwrap();
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("make_arrays.sh");
            let output = Command::new("sh")
                .args([&script, folder.path(), &kernel])
                .arg(LUKS_PASSWORD)
                .output()
                .unwrap();
            let said = fs::read_to_string(folder.path().join("said")).unwrap_or_default();
            let whole = said.contains("ORACLE-DONE") && !said.contains("FAILED");
            assert!(whole, "{said}\n{output:?}");
            fs::rename(folder.keep(), &kept).unwrap();
        }
        let said = fs::read_to_string(kept.join("said")).unwrap();
        let lines = said.lines().filter_map(|line| line.strip_prefix("ORACLE "));
        let fields = lines.map(|line| line.split(' ').collect::<Vec<_>>());
        let said = fields.map(|fields| {
            let [name, size, hash] = fields[..] else {
                panic!("{fields:?}")
            };
            (name.to_owned(), size.parse().unwrap(), hash.to_owned())
        });
        Some(Self {
            said: said.collect(),
            folder: kept,
        })
    }

    /// Returns the path of a disk by its letter.
    pub fn disk(&self, letter: &str) -> PathBuf {
        self.folder.join(format!("disk-{letter}.raw"))
    }

    /// Returns the SHA-256 of a volume.
    pub fn hash(&self, name: &str) -> &str {
        let mut said = self.said.iter();
        &said.find(|(own, ..)| own == name).unwrap().2
    }
}
