//! Files out of a backup against files out of the same volume, mounted.
//!
//! An NTFS volume with 5,000 small files and one of a gigabyte is made with `mkfs.ntfs` and filled
//! through ntfs-3g, then backed up. The small files are copied by `cp -a` from the volume, which
//! ntfs-3g has mounted, and taken out by `lifeboat files get`, by turns; the long file is compared
//! with `restore disk` of the whole disk. Where nothing can be mounted it says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::measure::{self, Measurement, Randomness};

const FILES: usize = 5000;
const FOLDERS: usize = 50;
const SHORT_BYTES_MAX: usize = 16 << 10;
const VOLUME_BYTES: u64 = 3 << 30;
const LONG_BYTES: usize = 1 << 30;
/// Turns of each, of which the fastest counts.
const TURNS: usize = 3;
/// `files get` may take so many times what `cp` takes.
const BOUND: f64 = 2.0;
/// The long file's rate is at least so much of a whole disk's.
const RATE_BOUND: f64 = 0.5;

/// Measures, and prints a table. `Ok(true)` where the bounds hold.
pub(crate) fn run(program: &Path, work: &Path) -> Result<bool, String> {
    let place = Place {
        program: fs::canonicalize(program).map_err(text)?,
        folder: work.join("files"),
    };
    drop(fs::remove_dir_all(&place.folder));
    fs::create_dir_all(place.folder.join("host")).map_err(text)?;
    let measured = place.measure();
    // A volume that stays mounted would be deleted file by file.
    place.unmount();
    drop(fs::remove_dir_all(&place.folder));
    measured
}

fn text(error: std::io::Error) -> String {
    error.to_string()
}

struct Place {
    program: PathBuf,
    folder: PathBuf,
}

impl Place {
    fn measure(&self) -> Result<bool, String> {
        self.make_volume()?;
        fs::write(self.folder.join("password"), "bench").map_err(text)?;
        let key = ["repo", "init", "--recovery-key-file", "key"];
        measure::run(self.lifeboat(&key))?;
        measure::run(self.lifeboat(&["backup", "--host", "dir:host", "--all"]))?;

        let (mut copy, mut get) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            copy.push(self.copy()?);
            get.push(self.get("small")?);
        }
        let long: Result<Vec<_>, _> = (0..TURNS).map(|_| self.get("long")).collect();
        let disk: Result<Vec<_>, _> = (0..TURNS).map(|_| self.restore()).collect();
        let (copy, get) = (fastest(&copy)?, fastest(&get)?);
        let (long, disk) = (fastest(&long?)?, fastest(&disk?)?);

