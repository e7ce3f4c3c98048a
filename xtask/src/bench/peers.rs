//! The tools that Lifeboat is measured against: restic, borg, rustic.
//!
//! Each is looked for in `LIFEBOAT_BENCH_PEERS` and its `bin`, in the work folder's `peers/bin`, and
//! on the path, in this order.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::contender::{Contender, PASSWORD, Place};
use super::image::Image;
use super::random_reads;

const RUSTIC_CRATE: [&str; 5] = ["install", "rustic-rs", "--version", "0.11.4", "--locked"];

/// Installs rustic below the work folder.
pub(crate) fn install_rustic(work: &Path) -> Result<(), String> {
    let status = Command::new("cargo")
        .args(RUSTIC_CRATE)
        .arg("--root")
        .arg(peers_folder(work))
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cargo install rustic-rs failed: {status}")),
        Err(error) => Err(format!("cannot start cargo: {error}")),
    }
}

fn peers_folder(work: &Path) -> PathBuf {
    work.join("peers")
}

/// The peers on this machine; names those that are missing.
pub(crate) fn find(
    work: &Path,
    place: &dyn Fn(&str) -> Place,
) -> Result<Vec<Box<dyn Contender>>, String> {
    let mut found: Vec<Box<dyn Contender>> = Vec::new();
    match find_program("restic", work) {
        Some(program) => found.push(Box::new(Restic {
            program,
            place: place("restic"),
        })),
        None => println!("skipped: restic is not installed (apt-get install restic)"),
    }
    match find_program("borg", work) {
        Some(program) => {
            for settings in [BORG_DEFAULT, BORG_FIXED] {
                let place = place(&format!("borg-{}", settings.label));
                found.push(Box::new(Borg {
                    program: program.clone(),
                    settings,
                    place,
                }));
            }
        }
        None => println!("skipped: borg is not installed (apt-get install borgbackup)"),
    }
    match find_program("rustic", work) {
        Some(program) => {
            for settings in [RUSTIC_DEFAULT, RUSTIC_FIXED] {
                let place = place(&format!("rustic-{}", settings.label));
                found.push(Box::new(Rustic {
                    program: program.clone(),
                    settings,
                    place,
                }));
            }
        }
        None => println!(
            "skipped: rustic is not installed; install it with --install-peers, or with\n  \
             cargo {} --root {}",
            RUSTIC_CRATE.join(" "),
            peers_folder(work).display()
        ),
    }
    Ok(found)
}

/// The whole path of a program: a tool may run in another folder than this one.
pub(crate) fn find_program(name: &str, work: &Path) -> Option<PathBuf> {
    let named = std::env::var_os("LIFEBOAT_BENCH_PEERS").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    named
        .into_iter()
        .flat_map(|folder| [folder.join(name).join("bin"), folder.join("bin"), folder])
        .chain([
            peers_folder(work).join(name).join("bin"),
            peers_folder(work).join("bin"),
        ])
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .and_then(|program| std::path::absolute(program).ok())
}

fn version(program: &Path) -> String {
    let output = Command::new(program).arg("--version").output();
    let output = output.map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&output);
    // restic names its compiler too: "restic 0.14.0 compiled with …".
    text.lines()
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .unwrap_or("unknown")
        .to_owned()
}

struct Restic {
    program: PathBuf,
    place: Place,
}

impl Restic {
    fn command(&self) -> Command {
        // Debian's restic knows no --version.
        let mut command = Command::new(&self.program);
        command.env("RESTIC_PASSWORD", PASSWORD);
        command.arg("--cache-dir").arg(&self.place.cache);
        command.arg("-r").arg(&self.place.repository);
        command
    }
}

impl Contender for Restic {
    fn name(&self) -> String {
        "restic".into()
    }

