//! Small guests that verify their own files when they start, and QEMU to start them in.
//!
//! `make_guests.sh`, beside this crate, makes two raw disks of Debian's kernel and BusyBox: one
//! that a BIOS starts, as a generation 1 VM has, and one for UEFI. When they have started, they
//! compare each file on their ext4 partition with its SHA-256, and say on their serial console what
//! they found: that is [`GuestReport`].
//!
//! ```text
//!   make_guests.sh ──► bios.raw, uefi.raw ──► backup ──► restore ──► boot ──► GuestReport
//! ```
//!
//! `make_arrays.sh` starts another one, which makes arrays, volume groups and encrypted volumes on raw
//! disks and says what it reads of each: that is [`LinuxArrays`].
//!
//! Needs a Debian, its packages (see [`PROGRAMS`]) and, once, its archive. Everything here is for
//! tests: where something is missing the test is skipped, visibly.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "all of it is for tests, which it fails")]

mod linux_arrays;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use disk_model::independent_tools::{have_tool, skip};
pub use linux_arrays::{LUKS_PASSWORD, LinuxArrays};

/// The programs that it takes, and how each is asked whether it is there.
pub const PROGRAMS: [(&str, &str); 11] = [
    ("qemu-system-x86_64", "--version"),
    ("apt-get", "--version"),
    ("dpkg-deb", "--version"),
    ("cpio", "--version"),
    ("sfdisk", "--version"),
    ("mkfs.vfat", "--help"),
    ("mkfs.ext4", "-V"),
    ("mcopy", "--version"),
    ("syslinux", "--version"),
    ("objcopy", "--version"),
    ("timeout", "--version"),
];

/// Files of packages that it takes: the loader's boot code, the stub of a unified kernel image,
/// UEFI, BusyBox.
const FILES: [&str; 5] = [
    "/usr/lib/syslinux/mbr/mbr.bin",
    "/usr/lib/systemd/boot/efi/linuxx64.efi.stub",
    OVMF_CODE,
    OVMF_VARS,
    "/bin/busybox",
];

/// UEFI's code.
pub const OVMF_CODE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
/// UEFI's variables, before anybody has changed them.
pub const OVMF_VARS: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/// Seconds after which a guest that says nothing has failed: it takes 10 on a machine with nothing
/// else to do.
const PATIENCE_SECONDS: &str = "240";
/// Each of them verifies as many files.
const FILES_TO_VERIFY: u32 = 22;

/// The two guests' disks.
pub struct Guests {
    /// Raw; a BIOS starts it.
    pub bios: PathBuf,
    /// Raw; UEFI starts it.
    pub uefi: PathBuf,
    _folder: tempfile::TempDir,
}

impl Guests {
    /// Makes the guests. The kernel's package is kept in `cache`. `None`: something is missing, and
    /// the test is skipped.
    pub fn make(cache: &Path) -> Option<Self> {
        if !PROGRAMS.iter().all(|(name, ask)| have_tool(name, &[ask])) {
            return None;
        }
        if let Some(missing) = FILES.iter().find(|file| !Path::new(file).exists()) {
            skip(&format!("{missing} is not installed"));
            return None;
        }
        let kernel = kernel_package(cache)?;
        let folder = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("make_guests.sh");
        let output = Command::new("sh")
            .args([&script, folder.path(), &kernel])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        Some(Self {
            bios: folder.path().join("bios.raw"),
            uefi: folder.path().join("uefi.raw"),
            _folder: folder,
        })
    }
}

/// Returns the package of Debian's kernel for clouds, which starts faster than the one for all
/// machines, from the cache or from Debian's archive.
fn kernel_package(cache: &Path) -> Option<PathBuf> {
    let in_cache = || {
        let entries = fs::read_dir(cache).ok()?;
        let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        paths.find(|path| path.extension().is_some_and(|extension| extension == "deb"))
    };
    if let Some(package) = in_cache() {
        return Some(package);
    }
    fs::create_dir_all(cache).unwrap();
    let fresh = tempfile::tempdir_in(cache).unwrap();
    let depends = Command::new("apt-cache")
        .args(["depends", "linux-image-cloud-amd64"])
        .output()
        .unwrap();
    let depends = String::from_utf8_lossy(&depends.stdout).into_owned();
    let names = depends
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "));
    let fetched = names
        .filter(|name| name.starts_with("linux-image-"))
        .any(|name| {
            Command::new("apt-get")
                .args(["download", "-qq", name])
                .current_dir(fresh.path())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        });
    let found = fs::read_dir(fresh.path()).unwrap().next();
    let Some(package) = found.filter(|_| fetched) else {
        skip("Debian's kernel cannot be fetched from here");
        return None;
    };
    let package = package.unwrap();
    // Its name appears when it is whole.
    let kept = cache.join(package.file_name());
    fs::rename(package.path(), &kept).unwrap();
    Some(kept)
}

/// What a guest said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestReport {
    /// `bios` or `efi`.
    pub firmware: String,
    /// Files whose content was as it should be.
    pub good: u32,
    /// Files whose content was not, or that were not there.
    pub bad: u32,
}

impl GuestReport {
    /// Returns what a guest says that was started by `firmware` and is as it was made.
    pub fn whole(firmware: &str) -> Self {
        Self {
            firmware: firmware.to_owned(),
            good: FILES_TO_VERIFY,
            bad: 0,
        }
    }

    /// Finds the report in what came over the serial console.
    fn find(console: &str) -> Option<Self> {
        let (_, line) = console.split_once("LIFEBOAT-GUEST ")?;
        let line = line.lines().next()?;
        let field = |name: &str| {
            let mut words = line.split_whitespace();
            words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
        };
        Some(Self {
            firmware: field("firmware")?.to_owned(),
            good: field("good")?.parse().ok()?,
            bad: field("bad")?.parse().ok()?,
        })
    }
}

/// Runs a QEMU, or a script that ends in one, until its guest turns itself off, and returns what
/// the guest said. The command's own arguments stand before those that are added here: a serial
/// console on stdout and no screen.
pub fn boot(command: &[&str], environment: &[(&str, &str)]) -> GuestReport {
    let output = Command::new("timeout")
        .arg(PATIENCE_SECONDS)
        .args(command)
        .args(["-display", "none", "-serial", "stdio", "-no-reboot"])
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let console = String::from_utf8_lossy(&output.stdout).into_owned();
    let Some(report) = GuestReport::find(&console) else {
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        panic!("{command:?}: the guest did not start: {console}\n{errors}");
    };
    report
}