        let data = self.data_bytes()?;
        let rate = |bytes: f64, took: &Measurement| bytes / took.wall_seconds / f64::from(1 << 20);
        let long_rate = rate(bytes_of(LONG_BYTES), &long);
        let disk_rate = rate(data, &disk);
        let times = get.wall_seconds / copy.wall_seconds;
        println!("| What | Wall seconds | Processor seconds | |");
        println!("|---|---|---|---|");
        let row = |what: &str, took: &Measurement, more: String| {
            let (wall, processor) = (took.wall_seconds, took.processor_seconds);
            println!("| {what} | {wall:.2} | {processor:.2} | {more} |");
        };
        row(
            "5,000 small files, `cp -a` from ntfs-3g",
            &copy,
            String::new(),
        );
        let more = format!("{times:.2} times `cp`, at most {BOUND}");
        row("5,000 small files, `files get`", &get, more);
        row(
            "one file of 1 GiB, `files get`",
            &long,
            format!("{long_rate:.0} MiB/s"),
        );
        row(
            "the disk, `restore disk`",
            &disk,
            format!("{disk_rate:.0} MiB/s of data"),
        );
        Ok(times <= BOUND && long_rate >= RATE_BOUND * disk_rate)
    }

    fn make_volume(&self) -> Result<(), String> {
        let image = self.image();
        let file = fs::File::create(&image).map_err(text)?;
        file.set_len(VOLUME_BYTES).map_err(text)?;
        drop(file);
        let mut make = Command::new("mkfs.ntfs");
        make.args(["-F", "-Q", "-q", "-L", "bench"]).arg(&image);
        tool(&mut make)?;
        self.mount("rw")?;
        let volume = self.folder.join("volume");
        let mut randomness = Randomness::new("files out of a backup");
        let mut bytes = vec![0; SHORT_BYTES_MAX];
        for number in 0..FILES {
            let folder = volume.join(format!("small/{:02}", number % FOLDERS));
            fs::create_dir_all(&folder).map_err(text)?;
            let len = randomness.index(SHORT_BYTES_MAX);
            randomness.fill(&mut bytes[..len]);
            fs::write(folder.join(format!("file-{number:05}.dat")), &bytes[..len]).map_err(text)?;
        }
        let mut long = vec![0; LONG_BYTES];
        // Half of it compresses, as it is with most files.
        for piece in long.chunks_mut(64 << 10) {
            let half = piece.len() / 2;
            randomness.fill(&mut piece[..half]);
        }
        fs::write(volume.join("long"), long).map_err(text)?;
        self.unmount();
        Ok(())
    }

    fn image(&self) -> PathBuf {
        self.folder.join("host/disk.raw")
    }

    /// Bytes of the disk that hold something: what a restore of it reads and writes.
    fn data_bytes(&self) -> Result<f64, String> {
        use std::os::unix::fs::MetadataExt as _;
        let about = fs::metadata(self.image()).map_err(text)?;
        let blocks = u32::try_from(about.blocks()).map_err(|error| error.to_string())?;
        Ok(f64::from(blocks) * 512.0)
    }

    fn mount(&self, how: &str) -> Result<(), String> {
        let volume = self.folder.join("volume");
        fs::create_dir_all(&volume).map_err(text)?;
        let mut mount = Command::new("ntfs-3g");
        mount.args(["-o", how]).arg(self.image()).arg(&volume);
        tool(&mut mount).map_err(|reason| format!("nothing can be mounted here: {reason}"))
    }

    fn unmount(&self) {
        let mut unmount = Command::new("umount");
        unmount.arg(self.folder.join("volume"));
        drop(unmount.output());
    }

    fn copy(&self) -> Result<Measurement, String> {
        self.mount("ro")?;
        let out = self.empty("copied")?;
        let mut copy = Command::new("cp");
        copy.arg("-a")
            .arg(self.folder.join("volume/small"))
            .arg(out);
        let took = measure::run(copy);
        self.unmount();
        took
    }

    fn get(&self, name: &str) -> Result<Measurement, String> {
        let out = self.empty("taken")?;
        let place = format!("disk@latest:/1/{name}");
        let mut get = self.lifeboat(&["files", "get", &place, "-o"]);
        get.arg(&out);
        let took = measure::run(get)?;
        let found = measure::folder_bytes(&out);
        if name == "long" && found != LONG_BYTES as u64 {
            return Err(format!("{found} bytes came out"));
        }
        Ok(took)
    }

    fn restore(&self) -> Result<Measurement, String> {
        let out = self.empty("restored")?.join("disk.raw");
        let mut restore = self.lifeboat(&["restore", "disk", "disk@latest", "--disk", "0"]);
        restore.args(["--format", "raw", "-o"]).arg(out);
        measure::run(restore)
    }

    fn empty(&self, name: &str) -> Result<PathBuf, String> {
        let out = self.folder.join(name);
        drop(fs::remove_dir_all(&out));
        fs::create_dir_all(&out).map_err(text)?;
        Ok(out)
    }

    fn lifeboat(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).current_dir(&self.folder);
        command.env("LIFEBOAT_REPO", "repository");
        command.env("LIFEBOAT_PASSWORD_FILE", "password");
        if self.folder.join("key").exists() {
            command.env_remove("LIFEBOAT_PASSWORD_FILE");
            command.env("LIFEBOAT_RECOVERY_KEY_FILE", "key");
        }
        command
    }
}

fn fastest(turns: &[Measurement]) -> Result<Measurement, String> {
    let fastest = turns
        .iter()
        .min_by(|one, other| one.wall_seconds.total_cmp(&other.wall_seconds));
    fastest
        .copied()
        .ok_or_else(|| "nothing was measured".into())
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn bytes_of(bytes: usize) -> f64 {
    bytes as f64
}

fn tool(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| format!("{name} cannot be started: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(format!("{name} failed ({}): {said}", output.status))
}