    fn version(&self) -> String {
        let output = Command::new(&self.program).arg("version").output();
        let output = output.map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&output)
            .split(' ')
            .nth(1)
            .unwrap_or("unknown")
            .to_owned()
    }

    fn place(&self) -> &Place {
        &self.place
    }

    fn init(&self) -> Command {
        let mut command = self.command();
        command.args(["init", "--repository-version", "2"]);
        command
    }

    fn backup(&self, _time: u32) -> Command {
        let mut command = self.command();
        command
            .args(["backup", "disk.vhdx"])
            .current_dir(&self.place.vm);
        command
    }

    fn restore(&self) -> Command {
        let mut command = self.command();
        command
            .args(["restore", "latest", "--target"])
            .arg(&self.place.output);
        command
    }

    fn restored(&self) -> PathBuf {
        self.place.output.join("disk.vhdx")
    }

    fn random_reads(&self, image: &Image) -> Result<Option<f64>, String> {
        let mut mount = self.command();
        mount.arg("mount").arg(&self.place.mount);
        random_reads::through_mount(mount, &self.place.mount, "snapshots/latest", &image.second)
            .map(Some)
    }
}

#[derive(Clone, Copy)]
struct BorgSettings {
    label: &'static str,
    create: &'static [&'static str],
}

const BORG_DEFAULT: BorgSettings = BorgSettings {
    label: "default",
    create: &[],
};
const BORG_FIXED: BorgSettings = BorgSettings {
    label: "fixed-4MiB-zstd1",
    create: &[
        "--chunker-params",
        "fixed,4194304",
        "--sparse",
        "-C",
        "zstd,1",
    ],
};

struct Borg {
    program: PathBuf,
    settings: BorgSettings,
    place: Place,
}

impl Borg {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env("BORG_PASSPHRASE", PASSWORD)
            .env("BORG_BASE_DIR", &self.place.cache);
        command
    }

    fn archive(&self, name: &str) -> String {
        format!("{}::{name}", self.place.repository.display())
    }
}

impl Contender for Borg {
    fn name(&self) -> String {
        format!("borg {}", self.settings.label)
    }

    fn version(&self) -> String {
        version(&self.program)
    }

    fn place(&self) -> &Place {
        &self.place
    }

    fn init(&self) -> Command {
        let mut command = self.command();
        command
            .args(["init", "-e", "repokey-blake2"])
            .arg(&self.place.repository);
        command
    }

    fn backup(&self, time: u32) -> Command {
        let mut command = self.command();
        command
            .arg("create")
            .args(self.settings.create)
            .arg(self.archive(&format!("day{time}")));
        command.arg("disk.vhdx").current_dir(&self.place.vm);
        command
    }

    fn restore(&self) -> Command {
        let mut command = self.command();
        command
            .args(["extract", "--sparse"])
            .arg(self.archive("day2"));
        command.current_dir(&self.place.output);
        command
    }

    fn restored(&self) -> PathBuf {
        self.place.output.join("disk.vhdx")
    }
}

#[derive(Clone, Copy)]
struct RusticSettings {
    label: &'static str,
    init: &'static [&'static str],
}

const RUSTIC_DEFAULT: RusticSettings = RusticSettings {
    label: "default",
    init: &[],
};
const RUSTIC_FIXED: RusticSettings = RusticSettings {
    label: "fixed-64KiB-zstd1",
    init: &[
        "--set-chunker",
        "fixed_size",
        "--set-chunk-size",
        "64KiB",
        "--set-compression",
        "1",
    ],
};

struct Rustic {
    program: PathBuf,
    settings: RusticSettings,
    place: Place,
}

impl Rustic {
    fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env("RUSTIC_PASSWORD", PASSWORD)
            .env("RUSTIC_NO_PROGRESS", "true");
        command.env("RUSTIC_CACHE_DIR", &self.place.cache);
        command
            .arg("-r")
            .arg(&self.place.repository)
            .arg(subcommand);
        command
    }
}

impl Contender for Rustic {
    fn name(&self) -> String {
        format!("rustic {}", self.settings.label)
    }

    fn version(&self) -> String {
        version(&self.program)
    }

    fn place(&self) -> &Place {
        &self.place
    }

    fn init(&self) -> Command {
        let mut command = self.command("init");
        command.args(self.settings.init);
        command
    }

    fn backup(&self, _time: u32) -> Command {
        let mut command = self.command("backup");
        command.arg("disk.vhdx").current_dir(&self.place.vm);
        command
    }

    fn restore(&self) -> Command {
        let mut command = self.command("restore");
        command.arg("latest").arg(&self.place.output);
        command
    }

    fn restored(&self) -> PathBuf {
        self.place.output.join("disk.vhdx")
    }
}
